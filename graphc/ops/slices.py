"""Parts of arrays by ranges: slices, and zeros around what a slice reads.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: the derivative of each is the other; bounds are ("at", i) or ("range", start, length, step), the normal form
of what stands between brackets.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer

from graphc.errors import ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import operands
from graphc.graph.operation import Operation, Parameter, Require, operation_of
from graphc.graph.types import Dim, Size, Type, product, shape_text
from graphc.ops.elementwise import head
from graphc.ops.lowering import Access, Element
from graphc.ops.movement import Index, Shapes, broadcast, given_shape, reshape, size_code
from graphc.ops.shape import Inferred


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

OPERATIONS = (slice_, embed)
