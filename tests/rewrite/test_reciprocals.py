"""Quotients share a reciprocal where the divisor cannot be near 0, and nowhere else.

In: formulas whose values and gradients divide by one number.  Out: nothing, or a failed assertion.
Always holds: values are those of the quotients to two roundings.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import divide
from graphc.rewrite.reciprocals import share_reciprocals
from graphc.run.evaluate import evaluate
from tests.checks import validate


def quotients(graph: graphc.Graph) -> int:
    return sum(operation_of(e.expr) is divide for e in graph.equations)


BOUNDED = ["1 + x^2", "x*x + y^4 + 0.5", "cosh(x) + abs(y)", "1 + exp(x)", "sqrt(1 + x^2)", "max(x, 0.25)", "2 + hypot(x, y)",
           "(1 + x^2)*(3 + y^2)", "(1 + x^2)^3", "(1 + x^2)^99", "(0.9 + x^2)^9", "1 + abs(x)/(1 + y^2)", "where(x > y, 1 + x^2, 2)"]  # fmt: skip
FREE = ["x", "x*y", "x^2", "x^2 + y^2", "exp(x)", "1 + x", "sqrt(x)", "1 - x^2", "x^3 + 1", "hypot(x, y)", "min(x, 1)", "1e-30 + x^2",
        "1 + x*y", "where(x > y, 1, x)", "sigmoid(x)", "(0.9 + x^2)^9999"]  # fmt: skip


@pytest.mark.parametrize("divisor", BOUNDED)
def test_one_division_is_left(divisor: str) -> None:
    graph = graphc.parse(f"input x, y\noutput a, b, c\nd = {divisor}\na = x/d\nb = 1/d\nc = (x - y)/d")
    shared = share_reciprocals(graph)
    validate(shared)
    assert quotients(shared) == quotients(graph) - 2
    generator = np.random.default_rng(1)
    for x, y in [*generator.normal(size=(20, 2)) * 5, (0.0, 0.0), (1e300, 1.0), (np.inf, 1.0), (np.nan, 1.0)]:
        given = {s: np.asarray(v) for s, v in zip(graph.inputs, (x, y), strict=True)}
        with np.errstate(all="ignore"):
            found, wanted = (list(evaluate(g, given, g.outputs).values()) for g in (shared, graph))
        np.testing.assert_allclose(found, wanted, rtol=4e-16, atol=1e-322)


@pytest.mark.parametrize("divisor", FREE)
def test_a_divisor_that_may_be_near_0_stays(divisor: str) -> None:
    graph = graphc.parse(f"input x, y\noutput a, b\nd = {divisor}\na = x/d\nb = y/d")
    assert share_reciprocals(graph) == graph


def test_a_single_quotient_stays() -> None:
    graph = graphc.parse("x/(1 + x^2)")
    assert share_reciprocals(graph) == graph


def test_no_division_by_a_computed_constant() -> None:
    assert "a_x * real(0.3989422804014327)" in graphc.compile("x/(sqrt(2)*sqrt(pi))").artifact.source  # rounded once
    assert "a_x / real(3.0)" in graphc.compile("x/3").artifact.source


def test_subnormal_lengths_have_right_directions() -> None:
    f = graphc.compile("hypot(x, y)")
    x = np.array([3e-310])
    np.testing.assert_allclose([g[0] for g in f.grad(x=x, y=x).values()], [0.5**0.5] * 2)


def test_a_fraction_and_its_gradient_divide_once() -> None:
    source = graphc.compile("(x^4 - 3x^3*y + 2y^2 + 1)/(1 + x^2 + y^4)").source
    body = source[source.index("def value_and_grad_point") : source.index("def value_and_grad(")]
    assert body.count(" / ") == 1
