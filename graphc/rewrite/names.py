"""What a program's names ask of a rewriting: which must stay, and what is dropped.

In: a graph.  Out: the symbols that must keep their names; a graph without dead equations.
Always holds: what the user, an output, an update, a metric or the objective names stays.
"""

from __future__ import annotations

import re

from sympy import Symbol

from graphc.graph.graph import Equation, Graph, needed, operands, symbols_of
from graphc.graph.operation import operation_of
from graphc.ops import DERIVATIVES

_GENERATED = re.compile(r"v\d+")
_DEFINITION = re.compile(r"\s*(\w+)\s*=")


def is_named(equation: Equation) -> bool:
    """True where the user named the equation's target: its text starts with the name, or no generated name is like it."""
    span, name = equation.origin.span, equation.target.name
    if span is None:
        return False
    if _GENERATED.fullmatch(name) is None:
        return True
    found = _DEFINITION.match(span.source_line, span.column - 1)
    return found is not None and found[1] == name


def kept_symbols(graph: Graph) -> frozenset[Symbol]:
    """Symbols that must keep their names: the user's, outputs, metrics, the objective, values of updates, of `grad`."""
    kept = {*graph.outputs, *graph.metrics, *(v for _, v in graph.updates if isinstance(v, Symbol))}
    if graph.objective is not None:
        kept.add(graph.objective)
    for equation in graph.equations:
        if is_named(equation):
            kept.add(equation.target)
        if operation_of(equation.expr) in DERIVATIVES:
            kept.update(symbols_of(equation.expr))
    return frozenset(kept)


def watched_symbols(graph: Graph) -> frozenset[Symbol]:
    """What the program differentiates for: a derivative for y is lost where y is looked through."""
    return frozenset(
        a
        for e in graph.equations
        if operation_of(e.expr) in DERIVATIVES
        for a in operands(e.expr)[1:]
        if isinstance(a, Symbol)
    )


def drop_dead(graph: Graph, kept: frozenset[Symbol] = frozenset()) -> Graph:
    """Without the equations that neither the program's results nor the symbols `kept` need."""
    roots = (*graph.outputs, *(v for _, v in graph.updates), *graph.metrics, *kept)
    equations = needed(graph, roots if graph.objective is None else (*roots, graph.objective))
    if len(equations) == len(graph.equations):
        return graph
    alive = {e.target for e in equations}.union(graph.leaves())
    return graph.replace(equations=equations, types={s: t for s, t in graph.types.items() if s in alive})
