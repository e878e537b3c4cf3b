"""Formulas where parts of them overflow or vanish and the whole does not: value, first and second derivatives.

In: spellings, places at the ends of the range of a float.  Out: nothing, or a failed assertion.
Always holds: float64 agrees in ten digits with what mpmath finds for the formula as it is written; float32 is finite.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc.compiler import gradient_graph
from graphc.graph.graph import Graph
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate
from tests.exact import derivatives
from tests.rewrite.test_probes import primitive

LEAST, LARGEST = 1e-305, 1.7e308


def check(text: str, names: str, *places: tuple[float, ...], digits: float = 1e-10) -> None:
    """Value, first and second derivatives for each variable at places, of which each names a number for each variable."""
    for name in names.split():
        graph = parse(text)
        for order in range(3):
            lowered = primitive(graph)
            for place in places:
                at = dict(zip(names.split(), place, strict=True))
                want = float(derivatives(text, name, at)[order])
                _check(lowered, at, want, digits, f"{text}, {order} times for {name}, at {at}:\n{graph}")
            if order < 2:
                graph = gradient_graph(graph, name)


def _check(lowered: Graph, at: dict[str, float], want: float, digits: float, message: str) -> None:
    given = {s: np.asarray(at[s.name]) for s in lowered.leaves()}
    (found,) = evaluate(lowered, given, lowered.outputs).values()
    if abs(want) <= LARGEST:
        assert found == pytest.approx(want, rel=digits, abs=LEAST), message
    else:
        assert abs(found) == np.inf or abs(found) > LARGEST, message
    if abs(want) < 1e37 and all(v == 0 or 1e-35 < abs(v) < 1e35 for v in at.values()):
        (single,) = evaluate(lowered, given, lowered.outputs, dtype=np.float32).values()
        assert np.isfinite(single), f"float32: {message}"


ENDS = ((1e200,), (-1e154,), (1e100,), (3.0,), (0.25,), (0.0,), (-1e-160,), (1e-300,))
PAIRS = ((1e100, 3e100), (1e90, 1.0), (1e-200, 3e-200), (2.0, 1.5))
TRIPLES = ((1e100, 2e100, 3e100), (1e-100, 2e-100, -3e-100), (1e90, 0.0, 1e90), (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "text", ["sqrt(1 + x^2)", "sqrt(2 + x*x)", "sqrt(1 + 3*x^2)", "(1 + x^2)^(-0.5)", "x/sqrt(x^2 + 5)"]
)
def test_roots_of_a_number_and_a_square(text: str) -> None:
    check(text, "x", *ENDS)


@pytest.mark.parametrize(
    "text", ["sqrt(x^2 + 2*y^2)", "sqrt(1 + x^2 + y^2)", "sqrt((x^2 + y*y)/2)", "1/sqrt(4 + x^2 + y^2)"]
)
def test_roots_of_two_squares(text: str) -> None:
    check(text, "x y", *PAIRS)


@pytest.mark.parametrize(
    "text", ["sqrt(x^2 + y^2 + z^2)", "sqrt(x^2 + y^2 + z^2 + 1)", "(x^2 + y^2 + z^2)/sqrt(x^2 + y^2 + z^2)"]
)
def test_roots_of_three_squares(text: str) -> None:
    check(text, "x y z", *TRIPLES)


@pytest.mark.parametrize("text", ["sqrt(9 + x @ x)", "sqrt(3^2 + sum(x^2))", "(9 + sum(x*x))^0.5", "hypot(norm(x), 3)"])
def test_roots_of_a_number_and_a_sum_of_squares(text: str) -> None:
    f = graphc.compile(f"input x[n]; {text}")
    for scale in (1e-200, 1.0, 1e80, 1e200):
        x = np.array([1.0, -2.0, 2.0]) * scale
        value, gradients = f.value_and_grad(x=x)
        assert value == pytest.approx(3 * np.hypot(scale, 1), rel=1e-14)
        np.testing.assert_allclose(gradients["x"], x / value, rtol=1e-13)
        u = x / value
        if scale < 1e90:
            np.testing.assert_allclose(f.hessian(x=x)["x"]["x"] * value, np.eye(3) - np.outer(u, u), rtol=1e-12)


def test_square_over_its_root() -> None:
    f = graphc.compile("input x[n]; x @ x/sqrt(x @ x)")
    for scale in (0.0, 1e-200, 1.0, 1e200):
        x = np.array([3.0, -4.0]) * scale
        value, gradients = f.value_and_grad(x=x)
        assert value == pytest.approx(5 * scale)
        np.testing.assert_allclose(gradients["x"], [0.6, -0.8] if scale else [0, 0], rtol=1e-14)


@pytest.mark.parametrize("text", ["1/(1 + (k/x)^n)", "x^n/(k^n + x^n)"])
@pytest.mark.parametrize("x", [1e-200, 1e200])
def test_slopes_of_hill_functions(text: str, x: float) -> None:
    _, gradients = graphc.compile(text).value_and_grad(x=x, k=3.0, n=2.5)
    assert [abs(v) < 1e-190 for v in gradients.values()] == [True] * 3


BEYOND = [
    "tanh(exp(x))", "erf(exp(x))", "sigmoid(exp(x))", "exp(-exp(x))", "1/(1 + exp(exp(x)))", "tanh(sinh(x))", "erf(sinh(x))",
    "atan(exp(x))", "atan2(exp(x), 1)", "atan2(1, exp(x))", "hypot(exp(x), 1)", "sqrt(1 + exp(2x))", "sqrt(exp(x) + 1)",
    "exp(x)/sqrt(1 + exp(2x))", "(exp(2x) - exp(x))/x", "(exp(-x) - exp(-2x))/x", "x*exp(2x)/(exp(2x) - exp(x))",
]  # fmt: skip


@pytest.mark.parametrize("text", BEYOND)
def test_beyond_overflow(text: str) -> None:
    check(text, "x", (-1000.0,), (-100.0,), (-1.0,), (0.5,), (5.0,), (100.0,), (710.0,), (1000.0,))


@pytest.mark.parametrize("text", ["tanh(y^x)", "erf(y^x)", "exp(-y^x)", "1/(1 + y^x)"])
def test_powers_beyond_overflow(text: str) -> None:
    check(text, "x y", (1000.0, 2.0), (-1000.0, 1.5), (2.0, 1.5))


@pytest.mark.parametrize("text", ["exp(-x^2)", "erf(x*x)", "x*exp(-x^2/2)"])
def test_gaussians_far_out(text: str) -> None:
    check(text, "x", (1e200,), (1e100,), (-1e30,), (2.0,))


@pytest.mark.parametrize("text", ["(exp(2x) - exp(x))/x", "x*exp(2x)/(exp(2x) - exp(x))"])
def test_exponentials_near_each_other(text: str) -> None:
    check(text, "x", (0.0,), (1e-12,), (-1e-200,), (1e-5,))


def test_angle_of_exponentials() -> None:
    check("atan2(exp(x), exp(y))", "x y", (1000.0, 999.0), (-1000.0, -1001.0), (1000.0, -1000.0), (1.0, 2.0))
