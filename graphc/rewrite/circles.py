"""Sine and cosine of one number, and the hyperbolic ones: what their squares have to do with each other.

In: symbols of a region, its value as a polynomial.  Out: `Circle`s, and polynomials in which one square took the other's place.
Always holds: only polynomials of fewer terms are given.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from sympy import Basic

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import cos, cosh, sin, sinh
from graphc.rewrite.monomials import product, scaled, times
from graphc.rewrite.polynomial import Monomial, collect
from graphc.rewrite.rule import Rebuilder

Circle = tuple[Basic, Basic, int, int]

# f(x)^2 = a + b*g(x)^2
_CIRCLES = {sin: (cos, 1, -1), cos: (sin, 1, -1), cosh: (sinh, 1, 1), sinh: (cosh, -1, 1)}


def circles(builder: Rebuilder, leaves: Iterable[Basic]) -> list[Circle]:
    """Leaves that are sine and cosine of one number, or the hyperbolic ones: f, g, a and b."""
    if not ({sin, cos} <= builder.present or {sinh, cosh} <= builder.present):
        return []
    functions = {}
    for leaf in leaves:
        expr = builder.inside(leaf)
        if expr is not None and (operation := operation_of(expr)) in _CIRCLES:
            functions[operation, builder.look(operands(expr)[0])] = leaf
    return [
        (f, functions[g, x], a, b)
        for (o, x), f in functions.items()
        for g, a, b in (_CIRCLES[o],)
        if (g, x) in functions
    ]


def by_pythagoras(value: list[Monomial], known: list[Circle]) -> list[list[Monomial]]:
    """With cos(x)^2 for 1 - sin(x)^2, the other way, and the like of cosh and sinh, if terms cancel."""
    found = []
    for f, g, a, b in known if len(value) > 1 else ():
        low = [min(m.powers.get(s, 0) for m in value) for s in (f, g)]
        whole = scaled(scaled(value, f, -low[0]), g, -low[1])
        parts = collect(t for m in whole for t in _squares_replaced(m, f, g, a, b))
        if len(parts) < len(value):
            found.append(scaled(scaled(parts, f, low[0]), g, low[1]))
    return found


def _squares_replaced(m: Monomial, s: Basic, c: Basic, a: int, b: int) -> list[Monomial]:
    """A term with (a + b*c^2)^k in the place of s^(2*k)."""
    k = m.powers.get(s, 0) // 2
    found: list[Monomial] | None = [times(m, Monomial(powers={s: -2 * k}))]
    for _ in range(k):
        found = product(found or [], [Monomial(Fraction(a)), Monomial(Fraction(b), {c: 2})])
    return found or [m]
