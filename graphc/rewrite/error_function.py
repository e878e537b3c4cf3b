"""Rules of the error function: tails of the normal distribution, their logarithms and ratios.

In: nothing.  Out: `ERROR_FUNCTION`, patterns, and `SCALED`, which finds exp(x^2)*erfc(x) in products.
Always holds: both sides are equal wherever the left one is finite; the distribution function (1 + erf(z/sqrt(2)))/2 is
erfc(-z/sqrt(2))/2, right in both tails.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Rational

from graphc.graph.operation import Term, variable
from graphc.ops.elementwise import divide, exp, log, log1p, multiply, sqrt
from graphc.ops.error_function import erf, erfc, erfcx, log_ndtr, logerfc
from graphc.rewrite.compare import factors
from graphc.rewrite.polynomial import Monomial
from graphc.rewrite.products import argument, multiplied, on_products
from graphc.rewrite.rule import Form, Rebuilder, Rule

x, y = variable("x"), variable("y")
HALF = Rational(1, 2)
ROOT2 = Term(sqrt, (2,))
_HALVES = ((HALF * erfc(x), "", "(0.5*erfc(x))"), (erfc(x) / 2, " by quotient", "(erfc(x)/2)"))

ERROR_FUNCTION = (
    Rule("1 + erf", 1 + erf(x), erfc(-x), None, "the difference of equal numbers for x << 0", "1 + erf(x)"),
    Rule("1 - erf", 1 - erf(x), erfc(x), None, "the difference of equal numbers for x >> 0", "1 - erf(x)"),
    Rule("erf - 1", erf(x) - 1, -erfc(x), None, "the difference of equal numbers for x >> 0", "erf(x) - 1"),
    Rule("multiple of 1 + erf", y + y * erf(x), y * erfc(-x), None,
         "the difference of equal numbers for x << 0", "0.5 + 0.5*erf(x)"),
    Rule("multiple of 1 - erf", y - y * erf(x), y * erfc(x), None,
         "the difference of equal numbers for x >> 0", "0.5 - 0.5*erf(x)"),
    Rule("1 - erfc", 1 - erfc(x), erf(x), None, "the difference of equal numbers near 0", "1 - erfc(x)"),
    Rule("2 - erfc", 2 - erfc(x), erfc(-x), None, "the difference of equal numbers for x << 0", "2 - erfc(x)"),
    *(Rule(f"1 - half of erfc{k}", 1 - half, HALF * erfc(-x), None,
           "the difference of equal numbers for x << 0", f"1 - {text}") for half, k, text in _HALVES),
    Rule("log of erfc", log(erfc(x)), logerfc(x), None, "log(0) for x >> 0", "log(erfc(x))"),
    Rule("log1p(erf)", log1p(erf(x)), logerfc(-x), None, "log(0) for x << 0", "log1p(erf(x))"),
    Rule("log1p(-erf)", log1p(-erf(x)), logerfc(x), None, "log(0) for x >> 0", "log1p(-erf(x))"),
    *(Rule(f"log of half of erfc{k}", log(half), log_ndtr(-(ROOT2 * x)), None,
           "log(0) for x >> 0, the difference of equal numbers for x << 0", f"log({text})") for half, k, text in _HALVES),
    *(Rule(f"log of 1 - half of erfc{k}", log1p(before), log_ndtr(ROOT2 * x), None, "log(0) for x << 0", f"log1p(-{text})")
      for before, k, text in (*((-half, k, text) for half, k, text in _HALVES),
                              (-HALF * erfc(x), " with its sign", "0.5*erfc(x)"))),
)  # fmt: skip


def scaled(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """exp(x^2)*erfc(x) = erfcx(x), also upside down: exp(-x^2)/erfc(x)."""
    powers = m.powers
    for atom in m.powers:
        u = argument(builder, atom, erfc)
        square = None if u is None else _square(builder, u)
        for other in m.powers if square is not None else ():
            e, n = powers.get(atom, 0), powers.get(other, 0) * _sign(builder, other, square)
            if u is None or e * n <= 0 or builder.type_of(other) != builder.type_of(atom):
                continue
            both = min(abs(e), abs(n)) * (1 if e > 0 else -1)
            own = both if powers[other] * n > 0 else -both
            powers = multiplied(powers, (atom, -both), (other, -own), (builder.apply(erfcx, (u,)), both))
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


def _sign(builder: Rebuilder, atom: Basic, square: Monomial | None) -> int:
    """1 where an atom is exp(x^2), -1 where it is exp(-x^2), 0 elsewhere."""
    exponent = argument(builder, atom, exp)
    found = None if exponent is None else _without_roots(builder, factors(builder, exponent))
    if found is None or square is None or found.powers != square.powers:
        return 0
    return 1 if found.coefficient == square.coefficient else -1 if found.coefficient == -square.coefficient else 0


def _square(builder: Rebuilder, atom: Basic) -> Monomial | None:
    m = factors(builder, atom)
    if m is None:
        return None
    return _without_roots(builder, Monomial(m.coefficient**2, {a: 2 * e for a, e in m.powers.items()}))


def _without_roots(builder: Rebuilder, m: Monomial | None) -> Monomial | None:
    """Even powers of numbers' roots are numbers."""
    if m is None:
        return None
    coefficient, powers = m.coefficient, {}
    for atom, e in m.powers.items():
        number = argument(builder, atom, sqrt)
        if e % 2 == 0 and isinstance(number, Rational):
            coefficient *= Fraction(int(number.p), int(number.q)) ** (e // 2)
        else:
            powers[atom] = e
    return Monomial(coefficient, powers)


SCALED = Form(
    "scaled complementary error function", (multiply, divide), on_products(scaled, erfc), "inf*0 for x >> 0",
    "y*exp(x^2)*erfc(x)",
)  # fmt: skip
