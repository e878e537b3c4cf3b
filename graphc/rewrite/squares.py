"""Differences of squares of given numbers as products of sums: 1 - x^2 as (1 - x)*(1 + x).

In: a graph of primitive operations.  Out: a graph of the same values, right where the squares are nearly equal.
Always holds: what is squared is given, as it is or moved, chosen, scaled by a power of 2, divided by another: sums of
near numbers are then exact (Sterbenz 1974), and the square's rounding was all that was lost.  A computed number's own
rounding loses as much, so that 1 - y^2 stays for y = tanh(x).
"""

from __future__ import annotations

from math import isqrt
from typing import Any

from sympy import Basic, Integer, Number, Rational, S, Symbol

from graphc.graph.builder import Builder, replaced
from graphc.graph.graph import Equation, Graph, operands
from graphc.graph.operation import Value, operation_of
from graphc.ops.elementwise import (
    absolute,
    divide,
    less,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negate,
    power,
    subtract,
    where,
)  # fmt: skip
from graphc.rewrite.positive import MOVES

ONE, HALF = Integer(1), Rational(1, 2)
_CHOICES = (negate, absolute, maximum, minimum, where)

Quotient = tuple[Basic, Basic]  # base and divisor, given symbols or numbers
Square = tuple[int, Quotient]  # of a quotient, with a sign


def factor_squares(graph: Graph) -> Graph:
    """The graph with differences of squares as products."""
    found = _differences(graph)
    if not found:
        return graph

    def factored(builder: Builder, equation: Equation) -> Basic | None:
        pair = found.get(equation.target)
        return None if pair is None else _factored(builder, equation.expr, *pair).atom

    return replaced(graph, factored)


def _factored(builder: Builder, expr: Basic, p: Quotient, q: Quotient) -> Value:
    """p^2 - q^2, or log(1 - q^2), from p - q and p + q; where a divisor is infinite, as it was written."""
    (a, d), (b, e) = (tuple(map(builder.value, pair)) for pair in (p, q))
    if (divisor := d if q[1] == 1 else e).atom == 1:
        product = (a - b) * (a + b)
    else:
        a, b = (divisor, b) if p[1] == 1 else (a, divisor)
        product = ((a - b) / divisor) * ((a + b) / divisor)
    atoms = tuple(map(builder.value, operands(expr)))
    if operation_of(expr) is log1p:
        return where(less(-HALF, atoms[0]), log1p(atoms[0]), log(product))  # type: ignore[no-any-return]
    if isinstance(divisor.atom, Symbol):
        return where(less(absolute(divisor), S.Infinity), product, atoms[0] - atoms[1])  # type: ignore[no-any-return]
    return product  # type: ignore[no-any-return]


def _differences(graph: Graph) -> dict[Symbol, tuple[Quotient, Quotient]]:
    """p and q of each p^2 - q^2 and log(1 - q^2) that is more exact as a product."""
    roots: dict[Basic, Quotient] = {s: (s, ONE) for s in graph.leaves()}
    squares: dict[Basic, Square] = {}
    found = {}
    for equation in graph.equations:
        operation, target = operation_of(equation.expr), equation.target
        atoms = operands(equation.expr) if operation is not None else (equation.expr,)
        if (pair := _difference(operation, atoms, squares)) is not None:
            found[target] = pair
        elif (square := _square(operation, atoms, roots, squares)) is not None:
            squares[target] = square
        elif (root := _given(operation, atoms, target, roots)) is not None:
            roots[target] = root
    return found


def _difference(
    operation: Any, atoms: tuple[Basic, ...], squares: dict[Basic, Square]
) -> tuple[Quotient, Quotient] | None:
    """p and q of p^2 - q^2 and log(1 - q^2); not both are numbers, and beside a quotient stands 1."""
    s: Square | None = (1, (ONE, ONE))
    if operation is log1p:
        t = _negated(squares.get(atoms[0]))
    elif operation is subtract:
        s, t = (_square_of(a, squares) for a in atoms)
    else:
        return None
    if s is None or t is None or (s[0], t[0]) != (1, 1):
        return None
    p, q = s[1], t[1]
    plain = p[1] == q[1] == 1 and (isinstance(p[0], Symbol) or isinstance(q[0], Symbol))
    return (p, q) if plain or ((p[1] == 1) != (q[1] == 1) and (ONE, ONE) in (p, q)) else None


def _given(operation: Any, atoms: tuple[Basic, ...], target: Symbol, roots: dict[Basic, Quotient]) -> Quotient | None:
    """What has exactly the digits of given numbers, and quotients of two such."""
    own = [(a, ONE) if isinstance(a, Number) else roots.get(a) for a in atoms]
    if operation in MOVES or operation is where:
        own = own[1:] if operation is where else own[:1]
    if any(r is None or r[1] != 1 for r in own):
        return None
    if operation is divide and isinstance(atoms[1], Symbol):
        return atoms[0], atoms[1]
    exact = operation is None or operation in (*_CHOICES, *MOVES)
    return (target, ONE) if exact or (operation is multiply and any(map(_power_of_2, atoms))) else None


def _square(
    operation: Any, atoms: tuple[Basic, ...], roots: dict[Basic, Quotient], squares: dict[Basic, Square]
) -> Square | None:
    """Squares, their quotients by each other and by numbers, multiples, with their signs."""
    if (operation is power and atoms[1] == 2) or (operation is multiply and atoms[0] == atoms[1]):
        return (1, roots[atoms[0]]) if atoms[0] in roots else None
    if operation is negate:
        return _negated(squares.get(atoms[0]))
    if operation is divide:
        s, t = (_square_of(a, squares) for a in atoms)
    elif operation is multiply and isinstance(atoms[0], Rational) and atoms[0]:
        s, t = squares.get(atoms[1]), _square_of(1 / atoms[0], squares)
    else:
        return None
    if s is None or t is None or not s[1][1] == t[1][1] == 1:
        return None
    return s[0] * t[0], (s[1][0], t[1][0])


def _negated(square: Square | None) -> Square | None:
    return None if square is None else (-square[0], square[1])


def _square_of(atom: Basic, squares: dict[Basic, Square]) -> Square | None:
    """What a symbol is the square of; of a number, if that has a root with few digits."""
    if isinstance(atom, Symbol):
        return squares.get(atom)
    if not isinstance(atom, Rational) or not atom:
        return None
    root = Rational(isqrt(abs(atom.p)), isqrt(atom.q))
    return (1 if atom > 0 else -1, (root, ONE)) if root**2 == abs(atom) and _power_of_2(root.q) else None


def _power_of_2(atom: Any) -> bool:
    """2^n for a whole n, also a negative one."""
    number = atom if isinstance(atom, int) else atom.p * atom.q if isinstance(atom, Rational) else 0
    return number > 0 and number & (number - 1) == 0
