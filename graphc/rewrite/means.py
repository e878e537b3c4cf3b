"""A given number less a mean of it and others: from the differences of the numbers.

In: a sum in a builder.  Out: what takes its place, or None.
Always holds: differences of given numbers that are near each other are exact (Sterbenz 1974); the mean is rounded, and
what is left of a number less a rounded mean may be that rounding alone.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import add, divide, multiply, negate, subtract
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import build
from graphc.rewrite.polynomial import ONE, SUMS, Monomial, fraction, plan, root_of
from graphc.rewrite.positive import MOVES
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

MOST = 6  # numbers of one mean: each is taken from each
EXPLORED = 16  # operations that are looked at for one


def from_mean(builder: Rebuilder, root: Root) -> Made | None:
    """x - (x + y + z)/3 = ((x - y) + (x - z))/3, x - 2*y + z = (x - y) + (z - y)."""
    if builder.learns or is_inner(builder, SUMS) or not all(_is_linear(builder, a) for a in root.operands):
        return None
    weights = _weights(builder, root)
    if weights is None or len(weights) < 3 or sum(weights.values(), Fraction(0)):
        return None
    positive = [a for a, c in weights.items() if c > 0]
    alone = positive if len(positive) == 1 else [a for a in weights if a not in positive]
    if len(alone) != 1 or len({builder.type_of(a).shape for a in weights}) > 1:
        return None
    (one,) = alone
    differences: list[Monomial] = []
    for a, c in weights.items():
        if a is not one:
            pair = (one, a) if c < 0 else (a, one)
            differences.append(Monomial(abs(c), {builder.apply(subtract, pair): 1}))
    made = build(builder, plan(differences))
    return None if isinstance(made, Root) and made.operands == root.operands else made


def _is_linear(builder: Rebuilder, atom: Basic) -> bool:
    """True where an atom may be a sum of multiples of given numbers."""
    expr = builder.inside(atom)
    if expr is None:
        return isinstance(atom, Symbol)
    operation, atoms = operation_of(expr), operands(expr)
    if operation in (multiply, divide):
        return not all(isinstance(a, Symbol) for a in atoms)
    return operation in (add, subtract, negate, *MOVES)


def _weights(builder: Rebuilder, root: Root) -> dict[Basic, Fraction] | None:
    """A sum of multiples of given numbers: how often it has each, in the order written."""
    found: dict[Basic, Fraction] = {}
    todo: list[tuple[Root | Basic, Fraction]] = [(root, ONE)]
    for _ in range(EXPLORED):
        if not todo:
            return {a: c for a, c in found.items() if c}
        item, c = todo.pop()
        inner = item if isinstance(item, Root) else root_of(builder, item)
        if inner is not None:
            parts = _parts(inner, c)
            if parts is None:
                return None
            todo += parts
        elif not isinstance(item, Basic) or not _is_given(builder, item):
            return None
        else:
            atom = builder.look(item)
            found[atom] = found.get(atom, Fraction(0)) + c
        if len(found) + len(todo) > MOST:
            return None
    return None


def _parts(root: Root, c: Fraction) -> list[tuple[Basic, Fraction]] | None:
    """What c times an operation is the sum of, the last first."""
    a, *rest = root.operands
    if root.operation is negate:
        return [(a, -c)]
    (b,) = rest
    if root.operation in (add, subtract):
        return [(b, -c if root.operation is subtract else c), (a, c)]
    scale, divisor = fraction(a), fraction(b)
    if root.operation is multiply and scale is not None:
        return [(b, c * scale)]
    return [(a, c / divisor)] if root.operation is divide and divisor else None


def _is_given(builder: Rebuilder, atom: Basic) -> bool:
    """A given number, or elements of a given array."""
    expr = builder.inside(atom)
    while expr is not None and operation_of(expr) in MOVES:
        atom = operands(expr)[0]
        expr = builder.inside(atom)
    return isinstance(atom, Symbol) and expr is None


MEAN = Form(
    "given number less a mean", (add, subtract), from_mean, "the rounding of the mean may be all that is left",
    "x - (x + y + z)/3",
)  # fmt: skip
