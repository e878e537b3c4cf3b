"""Quotients of functions that have a limit: sine over cosine, a function over its argument, one over another.

In: a product or quotient in a builder.  Out: what takes its place, or None.
Always holds: where numerator and denominator are both 0, or both infinite, what takes their place is the limit.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Rational, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, Value, operation_of
from graphc.ops.elementwise import (
    add,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    exp,
    expm1,
    hypot,
    log,
    log1p,
    sigmoid,
    sin,
    sinh,
    softplus,
    sqrt,
    subtract,
    tan,
    tanh,
)
from graphc.ops.error_function import erf
from graphc.ops.safe import erfrel, exprel, log1prel, logrel, sinc, sinhc, tanhc
from graphc.rewrite.build import applied, build
from graphc.rewrite.compare import factors, multiple, summands
from graphc.rewrite.polynomial import Monomial, Plan, Powers, collect, operands_of
from graphc.rewrite.products import argument, is_one_of, multiplied, partners, product_form
from graphc.rewrite.rule import Rebuilder

_TANGENTS = ((sinh, cosh, tanh), (sin, cos, tan))
_HYPERBOLIC = (sinh, cosh, tanh)  # these overflow: they are joined even where that makes one more


def tangents(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sinh(x)/cosh(x) = tanh(x), tanh(x)*cosh(x) = sinh(x), tanh(x)/sinh(x) = 1/cosh(x), the same of sin, cos, tan, and
    their inverses; sinh(2*x)/sinh(x) = 2*cosh(x).
    """
    scale, powers = _half_angles(builder, m.powers)
    for sine, cosine, tangent in _TANGENTS:
        for atom in list(powers):
            for one, other, sign_, whole, n in (
                (sine, cosine, -1, tangent, 1),
                (tangent, cosine, 1, sine, 1),
                (tangent, sine, -1, cosine, -1),
            ):
                x = argument(builder, atom, one)
                if x is not None and other in builder.present:
                    pair = atom, builder.apply(other, (x,))
                    powers = _joined(
                        builder, powers, pair, sign_, (builder.apply(whole, (x,)), n), whole in _HYPERBOLIC
                    )
    return Monomial(m.coefficient * scale, powers, m.extra) if powers != m.powers else None


def _half_angles(builder: Rebuilder, powers: Powers) -> tuple[Fraction, Powers]:
    """sin(2*x) = 2*sin(x)*cos(x) where one of these is on the other side of the fraction, the same of sinh;
    expm1(2*x) = expm1(x)*(1 + exp(x)), expm1(3*x) = expm1(x)*(1 + exp(x) + exp(2*x)).
    """
    scale = Fraction(1)
    for operation, others, most in (sin, (cos,), 2), (sinh, (cosh,), 2), (expm1, (), 4):
        for atom, e in list(powers.items()):
            if (twice := argument(builder, atom, operation)) is None:
                continue
            for partner in operation, *others:
                for _, x, c, n in partners(builder, powers, partner, twice):
                    fits = c.numerator == 1 and 1 < c.denominator <= most
                    both = min(abs(e), abs(n)) if fits and e * n < 0 and atom in powers else 0
                    if both:
                        s, part = (both if e > 0 else -both), builder.value(x)
                        rest = [o(part) for o in others] or [_geometric(part, c.denominator)]
                        parts = [operation(part), *rest]
                        powers = multiplied(powers, (atom, -s), *((v.atom, s) for v in parts))
                        scale *= Fraction(2) ** (s * len(others))
    return scale, powers


def _geometric(x: Value, n: int) -> Value:
    """1 + exp(x) + ... + exp((n - 1)*x)."""
    total = 1 + exp(x)
    for k in range(2, n):
        total = total + exp(k * x)
    return total  # type: ignore[no-any-return]


def _joined(
    builder: Rebuilder, powers: Powers, pair: tuple[Basic, Basic], sign_: int, whole: tuple[Basic, int], always: bool
) -> Powers:
    """A power for two functions that are multiplied (sign 1) or divided (sign -1), where it saves one, or `always`."""
    up, down = (powers.get(a, 0) for a in pair)
    both = min(abs(up), abs(down)) if up * down * sign_ > 0 else 0
    if not both or not (always or all(map(builder.lonely, pair))):
        return powers
    s = 1 if up > 0 else -1
    return multiplied(powers, (pair[0], -s * both), (pair[1], -s * sign_ * both), (whole[0], s * both * whole[1]))


_LIMITS: dict[Operation, Operation] = {sin: sinc, erf: erfrel, expm1: exprel, sinh: sinhc, tanh: tanhc, log1p: log1prel}
_OF_INVERSES: dict[Operation, Operation] = {asin: sinc, asinh: sinhc, atanh: tanhc}  # x is f(u) for u = asin(x)
_VANISHING = (*_LIMITS, *_OF_INVERSES, tan, atan)


def limits(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sin(c*x)/x = c*sinc(c*x) and its kin, also upside down; the power of x that is left has no other sign.

    The inverse of a function has the reciprocal limit at its own value: asin(x)/x = 1/sinc(asin(x)).
    """
    coefficient, powers = _of_each_other(builder, m)
    for atom, e in powers.copy().items():
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if expr is None or operation not in _VANISHING:
            continue
        x = builder.look(operands(expr)[0])
        inner = factors(builder, x)
        count = _divisions(powers, e, Monomial(powers={x: 1}))
        count = count or (_divisions(powers, e, inner) if inner is not None else 0)
        if inner is None or not count or builder.type_of(x).shape != builder.type_of(atom).shape:
            continue
        s = 1 if e > 0 else -1
        changes = [*_safe(builder, atom, s * count), (atom, -s * count)]
        if powers.get(x, 0) * e < 0:
            changes.append((x, s * count))
        else:
            changes += ((a, k * s * count) for a, k in inner.powers.items())
            coefficient *= inner.coefficient ** (s * count)
        powers = multiplied(powers, *changes)
    return Monomial(coefficient, powers, m.extra) if powers != m.powers else None


def _of_each_other(builder: Rebuilder, m: Monomial) -> tuple[Fraction, Powers]:
    """log1p(-x)/log1p(x) is -x*log1p(-x)/(-x) over x*log1p(x)/x: both have limits."""
    coefficient, powers = m.coefficient, m.powers
    above, below = ([a for a, e in powers.items() if e * s > 0 and _vanishes(builder, a)] for s in (1, -1))
    for f in above:
        for g in below:
            x, y = (operands(builder.inside(a))[0] for a in (f, g))
            c = multiple(builder, x, y)
            if c is None or len({builder.type_of(a).shape for a in (x, y)}) > 1:
                continue
            both = min(powers.get(f, 0), -powers.get(g, 0))
            if both > 0:
                changes = [(f, -both), (g, both), *_safe(builder, f, both), *_safe(builder, g, -both)]
                coefficient, powers = coefficient * c**both, multiplied(powers, *changes)
    return coefficient, powers


def _vanishes(builder: Rebuilder, atom: Basic) -> bool:
    """True for a function that is as its argument near 0."""
    expr = builder.inside(atom)
    return expr is not None and operation_of(expr) in _VANISHING


def _safe(builder: Rebuilder, atom: Basic, e: int) -> list[tuple[Basic, int]]:
    """Factors of (f(x)/x)^e of an atom f(x)."""
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    assert expr is not None
    assert operation is not None
    x = builder.look(operands(expr)[0])
    if operation is tan:
        return [(builder.apply(sinc, (x,), (0,)), e), (builder.apply(cos, (x,)), -e)]
    if operation is atan:
        return [(sinc(builder.value(atom), 0).atom, -e), (hypot(builder.value(x), 1).atom, -e)]
    if operation in _OF_INVERSES:
        inverse = _OF_INVERSES[operation]
        return [(builder.apply(inverse, (atom,), (0,) if inverse is sinc else ()), -e)]
    safe = _LIMITS[operation]
    return [(builder.apply(safe, (x,), (0,) if safe in (sinc, erfrel) else ()), e)]


def near_exponentials(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """(exp(2*x) - exp(x))/x = exp(x)*exprel(x), x*exp(2*x)/(exp(2*x) - exp(x)) = 1/exprel(-x)."""
    if exp not in builder.present:
        return None
    for atom, e in m.powers.items():
        parts = operands_of(builder, atom) if is_one_of(builder, atom, add, subtract) else ()
        terms = summands(builder, atom) if any(is_one_of(builder, a, exp) for a in parts) else None
        if terms is None or len(terms) != 2 or terms[0].coefficient != -terms[1].coefficient:
            continue
        for high, low in (terms, terms[::-1]):
            found = _exponents(builder, high, low)
            if found is None or not any(m.powers.get(a, 0) * n * e < 0 for a, n in found[0].powers.items()):
                continue
            d, value = found
            outside = low.powers
            if all(m.powers.get(a, 0) * n * e < 0 for a, n in high.powers.items()):  # p/(p - q) = 1/(1 - q/p)
                outside, value = high.powers, -value
            changes = [(a, n * e) for a, n in (*d.powers.items(), *outside.items(), (exprel(value).atom, 1))]
            scale = high.coefficient * d.coefficient
            return Monomial(m.coefficient * scale**e, multiplied(m.powers, (atom, -e), *changes), m.extra)
    return None


def _exponents(builder: Rebuilder, high: Monomial, low: Monomial) -> tuple[Monomial, Value] | None:
    """a - b of exp(a) and exp(b), where a is a larger multiple of b: as a product, and as a number."""
    exponents = []
    for t in (high, low):
        ((atom, e),) = t.powers.items() if len(t.powers) == 1 else ((None, 0),)
        x = argument(builder, atom, exp) if atom is not None else None
        if x is None:
            return None
        exponents.append(builder.value(x) * e)
    a, b = exponents
    ratio = multiple(builder, a.atom, b.atom)
    d = factors(builder, b.atom)
    if ratio is None or ratio <= 1 or d is None:
        return None
    scale = Rational(*(ratio - 1).as_integer_ratio())
    return Monomial(d.coefficient * (ratio - 1), d.powers), b * scale


def rationalised(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """(sqrt(1 + x) - 1)/x = 1/(sqrt(1 + x) + 1), where what is under the root less the number's square is not prime to x."""
    for atom, e in m.powers.items():
        found = _conjugate(builder, atom) if e > 0 else None
        divisor = None if found is None else _common(builder, m.powers, found[0])
        if found is not None and divisor is not None:
            (left, both), (below, parts) = found, divisor
            n = m.powers[below]
            inside = [(a, k * n) for a, k in parts.powers.items()]
            powers = multiplied(
                m.powers, (atom, -e), (both, -e), (below, -n), *inside, *((a, k * e) for a, k in left.powers.items())
            )
            return Monomial(m.coefficient * left.coefficient**e * parts.coefficient**n, powers, m.extra)
    return None


def _common(builder: Rebuilder, powers: Powers, left: Monomial) -> tuple[Basic, Monomial] | None:
    """A divisor, taken apart, that has a factor of `left`."""
    for atom, e in powers.items():
        parts = factors(builder, atom) if e < 0 else None
        if parts is not None and any(parts.powers.get(a, 0) * k > 0 for a, k in left.powers.items()):
            return atom, parts
    return None


def _conjugate(builder: Rebuilder, atom: Basic) -> tuple[Monomial, Basic] | None:
    """c^2*u - d^2, a product, and c*sqrt(u) + d, of an atom c*sqrt(u) - d with numbers c and d of one sign."""
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) not in (add, subtract) or all(isinstance(a, Symbol) for a in operands(expr)):
        return None
    terms = summands(builder, atom)
    if terms is None or len(terms) != 2:
        return None
    number, root = sorted(terms, key=lambda t: len(t.powers))
    ((s, e),) = root.powers.items() if len(root.powers) == 1 else ((None, 0),)
    u = argument(builder, s, sqrt) if s is not None and e == 1 else None
    inner = summands(builder, u) if u is not None else None
    if number.powers or inner is None or s is None or number.coefficient * root.coefficient >= 0:
        return None
    scaled = [Monomial(t.coefficient * root.coefficient**2, t.powers) for t in inner]
    left = collect([*scaled, Monomial(-(number.coefficient**2))])
    if len(left) != 1 or not left[0].powers:
        return None
    both = Plan([Monomial(root.coefficient, {s: 1}), Monomial(-number.coefficient)])
    return left[0], applied(builder, build(builder, both))


def shrinking(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sigmoid(x)/softplus(x) = exprel(-softplus(x)): for p = softplus(x) sigmoid(x) is 1 - exp(-p)."""
    powers = m.powers
    for atom in m.powers:
        x = argument(builder, atom, softplus)
        if x is None:
            continue
        share = builder.apply(sigmoid, (x,))
        both = min(powers.get(share, 0), -powers[atom])
        if both > 0:
            whole = exprel(-builder.value(atom))
            powers = multiplied(powers, (share, -both), (atom, both), (whole.atom, both))
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


def mean_logarithms(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """log(x)/(x - 1) = logrel(x), also upside down and of a multiple of 1 - x."""
    for atom, e in m.powers.items():
        x = argument(builder, atom, log)
        for divisor, n in m.powers.items() if x is not None else ():
            c = _of_successor(builder, divisor, x) if e * n < 0 else None
            if c is not None and x is not None:
                both = min(abs(e), abs(n)) * (1 if e > 0 else -1)
                powers = multiplied(m.powers, (atom, -both), (divisor, both), (builder.apply(logrel, (x,)), both))
                return Monomial(m.coefficient / c**both, powers, m.extra)
    return None


def _of_successor(builder: Rebuilder, atom: Basic, x: Basic) -> Fraction | None:
    """c where the atom is c*(x - 1)."""
    found, inner = summands(builder, atom), summands(builder, x)
    if found is None or inner is None or builder.type_of(atom).shape != builder.type_of(x).shape:
        return None
    want = collect([*inner, Monomial(Fraction(-1))])
    if len(found) != len(want):
        return None
    known = {t.key: t.coefficient for t in found}
    ratios = {known.get(t.key, Fraction(0)) / t.coefficient for t in want}
    return ratios.pop() if len(ratios) == 1 and 0 not in ratios else None


def _divisions(powers: Powers, e: int, inner: Monomial) -> int:
    """How many of e functions of `inner` one of its factors on the other side of the fraction takes.

    A function in the numerator has the factor to spare: sin(x^2)/x is x*sinc(x^2).
    """
    spare = 1 if e > 0 else 0
    counts = [
        (abs(powers.get(a, 0)) + spare * (k - 1)) // k
        for a, k in inner.powers.items()
        if k > 0 and powers.get(a, 0) * e < 0
    ]
    return min(max(counts, default=0), abs(e))


TANGENT = product_form(
    "sine over cosine", tangents, (sinh, tanh, sin, tan, expm1), "inf/inf for |x| >> 0; one function instead of two",
    "y*sinh(x)/cosh(x)^2",
)  # fmt: skip

LIMIT = product_form(
    "function over its argument", limits, _VANISHING, "0/0 at 0, where there is a limit",
    "sin(2*x)*y/x",
)  # fmt: skip

NEAR_EXPONENTIALS = product_form(
    "difference of exponentials over their exponent", near_exponentials, (add, subtract), "0/0 at 0, where there is a limit",
    "(exp(2*x) - exp(x))*y/x",
)  # fmt: skip
MEAN = product_form(
    "logarithm over what is added to 1", mean_logarithms, (log,), "0/0 at 1, where there is a limit",
    "y*log(x)/(x - 1)",
)  # fmt: skip

RATIONALISED = product_form(
    "root less a number over its argument", rationalised, (add, subtract),
    "0/0 at 0, where there is a limit", "(sqrt(1 + x) - 1)/x",
)  # fmt: skip
SHRINKING = product_form(
    "logistic over softplus", shrinking, (softplus,), "0/0 for x << 0", "y*sigmoid(x)/softplus(x)",
)  # fmt: skip
