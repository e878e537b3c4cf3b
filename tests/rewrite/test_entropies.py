"""Factors that are 0 where a logarithm is infinite: the product has the limit 0, and its slope the limit it has.

In: spellings, generated: a place where u is 0, a factor that is 0 there, a logarithm that is infinite there.
Out: nothing, or a failed assertion.
Always holds: the value is 0; the slope of u^n*log(u) is 0 for n > 1, infinite with log(u)'s sign for n = 1; near there, both
are mpmath's.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import entr, rel_entr

import graphc
from graphc.compiler import gradient_graph
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate
from tests.exact import derivatives
from tests.rewrite.test_probes import primitive

PLACES = {
    "x": (0.0, 1),
    "(1 - x)": (1.0, -1),
    "(1 + x)": (-1.0, 1),
    "(2 - 2*x)": (1.0, -1),
}  # u: where it is 0, its slope's sign
FACTORS = {"{u}": 1, "y*{u}": 1, "{u}^2": 2, "{u}^3*y": 3}  # and its exponent
LOGARITHMS = {
    "log({u})": -1, "log(2*{u})": -1, "log2({u})": -1, "log10({u})": -1, "log({u}/y)": -1, "log(y/{u})": 1, "(log({u}) - log(y))": -1,
    "(y + 3*log({u}))": -1, "log({u}^2)": -1, "log(abs({u}))": -1,
}  # fmt: skip
BOTH = [(u, factor, logarithm) for u in PLACES for factor in FACTORS for logarithm in LOGARITHMS]


def values(text: str, at: dict[str, float]) -> list[float]:
    """The value and the derivative by x."""
    graph = parse(text)
    found = []
    for g in (graph, gradient_graph(graph, "x")):
        lowered = primitive(g)
        with np.errstate(all="ignore"):
            found.append(
                float(
                    *evaluate(lowered, {s: np.asarray(at[s.name]) for s in lowered.leaves()}, lowered.outputs).values()
                )
            )
    return found


@pytest.mark.parametrize(("u", "factor", "logarithm"), BOTH)
def test_the_limit_at_0(u: str, factor: str, logarithm: str) -> None:
    (x, slope), n, sign = PLACES[u], FACTORS[factor], LOGARITHMS[logarithm]
    text = f"{factor.format(u=u)}*{logarithm.format(u=u)}"
    value, first = values(text, {"x": x, "y": 0.5})
    assert value == 0
    assert first == (0 if n > 1 else slope * sign * math.inf), parse(text)
    near = {"x": x + slope * 2.0**-20, "y": 0.5}
    assert values(text, near) == pytest.approx([float(v) for v in derivatives(text, "x", near)[:2]], rel=1e-12)


@pytest.mark.parametrize(
    "text", ["sqrt(x)*log(x)", "sqrt(1 + y)*x^1.5*log2(x)", "x*log(x)^2", "(x*log(x))^2", "x*(log(x) + y)^3"]
)
def test_the_value_at_0(text: str) -> None:
    assert values(text, {"x": 0.0, "y": 0.5})[0] == 0


@pytest.mark.parametrize(
    ("text", "x", "slope"),
    [
        ("x*log(x)^2", 0.0, math.inf),
        ("x*log(x)^3", 0.0, -math.inf),
        ("x*log(x)*log(1 - x)", 0.0, 0.0),
        ("x^2*log(x)^2", 0.0, 0.0),
        ("(x*log(x))^2", 0.0, 0.0),
        ("x^1.5*log(x)", 0.0, 0.0),
        ("x^1.5*log(x)^2", 0.0, 0.0),
        ("sqrt(x)*log(x)^2", 0.0, math.inf),
        ("sqrt(1 - x)*log(1 - x)", 1.0, math.inf),
        ("sin(x)*log(x)", 0.0, -math.inf),
        ("erf(x)*log(x)^2", 0.0, math.inf),
    ],
)
def test_the_slope_at_an_end(text: str, x: float, slope: float) -> None:
    """Of the compiled function, value and gradient together."""
    value, gradients = graphc.compile(text).value_and_grad(x=x)
    assert (value, gradients["x"]) == (0, slope)


@pytest.mark.parametrize(
    "text", ["x*(log(x) + 1/x)", "x*(y + log(x)/x)", "x*(log(x) + 1/sqrt(x))", "x*(log(x) + gamma(x))"]
)
def test_another_pole_is_not_annihilated(text: str) -> None:
    assert values(text, {"x": 0.0, "y": 0.5})[0] != 0


P, Q = np.array([0.0, 0.3, 0.7, 1.0]), np.array([0.2, 0.3, 0.9, 0.5])


@pytest.mark.parametrize(
    "text",
    [
        "-sum(p*log(p) + (1 - p)*log(1 - p))",
        "-sum(p*log(p)) - sum((1 - p)*log(1 - p))",
        "sum((p - 1)*log1p(-p) - p*log(p))",
    ],
)
def test_binary_entropy(text: str) -> None:
    value, gradients = graphc.compile(f"input p[n]; {text}").value_and_grad(p=P)
    assert value == pytest.approx(np.sum(entr(P) + entr(1 - P)), rel=1e-15)
    with np.errstate(divide="ignore"):
        assert gradients["p"] == pytest.approx(np.log1p(-P) - np.log(P), rel=1e-14)


@pytest.mark.parametrize(
    "text", ["sum(p*log(p/q))", "sum(p*(log(p) - log(q)))", "-sum(p*log(q/p))", "sum(p*log(p) - p*log(q))"]
)
def test_relative_entropy(text: str) -> None:
    value, gradients = graphc.compile(f"input p[n], q[n]; {text}").value_and_grad(p=P, q=Q)
    assert value == pytest.approx(np.sum(rel_entr(P, Q)), rel=1e-14)
    with np.errstate(divide="ignore"):
        assert gradients["p"] == pytest.approx(np.log(P / Q) + 1, rel=1e-14)
    assert gradients["q"] == pytest.approx(-P / Q, rel=1e-15)


@pytest.mark.parametrize(("logarithm", "unit"), [("log", 1.0), ("log2", math.log(2)), ("log10", math.log(10))])
@pytest.mark.parametrize("start", ["q = p/sum(p); -sum(q*{log}(q))", "-sum(p/sum(p)*{log}(p/sum(p)))"])
def test_entropy_of_shares(start: str, logarithm: str, unit: float) -> None:
    value, gradients = graphc.compile(f"input p[n]; {start.format(log=logarithm)}").value_and_grad(
        p=2 * Q[:3] * [0, 1, 1]
    )
    q = np.array([0, 0.25, 0.75])
    assert value == pytest.approx(np.sum(entr(q)) / unit, rel=1e-14)
    with np.errstate(divide="ignore"):
        assert gradients["p"] == pytest.approx((-np.log(q) - np.sum(entr(q))) / 2.4 / unit, rel=1e-13)
