"""Common products: what several products have in common is computed once.

In: a graph.  Out: a graph of the same values with fewer operations, or the same graph.
Always holds: products that the program's text multiplies stay as they are written; only products of numbers (not of
arrays) are taken apart; pairs of factors are taken out, the most frequent first (kernels of two factors, Brayton and
McMullen 1982), in time nearly linear in the factors.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TypeAlias

from sympy import Basic, Dummy, Rational, S, Symbol

from graphc.graph.graph import Equation, Graph, Origin, operands, statics, symbols_of
from graphc.graph.operation import operation_of
from graphc.rewrite.arrange import applied, build
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


def share_products(graph: Graph) -> tuple[Graph, tuple[Step, ...]]:
    """The graph with common products taken out, where that saves operations; the steps."""
    found = _Sharing(graph)
    if len(found.products) < 2:
        return graph, ()
    found.take_pairs()
    if not found.pairs:
        return graph, ()
    shared, steps = found.rebuilt()
    return (shared, steps) if operations(shared) < operations(graph) else (graph, ())


def operations(graph: Graph) -> int:
    """How many operations a graph has."""
    return sum(operation_of(e.expr) is not None for e in graph.equations)


class _Sharing:
    """The products of a graph, and the pairs that were taken out of them."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.kept = graph, kept_symbols(graph)
        self.pairs: dict[Basic, Pair] = {}
        self.steps: list[Step] = []
        old = Rebuilder(self.kept)
        for equation in graph.equations:
            old.know(equation, graph.types[equation.target])
        used = {s for e in graph.equations if operation_of(e.expr) not in PRODUCTS for s in symbols_of(e.expr)}
        self.products: dict[Symbol, Product] = {}
        for equation in graph.equations:
            s = equation.target
            if (s in used or s in self.kept) and self._is_ours(equation):
                m = factors(old, s)
                if m is not None and m.coefficient and s not in m.powers and len(m.powers) < LONGEST:
                    self.products[s] = _product(m, s in self.kept)

    def _is_ours(self, equation: Equation) -> bool:
        """A product of numbers that is not in the program's text."""
        if operation_of(equation.expr) not in PRODUCTS or equation.origin.span is not None:
            return False
        return not any(self.graph.types[s].rank for s in (equation.target, *symbols_of(equation.expr)))

    # --- taking pairs out ------------------------------------------------------------------------------------------

    def take_pairs(self) -> None:
        """Pairs that occur more than once become tokens of their own, the most frequent first."""
        where: dict[Pair, dict[Symbol, None]] = {}
        queue: list[tuple[int, int, Pair]] = []
        order: dict[Pair, int] = {}

        def note(pair: Pair, s: Symbol) -> None:
            places = where.setdefault(pair, {})
            places[s] = None
            if len(places) > 1:
                heapq.heappush(queue, (-len(places), order.setdefault(pair, len(order)), pair))

        for s, product in self.products.items():
            for a, b in combinations(product.powers, 2):
                note(_pair(a, b, product), s)
        while queue:
            count, rank, pair = heapq.heappop(queue)
            places = [s for s in where[pair] if _occurs(pair, self.products[s])]
            if len(places) < -count:
                where[pair] = dict.fromkeys(places)
                if len(places) > 1:
                    heapq.heappush(queue, (-len(places), rank, pair))
                continue
            atom = Dummy()
            self.pairs[atom] = pair
            for s in places:
                product = self.products[s]
                product.powers = _joined(product.powers, pair, atom)
                for other in product.powers:
                    if other != atom:
                        note(_pair(other, atom, product), s)

    # --- the new graph ---------------------------------------------------------------------------------------------

    def rebuilt(self) -> tuple[Graph, tuple[Step, ...]]:
        """The graph with the products made of what was taken out."""
        graph = self.graph
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
        builder, target, operation = self.builder, equation.target, operation_of(equation.expr)
        builder.origin = equation.origin
        made: Made
        if target in self.products:
            builder.origin = Origin(PRODUCT_SHARING.name, (target,))
            made = build(builder, Plan([self._monomial(self.products[target])]))
        elif operation is None:
            made = self.image.get(equation.expr, equation.expr)
        else:
            made = Root(operation, tuple(self.image.get(a, a) for a in operands(equation.expr)), statics(equation.expr))
        if isinstance(made, Root):
            atom = builder.apply(made.operation, made.operands, made.statics, target.name)
        else:
            atom = builder.bind(target.name, made)
        self.image[target] = atom if target in self.kept else builder.resolve(atom)
        atom = builder.resolve(atom)
        if target in self.products and (after := builder.definition(atom)) not in (None, equation.expr):
            self.steps.append(Step(PRODUCT_SHARING, target, equation.expr, after or atom))

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


def _product(m: Monomial, whole: bool) -> Product:
    """A monomial's factors; `whole`: it is no term of a sum."""
    powers = dict(m.powers)
    if abs(m.coefficient) != 1:
        powers = {Rational(abs(m.coefficient).numerator, abs(m.coefficient).denominator): 1, **powers}
    if m.coefficient < 0 and whole:
        return Product(1, {S.NegativeOne: 1, **powers})
    return Product(1 if m.coefficient > 0 else -1, powers)


def _pair(a: Basic, b: Basic, product: Product) -> Pair:
    """Two factors as a pair, in one order."""
    above, same = product.powers[a] > 0, product.powers[a] * product.powers[b] > 0
    return (a, b, same) if (str(a) < str(b) if same else above) else (b, a, same)


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
