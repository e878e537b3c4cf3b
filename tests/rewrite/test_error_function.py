"""Tails of the normal distribution: every spelling becomes one operation, and plain sums of erf stay."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import graphc
from graphc.language.reader import parse
from graphc.ops.error_function import erfcx, log_ndtr
from graphc.rewrite import simplify

SPELLINGS = {
    "log_ndtr": ["log((1 + erf(x/sqrt(2)))/2)", "log(0.5*(1 + erf(x/sqrt(2))))", "log(0.5 + 0.5*erf(x))", "log(0.5*erfc(-x))",
                 "log(erfc(x)/2)", "log(1 - (1 + erf(x/sqrt(2)))/2)", "p = (1 + erf(x))/2; log(1 - p)", "log(1 - 0.5*erfc(x))",
                 "log1p(-erfc(x)/2)", "log((1 - erf(x))/2)"],
    "logerfc": ["log(erfc(x))", "log(1 - erf(x))", "log(1 + erf(x))", "log1p(-erf(x))", "log(2 - erfc(x))"],
    "erfcx": ["exp(x^2)*erfc(x)", "y*exp(x*x)*erfc(x)", "y/(exp(x^2)*erfc(x))", "exp(-x^2)/erfc(x)", "exp(-x^2/2)/(1 + erf(x/sqrt(2)))",
              "exp(-x^2/2)/sqrt(2*pi)/(0.5*erfc(-x/sqrt(2)))", "exp(-x^2/2)/(1 - 0.5*(1 + erf(x/sqrt(2))))"],
    "erfc": ["1 - erf(x)", "0.5 - 0.5*erf(x)", "y - y*erf(x)", "1 - (1 + erf(x))/2", "2 - erfc(x)", "1 - erfc(x)/2"],
    "erf": ["1 - erfc(x)", "1 + erf(x)", "(1 + erf(x/sqrt(2)))/2", "log(2 + erf(x))"],
}  # fmt: skip
KIN = {"erf", "erfc", "erfcx", "logerfc", "log_ndtr"}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SPELLINGS.items() for text in texts])
def test_spellings(name: str, text: str) -> None:
    found = str(simplify(parse(text)))
    assert {kin for kin in KIN if f" {kin}(" in found} == {name}, found


@pytest.mark.parametrize("text", ["exp(x^2)*erfc(y)", "exp(x)*erfc(x)", "exp(-x^2)*erfc(x)", "log(3*erfc(x))"])
def test_what_is_no_tail_alone_stays(text: str) -> None:
    found = str(simplify(parse(text)))
    assert "erfc(" in found
    assert "erfcx" not in found


@pytest.mark.parametrize("z", [-1e3, -40.0, -10.0, -1.0, 1.0, 10.0])
def test_a_probit_likelihood_at_any_place(z: float) -> None:
    """The score is phi/Phi, its slope -s (s + z)."""
    f = graphc.compile("log((1 + erf(z/sqrt(2)))/2)")
    single = graphc.compile("log((1 + erf(z/sqrt(2)))/2)", dtype="float32")
    with mpmath.workdps(50):
        score = mpmath.sqrt(2 / mpmath.pi) / erfcx.exact(mpmath.mp, -mpmath.mpf(z) / mpmath.sqrt(2))
        want = [log_ndtr.exact(mpmath.mp, mpmath.mpf(z)), score, -score * (score + z)]
        found = [f(z=z), f.grad(z=z)["z"], f.hessian(z=z)["z"]["z"]]
        for exact, value in zip(want, found, strict=True):
            assert abs(value - exact) <= 1e-13 * abs(exact)
    assert np.isfinite([single(z=z), single.grad(z=z)["z"]]).all()


def test_any_order_is_finite_in_the_other_tail() -> None:
    f = graphc.compile("log((1 + erf(z/sqrt(2)))/2)")
    assert (f(z=1e3), f.grad(z=1e3)["z"], f.hessian(z=1e3)["z"]["z"]) == (0, 0, 0)
