"""Rewriting: Graph -> Graph, by rules in three sets with distinct intent.

In: a graph.  Out: a graph of the same values, and the steps that led there.
Always holds: `stabilise` uses the stable rules alone (no overflow, no lost digits), before differentiation and after;
`simplify` uses them with the canonical and the cheap ones; a stable rule is never undone.
"""

from __future__ import annotations

from typing import TypeAlias

from sympy import Symbol

from graphc.graph.graph import Graph, needed
from graphc.rewrite.arrange import CANCEL_ALL
from graphc.rewrite.canonical import CANONICAL
from graphc.rewrite.cheap import CHEAP
from graphc.rewrite.driver import Step, Worklist, changed, index_of, rewrite, rewrite_steps
from graphc.rewrite.names import drop_dead, kept_symbols
from graphc.rewrite.order import order_products
from graphc.rewrite.reciprocals import share_reciprocals
from graphc.rewrite.rule import Form, Rule
from graphc.rewrite.sharing import operations, share_products
from graphc.rewrite.stable import PRECISE, STABLE


Result: TypeAlias = tuple[Graph, tuple[Step, ...]]
_ALL = index_of(STABLE, CANONICAL, CHEAP)
_CANCEL = index_of((CANCEL_ALL,))
_EVERYWHERE = index_of(STABLE, CANONICAL, (CANCEL_ALL, *CHEAP))
_PRECISE = index_of(PRECISE)


def stabilise(graph: Graph, opaque: frozenset[Symbol] = frozenset()) -> Graph:
    """Naive spellings in their safe form; every name the user gave stays.

    `opaque` symbols, which are to be differentiated for, are not looked into.
    """
    return stabilise_steps(graph, opaque)[0]


def stabilise_steps(graph: Graph, opaque: frozenset[Symbol] = frozenset()) -> Result:
    """The same with its steps."""
    return rewrite_steps(graph, STABLE, opaque=opaque)


def simplify(graph: Graph) -> Graph:
    """Safe, in normal form and cheap; names that no result needs are dropped."""
    return simplify_steps(graph)[0]


def simplify_steps(graph: Graph) -> Result:
    """The same with its steps."""
    work = Worklist(drop_dead(graph))
    steps = work.run(_ALL, work.everything())
    while (shorter := _shorter(work)) is not None:
        work, more = shorter
        steps += more
    last = work.run(_PRECISE, work.everything(), first=_PRECISE)
    return drop_dead(work.graph()), steps + last


def _shorter(work: Worklist) -> tuple[Worklist, tuple[Step, ...]] | None:
    """A graph in normal form with its products shared, and in normal form again, where it has fewer operations then."""
    graph = drop_dead(work.graph())
    other, steps = _shared(graph, work)
    if operations(other) >= operations(graph):
        return None
    tidied = Worklist(other, before=work)
    more = tidied.run(_ALL, tidied.near(changed(graph, other)))
    if operations(drop_dead(tidied.graph())) > operations(other):
        return Worklist(other, before=work), steps
    return tidied, steps + more


def _shared(graph: Graph, work: Worklist) -> Result:
    """Products shared, after all that share a fraction have multiplied it out, or not: what is shorter."""
    found = [share_products(graph)]
    if work.builder.promising:
        everywhere = Worklist(graph)
        steps = everywhere.run(_EVERYWHERE, everywhere.near(work.builder.promising), first=_CANCEL)
        if steps:
            other, more = share_products(drop_dead(everywhere.graph()))
            found.append((other, steps + more))
    return min(found, key=lambda f: operations(f[0]))


def tidy(graph: Graph, since: Graph | None = None) -> Graph:
    """Normal form and cheap, by the rules that make no composite operation: for graphs of primitive operations.

    Where only some equations are new `since` another graph in normal form, rules are tried on these.
    """
    if since is graph:
        return share_reciprocals(order_products(graph))
    start = None if since is None else changed(since, graph)
    return share_reciprocals(order_products(rewrite(drop_dead(graph), CANONICAL, CHEAP, start=start)))


__all__ = [
    "CANONICAL", "CHEAP", "PRECISE", "STABLE", "Form", "Rule", "Step", "drop_dead", "kept_symbols", "needed",
    "order_products", "rewrite", "rewrite_steps", "simplify", "simplify_steps", "stabilise", "stabilise_steps", "tidy",
]  # fmt: skip
