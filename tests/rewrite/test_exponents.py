"""Exponentials that are the same once their exponents are multiplied out.

In: formulas of option prices and densities.  Out: nothing, or a failed assertion.
Always holds: gradients are those of the formula in 50 digits.
"""

from __future__ import annotations

import pytest

from graphc.compiler import gradient_graph
from graphc.graph.operation import operation_of
from graphc.language.reader import parse
from graphc.ops.elementwise import exp
from graphc.rewrite.driver import rewrite_steps
from graphc.rewrite.exponents import MET
from tests.corpus.counting import count_graph

BLACK_SCHOLES = """
d1 = (log(S/K) + (r + sigma^2/2)*T)/(sigma*sqrt(T))
d2 = d1 - sigma*sqrt(T)
S*(1 + erf(d1/sqrt(2)))/2 - K*exp(-r*T)*(1 + erf(d2/sqrt(2)))/2
"""
BLACK_76 = """
d1 = (log(F/K) + sigma^2/2*T)/(sigma*sqrt(T))
d2 = d1 - sigma*sqrt(T)
exp(-r*T)*(F*(1 + erf(d1/sqrt(2)))/2 - K*(1 + erf(d2/sqrt(2)))/2)
"""
WITH_DIVIDENDS = """
d1 = (log(S/K) + (r - q + sigma^2/2)*T)/(sigma*sqrt(T))
d2 = (log(S/K) + (r - q - sigma^2/2)*T)/(sigma*sqrt(T))
S*exp(-q*T)*(1 + erf(d1/sqrt(2)))/2 - K*exp(-r*T)*(1 + erf(d2/sqrt(2)))/2
"""


@pytest.mark.parametrize("text", [BLACK_SCHOLES, BLACK_76, WITH_DIVIDENDS])
def test_a_hedge_has_no_density(text: str) -> None:
    """The derivative for the price is the share of the stock alone (Black and Scholes 1973): two densities cancel."""
    graph = gradient_graph(parse(text))
    definitions = {e.target: e.expr for e in graph.equations}
    price = next(s for s in graph.outputs if s.name in ("S_bar", "F_bar"))
    needed, todo = set(), [price]
    while todo:
        expr = definitions.get(todo.pop())
        if expr is not None:
            needed.add(operation_of(expr))
            todo += expr.free_symbols
    squares = [e for e in graph.equations if operation_of(e.expr) is exp]
    assert len(squares) <= 3  # of the interest, of the dividends, of one density
    assert exp not in needed or "exp(-q*T)" in text or "exp(-r*T)*(" in text
    assert count_graph(graph) <= 2.5 * count_graph(parse(text))


@pytest.mark.parametrize(
    ("text", "fires"),
    [
        ("x*exp(-y^2) - exp(log(x) - y^2)", True),
        ("x*exp(-y^2) + 2*exp(log(x) - y^2)", True),
        ("exp((log(x) - y)*z) - exp(z*log(x))*exp(-y*z)", True),
        ("x^2*exp(-y^2) - exp(2*log(x) - y^2)", True),
        ("exp(-(x - y)^2)*exp(-2*x*y) - exp(-x^2)*exp(-y^2) + log(x)", True),
        ("exp(-y/sqrt(x)^2) - exp(-y/x) + log(x)", True),
        ("x*exp(-y^2) - exp(log(x) + y^2)", False),
        ("x*exp(-y^2) - exp(log(x)/2 - y^2)", False),
        ("x*exp(-y^2) - y*exp(log(x) - y^2)", False),
        ("exp(-y^2 + 1) - exp(-y^2) + log(x)", False),
    ],
)
def test_where_terms_meet(text: str, fires: bool) -> None:
    graph = parse(text)
    assert bool(rewrite_steps(graph, (MET,))[1]) is fires
