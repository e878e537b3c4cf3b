"""How operations on arrays are read by people: matrix products, sums that undo a broadcast, mere repetition.

In: a record, types of its operands, its static arguments.  Out: a `Reading`, in no notation yet.
Always holds: what None is said of is spelled as its record says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.graph.operation import Operation
from graphc.graph.types import Size, Type
from graphc.ops.contraction import contract, matrix_form, split
from graphc.ops.elementwise import add, divide, multiply, negate, power, subtract
from graphc.ops.indexing import diagonal
from graphc.ops.linear_algebra import trace, tril, triu
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.program import as_real
from graphc.ops.reduction import sum_
from graphc.ops.slices import embed, slice_

SUM, DIFFERENCE, NEGATIVE, QUOTIENT = add, subtract, negate, divide
SQUARED, POWER, TOTAL, PART = multiply, power, sum_, slice_
REPEATED, RESHAPED = broadcast, reshape
DIAGONAL, TRACE, LOWER, UPPER = diagonal, trace, tril, triu


@dataclass(frozen=True)
class Reading:
    """`form` is "same" (the operand itself), "turned", "scaled", "product", "outer product", "inner product", "axes" or
    "part"; the rest belongs to it.

    `first` and `second` are places of operands, `turned` says which of them are transposed; `axes` are the axes of
    size 1 that the operand gets; `bounds` the part of an array of zeros that the operand fills; `summed` are the axes of
    an elementwise product that are summed over.
    """

    form: str
    first: int = 0
    second: int = 1
    turned: tuple[bool, bool] = (False, False)
    axes: tuple[bool, ...] = ()
    bounds: tuple[Any, ...] = ()
    summed: tuple[int, ...] = ()


def reading(operation: Operation, types: tuple[Type, ...], statics: tuple[Any, ...]) -> Reading | None:
    """How an operation on arrays is read, where that differs from how it is written."""
    if operation is contract:
        return _contraction(statics[0])
    if operation is as_real or (operation in (broadcast, reshape) and all(d == 1 for d in types[0].shape)):
        return Reading("same")
    if operation is reshape:
        return _new_axes(types[0].shape, statics[0])
    if operation is transpose and statics[0] == (1, 0):
        return Reading("turned")
    if operation is embed:
        return Reading("part", bounds=statics[1])
    return None


def reads_as_part(operation: Operation | None) -> bool:
    """True where an array of zeros is filled in part: no formula of the language's says that."""
    return operation is embed


def _contraction(labels: str) -> Reading | None:
    a, b, result = split(labels)
    if not a or not b:
        return Reading("scaled")
    if len(a) == len(b) == 1 and a != b:
        return Reading("outer product", *((0, 1) if result == a + b else (1, 0)))
    if a == b and len(a) > 1 and [c for c in a if c in result] == list(result):
        return Reading("inner product", summed=tuple(k for k, c in enumerate(a) if c not in result))
    form = matrix_form(labels)
    return Reading("product", form[0], form[2], (form[1], form[3])) if form is not None else None


def _new_axes(old: tuple[Size, ...], new: tuple[Size, ...]) -> Reading | None:
    """A reshape that only inserts axes of size 1."""
    left, axes = list(old), []
    for d in new:
        taken = bool(left) and left[0] == d
        axes.append(not taken)
        if taken:
            left.pop(0)
        elif d != 1:
            return None
    return None if left else Reading("axes", axes=tuple(axes))


def summed_axes(shape: tuple[Size, ...], to: tuple[Size, ...]) -> tuple[tuple[int, ...], bool]:
    """The axes that broadcasting from `to` to `shape` added or stretched, and whether the sum keeps them."""
    added = len(shape) - len(to)
    stretched = tuple(i for i, d in enumerate(shape) if i >= added and to[i - added] == 1 and d != 1)
    return tuple(range(added)) + stretched, added == 0
