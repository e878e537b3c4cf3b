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
    assert lines[0] == "gradient of v1, 2 points"
    assert [line.split()[0] for line in lines[2:]] == ["x", "y"]
