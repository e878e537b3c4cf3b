"""The check of gradients finds what is right and what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphc.errors import DataError
from graphc.explain import check as module
from graphc.explain.check import check
from graphc.explain.gradient import Gradient
from graphc.graph.graph import Graph
from graphc.language.reader import parse

NET = """input x[n, 5], t[n, 3]
param W1[5, 4] ~ glorot, b1[4] = 0, W2[4, 3] ~ glorot, b2[1, 3] = 0
h = relu(x @ W1 + b1)
y = softmax(h @ W2 + b2)
J = -mean(sum(t*log(y), axis=1))"""


@pytest.mark.parametrize(
    "text",
    [
        "cos(sin(x^2) + 3x^2)",
        "relu(x)*y + abs(x)",
        "t*log(1/(1 + exp(-a))) + (1 - t)*log(1 - 1/(1 + exp(-a)))",
        "acosh(x) + asin(y) + sqrt(z)",
        "gamma(x) + polygamma(2, x) + mod(x, 3) + x^y + atan2(x, y)",
        "floor(x) + threshold(y)*y",
        "stop_gradient(x)*x",
        NET,
        "input x[n]\nJ = sum(x[4:n]) + norm(x)",
        "input x[4, 3], k[n]: int\nJ = sum(x[k]^2) + max(x)",
    ],
)
def test_right_gradients(text: str) -> None:
    report = check(parse(text), samples=5)
    assert report.ok, report.text()


def test_scalar_programs_are_checked_in_many_digits() -> None:
    (x,) = check(parse("cos(sin(x^2) + 3x^2)")).inputs
    assert x.formula is not None
    assert x.formula < 1e-30
    assert x.bits > 45
    assert x.worst.startswith("x = ")


@pytest.mark.parametrize(
    "text",
    [
        NET,
        "input x[n, 3]\nJ = logsumexp(x) + sum(std(x, axis=0)) + norm(x) + sum(softmax(x)*x[::-1])",
        "input A[3, 3], b[3]\nS = A @ A.T + eye(3)\nJ = logdet(S) + b @ solve(S, b) + det(A) + sum(cholesky(S)^2)",
        "input A[3, 3], b[3]\nJ = sum(eigenvalues(A)^3) + trace(inverse(A + 9eye(3))) + sum(solve_triangular(A + 9eye(3), b))",
    ],
)
def test_programs_of_arrays_are_checked_in_many_digits(text: str) -> None:
    report = check(parse(text), samples=2)
    assert report.ok, report.text()
    assert report.accuracy is not None
    assert report.accuracy.lost < 12
    for x in report.inputs:
        assert x.formula is not None
        assert x.formula < 1e-30
        assert x.bits > 40


def test_what_floating_point_loses_in_arrays_is_found() -> None:
    lost = check(parse("input x[3]\nJ = sum((x + 1e12)*(x + 1e12) - 1e24 - 2e12*x)"), ranges={"x": (0.1, 1)}, samples=3)
    assert lost.accuracy is not None
    assert lost.accuracy.verdict == "INACCURATE"
    assert lost.inputs[0].verdict != "WRONG"


def test_large_arrays_are_compared_with_differences() -> None:
    report = check(parse("input x[5000]\nsum(x^2)"), samples=1)
    assert report.ok
    assert report.accuracy is None
    assert report.inputs[0].formula is None


def test_one_point() -> None:
    report = check(parse("x^3*y"), at={"x": 2, "y": 0.5})
    assert report.points == 1
    assert report.ok


@pytest.mark.parametrize("text", ["relu(x)", "abs(x)", "threshold(x)", "max(x, 2x)"])
def test_kinks_are_no_faults(text: str) -> None:
    assert check(parse(text), at={"x": 0}).ok


def test_points_are_drawn_again_by_the_seed() -> None:
    graph = parse("sin(x)/x")
    assert check(graph, seed=3) == check(graph, seed=3)


def test_value_that_is_nowhere_finite() -> None:
    with pytest.raises(DataError, match="finite at none"):
        check(parse("sqrt(-1 - x^2)"))


@pytest.mark.parametrize("text", ["x^2", "input x[3]\nsum(x^2)"])
def test_wrong_gradients_are_found(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of another program is passed off as this one's."""
    right = module.simplified_gradient

    def wrong(graph: Graph, *rest: object) -> Gradient:
        other = parse(text.replace("^2", "^3"))
        return replace(right(other, other.inputs, other.outputs[0]))

    monkeypatch.setattr(module, "simplified_gradient", wrong)
    report = check(parse(text), samples=3)
    assert not report.ok
    assert "WRONG" in report.text()


def test_text() -> None:
    lines = check(parse("x*y"), samples=2).text().splitlines()
    assert lines[0] == "v1 and its gradient, 2 points"
    assert [line.split()[0] for line in lines[2:]] == ["v1", "dv1/dx", "dv1/dy"]


def test_accuracy_over_a_range() -> None:
    """What cancels is found, told from what is wrong, and from what no formula could do better."""
    report = check(parse("(x + 1)^20*1e10 - (x + 1)^20*(1e10 - 1)"), ranges={"x": (1e-3, 1)}, samples=40)
    assert report.accuracy is not None
    assert report.ok
    lost = check(parse("input x; a = x + 1e9; J = (a - 1e9)*stop_gradient(1)"), ranges={"x": (1e-9, 1e-3)})
    assert lost.accuracy is not None
    x = float(lost.accuracy.worst.removeprefix("x = "))
    assert 1e-9 <= x <= 1e-3
    good = check(parse("log(1 + exp(x))"), ranges={"x": (-1000, 1000)}, samples=40)
    assert good.ok
    assert good.accuracy is not None
    assert good.accuracy.lost < 2
    assert good.inputs[0].lost < 2


def test_naive_evaluation_is_inaccurate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the stable rules the same program loses all bits, and the report says where."""
    monkeypatch.setattr(module, "simplify", lambda graph: graph)
    monkeypatch.setattr(module, "stabilise", lambda graph: graph)
    report = check(parse("log(1 + exp(x))"), ranges={"x": (-1000, -30)}, samples=20)
    assert not report.ok
    assert report.accuracy is not None
    assert report.accuracy.verdict == "INACCURATE"
    assert report.accuracy.lost > 10
    assert report.inputs[0].ok
    assert "INACCURATE" in report.text()
    overflow = check(parse("log(1 + exp(x))"), ranges={"x": (710, 1000)}, samples=3)
    assert overflow.accuracy is not None
    assert overflow.accuracy.lost == 53


def test_conditioning() -> None:
    """x f'(x)/f(x), by hand."""
    for text, x, value, slope in (
        ("x^3", 0.7, 3.0, 2.0),
        ("exp(x)", 30.0, 30.0, 30.0),
        ("x - 1", 1.0 + 2**-20, 2**20 + 1, 0.0),
    ):
        report = check(parse(text), at={"x": x})
        assert report.accuracy is not None
        assert report.accuracy.condition == pytest.approx(value)
        assert report.inputs[0].condition == pytest.approx(slope)
        assert report.ok


def test_a_value_near_a_root_may_lose_what_its_inputs_do() -> None:
    report = check(parse("sin(x)"), at={"x": 3.141592653589793})
    assert report.ok
    assert report.accuracy is not None
    assert report.accuracy.condition is not None
    assert report.accuracy.condition > 1e15


def test_a_derivative_that_is_zero() -> None:
    assert check(parse("(x + y)^2 - x^2 - 2x*y"), samples=5).ok


@pytest.mark.parametrize("ranges", [{"z": (0, 1)}, {"x": (1, 0)}, {"x": (0, float("inf"))}, {"k": (0, 1)}])
def test_ranges_that_do_not_fit(ranges: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(DataError, match="range"):
        check(parse("input x, k: int; x*k"), ranges=ranges)


def test_derivatives_that_are_exactly_zero() -> None:
    """The cofactors of a matrix of rank 1 are 0, and rounding errors of them are all that is found."""
    x, y = [0.1, 0.2, 0.7], [0.3, 0.9, 0.1]
    report = check(
        parse("input x[3], y[3], A[3, 3]; det(outer(x, y) @ A)"),
        at={"x": x, "y": y, "A": [[1, 2, 0.3], [0.2, 1, 3], [2, 0.1, 1]]},
    )
    assert all(c.error <= 1 for c in report.inputs)
