"""Jacobians: all first derivatives of an array for an array.

In: equations, what to differentiate, what for.  Out: one array a pair, of the value's shape followed by the symbol's.
Always holds: all rows (or columns) are computed at once, as a batch of one reverse (or forward) sweep over a basis; the
mode is forward where the symbol has fewer elements than the value, else reverse; a symbolic size counts as `MANY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from sympy import Basic, Integer, Symbol

from graphc.differentiate.batch import batch
from graphc.differentiate.forward import Tangents, push_forward
from graphc.differentiate.reverse import pull_back
from graphc.graph.builder import Builder
from graphc.graph.graph import Origin
from graphc.graph.types import Size, Type, product, size_value, sizes_of
from graphc.ops.algebra import along, identity, reshaped, transposed

A = TypeVar("A", bound=Basic)
MANY = 1000


class Jacobians:
    """Derivatives of any symbols for `wrt`; a sweep is made once for each symbol it starts at."""

    def __init__(self, builder: Builder, wrt: tuple[Symbol, ...]) -> None:
        self.builder, self.wrt = builder, wrt
        self.equations = tuple(builder.equations)
        self.columns: dict[Symbol, Tangents] = {}
        self.rows: dict[Symbol, Mapping[Basic, Basic]] = {}

    def of(self, y: Symbol, x: Symbol) -> Basic:
        """dy/dx, of y's shape followed by x's."""
        builder, ys, xs = self.builder, self.builder.types[y].shape, self.builder.types[x].shape
        forward = _by_columns(_count(ys), _count(xs))
        found = self._forward(x).get(y) if forward else self._reverse(y).get(x)
        builder.origin = Origin("jacobian", (y, x))
        if found is None or not (xs if forward else ys):
            return along(builder, Integer(0) if found is None else found, Type((*ys, *xs)))
        if forward:
            found = transposed(builder, found, (*range(1, len(ys) + 1), 0))
        return reshaped(builder, found, (*ys, *xs))

    def _forward(self, x: Symbol) -> Tangents:
        """Tangents of all symbols; where x is an array, one for each of its elements, along a new leading axis."""
        if x not in self.columns:
            seed, start = self._seed(x)
            found = push_forward(self.builder, self.equations, {x: seed})
            self.columns[x] = replace(found, tangent=self._over_basis(seed, found.tangent, start))
        return self.columns[x]

    def _reverse(self, y: Symbol) -> Mapping[Basic, Basic]:
        """Adjoints of all symbols; where y is an array, one for each of its elements, along a new leading axis."""
        if y not in self.rows:
            seed, start = self._seed(y)
            found = pull_back(self.builder, self.equations, {y: seed}, self.wrt).adjoint
            self.rows[y] = self._over_basis(seed, found, start)
        return self.rows[y]

    def _seed(self, s: Symbol) -> tuple[Basic, int]:
        """What a sweep starts with: 1, or a symbol that stands for any element of the basis."""
        builder, shape = self.builder, self.builder.types[s].shape
        seed = builder.declare(builder.fresh(), Type(shape)) if shape else Integer(1)
        return seed, len(builder.equations)

    def _over_basis(self, seed: Basic, found: Mapping[A, Basic], start: int) -> dict[A, Basic]:
        if not isinstance(seed, Symbol):
            return dict(found)
        builder = self.builder
        shape = builder.types[seed].shape
        size = product(shape)
        builder.origin = Origin("basis")
        basis = reshaped(builder, identity(builder, size), (size, *shape))
        table = batch(builder, tuple(builder.equations[start:]), {seed: basis}, size)
        return {s: table[atom] for s, atom in found.items() if atom in table}


def _by_columns(rows: int, columns: int) -> bool:
    """True where forward mode has fewer directions; a number for a number is done in reverse, as a gradient is."""
    return columns < rows or columns == rows > 1


def _count(shape: tuple[Size, ...]) -> int:
    size = product(shape)
    return size_value(size, dict.fromkeys(sizes_of(size), MANY))
