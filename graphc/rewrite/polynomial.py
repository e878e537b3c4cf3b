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
from functools import lru_cache
from math import gcd

from sympy import Basic, Symbol

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Dim
from graphc.ops.elementwise import add, divide, multiply, negate, power, subtract
from graphc.ops.program import size_
from graphc.rewrite.rule import Rebuilder, Root

PRODUCTS = (multiply, divide, negate, power)
SUMS = (add, subtract, negate)
ARITHMETIC = (*PRODUCTS, add, subtract)
LARGEST = 2**256  # coefficients beyond are left alone
ONE = Fraction(1)
Powers = dict[Basic, int]


@dataclass
class Monomial:
    """coefficient * product of atom^exponent; `extra` are further factors that are sums."""

    coefficient: Fraction = ONE
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
    """Equations that a plan takes the place of: how often each is used from within; `cut` where more was in reach;
    `made`: operations of sums that were made for the plan; `sums`: factors multiplied out, and what they are; `roots`:
    its equations, None where they are too many; `cancels`: terms may cancel, as far as is known.
    """

    visits: dict[Basic, int] = field(default_factory=dict)
    leaves: dict[Basic, int] = field(default_factory=dict)
    cut: bool = False
    made: float = 0
    roots: dict[Basic, Root] | None = None
    cancels: bool = True
    sums: dict[Basic, list[Monomial]] = field(default_factory=dict)

    def leaf(self, atom: Basic) -> None:
        self.leaves[atom] = self.leaves.get(atom, 0) + 1


def fraction(atom: Basic) -> Fraction | None:
    """A rational number of moderate size; None for anything else."""
    if isinstance(atom, Symbol) or not atom.is_Rational:
        return None
    return _moderate(atom.p, atom.q)


@lru_cache(maxsize=1024)
def _moderate(p: int, q: int) -> Fraction | None:
    return Fraction(int(p), int(q)) if abs(p) < LARGEST and q < LARGEST else None


# --- taking apart --------------------------------------------------------------------------------------------------


def root_of(builder: Rebuilder, atom: Basic) -> Root | None:
    """The arithmetic that defines an atom."""
    if not isinstance(atom, Symbol):
        return None
    atom = builder.look(atom)
    if atom in builder.roots:
        return builder.roots[atom]
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    found = None
    if expr is not None and operation in ARITHMETIC:
        assert operation is not None
        atoms = operands(expr)
        if not any(a.is_infinite for a in atoms if not isinstance(a, Symbol)):
            found = Root(operation, atoms)
    builder.roots[atom] = found
    return found


def operands_of(builder: Rebuilder, atom: Basic) -> tuple[Basic, ...]:
    """Operands of the operation that defines an atom."""
    expr = builder.inside(atom)
    return () if expr is None else operands(expr)


def exponent_of(root: Root) -> int | None:
    """n of a power x^n with a small whole n."""
    n = root.operands[1]
    return int(n) if not isinstance(n, Symbol) and n.is_Integer and abs(int(n)) <= 64 else None


def _is_number(atom: Basic) -> bool:
    return fraction(atom) is not None


def _scales(root: Root) -> bool:
    """A negation, or a product with a number: costs nothing to look through."""
    return root.operation is negate or (root.operation is multiply and any(map(_is_number, root.operands)))


def monomial(
    builder: Rebuilder, start: Root | Basic, region: Region, deep: bool = False, shared: bool = False
) -> Monomial | None:
    """A product taken apart: through intermediate values that are used once, and through signs and coefficients.

    `deep`: through quotients with a number, too, which are divided anew; `shared`: through what others use as well.
    """
    result = Monomial()
    todo: list[tuple[Root | Basic, int]] = [(start, 1)]
    while todo:
        item, e = todo.pop()
        root = item if isinstance(item, Root) else _inner_product(builder, item, e, region, deep, shared)
        if root is None:
            assert isinstance(item, Basic)
            if not multiply_in(builder, result, item, e, region):
                return None
        elif root.operation is negate:
            if e % 2:
                result.coefficient = -result.coefficient
            todo.append((root.operands[0], e))
        elif root.operation is power:
            n = exponent_of(root)
            if n is None:
                if isinstance(item, Root):
                    return None
                if not multiply_in(builder, result, item, e, region):
                    return None
                continue
            todo.append((root.operands[0], e * n))
        else:
            todo += [(root.operands[1], -e if root.operation is divide else e), (root.operands[0], e)]
    return _with_bases(builder, result)


@dataclass(frozen=True)
class Whole:
    """A product that is being rebuilt, taken apart; `made_by` are the operations that its factors are."""

    monomial: Monomial
    region: Region
    made_by: frozenset[Operation]


def whole_product(builder: Rebuilder, root: Root, deep: bool = False) -> Whole | None:
    """The product that is being rebuilt, taken apart once for all rules; not to be altered."""
    if deep not in builder.products:
        region = Region()
        found = monomial(builder, root, region, deep)
        made_by = (builder.inside(a) for a in found.powers) if found is not None else ()
        operations = frozenset(o for e in made_by if e is not None and (o := operation_of(e)) is not None)
        builder.products[deep] = None if found is None else Whole(found, region, operations)
    return builder.products[deep]  # type: ignore[no-any-return]


def _with_bases(builder: Rebuilder, m: Monomial) -> Monomial:
    """x^2 taken apart, though others use it as well, where x stands on the other side of the fraction."""
    for atom, e in list(m.powers.items()):
        root = root_of(builder, atom)
        if root is None or root.operation is not power or (n := exponent_of(root)) is None:
            continue
        base = builder.look(root.operands[0])
        if m.powers.get(base, 0) * e * n < 0:
            del m.powers[atom]
            m.powers[base] += e * n
            if not m.powers[base]:
                del m.powers[base]
    return m


def _inner_product(builder: Rebuilder, atom: Basic, e: int, region: Region, deep: bool, shared: bool) -> Root | None:
    """The product that an atom stands for, where it is taken apart."""
    root = root_of(builder, atom)
    if root is None or root.operation not in PRODUCTS or (root.operation is power and exponent_of(root) is None):
        return None
    atom = builder.look(atom)
    looked_through = _scales(root) or (deep and root.operation is divide and any(map(_is_number, root.operands)))
    if atom in builder.kept or not (
        looked_through or ((shared or builder.lonely(atom)) and (abs(e) == 1 or root.operation in (power, multiply)))
    ):
        return None
    region.visits[atom] = region.visits.get(atom, 0) + 1
    return root


def multiply_in(builder: Rebuilder, result: Monomial, atom: Basic, e: int, region: Region) -> bool:
    atom = builder.look(atom)
    value = fraction(atom)
    if value is None:
        if not isinstance(atom, Symbol) and atom.is_infinite:
            return False  # inf - inf and 0*inf are no polynomials
        if size_ in builder.present:
            atom, content = _without_content(builder, atom)
            result.coefficient *= content**e
        region.leaf(atom)
        result.powers[atom] = result.powers.get(atom, 0) + e
        if result.powers[atom] == 0:
            del result.powers[atom]
        return True
    if (value == 0 and e < 0) or abs(e) > 64:
        return False
    if value != 1:
        result.coefficient *= value if e == 1 else value**e
    return max(abs(result.coefficient.numerator), result.coefficient.denominator) < LARGEST


def _without_content(builder: Rebuilder, atom: Basic) -> tuple[Basic, Fraction]:
    """m and 2 of the size 2*m."""
    expr = builder.inside(atom)
    size = statics(expr)[0] if expr is not None and operation_of(expr) is size_ else None
    if not isinstance(size, Dim) or (content := gcd(*(c for _, c in size.terms))) == 1:
        return atom, ONE
    return builder.apply(size_, (), (size // content,)), Fraction(content)


def terms(builder: Rebuilder, start: Root, region: Region, shared: bool = False) -> list[Monomial] | None:
    """A sum taken apart, its terms in the order written; `shared`: its products through what others use as well."""
    found: list[Monomial] = []
    todo: list[tuple[Root | Basic, int]] = [(start, 1)]
    while todo:
        item, sign = todo.pop()
        root = item if isinstance(item, Root) else _inner_sum(builder, item, region)
        if root is None:
            term = monomial(builder, item, region, shared=shared)
            if term is None:
                return None
            if sign < 0:
                term.coefficient = -term.coefficient
            found.append(term)
        elif root.operation is negate:
            todo.append((root.operands[0], -sign))
        else:
            todo += [(root.operands[1], -sign if root.operation is subtract else sign), (root.operands[0], sign)]
    return found


def _inner_sum(builder: Rebuilder, atom: Basic, region: Region) -> Root | None:
    root = root_of(builder, atom)
    if root is None or root.operation not in SUMS:
        return None
    atom = builder.look(atom)
    if not builder.lonely(atom) or (root.operation is negate and not _negates_sum(builder, root)):
        return None
    region.visits[atom] = region.visits.get(atom, 0) + 1
    return root


def _negates_sum(builder: Rebuilder, root: Root) -> bool:
    inner = root_of(builder, root.operands[0])
    return inner is not None and inner.operation in (add, subtract) and builder.lonely(root.operands[0])


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


def factored(monomials: list[Monomial], as_written: bool = False) -> Plan:
    """Runs of terms with a common factor become products with a sum; `as_written`: but what the program divides term by
    term, of a part of a sum only where that saves a division.
    """
    result: list[Monomial] = []
    run: list[Monomial] = []
    common: Powers = {}
    for m in monomials:
        shared = _shared(common, m.powers) if run else {}
        if (
            run
            and shared
            and not (as_written and len(monomials) > len(run) + 1 and _keeps_divisions([*run, m], shared))
        ):
            run.append(m)
            common = shared
            continue
        result += _close(run, common)
        run, common = [m], dict(m.powers)
    return Plan(result + _close(run, common))


def _keeps_divisions(run: list[Monomial], common: Powers) -> bool:
    """True where a common divisor saves no division, only products: each term would be rounded once more."""
    if all(e > 0 for e in common.values()):
        return False
    return sum(any(e < 0 for e in _quotient(m.powers, common).values()) for m in run) + 1 >= len(run)


def _shared(a: Powers, b: Powers) -> Powers:
    """Powers that two monomials have in common."""
    both = {}
    for atom, e in a.items():
        f = b.get(atom, 0)
        if e * f > 0:
            both[atom] = min(e, f, key=abs)
    return both


def _close(run: list[Monomial], common: Powers) -> list[Monomial]:
    """A run with its common powers and a coefficient taken out, where that saves operations, or else factors."""
    if len(run) < 2:
        return run
    sizes = [_size(m) for m in run]
    if not common and len({*sizes}) == len(run):  # a number alone is taken out only of two terms that have it, or more
        return run
    left = [_quotient(m.powers, common) for m in run] if common else [m.powers for m in run]
    best, least = run, (cost(Plan(run)), _written(run))
    for scale in _scales_of(run, sizes):
        if scale == 1 and not common:
            continue
        divided = [m.coefficient if scale == 1 else m.coefficient / scale for m in run]
        inside = [Monomial(c, powers) for c, powers in zip(divided, left, strict=True)]
        product = [Monomial(scale, dict(common), [factored(inside) if common else Plan(inside)])]
        if (total := (cost(Plan(product)), _written(product))) < least:
            best, least = product, total
    return best


def _written(terms: list[Monomial]) -> int:
    """How many factors are written."""
    return sum(len(m.powers) + sum(_written(p.terms) for p in m.extra) for m in terms)


def _size(m: Monomial) -> tuple[int, int]:
    """|coefficient|, as what is quickly compared."""
    c = m.coefficient
    return abs(c.numerator), c.denominator


def _scales_of(run: list[Monomial], sizes: list[tuple[int, int]]) -> list[Fraction]:
    """Coefficients that may be taken out of a run: one that leaves 1 and -1, the sign, one of two that occur."""
    sign = Fraction(-1) if all(m.coefficient.numerator < 0 for m in run) else ONE
    different = {*sizes}
    if len(different) == 1:
        return [sign * Fraction(*sizes[0])]
    if (1, 1) in different:  # a term without a coefficient stays one
        return [sign]
    least = min(Fraction(*size) for size in different)  # what all are multiples of can only be this
    twice = all(n * least.denominator % (d * least.numerator) == 0 for n, d in different)
    return [sign, *([sign * least] if twice else [])]


def _quotient(powers: Powers, common: Powers) -> Powers:
    left = {a: e - common.get(a, 0) for a, e in powers.items()}
    return {a: e for a, e in left.items() if e}


def plan(monomials: list[Monomial], as_written: bool = False) -> Plan:
    """Like terms added up, common coefficients and factors taken out."""
    whole = collect(monomials)
    best = factored(whole, as_written)
    scaled = _close(whole, {}) if len(whole) > 1 else whole
    return Plan(scaled) if cost(Plan(scaled)) < cost(best) else best


def cost(value: Plan) -> int:
    """Operations of a plan."""
    if not value.terms:
        return 0
    total = len(value.terms) - 1 + sum(map(_cost_of_product, value.terms))
    return total + (value.terms[0].coefficient == -1 and all(m.coefficient < 0 for m in value.terms))


def _cost_of_product(m: Monomial) -> int:
    """Multiplications, divisions and powers; the sign is the sum's affair."""
    c = m.coefficient
    up, total = len(m.extra), 0
    if c.denominator != 1 or c.numerator not in (1, -1):
        up += 1
    raised: tuple[int, ...] = ()
    for e in m.powers.values():
        if e > 0:
            up += 1
        else:
            total += 1
        if not -1 <= e <= 1:
            raised += (abs(e),)
    for inner in m.extra:
        total += cost(inner)
    return total + len({*raised}) + max(up - 1, 0)


__all__ = [
    "ARITHMETIC", "LARGEST", "ONE", "PRODUCTS", "SUMS", "Monomial", "Plan", "Powers", "Region", "Whole", "collect", "cost", "exponent_of",
    "fraction", "monomial", "multiply_in", "operands_of", "plan", "root_of", "terms", "whole_product",
]  # fmt: skip
