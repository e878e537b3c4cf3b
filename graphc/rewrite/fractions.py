"""Sums of reciprocals of near places, over one denominator: 1/x - 2/(x + 1) + 1/(x + 2) = 2/(x*(x + 1)*(x + 2)).

In: a sum in a builder.  Out: the fraction, or None.
Always holds: the numerator's coefficients are exact; the highest power of the place cancels in it (Hamming 1986, 3.3).
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Rational

from graphc.ops.elementwise import add, divide, subtract
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import build
from graphc.rewrite.compare import gap, summands
from graphc.rewrite.polynomial import ONE, SUMS, Monomial, Plan
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

MOST = 4  # reciprocals in one sum


def over_one_denominator(builder: Rebuilder, root: Root) -> Made | None:
    """c/x + d/(x + a) + e/(x + b) with c + d + e = 0 as one fraction."""
    if builder.learns or is_inner(builder, SUMS):
        return None
    a, b = root.operands
    first, second = summands(builder, a), summands(builder, b, -1 if root.operation is subtract else 1)
    terms = [] if first is None or second is None else [*first, *second]
    if not 2 < len(terms) <= MOST or any([*m.powers.values()] != [-1] for m in terms):
        return None
    weights = {s: m.coefficient for m in terms for s in m.powers}
    if len(weights) != len(terms) or sum(weights.values(), Fraction(0)) != 0:
        return None
    x = min(weights, key=lambda s: builder.inside(s) is not None)  # what is given, if anything is
    places = {s: _distance(builder, s, x) for s in weights}
    if None in places.values():
        return None
    numerator = _numerator([(weights[s], d) for s, d in places.items() if d is not None])
    total = builder.value(Rational(*numerator[-1].as_integer_ratio()))
    for c in reversed(numerator[:-1]):
        total = total * builder.value(x) + Rational(*c.as_integer_ratio())
    above = {} if total.atom.is_Number else {total.atom: 1}
    scale = numerator[0] if not above else ONE
    return build(builder, Plan([Monomial(scale, {**above, **dict.fromkeys(weights, -1)})]))


def _distance(builder: Rebuilder, a: Basic, b: Basic) -> Fraction | None:
    """a - b, where that is a number."""
    left = gap(builder, a, b) if a != b else [Monomial(Fraction(0))]
    return left[0].coefficient if left is not None and len(left) == 1 and not left[0].powers else None


def _numerator(terms: list[tuple[Fraction, Fraction]]) -> list[Fraction]:
    """Coefficients of the sum of c*product of (x + d) of all other terms (c, d), the lowest power first."""
    total = [Fraction(0)] * len(terms)
    for k, (c, _) in enumerate(terms):
        product = [c]
        for j, (_, d) in enumerate(terms):
            if j != k:
                product = [
                    d * low + high for low, high in zip([*product, Fraction(0)], [Fraction(0), *product], strict=True)
                ]
        total = [a + b for a, b in zip(total, product, strict=True)]
    while len(total) > 1 and not total[-1]:
        total.pop()
    return total


FRACTIONS = Form(
    "sum of reciprocals of near places", (add, subtract), over_one_denominator, "the difference of nearly equal numbers",
    "1/x - 2/(x + 1) + 1/(x + 2)", frozenset((divide,)),
)  # fmt: skip
