"""Programs in many digits: the numbers that floating point is held against.

In: a program, a point.  Out: its value and derivatives in mpmath.
Always holds: only the value is computed, of the program as it is written; derivatives are differences of it, a value
where it has none (0/0) is the mean of its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np
from sympy import Symbol

from graphc.graph.graph import Graph, needed, operands, statics
from graphc.graph.operation import operation_of
from graphc.language.expand import expand
from graphc.language.reader import parse
from graphc.run.evaluate import _exact_number, known_statics

DIGITS = 1000  # 1 + exp(-1000) is not 1 yet
STEP = "1e-40"
BESIDE = "1e-100"


def evaluate_arrays(graph: Graph, values: Mapping[Symbol, Any], sizes: Mapping[str, int] | None = None) -> Any:
    """The program's value, element by element in mpmath; of arrays, too, composite operations by their definitions."""
    primitive = expand(graph)
    table: dict[Any, Any] = {s: np.asarray(v, dtype=object) for s, v in values.items()}
    for equation in needed(primitive, primitive.outputs):
        table[equation.target] = _applied(equation.expr, table, sizes or {})
    return table[primitive.outputs[0]]


def _applied(expr: Any, table: Mapping[Any, Any], sizes: Mapping[str, int]) -> Any:
    operation = operation_of(expr)
    if operation is None:
        return _atom(expr, table)
    arguments = [_atom(a, table) for a in operands(expr) if a is not expr]
    if not operation.elementwise:
        assert operation.reference is not None
        return np.asarray(operation.reference(*arguments, *known_statics(statics(expr), sizes)), dtype=object)
    spread = np.broadcast_arrays(*arguments)
    result = np.empty(spread[0].shape, dtype=object)
    for place in np.ndindex(*result.shape):
        result[place] = _scalar(operation, statics(expr), [a[place] for a in spread])
    return result


def _scalar(operation: Any, fixed: tuple[Any, ...], arguments: list[Any]) -> Any:
    try:
        found = operation.exact(mpmath, *fixed, *arguments)
    except (ZeroDivisionError, ValueError):  # a pole
        return mpmath.nan
    return mpmath.nan if isinstance(found, mpmath.mpc) else found


def _atom(atom: Any, table: Mapping[Any, Any]) -> Any:
    return table[atom] if isinstance(atom, Symbol) else np.asarray(_exact_number(atom, mpmath), dtype=object)


def derivatives(text: str, wrt: str, at: Mapping[str, float]) -> list[Any]:
    """Value, first and second derivative of a program of numbers, of which one varies."""
    graph = parse(text)

    def value(x: Any) -> Any:
        given = {s: x if s.name == wrt else mpmath.mpf(at[s.name]) for s in graph.leaves()}
        return evaluate_arrays(graph, given).item()

    with mpmath.workdps(DIGITS):
        x = mpmath.mpf(at[wrt])
        h, tiny = (mpmath.mpf(s) * (abs(x) or 1) for s in (STEP, BESIDE))
        here, up, down = value(x), value(x + h), value(x - h)
        if not mpmath.isfinite(here):
            here = (value(x + tiny) + value(x - tiny)) / 2
        if mpmath.isnan(down):  # the edge of the domain
            a, b, c = up, value(x + 2 * h), value(x + 3 * h)
            return [3 * a - 3 * b + c, (8 * b - 5 * a - 3 * c) / (2 * h), (a - 2 * b + c) / h**2]
        return [here, (up - down) / (2 * h), (up - 2 * here + down) / h**2]
