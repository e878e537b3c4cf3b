"""The gradient that a derivation ends with: simplified, as formulas where they are short.

In: a graph, its value, what to differentiate for.  Out: `Gradient`.
Always holds: a formula is shown only if it is complete and at most `LONGEST` characters; else the program is.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Basic, Symbol

from graphc.differentiate.reverse import gradient
from graphc.graph.graph import Graph, focus, symbols_of
from graphc.language.writer import inline_text
from graphc.rewrite import simplify

LONGEST = 200


@dataclass(frozen=True)
class Gradient:
    """The gradient's program; its outputs are the derivatives for `variables`.  `inlined`: shown as formulas."""

    graph: Graph
    variables: tuple[Symbol, ...]
    inlined: bool


def simplified_gradient(graph: Graph, variables: tuple[Symbol, ...], value: Symbol) -> Gradient:
    """Differentiate and simplify."""
    found = simplify(gradient(graph, variables, value))
    found = focus(found, found.outputs)
    return Gradient(found, variables, _short(found))


def _short(graph: Graph) -> bool:
    """True where every formula is short; sizes first, for a graph may be exponential as a tree."""
    if any(t.shape for t in graph.types.values()):
        return False
    size: dict[Basic, int] = {}
    for e in graph.equations:
        size[e.target] = min(LONGEST + 1, 1 + sum(size.get(s, len(s.name)) for s in symbols_of(e.expr)))
    if any(size.get(s, 0) > LONGEST for s in graph.outputs):
        return False
    return all(len(inline_text(graph, s)) <= LONGEST for s in graph.outputs)
