"""A masked softmax written by products, its logarithm, its cross-entropy: as the softmax of what is not masked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax

import graphc

MASK = np.array([1.0, 1.0, 0.0])
TARGET = np.array([0.25, 0.75, 0.0])
POINTS = [[0.0, 1000.0, 5.0], [-1000.0, -1001.0, 1000.0], [1.0, 2.0, 3.0], [-300.0, 500.0, 900.0]]
SHARES = ["m*exp(x)/sum(m*exp(x))", "exp(x)*m/sum(exp(x)*m)", "e/sum(e)"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("x", POINTS)
def test_as_the_softmax_of_what_is_not_masked(x: list[float], share: str, dtype: str) -> None:
    near = {"rtol": 1e-12 if dtype == "float64" else 1e-4, "atol": 1e-14 if dtype == "float64" else 1e-6}
    p = np.append(softmax(x[:2]), 0)
    start = "input m[n], x[n], t[n]; e = m*exp(x); y = " + share
    given = {"m": MASK, "x": x, "t": TARGET}
    np.testing.assert_allclose(graphc.compile(f"{start}; output y", dtype)(m=MASK, x=x), p, **near)
    value, gradients = graphc.compile(f"{start}; J = -sum(t*log(y)); minimize J", dtype).value_and_grad(**given)
    np.testing.assert_allclose(value, -TARGET[:2] @ log_softmax(x[:2]), **near)
    np.testing.assert_allclose(gradients["x"], p - TARGET, **near)
    gradient = graphc.compile(f"{start}; J = sum(t*y); minimize J", dtype).grad(**given)["x"]
    np.testing.assert_allclose(gradient, p * (TARGET - p @ TARGET), **near)


@pytest.mark.parametrize("x", POINTS)
def test_rows_and_their_sums(x: list[float]) -> None:
    given = {"m": [MASK], "x": [x]}
    total = graphc.compile("input m[k, n], x[k, n]; sum(log(sum(m*exp(x), axis=1)))")
    assert total(**given) == pytest.approx(logsumexp(x[:2]), rel=1e-14)
    np.testing.assert_allclose(total.grad(**given)["x"][0], np.append(softmax(x[:2]), 0), rtol=1e-12, atol=1e-300)
    y = graphc.compile("input m[k, n], x[k, n]; y = m*exp(x)/sum(m*exp(x), axis=1, keepdims=true); output y")(**given)
    np.testing.assert_allclose(y[0], np.append(softmax(x[:2]), 0), rtol=1e-12)
