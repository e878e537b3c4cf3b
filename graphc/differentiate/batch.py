"""Batching: the same linear map applied to many arrays at once.

In: equations that are linear in some symbols, and for each of these an array with a new leading axis.  Out: for every
symbol that depends on them, its value with that axis.
Always holds: what does not depend on them is computed once, as it was; each operation is its record's own for a batch.
"""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Basic, Symbol

from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Origin, operands, statics
from graphc.graph.operation import Batching, operation_of
from graphc.graph.types import Size
from graphc.ops.algebra import reshaped


def batch(
    builder: Builder, equations: tuple[Equation, ...], given: Mapping[Symbol, Basic], size: Size
) -> dict[Basic, Basic]:
    """Add the equations for a batch of `size` to the builder."""
    table: dict[Basic, Basic] = dict(given)
    for equation in equations:
        atoms = operands(equation.expr)
        if any(a in table for a in atoms):
            builder.origin = Origin("batch", (equation.target,))
            table[equation.target] = _batched(builder, equation, atoms, table, size)
    return table


def _batched(
    builder: Builder, equation: Equation, atoms: tuple[Basic, ...], table: Mapping[Basic, Basic], size: Size
) -> Basic:
    operation = operation_of(equation.expr)
    if operation is None:
        return table[atoms[0]]
    if operation.elementwise:
        rank = builder.types[equation.target].rank
        aligned = tuple(_aligned(builder, table[a], rank) if a in table else a for a in atoms)
        return builder.apply(operation, aligned, statics(equation.expr))
    assert operation.batch is not None, operation.name
    values = tuple(builder.value(table.get(a, a)) for a in atoms)
    return operation.batch(Batching(values, tuple(a in table for a in atoms), size, statics(equation.expr))).atom


def _aligned(builder: Builder, atom: Basic, rank: int) -> Basic:
    """Axes of size 1 behind the batch's axis, so that the others stand right-aligned."""
    size, *shape = builder.type_of(atom).shape
    return reshaped(builder, atom, (size, *(1,) * (rank - len(shape)), *shape))
