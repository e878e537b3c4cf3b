"""The checker of graphs.

In: a graph.  Out: nothing, or AssertionError: an invalid graph is a fault of graphc, never of the user.
Always holds: what passes has every symbol bound before use, assigned once, typed as its operation says, with an origin.
"""

from __future__ import annotations

from sympy import Basic, Symbol

from graphc.graph.graph import Graph, atom_type, operands, statics, symbols_of
from graphc.graph.operation import operation_of
from graphc.graph.types import Size, Type


def validate(graph: Graph) -> Graph:
    """The graph itself, if it is valid."""
    bound = set(graph.leaves())
    assert len(bound) == len(graph.leaves()), "a symbol is declared twice"
    for equation in graph.equations:
        target, expr = equation.target, equation.expr
        assert target not in bound, f"{target.name} is assigned twice"
        assert equation.origin, f"{target.name} has no origin"
        assert equation.origin.rule, f"{target.name} has no origin"
        for s in symbols_of(expr):
            assert s in bound, f"{s.name} is used before it is bound, in {target.name}"
        assert graph.types[target] == _inferred(graph, equation.expr), (
            f"{target.name} has another type than its operation"
        )
        bound.add(target)
    roots = (*graph.outputs, *graph.metrics, *(v for _, v in graph.updates))
    for root in roots:
        assert not isinstance(root, Symbol) or root in bound, f"{root} is not computed"
    assert set(graph.types) >= bound, "a symbol has no type"
    return graph


def _inferred(graph: Graph, expr: Basic) -> Type:
    operation = operation_of(expr)
    atoms = operands(expr)
    if operation is None:
        return atom_type(atoms[0], graph.types)
    types = tuple(atom_type(a, graph.types) for a in atoms if a is not expr)
    return operation.infer(types, statics(expr), _trust)[0]


def _trust(a: Size, b: Size, relation: str = "==") -> None:
    """Dimensions were compared when the graph was built."""
