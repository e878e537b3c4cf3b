"""Operations with a name and a derivative of their own whose meaning is a definition in the prelude.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: none has a lowering; `language.expand` puts the prelude's definition of the same name, or what the record's
`expand` makes, in its place before code is generated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from graphc.errors import ParseError
from graphc.graph.operation import Linearization, Operation, Parameter, Require, Value
from graphc.graph.types import Type
from graphc.ops.elementwise import add, equal, exp, greater, head, log1p, where
from graphc.ops.lowering import Scalar
from graphc.ops.reduction import AXES, axes_text, infer_reduction, kept, show_axes, sum_
from graphc.ops.shape import Inferred, axes_tuple
from graphc.ops.shape import elementwise as shaped


def _softmax_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), (axis,) = types, statics
    return Type(t.shape, "real"), (axes_tuple(axis, t.rank),)


def _show_axis(name: str) -> Callable[..., str]:
    def show(texts: tuple[str, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
        axes = statics[0]
        if axes == (types[0].rank - 1,):
            return f"{name}({texts[0]})"
        return f"{name}({texts[0]}, axis={axes_text(types, axes) or 'none'})"

    return show


def _below_top(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """x less its largest element, and where it is the largest: 0 there, also for infinities."""
    import numpy

    top = x.max(axis=axes, keepdims=True)
    with numpy.errstate(invalid="ignore"):
        return numpy.where(x == top, numpy.zeros_like(x), x - top), x == top


def _softmax_reference(x: Any, axes: tuple[int, ...]) -> Any:
    import numpy

    e = numpy.exp(_below_top(x, axes)[0])
    return e / e.sum(axis=axes, keepdims=True)


def _logsumexp_reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    import numpy

    ufunc: Any = numpy.logaddexp
    return ufunc.reduce(x, axis=axes, keepdims=keepdims)


def _log_softmax_reference(x: Any, axes: tuple[int, ...]) -> Any:
    import numpy

    d, top = _below_top(x, axes)
    rest = numpy.where(top, numpy.zeros_like(x), numpy.exp(d)).sum(axis=axes, keepdims=True)
    return d - numpy.log1p(rest + (top.sum(axis=axes, keepdims=True) - 1).astype(x.dtype))


def _norm_reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    import numpy

    return numpy.sqrt((x * x).sum(axis=axes, keepdims=keepdims))


def _softmax_pullback(at: Linearization) -> tuple[Value]:
    y, g, (axes,) = at.result, at.cotangent, at.statics
    return (y * (g - sum_(g * y, axes, True)),)


def _log_softmax_pullback(at: Linearization) -> tuple[Value]:
    (x,), g, (axes,) = at.operands, at.cotangent, at.statics
    return (g - softmax(x, axes) * sum_(g, axes, True),)


def _logsumexp_pullback(at: Linearization) -> tuple[Value]:
    (x,), axes = at.operands, at.statics[0]
    return (softmax(x, axes) * kept(at.cotangent, x, axes),)


def _norm_pullback(at: Linearization) -> tuple[Value]:
    """x/y; 0 at the origin."""
    (x,), axes = at.operands, at.statics[0]
    y = kept(at.result, x, axes)
    return (kept(at.cotangent, x, axes) * where(equal(y, 0), 0, x / y),)


AXIS = (Parameter("x"), Parameter("axis", "static", -1))

softmax: Operation = Operation(
    name="softmax", head=head("softmax"), parameters=AXIS, infer=_softmax_infer,
    doc="exp(x)/sum(exp(x)) along an axis, the last by default; equal elements share equally, infinite ones too.", pullback=_softmax_pullback,
    reference=_softmax_reference, show=_show_axis("softmax"), latex="\\operatorname{{softmax}}\\left({0}\\right)",
)  # fmt: skip
log_softmax: Operation = Operation(
    name="log_softmax", head=head("log_softmax"), parameters=AXIS, infer=_softmax_infer,
    doc="log(softmax(x)), accurate and without overflow.", pullback=_log_softmax_pullback,
    reference=_log_softmax_reference, show=_show_axis("log_softmax"),
    latex="\\log\\operatorname{{softmax}}\\left({0}\\right)",
)  # fmt: skip
logsumexp: Operation = Operation(
    name="logsumexp", head=head("logsumexp"), parameters=AXES, infer=infer_reduction("real"),
    doc="log(sum(exp(x))) along axes, without overflow.", pullback=_logsumexp_pullback,
    reference=_logsumexp_reference, show=show_axes("logsumexp"), latex="\\log\\sum\\exp {0}",
)  # fmt: skip
norm: Operation = Operation(
    name="norm", head=head("norm"), parameters=AXES, infer=infer_reduction("real"),
    doc="sqrt(sum(x^2)) along axes, without overflow; its derivative at the origin is 0.", pullback=_norm_pullback,
    reference=_norm_reference, show=show_axes("norm"), latex="\\left\\|{0}\\right\\|",
)  # fmt: skip


# --- a sum of exponentials of several numbers ------------------------------------------------------------------------


def _weight_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (k,) = statics
    if not isinstance(k, int) or not 0 <= k < len(types):
        raise ParseError(f"operands are counted from 0 to {len(types) - 1}, not {k}", hint="softmax_weight(0, a, b, c)")
    return shaped("real")(types, statics, require)


def _weight_pullback(at: Linearization) -> tuple[Any, ...]:
    """y_k (delta_jk - y_j) for operand j (Bridle 1990)."""
    (k,), xs, y = at.statics, at.operands, at.result
    shared = at.cotangent * y
    return tuple(shared * (1 - y) if j == k else -shared * softmax_weight(j, *xs) for j in range(len(xs)))


def _below(xs: tuple[Value, ...]) -> tuple[Value, list[Value], list[Value], Value]:
    """The largest; e^(x - largest) of all but it, their sum, and which operands were the largest when they came.

    The largest so far and an operand change places where the operand is larger: what is left over is never the
    largest, one exponential fewer than operands.  Infinities are equal to each other.
    """
    top, came, left = xs[0], [], []
    for x in xs[1:]:
        larger = greater(x, top)
        left.append(where(larger, top, x))
        came.append(larger)
        top = where(larger, x, top)
    powers = [exp(where(equal(x, top), 0, x - top)) for x in left]
    return top, powers, came, reduce(add, powers)


def _log_of_powers(*xs: Value) -> Value:
    top, _, _, rest = _below(xs)
    return top + log1p(rest)  # type: ignore[no-any-return]


def _weight(*arguments: Any) -> Value:
    """The power of the largest is 1; back through the changes of places, each power finds its operand."""
    *xs, k = arguments
    _, powers, came, rest = _below(tuple(xs))
    largest: Any = 1
    for j in range(len(xs) - 1, max(k, 1) - 1, -1):
        own, largest = where(came[j - 1], largest, powers[j - 1]), where(came[j - 1], powers[j - 1], largest)
    return (own if k else largest) / (1 + rest)  # type: ignore[no-any-return]


def _weight_reference(k: int, *xs: Any) -> Any:
    import numpy

    return _softmax_reference(numpy.stack(numpy.broadcast_arrays(*xs)), (0,))[k]


def _log_reference(*xs: Any) -> Any:
    import numpy

    return _logsumexp_reference(numpy.stack(numpy.broadcast_arrays(*xs)), (0,), False)


def _log_exactly(mp: Any, *xs: Any) -> Any:
    top, *others = sorted(xs, reverse=True)
    return top + mp.log1p(sum(mp.exp(x - top) for x in others))


_SEVERAL = (Parameter("a"), Parameter("b"), Parameter("c"), Parameter("others", "operands"))

logaddexp_of_several: Operation = Operation(
    name="logaddexp_of_several", spelling="logaddexp", head=head("logaddexp_of_several"), parameters=_SEVERAL, infer=shaped("real"),
    doc="log(exp(a) + exp(b) + exp(c) + ...) without overflow.", elementwise=True, expand=_log_of_powers,
    partials=lambda y, *xs: tuple(softmax_weight(k, *xs) for k in range(len(xs))), reference=_log_reference,
    exact=_log_exactly,
)  # fmt: skip
softmax_weight: Operation = Operation(
    name="softmax_weight", head=head("softmax_weight"), parameters=(Parameter("k", "static"), *_SEVERAL), infer=_weight_infer,
    doc="exp(x)/(exp(a) + exp(b) + exp(c) + ...) of operand x number k, counted from 0.", elementwise=True, expand=_weight,
    pullback=_weight_pullback, reference=_weight_reference,
    exact=lambda mp, k, *xs: mp.exp(xs[k] - _log_exactly(mp, *xs)),
)  # fmt: skip


# --- a length of several legs ----------------------------------------------------------------------------------------


def _hypot_reference(*xs: Any) -> Any:
    import numpy

    return reduce(numpy.hypot, xs)


def _hypot_code(atoms: tuple[Any, ...], statics: tuple[Any, ...]) -> str:
    """Two legs more by each root."""
    code = "{0}"
    for k in range(1, len(atoms) - 1, 2):
        code = f"hypot3_({code}, {{{k}}}, {{{k + 1}}})"
    return code if len(atoms) % 2 else f"hypot_({code}, {{{len(atoms) - 1}}})"


hypot_of_several: Operation = Operation(
    name="hypot_of_several", spelling="hypot", head=head("hypot_of_several"), parameters=_SEVERAL, infer=shaped("real"),
    doc="sqrt(a^2 + b^2 + c^2 + ...) without overflow; derivative 0 at the origin.", elementwise=True,
    lowering=Scalar("", helpers=("hypot_", "hypot3_"), special=_hypot_code, cost=20),
    partials=lambda y, *xs: tuple(where(equal(y, 0), 0, x / y) for x in xs),
    reference=_hypot_reference, exact=lambda mp, *xs: mp.sqrt(sum(x * x for x in xs)),
)  # fmt: skip

OPERATIONS = (hypot_of_several, logaddexp_of_several, softmax_weight, softmax, log_softmax, logsumexp, norm)
