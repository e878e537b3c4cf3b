"""Numbers at the edge: infinities, zero divisors, constants that no floating-point number holds, odd names and settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.run.evaluate import evaluate


@pytest.mark.parametrize("text", ["x + 0/0", "0*inf + x", "x + inf - inf", "x*(0/0)"])
def test_what_is_no_number_stays_none(text: str) -> None:
    assert math.isnan(graphc.compile(text)(x=1.0))


@pytest.mark.parametrize("text", ["x*10^400", "x*1e400", "x*(1e308*10)"])
def test_constants_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(graphc.ParseError, match="floating-point"):
        graphc.compile(text)


def test_constants_may_meet_only_after_rounding() -> None:
    assert graphc.compile("1e308*x*10")(x=1e-5) == pytest.approx(1e304)


def test_powers_of_zero() -> None:
    assert graphc.compile("0^y").value_and_grad(y=3.0) == (0, {"y": 0})
    assert graphc.compile("2^y").grad(y=3.0) == {"y": pytest.approx(8 * math.log(2))}


@pytest.mark.parametrize("k", [10**30, 1e30, math.inf])
def test_whole_numbers_that_do_not_fit(k: Any) -> None:
    with pytest.raises(graphc.DataError, match="int64"):
        graphc.compile("input k: int, x; k*x")(k=k, x=2.0)


def test_whole_remainders_by_zero_are_zero() -> None:
    f = graphc.compile("input k: int, j: int; where(j == 0, 0, mod(k, j)) + mod(k, j)")
    for _ in range(5):
        assert f(k=3, j=0) == 0
    assert f(k=np.array([3, 3]), j=np.array([0, 2])).tolist() == [0, 2]
    assert graphc.compile("x*mod(5, 0)")(x=1.0) == 0


def test_masks_are_no_indices() -> None:
    with pytest.raises(graphc.ShapeError, match="bool"):
        graphc.compile("input x[5]; x[x > 1]")


def test_constant_results_of_arrays() -> None:
    value, gradient = graphc.compile("x*0 + 1").value_and_grad(x=np.ones(3))
    assert value.tolist() == [1, 1, 1]
    assert value.dtype == gradient["x"].dtype == np.float64


def test_every_name_may_be_an_input() -> None:
    for name in ("self", "args", "kwargs", "S", "N", "I", "beta", "lambda", "real", "count", "p0", "np"):
        f = graphc.compile(f"input {name}; {name}^2")
        for _ in range(5):
            assert f(**{name: 3.0}) == 9
        assert f.value_and_grad(**{name: np.array([1.0, 2.0])})[1][name].tolist() == [2, 4]


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": -1},
        {"seed": "a"},
        {"batch_size": 2.5},
        {"batch_size": 0},
        {"epochs": "a"},
        {"stop": "q"},
        {"validation": "a"},
    ],
)
def test_settings_that_are_none(settings: dict[str, Any]) -> None:
    with pytest.raises(graphc.DataError, match=next(iter(settings))):
        graphc.train("input x[n]; param w = 1; minimize mean((w*x)^2)", {"x": [1.0, 2.0, 3.0]}, **settings)


def test_names_of_the_history_are_no_metrics() -> None:
    with pytest.raises(graphc.ParseError, match="history"):
        graphc.parse("input x[n]; param w = 1; metric loss = mean(w*x); minimize mean((w*x)^2)")


def test_distributions_without_width() -> None:
    with pytest.raises(graphc.DataError, match="deviation"):
        graphc.compile("param w[2] ~ normal(0, -1); sum(w)").initial(1)
    with pytest.raises(graphc.DataError, match="upper"):
        graphc.compile("param w[2] ~ uniform(1, -1); sum(w)").initial(1)


@pytest.mark.parametrize("wrt", [3, "q", ["x", "q"]])
def test_what_is_not_in_the_program_has_no_derivative(wrt: Any) -> None:
    for call in (graphc.grad, graphc.derive):
        with pytest.raises(graphc.GraphcError):
            call("x^2", wrt=wrt)


def test_whole_numbers_beyond_64_bits_are_real() -> None:
    graph = graphc.parse("input x[2]; sum(x + 10^30) - 2^101")
    (found,) = evaluate(graph, {graph.inputs[0]: np.zeros(2)}, graph.outputs).values()
    assert found == pytest.approx(2e30 - 2.0**101) == graphc.compile(graph)(x=[0, 0])


LINE = "input θ[n], t[n]; param λ = 1; φ = λ*θ; minimize mse(φ, t)"
ROWS = {"θ": [1.0, 2.0], "t": [2.0, 4.0]}


def test_greek_letters_name_what_their_spelled_names_do() -> None:
    """Wherever a name is given: arguments, data, parameters, what to differentiate for, points, ranges."""
    run = graphc.train(LINE, ROWS, params={"λ": 2}, validation=ROWS)
    assert run.history["loss"] == run.history["validation_loss"] == [0]
    assert run.predict("φ", {"θ": [3.0]}).tolist() == [6]
    assert graphc.grad("θ^2", "θ") == graphc.grad("θ^2", "theta")
    assert str(graphc.derive("θ^2", "θ", at={"θ": 2})) == str(graphc.derive("θ^2", "theta", at={"theta": 2}))
    assert graphc.check("θ^2", ranges={"θ": (1, 2)}).ok
    o = graphc.compile("θ*x").objective("θ", θ=2, x=3)
    assert o(o.pack({"θ": 5})) == (15, [3])


def test_two_spellings_of_one_name_are_two_values() -> None:
    for given in ({"data": {**ROWS, "theta": [1.0, 2.0]}}, {"data": ROWS, "params": {"λ": 1, "lambda": 1}}):
        with pytest.raises(graphc.DataError, match="given twice"):
            graphc.train(LINE, **given)
    for given in ({"data": [1.0]}, {"data": ROWS, "params": [1.0]}, {"data": {3: [1.0]}}):
        with pytest.raises(graphc.DataError, match="by name"):
            graphc.train(LINE, **given)


@pytest.mark.parametrize("function", ["sum", "mean", "prod", "max", "min", "logsumexp", "norm"])
def test_a_number_is_its_own_reduction(function: str) -> None:
    f = graphc.compile(f"3*{function}(x)")
    assert f(x=2) == 6
    assert f(x=[2, 5]).tolist() == [6, 15]
    assert f.grad(x=2) == {"x": 3}
    rows = graphc.compile(f"input x[n]; output y; y = 3*{function}({function}(x))")
    assert rows(x=[2, 2]) == pytest.approx(3 * graphc.compile(f"input x[n]; {function}(x)")(x=[2, 2]))


@pytest.mark.parametrize(
    "picked", ["log_softmax(x)[1]", "log(softmax(x)[1])", "log(softmax(x))[1]", "x[1] - logsumexp(x)"]
)
def test_one_element_of_a_softmax(picked: str) -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    want = np.exp(x) / np.exp(x).sum() - np.eye(4)[1]
    f = graphc.compile(f"input x[n]; -({picked})")
    assert f.grad(x=x)["x"] == pytest.approx(want)
    assert f.value_and_grad(x=x)[1]["x"] == pytest.approx(want)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("sum(k[k])", 3),
        ("sum(pad(k, 2))", 3),
        ("max(pad(-k - 1, 1, value=-9)[1:])", -1),
        ("sum(tril(outer(k, k)))", 7),
        ("prod(1 + k[k])", 6),
        ("sum(diagonal_matrix(k) @ k)", 5),
        ("sum(where(k[k] > 1, 1, 0))", 1),
        ("sum(where((k > 0)[k], 1, 0))", 2),
    ],
)
def test_whole_numbers_that_move_stay_whole(text: str, want: int) -> None:
    found = graphc.compile(f"input k[n]: int; output y; y = {text}")(k=[1, 0, 2])
    assert type(found) is int
    assert found == want


def test_a_size_that_only_a_bound_names() -> None:
    f = graphc.compile("input x[3], y[m]; J = x[m]^2 + sum(y); minimize J")
    assert f.grad(x=[1, 2, 3], y=[5])["x"].tolist() == [0, 4, 0]
    found = f.hessian(x=[1, 2, 3], y=[0, 0])["x"]["x"]
    assert found.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 2]]
