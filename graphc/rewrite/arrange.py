"""The two normal forms of arithmetic: products in a fixed order, sums with like terms and factors collected.

In: an arithmetic operation in a builder.  Out: what takes its place, or None where it is in normal form already.
Always holds: a product is number, names, powers and sums, other functions, a minus sign in front; a sum keeps the
order of its terms; a region that the user wrote changes only where that saves operations.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from sympy import Basic, Integer, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, operation_of
from graphc.ops.composite import hypot_of_several, norm
from graphc.ops.elementwise import (
    absolute,
    divide,
    equal,
    hypot,
    multiply,
    negate,
    sign,
    where,
)  # fmt: skip
from graphc.rewrite.build import build
from graphc.rewrite.compare import EXPLORED
from graphc.rewrite.expansion import Reach, expanded, explored, with_products
from graphc.rewrite.polynomial import (
    ARITHMETIC,
    PRODUCTS,
    SUMS,
    Monomial,
    Plan,
    Region,
    Whole,
    collect,
    cost,
    operands_of,
    plan,
    terms,
    whole_product,
)  # fmt: skip
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

# In the order tried: around sums that are factors, where digits are kept; then through them.
CLOSED, NEAR, FAR = Reach(3, closed=True), Reach(1), Reach(3)
WHOLE = Reach(3, often=3, whole=True)

# --- forms ---------------------------------------------------------------------------------------------------------


def is_inner(builder: Rebuilder, operations: tuple[Operation, ...]) -> bool:
    """True where the symbol being rebuilt is part of a larger region: the region is treated at its end."""
    s = builder.current
    return s is not None and builder.lonely(s) and builder.uses.get(s) == 1 and builder.consumer.get(s) in operations


def consumed_by(builder: Rebuilder, operation: Operation) -> bool:
    """True where the symbol being rebuilt is an operand of this operation, and of no other."""
    return builder.current is not None and builder.consumer.get(builder.current) is operation


def outer_product(builder: Rebuilder, root: Root) -> Whole | None:
    """The product that is being rebuilt, taken apart; None where it is a factor of another, or no monomial."""
    return None if is_inner(builder, (multiply, divide)) else whole_product(builder, root)


def ordered_product(builder: Rebuilder, root: Root) -> Made | None:
    """A product with coefficient, signs and equal factors collected and its factors in order."""
    if is_inner(builder, PRODUCTS):
        return None
    for deep in (True, False) if divide in builder.present else (False,):
        whole = whole_product(builder, root, deep)
        if whole is None:
            return None
        found, region = whole.monomial, whole.region
        if not found.coefficient:
            return Integer(0)
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
    best, _ = _shorter(builder, root, region, collect(found), freed, equal=not builder.as_written)
    return None if best is None else _unless_same(builder, build(builder, best), root)


def collected_for_all(builder: Rebuilder, root: Root) -> Made | None:
    """The same through products that others use as well, where it saves operations if all do so."""
    if is_inner(builder, SUMS) or builder.current in builder.tried:
        return None
    region = Region()
    found = terms(builder, root, region, shared=True)
    if found is None or (len(found) < 2 and root.operation is negate):
        return None
    best, _ = _shorter(builder, root, region, collect(found), _freed_for_all, equal=True)
    return None if best is None else _once(builder, _unless_same(builder, build(builder, best), root))


def cancelled(builder: Rebuilder, root: Root) -> Made | None:
    """A region of sums and products multiplied out, where terms then cancel and that saves operations.

    Where it would if all that share a part of the region did so, that is noted in the builder.
    """
    if is_inner(builder, ARITHMETIC):
        return None
    far = explored(builder, root, FAR)
    if not far.cancels:  # then nothing does in a part of it
        return None
    chosen, most, tried = None, 0.0, []
    for reach in CLOSED, NEAR, FAR:
        region = far if reach is FAR else explored(builder, root, reach)
        found = expanded(builder, root, region, reach)
        best, gain = _shorter(builder, root, region, found, freed)
        if gain > most:
            chosen, most = best, gain
        tried.append((region, found))
        if not region.cut or (best is not None and reach is not CLOSED):
            break
    if chosen is not None:
        return _unless_same(builder, build(builder, chosen, _shared(builder)), root)
    if builder.tries and any(_shorter(builder, root, *both, _freed_for_all)[0] is not None for both in tried):
        assert builder.current is not None
        builder.promising.add(builder.current)
    return None


def cancelled_for_all(reach: Reach) -> Callable[[Rebuilder, Root], Made | None]:
    """The same, where it saves operations if all that share a part of the region do so."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        if is_inner(builder, ARITHMETIC) or builder.current in builder.tried:
            return None
        region = explored(builder, root, reach)
        found = expanded(builder, root, region, reach)
        best, _ = _shorter(builder, root, region, found, _freed_for_all)
        return (
            None
            if best is None
            else _once(builder, _unless_same(builder, build(builder, best, _shared(builder)), root))
        )

    return apply


def _once(builder: Rebuilder, result: Made | None) -> Made | None:
    """What is made on trial.  It need not save anything, and is undone where it does not: so a name is tried but once."""
    if result is not None and builder.current is not None:
        builder.tried.add(builder.current)
    return result


def _shorter(
    builder: Rebuilder, root: Root, region: Region, found: list[Monomial] | None, saved: Callable[..., float],
    equal: bool = False,
) -> tuple[Plan | None, float]:  # fmt: skip
    """The plan of a polynomial of collected terms and the operations it saves; none where it saves none (`equal`: costs some)."""
    limit = 0.0 if found is None else saved(builder, root, region, _atoms(found))
    if found is None or _least(found) >= limit + equal:
        return None, 0.0
    best = plan(found, builder.as_written)
    gain = limit - cost(best)
    if gain < 0 or (gain == 0 and not equal):
        return None, 0.0
    whole = with_products(found, region.sums)
    if whole is found:
        return best, gain
    kept = plan(whole, builder.as_written)
    other = saved(builder, root, region, _atoms(whole)) - cost(kept)
    return (kept, other) if other >= gain else (best, gain)


def _least(found: list[Monomial]) -> int:
    """Operations that no plan of a polynomial can save: every term is added, every atom is used."""
    return max(len(found), len(_atoms(found))) - 1


def _atoms(found: list[Monomial]) -> set[Basic]:
    return {a for m in found for a in m.powers}


def _freed_for_all(builder: Rebuilder, root: Root, region: Region, used: AbstractSet[Basic]) -> float:
    """Equations of a region, each counted by the share of its uses that lie in the region."""
    return (
        1
        - region.made
        + sum(min(n / max(builder.uses.get(a, 1), 1), 1) for a, n in region.visits.items() if a not in builder.kept)
    )


def _unless_same(builder: Rebuilder, result: Made, root: Root) -> Made | None:
    if isinstance(result, Root):
        same = result.operation is root.operation
        atoms = result.operands
    else:
        expr = builder.definition(result)
        same = expr is not None and operation_of(expr) is root.operation
        atoms = () if expr is None else operands(expr)
    return None if same and [*map(builder.look, atoms)] == [*map(builder.look, root.operands)] else result


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
            if atom in builder.kept or atom in used or arrived[atom] != builder.uses.get(atom, arrived[atom]):
                continue
            if atom in region.visits:
                todo.append(operands_of(builder, atom))
            elif builder.inside(atom) is not None:
                total += 1
    return total


# --- directions ------------------------------------------------------------------------------------------------------


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
                chosen = builder.current is not None and is_chosen(builder, builder.current, length)
                return None if chosen else _guarded(builder, found, x, length)
    return None


def vanishing(builder: Rebuilder, condition: Basic) -> Basic | None:
    """h of the condition h == 0."""
    found = _defined_by(builder, condition, equal)
    return builder.look(found[0]) if found and builder.look(found[1]) == 0 else None


def is_chosen(builder: Rebuilder, s: Symbol, length: Basic) -> bool:
    """True where a symbol is only used, in sums and products, in choices by `length == 0`."""
    todo, seen = [s], {s}
    while todo:
        s = todo.pop()
        users = builder.users.get(s)
        if s in builder.kept or not users or len(seen) > EXPLORED:
            return False
        for user in users:
            expr = builder.inside(user)
            operation = None if expr is None else operation_of(expr)
            if operation is where and vanishing(builder, operands_of(builder, user)[0]) == builder.look(length):
                continue
            if operation not in ARITHMETIC:
                return False
            if user not in seen:
                seen.add(user)
                todo.append(user)
    return True


def _measured(builder: Rebuilder, length: Basic) -> tuple[Basic, ...]:
    """What a length is the length of, where its operands have its shape or more; nothing where it is never 0."""
    operations = (norm, hypot, hypot_of_several, absolute)
    found = [builder.look(a) for o in operations for a in _defined_by(builder, length, o)]
    return () if any(a.is_Number and a != 0 for a in found) else tuple(found)


def _guarded(builder: Rebuilder, m: Monomial, x: Basic, length: Basic) -> Made | None:
    change = {length: 1, x: -1}
    if _defined_by(builder, length, absolute):
        safe = sign(builder.value(x)).atom
        change[safe] = -1 if m.powers.get(safe, 0) > 0 else 1  # x*sign(x)/|x| is 1
    else:
        quotient = builder.value(x) / builder.value(length)
        if quotient.shape != builder.type_of(x).shape:
            return None
        change[where(equal(builder.value(length), 0), 0, quotient).atom] = 1
    powers = {a: m.powers.get(a, 0) + change.get(a, 0) for a in (*m.powers, *change)}
    return build(builder, Plan([Monomial(m.coefficient, {a: e for a, e in powers.items() if e})]))


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
    "cancelling terms everywhere", ARITHMETIC, cancelled_for_all(FAR), "fewer operations, if all that share a part do so",
    "d = x + y; u = 2*x*y/d^2; (2*y/d - u)*sin(u)",
)  # fmt: skip
CANCEL_WHOLE = Form(
    "cancelling terms around what is used often", ARITHMETIC, cancelled_for_all(WHOLE),
    "fewer operations, if all that share a part do so", "z = (x - y)/w; d = 1 + z^2; u = 2*z*z/d^2; (1/d - u)*sin(u*z)",
)  # fmt: skip

SUM_ALL = Form(
    "like terms and common factors everywhere", SUMS, collected_for_all, "fewer operations, if all that share a part do so",
    "(x*(a*b) + a*c)*(y*(a*b) + a*c)",
)  # fmt: skip
CANCEL_CLOSED = Form(
    "cancelling terms around sums everywhere", ARITHMETIC, cancelled_for_all(CLOSED),
    "fewer operations, if all that share a part do so", "n = 3*y - x^3; d = 1 + x^2 + y^4; q = n/d^2; (4*y^3*q - 3/d)*sin(3*x^2/d + 2*x*q)",
)  # fmt: skip

TRIALS = (CANCEL_ALL, CANCEL_WHOLE, CANCEL_CLOSED, SUM_ALL)

__all__ = ["CANCEL", "DIRECTION", "PRODUCT", "SUM", "TRIALS", "consumed_by", "is_inner", "outer_product", "vanishing"]
