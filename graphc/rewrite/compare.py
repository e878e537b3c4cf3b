"""What two atoms have to do with each other: one the negative of the other, a multiple, or a little more.

In: atoms in a builder.  Out: monomials and sums of monomials that they stand for, and their difference.
Always holds: definitions are looked into through names, except opaque ones; nothing is built; at most `EXPLORED`
equations are visited.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic

from graphc.ops.elementwise import add, divide, negate, power, subtract
from graphc.rewrite.polynomial import Monomial, Region, collect, exponent_of, multiply_in, root_of
from graphc.rewrite.rule import Rebuilder

EXPLORED = 32  # equations that are looked at for one comparison


def factors(builder: Rebuilder, atom: Basic) -> Monomial | None:
    """A product taken apart as far as it goes."""
    result, region = Monomial(), Region()
    todo: list[tuple[Basic, int]] = [(atom, 1)]
    for _ in range(EXPLORED):
        if not todo:
            return result
        item, e = todo.pop()
        root = root_of(builder, item)
        n = exponent_of(root) if root is not None and root.operation is power else 1
        if root is None or n is None or root.operation in (add, subtract):
            if not multiply_in(builder, result, item, e, region):
                return None
        elif root.operation is negate:
            result.coefficient *= (-1) ** (e % 2)
            todo.append((root.operands[0], e))
        elif root.operation is power:
            todo.append((root.operands[0], e * n))
        else:
            todo += [(root.operands[1], -e if root.operation is divide else e), (root.operands[0], e)]
    return None


def summands(builder: Rebuilder, atom: Basic, sign: int = 1) -> list[Monomial] | None:
    """A sum taken apart as far as it goes, its terms in the order written; times `sign`."""
    found: list[Monomial] = []
    todo = [(atom, sign)]
    for _ in range(EXPLORED):
        if not todo:
            return found
        item, s = todo.pop()
        root = root_of(builder, item)
        if root is not None and root.operation in (add, subtract):
            todo += [(root.operands[1], -s if root.operation is subtract else s), (root.operands[0], s)]
        elif root is not None and root.operation is negate:
            todo.append((root.operands[0], -s))
        else:
            term = factors(builder, item)
            if term is None:
                return None
            found.append(Monomial(term.coefficient * s, term.powers))
    return None


def are_opposite(builder: Rebuilder, a: Basic, b: Basic) -> bool:
    """True where a is -b, however that is spelled."""
    return multiple(builder, a, b) == -1


def multiple(builder: Rebuilder, a: Basic, b: Basic) -> Fraction | None:
    """c where a is c*b with a number c."""
    x, y = factors(builder, a), factors(builder, b)
    if x is None or y is None or x.powers != y.powers or not y.coefficient:
        return None
    return x.coefficient / y.coefficient


def gap(builder: Rebuilder, a: Basic, b: Basic) -> list[Monomial] | None:
    """The terms of a - b, where terms of a and of b cancel exactly and something is left."""
    x, y = summands(builder, a), summands(builder, b, -1)
    if x is None or y is None:
        return None
    left = collect([*x, *y])
    return left if 0 < len(left) < max(len(x), len(y)) else None
