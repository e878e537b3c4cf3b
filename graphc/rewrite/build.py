"""Sums of products as equations: factors in a fixed order, powers of quotients, signs in differences.

In: a plan, in a builder.  Out: its equations, all but the last operation.
Always holds: a product is number, names, powers and sums, other functions; numbers before arrays.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Integer, Number, Rational, S, Symbol

from graphc.graph.operation import operation_of
from graphc.ops.elementwise import add, divide, multiply, negate, power, subtract
from graphc.rewrite.compare import factors
from graphc.rewrite.polynomial import PRODUCTS, Monomial, Plan, Powers
from graphc.rewrite.rule import Made, Rebuilder, Root


def build(builder: Rebuilder, value: Plan, sign_outside: bool = False) -> Made:
    """A plan as equations, all but the last operation."""
    parts = _leading_positive(value.terms)
    if not parts:
        return Integer(0)
    if sign_outside and len(parts) == 1 and parts[0].coefficient == -1:
        return Root(negate, (applied(builder, _product(builder, _absolute(parts[0]))),))
    result = _product(builder, parts[0])
    for m in parts[1:]:
        negative = m.coefficient < 0
        term = applied(builder, _product(builder, _absolute(m) if negative else m))
        result = Root(subtract if negative else add, (applied(builder, result), term))
    return result


def _leading_positive(parts: list[Monomial]) -> list[Monomial]:
    """-a + b as b - a: the same number, one operation less."""
    if len(parts) > 1 and parts[0].coefficient < 0 < parts[1].coefficient:
        return [parts[1], parts[0], *parts[2:]]
    return parts


def minus(builder: Rebuilder, atom: Basic) -> Basic:
    """-x, without a sign where x has one: x of -x, 2*x of -2*x."""
    if not isinstance(atom, Symbol):
        return -atom
    expr = builder.inside(atom)
    m = factors(builder, atom) if expr is not None and operation_of(expr) in PRODUCTS else None
    if m is None or m.coefficient > 0:
        return builder.apply(negate, (atom,))
    return summed(builder, [Monomial(-m.coefficient, m.powers)])


def _absolute(m: Monomial) -> Monomial:
    return Monomial(abs(m.coefficient), m.powers, m.extra)


def applied(builder: Rebuilder, result: Made) -> Basic:
    return builder.apply(result.operation, result.operands, result.statics) if isinstance(result, Root) else result


def summed(builder: Rebuilder, terms: list[Monomial]) -> Basic:
    """A sum of products."""
    return applied(builder, build(builder, Plan(terms)))


def _product(builder: Rebuilder, m: Monomial) -> Made:
    """coefficient * factors / divisors, the factors in order."""
    scale, divisor = _split(m.coefficient)
    if len(m.powers) == 1 and scale is S.One and divisor is S.One and not m.extra:
        ((atom, e),) = m.powers.items()
        if e > 1:
            return Root(power, (atom, Integer(e)))
    powers, up = _powers_of_quotients(builder, m.powers)
    up += _powers(builder, {a: e for a, e in powers.items() if e > 0})
    up += [applied(builder, build(builder, inner)) for inner in m.extra]
    down = _powers(builder, {a: -e for a, e in powers.items() if e < 0})
    if divisor is not S.One:
        down.append(divisor)
    numbers, arrays = zip(*(_by_rank(builder, atoms) for atoms in (up, down)), strict=True)
    if not arrays[0] or not any(numbers):
        return _quotient(builder, scale, up, down)
    first = _quotient(builder, scale, *numbers)
    return _quotient(builder, applied(builder, first), *arrays)


def _powers_of_quotients(builder: Rebuilder, powers: Powers) -> tuple[Powers, list[Basic]]:
    """a^2/b^2 as (a/b)^2, which is one power less and overflows later; the powers that are left, and these."""
    left, found = dict(powers), []
    for e in dict.fromkeys(e for e in powers.values() if e > 1 and -e in powers.values()):
        above, below = ([a for a, n in powers.items() if n == k] for k in (e, -e))
        if len({builder.type_of(a).shape for a in (*above, *below)}) == 1:
            base = applied(builder, _quotient(builder, Integer(1), above, below))
            found.append(builder.apply(power, (base, Integer(e))))
            left = {a: n for a, n in left.items() if abs(n) != e}
    return left, found


def _by_rank(builder: Rebuilder, atoms: list[Basic]) -> tuple[list[Basic], list[Basic]]:
    """Numbers and arrays."""
    parts: tuple[list[Basic], list[Basic]] = ([], [])
    for atom in atoms:
        parts[builder.type_of(atom).rank > 0].append(atom)
    return parts


def _quotient(builder: Rebuilder, first: Basic, up: list[Basic], down: list[Basic]) -> Made:
    """first * factors / divisors, each in order."""
    up, down = (sorted(atoms, key=lambda a: _rank(builder, a)) for atoms in (up, down))
    start: Made = first
    if up and (first is S.One or first is S.NegativeOne):
        start = up.pop(0) if first is S.One else Root(negate, (up.pop(0),))
    result = _chain(builder, start, up)
    if not down:
        return result
    return Root(divide, (applied(builder, result), applied(builder, _chain(builder, down[0], down[1:]))))


def _chain(builder: Rebuilder, first: Made, rest: list[Basic]) -> Made:
    for atom in rest:
        first = Root(multiply, (applied(builder, first), atom))
    return first


def _split(value: Fraction) -> tuple[Number, Number]:
    """A coefficient as factor and divisor: 1/3 divides, as x*(1/3) would be rounded twice; 0.1 and 1/2 multiply."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        return Rational(value.numerator, value.denominator), S.One
    return Integer(value.numerator), Integer(value.denominator)


def _powers(builder: Rebuilder, powers: Powers) -> list[Basic]:
    """Factors raised to their exponents, those of the same shape and exponent together: a^2*b^2 as (a*b)^2."""
    groups: dict[object, list[Basic]] = {}
    for atom, e in powers.items():
        groups.setdefault(atom if e == 1 else (e, builder.type_of(atom).shape), []).append(atom)
    return [_power(builder, atoms, powers[atoms[0]]) for atoms in groups.values()]


def _power(builder: Rebuilder, atoms: list[Basic], e: int) -> Basic:
    atoms = sorted(atoms, key=lambda a: _rank(builder, a))
    base = applied(builder, _chain(builder, atoms[0], atoms[1:]))
    return base if e == 1 else builder.apply(power, (base, Integer(e)))


def _rank(builder: Rebuilder, atom: Basic) -> tuple[int, int, float]:
    """Numbers before arrays; names, then powers and sums, then other functions; in the order of definition."""
    rank = builder.type_of(atom).rank
    if not isinstance(atom, Symbol):
        return rank, 0, 0
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if operation is None or (atom in builder.kept and atom in builder.written):
        kind = 1
    else:
        kind = 2 if operation in (power, add, subtract) else 3
    return rank, kind, builder.place[atom]
