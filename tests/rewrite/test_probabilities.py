"""Probabilities: the same numbers however they are spelled, where they are nearly 0 or 1.

In: spellings of the logistic function and of softmax, formulas of a probability p.  Out: nothing, or a failed assertion.
Always holds: value, first and second derivative are those that mpmath finds for the formula as it is written, in ten
digits; nothing is infinite or no number.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import graphc
from graphc.compiler import gradient_graph
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate
from tests.exact import derivatives
from tests.rewrite.test_probes import primitive

LOGISTIC = [
    "p = 1/(1 + exp(-x))", "p = exp(x)/(1 + exp(x))", "p = 1 - 1/(1 + exp(x))", "p = exp(x/2)/(2*cosh(x/2))",
    "p = 1/2 + tanh(x/2)/2", "p = 0.5*(1 + tanh(0.5*x))", "p = 0.5 - tanh(-x/2)/2", "p = -(-1 - tanh(x/2))/2",
    "h = tanh(x/2); p = (h + 1)/2", "h = 1 + tanh(x/2); p = h*0.5",
]  # fmt: skip
FORMULAS = [
    "p*(1 - p)", "log(p/(1 - p))", "-log(p^t*(1 - p)^(1 - t))", "-t*log(p) - (1 - t)*log(1 - p)", "(1 - p)^2*log(p)",
    "p*log(p) + (1 - p)*log(1 - p)", "sqrt(p)", "sqrt(p*(1 - p))", "p^0.3", "p^t*(1 - p)^(1 - t)",
]  # fmt: skip
POINTS = (-1000.0, -100.0, -40.0, 0.5, 40.0, 1000.0)


@cache
def exact(formula: str, x: float) -> list[float]:
    return [float(v) for v in derivatives(f"{LOGISTIC[0]}; {formula}", "x", {"x": x, "t": 0.3})]


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("spelling", LOGISTIC)
def test_logistic(spelling: str, formula: str) -> None:
    graph = parse(f"{spelling}; {formula}")
    for order in range(3):
        lowered = primitive(graph)
        for x in POINTS:
            given = {s: np.asarray({"x": x, "t": 0.3}[s.name]) for s in lowered.leaves()}
            for dtype in (np.float64, np.float32):
                (found,) = evaluate(lowered, given, lowered.outputs, dtype=dtype).values()
                want = exact(formula, x)[order]
                if dtype is np.float64:
                    assert found == pytest.approx(want, rel=1e-10, abs=1e-300), f"at {x}, order {order}:\n{graph}"
                assert np.isfinite(found), f"float32 at {x}, order {order}:\n{graph}"
        if order < 2:
            graph = gradient_graph(graph, "x")


X = np.array([3.0, -1000.0, 1000.0, 999.0])
SOFTMAX = [
    "s = 1/sum(exp(x)); p = s*exp(x)", "s = sum(exp(x))^(-1); p = exp(x)*s", "e = exp(x); s = 2/sum(e); p = e*s/2",
    "s = sum(exp(x)); r = 1/s; q = exp(x); p = q*r",
]  # fmt: skip
ROWS = [
    "s = 1/sum(exp(x), axis=1, keepdims=true); p = s*exp(x)", "s = 1/sum(exp(x), axis=1); p = exp(x)*s[:, none]",
    "s = sum(exp(x), axis=1); p = exp(x)/s[:, none]", "s = sum(exp(x), axis=1)^(-1); p = reshape(s, (n, 1))*exp(x)",
]  # fmt: skip


@pytest.mark.parametrize("spelling", [f"input x[n]; {s}" for s in SOFTMAX] + [f"input x[n, 4]; {s}" for s in ROWS])
def test_softmax_by_a_named_reciprocal(spelling: str) -> None:
    x = X if "x[n];" in spelling else np.array([X, X[::-1] / 3])
    np.testing.assert_allclose(graphc.compile(spelling)(x=x), softmax(x, axis=-1), rtol=1e-13)
    value, gradients = graphc.compile(f"{spelling}; -sum(log(p))").value_and_grad(x=x)
    assert value == pytest.approx(-log_softmax(x, axis=-1).sum(), rel=1e-13)
    np.testing.assert_allclose(gradients["x"], 4 * softmax(x, axis=-1) - 1, rtol=1e-12)


def test_elements_of_softmax() -> None:
    for spelling in ("exp(x[1:])/sum(exp(x))", "s = 1/sum(exp(x)); exp(x)[1:]*s"):
        np.testing.assert_allclose(graphc.compile(f"input x[n]; {spelling}")(x=X), softmax(X)[1:], rtol=1e-13)


def value_and_slope(text: str, **given: Any) -> tuple[Any, Any]:
    value, gradients = graphc.compile(text).value_and_grad(**given)
    return value, gradients["x"]


@pytest.mark.parametrize("root", ["sqrt(y)", "y^0.5", "y^(1/2)", "sqrt(y[:])"])
def test_roots_of_softmax(root: str) -> None:
    value, slope = value_and_slope(f"input x[n]; y = softmax(x); sum({root})", x=X)
    p = np.exp(log_softmax(X) / 2)
    assert value == pytest.approx(p.sum(), rel=1e-13)
    np.testing.assert_allclose(slope, p / 2 - softmax(X) * p.sum() / 2, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("joined", ["concat(y[:2], y[2:])", "stack(y[0], y[1], y[2], y[3])", "concat(y[2:], y[:2])"])
def test_logarithms_of_parts(joined: str) -> None:
    value, slope = value_and_slope(f"input x[n]; y = softmax(x); z = {joined}; sum(log(z))", x=X)
    assert value == pytest.approx(log_softmax(X).sum(), rel=1e-13)
    np.testing.assert_allclose(slope, 1 - 4 * softmax(X), rtol=1e-12)


LIKELIHOODS = [
    "log(where(t > 0.5, p, 1 - p))", "log(t*p + (1 - t)*(1 - p))", "where(t > 0.5, log(p), log(1 - p))",
    "2*log(sqrt(where(t > 0.5, p, 1 - p)))", "log(where(t > 0.5, p, 1 - p)*p) - log(p)",
]  # fmt: skip


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("x", [-1000.0, -3.0, 0.0, 3.0, 1000.0])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_likelihood_of_a_choice(likelihood: str, x: float, t: float) -> None:
    f = graphc.compile(f"input x; input t; p = 1/(1 + exp(-x)); {likelihood}")
    s = 1 if t else -1
    p = 1 / (1 + np.exp(-s * x)) if abs(x) < 100 else float(s * x > 0)
    value, gradients = f.value_and_grad(x=x, t=t)
    assert value == pytest.approx(-np.logaddexp(0, -s * x), rel=1e-14)
    assert gradients["x"] == pytest.approx(s * (1 - p), rel=1e-12)
    second = gradient_graph(gradient_graph(parse(f"p = 1/(1 + exp(-x)); {likelihood}"), "x"), "x")
    lowered = primitive(second)
    (found,) = evaluate(
        lowered, {a: np.asarray({"x": x, "t": t}[a.name]) for a in lowered.leaves()}, lowered.outputs
    ).values()
    assert found == pytest.approx(-p * (1 - p), rel=1e-10, abs=1e-15)


def test_mixtures_of_exponentials() -> None:
    """One weight may be 0 or negative; what has no weight may be of any size."""
    for u, v, x, y in ((2.0, -1.0, 1000.0, 999.0), (0.0, 3.0, 1000.0, -1000.0), (0.5, 0.5, -800.0, -801.0)):
        value, slope = value_and_slope("log(u*exp(x) + v*exp(y))", u=u, v=v, x=x, y=y)
        top = max(z for w, z in ((u, x), (v, y)) if w)
        total = sum(w * np.exp(z - top) for w, z in ((u, x), (v, y)) if w)
        assert value == pytest.approx(top + np.log(total), rel=1e-14)
        assert slope == pytest.approx(u * np.exp(x - top) / total if u else 0, rel=1e-13)


def test_mixture_of_three() -> None:
    text = "input w[3]; input x; log(w[0]*exp(x) + w[1]*exp(2*x) + w[2]*sigmoid(-x))"
    for w, x, want, slope in (([1, 2, 3], 1000.0, 2000 + np.log(2), 2), ([1, 0, 3], 1000.0, 1000.0, 1), ([0, 0, 3], 1000.0, np.log(3) - 1000, -1)):  # fmt: skip
        value, found = value_and_slope(text, w=np.array(w, float), x=x)
        assert (value, found) == pytest.approx((want, slope), rel=1e-13)


def test_logarithm_of_a_product_of_choices() -> None:
    text = "input x[n], t[n]; p = sigmoid(x); log(prod(where(t > 0.5, p, 1 - p)))"
    x, t = np.array([-1000.0, 1000.0, 2.0]), np.array([1.0, 0.0, 1.0])
    value, slope = value_and_slope(text, x=x, t=t)
    assert value == pytest.approx(-2000 - np.log1p(np.exp(-2)))
    np.testing.assert_allclose(slope, [1, -1, 1 / (1 + np.exp(2))])


@pytest.mark.parametrize("masked", ["where(m > 0, exp(x), 0)", "exp(where(m > 0, x, -inf))"])
def test_softmax_of_what_a_mask_leaves(masked: str) -> None:
    x, m = np.array([1e4, 999.0, 1000.0, -5.0]), np.array([0.0, 1.0, 1.0, 1.0])
    value, slope = value_and_slope(f"input x[n], m[n]; e = {masked}; p = e/sum(e); -log(p[1])", x=x, m=m)
    p = np.concatenate([[0], softmax(x[1:])])
    assert value == pytest.approx(-np.log(p[1]))
    np.testing.assert_allclose(slope, p - [0, 1, 0, 0], rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("x", [[0.0, 0.0, -1000.0], [2.0, 2.0, 2.0], [0.0, -1000.0, -1000.0], [1.0, 0.0, 1.0]])
@pytest.mark.parametrize("spelling", ["log(1 - p)", "log1p(-p)", "log((1 - p)[:])"])
def test_complements_of_softmax_at_ties(spelling: str, x: list[float]) -> None:
    """d sum(t*log(1 - p))/dx = -p*(u - sum(u*p)), u = t/(1 - p); 1 - p as the sum of the others."""
    t = [0.5, 2.0, 3.0]
    _, slope = value_and_slope(f"input x[n], t[n]; p = softmax(x); sum(t*{spelling})", x=x, t=t)
    e = np.exp(np.array(x) - max(x))
    others = e @ (1 - np.eye(3))
    shares = np.array(t) * np.where(others > 0, e / np.where(others > 0, others, 1), np.nan)
    if np.isfinite(shares).all():
        p = e / e.sum()
        np.testing.assert_allclose(slope, p * shares.sum() - shares, rtol=1e-13, atol=1e-300)
    assert np.isfinite(slope).all()


PICKED = [
    "sum(t*p, axis=1)", "sum(p*t, axis=1)", 'einsum("ij,ij->i", t, p)', "sum(t.T*softmax(x.T, axis=0), axis=0)",
    "sum(t*exp(x)/sum(exp(x), axis=1, keepdims=true), axis=1)", "sum(exp(x)*t, axis=1)/sum(exp(x), axis=1)",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("picked", PICKED)
def test_probability_of_a_class_by_its_weights(picked: str, dtype: str) -> None:
    """log(sum(t*softmax(x))) is log_softmax(x) of the class, however unlikely."""
    x, t = np.array([X, X[::-1]]), np.eye(4)[[0, 3]]
    f = graphc.compile(f"input x[n, 4], t[n, 4]; p = softmax(x); -sum(log({picked}))", dtype=dtype)
    value, gradients = f.value_and_grad(x=x, t=t)
    exactness = 1e-12 if dtype == "float64" else 1e-5
    assert value == pytest.approx(-(t * log_softmax(x, axis=1)).sum(), rel=exactness)
    np.testing.assert_allclose(gradients["x"], softmax(x, axis=1) - t, atol=exactness)
    assert all(np.isfinite(h).all() for h in f.hessian(x=x, t=t)["x"].values())


def test_probability_of_some_classes() -> None:
    for spelling in ("p @ w", "w @ p.T", "sum(p*w, axis=1)"):
        value, slope = value_and_slope(f"input x[n, 4]; w = [0, 2, 0, 0]; p = softmax(x); sum(log({spelling}))", x=[X])
        assert value == pytest.approx(np.log(2) + log_softmax(X)[1], rel=1e-13), spelling
        np.testing.assert_allclose(slope, [np.eye(4)[1] - softmax(X)], atol=1e-13)
