"""Numbers known before anything runs: log(2), pi^2.

In: a graph of primitive operations.  Out: the graph with such equations replaced by their values.
Always holds: a value is computed with 50 digits and rounded once; formulas that are printed keep log(2) as it is: only
generated code has the number.
"""

from __future__ import annotations

import math
from typing import Any

import sympy
from sympy import Basic

from graphc.codegen.schedule import lowering_of
from graphc.graph.graph import Equation, Graph, operands, statics
from graphc.graph.operation import node, operation_of
from graphc.ops.lowering import Scalar

DIGITS = 50


def with_numbers(graph: Graph) -> Graph:
    """Every elementwise real equation of numbers alone as its number, where that is finite."""
    exact: dict[Basic, Any] = {}
    for equation in graph.equations:
        value = _value(graph, equation, exact)
        if value is not None:
            exact[equation.target] = value
    # the shortest decimal that is this float
    known = {s: sympy.Rational(repr(float(value))) for s, value in exact.items()}
    if not known:
        return graph
    results = {*graph.outputs, *graph.metrics, *(v for _, v in graph.updates)}
    equations = []
    for e in graph.equations:
        if e.target in known:
            if e.target in results:
                equations.append(Equation(e.target, known[e.target], e.origin))
            continue
        operation, atoms = operation_of(e.expr), tuple(known.get(a, a) for a in operands(e.expr))
        expr = known.get(e.expr, e.expr) if operation is None else node(operation, atoms, statics(e.expr))
        equations.append(Equation(e.target, expr, e.origin))
    return graph.replace(equations=tuple(equations))


def _value(graph: Graph, equation: Equation, exact: dict[Basic, Any]) -> Any:
    """The value of an equation, with 50 digits; None where there is none."""
    import mpmath

    operation, atoms = operation_of(equation.expr), operands(equation.expr)
    if operation is None or operation.exact is None or not isinstance(lowering_of(equation), Scalar):
        return None
    real = graph.types[equation.target].kind == "real" and not graph.types[equation.target].shape
    if not real or not all(a in exact or (a.is_number and a.is_finite) for a in atoms):
        return None
    with mpmath.workdps(DIGITS):
        try:
            numbers = [exact[a] if a in exact else mpmath.mpf(str(sympy.N(a, DIGITS))) for a in atoms]
            value = operation.exact(mpmath, *statics(equation.expr), *numbers)
        except (ZeroDivisionError, ValueError):  # a pole: the generated code gives inf or nan
            return None
        return value if isinstance(value, mpmath.mpf) and math.isfinite(float(value)) else None
