"""What differentiation and rewriting need of operations, by role and not by name.

In: a builder and atoms.  Out: atoms.
Always holds: shapes fit; nothing here decides anything but how a role is spelled in operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Basic, Integer

from graphc.graph.builder import Builder
from graphc.graph.graph import operands, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Size, Type, product
from graphc.ops import linear_algebra
from graphc.ops.contraction import contract, split
from graphc.ops.elementwise import add, divide, logical_and, logical_not, logical_or, negate, not_equal, subtract, where
from graphc.ops.indexing import eye, gather, scatter
from graphc.ops.joining import stack
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.program import as_real, size_, size_atom
from graphc.ops.reduction import sum_
from graphc.ops.reduction import unbroadcast as unbroadcast_value
from graphc.ops.slices import embed, slice_


def accumulate(builder: Builder, a: Basic, b: Basic) -> Basic:
    """a + b."""
    return builder.apply(add, (a, b))


def along(builder: Builder, atom: Basic, type_: Type) -> Basic:
    """The atom broadcast to a shape."""
    if builder.type_of(atom).shape == type_.shape:
        return atom
    return builder.apply(broadcast, (atom,), (type_.shape,))


def real(builder: Builder, atom: Basic) -> Basic:
    """The atom as a real number."""
    return atom if builder.type_of(atom).kind == "real" else builder.apply(as_real, (atom,))


def reshaped(builder: Builder, atom: Basic, shape: tuple[Size, ...]) -> Basic:
    """The atom in another shape of as many elements."""
    return atom if builder.type_of(atom).shape == shape else builder.apply(reshape, (atom,), (shape,))


def transposed(builder: Builder, atom: Basic, axes: tuple[int, ...]) -> Basic:
    """The atom with its axes in another order."""
    return builder.apply(transpose, (atom,), (axes,))


def identity(builder: Builder, size: Size) -> Basic:
    """The identity matrix."""
    return builder.apply(eye, (), (size,))


def unbroadcast(builder: Builder, atom: Basic, shape: tuple[Size, ...]) -> Basic:
    """Sums over the axes that broadcasting from `shape` added or stretched."""
    if builder.type_of(atom).shape == shape:
        return atom
    return unbroadcast_value(builder.value(atom), shape).atom


def select(builder: Builder, mask: Basic, atom: Basic) -> Basic:
    """The atom where the mask holds, else 0."""
    return builder.apply(where, (mask, atom, Integer(0)))


def mask_union(builder: Builder, a: Basic | None, b: Basic | None) -> Basic | None:
    """Where either holds; None stands for everywhere."""
    if a is None or b is None:
        return None
    return a if a == b else builder.apply(logical_or, (a, b))


def mask_intersection(builder: Builder, a: Basic | None, b: Basic | None) -> Basic | None:
    """Where both hold; None stands for everywhere."""
    if a is None or b is None or a == b:
        return b if a is None else a
    return builder.apply(logical_and, (a, b))


def taken(builder: Builder, term: Basic) -> Basic | None:
    """Where what a choice gives to an operand can be anything but 0; None for everywhere, and for what is no choice."""
    expr = builder.definition(term)
    if expr is None or operation_of(expr) is not where:
        return None
    condition, a, b = operands(expr)
    if a == 0:
        return builder.apply(logical_not, (condition,))
    other = taken(builder, b)
    return condition if b == 0 else None if other is None else mask_union(builder, condition, other)


def fitting(builder: Builder, mask: Basic, shape: tuple[Size, ...]) -> Basic | None:
    """A mask so that it broadcasts to a shape, each element a condition for all that it is repeated to; else None."""
    own = builder.type_of(mask).shape
    left, own = own[: max(len(own) - len(shape), 0)], own[-len(shape) :] if shape else ()
    same = all(a in (1, b) for a, b in zip(own, shape[len(shape) - len(own) :], strict=True))
    return reshaped(builder, mask, own) if same and all(d == 1 for d in left) else None


def carried(builder: Builder, expr: Basic, rank: int, mask: Basic, k: int) -> Basic | None:
    """A mask that broadcasts to a result of this rank as one for operand k; None where what it tells apart is mixed.

    Reductions, contractions, softmax and linear algebra mix within rows; a mask of rows goes through.
    """
    operation, fixed, x = operation_of(expr), statics(expr), builder.type_of(operands(expr)[k])
    assert operation is not None
    own = builder.type_of(mask).shape
    if operation is broadcast:
        return mask  # where it fits, it is the same for all copies
    if operation is reshape:
        return reshaped(builder, mask, x.shape) if own == fixed[0] else None
    sizes = [*(1,) * (rank - len(own)), *own]
    if operation is contract:
        return _contracted_mask(builder, mask, sizes, k, *split(fixed[0]))
    if operation is slice_:
        return _mask_of_whole(builder, mask, sizes, fixed[0], x.shape)
    if operation is transpose:
        (axes,) = fixed
        return transposed(builder, reshaped(builder, mask, tuple(sizes)), tuple(map(axes.index, range(rank))))
    if operation in linear_algebra.OPERATIONS:
        rows = builder.type_of(operands(expr)[0]).rank - 2
        alike = all(d == 1 for d in sizes[rows:])
        return reshaped(builder, mask, (*sizes[:rows], *(1,) * (x.rank - rows))) if alike else None
    named = [p.name for p in operation.parameters]
    if "axis" not in named or operation in (gather, scatter):
        return None
    axes = fixed[0] if isinstance(fixed[0], tuple) else (fixed[0],)
    if "keepdims" in named:
        for axis in () if fixed[1] else axes:
            sizes.insert(axis, 1)
    elif any(sizes[axis] != 1 for axis in axes):
        return None
    elif operation is stack:
        del sizes[axes[0]]
    return reshaped(builder, mask, tuple(sizes))


def _mask_of_whole(
    builder: Builder, mask: Basic, sizes: list[Size], bounds: tuple[Any, ...], shape: tuple[Size, ...]
) -> Basic:
    """A mask of a part as one of the whole array: nothing else is taken."""
    ranges, left = [bound for bound in bounds if bound[0] == "range"], iter(sizes)
    found = [1 if bound[0] == "at" else next(left) for bound in bounds]
    parts = [d for d, bound, n in zip(found, bounds, shape, strict=True) if bound != ("range", 0, n, 1)]
    if all(d == 1 for d in parts):
        return reshaped(builder, mask, tuple(found))
    whole = builder.apply(
        where, (mask, along(builder, Integer(1), Type(tuple(bound[2] for bound in ranges))), Integer(0))
    )
    return builder.apply(not_equal, (builder.apply(embed, (whole,), (shape, bounds)), Integer(0)))


def _contracted_mask(
    builder: Builder, mask: Basic, sizes: list[Size], k: int, a: str, b: str, result: str
) -> Basic | None:
    """A mask of a contraction's result as one of an operand: the result's labels that this lacks must not tell apart."""
    labels, of = (a, b)[k], dict(zip(result, sizes, strict=True))
    if any(d != 1 and c not in labels for c, d in of.items()):
        return None
    common = [c for c in result if c in labels]
    order = tuple(common.index(c) for c in labels if c in common)
    mask = transposed(builder, reshaped(builder, mask, tuple(of[c] for c in common)), order)
    return reshaped(builder, mask, tuple(of.get(c, 1) for c in labels))


def surely_read(expr: Basic) -> tuple[Basic, ...]:
    """The operands that the result depends on whatever their values are: of a choice its condition alone."""
    atoms = operands(expr)
    return atoms[:1] if operation_of(expr) is where else atoms


def taken_from(expr: Basic) -> tuple[Basic, tuple[Any, ...]] | None:
    """The operand whose elements are the result's, and the bounds of the part that they are, () for all of them."""
    operation, atoms = operation_of(expr), operands(expr)
    if operation is slice_:
        return atoms[0], statics(expr)[0]
    return (atoms[0], ()) if operation in (None, broadcast, reshape, transpose) else None


def shifted(expr: Basic, known: Callable[[Basic], Size | None]) -> tuple[Basic, int, Size] | None:
    """(x, s, c) of what is s*x + c with s = 1 or -1, where `known` gives the number that an atom is."""
    operation, atoms = operation_of(expr), operands(expr)
    if operation is negate:
        return atoms[0], -1, 0
    if operation not in (add, subtract):
        return None
    sign = 1 if operation is add else -1
    (a, b), (left, right) = atoms, map(known, atoms)
    if right is not None:
        return a, 1, sign * right
    return (b, sign, left) if left is not None else None


def permuted(expr: Basic) -> tuple[int, ...] | None:
    """The axes of a transpose."""
    return statics(expr)[0] if operation_of(expr) is transpose else None


def known_size(atom: Basic, definition: Basic | None) -> Size | None:
    """The whole number or the size that an atom is; None of others."""
    if atom.is_Integer:
        return int(atom)
    return statics(definition)[0] if definition is not None and operation_of(definition) is size_ else None


def average(builder: Builder, atom: Basic, name: str) -> Basic:
    """The mean over all elements, under a name."""
    shape = builder.type_of(atom).shape
    if shape == ():
        return builder.bind(name, atom)
    total = builder.apply(sum_, (atom,), (None, False))
    return builder.apply(divide, (total, size_atom(builder, product(shape))), (), name)
