"""Rewriting: Graph -> Graph, by rules in three sets with distinct intent.

In: a graph.  Out: a graph of the same values, and the steps that led there.
Always holds: `stabilise` uses the stable rules alone (no overflow, no lost digits), before differentiation and after;
`simplify` uses them with the canonical and the cheap ones; a stable rule is never undone.
"""

from __future__ import annotations

from sympy import Symbol

from graphc.graph.graph import Graph, needed
from graphc.rewrite.arrange import TRIALS
from graphc.rewrite.canonical import CANONICAL
from graphc.rewrite.cheap import CHEAP
from graphc.rewrite.differences import COMPOUND, NEARLY_ONE
from graphc.rewrite.driver import Step, Worklist, changed, index_of, rewrite_steps
from graphc.rewrite.hypotenuses import DIRECTION, DIRECTIONS, HYPOTENUSE
from graphc.rewrite.logarithms import POWERS_OF_LOGARITHM
from graphc.rewrite.means import MEAN
from graphc.rewrite.names import drop_dead, kept_symbols
from graphc.rewrite.order import order_products
from graphc.rewrite.overflow import BOUNDED, SHARE, SUM_OVER_SUM
from graphc.rewrite.reading import READING, readable, readable_steps
from graphc.rewrite.reciprocals import share_reciprocals
from graphc.rewrite.rule import Form, Rewriting, Rule
from graphc.rewrite.squares import factor_squares
from graphc.rewrite.stable import NEAR_EXTREMES, PRECISE, STABLE
from graphc.rewrite.trials import ALL, Result, Trials
from graphc.rewrite.vanishing import BEFORE_OVERFLOW

_PRECISE, _SHORT = index_of(PRECISE), index_of(CANONICAL, CHEAP)
# For what is computed, after all derivatives are taken: differences of what is nearly equal, then what overflows.
_NEAR: tuple[Rewriting, ...] = (
    MEAN,
    POWERS_OF_LOGARITHM,
    DIRECTIONS,
    NEARLY_ONE,
    *NEAR_EXTREMES,
    HYPOTENUSE,
)
_FAR: tuple[Rewriting, ...] = (SUM_OVER_SUM, BOUNDED, SHARE, COMPOUND, DIRECTION, BEFORE_OVERFLOW)
COMPUTED = (*_NEAR, *_FAR)
_COMPUTED = tuple(map(index_of, (_NEAR, _FAR)))


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
    steps = work.run(ALL, work.everything())
    trials = Trials(work)
    steps += trials.shorten()
    steps += trials.work.run(_PRECISE, trials.work.everything(), first=_PRECISE)
    return drop_dead(trials.work.graph()), steps


def tidy(graph: Graph, since: Graph | None = None) -> Graph:
    """Normal form and cheap, by the rules that make no composite operation: for graphs of primitive operations.

    What serves the code alone comes last: products in their cheapest order, squares' differences, shared reciprocals.
    Where only some equations are new `since` another graph in normal form, rules are tried on these.
    """
    work = Worklist(drop_dead(graph))
    if since is not graph:
        start = None if since is None else changed(since, graph)
        work.run(_SHORT, work.everything() if start is None else work.near(start))
    for rules in _COMPUTED:
        work.run(rules, work.everything())
    return share_reciprocals(factor_squares(order_products(work.graph())))


__all__ = [
    "CANONICAL", "CHEAP", "COMPUTED", "PRECISE", "READING", "STABLE", "TRIALS", "Form", "Rule", "Step", "drop_dead", "kept_symbols", "needed",
    "order_products", "readable", "readable_steps", "rewrite_steps", "simplify", "simplify_steps", "stabilise", "stabilise_steps", "tidy",
]  # fmt: skip
