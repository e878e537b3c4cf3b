"""The error function and its kin: scaled, in logarithms, the normal distribution function.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: every derivative is again an operation of this table, right far out both ways.
"""

from __future__ import annotations

from typing import Any

import sympy

from graphc.graph.operation import Operation, Parameter, Value
from graphc.ops.elementwise import absolute, elementwise, exp, head, less, log, log1p, sqrt, where
from graphc.ops.reference import by_digits, scipy_function
from graphc.ops.shape import elementwise as shaped

HALF, TWO = sympy.Rational(1, 2), sympy.Integer(2)


def _bell(x: Value) -> Value:
    """exp(-x^2)*2/sqrt(pi), the derivative of erf (Abramowitz and Stegun 1964, 7.1.19)."""
    pi = x.builder.value(sympy.pi)
    return exp(-(x * x)) * (2 / pi ** sympy.Rational(1, 2))  # type: ignore[no-any-return]


def _root_of_pi(x: Value) -> Any:
    return x.builder.value(sympy.pi) ** HALF


def _third_partial(y: Value, x: Value) -> tuple[Any]:
    """(2x - d)(y - d^2) with d = dlogerfcx(x), as the derivative of d is 2 - (2x - d) d."""
    d = dlogerfcx(x)
    return ((2 * x - d) * (y - d * d),)


def _log_of_normal(z: Value) -> Any:
    """log(e/2) - z^2/2 for z < 0 and log(1 - e exp(-z^2/2)/2) elsewhere, e = erfcx(|z|/sqrt(2))."""
    half = HALF * erfcx(absolute(_over_root_of_2(z)))
    return where(less(z, 0), log(half) - HALF * z * z, log1p(-half * exp(-HALF * z * z)))


def _over_root_of_2(z: Value) -> Any:
    return z / sqrt(z.builder.value(TWO))


def _erfcx_exactly(mp: Any, x: Any) -> Any:
    """Far out by the asymptotic series (Abramowitz and Stegun 1964, 7.1.23)."""
    if x < 50:
        return mp.exp(x * x) * mp.erfc(x)
    if mp.isinf(x):
        return mp.mpf(0)
    total, term, k = mp.mpf(1), mp.mpf(1), 1
    while abs(term) > mp.eps / 1000:
        term *= -(2 * k - 1) / (2 * x * x)
        total, k = total + term, k + 1
    return total / (x * mp.sqrt(mp.pi))


def _dlogerfcx_exactly(mp: Any, x: Any) -> Any:
    if mp.isinf(x):
        return mp.mpf(0) if x > 0 else x
    with mp.extradps(2 * int(mp.log10(1 + abs(x))) + 10):
        return 2 * x - 2 / (mp.sqrt(mp.pi) * _erfcx_exactly(mp, x))


def _d2logerfcx_exactly(mp: Any, x: Any) -> Any:
    """2 - (2x - d) d for d = dlogerfcx(x)."""
    if mp.isinf(x):
        return mp.mpf(0) if x > 0 else mp.mpf(2)
    with mp.extradps(4 * int(mp.log10(1 + abs(x))) + 10):
        d = _dlogerfcx_exactly(mp, x)
        return 2 + (2 * x - d) * d


def _logerfc_exactly(mp: Any, x: Any) -> Any:
    return mp.log(_erfcx_exactly(mp, x)) - x * x if x > 5 else mp.log1p(-mp.erf(x))


def _log_ndtr_exactly(mp: Any, z: Any) -> Any:
    u = z / mp.sqrt(2)
    return mp.log1p(-mp.erfc(u) / 2) if u > -5 else mp.log(_erfcx_exactly(mp, -u) / 2) - u * u


def _inverse_mills_ratio(z: Value) -> Any:
    """sqrt(2/pi)/erfcx(-z/sqrt(2)), the density over the distribution function."""
    return sqrt(z.builder.value(TWO)) / (_root_of_pi(z) * erfcx(-_over_root_of_2(z)))


erf: Operation = elementwise(
    "erf", "x", "Error function.", "erf_({0})", helpers=("erf_",), own=sympy.erf, partials=lambda y, x: (_bell(x),),
    reference=scipy_function("erf"), exact=lambda mp, x: mp.erf(x), latex="\\operatorname{{erf}}\\left({0}\\right)", cost=30,
    special=(((0,), 0),),
)  # fmt: skip
erfc: Operation = elementwise(
    "erfc", "x", "1 - erf(x), accurate for large x.", "erfc_({0})", helpers=("erfc_",), own=sympy.erfc, partials=lambda y, x: (-_bell(x),),
    reference=scipy_function("erfc"), exact=lambda mp, x: mp.erfc(x), latex="\\operatorname{{erfc}}\\left({0}\\right)", cost=30,
    special=(((0,), 1),),
)  # fmt: skip
erfcx: Operation = elementwise(
    "erfcx", "x", "exp(x^2)*erfc(x), scaled so that it does not vanish.", "erfcx_({0})", helpers=("erfcx_",),
    partials=lambda y, x: (y * dlogerfcx(x),), reference=scipy_function("erfcx"), exact=_erfcx_exactly,
    latex="\\operatorname{{erfcx}}\\left({0}\\right)", cost=30, special=(((0,), 1),),
)  # fmt: skip
dlogerfcx: Operation = elementwise(
    "dlogerfcx", "x", "2*x - 2/(sqrt(pi)*erfcx(x)), the derivative of log(erfcx(x)), which is near -1/x for x >> 0.",
    "dlogerfcx_({0})", traced=None, helpers=("dlogerfcx_",), partials=lambda y, x: (d2logerfcx(x),),
    reference=by_digits(_dlogerfcx_exactly), exact=_dlogerfcx_exactly,
    latex="\\frac{{d}}{{d{0}}} \\log\\operatorname{{erfcx}}\\left({0}\\right)", cost=60,
)  # fmt: skip
d2logerfcx: Operation = elementwise(
    "d2logerfcx", "x", "The second derivative of log(erfcx(x)), which is near 1/x^2 for x >> 0.", "d2logerfcx_({0})",
    traced=None, helpers=("d2logerfcx_",), partials=_third_partial,
    reference=by_digits(_d2logerfcx_exactly), exact=_d2logerfcx_exactly,
    latex="\\frac{{d^2}}{{d{0}^2}} \\log\\operatorname{{erfcx}}\\left({0}\\right)", cost=60,
)  # fmt: skip
logerfc: Operation = Operation(
    name="logerfc", head=head("logerfc"), parameters=(Parameter("x"),), infer=shaped("real"), elementwise=True,
    doc="log(erfc(x)), which is near -x^2 for x >> 0.",
    expand=lambda x: where(less(x, 1), log1p(-erf(x)), log(erfcx(x)) - x * x),
    partials=lambda y, x: (-2 / (_root_of_pi(x) * erfcx(x)),), reference=by_digits(_logerfc_exactly),
    exact=_logerfc_exactly, latex="\\log\\operatorname{{erfc}}\\left({0}\\right)",
)  # fmt: skip
log_ndtr: Operation = Operation(
    name="log_ndtr", head=head("log_ndtr"), parameters=(Parameter("z"),), infer=shaped("real"), elementwise=True,
    doc="Logarithm of the normal distribution function, (1 + erf(z/sqrt(2)))/2; its derivative is the inverse Mills ratio (Mills 1926).",
    expand=_log_of_normal,
    partials=lambda y, z: (_inverse_mills_ratio(z),),
    reference=scipy_function("log_ndtr"), exact=_log_ndtr_exactly,
    latex="\\log\\Phi\\left({0}\\right)",
)  # fmt: skip

OPERATIONS = (erf, erfc, erfcx, dlogerfcx, d2logerfcx, logerfc, log_ndtr)
