"""Operations that move elements: broadcast, reshape, transpose, slice, pad, concatenate.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: each is linear in its real operands, and its derivative is another record of this file or a sum.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer, Symbol

from graphc.errors import ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import operands
from graphc.graph.graph import statics as statics_of
from graphc.graph.operation import Batching, Linearization, Operation, Parameter, Require, Value, operation_of
from graphc.graph.types import Dim, Factor, Size, Type, product, promote, shape_text, surely_different
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

# --- slice ---------------------------------------------------------------------------------------------------------
# A bound is ("at", i) or ("range", start, length, step): normal form of what stands between the brackets.


def _slice_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), (bounds,) = types, statics
    if bounds.count("...") > 1:
        raise ParseError("more than one ... between brackets")
    if "..." in bounds:
        place = bounds.index("...")
        missing = t.rank - len(bounds) + 1
        bounds = bounds[:place] + (("slice", None, None, None),) * missing + bounds[place + 1 :]
    if len(bounds) > t.rank:
        raise ShapeError(f"{len(bounds)} indices for {t.rank} dimension{'s' * (t.rank != 1)} {shape_text(t.shape)}")
    bounds += (("slice", None, None, None),) * (t.rank - len(bounds))
    normal = tuple(_bound(b, d, require) for b, d in zip(bounds, t.shape, strict=True))
    return Type(tuple(b[2] for b in normal if b[0] == "range"), t.kind), (normal,)


def _bound(bound: Any, size: Size, require: Require) -> tuple[Any, ...]:
    if isinstance(bound, (int, Dim)):
        place = _from_end(bound, size)
        if (isinstance(place, int) and place < 0) or (isinstance(left := size - place, int) and left < 1):
            raise ShapeError(
                f"index {bound} is outside of size {size}", hint="the first element is x[0], the last x[-1]"
            )
        require(place + 1, size, "<=")
        return ("at", place)
    if bound[0] == "at":
        require(bound[1] + 1, size, "<=")
        require(0, bound[1], "<=")
        return tuple(bound)
    if bound[0] == "range":
        _, start, length, step = bound
        last = start + (length - 1) * step
        require(0, length, "<=")
        require(last + 1 if step > 0 else start + 1, size, "<=")
        if step < 0:
            require(0, last, "<=")
        return tuple(bound)
    _, start, stop, step = bound
    step = 1 if step is None else step
    if not isinstance(step, int) or step == 0:
        raise ParseError("the step of a slice is a whole number other than 0")
    if isinstance(size, int) and all(v is None or isinstance(v, int) for v in (start, stop)):
        known = range(*slice(start, stop, step).indices(size))
        return ("range", known.start if len(known) else 0, len(known), step)
    begin, end = (0, size) if step > 0 else (size - 1, -1)
    first = begin if start is None else _from_end(start, size)
    last = end if stop is None else _from_end(stop, size)
    low, high = (first, last) if step > 0 else (last + 1, first + 1)
    for a, b in ((0, low), (low, high), (high, size)):
        require(a, b, "<=")
    return ("range", first, (high - low + abs(step) - 1) // abs(step), step)


def _from_end(place: Size, size: Size) -> Size:
    return place + size if isinstance(place, int) and place < 0 else place


def _slice_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    left, places = list(index), []
    for bound in statics[0]:
        if bound[0] == "at":
            places.append(size_code(bound[1]))
            continue
        _, start, _, step = bound
        i = left.pop(0)
        scaled = i if step == 1 else f"{step}*{i}"
        places.append(scaled if start == 0 else f"({size_code(start)} + {scaled})")
    return element(0, tuple(places))


def _bound_text(bound: tuple[Any, ...], size: Size) -> str:
    if bound[0] == "at":
        return str(bound[1])
    _, start, length, step = bound
    stop = start if length == 0 else start + (length - 1) * step + (1 if step > 0 else -1)
    if isinstance(stop, int) and stop < 0:  # it runs to the first element
        return f"{'' if start == size - 1 else start}::{step}"
    return f"{start}:{stop}" + ("" if step == 1 else f":{step}")


def _slice_fold(b: Builder, x: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """All of an array is the array; a part of one number repeated is that number; a row of a small identity matrix is
    written out."""
    from graphc.ops.indexing import eye
    from graphc.ops.written import LISTED, known, listed

    if not b.simplify:
        return None
    whole = [bound == ("range", 0, d, 1) for bound, d in zip(statics[0], b.type_of(x[0]).shape, strict=True)]
    if all(whole):
        return x[0]
    definition = b.definition(b.resolve(x[0]))
    operation = operation_of(definition) if definition is not None else None
    if operation is broadcast and b.type_of(operands(definition)[0]).rank == 0:
        return b.apply(broadcast, operands(definition), (type_.shape,))
    what, place = statics[0][whole.index(False)][:2]
    size = type_.shape[0] if operation is eye and what == "at" and known((place, *type_.shape)) else None
    return listed(b, Integer(1), (size,), (place,)) if isinstance(size, int) and size * size <= LISTED else None


slice_: Operation = Operation(
    name="slice", head=head("slice"), parameters=(Parameter("x"), Parameter("bounds", "static")), hidden=True,
    infer=_slice_infer, doc="Part of an array: x[0], x[:, 1:3], x[..., ::2], bounds as in NumPy.", syntax="a[...]",
    lowering=Access(_slice_read), fold=_slice_fold, pullback=lambda at: (embed(at.cotangent, at.operands[0].shape, at.statics[0]),),
    batch=lambda at: slice_(at.operands[0], _all_of(at.size, at.statics[0])),
    reference=lambda x, bounds: x[numpy_slices(bounds)],
    show=lambda texts, types, s: f"{texts[0]}[{', '.join(map(_bound_text, s[0], types[0].shape)) or '...'}]",
)  # fmt: skip


def _all_of(size: Size, bounds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bounds with a whole axis before them."""
    return (("range", 0, size, 1), *bounds)


def numpy_slices(bounds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bounds of known sizes as NumPy has them."""
    out: list[Any] = []
    for bound in bounds:
        if bound[0] == "at":
            out.append(bound[1])
        else:
            _, start, length, step = bound
            stop = start + length * step
            out.append(slice(start, stop if stop >= 0 else None, step))
    return tuple(out)


def _embed_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), (shape, bounds) = types, (given_shape(statics[0]), statics[1])
    if not isinstance(bounds, tuple) or not all(map(_is_bound, bounds)) or len(bounds) != len(shape):
        hint = 'embed(x, (9,), (("range", 2, 3, 1),)): start, length and step, or ("at", 2), for each axis'
        raise ParseError(f"the bounds of an embedding are no such tuple: {bounds}", hint=hint)
    lengths = [b[2] for b in bounds if b[0] == "range"]
    if len(lengths) != t.rank:
        raise ShapeError(f"{len(lengths)} ranges for {t.rank} dimension{'s' * (t.rank != 1)}")
    for length, size in zip(lengths, t.shape, strict=True):
        require(length, size)
    return Type(shape), (shape, bounds)


def _is_bound(value: Any) -> bool:
    """What a slice reads along an axis, in its normal form."""
    if not isinstance(value, tuple) or not all(isinstance(v, (int, Dim)) for v in value[1:]):
        return False
    return (value[:1], len(value)) in ((("at",), 2), (("range",), 4))


def _embed_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    conditions, places = [], []
    for i, bound in zip(index, statics[1], strict=True):
        if bound[0] == "at":
            conditions.append(f"{i} == {size_code(bound[1])}")
            continue
        _, start, length, step = bound
        offset = i if start == 0 else f"({i} - {size_code(start)})"
        if step == -1:
            offset = f"({size_code(start)} - {i})"
        elif step != 1:
            conditions.append(f"{offset} % {step} == 0")
            offset = f"({offset} // {step})"
        conditions += [f"{offset} >= 0", f"{offset} < {size_code(length)}"]
        places.append(offset)
    return f"({element(0, tuple(places))} if ({' and '.join(conditions)}) else zero)"


def _embed_reference(g: Any, shape: tuple[int, ...], bounds: tuple[Any, ...]) -> Any:
    import numpy

    out = numpy.zeros(shape, g.dtype)
    out[numpy_slices(bounds)] = g
    return out


def _embed_fold(b: Builder, x: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """What fills all places is memory under another shape; an element among a few is listed with the others."""
    from graphc.ops.written import LISTED, known, listed

    shape, bounds = statics
    if not b.simplify:
        return None
    fills = all(
        size == 1 if bound[0] == "at" else bound[1:] == (0, size, 1) for size, bound in zip(shape, bounds, strict=True)
    )
    if fills:
        return b.apply(reshape, x, (shape,))
    place = tuple(bound[1] for bound in bounds if bound[0] == "at")
    size = product(shape) if len(place) == len(shape) and known(shape + place) else None
    return listed(b, x[0], shape, place) if isinstance(size, int) and size <= LISTED else None


embed: Operation = Operation(
    name="embed", head=head("embed"), fold=_embed_fold,
    parameters=(Parameter("x"), Parameter("shape", "static"), Parameter("bounds", "static")), infer=_embed_infer,
    doc="Zeros of a shape with x in the place that a slice reads: the derivative of slicing.",
    lowering=Access(_embed_read, fills=True), pullback=lambda at: (slice_(at.cotangent, at.statics[1]),),
    batch=lambda at: embed(at.operands[0], (at.size, *at.statics[0]), _all_of(at.size, at.statics[1])),
    reference=_embed_reference, domain=((-3, 3),),
)  # fmt: skip


# --- pad, concatenate, stack ---------------------------------------------------------------------------------------


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

OPERATIONS = (broadcast, reshape, transpose, slice_, embed, pad, concat, stack)
