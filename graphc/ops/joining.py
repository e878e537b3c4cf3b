"""Arrays put together: pad, concatenate, stack.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: each is linear in its real operands, and the derivative for each operand is a slice.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Symbol

from graphc.errors import ParseError, ShapeError
from graphc.graph.operation import Batching, Linearization, Operation, Parameter, Require, Value
from graphc.graph.types import Size, Type, promote
from graphc.ops.elementwise import head
from graphc.ops.lowering import Access, Element
from graphc.ops.movement import Index, Shapes, broadcast, size_code
from graphc.ops.shape import Inferred, axis_number
from graphc.ops.slices import slice_


def _pad_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), (widths, value) = types, statics
    hint = "pad(x, 1), or pad(x, ((before, after), ...)) with a pair for each axis"
    if isinstance(widths, int):
        widths = ((widths, widths),) * t.rank
    if isinstance(widths, tuple) and len(widths) == 2 and all(isinstance(w, int) for w in widths):
        widths = (widths,) * t.rank
    if not isinstance(widths, tuple) or not all(_is_pair(w) for w in widths):
        raise ParseError(f"the widths of a padding are pairs of whole numbers, not {widths}", hint=hint)
    if len(widths) != t.rank:
        raise ShapeError(f"{len(widths)} widths for {t.rank} dimension{'s' * (t.rank != 1)}", hint=hint)
    if not isinstance(value, (int, Basic)) or isinstance(value, Symbol):
        raise ParseError("the value around is a number", hint="pad(x, 1, value=0)")
    shape = tuple(d + w[0] + w[1] for d, w in zip(t.shape, widths, strict=True))
    return Type(shape, t.kind if isinstance(value, int) else "real"), (widths, value)


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(w, int) and not isinstance(w, bool) and w >= 0 for w in value)
    )


def _pad_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    widths, value = statics
    inside, places = [], []
    for i, (low, high), d in zip(index, widths, shapes[0], strict=True):
        places.append(f"({i} - {low})" if low else i)
        inside += [f"{i} >= {low}"] * bool(low) + [f"{i} < {size_code(d + low)}"] * bool(high)
    fill = "zero" if value == 0 else f"real({float(value)!r})"
    return f"({element(0, tuple(places))} if ({' and '.join(inside) or 'True'}) else {fill})"


def _pad_reference(x: Any, widths: Any, value: Any) -> Any:
    import numpy

    return numpy.pad(x, widths, constant_values=float(value))


def _pad_pullback(at: Linearization) -> tuple[Value]:
    shape = at.operands[0].shape
    bounds = tuple(("range", low, d, 1) for (low, _), d in zip(at.statics[0], shape, strict=True))
    return (slice_(at.cotangent, bounds),)


pad: Operation = Operation(
    name="pad", head=head("pad"),
    parameters=(Parameter("x"), Parameter("widths", "static"), Parameter("value", "static", 0)), infer=_pad_infer,
    doc="More elements of one value around: pad(x, 1), pad(x, ((before, after), ...)).",
    lowering=Access(_pad_read, fills=True), pullback=_pad_pullback, reference=_pad_reference,
)  # fmt: skip


def _concat_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    if not types:
        raise ParseError("nothing to join", hint="concat(a, b, axis=0)")
    rank = types[0].rank
    if rank == 0 or any(t.rank != rank for t in types):
        raise ShapeError("operands of different dimensions do not join", hint="stack(a, b) joins along a new axis")
    axis = axis_number(statics[0], rank)
    for t in types[1:]:
        for i in range(rank):
            if i != axis:
                require(types[0].shape[i], t.shape[i])
    total: Size = 0
    for t in types:
        total = total + t.shape[axis]
    shape = tuple(total if i == axis else d for i, d in enumerate(types[0].shape))
    return Type(shape, promote(t.kind for t in types)), (axis,)


def _concat_starts(shapes: Shapes, axis: int) -> list[Size]:
    starts: list[Size] = [0]
    for shape in shapes:
        starts.append(starts[-1] + shape[axis])
    return starts


def _concat_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    (axis,) = statics
    starts = _concat_starts(shapes, axis)
    code = ""
    for k in reversed(range(len(shapes))):
        place = index[axis] if starts[k] == 0 else f"({index[axis]} - {size_code(starts[k])})"
        read = element(k, (*index[:axis], place, *index[axis + 1 :]))
        code = f"({read} if {index[axis]} < {size_code(starts[k + 1])} else {code})" if code else read
    return code


def _concat_pullback(at: Linearization) -> tuple[Value, ...]:
    (axis,) = at.statics
    shapes = tuple(x.shape for x in at.operands)
    starts = _concat_starts(shapes, axis)
    return tuple(
        slice_(
            at.cotangent,
            tuple(("range", starts[k] if i == axis else 0, d, 1) for i, d in enumerate(shape)),
        )
        for k, shape in enumerate(shapes)
    )


def _numpy_join(name: str) -> Any:
    def reference(*arguments: Any) -> Any:
        import numpy

        return getattr(numpy, name)(arguments[:-1], axis=arguments[-1])

    return reference


concat: Operation = Operation(
    name="concat", head=head("concat"), parameters=(Parameter("x", "operands"), Parameter("axis", "static", 0)),
    infer=_concat_infer, doc="Arrays joined along an axis they have.", lowering=Access(_concat_read),
    pullback=_concat_pullback, reference=_numpy_join("concatenate"),
)  # fmt: skip


def _stack_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    if not types:
        raise ParseError("an array without elements", hint="[1, 2, 3] is an array")
    shape = types[0].shape
    for t in types[1:]:
        if t.rank != len(shape):
            raise ShapeError("rows of different dimensions do not stack")
        for a, b in zip(shape, t.shape, strict=True):
            require(a, b)
    axis = axis_number(statics[0], len(shape) + 1)
    return Type((*shape[:axis], len(types), *shape[axis:]), promote(t.kind for t in types)), (axis,)


def _stack_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    (axis,) = statics
    rest, code = (*index[:axis], *index[axis + 1 :]), ""
    for k in reversed(range(len(shapes))):
        read = element(k, rest)
        code = f"({read} if {index[axis]} == {k} else {code})" if code else read
    return code


def _stack_pullback(at: Linearization) -> tuple[Value, ...]:
    (axis,) = at.statics
    shape = at.operands[0].shape
    whole = tuple(("range", 0, d, 1) for d in shape)
    return tuple(slice_(at.cotangent, (*whole[:axis], ("at", k), *whole[axis:])) for k in range(len(at.operands)))


def _stack_batch(at: Batching) -> Value:
    spread = (
        x if batched else broadcast(x, (at.size, *x.shape)) for x, batched in zip(at.operands, at.batched, strict=True)
    )
    return stack(*spread, axis=at.statics[0] + 1)  # type: ignore[no-any-return]


def _stack_show(texts: tuple[str, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
    inside = ", ".join(texts)
    return f"[{inside}]" if statics[0] == 0 else f"stack({inside}, axis={statics[0]})"


stack: Operation = Operation(
    name="stack", head=head("stack"), parameters=(Parameter("x", "operands"), Parameter("axis", "static", 0)),
    infer=_stack_infer, doc="Arrays joined along a new axis; [a, b] is read too.", syntax="[...]",
    lowering=Access(_stack_read), pullback=_stack_pullback, reference=_numpy_join("stack"), show=_stack_show, batch=_stack_batch,
)  # fmt: skip

OPERATIONS = (pad, concat, stack)
