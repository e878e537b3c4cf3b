"""Arithmetic of polynomials that are multiplied out: lists of monomials.

In: monomials, sums of them.  Out: their products and quotients.
Always holds: nothing is built; a product of too many terms is None, a quotient that leaves a rest as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from sympy import Basic

from graphc.rewrite.polynomial import ONE, Monomial, collect

EXPANDED = 24  # terms of a polynomial that is multiplied out


def product(a: list[Monomial], b: list[Monomial] | None) -> list[Monomial] | None:
    """Every term times every term."""
    if b is None or len(a) * len(b) > EXPANDED * 4:
        return None
    return [times(a[0], b[0])] if len(a) == len(b) == 1 else collect(times(x, y) for x in a for y in b)


def times(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a.powers)
    for atom, e in b.powers.items():
        powers[atom] = powers.get(atom, 0) + e
        if powers[atom] == 0:
            del powers[atom]
    if a.coefficient is ONE or b.coefficient is ONE:
        return Monomial(b.coefficient if a.coefficient is ONE else a.coefficient, powers)
    return Monomial(a.coefficient * b.coefficient, powers)


def negative(m: Monomial) -> Monomial:
    return Monomial(-m.coefficient, m.powers)


def scaled(value: list[Monomial], atom: Basic, e: int) -> list[Monomial]:
    """Every term times atom^e."""
    return [times(m, Monomial(powers={atom: e})) for m in value] if e else value


def divided(value: list[Monomial], d: Basic, divisor: list[Monomial]) -> list[Monomial] | None:
    """Terms q*divisor/d in `value` become q, the highest first.

    In each atom a product's degrees reach from the sum of the least to the sum of the largest of its factors.
    """
    rest = [m for m in value if m.powers.get(d, 0) >= 0]
    todo = {m.key: m for m in value if m.powers.get(d, 0) < 0}
    bounds = {a: _degrees_of_quotient(a, todo.values(), divisor) for m in divisor for a in m.powers}

    def degrees(m: Monomial) -> tuple[int, ...]:
        return tuple(m.powers.get(a, 0) for a in bounds)

    lead = max(divisor, key=degrees)
    found: list[Monomial] = []
    for _ in range(EXPANDED):
        if not todo:
            return collect([*rest, *found])
        first = max(todo.values(), key=degrees)
        q = times(first, Monomial(1 / lead.coefficient, {a: -e for a, e in lead.powers.items()}))
        if any(not low <= q.powers.get(a, 0) <= high for a, (low, high) in bounds.items()):
            return None
        found.append(times(q, Monomial(Fraction(1), {d: 1})))
        for m in divisor:
            part = times(q, m)
            old = todo.pop(part.key, None)
            left = (old.coefficient if old else Fraction(0)) - part.coefficient
            if left:
                todo[part.key] = Monomial(left, part.powers)
    return None


def _degrees_of_quotient(a: Basic, value: Iterable[Monomial], divisor: list[Monomial]) -> tuple[int, int]:
    """The least and the largest power of an atom that value/divisor can have, if it is a polynomial."""
    above, below = ([m.powers.get(a, 0) for m in part] for part in (value, divisor))
    return min(above, default=0) - min(below), max(above, default=0) - max(below)
