"""The two normal forms of arithmetic: products in a fixed order, sums with like terms and factors collected.

In: an arithmetic operation in a builder.  Out: what takes its place, or None where it is in normal form already.
Always holds: a product is number, names, powers and sums, other functions, a minus sign in front; a sum keeps the
order of its terms; a region that the user wrote changes only where that saves operations.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from fractions import Fraction

from sympy import Basic, Integer, Number, Rational, S, Symbol

from graphc.graph.operation import Operation, operation_of
from graphc.ops.composite import norm
from graphc.ops.elementwise import (
    absolute,
    add,
    divide,
    equal,
    hypot,
    multiply,
    negate,
    power,
    sign,
    subtract,
    where,
)  # fmt: skip
from graphc.rewrite.compare import factors
from graphc.rewrite.expansion import expanded
from graphc.rewrite.polynomial import (
    ARITHMETIC,
    PRODUCTS,
    SUMS,
    Monomial,
    Plan,
    Powers,
    Region,
    collect,
    cost,
    operands_of,
    plan,
    terms,
    whole_product,
)  # fmt: skip
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

# --- forms ---------------------------------------------------------------------------------------------------------


def is_inner(builder: Rebuilder, operations: tuple[Operation, ...]) -> bool:
    """True where the symbol being rebuilt is part of a larger region: the region is treated at its end."""
    s = builder.current
    return s is not None and builder.lonely(s) and builder.uses.get(s) == 1 and builder.consumer.get(s) in operations


def consumed_by(builder: Rebuilder, operation: Operation) -> bool:
    """True where the symbol being rebuilt is an operand of this operation, and of no other."""
    return builder.current is not None and builder.consumer.get(builder.current) is operation


def ordered_product(builder: Rebuilder, root: Root) -> Made | None:
    """A product with coefficient, signs and equal factors collected and its factors in order."""
    if is_inner(builder, PRODUCTS):
        return None
    for deep in (True, False) if divide in builder.present else (False,):
        whole = whole_product(builder, root, deep)
        if whole is None:
            return None
        found, region = whole.monomial, whole.region
        saved = freed(builder, root, region, found.powers.keys()) - cost(Plan([found]))
        sign = found.coefficient == -1  # signs are free: they end in a difference, or in the next product's coefficient
        if saved > 0 or (saved + sign >= 0 and not deep and not _as_written(builder, region)):
            return _unless_same(builder, build(builder, Plan([found]), _shared(builder)), root)
    return None


def _shared(builder: Rebuilder) -> bool:
    """True where several equations use the symbol being rebuilt: signs then stand outside, for all to look through."""
    s = builder.current
    return s is not None and s not in builder.kept and builder.uses.get(s, 1) > 1


def collected_sum(builder: Rebuilder, root: Root) -> Made | None:
    """A sum with like terms and common factors collected, where that saves operations."""
    if is_inner(builder, SUMS):
        return None
    region = Region()
    found = terms(builder, root, region)
    if found is None or (len(found) < 2 and root.operation is negate):
        return None
    best = _shorter(builder, root, region, collect(found), freed)
    return None if best is None else _unless_same(builder, build(builder, best), root)


def cancelled(builder: Rebuilder, root: Root) -> Made | None:
    """A region of sums and products multiplied out, where terms then cancel and that saves operations.

    Where it would if all that share a part of the region did so, that is noted in the builder.
    """
    if is_inner(builder, ARITHMETIC):
        return None
    for depth in (1, 3):
        region = Region()
        found = expanded(builder, root, region, depth)
        best = None if found is None else _shorter(builder, root, region, found, freed)
        if best is not None:
            return _unless_same(builder, build(builder, best), root)
        if not region.cut:
            break
    if found is not None and _shorter(builder, root, region, found, _freed_for_all) is not None:
        assert builder.current is not None
        builder.promising.add(builder.current)
    return None


def cancelled_for_all(builder: Rebuilder, root: Root) -> Made | None:
    """The same, where it saves operations if all that share a part of the region do so."""
    if is_inner(builder, ARITHMETIC):
        return None
    region = Region()
    found = expanded(builder, root, region, 3)
    best = None if found is None else _shorter(builder, root, region, found, _freed_for_all)
    return None if best is None else _unless_same(builder, build(builder, best), root)


def _shorter(
    builder: Rebuilder, root: Root, region: Region, found: list[Monomial], saved: Callable[..., float]
) -> Plan | None:
    """The plan of a polynomial of collected terms, where it has fewer operations than it saves."""
    limit = saved(builder, root, region, {a for m in found for a in m.powers})
    if _least(found) >= limit:
        return None
    best = plan(found)
    return best if cost(best) < limit else None


def _least(found: list[Monomial]) -> int:
    """Operations that no plan of a polynomial can save: every term is added, every atom is used."""
    return max(len(found), len({a for m in found for a in m.powers})) - 1


def _freed_for_all(builder: Rebuilder, root: Root, region: Region, used: AbstractSet[Basic]) -> float:
    """Equations of a region, each counted by the share of its uses that lie in the region."""
    return 1 + sum(
        min(n / max(builder.uses.get(a, 1), 1), 1) for a, n in region.visits.items() if a not in builder.kept
    )


def _unless_same(builder: Rebuilder, result: Made, root: Root) -> Made | None:
    if not isinstance(result, Root) or result.operation is not root.operation:
        return result
    return None if [*map(builder.look, result.operands)] == [*map(builder.look, root.operands)] else result


def _as_written(builder: Rebuilder, region: Region) -> bool:
    """Nothing but the user's own text: its order of factors stays."""
    return builder.as_written and all(a in builder.written for a in region.visits)


def freed(builder: Rebuilder, root: Root, region: Region, used: AbstractSet[Basic]) -> int:
    """How many equations go when a region is replaced: its root, and what only freed equations use."""
    arrived: dict[Basic, int] = {}
    total, todo = 0, [root.operands]
    while todo:
        total += 1
        for atom in map(builder.look, todo.pop()):
            if not isinstance(atom, Symbol):
                continue
            arrived[atom] = arrived.get(atom, 0) + 1
            if atom in builder.kept or arrived[atom] != builder.uses.get(atom, arrived[atom]):
                continue
            if atom in region.visits:
                todo.append(operands_of(builder, atom))
            elif atom not in used and builder.inside(atom) is not None:
                total += 1
    return total


# --- building ------------------------------------------------------------------------------------------------------


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
    return applied(builder, build(builder, Plan([Monomial(-m.coefficient, m.powers)])))


def _absolute(m: Monomial) -> Monomial:
    return Monomial(abs(m.coefficient), m.powers, m.extra)


def applied(builder: Rebuilder, result: Made) -> Basic:
    return builder.apply(result.operation, result.operands, result.statics) if isinstance(result, Root) else result


def _product(builder: Rebuilder, m: Monomial) -> Made:
    """coefficient * factors / divisors, the factors in order."""
    scale, divisor = _split(m.coefficient)
    if len(m.powers) == 1 and scale is S.One and divisor is S.One and not m.extra:
        ((atom, e),) = m.powers.items()
        if e > 1:
            return Root(power, (atom, Integer(e)))
    up = _powers(builder, {a: e for a, e in m.powers.items() if e > 0})
    up += [applied(builder, build(builder, inner)) for inner in m.extra]
    down = _powers(builder, {a: -e for a, e in m.powers.items() if e < 0})
    if divisor is not S.One:
        down.append(divisor)
    numbers, arrays = zip(*(_by_rank(builder, atoms) for atoms in (up, down)), strict=True)
    if not arrays[0] or not any(numbers):
        return _quotient(builder, scale, up, down)
    first = _quotient(builder, scale, *numbers)
    return _quotient(builder, applied(builder, first), *arrays)


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


def _defined_by(builder: Rebuilder, atom: Basic, operation: Operation) -> tuple[Basic, ...]:
    """Operands of the operation that defines an atom, if it is this one."""
    expr = builder.inside(atom)
    return operands_of(builder, atom) if expr is not None and operation_of(expr) is operation else ()


def guarded_direction(builder: Rebuilder, root: Root) -> Made | None:
    """x/norm(x) in a derivative is 0 at the origin; what a program itself divides by a norm stays a quotient."""
    if builder.as_written or is_inner(builder, PRODUCTS) or consumed_by(builder, where):
        return None
    whole = whole_product(builder, root)
    if whole is None:
        return None
    found = whole.monomial
    for length, e in found.powers.items():
        for x in _measured(builder, length) if e == -1 else ():
            if found.powers.get(x, 0) > 0:
                return _guarded(builder, found, x, length)
    return None


def _measured(builder: Rebuilder, length: Basic) -> tuple[Basic, ...]:
    """What a length is the length of, where its operands have its shape or more."""
    found = [a for o in (norm, hypot, absolute) for a in _defined_by(builder, length, o)]
    return tuple(map(builder.look, found))


def _guarded(builder: Rebuilder, m: Monomial, x: Basic, length: Basic) -> Made | None:
    if _defined_by(builder, length, absolute):
        safe = sign(builder.value(x)).atom
    else:
        quotient = builder.value(x) / builder.value(length)
        if quotient.shape != builder.type_of(x).shape:
            return None
        safe = where(equal(builder.value(length), 0), 0, quotient).atom
    powers = {a: e - (a == x) for a, e in m.powers.items() if a != length}
    return build(builder, Plan([Monomial(m.coefficient, {**{a: e for a, e in powers.items() if e}, safe: 1})]))


DIRECTION = Form(
    "direction of a vector", (multiply, divide), guarded_direction, "0/0 at the origin, where the derivative is 0",
    "y = hypot(x, z); J = x^2/y; g = grad(J, x); output g",
)  # fmt: skip
PRODUCT = Form(
    "product in order", PRODUCTS, ordered_product,
    "number, names, powers and sums, functions: equal products are then one symbol", "(-sin(x))*(2*x)",
)  # fmt: skip
SUM = Form("like terms and common factors", SUMS, collected_sum, "fewer operations", "a*b + a*c")
CANCEL = Form("cancelling terms", ARITHMETIC, cancelled, "fewer operations", "t*(1 - s) - (1 - t)*s")
CANCEL_ALL = Form(
    "cancelling terms everywhere", ARITHMETIC, cancelled_for_all, "fewer operations, if all that share a part do so",
    "d = x + y; u = 2*x*y/d^2; output u, v; v = 2*y/d - u",
)  # fmt: skip

__all__ = [
    "CANCEL",
    "CANCEL_ALL",
    "DIRECTION",
    "PRODUCT",
    "SUM",
    "applied",
    "build",
    "consumed_by",
    "is_inner",
    "minus",
]
