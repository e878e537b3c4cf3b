"""Common products: what several products have in common is computed once.

In: a graph.  Out: a graph of the same values with fewer operations, or the same graph.
Always holds: products that the program's text multiplies stay as they are written, unless their order is no matter; only products of numbers (not of
arrays) are taken apart; pairs of factors are taken out, the most frequent first (kernels of two factors, Brayton and
McMullen 1982), in time nearly linear in the factors.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import TypeAlias

from sympy import Basic, Dummy, Number, Rational, S, Symbol

from graphc.graph.graph import Equation, Graph, Origin, operands, statics, symbols_of
from graphc.graph.operation import operation_of
from graphc.ops.elementwise import divide, multiply, subtract
from graphc.rewrite.build import applied, build
from graphc.rewrite.compare import factors
from graphc.rewrite.driver import Step
from graphc.rewrite.names import drop_dead, kept_symbols
from graphc.rewrite.polynomial import PRODUCTS, Monomial, Plan, Powers
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

LONGEST = 16  # factors of a product that is taken apart
Pair: TypeAlias = tuple[Basic, Basic, bool]  # two factors; True for their product, False for the quotient


@dataclass
class Product:
    """A product: exponents of its factors; a number is a factor, and so is a sign that no sum takes up."""

    sign: int
    powers: Powers


def operations(graph: Graph) -> int:
    """How many operations a graph has."""
    return sum(operation_of(e.expr) is not None for e in graph.equations)


class Products:
    """The products of a graph, and the pairs that were taken out of them."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.kept = graph, kept_symbols(graph)
        old = Rebuilder(self.kept)
        for equation in graph.equations:
            old.know(equation, graph.types[equation.target])
        used = {s for e in graph.equations if operation_of(e.expr) not in PRODUCTS for s in symbols_of(e.expr)}
        self.read: dict[Symbol, Product] = {}
        self.plain: set[Symbol] = set()  # products of their own operands: as they are, if nothing is taken out
        self.given: dict[Pair, Symbol] = {}
        differences: dict[tuple[Basic, Basic], Symbol] = {}
        turned: dict[Basic, tuple[Symbol, int]] = {}  # b - a: the a - b that came first, and the sign
        for equation in graph.equations:
            s, operation = equation.target, operation_of(equation.expr)
            if operation is subtract:
                a, b = map(old.look, operands(equation.expr))
                first = differences.setdefault((a, b), differences.get((b, a), s))
                if first is not s:
                    turned[s] = first, 1 if old.look(operands(old.inside(first))[0]) == a else -1
                continue
            if operation not in PRODUCTS or any(graph.types[a].rank for a in (s, *symbols_of(equation.expr))):
                continue
            m = factors(old, s)
            if m is None or not m.coefficient or s in m.powers or len(m.powers) >= LONGEST:
                continue
            if equation.origin.span is not None and equation.origin.rule == "text" and not _is_exact(m):
                self._give(old, s, equation.expr)
            elif s in used or s in self.kept:
                if not turned.keys().isdisjoint(m.powers):
                    m = _turned(m, turned)
                self.read[s] = _product(m, s in self.kept)
                if m.powers.keys() <= set(map(old.look, operands(equation.expr))):
                    self.plain.add(s)

    def shared(self) -> tuple[Graph, tuple[Step, ...]]:
        """The graph with common products taken out, where that saves operations; the steps.

        Tried with the products that the program's text has, too, and without these.
        """
        best: tuple[Graph, tuple[Step, ...]] = self.graph, ()
        for with_given in (False, True):
            if len(self.read) + with_given * bool(self.given) > 1 and self.take_pairs(with_given):
                best = min(best, self.rebuilt(), key=lambda f: operations(f[0]))
        return best

    def _give(self, old: Rebuilder, s: Symbol, expr: Basic) -> None:
        """What the program's text multiplies or divides is there for all that come later."""
        operation = operation_of(expr)
        if operation in (multiply, divide):
            a, b = map(old.look, operands(expr))
            product = Product(1, {a: 1, b: 1 if operation is multiply else -1})
            if a != b:
                self.given.setdefault(_pair(a, b, product), s)

    # --- taking pairs out ------------------------------------------------------------------------------------------

    def take_pairs(self, with_given: bool) -> bool:
        """Pairs that occur more than once become tokens of their own, the most frequent first; True if there are any."""
        joined = False
        self.pairs: dict[Basic, Pair] = {}
        self.products = {s: Product(p.sign, p.powers) for s, p in self.read.items()}
        where: dict[Pair, dict[Symbol, None]] = {}
        queue: list[tuple[int, bool, int, Pair]] = []
        whole: set[Pair] = set()
        order: dict[Pair, int] = {}

        def note(pair: Pair, s: Symbol) -> None:
            places = where.setdefault(pair, {})
            places[s] = None
            if len(places) > 1:
                rank = order.setdefault(pair, len(order))
                heapq.heappush(queue, (-len(places), pair not in whole, rank, pair))

        place = {e.target: k for k, e in enumerate(self.graph.equations)}
        for s, product in self.products.items():
            while with_given and (known := self._known(product, place, place[s])) is not None:
                joined = True
                product.powers = _joined(product.powers, known, self.given[known])
            if len(product.powers) == 2:
                a, b = product.powers
                whole.add(_pair(a, b, product))
        for s, product in self.products.items():
            for a, b in combinations(product.powers, 2):
                note(_pair(a, b, product), s)
        while queue:
            count, _, rank, pair = heapq.heappop(queue)
            places = [s for s in where[pair] if _occurs(pair, self.products[s])]
            if len(places) < -count:
                where[pair] = dict.fromkeys(places)
                if len(places) > 1:
                    heapq.heappush(queue, (-len(places), pair not in whole, rank, pair))
                continue
            atom = Dummy()
            self.pairs[atom] = pair
            for s in places:
                product = self.products[s]
                product.powers = _joined(product.powers, pair, atom)
                for other in product.powers:
                    if other != atom:
                        note(_pair(other, atom, product), s)
        return joined or bool(self.pairs)

    def _known(self, product: Product, place: dict[Symbol, int], before: int) -> Pair | None:
        """Two factors whose product or quotient is there already."""
        pairs = (_pair(a, b, product) for a, b in combinations(product.powers, 2))
        return next((p for p in pairs if p in self.given and place[self.given[p]] < before), None)

    # --- the new graph ---------------------------------------------------------------------------------------------

    def rebuilt(self) -> tuple[Graph, tuple[Step, ...]]:
        """The graph with the products made of what was taken out."""
        graph = self.graph
        self.steps: list[Step] = []
        builder = self.builder = Rebuilder(self.kept)
        builder.reserve(s.name for s in graph.types)
        for leaf in graph.leaves():
            builder.types[leaf] = graph.types[leaf]
            builder.place[leaf] = len(builder.place)
        self.image: dict[Basic, Basic] = {}
        for equation in graph.equations:
            self._visit(equation)
        updates = tuple((owner, self.image.get(v, v)) for owner, v in graph.updates)
        return drop_dead(builder.graph(graph, updates=updates), self.kept), tuple(self.steps)

    def _visit(self, equation: Equation) -> None:
        builder, target, expr = self.builder, equation.target, equation.expr
        operation, old = operation_of(expr), operands(expr)
        product = self.products.get(target)
        untouched = product is None or (target in self.plain and product == self.read[target])
        if untouched and self.image.keys().isdisjoint(old):
            builder.add(equation, self.graph.types[target])
        else:
            builder.origin = equation.origin if product is None else Origin(PRODUCT_SHARING.name, (target,))
            atoms = tuple(self.image.get(a, a) for a in old)
            made: Made = atoms[0] if operation is None else Root(operation, atoms, statics(expr))
            if product is not None:
                made = build(builder, Plan([self._monomial(product)]))
            if isinstance(made, Root):
                builder.apply(made.operation, made.operands, made.statics, target.name)
            else:
                builder.bind(target.name, made)
        now = builder.resolve(target)
        if now is not target and target not in self.kept:
            self.image[target] = now
        if product is not None and (after := builder.definition(now)) not in (None, expr):
            self.steps.append(Step(PRODUCT_SHARING, target, expr, after or now))

    def _monomial(self, product: Product) -> Monomial:
        result = Monomial(Fraction(product.sign))
        for atom, e in product.powers.items():
            new = self._atom(atom)
            if isinstance(new, Symbol) or not new.is_Rational:
                result.powers[new] = result.powers.get(new, 0) + e
            else:
                result.coefficient *= Fraction(int(new.p), int(new.q)) ** e
        result.powers = {a: e for a, e in result.powers.items() if e}
        return result

    def _atom(self, atom: Basic) -> Basic:
        """The new symbol of an atom; of a pair, made where it is first needed (no deeper than a product is long)."""
        if atom in self.image or atom not in self.pairs:
            return self.image.get(atom, atom)
        a, b, same = self.pairs[atom]
        value = build(self.builder, Plan([self._monomial(Product(1, {a: 1, b: 1 if same else -1}))]))
        self.image[atom] = applied(self.builder, value)
        return self.image[atom]


def _is_exact(m: Monomial) -> bool:
    """Two factors and a power of 2: multiplied in any order it is the same number."""
    c = m.coefficient
    scales = all(v & (v - 1) == 0 for v in (abs(c.numerator), c.denominator))
    return scales and abs(c) != 1 and list(m.powers.values()) == [1, 1]


def _turned(m: Monomial, turned: dict[Basic, tuple[Symbol, int]]) -> Monomial:
    """b - a as -(a - b), where that comes first."""
    result = Monomial(m.coefficient)
    for atom, e in m.powers.items():
        first, sign = turned.get(atom, (atom, 1))
        result.coefficient *= sign ** (e % 2)
        result.powers[first] = result.powers.get(first, 0) + e
    result.powers = {a: e for a, e in result.powers.items() if e}
    return result


def _product(m: Monomial, whole: bool) -> Product:
    """A monomial's factors; `whole`: it is no term of a sum."""
    powers = dict(m.powers)
    if abs(m.coefficient) != 1:
        powers = {_number(abs(m.coefficient.numerator), m.coefficient.denominator): 1, **powers}
    if m.coefficient < 0 and whole:
        return Product(1, {S.NegativeOne: 1, **powers})
    return Product(1 if m.coefficient > 0 else -1, powers)


def _pair(a: Basic, b: Basic, product: Product) -> Pair:
    """Two factors as a pair, in one order."""
    m, n = product.powers[a], product.powers[b]
    same = m * n > 0
    return (a, b, same) if (_name(a) < _name(b) if same else m > 0) else (b, a, same)


_number = lru_cache(maxsize=1024)(Rational)


@lru_cache(maxsize=1024)
def _text(number: Number) -> str:
    return str(number)


def _name(atom: Basic) -> str:
    return atom.name if isinstance(atom, Symbol) else _text(atom)


def _occurs(pair: Pair, product: Product) -> bool:
    a, b = (product.powers.get(f, 0) for f in pair[:2])
    return a * b > 0 if pair[2] else a * b < 0


def _joined(powers: Powers, pair: Pair, atom: Basic) -> Powers:
    """The pair's product or quotient as a factor of its own, as often as it occurs."""
    a, b = (powers[f] for f in pair[:2])
    n = min(abs(a), abs(b))
    up = n if a > 0 else -n
    left = {**powers, pair[0]: a - up, pair[1]: b - (up if pair[2] else -up), atom: up}
    return {f: e for f, e in left.items() if e}


PRODUCT_SHARING = Form("common products", PRODUCTS, lambda builder, root: None, "computed once", "")
