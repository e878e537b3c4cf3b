"""Rules of the error function: complements, logarithms and ratios of the normal distribution's tails.

In: a difference, a logarithm, a product in a builder.  Out: what takes its place, or None.
Always holds: both sides are equal wherever the left one is finite.  A tail is c*erfc(x), however it is spelled: the
distribution function (1 + erf(z/sqrt(2)))/2 is one.  It is made of erfc only where the other tail is meant, a logarithm
or a ratio of two that vanish, as 1 + erf(x) shares its exponential with its derivative.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Integer, Rational

from graphc.graph.operation import Value, operation_of, variable
from graphc.ops.elementwise import add, divide, exp, log, log1p, multiply, negate, sqrt, subtract
from graphc.ops.error_function import erf, erfc, erfcx, log_ndtr, logerfc
from graphc.rewrite.compare import factors, summands
from graphc.rewrite.polynomial import Monomial
from graphc.rewrite.products import argument, multiplied, product_form
from graphc.rewrite.rule import Form, Made, Rebuilder, Root, Rule

x, y = variable("x"), variable("y")
HALF = Fraction(1, 2)
NESTED = 4  # sums and multiples of one another that are looked through
_ABSENT = frozenset((erf, erfc)).isdisjoint

Tail = tuple[Fraction, Basic, int]  # c, x and the sign s of c*erfc(s*x)


def tail(builder: Rebuilder, atom: Basic, depth: int = NESTED) -> Tail | None:
    """c*erfc(x), spelled so, as c + c*erf(-x), or as 2*c less the other tail."""
    x = argument(builder, atom, erfc)
    if x is not None:
        return Fraction(1), x, 1
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if not depth or operation not in (add, subtract, multiply, divide, negate):
        return None
    if operation in (add, subtract):
        terms = summands(builder, atom)
        return None if terms is None else _tail_of(builder, terms, depth)
    m = factors(builder, atom)
    return None if m is None else _multiple(builder, m, depth)


def _multiple(builder: Rebuilder, m: Monomial, depth: int) -> Tail | None:
    """A number times a tail."""
    if [*m.powers.values()] != [1]:
        return None
    (atom,) = m.powers
    found = tail(builder, atom, depth - 1)
    return None if found is None else (m.coefficient * found[0], *found[1:])


def _tail_of(builder: Rebuilder, terms: list[Monomial], depth: int = NESTED) -> Tail | None:
    """The tail that a number and one term are together."""
    if len(terms) != 2:
        return None
    number, other = sorted(terms, key=lambda m: len(m.powers))
    c = number.coefficient
    if number.powers or not other.powers or not c:
        return None
    ((atom, e),) = other.powers.items() if len(other.powers) == 1 else ((Integer(0), 0),)
    x = argument(builder, atom, erf) if e == 1 else None
    if x is not None:
        return (c, x, -1 if other.coefficient == c else 1) if abs(other.coefficient) == abs(c) else None
    opposite = _multiple(builder, other, depth)
    if opposite is None or 2 * opposite[0] != -c:
        return None
    return c / 2, opposite[1], -opposite[2]


def _argument(builder: Rebuilder, found: Tail) -> Value:
    value = builder.value(found[1])
    return value if found[2] > 0 else -value


def complement(builder: Rebuilder, root: Root) -> Made | None:
    """1 - erf(x), 1 - (1 + erf(x))/2, 1 - erfc(x)/2."""
    if _ABSENT(builder.present):
        return None
    a, b = (summands(builder, atom, sign) for atom, sign in zip(root.operands, (1, -1), strict=True))
    found = None if a is None or b is None else _tail_of(builder, [*a, *b])
    if found is None:
        return None
    c, x = Rational(found[0].numerator, found[0].denominator), _argument(builder, found)
    if c == 1:
        return Root(erfc, (x.atom,))
    return Root(negate, (erfc(x).atom,)) if c == -1 else Root(multiply, (c, erfc(x).atom))


def logarithm(builder: Rebuilder, root: Root) -> Made | None:
    """log(erfc(x)) and log(erfc(x)/2), the logarithm of the normal distribution function, however spelled."""
    if _ABSENT(builder.present):
        return None
    (atom,) = root.operands
    if root.operation is log:
        found = tail(builder, atom)
    else:
        terms = summands(builder, atom)
        found = None if terms is None else _tail_of(builder, [Monomial(), *terms])
    if found is None or found[0] not in (1, HALF):
        return None
    u = _argument(builder, found)
    if found[0] == 1:
        return Root(logerfc, (u.atom,))
    return Root(log_ndtr, ((-(sqrt(builder.value(Integer(2))) * u)).atom,))


def scaled(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """exp(x^2)*erfc(x) = erfcx(x), also upside down: exp(-x^2)/erfc(x), the inverse of Mills' ratio."""
    powers, c = m.powers, m.coefficient
    for atom in () if _ABSENT(builder.present) else m.powers:
        found = tail(builder, atom)
        square = None if found is None else _square(builder, found[1])
        for other in m.powers if square is not None else ():
            e, k = powers.get(atom, 0), _sign(builder, other, square)
            n = powers.get(other, 0) * k
            if found is None or e * n <= 0 or builder.type_of(other) != builder.type_of(atom):
                continue
            both = min(abs(e), abs(n)) * (1 if e > 0 else -1)
            whole = erfcx(_argument(builder, found))
            powers, c = multiplied(powers, (atom, -both), (other, -both * k), (whole.atom, both)), c * found[0] ** both
    return Monomial(c, powers, m.extra) if powers != m.powers else None


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


ERROR_FUNCTION = (
    Rule("1 - erfc", 1 - erfc(x), erf(x), None, "the difference of equal numbers near 0", "1 - erfc(x)"),
    Rule("multiple of 1 - erf", y - y * erf(x), y * erfc(x), None,
         "the difference of equal numbers for x >> 0", "y - y*erf(x)"),
    Form("complement of a tail", (subtract,), complement, "the difference of equal numbers in the other tail",
         "1 - 0.5*(1 + erf(x))"),
    Form("logarithm of a tail", (log, log1p), logarithm, "log(0) far out, log(1) in the other tail",
         "log((1 + erf(x))/2)"),
    product_form(
    "scaled complementary error function", scaled, (exp,), "inf*0 or 0/0 for x >> 0",
         "y*exp(x^2)*erfc(x)"),
)  # fmt: skip
