"""Differences of squares: code has products where the squares are of given numbers, texts keep the squares."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc
from graphc.graph.graph import Graph
from graphc.graph.operation import operation_of
from graphc.language.reader import parse
from graphc.ops.elementwise import power
from graphc.rewrite.squares import factor_squares

NEAR = st.floats(2.0**-52, 2.0**-3).flatmap(lambda d: st.sampled_from((1 - d, 1 + d, -1 + d)))


def changed(text: str) -> bool:
    graph = parse(text)
    return factor_squares(graph) is not graph


def compiled(graph: Graph) -> Graph:
    return graphc.compile(graph).history[-1].graph


@pytest.mark.parametrize(
    "text", ["1 - x^2", "x*x - 1", "4 - x^2", "1 - x^2/4", "1 - 4*x^2", "1 - (x/y)^2", "1 - x^2/y^2", "x^2 - y^2", "1 - abs(x)^2",
             "log1p(-x^2)", "log1p(-x^2/4)", "1/x^2 - 1", "1 - (2*x)^2", "input x[n, 2]; 1 - x[:, 0]^2"],
)  # fmt: skip
def test_squares_of_given_numbers(text: str) -> None:
    assert changed(text)


@pytest.mark.parametrize(
    "text",
    ["1 - tanh(x)^2", "1 - (x + y)^2", "2 - x^2", "1 - x^3", "1 + x^2", "1 - 3*x^2", "1 - (3*x)^2", "log1p(x^2)", "4 - (x/y)^2"],
)  # fmt: skip
def test_others_stay(text: str) -> None:
    assert not changed(text)


@given(NEAR)
def test_digits_near_1(x: float) -> None:
    with mpmath.workdps(40):
        want = {"x^2 - 1": mpmath.mpf(x) ** 2 - 1, "1/(1 - x^2)": 1 / (1 - mpmath.mpf(x) ** 2)}
        for text, exact in want.items():
            found = DIFFERENCES[text](x=x)
            assert abs(found - exact) <= 4e-16 * abs(exact), text


DIFFERENCES = {text: graphc.compile(text) for text in ("x^2 - 1", "1/(1 - x^2)")}


def test_the_text_keeps_the_square() -> None:
    gradient = str(graphc.simplify(graphc.grad("asin(x)")))
    assert "x^2" in gradient
    assert "1 + x" not in gradient
    assert "1 + x" in str(compiled(graphc.grad(parse("asin(x)"))))


def test_an_infinite_divisor() -> None:
    f = graphc.compile("1 - (v/c)^2")
    assert f(v=2.0, c=np.inf) == 1
    assert f(v=2.0, c=1e300) == 1
    assert f(v=-3.0, c=0.0) == -np.inf


def test_what_is_learned_stays_as_short() -> None:
    program = "input x[n, 3], t[n, 2]; param W[3, 2] ~ glorot; minimize mean((tanh(x @ W) - t)^2)"
    graph = compiled(graphc.grad(parse(program)))
    squares = [e for e in graph.equations if operation_of(e.expr) is power]
    assert squares
    assert "1 + " not in str(graph)
