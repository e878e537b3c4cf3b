"""Operations that move all elements: broadcast, reshape, transpose.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: each is linear in its real operands, and its derivative is another record of this file or a sum.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic

from graphc.errors import ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import operands
from graphc.graph.graph import statics as statics_of
from graphc.graph.operation import Batching, Linearization, Operation, Parameter, Require, Value, operation_of
from graphc.graph.types import Dim, Factor, Size, Type, product, shape_text, surely_different
from graphc.ops.elementwise import head
from graphc.ops.lowering import Access, Alias, Element
from graphc.ops.shape import Inferred, axis_number

Shapes = tuple[tuple[Size, ...], ...]
Index = tuple[str, ...]


def size_code(size: Size) -> str:
    """A dimension in generated code; the code generator names sizes `s_n`."""
    if isinstance(size, int):
        return str(size)
    terms = (
        "*".join((*([str(c)] if c != 1 or not factors else []), *map(_factor_code, factors)))
        for factors, c in size.terms
    )
    return "(" + " + ".join(terms) + ")"


def _factor_code(factor: Factor) -> str:
    return f"s_{factor}" if isinstance(factor, str) else f"({size_code(factor.dividend)} // {factor.divisor})"


def given_shape(value: Any) -> tuple[Size, ...]:
    shape = value if isinstance(value, tuple) else (value,)
    for d in shape:
        if not isinstance(d, (int, Dim)) or isinstance(d, bool) or (isinstance(d, int) and d < -1):
            raise ParseError(f"a shape is a tuple of sizes, not {value}", hint="reshape(x, (n, 10))")
    return shape


# --- broadcast -----------------------------------------------------------------------------------------------------


def _broadcast_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), shape = types, given_shape(statics[0])
    if -1 in shape:
        raise ShapeError(f"a size of {shape_text(shape)} is negative")
    if t.rank > len(shape):
        raise ShapeError(f"shape {shape_text(t.shape)} does not broadcast to {shape_text(shape)}")
    for mine, theirs in zip(t.shape, shape[len(shape) - t.rank :], strict=True):
        if mine != 1:
            require(mine, theirs)
    return Type(shape, t.kind), (shape,)


def _broadcast_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    return element(0, index)  # reading is right-aligned


def _broadcast_pullback(at: Linearization) -> tuple[Value]:
    from graphc.ops.reduction import unbroadcast

    return (unbroadcast(at.cotangent, at.operands[0].shape),)


def _broadcast_batch(at: Batching) -> Value:
    (x,), (shape,) = at.operands, at.statics
    between = (1,) * (len(shape) - len(x.shape) + 1)
    return broadcast(reshape(x, (at.size, *between, *x.shape[1:])), (at.size, *shape))  # type: ignore[no-any-return]


def _broadcast_reference(x: Any, shape: tuple[int, ...]) -> Any:
    import numpy

    return numpy.broadcast_to(x, shape)


broadcast: Operation = Operation(
    name="broadcast", head=head("broadcast"), parameters=(Parameter("x"), Parameter("shape", "static")),
    infer=_broadcast_infer, doc="The same elements, repeated to a larger shape.",
    lowering=Access(_broadcast_read), pullback=_broadcast_pullback, batch=_broadcast_batch,
    reference=_broadcast_reference,
    fold=lambda b, x, s, t: x[0] if b.simplify and b.type_of(x[0]) == t else None,
)  # fmt: skip

# --- reshape -------------------------------------------------------------------------------------------------------


def _reshape_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), shape = types, given_shape(statics[0])
    if -1 in shape:
        known = product(d for d in shape if d != -1)
        missing = _ratio(product(t.shape), known)
        if shape.count(-1) > 1 or missing is None:
            raise ShapeError(f"shape {shape_text(t.shape)} does not tell the -1 in {shape_text(shape)}")
        shape = tuple(missing if d == -1 else d for d in shape)
    have, want = product(t.shape), product(shape)
    if surely_different(have, want):
        raise ShapeError(f"{have} elements of {shape_text(t.shape)} do not fill {shape_text(shape)}")
    if have != want:
        require(have, want)
    return Type(shape, t.kind), (shape,)


def _ratio(a: Size, b: Size) -> Size | None:
    """a / b where it is a dimension: b is a number, or all of a's terms contain b's single term."""
    if isinstance(b, int):
        return None if b <= 0 or (isinstance(a, int) and a % b) else a // b
    a_terms = a.terms if isinstance(a, Dim) else (((), a),)
    if len(b.terms) != 1:
        return None
    names, coefficient = b.terms[0]
    total: Size = 0
    for mine, c in a_terms:
        left = list(mine)
        for name in names:
            if name not in left:
                return None
            left.remove(name)
        if not coefficient or c % coefficient:
            return None
        total = total + product([c // coefficient]) * (Dim(((tuple(left), 1),)) if left else 1)
    return total


reshape: Operation = Operation(
    name="reshape", head=head("reshape"), parameters=(Parameter("x"), Parameter("shape", "static")),
    infer=_reshape_infer, doc="The same elements in the same order, in another shape; one size may be -1.",
    lowering=Alias(), pullback=lambda at: (reshape(at.cotangent, at.operands[0].shape),),
    batch=lambda at: reshape(at.operands[0], (at.size, *at.statics[0])), reference=lambda x, shape: x.reshape(shape),
    fold=lambda b, x, s, t: x[0] if b.simplify and b.type_of(x[0]) == t else None,
)  # fmt: skip

# --- transpose -----------------------------------------------------------------------------------------------------


def _transpose_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), (axes,) = types, statics
    if axes is not None and not isinstance(axes, tuple):
        raise ParseError(f"the axes of a transpose are a tuple, not {axes}", hint="transpose(x, axes=(0, 2, 1))")
    axes = tuple(reversed(range(t.rank))) if axes is None else tuple(axis_number(a, t.rank) for a in axes)
    if sorted(axes) != list(range(t.rank)):
        raise ShapeError(f"the axes {axes} are no order of {t.rank} axes")
    return Type(tuple(t.shape[a] for a in axes), t.kind), (axes,)


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The order of axes that undoes an order of axes."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _transpose_show(texts: tuple[str, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
    if statics[0] == tuple(reversed(range(types[0].rank))):
        name = texts[0].replace("_", "a")
        return f"{texts[0]}.T" if name.isalnum() and not name[0].isdigit() else f"transpose({texts[0]})"
    return f"transpose({texts[0]}, axes={statics[0]})"


def _transpose_fold(b: Builder, x: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """Axes that stay are no transpose; columns turned are rows."""
    if not b.simplify or statics[0] == tuple(range(len(statics[0]))):
        return x[0] if b.simplify else None
    from graphc.ops.joining import stack

    definition = b.definition(b.resolve(x[0])) if statics[0] == (1, 0) else None
    if definition is None or operation_of(definition) is not stack:
        return None
    return b.apply(stack, operands(definition), (1 - statics_of(definition)[0],))


transpose: Operation = Operation(
    name="transpose", head=head("transpose"), parameters=(Parameter("x"), Parameter("axes", "static", None)),
    infer=_transpose_infer, doc="Axes in another order, all reversed by default; x.T is read too.", syntax="a.T",
    lowering=Access(
        lambda index, element, shapes, s: element(0, tuple(index[i] for i in inverse(s[0]))), permutes=True
    ),
    pullback=lambda at: (transpose(at.cotangent, inverse(at.statics[0])),),
    batch=lambda at: transpose(at.operands[0], (0, *(a + 1 for a in at.statics[0]))),
    reference=lambda x, axes: x.transpose(axes),
    fold=_transpose_fold, show=_transpose_show,
    latex="{0}^T",
)  # fmt: skip

OPERATIONS = (broadcast, reshape, transpose)
