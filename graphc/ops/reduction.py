"""Reductions: sum, product, largest, smallest, place of the largest.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: `axis` is a sorted tuple of axes counted from the front once a call has been read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.graph.operation import Linearization, Operation, Parameter, Require, Value
from graphc.graph.types import Type
from graphc.ops.elementwise import equal, head, multiply, where
from graphc.ops.lowering import Reduce
from graphc.ops.movement import broadcast, reshape
from graphc.ops.shape import Inferred, axes_tuple, reduced, truth

AXES = (Parameter("x"), Parameter("axis", "static", None), Parameter("keepdims", "static", False))


def infer_reduction(kind: str | None = None) -> Callable[..., Inferred]:
    """Type of a reduction; `kind` None keeps the operand's (a sum of bools is an int)."""

    def infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
        (t,), (axis, keepdims) = types, statics
        axes, keepdims = axes_tuple(axis, t.rank), truth(keepdims, "keepdims")
        return Type(reduced(t.shape, axes, keepdims), kind or _numeric(t.kind)), (axes, keepdims)

    return infer


def _numeric(kind: str) -> str:
    return "int" if kind == "bool" else kind


def axes_text(types: tuple[Type, ...], axes: tuple[int, ...]) -> str | None:
    """How axes are written: nothing for all, a number for one."""
    if axes == tuple(range(types[0].rank)):
        return None
    return str(axes[0]) if len(axes) == 1 else str(axes)


def show_axes(name: str) -> Callable[..., str]:
    """sum(x), sum(x, axis=1), sum(x, axis=1, keepdims=true)."""

    def show(texts: tuple[str, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
        axes, keepdims = statics
        parts = [texts[0]]
        if (axis := axes_text(types, axes)) is not None:
            parts.append(f"axis={axis}")
        if keepdims:
            parts.append("keepdims=true")
        return f"{name}({', '.join(parts)})"

    return show


def kept(value: Value, like: Value, axes: tuple[int, ...]) -> Value:
    """A reduction's result (or its cotangent) so that it broadcasts to the operand's shape."""
    shape = reduced(like.shape, axes, True)
    if value.shape == shape or axes == tuple(range(len(axes))):  # leading axes need none to broadcast
        return value
    spread: Value = reshape(value, shape)
    return spread


def _sum_pullback(at: Linearization) -> tuple[Value]:
    (x,) = at.operands
    return (broadcast(kept(at.cotangent, x, at.statics[0]), x.shape),)


def _extremum_pullback(at: Linearization) -> tuple[Value]:
    """The cotangent, shared equally among the winners."""
    (x,), axes = at.operands, at.statics[0]
    winners = where(equal(x, kept(at.result, x, axes)), 1, 0)
    count = sum_(winners, axes, True)
    return (winners * (kept(at.cotangent, x, axes) / count),)


def _product_pullback(at: Linearization) -> tuple[Value]:
    """Product of the other factors, also where one or more of them are 0."""
    (x,), axes = at.operands, at.statics[0]
    zero = equal(x, 0)
    zeros = sum_(where(zero, 1, 0), axes, True)
    others = prod(where(zero, 1, x), axes, True)
    if_zero = where(equal(zeros, 1), others, 0)
    if_not = where(equal(zeros, 0), others, 0) / where(zero, 1, x)
    return (kept(at.cotangent, x, axes) * where(zero, if_zero, if_not),)


def _numpy(name: str) -> Callable[..., Any]:
    def reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        import numpy

        return getattr(numpy, name)(x, axis=axes, keepdims=keepdims)

    return reference


def _argmax_reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    import numpy

    axis = axes[0] if len(axes) == 1 else None
    return numpy.argmax(x, axis=axis, keepdims=keepdims)


def _argmax_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    from graphc.errors import ShapeError

    result, (axes, keepdims) = infer_reduction("int")(types, statics, require)
    if len(axes) not in (1, types[0].rank) or not axes:
        raise ShapeError("the place of the largest is asked along one axis, or along all", hint="argmax(x, axis=1)")
    return result, (axes, keepdims)


sum_: Operation = Operation(
    name="sum", head=head("sum"), parameters=AXES, infer=infer_reduction(), doc="Sum along axes.",
    lowering=Reduce("0", "{0} + {1}"), pullback=_sum_pullback, reference=_numpy("sum"), show=show_axes("sum"),
    batch=lambda at: sum_(at.operands[0], tuple(a + 1 for a in at.statics[0]), at.statics[1]), latex="\\sum {0}",
)  # fmt: skip
prod: Operation = Operation(
    name="prod", head=head("prod"), parameters=AXES, infer=infer_reduction(), doc="Product along axes.",
    lowering=Reduce("1", "{0} * {1}"), pullback=_product_pullback, reference=_numpy("prod"), show=show_axes("prod"),
    latex="\\prod {0}",
)  # fmt: skip
largest: Operation = Operation(
    name="reduce_max", spelling="max", head=head("reduce_max"), parameters=AXES, infer=infer_reduction(),
    doc="Largest along axes; ties share the gradient equally.",
    lowering=Reduce("-inf", "larger_({0}, {1})", whole="max({0}, {1})", helpers=("larger_",)), pullback=_extremum_pullback,
    reference=_numpy("max"), show=show_axes("max"), latex="\\max {0}",
)  # fmt: skip
smallest: Operation = Operation(
    name="reduce_min", spelling="min", head=head("reduce_min"), parameters=AXES, infer=infer_reduction(),
    doc="Smallest along axes; ties share the gradient equally.",
    lowering=Reduce("inf", "smaller_({0}, {1})", whole="min({0}, {1})", helpers=("smaller_",)), pullback=_extremum_pullback,
    reference=_numpy("min"), show=show_axes("min"), latex="\\min {0}",
)  # fmt: skip
argmax: Operation = Operation(
    name="argmax", head=head("argmax"), parameters=AXES, infer=_argmax_infer,
    doc="Place of the largest along one axis, the first of several; no derivative.",
    lowering=Reduce("-inf", "({0} > {1} or ({0} != {0} and {1} == {1}))", arguments=True),
    reference=_argmax_reference, show=show_axes("argmax"), latex="\\operatorname{{argmax}} {0}",
)  # fmt: skip

OPERATIONS = (sum_, prod, largest, smallest, argmax)


def unbroadcast(value: Value, shape: tuple[Any, ...]) -> Value:
    """The transpose of broadcasting to `value`'s shape: sums over the axes that were added or stretched."""
    if value.shape == shape:
        return value
    if not value.shape:
        constant: Value = broadcast(value, shape)  # a number that stands for a constant array
        return constant
    added = len(value.shape) - len(shape)
    stretched = tuple(i for i, d in enumerate(value.shape) if i >= added and shape[i - added] == 1 and d != 1)
    axes = tuple(range(added)) + stretched
    total = sum_(value, axes, False) if axes else value
    return total if total.shape == shape else reshape(total, shape)


__all__ = ["OPERATIONS", "kept", "multiply", "sum_", "unbroadcast"]
