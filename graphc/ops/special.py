"""Special functions: gamma function and its kin.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: every derivative is again an operation of this table.
"""

from __future__ import annotations

from typing import Any

import sympy

from graphc.graph.operation import Operation, Parameter
from graphc.ops.elementwise import elementwise, head
from graphc.ops.lowering import Scalar
from graphc.ops.reference import scipy_function
from graphc.ops.shape import elementwise as shaped

gamma: Operation = elementwise(
    "gamma", "x", "Gamma function.", "math.gamma({0})", traced=None, own=sympy.gamma, partials=lambda y, x: (y * digamma(x),),
    reference=scipy_function("gamma"), exact=lambda mp, x: mp.gamma(x), latex="\\Gamma\\left({0}\\right)", domain=((0.5, 5),),
    cost=60, special=(((5,), 24),),
)  # fmt: skip
loggamma: Operation = elementwise(
    "loggamma", "x", "Logarithm of |gamma(x)|.", "math.lgamma({0})", traced=None, own=sympy.loggamma,
    partials=lambda y, x: (digamma(x),), reference=scipy_function("gammaln"), exact=lambda mp, x: mp.log(mp.fabs(mp.gamma(x))),
    latex="\\log\\Gamma\\left({0}\\right)", domain=((0.5, 5),), cost=60, special=(((1,), 0),),
)  # fmt: skip
digamma: Operation = elementwise(
    "digamma", "x", "Derivative of loggamma.", "digamma_({0})", traced=None, helpers=("digamma_",),
    partials=lambda y, x: (polygamma(1, x),), reference=scipy_function("digamma"), exact=lambda mp, x: mp.digamma(x),
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
    result = scipy_function("polygamma")(n, x)
    return result.astype(x.dtype) if getattr(x, "dtype", result.dtype).kind == "f" else result


OPERATIONS = (gamma, loggamma, digamma, polygamma)
