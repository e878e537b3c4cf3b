"""Short arrays that are written out, element by element: [2*x[0], 0].

In: a builder and atoms.  Out: atoms.
Always holds: an array is written out up to `LISTED` elements of known sizes; zeros and ones among them are no operations.
"""

from __future__ import annotations

from sympy import Basic, Integer

from graphc.graph.builder import Builder
from graphc.graph.graph import operands, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Size, product
from graphc.ops.elementwise import add, multiply
from graphc.ops.joining import stack

LISTED = 9  # a matrix of three rows


def known(sizes: tuple[Size, ...]) -> bool:
    return all(isinstance(d, int) for d in sizes)


def listed(b: Builder, atom: Basic, shape: tuple[int, ...], place: tuple[int, ...] | None) -> Basic:
    """An array written out, of zeros but for the atom at its place."""
    if not shape:
        return atom if place is not None else Integer(0)
    rows = (listed(b, atom, shape[1:], place[1:] if place and place[0] == k else None) for k in range(shape[0]))
    return b.apply(stack, tuple(rows), (0,))


def rows_of(b: Builder, atom: Basic) -> tuple[Basic, ...] | None:
    """The elements, or the rows, of an array that is written out and short."""
    definition = b.definition(b.resolve(atom))
    if definition is None or operation_of(definition) is not stack or statics(definition) != (0,):
        return None
    size = product(b.type_of(atom).shape) if known(b.type_of(atom).shape) else None
    return operands(definition) if isinstance(size, int) and size <= LISTED else None


def scaled_rows(b: Builder, number: Basic, atom: Basic) -> Basic | None:
    """A number times an array that is written out: zeros and ones among its elements are no products."""
    rows = rows_of(b, atom) if b.type_of(number).rank == 0 else None
    if rows is None:
        return None
    return b.apply(stack, tuple(b.apply(multiply, (number, row)) for row in rows), (0,))


def added_rows(b: Builder, x: Basic, y: Basic) -> Basic | None:
    """The sum of two arrays that are written out: zeros among their elements are no sums."""
    first, second = rows_of(b, x), rows_of(b, y)
    if first is None or second is None or b.type_of(x).shape != b.type_of(y).shape:
        return None
    return b.apply(stack, tuple(b.apply(add, pair) for pair in zip(first, second, strict=True)), (0,))
