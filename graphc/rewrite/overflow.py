"""Quotients of powers by sums of powers, which overflow together: Hill functions, Lorentz curves and their derivatives.

In: a product or quotient in a builder.  Out: what takes its place, or None.
Always holds: nothing infinite is divided by something infinite where the terms of the sum differ in size; in the
ordinary range each side is the other to a rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from sympy import Basic, Integer, Rational, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import Term as Pattern
from graphc.graph.operation import operation_of, variable
from graphc.ops.elementwise import (
    add,
    cosh,
    divide,
    exp,
    log,
    multiply,
    multiply_no_nan,
    power,
    sinh,
    subtract,
    xlogy,
)
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import build, summed
from graphc.rewrite.compare import factors, summands
from graphc.rewrite.hypotenuses import HYPOTENUSES, all_legs, with_lengths
from graphc.rewrite.polynomial import ARITHMETIC, Monomial, Plan, Powers, collect, whole_product
from graphc.rewrite.products import apart, argument, divided, is_one_of, multiplied, powers_of_one_base, product_form
from graphc.rewrite.rule import Form, Made, Match, Rebuilder, Root, Rule

MOST_EXPANDED = 4  # terms of a numerator that are divided one by one; of whole powers, which take no time, half of that
DEEPEST = 8
Exponent = list[Monomial]  # a sum: [2], [n, -1]


@dataclass(frozen=True)
class Term:
    """coefficient * base^exponent; a number has no base.  `powers` is the same as factors."""

    coefficient: Fraction
    powers: Powers
    base: Basic | None
    exponent: Exponent


def _power(builder: Rebuilder, atom: Basic, e: int) -> tuple[Basic, Exponent] | None:
    """Base and exponent of an atom raised to e; None where the exponent is no sum of products."""
    expr = builder.inside(atom)
    if expr is not None and operation_of(expr) is power:
        base, exponent = map(builder.look, operands(expr))
        found = summands(builder, exponent)
        return None if found is None else (base, [Monomial(m.coefficient * e, m.powers) for m in found])
    return builder.look(atom), [Monomial(Fraction(e))]


def _number(exponent: Exponent) -> Fraction | None:
    """An exponent that is a number."""
    left = collect(exponent)
    if not left:
        return Fraction(0)
    return left[0].coefficient if len(left) == 1 and not left[0].powers else None


def _whole(exponent: Exponent) -> int | None:
    """An exponent that is a whole number."""
    n = _number(exponent)
    return int(n) if n is not None and n.denominator == 1 else None


def _difference(a: Exponent, b: Exponent) -> Exponent:
    return collect([*a, *(Monomial(-m.coefficient, m.powers) for m in b)])


def _sum_of_powers(builder: Rebuilder, total: Basic) -> list[Term] | None:
    """Terms of a sum of a few powers and at most one number."""
    expr = builder.inside(total)
    if expr is None or operation_of(expr) not in (add, subtract):
        return None
    found = []
    parts = summands(builder, total)
    if parts is None or len(parts) != 2:
        return None
    for m in parts:
        if not m.powers:
            found.append(Term(m.coefficient, {}, None, []))
            continue
        ((atom, e), *others) = m.powers.items()
        raised = None if others else _power(builder, atom, e)
        if raised is None:
            return None
        found.append(Term(m.coefficient, m.powers, *raised))
    return found


def _bases(terms: list[Term]) -> set[Basic]:
    return {t.base for t in terms if t.base is not None}


# --- one product ---------------------------------------------------------------------------------------------------


def bounded_powers(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x^5/(c + x^5) = 1/(c*x^-5 + 1), x^4/(c + x^5)^2 = 1/(c*x^-2 + x^3)^2, x^(n - 1)*k^n/(k^n + x^n)^2
    = 1/((k^n/x^(n - 1) + x)*(1 + x^n/k^n)): the sum is divided by the powers above it, term by term.
    """
    return None if builder.learns else _bounded(builder, apart(builder, m))


def _bounded(builder: Rebuilder, m: Monomial) -> Monomial | None:
    for atom, e in m.powers.items():
        expr = builder.inside(atom)
        if e == 1 and expr is not None and operation_of(expr) is xlogy:  # f*xlogy(p, x) is xlogy(f*p, x)
            p, x = operands(expr)
            found = _bounded(builder, apart(builder, Monomial(powers=multiplied(m.powers, (atom, -1), (p, 1)))))
            if found is None:
                return None
            weight = summed(builder, [found])
            return Monomial(m.coefficient, {builder.apply(xlogy, (weight, x)): 1}, m.extra)
    for total, e in m.powers.items():
        terms = _sum_of_powers(builder, total) if e < 0 else None
        m = _with_bases(builder, m, terms or [])
        divisors = _divisors(builder, m.powers, terms, -e) if terms else []
        if not divisors:
            continue
        assert terms is not None
        powers = multiplied(m.powers, (total, len(divisors)))
        for gone, base, exponent in divisors:
            quotient = _divided(builder, terms, gone, base, exponent)
            share = builder.apply(
                divide, (Integer(1), quotient)
            )  # a factor: divisors multiplied with each other overflow
            powers = multiplied(divided(powers, gone), (share, 1))
        return Monomial(m.coefficient, powers, m.extra)
    return None


def _with_bases(builder: Rebuilder, m: Monomial, terms: list[Term]) -> Monomial:
    """k/x^2*(k/x)^(n - 1) = (k/x)^n/x where k/x is the base of a term: x^2 vanishes where the other powers overflow."""
    for base in _bases(terms):
        inner = factors(builder, base) if is_one_of(builder, base, multiply, divide) else None
        counts = [int(m.powers.get(a, 0) / e) for a, e in inner.powers.items()] if inner is not None else [0]
        if inner is not None and min(counts) > 0:
            changes = [(a, -min(counts) * e) for a, e in inner.powers.items()]
            scale = m.coefficient / inner.coefficient ** min(counts)
            m = Monomial(scale, multiplied(m.powers, *changes, (base, min(counts))), m.extra)
            m = powers_of_one_base(builder, m) or m
    return m


def _divisors(
    builder: Rebuilder, powers: Powers, terms: list[Term], copies: int
) -> list[tuple[Powers, Basic, Exponent]]:
    """What each copy of a sum is divided by: factors, which are a power of a base of the sum, but no larger than its term."""
    found: list[tuple[Powers, Basic, Exponent]] = []
    for t in terms:
        if t.base is None:
            continue
        n, whole = _number(t.exponent), {}
        for atom, e in powers.items():
            raised = _power(builder, atom, 1)
            if raised is None or raised[0] != t.base or atom == t.base:
                continue
            k = _whole(raised[1])
            if k is not None:
                whole[atom] = k * e
            elif e > 0 and _is_at_most(raised[1], t.exponent):
                found += [({atom: 1}, t.base, raised[1])] * e
        if n is not None and n >= 1:
            found += _whole_divisors(builder, t.base, powers, whole, n, copies - len(found))
    return found[:copies]


def _is_at_most(a: Exponent, b: Exponent) -> bool:
    """True where x^a is between 1 and x^b, or less than x^b by a whole power."""
    gap = _number(_difference(b, a))
    x, y = ({m.key: m.coefficient for m in collect(e)} for e in (a, b))
    ratios = {y.get(key, Fraction(0)) / c for key, c in x.items()} if x.keys() == y.keys() else {Fraction(0)}
    return (gap is not None and gap >= 0) or (len(ratios) == 1 and ratios.pop() >= 1)


def _whole_divisors(
    builder: Rebuilder, x: Basic, powers: Powers, atoms: dict[Basic, int], n: Fraction, copies: int
) -> list[tuple[Powers, Basic, Exponent]]:
    """x^4 as x^2 for each of two sums, x^5 as x^5 for the first; x alone does not overflow, nor does x^3 over three sums,
    unless x is an exponential.
    """
    k = powers.get(x, 0) + sum(atoms.values())
    inner = factors(builder, x)
    large = inner is not None and any(is_one_of(builder, a, exp, sinh, cosh) for a in inner.powers)
    if k < (1 if large else 2) or n < (1 if large else 2) or copies < 1 or (k == copies and not large):
        return []
    each = k // copies if k % copies == 0 and 1 < k // copies <= n else min(k, int(n))
    count = min(k // each, copies)
    whole = {a: powers[a] for a in atoms} | ({x: powers[x]} if x in powers else {})
    left = k - each * count
    first = multiplied(whole, (x, -left - each * (count - 1)))
    rest = {x: each}
    return [(d, x, [Monomial(Fraction(each))]) for d in (first, *[rest] * (count - 1))]


def _divided(builder: Rebuilder, terms: list[Term], gone: Powers, base: Basic, exponent: Exponent) -> Basic:
    """The sum over base^exponent."""
    parts = []
    for t in terms:
        if t.base == base:
            parts.append(Monomial(t.coefficient, _raised(builder, base, _difference(t.exponent, exponent))))
        elif (k := _whole(exponent)) is not None:
            parts.append(Monomial(t.coefficient, multiplied(t.powers, (base, -k))))
        else:
            parts.append(Monomial(t.coefficient, divided(t.powers, gone)))
    return summed(builder, parts)


def _raised(builder: Rebuilder, x: Basic, exponent: Exponent) -> Powers:
    """x^exponent as factors."""
    whole, n = _whole(exponent), _number(exponent)
    if whole is not None:
        return {x: whole} if whole else {}
    e = Rational(n.numerator, n.denominator) if n is not None else summed(builder, exponent)
    return {builder.apply(power, (x, e)): 1}


def without_reciprocals(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x^-6/(c + x^-5)^2 = x^4/(c*x^5 + 1)^2: derived again, the other fraction is inf/inf at 0."""
    for total, e in m.powers.items():
        terms = _sum_of_powers(builder, total) if e < 0 else None
        for t in terms or ():
            n, x = _whole(t.exponent), t.base
            if terms is None or x is None or n is None or n > -2 or len(_bases(terms)) > 1:
                continue
            own = {a: k for a in m.powers if (k := _power_of(builder, a, x)) is not None}
            above = sum(k * m.powers[a] for a, k in own.items())
            if above < 0:
                whole = _divided(builder, terms, {x: n}, x, t.exponent)
                powers = multiplied(m.powers, (total, -e), (whole, e), *((a, -m.powers[a]) for a in own))
                return Monomial(m.coefficient, multiplied(powers, (x, above + n * e)), m.extra)
    return None


def _power_of(builder: Rebuilder, atom: Basic, x: Basic) -> int | None:
    """n of an atom x^n with a whole number n."""
    raised = _power(builder, atom, 1)
    return _whole(raised[1]) if raised is not None and raised[0] == x else None


# --- sums of products ----------------------------------------------------------------------------------------------


def vanishing_quotient(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """(6*x^2 - 2)/(1 + x^2)^3 is 0 where the denominator overflows, though the numerator may: it has fewer powers."""
    for total, e in m.powers.items():
        terms = _sum_of_powers(builder, total) if e < -1 else None
        large = [t for t in terms or () if t.base is not None]
        if terms is None or len(_bases(terms)) != 1:
            continue
        above = {a: k for a, k in m.powers.items() if k > 0}
        highest = max(large, key=lambda t: _number(t.exponent) or 0)
        degrees = [(k, _degree(builder, a, total, highest)) for a, k in above.items()]
        most = sum((k * d for k, d in degrees if d is not None), Fraction(0))
        if any(d is None for _, d in degrees) or not 0 < most <= -e - 1:
            continue
        inverse, numerator = (summed(builder, [Monomial(powers=p)]) for p in ({total: e}, above))
        whole = builder.apply(multiply_no_nan, (inverse, numerator))
        left = {a: k for a, k in m.powers.items() if a not in above and a != total}
        return Monomial(m.coefficient, multiplied(left, (whole, 1)), m.extra)
    return None


def sum_over_sum(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """A sum of powers over a sum of powers, term by term where they overflow together."""
    if builder.learns:
        return None
    m = apart(builder, m)
    above = [a for a, k in m.powers.items() if k == 1 and is_one_of(builder, a, add, subtract)]
    sums = [t for a, e in m.powers.items() if e < 0 for t in _sum_of_powers(builder, a) or ()] if above else []
    if not sums or not any(_has_base(builder, t, sums) for a in above for t in summands(builder, a) or ()):
        return None
    found = vanishing_quotient(builder, m)
    if found is not None:
        return found
    most = MOST_EXPANDED // (1 if any(_number(t.exponent) is None for t in sums) else 2)
    parts, count = [m], 0
    while count < len(parts) <= most:
        count, parts = len(parts), [q for p in parts for q in _multiplied_out(builder, p)]
    if len(parts) > most:
        return None
    bounded = [_bounded(builder, p) for p in parts]
    return Monomial(extra=[Plan([b for b in bounded if b is not None])]) if None not in bounded else None


def _has_base(builder: Rebuilder, m: Monomial, terms: list[Term]) -> bool:
    """True where a product has a power of a base, maybe as that of a logarithm."""
    raised = [_power(builder, argument(builder, a, xlogy) or a, 1) for a in m.powers]
    return any(r is not None and r[0] in _bases(terms) for r in raised) or _with_bases(builder, m, terms) is not m


def _multiplied_out(builder: Rebuilder, m: Monomial) -> list[Monomial]:
    """The terms of a product of which one factor is a sum."""
    for atom, k in m.powers.items():
        parts = summands(builder, atom) if k == 1 and is_one_of(builder, atom, add, subtract) else None
        if parts is not None:
            rest = multiplied(m.powers, (atom, -1))
            return [Monomial(m.coefficient * t.coefficient, multiplied(rest, *t.powers.items())) for t in parts]
    return [m]


def _degree(builder: Rebuilder, atom: Basic, total: Basic, t: Term, depth: int = DEEPEST) -> Fraction | None:
    """d where an atom grows no faster than total^d, logarithms aside; None where that is not known."""
    if atom == total:
        return Fraction(1)
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None:
        return Fraction(0) if atom != t.base else _of_power(t, [Monomial()])
    if operation is power:
        raised = _power(builder, atom, 1)
        return _of_power(t, raised[1]) if raised is not None and raised[0] == t.base else None
    if operation is log or depth == 0:
        return Fraction(0) if depth else None
    if operation is xlogy:
        return _degree(builder, builder.look(operands(expr)[0]), total, t, depth - 1)
    if operation not in ARITHMETIC:
        return None
    found = Fraction(0)
    for m in summands(builder, atom) or [Monomial(powers={atom: -1})]:
        if any(k < 0 and a != total for a, k in m.powers.items()):
            return None
        degrees = [(k, _degree(builder, a, total, t, depth - 1)) for a, k in m.powers.items() if k > 0]
        if any(d is None for _, d in degrees):
            return None
        found = max(found, sum((k * d for k, d in degrees if d is not None), Fraction(0)))
    return found


def _of_power(t: Term, exponent: Exponent) -> Fraction | None:
    """The degree of base^exponent."""
    n, k = _number(t.exponent), _number(exponent)
    if n is not None and k is not None:
        return max(k / n, Fraction(0)) if n > 0 else None
    gap = _number(_difference(t.exponent, exponent))
    return Fraction(1) if gap is not None and gap >= 0 else None


def share_of_a_sum(builder: Rebuilder, root: Root) -> Made | None:
    """x/(k + x)^2 as (x/(k + x))/(k + x): the square overflows where the quotient does not; x*y/hypot(x, y)^3, too."""
    whole = None if builder.learns or is_inner(builder, (multiply, divide)) else whole_product(builder, root)
    if whole is None:
        return None
    lengths = not builder.present.isdisjoint(HYPOTENUSES)
    m = apart(builder, whole.monomial) if lengths else whole.monomial
    powers = with_lengths(builder, m.powers) if lengths else m.powers
    for total, e in powers.items():
        parts = _parts(builder, total) if e <= -2 else []
        for part in parts:
            n = min(powers.get(part, 0), -powers.get(total, 0))
            if n > 0:
                share = builder.apply(divide, (part, total))
                powers = multiplied(powers, (total, n), (part, -n), (share, n))
    if powers == m.powers:
        return None
    made = build(builder, Plan([Monomial(m.coefficient, powers, m.extra)]))
    return None if isinstance(made, Root) and made.operands == root.operands else made


def _parts(builder: Rebuilder, total: Basic) -> list[Basic]:
    """The terms of a sum that are single factors; the legs of a hypotenuse."""
    if is_one_of(builder, total, add, subtract):
        return [a for t in summands(builder, total) or () for a in t.powers if t.powers == {a: 1}]
    return [a for a in all_legs(builder, total) if isinstance(a, Symbol)]


def _inverse(match: Match) -> Pattern | None:
    """y*x^n of y/x^(-n), for a whole number n."""
    c = match.atom("c")
    return _Y * _X ** (-c) if c.is_Integer and c < 0 else None


_X, _Y, _C = (variable(name) for name in "xyc")
INVERSES = (
    Rule("quotient by a reciprocal power", _Y / _X**_C, _inverse, None, "derivatives have poles that cancel", "y/x^(-2)"),
    Rule("quotient by a reciprocal", _Y / (1 / _X), _Y * _X, None, "derivatives have poles that cancel", "y/(1/x)"),
)  # fmt: skip
NEGATIVE = product_form(
    "reciprocal power in a sum below the line", without_reciprocals, (add, subtract),
    "inf/inf where the reciprocal overflows", "x^-3/(x^-3 - 5)^2",
)  # fmt: skip
BOUNDED = product_form(
    "powers over a sum of powers", bounded_powers, (add, subtract, multiply, divide),
    "inf/inf where the powers overflow", "x^5/(1 + x^5)",
)  # fmt: skip
SUM_OVER_SUM = product_form(
    "sum of powers over a sum of powers", sum_over_sum, (add, subtract, multiply, divide),
    "inf/inf where the powers overflow", "(6*x^2 - 2)/(1 + x^2)^3",
)  # fmt: skip
SHARE = Form(
    "share of a sum", (multiply, divide), share_of_a_sum, "the square overflows", "x/(k + x)^2",
)  # fmt: skip
