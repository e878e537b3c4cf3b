"""The gamma function and its kin left of 0, and at poles.

In: points, a table of poles.  Out: nothing, or a failed assertion.
Always holds: many digits agree with mpmath's left of 0, as near to a pole as numbers are; plain Python and compiled
code give the same limits.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

import graphc
from graphc.codegen.plain import plain_functions

LEFT = np.array([-0.5, -1e-9, -1 - 1e-9, -1 + 1e-9, -3.3, -20.7, -100.001, -12345.25])
POLES = {  # at 0, -0.0, -3, -inf, inf
    "gamma(x)": [math.inf, -math.inf, math.nan, math.nan, math.inf],
    "loggamma(x)": [math.inf, math.inf, math.inf, math.inf, math.inf],
    "1/gamma(x)": [0, 0, math.nan, math.nan, 0],
    "digamma(x)": [math.nan, math.nan, math.nan, math.nan, math.inf],
    "polygamma(1, x)": [math.inf, math.inf, math.inf, math.nan, 0],
    "polygamma(2, x)": [math.nan, math.nan, math.nan, math.nan, 0],
}


@pytest.mark.parametrize("order", [0, 1, 2, 3, 6, 20])
def test_derivatives_of_loggamma_left_of_0(order: int) -> None:
    f = graphc.compile(f"input x[n]; polygamma({order}, x)" if order else "input x[n]; digamma(x)")
    with mpmath.workdps(60):
        want = [float(mpmath.polygamma(order, mpmath.mpf(float(x)))) for x in LEFT]
    assert f(x=LEFT) == pytest.approx(want, rel=1e-14)
    assert plain_functions(f.source)["forward"](LEFT) == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("text", ["gamma(x)", "loggamma(x)", "digamma(x)"])
@pytest.mark.parametrize("x", [-0.5, -1.25, -7.9])
def test_second_derivatives_left_of_0(text: str, x: float) -> None:
    functions = {
        "gamma(x)": mpmath.gamma,
        "loggamma(x)": lambda v: mpmath.log(abs(mpmath.gamma(v))),
        "digamma(x)": mpmath.digamma,
    }
    with mpmath.workdps(60):
        want = float(mpmath.diff(functions[text], mpmath.mpf(x), 2))
    assert graphc.compile(text).hessian(x=x)["x"]["x"] == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("text", POLES)
def test_poles(text: str) -> None:
    f = graphc.compile(text)
    compiled = graphc.compile(f"input x[n]; {text}")(x=np.array([0.0, -0.0, -3.0, -np.inf, np.inf]))
    with np.errstate(all="ignore"):
        plain = [plain_functions(f.source)["forward"](x) for x in (0.0, -0.0, -3.0, -np.inf, np.inf)]
    assert np.array_equal(compiled, POLES[text], equal_nan=True)
    assert np.array_equal(plain, POLES[text], equal_nan=True)
