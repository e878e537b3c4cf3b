"""Reductions: sum, product, largest, smallest, place of the largest; what derivatives of products are.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: `axis` is a sorted tuple of axes counted from the front once a call has been read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sympy import Basic, Integer

from graphc.errors import ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import operands
from graphc.graph.graph import statics as statics_of
from graphc.graph.operation import Linearization, Operation, Parameter, Require, Value, operation_of
from graphc.graph.types import Type, shape_text
from graphc.ops.elementwise import add, equal, head, multiply, where
from graphc.ops.lowering import Reduce
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.shape import Inferred, axes_tuple, reduced, truth
from graphc.ops.written import rows_of

AXES = (Parameter("x"), Parameter("axis", "static", None), Parameter("keepdims", "static", False))
FACTORS = AXES[:2]


def infer_reduction(kind: str | None = None) -> Callable[..., Inferred]:
    """Type of a reduction; `kind` None keeps the operand's (a sum of bools is an int)."""

    def infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
        (t,), (axis, keepdims) = types, statics
        axes, keepdims = axes_tuple(axis, t.rank), truth(keepdims, "keepdims")
        return Type(reduced(t.shape, axes, keepdims), kind or _numeric(t.kind)), (axes, keepdims)

    return infer


def _others_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    shape, axes = types[0].shape, axes_tuple(statics[0], types[0].rank)
    for t in types[1:]:
        if t.rank != len(shape):
            raise ShapeError(f"a direction of shape {shape_text(t.shape)} for elements of shape {shape_text(shape)}")
        for mine, theirs in zip(shape, t.shape, strict=True):
            require(mine, theirs)
    return Type(shape), (axes,)


def _show_factors(texts: tuple[str, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
    name = "products_of_others" + "_along" * (len(texts) > 1)
    axis = axes_text(types, statics[0])
    return f"{name}({', '.join(texts)}{'' if axis is None else f', axis={axis}'})"


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
    wins = equal(x, kept(at.result, x, axes))
    count = sum_(where(wins, 1, 0), axes, True)
    return (where(wins, kept(at.cotangent, x, axes) / count, 0),)


def _product_pullback(at: Linearization) -> tuple[Value]:
    (x,), axes = at.operands, at.statics[0]
    return (kept(at.cotangent, x, axes) * products_of_others(x, axes),)


def _others_pullback(at: Linearization) -> tuple[Value]:
    """The second derivative of a product is symmetric."""
    return (products_of_others_along(at.operands[0], at.cotangent, *at.statics),)


def _along_pullback(at: Linearization) -> tuple[Value, Value]:
    """For h as above; for x the third derivative, Q/x_j ((S - r_j)(T - t_j) - sum of r_i t_i but that of j) with r = h/x,
    t = g/x, S and T their sums, Q the product of all."""
    (x, h), g, (axes,) = at.operands, at.cotangent, at.statics
    r, t = h / x, g / x
    apart = (sum_(r, axes, True) - r) * (sum_(t, axes, True) - t) - (sum_(r * t, axes, True) - r * t)
    return prod(x, axes, True) / x * apart, products_of_others_along(x, g, axes)


def _without_zeros(x: Value, axes: tuple[int, ...]) -> tuple[Value, Value, Value, Value]:
    """Which factors are 0, how many, the factors with 1 in their place, and the product of these."""
    zero = equal(x, 0)
    safe = where(zero, 1, x)
    return zero, sum_(where(zero, 1, 0), axes, True), safe, prod(safe, axes, True)


def _others(x: Value, axes: tuple[int, ...]) -> Value:
    zero, zeros, safe, product = _without_zeros(x, axes)
    if_zero = where(equal(zeros, 1), product, 0)
    return where(zero, if_zero, where(equal(zeros, 0), product, 0) / safe)  # type: ignore[no-any-return]


def _others_along(x: Value, h: Value, axes: tuple[int, ...]) -> Value:
    """Q/x_j times the sum of the other h_i/x_i, Q the product of all; where there are zeros, one or two of them left out."""
    zero, zeros, safe, product = _without_zeros(x, axes)
    r, of_zeros = where(zero, 0, h / safe), sum_(where(zero, h, 0), axes, True)
    total = sum_(r, axes, True)
    if_zero = where(equal(zeros, 1), total, where(equal(zeros, 2), of_zeros - h, 0))
    if_not = where(equal(zeros, 0), total - r, where(equal(zeros, 1), of_zeros, 0))
    return product * where(zero, if_zero, if_not / safe)  # type: ignore[no-any-return]


def _of_one_element(builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """Along axes of one element, and of a number, there is nothing to reduce."""
    (x,), axes = atoms, statics[0]
    have = builder.type_of(x)
    if not builder.simplify or any(have.shape[a] != 1 for a in axes):
        return None
    if have.kind != type_.kind:
        x = builder.apply(where, (x, Integer(1), Integer(0)))
    return x if have.shape == type_.shape else builder.apply(reshape, (x,), (type_.shape,))


def _sum_fold(builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """Also: the sum of an array that is written out, numbers but for one element; and of a transpose, where the rest keeps its order.

    A sum along axes of a transpose is one along those axes of what is transposed.
    """
    found = _of_one_element(builder, atoms, statics, type_)
    definition = builder.definition(builder.resolve(atoms[0])) if builder.simplify and found is None else None
    rows = rows_of(builder, atoms[0]) if definition is not None and statics[0] == (0,) else None
    if rows is not None and sum(a.is_Symbol for a in rows) <= 1:
        return builder.apply(reshape, (_total(builder, rows),), (type_.shape,))
    (x,), (axes, keepdims) = atoms, statics
    while definition is not None and operation_of(definition) is transpose:
        (order,) = statics_of(definition)
        rest = [order[k] for k in range(len(order)) if keepdims or k not in axes]
        if rest != sorted(rest):
            break
        (x,), axes = operands(definition), tuple(sorted(order[k] for k in axes))
        definition = builder.definition(builder.resolve(x))
    return found if x is atoms[0] else builder.apply(sum_, (x,), (axes, keepdims))


def _total(builder: Builder, atoms: tuple[Basic, ...]) -> Basic:
    """The sum of a few, from left to right."""
    total = atoms[0]
    for a in atoms[1:]:
        total = builder.apply(add, (total, a))
    return total


def _first_place(builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """Along axes of one element the first is the largest."""
    shape = builder.type_of(atoms[0]).shape
    if not builder.simplify or any(shape[a] != 1 for a in statics[0]):
        return None
    return builder.apply(broadcast, (Integer(0),), (type_.shape,))


def _numpy(name: str) -> Callable[..., Any]:
    def reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        import numpy

        return getattr(numpy, name)(x, axis=axes, keepdims=keepdims)

    return reference


def _along_last(function: Callable[..., None]) -> Callable[..., Any]:
    """A reference that fills an array, with the reduced axes as one at the end."""

    def reference(*arguments: Any) -> Any:
        import numpy

        *arrays, axes = arguments
        ends = range(-len(axes), 0)
        moved = [numpy.moveaxis(x, axes, ends) for x in numpy.broadcast_arrays(*arrays)]
        shape = moved[0].shape
        length = math.prod(shape[len(shape) - len(axes) :])
        flat = [x.reshape((*shape[: len(shape) - len(axes)], length)) for x in moved]
        found = numpy.zeros_like(flat[0])
        function(numpy, found, *flat)
        return numpy.moveaxis(found.reshape(shape), ends, axes)

    return reference


def _fill_others(numpy: Any, found: Any, x: Any) -> None:
    for j in range(x.shape[-1]):
        found[..., j] = numpy.delete(x, j, -1).prod(-1)


def _fill_others_along(numpy: Any, found: Any, x: Any, h: Any) -> None:
    for i in range(x.shape[-1]):
        for j in range(x.shape[-1]):
            if i != j:
                found[..., j] += h[..., i] * numpy.delete(x, [i, j], -1).prod(-1)


def _argmax_reference(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    import numpy

    axis = axes[0] if len(axes) == 1 else None
    return numpy.argmax(x, axis=axis, keepdims=keepdims)


def _argmax_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    result, (axes, keepdims) = infer_reduction("int")(types, statics, require)
    if len(axes) not in (1, types[0].rank) or not axes:
        raise ShapeError("the place of the largest is asked along one axis, or along all", hint="argmax(x, axis=1)")
    return result, (axes, keepdims)


sum_: Operation = Operation(
    name="sum", head=head("sum"), parameters=AXES, infer=infer_reduction(), doc="Sum along axes.",
    lowering=Reduce("0", "{0} + {1}"), pullback=_sum_pullback, fold=_sum_fold, reference=_numpy("sum"), show=show_axes("sum"),
    batch=lambda at: sum_(at.operands[0], tuple(a + 1 for a in at.statics[0]), at.statics[1]), latex="\\sum {0}",
)  # fmt: skip
prod: Operation = Operation(
    name="prod", head=head("prod"), parameters=AXES, infer=infer_reduction(), doc="Product along axes.",
    lowering=Reduce("1", "{0} * {1}"), pullback=_product_pullback, fold=_of_one_element, reference=_numpy("prod"), show=show_axes("prod"),
    latex="\\prod {0}",
)  # fmt: skip
products_of_others: Operation = Operation(
    name="products_of_others", head=head("products_of_others"), parameters=FACTORS, infer=_others_infer,
    doc="For each element the product of all others along axes: the derivative of prod.", expand=_others,
    pullback=_others_pullback, reference=_along_last(_fill_others), show=_show_factors,
)  # fmt: skip
products_of_others_along: Operation = Operation(
    name="products_of_others_along", head=head("products_of_others_along"),
    parameters=(FACTORS[0], Parameter("h"), FACTORS[1]), infer=_others_infer,
    doc="Derivative of products_of_others(x) along h; its own is NaN where an element is 0.", expand=_others_along,
    pullback=_along_pullback, reference=_along_last(_fill_others_along), show=_show_factors,
    batch=lambda at: products_of_others_along(
        broadcast(at.operands[0], (at.size, *at.operands[0].shape)), at.operands[1], tuple(a + 1 for a in at.statics[0])
    ),
)  # fmt: skip
largest: Operation = Operation(
    name="reduce_max", spelling="max", head=head("reduce_max"), parameters=AXES, infer=infer_reduction(),
    doc="Largest along axes; ties share the gradient equally.",
    lowering=Reduce("-inf", "larger_({0}, {1})", whole="max({0}, {1})", helpers=("larger_",)), pullback=_extremum_pullback,
    fold=_of_one_element, reference=_numpy("max"), show=show_axes("max"), latex="\\max {0}",
)  # fmt: skip
smallest: Operation = Operation(
    name="reduce_min", spelling="min", head=head("reduce_min"), parameters=AXES, infer=infer_reduction(),
    doc="Smallest along axes; ties share the gradient equally.",
    lowering=Reduce("inf", "smaller_({0}, {1})", whole="min({0}, {1})", helpers=("smaller_",)), pullback=_extremum_pullback,
    fold=_of_one_element, reference=_numpy("min"), show=show_axes("min"), latex="\\min {0}",
)  # fmt: skip
argmax: Operation = Operation(
    name="argmax", head=head("argmax"), parameters=AXES, infer=_argmax_infer,
    doc="Place of the largest along one axis, the first of several; no derivative.",
    lowering=Reduce("-inf", "({0} > {1} or ({0} != {0} and {1} == {1}))", arguments=True),
    fold=_first_place, reference=_argmax_reference, show=show_axes("argmax"), latex="\\operatorname{{argmax}} {0}",
)  # fmt: skip

OPERATIONS = (sum_, prod, products_of_others, products_of_others_along, largest, smallest, argmax)


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
