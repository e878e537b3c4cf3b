"""Graph to a SymPy expression.

In: a scalar graph.  Out: its output as one SymPy expression of real symbols, or a dictionary of several.
Always holds: numbers are exact; equations are shared as objects, not copied; what has arrays is refused by its name.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Symbol

from graphc.errors import GraphcError
from graphc.graph.graph import Equation, Graph, needed, operands, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import shape_text
from graphc.ops.sympy_table import expression_of


def to_sympy(graph: Graph) -> Any:
    """The output of a scalar program as a SymPy expression; several outputs as a dictionary by name."""
    table: dict[Basic, Any] = {s: Symbol(s.name, real=True) for s in graph.leaves()}
    for equation in needed(graph, graph.outputs):
        table[equation.target] = _expression(graph, equation, table)
    found = {s.name: table[s] for s in graph.outputs}
    return found if len(found) > 1 else next(iter(found.values()))


def _expression(graph: Graph, equation: Equation, table: dict[Basic, Any]) -> Any:
    operation = operation_of(equation.expr)
    for atom in (equation.target, *operands(equation.expr)):
        if atom in graph.types and graph.types[atom].shape:
            raise GraphcError(
                f"{atom.name} has shape {shape_text(graph.types[atom].shape)}; only scalar programs go to SymPy",
                hint="SymPy has no broadcasting arrays",
            )
    arguments = tuple(table.get(a, a) for a in operands(equation.expr) if operation is None or a is not equation.expr)
    if operation is None:
        return arguments[0]
    make = expression_of(operation)
    if make is None:
        raise GraphcError(f"{operation.written} has no form in SymPy (in {equation.target.name})")
    try:
        return make(*statics(equation.expr), *arguments)
    except RecursionError:
        raise GraphcError(
            f"{equation.target.name} is nested too deeply for SymPy", hint="SymPy's own functions are recursive"
        ) from None
