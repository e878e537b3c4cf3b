"""Functions that a formula spells with a hole, a cancellation or an overflow: sin(x)/x, coth(x) - 1/x, log(cosh(x)).

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: a value where the formula has only a limit is that limit; derivatives are operations of this table, so they
are safe to any order.  The stable rules put these in the place of the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy

from graphc.graph.operation import Operation, Parameter, Value
from graphc.ops.elementwise import elementwise, exp, expm1, head, less, log, log1p, softplus, tanh, where
from graphc.ops.lowering import Scalar
from graphc.ops.reference import by_digits
from graphc.ops.shape import elementwise as shaped
from graphc.ops.vector_math import FUNCTIONS

LARGEST_ORDER = 20
HALF = sympy.Rational(1, 2)


def _quotient(name: str, function: str, doc: str, slope: Callable[[Value, Value], Any], **fields: Any) -> Operation:
    """function(x)/x, 1 at 0, `limit` at infinity where both are infinite."""
    limit = fields.pop("limit", math.inf)

    def reference(x: Any) -> Any:
        import numpy

        with numpy.errstate(all="ignore"):
            y = getattr(numpy, function)(x)
            found = numpy.where(numpy.equal(x, 0), numpy.ones_like(x), y / x)
        return numpy.where(numpy.isinf(x) & numpy.isinf(y), numpy.full_like(x, limit), found)

    return elementwise(
        name, "x", doc, f"{name}_({{0}})", helpers=(f"{name}_",),
        partials=lambda y, x: (slope(y, x),), reference=reference,
        exact=lambda mp, x: getattr(mp, function)(x) / x if x else mp.mpf(1), latex=fields.pop("latex"),
        cost=25, special=(((0,), 1),), **fields,
    )  # fmt: skip


def _infer(types: tuple[Any, ...], statics: tuple[Any, ...], require: Any) -> Any:
    from graphc.errors import ParseError

    (order,) = statics
    if not isinstance(order, int) or not 0 <= order <= LARGEST_ORDER:
        raise ParseError(f"the order is a whole number from 0 to {LARGEST_ORDER}", hint="sinc(x) is sinc(x, 0)")
    return shaped("real")(types, statics, require)


def _show(name: str) -> Callable[..., str]:
    def show(texts: tuple[str, ...], types: tuple[Any, ...], statics: tuple[Any, ...]) -> str:
        return f"{name}({texts[0]}, {statics[0]})" if statics[0] else f"{name}({texts[0]})"

    return show


def _lowering(name: str) -> Scalar:
    """The first orders have formulas of their own, `name0`, `name1`; the others are recurrences."""
    own = {order: f"{name}{order}_" for order in range(2) if f"{name}{order}" in FUNCTIONS}

    def special(atoms: tuple[Any, ...], statics: tuple[Any, ...]) -> str | None:
        return f"{own[statics[0]]}({{0}})" if statics[0] in own else None

    helpers = (f"{name}_", *own.values())
    return Scalar(f"{name}_({{0}}, {{s0}})", traced=None, helpers=helpers, special=special, cost=60)


def _family(name: str, doc: str, pullback: Callable[..., Any], exact: Callable[..., Any], **fields: Any) -> Operation:
    """A function with an order, whose derivative is the function of the next order."""
    return Operation(
        name=name, head=head(name), parameters=(Parameter("x"), Parameter("n", "static", 0)), infer=_infer, doc=doc,
        lowering=_lowering(name), elementwise=True, pullback=pullback,
        reference=by_digits(exact), exact=lambda mp, n, x: exact(mp, x, n), show=_show(name), **fields,
    )  # fmt: skip


def _sinc_exactly(mp: Any, x: Any, n: int) -> Any:
    """j_n(x)/x^n by its power series (Abramowitz and Stegun 1964, 10.1.2); far out from its recurrence, 10.1.19."""
    if not mp.isfinite(x):
        return mp.mpf(0) if mp.isinf(x) else x
    if abs(x) < 1 + n:
        term = 1 / mp.fac2(2 * n + 1)
        total, k = term, 0
        while abs(term) > mp.eps * abs(total) / 1000:
            term *= -x * x / (2 * (k + 1) * (2 * n + 2 * k + 3))
            total, k = total + term, k + 1
        return total
    before, found = mp.cos(x) / (x * x), mp.sin(x) / x
    for k in range(n):
        before, found = found, (2 * k + 1) * found / (x * x) - before / (x * x if k else 1)
    return found


def _erfrel_exactly(mp: Any, x: Any, n: int) -> Any:
    """2^n gamma(n + 1/2, x^2)/(sqrt(pi) x^(2n + 1)) with the lower incomplete gamma function, near 0 as its power series."""
    if not mp.isfinite(x):
        return mp.mpf(0) if mp.isinf(x) else x
    a, scale = n + mp.mpf(1) / 2, mp.mpf(2) ** n / mp.sqrt(mp.pi)
    if abs(x) < 5:
        return scale * mp.hyp1f1(a, a + 1, -x * x) / a
    return scale * mp.gammainc(a, 0, x * x) / abs(x) ** (2 * n + 1)


def _langevin_exactly(mp: Any, x: Any, n: int) -> Any:
    """Derivative n of coth(x) - 1/x: below 1/2 the Laurent series of coth (Abramowitz and Stegun 1964, 4.5.67)."""
    if not mp.isfinite(x):
        return (mp.sign(x) if n == 0 else mp.mpf(0)) if mp.isinf(x) else x
    if abs(x) < mp.mpf(1) / 2:
        total, k = mp.mpf(0), n // 2 + 1
        while True:
            term = (
                mp.mpf(4) ** k * mp.bernoulli(2 * k) / mp.factorial(2 * k) * mp.ff(2 * k - 1, n) * x ** (2 * k - 1 - n)
            )
            total, k = total + term, k + 1
            if abs(term) <= mp.eps * abs(total) / 1000:
                return total
    with mp.extradps(30):
        polynomial = [mp.mpf(0), mp.mpf(1)]  # in c = coth(x), whose derivative is 1 - c^2
        for _ in range(n):
            slope = [k * a for k, a in enumerate(polynomial)][1:]
            polynomial = [a - b for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
        c = mp.coth(x)
        return sum(a * c**k for k, a in enumerate(polynomial)) - (-1) ** n * mp.factorial(n) / x ** (n + 1)


sinc: Operation = _family(
    "sinc", "sin(x)/x, 1 at 0. Order n is -1/x times the derivative of order n - 1: a spherical Bessel function over x^n.",
    lambda at: (-at.cotangent * at.operands[0] * sinc(at.operands[0], at.statics[0] + 1),), _sinc_exactly,
    latex="\\operatorname{{sinc}}_{{{s0}}}\\left({0}\\right)", special=(((0,), 1),),
)  # fmt: skip
erfrel: Operation = _family(
    "erfrel", "erf(x)/x, 2/sqrt(pi) at 0. Order n is -1/x times the derivative of order n - 1: a Boys function of x^2 (Boys 1950).",
    lambda at: (-at.cotangent * at.operands[0] * erfrel(at.operands[0], at.statics[0] + 1),), _erfrel_exactly,
    latex="\\operatorname{{erfrel}}_{{{s0}}}\\left({0}\\right)",
)  # fmt: skip
langevin: Operation = _family(
    "langevin", "coth(x) - 1/x, 0 at 0 (Langevin 1905), and its n-th derivative.",
    lambda at: (at.cotangent * langevin(at.operands[0], at.statics[0] + 1),), _langevin_exactly,
    latex="L^{{({s0})}}\\left({0}\\right)", special=(((0,), 0),),
)  # fmt: skip


def _dlogexprel_exactly(mp: Any, x: Any) -> Any:
    return -1 / mp.expm1(-x) - 1 / x if abs(x) > 1 else (1 + _langevin_exactly(mp, x / 2, 0)) / 2


def _dlogtanhc_exactly(mp: Any, x: Any) -> Any:
    if abs(x) > 1:
        return 2 / mp.sinh(2 * x) - 1 / x
    return 2 * (_langevin_exactly(mp, x, 0) - _langevin_exactly(mp, 2 * x, 0))


dlogexprel: Operation = elementwise(
    "dlogexprel", "x", "e^x/(e^x - 1) - 1/x, the derivative of log((e^x - 1)/x); 1/2 at 0.", "dlogexprel_({0})",
    helpers=("dlogexprel_",), partials=lambda y, x: (langevin(x * HALF, 1) * HALF * HALF,),
    reference=by_digits(_dlogexprel_exactly), exact=_dlogexprel_exactly,
    latex="\\frac{{d}}{{d{0}}} \\log\\frac{{e^{{{0}}} - 1}}{{{0}}}", cost=30, special=(((0,), 0.5),),
)  # fmt: skip
dlogtanhc: Operation = elementwise(
    "dlogtanhc", "x", "2/sinh(2x) - 1/x, the derivative of log(tanh(x)/x); 0 at 0.", "dlogtanhc_({0})",
    helpers=("dlogtanhc_",), partials=lambda y, x: (2 * langevin(x, 1) - 4 * langevin(2 * x, 1),),
    reference=lambda x: _dlogtanhc_reference(x), exact=_dlogtanhc_exactly,
    latex="\\frac{{d}}{{d{0}}} \\log\\frac{{\\tanh {0}}}{{{0}}}", cost=30, special=(((0,), 0),),
)  # fmt: skip


def _dlogtanhc_reference(x: Any) -> Any:
    import numpy

    return numpy.copysign(by_digits(_dlogtanhc_exactly)(x), -x)


exprel: Operation = _quotient(
    "exprel", "expm1", "(e^x - 1)/x, 1 at 0.", lambda y, x: y * dlogexprel(x), latex="\\frac{{e^{{{0}}} - 1}}{{{0}}}"
)
sinhc: Operation = _quotient(
    "sinhc", "sinh", "sinh(x)/x, 1 at 0.", lambda y, x: y * langevin(x), latex="\\frac{{\\sinh {0}}}{{{0}}}"
)
tanhc: Operation = _quotient(
    "tanhc", "tanh", "tanh(x)/x, 1 at 0.", lambda y, x: y * dlogtanhc(x), latex="\\frac{{\\tanh {0}}}{{{0}}}"
)
log1prel: Operation = _quotient(
    "log1prel", "log1p", "log(1 + x)/x, 1 at 0.", lambda y, x: -y * dlogexprel(log1p(x)) / (1 + x), domain=((-0.9, 5),), limit=0.0,
    latex="\\frac{{\\log\\left(1 + {0}\\right)}}{{{0}}}",
)  # fmt: skip


def _logrel_reference(x: Any) -> Any:
    import numpy

    with numpy.errstate(all="ignore"):
        found = numpy.where(numpy.equal(x, 1), numpy.ones_like(x), numpy.log(x) / (x - 1))
    return numpy.where(numpy.equal(x, numpy.inf), numpy.zeros_like(x), found)


logrel: Operation = elementwise(
    "logrel", "x", "log(x)/(x - 1), 1 at 1: a logarithmic mean's reciprocal.", "logrel_({0})", helpers=("logrel_",),
    partials=lambda y, x: (-y * dlogexprel(log(x)) / x,), reference=_logrel_reference,
    exact=lambda mp, x: mp.log(x) / (x - 1) if x != 1 else mp.mpf(1), latex="\\frac{{\\log {0}}}{{{0} - 1}}",
    domain=((0.1, 5),), cost=25, special=(((1,), 1),),
)  # fmt: skip


def _log1mexp_reference(x: Any) -> Any:
    import numpy

    with numpy.errstate(all="ignore"):
        return numpy.where(numpy.greater(x, -0.6931472), numpy.log(-numpy.expm1(x)), numpy.log1p(-numpy.exp(x)))


def _logcosh_reference(x: Any) -> Any:
    import numpy

    a = numpy.abs(x)
    with numpy.errstate(all="ignore"):
        far = a + (numpy.log1p(numpy.exp(-2 * a)) - numpy.log(numpy.full_like(a, 2)))
        return numpy.where(numpy.less(a, 1), numpy.log1p(2 * numpy.sinh(a / 2) ** 2), far)


log1mexp: Operation = elementwise(
    "log1mexp", "x", "log(1 - e^x) for x < 0, accurate at both ends (Maechler 2012).",
    "log1mexp_({0})", helpers=("log1mexp_",),
    partials=lambda y, x: (-1 / expm1(-x),), reference=_log1mexp_reference,
    exact=lambda mp, x: mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x)), latex="\\log\\left(1 - e^{{{0}}}\\right)", domain=((-3, -0.1),), cost=45,
)  # fmt: skip
logcosh: Operation = elementwise(
    "logcosh", "x", "log(cosh(x)) without overflow, accurate near 0.", "logcosh_({0})", helpers=("logcosh_",),
    partials=lambda y, x: (tanh(x),), reference=_logcosh_reference,
    exact=lambda mp, x: mp.log1p(2 * mp.sinh(x / 2) ** 2), latex="\\log\\cosh\\left({0}\\right)", cost=50,
    special=(((0,), 0),),
)  # fmt: skip


def _logsoftplus_reference(x: Any) -> Any:
    import numpy

    with numpy.errstate(all="ignore"):
        u, p = numpy.exp(x), numpy.logaddexp(x, numpy.zeros_like(x))
        near = x + numpy.log(numpy.where(numpy.equal(u, 0), numpy.ones_like(x), numpy.log1p(u) / u))
        return numpy.where(numpy.less(x, 0), near, numpy.log(p))


logsoftplus: Operation = Operation(
    name="logsoftplus", head=head("logsoftplus"), parameters=(Parameter("x"),), infer=shaped("real"),
    doc="log(log(1 + e^x)), which is near x for x << 0.", elementwise=True,
    expand=lambda x: where(less(x, 0), x + log(log1prel(exp(x))), log(softplus(x))),
    partials=lambda y, x: (exprel(-softplus(x)),), reference=_logsoftplus_reference,
    exact=lambda mp, x: mp.log(mp.log1p(mp.exp(x))), latex="\\log\\log\\left(1 + e^{{{0}}}\\right)",
)  # fmt: skip

OPERATIONS = (
    sinc,
    erfrel,
    langevin,
    dlogexprel,
    dlogtanhc,
    exprel,
    sinhc,
    tanhc,
    log1prel,
    logrel,
    log1mexp,
    logcosh,
    logsoftplus,
)
