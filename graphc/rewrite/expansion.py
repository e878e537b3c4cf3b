"""Regions of arithmetic multiplied out, so that terms cancel and fractions meet on one denominator.

In: an operation in a builder.  Out: its value as a polynomial in what the region is made of, or None.
Always holds: a region is of bounded size; denominators that are sums stay closed unless they cancel; sigmoid(-x) is read
as 1 - sigmoid(x) only where that leaves no such difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from sympy import Basic, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import (
    add,
    cos,
    cosh,
    divide,
    exp,
    multiply,
    negate,
    power,
    sigmoid,
    sin,
    sinh,
    sqrt,
    subtract,
)
from graphc.rewrite.build import applied, build
from graphc.rewrite.polynomial import (
    ONE,
    PRODUCTS,
    Monomial,
    Region,
    collect,
    cost,
    exponent_of,
    fraction,
    plan,
    root_of,
)
from graphc.rewrite.rule import Rebuilder, Root

EXPANDED = 24  # terms of a polynomial that is multiplied out
EXPLORED = 32  # equations of a region that is multiplied out
OFTEN = 3  # a symbol that occurs more often may have like terms, though all are positive


Table = dict[Basic, list[Monomial]]
Circle = tuple[Basic, Basic, int, int]


@dataclass(frozen=True)
class Reach:
    """Where a region ends: behind `depth` symbols that others use as well, and before those that are used `often`.

    `closed`: and before sums that are factors; `whole`: sums in a product below the line stay closed one by one.
    """

    depth: int
    often: float = math.inf
    whole: bool = False
    closed: bool = False


def explored(builder: Rebuilder, start: Root, reach: Reach) -> Region:
    """The region around an operation."""
    region = Region()
    region.roots = _explore(builder, start, region, reach)
    region.cancels = region.roots is None or _may_cancel(builder, [start, *region.roots.values()], region)
    return region


def expanded(builder: Rebuilder, start: Root, region: Region, reach: Reach) -> list[Monomial] | None:
    """The region as a polynomial; None where it is too large, or nothing in it can meet anything else."""
    roots = region.roots
    if roots is None or not region.cancels:
        return None
    known = Known(_complements(builder, region), reach.whole, _circles(builder, region))
    final = _multiplied_out(builder, start, roots, known)
    factors = (map(builder.look, r.operands) for r in (start, *roots.values()) if r.operation in (multiply, power))
    region.sums = {a: known.table[a] for atoms in factors for a in atoms if len(known.table.get(a, ())) > 1}
    found = None if final is None else _without_denominators(builder, final, known)
    if found is None or _has_complement(found, known.aliases):
        return None
    if reach.whole:
        found = _without_fractions_below(builder, found, region, known)
    return found


def _multiplied_out(builder: Rebuilder, start: Root, roots: dict[Basic, Root], known: Known) -> list[Monomial] | None:
    """The start of a region as a polynomial, with all that it is made of in the table."""
    for atom in sorted(roots, key=builder.place.__getitem__):
        result = _combine(builder, roots[atom], known)
        if result is None or len(result) > EXPANDED:
            return None
        known.table[atom] = result
    return _combine(builder, start, known)


def multiplied_out(builder: Rebuilder, atom: Basic) -> list[Monomial] | None:
    """An atom as a polynomial of all it is made of, with squares of roots as what they are roots of."""
    start = root_of(builder, atom)
    if start is None:
        return [Monomial(powers={builder.look(atom): 1})]
    return over_sums(builder, start)


def over_sums(
    builder: Rebuilder, start: Root, whole: bool = False, same: Callable[[Basic], Basic | None] | None = None
) -> list[Monomial] | None:
    """An operation as a polynomial of all it is made of, over sums; `whole`: over each sum of a product below the line.

    `same` gives what to take in the place of an atom.
    """
    region, known = Region(), Known({}, whole)
    roots = _explore(builder, start, region, Reach(EXPLORED))
    for leaf in region.leaves if same is not None else ():
        inner = root_of(builder, other) if same is not None and (other := same(leaf)) is not None else None
        if inner is not None and (value := over_sums(builder, inner, whole, same)) is not None:
            known.aliases[leaf] = value
    found = None if roots is None else _multiplied_out(builder, start, roots, known)
    return None if found is None else collect(_without_roots(builder, m) for m in found)


def readings(builder: Rebuilder, start: Root) -> list[list[Monomial]]:
    """An operation as a polynomial of sums and of all it is made of, and over common denominators; none if it is too large."""
    result: list[list[Monomial]] = []
    for reach in Reach(EXPLORED, closed=True), Reach(EXPLORED):
        region = Region()
        roots = _explore(builder, start, region, reach)
        known = Known({}, False, _circles(builder, region))
        found = None if roots is None else _multiplied_out(builder, start, roots, known)
        if found is not None:
            below, closed = _denominators(found, known)
            tried = (v for d in below for v in _over_one(found, d, *_divisor(builder, d, closed, known), known, []))
            result += [found, _without_denominators(builder, found, known), *tried]
            result.append(_without_fractions_below(builder, found, Region(), known, longer=True))
    return result


def _without_roots(builder: Rebuilder, m: Monomial) -> Monomial:
    """sqrt(x)^2 as x."""
    result = Monomial(m.coefficient, dict(m.powers))
    for atom, e in m.powers.items():
        inner, n = _radicand(builder, atom), abs(e) // 2 * (1 if e > 0 else -1)
        if inner is not None and n:
            value = fraction(inner)
            result = _times(result, Monomial(powers={atom: -2 * n}))
            result = _times(result, Monomial(powers={inner: n}) if value is None else Monomial(value**n))
    return result


def _explore(builder: Rebuilder, start: Root, region: Region, reach: Reach) -> dict[Basic, Root] | None:
    """The equations of a region; denominators that are sums stay closed."""
    found: dict[Basic, Root] = {}
    visits, known = region.visits, builder.roots
    todo = [(a, 0, start.operation in PRODUCTS) for a in start.operands]
    while todo:
        atom, depth, factor = todo.pop()
        atom = builder.look(atom)
        if not isinstance(atom, Symbol):
            if fraction(atom) is None:
                region.leaf(atom)
            continue
        if atom in found:
            visits[atom] += 1
            continue
        root = known[atom] if atom in known else root_of(builder, atom)
        closed = depth >= reach.depth or builder.uses.get(atom, 0) >= reach.often
        closed |= reach.closed and factor and root is not None and root.operation in (add, subtract)
        region.cut |= closed and root is not None
        if root is None or closed or (root.operation is power and exponent_of(root) is None):
            region.leaf(atom)
            continue
        found[atom] = root
        visits[atom] = 1
        if len(found) > EXPLORED:
            region.cut = False  # a larger region is too large as well
            return None
        inner = depth if builder.lonely(atom) else depth + 1
        todo += [(a, inner, root.operation in PRODUCTS) for a in reversed(root.operands)]
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
    """True where terms m - m*s or m - m/s are left, or powers of s: a product with sigmoid(-x) was better."""
    known = {m.key: m.coefficient for m in value}
    for s in {a for alias in aliases.values() for m in alias for a in m.powers}:
        for m in value:
            e = m.powers.get(s, 0)
            left = frozenset((a, n) for a, n in m.powers.items() if a != s)
            if abs(e) > 1 or (e and known.get(left) == -m.coefficient):
                return True
    return False


@dataclass
class Known:
    """What atoms are as polynomials: `aliases` of functions, `table` of the region's equations, `circles` of functions."""

    aliases: Table
    whole: bool
    circles: list[Circle] = field(default_factory=list)
    table: Table = field(default_factory=dict)


def _polynomial(builder: Rebuilder, atom: Basic, known: Known) -> list[Monomial]:
    atom = builder.look(atom)
    value = fraction(atom)
    if value is not None:
        return [Monomial(value)] if value else []
    table, aliases = known.table, known.aliases
    return table.get(atom) or aliases.get(atom) or ([] if atom in table else [Monomial(powers={atom: 1})])


def _combine(builder: Rebuilder, root: Root, known: Known) -> list[Monomial] | None:
    parts = [_polynomial(builder, a, known) for a in root.operands]
    if root.operation is add:
        return collect([*parts[0], *parts[1]])
    if root.operation is subtract:
        return collect([*parts[0], *map(_negative, parts[1])])
    if root.operation is negate:
        return [*map(_negative, parts[0])]
    if root.operation is multiply:
        return _product(parts[0], parts[1])
    if root.operation is divide:
        return _product(parts[0], _inverse(builder, root.operands[1], known))
    return _power(builder, root, parts[0], known)


def _inverse(builder: Rebuilder, atom: Basic, known: Known) -> list[Monomial] | None:
    """1/atom; the sums in it stay closed: they are atoms of their own."""
    result = Monomial()
    todo = [(atom, -1)]
    while todo:
        item, e = todo.pop()
        value = _polynomial(builder, item, known)
        root = root_of(builder, item)
        if not value:
            return None
        if len(value) == 1:
            result = _times(result, Monomial(value[0].coefficient ** e, {a: n * e for a, n in value[0].powers.items()}))
        elif root is None or root.operation in (add, subtract) or (root.operation is not power and not known.whole):
            result = _times(result, Monomial(powers={builder.look(item): e}))
        elif root.operation is power:
            n = exponent_of(root)
            assert n is not None
            todo.append((root.operands[0], e * n))
        elif root.operation is negate:
            result.coefficient *= (-1) ** (e % 2)
            todo.append((root.operands[0], e))
        else:
            todo += [(root.operands[1], -e if root.operation is divide else e), (root.operands[0], e)]
    return [result]


def _power(builder: Rebuilder, root: Root, base: list[Monomial], known: Known) -> list[Monomial] | None:
    n = exponent_of(root)
    if n is None or (abs(n) > 8 and len(base) > 1):
        return None
    if len(base) == 1:
        return [Monomial(base[0].coefficient ** n, {a: e * n for a, e in base[0].powers.items()})]
    if n < 0:
        inverse = _inverse(builder, root.operands[0], known)
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


def _without_denominators(builder: Rebuilder, value: list[Monomial], known: Known) -> list[Monomial]:
    """Terms with 1/D, where D is a sum, are divided by what D was multiplied out to, if that leaves no rest; else
    terms are brought to one power of 1/D, or of 1/sqrt(D), if terms cancel then or can be divided."""
    below, closed = _denominators(value, known)
    for d, divisor in closed.items():
        value = _divided(value, d, divisor) or value
    for d in below:
        divisor, root = _divisor(builder, d, closed, known)
        others = [(o, closed[o]) for o in closed if o != d]
        under = [m for m in value if m.powers.get(d, 0) < 0]
        apart = [m for m in value if m.powers.get(d, 0) >= 0]
        tried = [
            *_over_one(value, d, divisor, root, known, others),
            *([*apart, *v] for v in _over_one(under, d, divisor, root, known, [])),
        ]
        value = _shortest((value, *tried))
    return _shortest((value, *_by_pythagoras(value, known)))


# f(x)^2 = a + b*g(x)^2
_CIRCLES = {sin: (cos, 1, -1), cos: (sin, 1, -1), cosh: (sinh, 1, 1), sinh: (cosh, -1, 1)}


def _circles(builder: Rebuilder, region: Region) -> list[Circle]:
    """Leaves that are sine and cosine of one number, or the hyperbolic ones: f, g, a and b."""
    if not ({sin, cos} <= builder.present or {sinh, cosh} <= builder.present):
        return []
    functions = {}
    for leaf in region.leaves:
        expr = builder.inside(leaf)
        if expr is not None and (operation := operation_of(expr)) in _CIRCLES:
            functions[operation, builder.look(operands(expr)[0])] = leaf
    return [
        (f, functions[g, x], a, b)
        for (o, x), f in functions.items()
        for g, a, b in (_CIRCLES[o],)
        if (g, x) in functions
    ]


def _by_pythagoras(value: list[Monomial], known: Known) -> list[list[Monomial]]:
    """With cos(x)^2 for 1 - sin(x)^2, the other way, and the like of cosh and sinh, if terms cancel."""
    found = []
    for f, g, a, b in known.circles if len(value) > 1 else ():
        low = [min(m.powers.get(s, 0) for m in value) for s in (f, g)]
        whole = _scaled(_scaled(value, f, -low[0]), g, -low[1])
        parts = collect(t for m in whole for t in _squares_replaced(m, f, g, a, b))
        if len(parts) < len(value):
            found.append(_scaled(_scaled(parts, f, low[0]), g, low[1]))
    return found


def _squares_replaced(m: Monomial, s: Basic, c: Basic, a: int, b: int) -> list[Monomial]:
    """A term with (a + b*c^2)^k in the place of s^(2*k)."""
    k = m.powers.get(s, 0) // 2
    found: list[Monomial] | None = [_times(m, Monomial(powers={s: -2 * k}))]
    for _ in range(k):
        found = _product(found or [], [Monomial(Fraction(a)), Monomial(Fraction(b), {c: 2})])
    return found or [m]


def _denominators(value: list[Monomial], known: Known) -> tuple[list[Basic], Table]:
    """What is divided by, and what those of it that are sums in the region were multiplied out to."""
    below = [*dict.fromkeys(a for m in value for a, e in m.powers.items() if e < 0)]
    return below, {d: v for d in below if len(v := known.table.get(d) or known.aliases.get(d) or []) > 1}


def _divisor(builder: Rebuilder, d: Basic, closed: Table, known: Known) -> tuple[list[Monomial], int]:
    """A sum that is divided by, or what it is the root of, multiplied out; 1 or 2."""
    u, root = (d, 1) if d in closed else (_radicand(builder, d), 2)
    return [] if u is None else closed.get(u) or known.table.get(u) or _sum_of(builder, u, known), root


def with_products(value: list[Monomial], sums: dict[Basic, list[Monomial]]) -> list[Monomial]:
    """Products and powers of sums stay what they are: multiplied out, digits are lost at their roots."""
    factors, left = 0, value
    for s, terms in sums.items():
        count = 0
        while len(left) > 1 and (divided := _divided(_scaled(left, s, -1), s, terms)):
            count, left = count + 1, divided
        squares, left = _with_squares(left, s, terms)
        factors, left = factors + count + 2 * squares, _scaled(left, s, count)
    return left if factors > 1 else value


def _with_squares(value: list[Monomial], s: Basic, terms: list[Monomial]) -> tuple[int, list[Monomial]]:
    """Terms q*s^2 where all that it is multiplied out is there: 3*x^2 - 6*x*y + 3*y^2 + z as 3*s^2 + z; how many."""
    square = _product(terms, terms) or []
    count = 0
    for m in value if len(value) > len(square) > 1 else ():
        q = _times(m, Monomial(1 / square[0].coefficient, {a: -e for a, e in square[0].powers.items()}))
        left = collect([*value, *(_negative(_times(q, t)) for t in square)])
        if len(left) == len(value) - len(square):
            count, value = count + 1, [*left, _times(q, Monomial(powers={s: 2}))]
    return count, value


def _without_fractions_below(
    builder: Rebuilder, value: list[Monomial], region: Region, known: Known, longer: bool = False
) -> list[Monomial]:
    """1/(1/a + 1/b) as a*b/(b + a), where the sum without fractions is shorter than that with them (or also where not)."""
    for d in dict.fromkeys(a for m in value for a, e in m.powers.items() if e < 0):
        below = known.table.get(d, [])
        common = {a: -min(m.powers.get(a, 0) for m in below) for n in below for a, e in n.powers.items() if e < 0}
        whole = plan([_times(m, Monomial(powers=common)) for m in below])
        if len(below) < 2 or not common or (cost(whole) >= cost(plan(below)) and not longer):
            continue
        count = len(builder.equations)
        total = applied(builder, build(builder, whole))
        found = []
        for m in value:
            e = m.powers.get(d, 0)
            change = {d: -e, total: e, **{a: -e * n for a, n in common.items()}} if e else {}
            found.append(_times(m, Monomial(powers=change)))
        if longer or cost(plan(found)) <= cost(plan(value)):
            value = found
            region.made += cost(whole) / max(builder.uses.get(d, 1), 1) if len(builder.equations) > count else 0
    return value


def _scaled(value: list[Monomial], atom: Basic, e: int) -> list[Monomial]:
    """Every term times atom^e."""
    return [_times(m, Monomial(powers={atom: e})) for m in value] if e else value


def _shortest(values: tuple[list[Monomial], ...]) -> list[Monomial]:
    """The one of the fewest terms; of these the one of the fewest operations."""
    least = min(map(len, values))
    found = [v for v in values if len(v) == least]
    return found[0] if len(found) == 1 else min(found, key=lambda v: cost(plan(v)))


def _radicand(builder: Rebuilder, atom: Basic) -> Basic | None:
    expr = builder.inside(atom)
    return builder.look(operands(expr)[0]) if expr is not None and operation_of(expr) is sqrt else None


def _sum_of(builder: Rebuilder, atom: Basic, known: Known) -> list[Monomial]:
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
        inside = _combine(builder, root, known) if root is not None else None
        for m in inside or _polynomial(builder, item, known):
            found.append(Monomial(m.coefficient * sign, m.powers))
    return []


def _over_one(
    value: list[Monomial], d: Basic, divisor: list[Monomial], root: int, known: Known,
    others: list[tuple[Basic, list[Monomial]]],
) -> list[list[Monomial]]:  # fmt: skip
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
    reduced = [_scaled(v, d, least) for v in _by_pythagoras(numerator, known)]
    return [*(_scaled(v, d, least) for v in found), *(_divided(v, d, divisor) or v for v in reduced if root == 1)]


def _divided(value: list[Monomial], d: Basic, divisor: list[Monomial]) -> list[Monomial] | None:
    """Terms q*divisor/d in `value` become q, the highest first.

    In each atom a product's degrees reach from the sum of the least to the sum of the largest of its factors.
    """
    rest = [m for m in value if m.powers.get(d, 0) >= 0]
    todo = {m.key: m for m in value if m.powers.get(d, 0) < 0}
    bounds = {a: _degrees_of_quotient(a, todo.values(), divisor) for m in divisor for a in m.powers}

    def degrees(m: Monomial) -> tuple[int, ...]:
        return tuple(m.powers.get(a, 0) for a in bounds)

    lead = max(divisor, key=degrees)
    found: list[Monomial] = []
    for _ in range(EXPANDED):
        if not todo:
            return collect([*rest, *found])
        first = max(todo.values(), key=degrees)
        q = _times(first, Monomial(1 / lead.coefficient, {a: -e for a, e in lead.powers.items()}))
        if any(not low <= q.powers.get(a, 0) <= high for a, (low, high) in bounds.items()):
            return None
        found.append(_times(q, Monomial(Fraction(1), {d: 1})))
        for m in divisor:
            part = _times(q, m)
            old = todo.pop(part.key, None)
            left = (old.coefficient if old else Fraction(0)) - part.coefficient
            if left:
                todo[part.key] = Monomial(left, part.powers)
    return None


def _degrees_of_quotient(a: Basic, value: Iterable[Monomial], divisor: list[Monomial]) -> tuple[int, int]:
    """The least and the largest power of an atom that value/divisor can have, if it is a polynomial."""
    above, below = ([m.powers.get(a, 0) for m in part] for part in (value, divisor))
    return min(above, default=0) - min(below), max(above, default=0) - max(below)
