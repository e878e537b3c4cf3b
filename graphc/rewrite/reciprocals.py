"""Quotients by one divisor as products with its reciprocal.

In: a graph of primitive operations.  Out: a graph of the same values, to a rounding, with fewer divisions.
Always holds: only divisors that are at least `LEAST` whatever the inputs are, so that the reciprocal is a normal number
and infinite or missing results are those of the quotients.  A division takes as long as ten products.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable

from sympy import Basic, Integer, Symbol

from graphc.graph.builder import Builder, replaced
from graphc.graph.graph import Equation, Graph, operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.ops.elementwise import (
    absolute,
    add,
    cosh,
    divide,
    exp,
    hypot,
    maximum,
    minimum,
    multiply,
    power,
    sigmoid,
    softplus,
    sqrt,
    where,
)  # fmt: skip
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.reduction import sum_
from graphc.ops.slices import slice_

LEAST = 2.0**-60
_MOVES = (broadcast, reshape, slice_, transpose)
_NOT_NEGATIVE = (absolute, exp, hypot, sigmoid, softplus)


def share_reciprocals(graph: Graph) -> Graph:
    """The graph with one division for all quotients by a divisor, and none by a computed constant."""
    divided = Counter(operands(e.expr)[1] for e in graph.equations if operation_of(e.expr) is divide)
    known = _constants(graph) if divided else set()
    often = {d for d, count in divided.items() if d in known or (count > 1 and isinstance(d, Symbol))}
    if not often:
        return graph
    least = _least(graph.equations)
    chosen = {d for d in often if (least.get(d, -math.inf) if isinstance(d, Symbol) else abs(float(d))) >= LEAST}
    if not chosen:
        return graph

    def product(builder: Builder, equation: Equation) -> Basic | None:
        if operation_of(equation.expr) is not divide or operands(equation.expr)[1] not in chosen:
            return None
        a, b = operands(equation.expr)
        inverse = builder.apply(divide, (Integer(1), b))
        return inverse if a == 1 else builder.apply(multiply, (a, inverse))

    return replaced(graph, product)


def _constants(graph: Graph) -> set[Basic]:
    """Irrational numbers, and what is computed from numbers alone, as sqrt(2)*sqrt(pi)."""
    found: set[Basic] = set()
    for equation in graph.equations:
        atoms = operands(equation.expr) if operation_of(equation.expr) is not None else ()
        found.update(a for a in atoms if not isinstance(a, Symbol) and a.is_irrational)
        if atoms and all(not isinstance(a, Symbol) or a in found for a in atoms):
            found.add(equation.target)
    return found


def _least(equations: Iterable[Equation]) -> dict[Basic, float]:
    """What the elements of each symbol are never below, NaN aside."""
    found: dict[Basic, float] = {}

    def bound(atom: Basic) -> float:
        return found.get(atom, -math.inf) if isinstance(atom, Symbol) else float(atom)

    for equation in equations:
        operation, atoms = operation_of(equation.expr), operands(equation.expr) if equation.expr.args else ()
        if operation is None:
            found[equation.target] = bound(equation.expr)
        elif operation in _NOT_NEGATIVE:
            found[equation.target] = 0.0
        elif operation in _BOUNDS:
            found[equation.target] = _BOUNDS[operation](atoms, tuple(map(bound, atoms)))
        elif operation is sum_ and bound(atoms[0]) >= 0 and statics(equation.expr):
            found[equation.target] = 0.0
    return found


def _of_product(atoms: tuple[Basic, ...], least: tuple[float, ...]) -> float:
    a, b = least
    if min(a, b) >= 0:
        return a * b if min(a, b) > 0 else 0.0
    return 0.0 if atoms[0] == atoms[1] else -math.inf


def _of_power(atoms: tuple[Basic, ...], least: tuple[float, ...]) -> float:
    a, n = least[0], atoms[1]
    if n.is_Integer and n > 0 and a >= 1:
        return a
    if n.is_Integer and 0 < n <= 64 and a > 0:
        return float(a ** int(n))
    return 0.0 if a >= 0 or (n.is_Integer and n % 2 == 0) else -math.inf


_BOUNDS: dict[Operation, Callable[[tuple[Basic, ...], tuple[float, ...]], float]] = {
    add: lambda atoms, least: sum(least),
    multiply: _of_product,
    power: _of_power,
    divide: lambda atoms, least: 0.0 if min(least) >= 0 else -math.inf,
    sqrt: lambda atoms, least: math.sqrt(max(least[0], 0.0)) if least[0] < math.inf else 0.0,
    cosh: lambda atoms, least: 1.0,
    maximum: lambda atoms, least: max(least),
    minimum: lambda atoms, least: min(least),
    where: lambda atoms, least: min(least[1:]),
    **{move: lambda atoms, least: least[0] for move in _MOVES},
}  # fmt: skip
