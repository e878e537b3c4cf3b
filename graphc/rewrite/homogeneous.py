"""Rational functions far out, where numerator and denominator overflow together: (3*x^4 + x)/(x^4 + 2*x^2 + 1).

In: an outermost product in a builder, with all the sums and products it is made of.  Out: what takes its place, or None.
Always holds: nothing changes where all variables are of ordinary size; far out the function is multiplied out over one
denominator and its terms are made homogeneous: with s the largest variable, P(x, y) of degree d is s^d*P(x/s, y/s, 1/s).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from sympy import Basic, Rational

from graphc.graph.graph import operands
from graphc.graph.operation import Value, operation_of
from graphc.ops.elementwise import (
    absolute,
    add,
    divide,
    less,
    logical_or,
    maximum,
    multiply,
    sqrt,
    subtract,
    where,
)
from graphc.rewrite.build import applied, build, summed
from graphc.rewrite.compare import summands
from graphc.rewrite.expansion import over_sums
from graphc.rewrite.hypotenuses import HYPOTENUSES, all_legs, legs, squared, with_lengths
from graphc.rewrite.polynomial import ARITHMETIC, Monomial, Plan, collect, root_of, whole_product
from graphc.rewrite.products import apart, is_one_of, multiplied
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

ORDINARY = 2**10  # its powers to the twelfth fit into single numbers
MOST_TERMS = 24
CLIMBED = 16  # sums and products around a product


@dataclass(frozen=True)
class Divisor:
    """(a sum of monomials)^exponent; a hypotenuse is that of its square, with half the exponent."""

    terms: list[Monomial]
    exponent: Fraction

    @property
    def degree(self) -> int:
        return max(sum(t.powers.values()) for t in self.terms)


@dataclass(frozen=True)
class Quotient:
    """Terms over one denominator, and the variables of all sums in that."""

    terms: list[Monomial]
    below: dict[Basic, Divisor]
    variables: list[Basic]

    def degree(self, m: Monomial) -> int:
        return sum(e for a, e in m.powers.items() if a in self.variables)

    @property
    def up(self) -> int:
        """The degree of the numerator."""
        return max(map(self.degree, self.terms))

    @property
    def down(self) -> Fraction:
        """The degree of the denominator."""
        return sum((d.exponent * d.degree for d in self.below.values()), Fraction(0))


def far_out(builder: Rebuilder, root: Root) -> Made | None:
    """N(x, y)/D(x, y) as s^k*N(x/s, y/s)/D(x/s, y/s) in homogeneous form, where a variable is large."""
    if builder.learns or _is_chosen(builder):
        return None
    found = _quotient(builder, root)
    if found is None:
        return None
    outer = _enclosing(builder)
    if outer is not None and _quotient(builder, outer) is not None:
        return None
    top = reduce(maximum, [absolute(builder.value(a)) for a in found.variables])
    far = less(ORDINARY, top)
    if all(len({*map(found.degree, terms)}) == 1 for terms in (found.terms, *(d.terms for d in found.below.values()))):
        far = logical_or(far, less(top, Rational(1, ORDINARY)))
    as_written = builder.apply(root.operation, root.operands)
    return where(far, builder.value(_scaled(builder, found, far, top)), builder.value(as_written)).atom


# --- taking apart ----------------------------------------------------------------------------------------------------


def _quotient(builder: Rebuilder, root: Root) -> Quotient | None:
    """An operation over one denominator, where that and the numerator overflow and a scaled denominator is never small."""
    if not _may_overflow(builder, root):
        return None
    terms = over_sums(builder, root, True, lambda a: _as_written(builder, a)) or []
    if any(is_one_of(builder, a, *HYPOTENUSES) for t in terms for a, e in t.powers.items() if e < 0):
        terms = [Monomial(t.coefficient, with_lengths(builder, t.powers)) for t in terms]
    below: dict[Basic, Divisor] = {}
    for atom in {a: None for t in terms for a, e in t.powers.items() if e < 0}:
        found = _divisor(builder, atom, -min(t.powers.get(atom, 0) for t in terms))
        if found is not None:
            below[atom] = found
    variables = list({a: None for d in below.values() for t in d.terms for a in t.powers})
    if not below or not all(_is_definite(d, variables) for d in below.values()):
        return None
    if not all(_is_given(builder, a) for t in terms for a in t.powers if a not in below):
        return None
    numerator = [m for t in terms for m in _above(t, below)]
    nested = len(numerator) > len(terms)
    if len(numerator) > MOST_TERMS or not (numerator := collect(numerator)):
        return None
    result = Quotient(numerator, below, variables)
    if not (nested or result.up >= 2) or result.down < 2 or (result.up - result.down).denominator == 2:
        return None
    return None if len(terms) == 1 and _is_simple(result) else result


def _may_overflow(builder: Rebuilder, root: Root) -> bool:
    """True where some divisor in a product and the sums it is made of is a polynomial of given variables.

    In long programs, where trials take too long as well, only divisors of the product itself count.
    """
    whole = whole_product(builder, root) if builder.tries or root.operation is divide else None
    todo = [] if whole is None else [whole.monomial]
    for _ in range(CLIMBED):
        if not todo:
            return False
        for atom, e in apart(builder, todo.pop()).powers.items():
            divisor = _divisor(builder, atom, -e) if e < 0 else None
            variables = [v for t in divisor.terms for v in t.powers] if divisor is not None else []
            if (
                divisor is not None
                and all(_is_given(builder, v) for v in variables)
                and _is_definite(divisor, variables)
            ):
                return True
            if e > 0 and builder.tries and is_one_of(builder, atom, add, subtract):
                todo += [t for t in summands(builder, atom) or () if t.powers]
    return False


def _is_given(builder: Rebuilder, atom: Basic) -> bool:
    """True for what is no function: given, or made of that by arithmetic."""
    expr = builder.inside(atom)
    return expr is None or operation_of(expr) in (add, subtract, multiply, divide)


def _as_written(builder: Rebuilder, atom: Basic) -> Basic | None:
    """The quotient as written of what this rule made of it."""
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) is not where:
        return None
    condition, _, other = map(builder.look, operands(expr))
    inner = builder.inside(condition)
    if inner is not None and operation_of(inner) is logical_or:
        inner = builder.inside(operands(inner)[0])
    chosen = inner is not None and operation_of(inner) is less and builder.look(operands(inner)[0]) == ORDINARY
    return other if chosen else None


def _is_chosen(builder: Rebuilder) -> bool:
    """True for both sides of what this rule made."""
    s = builder.current
    return s is not None and any(_as_written(builder, user) is not None for user in builder.users.get(s, ()))


def _divisor(builder: Rebuilder, atom: Basic, e: int) -> Divisor | None:
    """A sum of positive powers, or a hypotenuse, to an exponent."""
    exponent, terms = Fraction(e), []
    if is_one_of(builder, atom, *HYPOTENUSES):
        terms = [squared(builder, a) for a in all_legs(builder, atom) if not legs(builder, a)]
        exponent /= 2
    elif is_one_of(builder, atom, add, subtract):
        terms = [*(summands(builder, atom) or ())]
    found = [t for t in terms if t is not None and all(n > 0 for n in t.powers.values())]
    return Divisor(found, exponent) if found and len(found) == len(terms) else None


def _is_definite(d: Divisor, variables: list[Basic]) -> bool:
    """True where the highest power of each variable is a term: whichever is the largest, the scaled sum has that as 1."""
    pure = {a for t in d.terms if len(t.powers) == 1 for a, e in t.powers.items() if e == d.degree}
    return pure == {*variables}


def _above(t: Monomial, below: dict[Basic, Divisor]) -> list[Monomial]:
    """A term times the common denominator."""
    found = [Monomial(t.coefficient, {a: e for a, e in t.powers.items() if a not in below})]
    for atom, d in below.items():
        half = d.exponent.denominator
        copies = int(d.exponent * half) + t.powers.get(atom, 0)
        if copies % half:
            found = [Monomial(m.coefficient, multiplied(m.powers, (atom, 1))) for m in found]
        for _ in range(copies // half if len(found) <= MOST_TERMS else 0):
            found = [
                Monomial(m.coefficient * n.coefficient, multiplied(m.powers, *n.powers.items()))
                for m in found
                for n in d.terms
            ]
    return found


def _is_simple(found: Quotient) -> bool:
    """Powers over a sum of two, or over hypotenuses: rules of their own divide term by term."""
    one = len(found.variables) == 1
    return all(d.exponent.denominator == 2 or (len(d.terms) == 2 and one) for d in found.below.values())


def _enclosing(builder: Rebuilder) -> Root | None:
    """The outermost product that the symbol being rebuilt is part of, through sums that nothing else uses."""
    s, found = builder.current, None
    for _ in range(CLIMBED):
        if s is None or not builder.lonely(s) or builder.consumer.get(s) not in ARITHMETIC:
            break
        s = next(iter(builder.users[s]))
        root = root_of(builder, s)
        found = root if root is not None and root.operation in (multiply, divide) else found
    return found


# --- putting together ------------------------------------------------------------------------------------------------


def _scaled(builder: Rebuilder, found: Quotient, far: Value, top: Value) -> Basic:
    """The quotient of homogeneous polynomials of x/s and 1/s, times a power of s: of x itself, where that is all."""
    values = [builder.value(a) for a in found.variables]
    if len(values) == 1 and all(d.exponent.denominator == 1 for d in found.below.values()):
        inverse, parts = 1 / values[0], [None]
    else:
        inverse, parts = 1 / top, [where(far, v / top, v).atom for v in values]
    known = dict(zip(found.variables, parts, strict=True))

    def homogeneous(terms: Iterable[Monomial], degree: int) -> list[Monomial]:
        made = []
        for t in terms:
            powers = [(known.get(a, a), e) for a, e in t.powers.items()]
            left = (inverse.atom, degree - found.degree(t))
            made.append(Monomial(t.coefficient, multiplied({}, left, *((a, e) for a, e in powers if a is not None))))
        return made

    result = Monomial(powers=multiplied({}, (inverse.atom, int(found.down) - found.up)))
    for d in found.below.values():
        base = summed(builder, homogeneous(d.terms, d.degree))
        half = d.exponent.denominator
        base = builder.apply(sqrt, (base,)) if half == 2 else base
        result.powers = multiplied(result.powers, (base, -int(d.exponent * half)))
    result.extra.append(Plan(homogeneous(found.terms, found.up)))
    return applied(builder, build(builder, Plan([result])))


HOMOGENEOUS = Form(
    "polynomials over polynomials", (multiply, divide), far_out, "inf/inf where both overflow",
    "(3*x^4 + x)/(x^4 + 2*x^2 + 1)", needs=frozenset((divide,)),
)  # fmt: skip
