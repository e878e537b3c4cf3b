"""Logarithms of densities as they are written: powers and gamma functions within overflow, their logarithms do not."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import graphc

# A density, its inputs where some factor is no number, its logarithm in mpmath.
DENSITIES: dict[str, tuple[str, dict[str, float], Any]] = {
    "Poisson": ("log(m^k*exp(-m)/gamma(k + 1))", {"m": 150, "k": 200},
                lambda m, k: k * mpmath.log(m) - m - mpmath.loggamma(k + 1)),
    "gamma": ("log(b^a*x^(a - 1)*exp(-b*x)/gamma(a))", {"a": 200, "b": 3, "x": 60},
              lambda a, b, x: a * mpmath.log(b) + (a - 1) * mpmath.log(x) - b * x - mpmath.loggamma(a)),
    "beta": ("log(x^(a - 1)*(1 - x)^(b - 1)*gamma(a + b)/(gamma(a)*gamma(b)))", {"a": 300, "b": 400, "x": 0.3},
             lambda a, b, x: (a - 1) * mpmath.log(x) + (b - 1) * mpmath.log(1 - x) - mpmath.log(mpmath.beta(a, b))),
    "Student": ("log(gamma((v + 1)/2)/(sqrt(v*pi)*gamma(v/2))*(1 + x^2/v)^(-(v + 1)/2))", {"v": 400, "x": 3},
                lambda v, x: mpmath.loggamma((v + 1) / 2) - mpmath.loggamma(v / 2) - mpmath.log(v * mpmath.pi) / 2
                - (v + 1) / 2 * mpmath.log(1 + x**2 / v)),
    "Weibull": ("log(k/s*(x/s)^(k - 1)*exp(-(x/s)^k))", {"k": 3000, "s": 2, "x": 1},
                lambda k, s, x: mpmath.log(k / s) + (k - 1) * mpmath.log(x / s) - (x / s) ** k),
    "Pareto": ("log(a*m^a/x^(a + 1))", {"a": 500, "m": 3, "x": 4},
               lambda a, m, x: mpmath.log(a) + a * mpmath.log(m) - (a + 1) * mpmath.log(x)),
    "power": ("log(2*x^2.5*y)", {"x": 1e200, "y": 3}, lambda x, y: mpmath.log(2 * x**2.5 * y)),
    "binary": ("log2(x^y)", {"x": 3, "y": 800}, lambda x, y: y * mpmath.log(x, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", DENSITIES)
def test_value_and_gradient(name: str) -> None:
    text, at, exact = DENSITIES[name]
    value, gradients = graphc.compile(text).value_and_grad(**at)
    order = sorted(at, key=list(at).index)
    with mpmath.workdps(400):
        point = [mpmath.mpf(at[x]) for x in order]
        np.testing.assert_allclose(value, float(exact(*point)), rtol=1e-12)
        for k, x in enumerate(order):
            n = tuple(int(j == k) for j in range(len(order)))
            np.testing.assert_allclose(gradients[x], float(mpmath.diff(exact, point, n)), rtol=1e-11)


@pytest.mark.parametrize(("x", "y"), [(0, 2), (0, -2), (0, 0), (-2, 2), (-2, 3), (-2, 0.5), (2, -3), (1e300, 1)])
def test_a_logarithm_of_a_power_is_one_for_every_base(x: float, y: float) -> None:
    with np.errstate(all="ignore"):
        want = np.log(np.float64(x) ** y)
    np.testing.assert_allclose(graphc.compile("log(x^y)")(x=x, y=y), want, rtol=1e-15)
