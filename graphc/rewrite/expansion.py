"""Regions of arithmetic multiplied out, so that terms cancel and fractions meet on one denominator.

In: an operation in a builder.  Out: its value as a polynomial in what the region is made of, or None.
Always holds: a region is of bounded size; denominators that are sums stay closed unless they cancel; sigmoid(-x) is read
as 1 - sigmoid(x) only where that leaves no such difference.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import add, divide, exp, multiply, negate, power, sigmoid, sqrt, subtract
from graphc.rewrite.polynomial import ONE, Monomial, Region, collect, exponent_of, fraction, root_of
from graphc.rewrite.rule import Rebuilder, Root

EXPANDED = 24  # terms of a polynomial that is multiplied out
EXPLORED = 32  # equations of a region that is multiplied out
OFTEN = 3  # a symbol that occurs more often may have like terms, though all are positive


def expanded(builder: Rebuilder, start: Root, region: Region, depth: int) -> list[Monomial] | None:
    """The region as a polynomial; None where it is too large, or nothing in it can meet anything else.

    `depth`: through how many symbols that others use as well it reaches.
    """
    found = _explore(builder, start, region, depth)
    if found is None or not _may_cancel(builder, [start, *found.values()], region):
        return None
    aliases = _complements(builder, region)
    table: dict[Basic, list[Monomial]] = {}
    for atom in sorted(found, key=builder.place.__getitem__):
        result = _combine(builder, found[atom], table, aliases)
        if result is None or len(result) > EXPANDED:
            return None
        table[atom] = result
    final = _combine(builder, start, table, aliases)
    value = None if final is None else _without_denominators(builder, final, table, aliases)
    return None if value is None or _has_complement(value, aliases) else value


def _explore(builder: Rebuilder, start: Root, region: Region, limit: int) -> dict[Basic, Root] | None:
    """The equations of a region; denominators that are sums stay closed."""
    found: dict[Basic, Root] = {}
    visits, roots = region.visits, builder.roots
    todo: list[tuple[Basic, int]] = [(a, 0) for a in start.operands]
    while todo:
        atom, depth = todo.pop()
        atom = builder.look(atom)
        if not isinstance(atom, Symbol):
            if fraction(atom) is None:
                region.leaf(atom)
            continue
        if atom in found:
            visits[atom] += 1
            continue
        root = roots[atom] if atom in roots else root_of(builder, atom)
        if root is None or depth >= limit or (root.operation is power and exponent_of(root) is None):
            region.cut |= depth >= limit and root is not None
            region.leaf(atom)
            continue
        found[atom] = root
        visits[atom] = 1
        if len(found) > EXPLORED:
            region.cut = False  # a larger region is too large as well
            return None
        inner = depth if builder.lonely(atom) else depth + 1
        todo += [(a, inner) for a in reversed(root.operands)]
    return found


def _may_cancel(builder: Rebuilder, roots: list[Root], region: Region) -> bool:
    """Terms can cancel only where something occurs twice, and something is negative or divided by; like terms add up
    where something occurs again and again."""
    most = max((count for found in (region.leaves, region.visits) for count in found.values()), default=0)
    if most < 2 and all(_opposite(builder, leaf) is None for leaf in region.leaves):
        return False
    return most > OFTEN or any(_takes_away(root) for root in roots)


def _takes_away(root: Root) -> bool:
    if root.operation in (subtract, negate, divide):
        return True
    return any(not isinstance(a, Symbol) and a.is_negative for a in root.operands)


def _opposite(builder: Rebuilder, atom: Basic) -> Basic | None:
    """x of sigmoid(-x) or exp(-x)."""
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) not in (sigmoid, exp):
        return None
    inner = builder.inside(operands(expr)[0])
    return None if inner is None or operation_of(inner) is not negate else builder.look(operands(inner)[0])


def _complements(builder: Rebuilder, region: Region) -> dict[Basic, list[Monomial]]:
    """Where s = sigmoid(x) occurs, sigmoid(-x) is 1 - s and exp(-x) is 1/s - 1."""
    logistic: dict[Basic, Basic] = {}
    for leaf in region.leaves:
        expr = builder.inside(leaf)
        if expr is not None and operation_of(expr) is sigmoid:
            logistic[builder.look(operands(expr)[0])] = leaf
    found = {}
    for leaf in region.leaves if logistic else ():
        x, expr = _opposite(builder, leaf), builder.inside(leaf)
        if x is not None and x in logistic and expr is not None:
            s, minus = logistic[x], Monomial(Fraction(-1))
            if operation_of(expr) is exp:
                found[leaf] = [Monomial(Fraction(1), {s: -1}), minus]
            else:
                found[leaf] = [Monomial(), Monomial(Fraction(-1), {s: 1})]
    return found


def _has_complement(value: list[Monomial], aliases: Table) -> bool:
    """True where terms m - m*s are left, or powers of s: m*sigmoid(-x) was better."""
    known = {m.key: m.coefficient for m in value}
    for s in {a for alias in aliases.values() for m in alias for a in m.powers}:
        for m in value:
            e = m.powers.get(s, 0)
            left = frozenset((a, n) for a, n in m.powers.items() if a != s)
            if abs(e) > 1 or (e == 1 and known.get(left) == -m.coefficient):
                return True
    return False


Table = dict[Basic, list[Monomial]]


def _polynomial(builder: Rebuilder, atom: Basic, table: Table, aliases: Table) -> list[Monomial]:
    atom = builder.look(atom)
    value = fraction(atom)
    if value is not None:
        return [Monomial(value)] if value else []
    return table.get(atom) or aliases.get(atom) or ([] if atom in table else [Monomial(powers={atom: 1})])


def _combine(builder: Rebuilder, root: Root, table: Table, aliases: Table) -> list[Monomial] | None:
    parts = [_polynomial(builder, a, table, aliases) for a in root.operands]
    if root.operation is add:
        return collect([*parts[0], *parts[1]])
    if root.operation is subtract:
        return collect([*parts[0], *map(_negative, parts[1])])
    if root.operation is negate:
        return [*map(_negative, parts[0])]
    if root.operation is multiply:
        return _product(parts[0], parts[1])
    if root.operation is divide:
        return _product(parts[0], _inverse(builder, root.operands[1], parts[1]))
    return _power(builder, root, parts[0])


def _inverse(builder: Rebuilder, atom: Basic, value: list[Monomial]) -> list[Monomial] | None:
    if not value:
        return None
    if len(value) > 1:  # a sum stays closed: it is an atom of its own
        root = root_of(builder, atom)
        n = exponent_of(root) if root is not None and root.operation is power else None
        base = root.operands[0] if root is not None and n is not None else atom
        return [Monomial(powers={builder.look(base): -(n or 1)})]
    return [Monomial(1 / value[0].coefficient, {a: -e for a, e in value[0].powers.items()})]


def _power(builder: Rebuilder, root: Root, base: list[Monomial]) -> list[Monomial] | None:
    n = exponent_of(root)
    if n is None or abs(n) > 8:
        return None
    if n < 0:
        inverse = _inverse(builder, root.operands[0], base)
        if inverse is None:
            return None
        base, n = inverse, -n
    result: list[Monomial] | None = [Monomial()]
    for _ in range(n):
        result = None if result is None else _product(result, base)
    return result


def _product(a: list[Monomial], b: list[Monomial] | None) -> list[Monomial] | None:
    """Every term times every term."""
    if b is None or len(a) * len(b) > EXPANDED * 4:
        return None
    return [_times(a[0], b[0])] if len(a) == len(b) == 1 else collect(_times(x, y) for x in a for y in b)


def _times(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a.powers)
    for atom, e in b.powers.items():
        powers[atom] = powers.get(atom, 0) + e
        if powers[atom] == 0:
            del powers[atom]
    if a.coefficient is ONE or b.coefficient is ONE:
        return Monomial(b.coefficient if a.coefficient is ONE else a.coefficient, powers)
    return Monomial(a.coefficient * b.coefficient, powers)


def _negative(m: Monomial) -> Monomial:
    return Monomial(-m.coefficient, m.powers)


def _without_denominators(builder: Rebuilder, value: list[Monomial], table: Table, aliases: Table) -> list[Monomial]:
    """Terms with 1/D, where D is a sum, are divided by what D was multiplied out to, if that leaves no rest; else
    terms are brought to one power of 1/D, or of 1/sqrt(D), if terms cancel then or can be divided."""
    below = dict.fromkeys(a for m in value for a, e in m.powers.items() if e < 0)
    closed = {d: divisor for d in below if len(divisor := table.get(d) or aliases.get(d) or []) > 1}
    for d, divisor in closed.items():
        value = _divided(value, d, divisor) or value
    for d in below:
        u, root = (d, 1) if d in closed else (_radicand(builder, d), 2)
        divisor = [] if u is None else closed.get(u) or table.get(u) or _sum_of(builder, u, table, aliases)
        others = [(o, closed[o]) for o in closed if o != d]
        under = [m for m in value if m.powers.get(d, 0) < 0]
        apart = [m for m in value if m.powers.get(d, 0) >= 0]
        tried = [
            *_over_one(value, d, divisor, root, others),
            *([*apart, *v] for v in _over_one(under, d, divisor, root, [])),
        ]
        value = min((value, *tried), key=len)
    return value


def _radicand(builder: Rebuilder, atom: Basic) -> Basic | None:
    expr = builder.inside(atom)
    return builder.look(operands(expr)[0]) if expr is not None and operation_of(expr) is sqrt else None


def _sum_of(builder: Rebuilder, atom: Basic, table: Table, aliases: Table) -> list[Monomial]:
    """A sum outside the region, multiplied out."""
    found: list[Monomial] = []
    todo = [(atom, 1)]
    for _ in range(EXPANDED):
        if not todo:
            return found
        item, sign = todo.pop()
        root = root_of(builder, item)
        if root is not None and root.operation in (add, subtract):
            todo += [(root.operands[1], -sign if root.operation is subtract else sign), (root.operands[0], sign)]
            continue
        known = _combine(builder, root, table, aliases) if root is not None else None
        for m in known or _polynomial(builder, item, table, aliases):
            found.append(Monomial(m.coefficient * sign, m.powers))
    return []


def _over_one(
    value: list[Monomial], d: Basic, divisor: list[Monomial], root: int, others: list[tuple[Basic, list[Monomial]]]
) -> list[list[Monomial]]:
    """Terms with different powers of 1/d over the largest, where d^root is `divisor`; also divided by other sums."""
    least = min((m.powers.get(d, 0) for m in value), default=0)
    if not divisor or least >= 0 or len({m.powers.get(d, 0) for m in value}) < 2:
        return []
    total: list[Monomial] = []
    for m in value:
        e = m.powers.get(d, 0)
        part: list[Monomial] | None = [_times(m, Monomial(powers={d: -e}))]
        for _ in range((e - least) // root):
            part = None if part is None else _product(part, divisor)
        if part is None:
            return []
        left = (e - least) % root
        total += [_times(p, Monomial(powers={d: left})) for p in part] if left else part
    numerator = collect(total)
    found = [numerator, *(v for o, p in others if (v := _divided(numerator, o, p)) is not None)]
    return [[_times(m, Monomial(powers={d: least})) for m in v] for v in found]


def _divided(value: list[Monomial], d: Basic, divisor: list[Monomial]) -> list[Monomial] | None:
    """Terms q*divisor/d in `value` become q."""
    rest = [m for m in value if m.powers.get(d, 0) >= 0]
    todo = {m.key: m for m in value if m.powers.get(d, 0) < 0}
    lead = divisor[0]
    found: list[Monomial] = []
    for _ in range(EXPANDED):
        if not todo:
            return collect([*rest, *found])
        first = next(iter(todo.values()))
        q = _times(first, Monomial(1 / lead.coefficient, {a: -e for a, e in lead.powers.items()}))
        found.append(_times(q, Monomial(Fraction(1), {d: 1})))
        for m in divisor:
            part = _times(q, m)
            old = todo.pop(part.key, None)
            left = (old.coefficient if old else Fraction(0)) - part.coefficient
            if left:
                todo[part.key] = Monomial(left, part.powers)
    return None
