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
from graphc.rewrite.driver import Step, changed, promising_steps, rewrite, rewrite_steps
from graphc.rewrite.names import drop_dead, kept_symbols
from graphc.rewrite.order import order_products
from graphc.rewrite.reciprocals import share_reciprocals
from graphc.rewrite.rule import Form, Rule
from graphc.rewrite.sharing import operations, share_products
from graphc.rewrite.stable import PRECISE, STABLE


def stabilise(graph: Graph, opaque: frozenset[Symbol] = frozenset()) -> Graph:
    """Naive spellings in their safe form; every name the user gave stays.

    `opaque` symbols, which are to be differentiated for, are not looked into.
    """
    return stabilise_steps(graph, opaque)[0]


def stabilise_steps(graph: Graph, opaque: frozenset[Symbol] = frozenset()) -> tuple[Graph, tuple[Step, ...]]:
    """The same with its steps."""
    return rewrite_steps(graph, STABLE, opaque=opaque)


def simplify(graph: Graph) -> Graph:
    """Safe, in normal form and cheap; names that no result needs are dropped."""
    return simplify_steps(graph)[0]


def simplify_steps(graph: Graph) -> tuple[Graph, tuple[Step, ...]]:
    """The same with its steps."""
    short, steps, promising = promising_steps(drop_dead(graph), STABLE, CANONICAL, CHEAP)
    short = drop_dead(short)
    before = None
    while short is not before:
        before = short
        short, more, promising = _if_shorter(before, _shared(before, promising))
        steps += more
    result, last = rewrite_steps(short, PRECISE, first=PRECISE)
    return drop_dead(result), steps + last


Result: TypeAlias = tuple[Graph, tuple[Step, ...]]


def _shared(graph: Graph, promising: frozenset[Symbol]) -> Result:
    """Products shared, after all that share a fraction have multiplied it out, or not: what is shorter.

    `promising`: where that may be shorter.
    """
    found = [share_products(graph)]
    rules = (STABLE, CANONICAL, (CANCEL_ALL, *CHEAP))
    everywhere, steps = rewrite_steps(graph, *rules, first=(CANCEL_ALL,), start=promising) if promising else (graph, ())
    if steps:
        other, more = share_products(drop_dead(everywhere))
        found.append((other, steps + more))
    return min(found, key=lambda f: operations(f[0]))


def _if_shorter(graph: Graph, trial: Result) -> tuple[Graph, tuple[Step, ...], frozenset[Symbol]]:
    """What a trial made, in normal form, where it has fewer operations; else the graph as it was."""
    other, steps = trial
    if operations(other) >= operations(graph):
        return graph, (), frozenset()
    tidied, more, promising = promising_steps(other, STABLE, CANONICAL, CHEAP, start=changed(graph, other))
    tidied = drop_dead(tidied)
    return (tidied, steps + more, promising) if operations(tidied) <= operations(other) else (other, steps, promising)


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
