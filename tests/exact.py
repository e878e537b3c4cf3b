"""Programs in many digits: the numbers that floating point is held against.

In: a program, a point.  Out: its value and derivatives in mpmath.
Always holds: only the value is computed, of the program as it is written; derivatives are differences of it, a value
where it has none (0/0) is the mean of its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Symbol

from graphc.graph.graph import Graph
from graphc.language.expand import expand
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate_arrays_exactly

DIGITS = 1000  # 1 + exp(-1000) is not 1 yet
STEP = "1e-40"
BESIDE = "1e-100"


def evaluate_arrays(graph: Graph, values: Mapping[Symbol, Any], sizes: Mapping[str, int] | None = None) -> Any:
    """The program's value, element by element in mpmath; of arrays, too, composite operations by their definitions."""
    primitive = expand(graph)
    return evaluate_arrays_exactly(primitive, values, primitive.outputs, mpmath.mp.dps, sizes)[primitive.outputs[0]]


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
