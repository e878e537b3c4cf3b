"""Rules of shape and kind that several records share.

In: types of operands and static arguments.  Out: the type of the result and the static arguments in normal form.
Always holds: a rule raises ShapeError with the sizes that do not fit; `require` is told of pairs that must be equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.errors import ParseError, ShapeError
from graphc.graph.operation import Infer, Require
from graphc.graph.types import Size, Type, promote, shape_text

Inferred = tuple[Type, tuple[Any, ...]]


def broadcast_shapes(shapes: Iterable[tuple[Size, ...]], require: Require) -> tuple[Size, ...]:
    """The shape that operands broadcast to, right-aligned as in NumPy."""
    shapes = tuple(shapes)
    result: list[Size] = [1] * max((len(s) for s in shapes), default=0)
    for shape in shapes:
        for place in range(-len(shape), 0):
            mine, theirs = shape[place], result[place]
            if theirs == 1:
                result[place] = mine
            elif mine not in (1, theirs):
                try:
                    require(theirs, mine)
                except ShapeError:
                    all_shapes = " and ".join(shape_text(s) for s in shapes)
                    raise ShapeError(
                        f"shapes {all_shapes} do not broadcast: {theirs} against {mine} in axis {place}",
                        hint="sizes of one axis must be equal, or one of them 1; x.T transposes, x[:, :] slices",
                    ) from None
                result[place] = mine if isinstance(mine, int) else theirs
    return tuple(result)


def elementwise(kind: str) -> Infer:
    """Broadcast operands; kind "real", "bool", or "same" for the widest of the operands'."""

    def infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
        shape = types[0].shape
        if any(t.shape != shape for t in types):
            shape = broadcast_shapes((t.shape for t in types), require)
        return Type(shape, promote(t.kind for t in types) if kind == "same" else kind), statics

    return infer


def axis_number(axis: Any, rank: int) -> int:
    """An axis counted from the front."""
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise ParseError(f"an axis is a whole number, not {axis}", hint="axis=1, axis=(0, 1), axis=none for all")
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is outside of {rank} dimension{'s' * (rank != 1)}")
    return axis % rank


def axes_tuple(axis: Any, rank: int) -> tuple[int, ...]:
    """`axis=` of a reduction: none for all axes, one axis, or several."""
    if axis is None:
        return tuple(range(rank))
    axes = tuple(sorted(axis_number(a, rank) for a in (axis if isinstance(axis, tuple) else (axis,))))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"an axis is named twice in {axis}")
    return axes


def truth(value: Any, what: str) -> bool:
    """A static argument that is true or false."""
    if not isinstance(value, int) or value not in (0, 1):
        raise ParseError(f"{what} is true or false, not {value}")
    return bool(value)


def reduced(shape: tuple[Size, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[Size, ...]:
    """Shape after a reduction."""
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)
