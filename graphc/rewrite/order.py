"""The order of products: a @ b @ v by way of b @ v.

In: a graph.  Out: a graph of the same values, its chains of products in the cheapest order.
Always holds: only products whose results nobody else reads are taken apart; what was written stays where no other order
has fewer multiplications, a size that is not known counting as `LARGE`.  Another order rounds differently.

The cheapest order of a product of matrices is found over all of its parts (Bellman's dynamic programming, 1957), here
for contractions of any axes, so over all subsets of the factors: 3^k steps for k of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

from sympy import Basic, Symbol

from graphc.graph.builder import Builder, replaced
from graphc.graph.graph import Equation, Graph, operands, prune, statics, symbols_of
from graphc.graph.operation import Value, operation_of
from graphc.graph.types import size_value, sizes_of
from graphc.ops.contraction import LETTERS, contract, contracted, split

LARGE = 1000  # what a size that is not known counts as
MOST_FACTORS = 8

Labels = tuple[int, ...]


@dataclass
class _Chain:
    """A product of several factors, the labels of their axes and of the result's; `cost` as it is written."""

    factors: list[tuple[Basic, Labels]]
    result: Labels
    sizes: list[int]
    cost: int = 0


def order_products(graph: Graph) -> Graph:
    """The graph with its products in the cheapest order."""
    chained = _inner_products(graph)
    if not chained:
        return graph

    def ordered(builder: Builder, equation: Equation) -> Basic | None:
        if operation_of(equation.expr) is not contract or equation.target in chained:
            return None
        chain = _chain(graph, equation, chained)
        found = _cheapest(chain) if len(chain.factors) > 2 else None
        if found is None:
            return None
        result, labels = _build(builder, chain, found, (1 << len(chain.factors)) - 1)
        assert labels == chain.result
        return result

    return prune(replaced(graph, ordered))


def _inner_products(graph: Graph) -> dict[Basic, Equation]:
    """Products that only another product reads, once."""
    reads = Counter(s for e in graph.equations for s in symbols_of(e.expr))
    products = {e.target: e for e in graph.equations if operation_of(e.expr) is contract}
    inside = {s for e in products.values() for s in symbols_of(e.expr)}
    kept = {*graph.outputs, *graph.metrics, *(value for _, value in graph.updates), graph.objective}
    return {s: e for s, e in products.items() if reads[s] == 1 and s in inside and s not in kept}


def _chain(graph: Graph, equation: Equation, chained: dict[Basic, Equation]) -> _Chain:
    """The factors of a product, as far as the products inside it may be taken apart."""
    sizes: list[int] = []

    def label(size: object) -> int:
        sizes.append(size_value(size, dict.fromkeys(sizes_of(size), LARGE)))  # type: ignore[arg-type]
        return len(sizes) - 1

    result = tuple(label(d) for d in graph.types[equation.target].shape)
    chain, products = _Chain([(equation.target, result)], result, sizes), {**chained, equation.target: equation}
    while len(chain.factors) < MOST_FACTORS:
        place = next((k for k, (atom, _) in enumerate(chain.factors) if atom in products), None)
        if place is None:
            break
        atom, labels = chain.factors[place]
        a, b, c = split(statics(products[atom].expr)[0])
        names = dict(zip(c, labels, strict=True))
        factors = []
        for operand, part in zip(operands(products[atom].expr), (a, b), strict=True):
            shape = graph.types[operand].shape if isinstance(operand, Symbol) else ()
            for letter, size in zip(part, shape, strict=True):
                if letter not in names:
                    names[letter] = label(size)
            factors.append((operand, tuple(names[letter] for letter in part)))
        chain.factors[place : place + 1] = factors
        chain.cost += prod(sizes[n] for n in names.values())
    return chain


def _cheapest(chain: _Chain) -> dict[int, int] | None:
    """For each set of factors (a bit each) the part that is multiplied with the rest; None where nothing is won."""
    count = len(chain.factors)
    cost, best = {1 << k: 0 for k in range(count)}, dict[int, int]()
    for mask in range(1, 1 << count):
        if mask in cost:
            continue
        part = (mask - 1) & mask
        while part:
            if part & (mask & -mask):  # the first factor stays on the left
                labels = {*_open(chain, part), *_open(chain, mask ^ part)}
                total = cost[part] + cost[mask ^ part] + prod(chain.sizes[n] for n in labels)
                if mask not in cost or total < cost[mask]:
                    cost[mask], best[mask] = total, part
            part = (part - 1) & mask
    return best if cost[(1 << count) - 1] < chain.cost else None


def _open(chain: _Chain, mask: int) -> list[int]:
    """The labels that the product of some factors has: those that the result or another factor has."""
    others = {n for k, (_, labels) in enumerate(chain.factors) if not mask >> k & 1 for n in labels}
    own = dict.fromkeys(n for k, (_, labels) in enumerate(chain.factors) if mask >> k & 1 for n in labels)
    return [n for n in own if n in others or n in chain.result]


def _build(builder: Builder, chain: _Chain, best: dict[int, int], mask: int) -> tuple[Basic, Labels]:
    """The product of some factors."""
    if mask not in best:
        return chain.factors[mask.bit_length() - 1]
    (x, a), (y, b) = (_build(builder, chain, best, part) for part in (best[mask], mask ^ best[mask]))
    result = chain.result if mask == (1 << len(chain.factors)) - 1 else tuple(_open(chain, mask))
    names = {n: LETTERS[k] for k, n in enumerate(dict.fromkeys((*a, *b)))}
    shown = ("".join(names[n] for n in labels) for labels in (a, b, result))
    return contracted(Value(builder, x), Value(builder, y), *shown).atom, result
