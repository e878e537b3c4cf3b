"""Special functions: error function, gamma function and its kin.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: every derivative is again an operation of this table; SciPy is imported only where a value is asked.
"""

from __future__ import annotations

from typing import Any

import sympy

from graphc.graph.operation import Operation, Parameter, Value
from graphc.ops.elementwise import elementwise, exp, head
from graphc.ops.lowering import Scalar
from graphc.ops.shape import elementwise as shaped


def _scipy(name: str) -> Any:
    def reference(*arguments: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*arguments)

    return reference


def _bell(x: Value) -> Value:
    """exp(-x^2)*2/sqrt(pi), the derivative of erf (Abramowitz and Stegun 1964, 7.1.19)."""
    pi = x.builder.value(sympy.pi)
    return exp(-(x * x)) * (2 / pi ** sympy.Rational(1, 2))  # type: ignore[no-any-return]


erf: Operation = elementwise(
    "erf", "x", "Error function.", "erf_({0})", helpers=("erf_",), own=sympy.erf, partials=lambda y, x: (_bell(x),),
    reference=_scipy("erf"), exact=lambda mp, x: mp.erf(x), latex="\\operatorname{{erf}}\\left({0}\\right)", cost=30,
    special=(((0,), 0),),
)  # fmt: skip
erfc: Operation = elementwise(
    "erfc", "x", "1 - erf(x), accurate for large x.", "erfc_({0})", helpers=("erfc_",), own=sympy.erfc, partials=lambda y, x: (-_bell(x),),
    reference=_scipy("erfc"), exact=lambda mp, x: mp.erfc(x), latex="\\operatorname{{erfc}}\\left({0}\\right)", cost=30,
    special=(((0,), 1),),
)  # fmt: skip
gamma: Operation = elementwise(
    "gamma", "x", "Gamma function.", "math.gamma({0})", traced=None, own=sympy.gamma, partials=lambda y, x: (y * digamma(x),),
    reference=_scipy("gamma"), exact=lambda mp, x: mp.gamma(x), latex="\\Gamma\\left({0}\\right)", domain=((0.5, 5),),
    cost=60, special=(((5,), 24),),
)  # fmt: skip
loggamma: Operation = elementwise(
    "loggamma", "x", "Logarithm of |gamma(x)|.", "math.lgamma({0})", traced=None, own=sympy.loggamma,
    partials=lambda y, x: (digamma(x),), reference=_scipy("gammaln"), exact=lambda mp, x: mp.log(mp.fabs(mp.gamma(x))),
    latex="\\log\\Gamma\\left({0}\\right)", domain=((0.5, 5),), cost=60, special=(((1,), 0),),
)  # fmt: skip
digamma: Operation = elementwise(
    "digamma", "x", "Derivative of loggamma.", "digamma_({0})", traced=None, helpers=("digamma_",),
    partials=lambda y, x: (polygamma(1, x),), reference=_scipy("digamma"), exact=lambda mp, x: mp.digamma(x),
    latex="\\psi\\left({0}\\right)", domain=((0.5, 5),), cost=60,
)  # fmt: skip


def _polygamma_infer(types: tuple[Any, ...], statics: tuple[Any, ...], require: Any) -> Any:
    from graphc.errors import ParseError

    (order,) = statics
    if not isinstance(order, int) or not 1 <= order <= 20:
        raise ParseError(
            "the order of polygamma is a whole number from 1 to 20", hint="polygamma(1, x); order 0 is digamma(x)"
        )
    return shaped("real")(types, statics, require)


polygamma: Operation = Operation(
    name="polygamma", head=head("polygamma"), parameters=(Parameter("n", "static"), Parameter("x")),
    infer=_polygamma_infer, doc="n-th derivative of digamma, for whole n from 1 to 20.",
    lowering=Scalar("polygamma_({s0}, {0})", traced=None, helpers=("polygamma_",), cost=90), elementwise=True,
    pullback=lambda at: (at.cotangent * polygamma(at.statics[0] + 1, at.operands[0]),),
    reference=lambda n, x: _polygamma(n, x), exact=lambda mp, n, x: mp.polygamma(n, x),
    latex="\\psi^{{({s0})}}\\left({0}\\right)", domain=((0.5, 5),),
)  # fmt: skip


def _polygamma(n: int, x: Any) -> Any:
    result = _scipy("polygamma")(n, x)
    return result.astype(x.dtype) if getattr(x, "dtype", result.dtype).kind == "f" else result


OPERATIONS = (erf, erfc, gamma, loggamma, digamma, polygamma)
