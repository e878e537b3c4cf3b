"""Sums of products: a region of + - * / and whole powers, taken apart and put in order.

In: an operation in a builder.  Out: `Plan`, its value as a sum of monomials with common factors taken out.
Always holds: arithmetic of coefficients is exact; terms keep the order in which they were written; time is linear in
the region, and regions that are expanded are of bounded size.

A monomial is a coefficient and whole powers of atoms; powers may be negative (Laurent polynomials).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from sympy import Basic, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import add, divide, exp, multiply, negate, power, sigmoid, subtract
from graphc.rewrite.rule import Rebuilder, Root

PRODUCTS = (multiply, divide, negate, power)
SUMS = (add, subtract, negate)
ARITHMETIC = (*PRODUCTS, add, subtract)
EXPANDED = 24  # terms of a polynomial that is multiplied out
EXPLORED = 32  # equations of a region that is multiplied out
LARGEST = 2**64  # coefficients beyond are left alone
Powers = dict[Basic, int]


@dataclass
class Monomial:
    """coefficient * product of atom^exponent; `extra` are further factors that are sums."""

    coefficient: Fraction = Fraction(1)
    powers: Powers = field(default_factory=dict)
    extra: list[Plan] = field(default_factory=list)

    @property
    def key(self) -> frozenset[tuple[Basic, int]]:
        return frozenset(self.powers.items())


@dataclass
class Plan:
    """A sum of monomials, in order."""

    terms: list[Monomial]


@dataclass
class Region:
    """Equations that a plan takes the place of: how often each is used from within; `cut` where more was in reach."""

    visits: dict[Basic, int] = field(default_factory=dict)
    leaves: dict[Basic, int] = field(default_factory=dict)
    cut: bool = False

    def leaf(self, atom: Basic) -> None:
        self.leaves[atom] = self.leaves.get(atom, 0) + 1


def fraction(atom: Basic) -> Fraction | None:
    """A rational number of moderate size; None for anything else."""
    if isinstance(atom, Symbol) or not atom.is_Rational:
        return None
    value = Fraction(int(atom.p), int(atom.q))
    return value if abs(value.numerator) < LARGEST and value.denominator < LARGEST else None


# --- taking apart --------------------------------------------------------------------------------------------------


def _root_of(builder: Rebuilder, atom: Basic) -> Root | None:
    """The arithmetic that defines an atom."""
    if atom in builder.roots:
        return builder.roots[atom]
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    found = None
    finite = expr is not None and not any(a.is_infinite for a in operands(expr) if not isinstance(a, Symbol))
    if expr is not None and finite and operation is not None and operation in ARITHMETIC:
        found = Root(operation, operands(expr))
    builder.roots[atom] = found
    return found


def operands_of(builder: Rebuilder, atom: Basic) -> tuple[Basic, ...]:
    """Operands of the operation that defines an atom."""
    expr = builder.inside(atom)
    return () if expr is None else operands(expr)


def _exponent(root: Root) -> int | None:
    """n of a power x^n with a small whole n."""
    n = root.operands[1]
    return int(n) if not isinstance(n, Symbol) and n.is_Integer and abs(int(n)) <= 64 else None


def _is_number(atom: Basic) -> bool:
    return fraction(atom) is not None


def _scales(root: Root) -> bool:
    """A negation, or a product with a number: costs nothing to look through."""
    return root.operation is negate or (root.operation is multiply and any(map(_is_number, root.operands)))


def monomial(builder: Rebuilder, start: Root | Basic, region: Region, deep: bool = False) -> Monomial | None:
    """A product taken apart: through intermediate values that are used once, and through signs and coefficients.

    `deep`: through quotients with a number, too, which are divided anew.
    """
    result = Monomial()
    todo: list[tuple[Root | Basic, int]] = [(start, 1)]
    while todo:
        item, e = todo.pop()
        root = item if isinstance(item, Root) else _inner_product(builder, item, e, region, deep)
        if root is None:
            assert isinstance(item, Basic)
            if not _multiply_in(builder, result, item, e, region):
                return None
        elif root.operation is negate:
            if e % 2:
                result.coefficient = -result.coefficient
            todo.append((root.operands[0], e))
        elif root.operation is power:
            n = _exponent(root)
            if n is None:
                if isinstance(item, Root):
                    return None
                if not _multiply_in(builder, result, item, e, region):
                    return None
                continue
            todo.append((root.operands[0], e * n))
        else:
            todo += [(root.operands[1], -e if root.operation is divide else e), (root.operands[0], e)]
    return result


def _inner_product(builder: Rebuilder, atom: Basic, e: int, region: Region, deep: bool) -> Root | None:
    """The product that an atom stands for, where it is taken apart."""
    root = _root_of(builder, atom)
    if root is None or root.operation not in PRODUCTS or (root.operation is power and _exponent(root) is None):
        return None
    atom = builder.look(atom)
    looked_through = _scales(root) or (deep and root.operation is divide and any(map(_is_number, root.operands)))
    if atom in builder.kept or not (
        looked_through or (builder.lonely(atom) and (abs(e) == 1 or root.operation is power))
    ):
        return None
    region.visits[atom] = region.visits.get(atom, 0) + 1
    return root


def _multiply_in(builder: Rebuilder, result: Monomial, atom: Basic, e: int, region: Region) -> bool:
    atom = builder.look(atom)
    value = fraction(atom)
    if not isinstance(atom, Symbol) and atom.is_infinite:
        return False  # inf - inf and 0*inf are no polynomials
    if value is None:
        region.leaf(atom)
        result.powers[atom] = result.powers.get(atom, 0) + e
        if result.powers[atom] == 0:
            del result.powers[atom]
        return True
    if (value == 0 and e < 0) or abs(e) > 64:
        return False
    result.coefficient *= value**e
    return max(abs(result.coefficient.numerator), result.coefficient.denominator) < LARGEST


def terms(builder: Rebuilder, start: Root, region: Region) -> list[Monomial] | None:
    """A sum taken apart, its terms in the order written."""
    found: list[Monomial] = []
    todo: list[tuple[Root | Basic, int]] = [(start, 1)]
    while todo:
        item, sign = todo.pop()
        root = item if isinstance(item, Root) else _inner_sum(builder, item, region)
        if root is None:
            term = monomial(builder, item, region)
            if term is None:
                return None
            term.coefficient *= sign
            found.append(term)
        elif root.operation is negate:
            todo.append((root.operands[0], -sign))
        else:
            todo += [(root.operands[1], -sign if root.operation is subtract else sign), (root.operands[0], sign)]
    return found


def _inner_sum(builder: Rebuilder, atom: Basic, region: Region) -> Root | None:
    root = _root_of(builder, atom)
    if root is None or root.operation not in SUMS:
        return None
    atom = builder.look(atom)
    if not builder.lonely(atom) or (root.operation is negate and not _negates_sum(builder, root)):
        return None
    region.visits[atom] = region.visits.get(atom, 0) + 1
    return root


def _negates_sum(builder: Rebuilder, root: Root) -> bool:
    inner = _root_of(builder, root.operands[0])
    return inner is not None and inner.operation in (add, subtract) and builder.lonely(root.operands[0])


# --- multiplying out -----------------------------------------------------------------------------------------------


def expanded(builder: Rebuilder, start: Root, region: Region, depth: int) -> list[Monomial] | None:
    """The region as a polynomial; None where it is too large, or nothing in it can meet anything else.

    `depth`: through how many symbols that others use as well it reaches.
    """
    order = _explore(builder, start, region, depth)
    if order is None or not _may_cancel(builder, [start, *(root for _, root in order)], region):
        return None
    aliases = _complements(builder, region)
    table: dict[Basic, list[Monomial]] = {}
    for atom, root in order:
        result = _combine(builder, root, table, aliases)
        if result is None or len(result) > EXPANDED:
            return None
        table[atom] = result
    final = _combine(builder, start, table, aliases)
    return None if final is None else _without_denominators(final, table, aliases)


def _explore(builder: Rebuilder, start: Root, region: Region, limit: int) -> list[tuple[Basic, Root]] | None:
    """The equations of a region, operands first; denominators that are sums stay closed."""
    found: dict[Basic, Root] = {}
    todo: list[tuple[Basic, int]] = [(a, 0) for a in start.operands]
    while todo:
        atom, depth = todo.pop()
        atom = builder.look(atom)
        if atom in found:
            region.visits[atom] += 1
            continue
        root = _root_of(builder, atom)
        region.cut |= depth >= limit and root is not None
        if root is None or (root.operation is power and _exponent(root) is None) or depth >= limit:
            if fraction(atom) is None:
                region.leaf(atom)
            continue
        found[atom] = root
        region.visits[atom] = 1
        if len(found) > EXPLORED:
            return None
        todo += [(a, depth if builder.lonely(atom) else depth + 1) for a in reversed(root.operands)]
    return sorted(found.items(), key=lambda item: builder.place[item[0]])


def _may_cancel(builder: Rebuilder, roots: list[Root], region: Region) -> bool:
    """Terms can cancel only where something occurs twice, and something is negative or divided by."""
    if not any(_takes_away(root) for root in roots):
        return False
    if any(count > 1 for count in region.leaves.values()):
        return True
    return any(_opposite(builder, leaf) is not None for leaf in region.leaves)


def _takes_away(root: Root) -> bool:
    if root.operation in (subtract, negate, divide):
        return True
    return any(not isinstance(a, Symbol) and a.is_Rational and a < 0 for a in root.operands)


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


Table = dict[Basic, list[Monomial]]


def _polynomial(builder: Rebuilder, atom: Basic, table: Table, aliases: Table) -> list[Monomial]:
    atom = builder.look(atom)
    value = fraction(atom)
    if value is not None:
        return [Monomial(value)] if value else []
    return table.get(atom) or aliases.get(atom) or ([] if atom in table else [Monomial(Fraction(1), {atom: 1})])


def _combine(builder: Rebuilder, root: Root, table: Table, aliases: Table) -> list[Monomial] | None:
    parts = [_polynomial(builder, a, table, aliases) for a in root.operands]
    if root.operation is add:
        return collect([*parts[0], *parts[1]])
    if root.operation is subtract:
        return collect([*parts[0], *(_times(Monomial(Fraction(-1)), m) for m in parts[1])])
    if root.operation is negate:
        return [_times(Monomial(Fraction(-1)), m) for m in parts[0]]
    if root.operation is multiply:
        return _product(parts[0], parts[1])
    if root.operation is divide:
        return _product(parts[0], _inverse(builder, root.operands[1], parts[1]))
    return _power(builder, root, parts[0])


def _inverse(builder: Rebuilder, atom: Basic, value: list[Monomial]) -> list[Monomial] | None:
    if not value:
        return None
    if len(value) > 1:  # a sum stays closed: it is an atom of its own
        return [Monomial(Fraction(1), {builder.look(atom): -1})]
    return [Monomial(1 / value[0].coefficient, {a: -e for a, e in value[0].powers.items()})]


def _power(builder: Rebuilder, root: Root, base: list[Monomial]) -> list[Monomial] | None:
    n = _exponent(root)
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
    return collect(_times(x, y) for x in a for y in b)


def _times(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a.powers)
    for atom, e in b.powers.items():
        powers[atom] = powers.get(atom, 0) + e
        if powers[atom] == 0:
            del powers[atom]
    return Monomial(a.coefficient * b.coefficient, powers)


def _without_denominators(value: list[Monomial], table: Table, aliases: Table) -> list[Monomial]:
    """Terms with 1/D, where D is a sum, are divided by what D was multiplied out to, if that leaves no rest."""
    closed = {a for m in value for a, e in m.powers.items() if e < 0 and len(table.get(a, aliases.get(a, []))) > 1}
    for d in closed:
        divided = _divided(value, d, table.get(d) or aliases[d])
        if divided is not None:
            value = divided
    return value


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


# --- putting together ----------------------------------------------------------------------------------------------


def _exactly_added(a: Fraction, b: Fraction) -> bool:
    """Numbers whose sum is exact in any width: x + a + b may become x + (a + b) without losing a digit."""
    return all(v.denominator == 1 and abs(v.numerator) < 2**24 for v in (a, b, a + b))


def collect(monomials: Iterable[Monomial]) -> list[Monomial]:
    """Like terms added up, in the place of the first."""
    found: dict[object, Monomial] = {}
    for m in monomials:
        key: object = m.key
        old = found.get(key)
        if old is not None and not m.powers and not _exactly_added(old.coefficient, m.coefficient):
            key, old = (id(m), m.key), None
        found[key] = m if old is None else Monomial(old.coefficient + m.coefficient, old.powers)
    return [m for m in found.values() if m.coefficient]


def factored(monomials: list[Monomial]) -> Plan:
    """Runs of terms with a common factor become products with a sum."""
    result: list[Monomial] = []
    run: list[Monomial] = []
    common: Powers = {}
    for m in monomials:
        shared = _shared(common, m.powers) if run else {}
        if run and shared:
            run.append(m)
            common = shared
            continue
        result += _close(run, common)
        run, common = [m], dict(m.powers)
    return Plan(result + _close(run, common))


def _shared(a: Powers, b: Powers) -> Powers:
    """Powers that two monomials have in common."""
    both = {}
    for atom, e in a.items():
        f = b.get(atom, 0)
        if e * f > 0:
            both[atom] = min(e, f, key=abs)
    return both


def _close(run: list[Monomial], common: Powers) -> list[Monomial]:
    """A run with its common powers and coefficient taken out, where that saves operations."""
    if len(run) < 2:
        return run
    scale = run[0].coefficient
    if not all(m.coefficient in (scale, -scale) for m in run):
        scale = Fraction(-1) if all(m.coefficient < 0 for m in run) else Fraction(1)
    elif not all(m.coefficient == scale for m in run):
        scale = abs(scale)
    inside = [Monomial(m.coefficient / scale, _quotient(m.powers, common)) for m in run]
    product = Monomial(scale, dict(common), [Plan(inside)])
    return [product] if cost(Plan([product])) < cost(Plan(run)) else run


def _quotient(powers: Powers, common: Powers) -> Powers:
    left = {a: e - common.get(a, 0) for a, e in powers.items()}
    return {a: e for a, e in left.items() if e}


def plan(monomials: list[Monomial]) -> Plan:
    """Like terms added up, common coefficients and factors taken out."""
    whole = collect(monomials)
    best = factored(whole)
    scaled = _close(whole, {}) if len(whole) > 1 else whole
    return Plan(scaled) if cost(Plan(scaled)) < cost(best) else best


def cost(value: Plan) -> int:
    """Operations of a plan."""
    if not value.terms:
        return 0
    total = len(value.terms) - 1
    for k, m in enumerate(value.terms):
        total += _cost_of_product(m)
        if m.coefficient == -1 and len(value.terms) == 1:
            total += 1
        elif m.coefficient < 0 and k == 0 and all(t.coefficient < 0 for t in value.terms):
            total += m.coefficient == -1
    return total


def _cost_of_product(m: Monomial) -> int:
    """Multiplications, divisions and powers; the sign is the sum's affair."""
    up = sum(1 for e in m.powers.values() if e > 0) + len(m.extra)
    down = sum(1 for e in m.powers.values() if e < 0)
    number = abs(m.coefficient) != 1
    total = max(up + number - 1, 0) + sum(1 for e in m.powers.values() if abs(e) > 1) + sum(cost(p) for p in m.extra)
    return total + down


__all__ = [
    "ARITHMETIC", "PRODUCTS", "SUMS", "Monomial", "Plan", "Region", "collect", "cost", "expanded", "monomial",
    "operands_of", "plan", "terms",
]  # fmt: skip
