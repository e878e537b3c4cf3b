"""How much a result must be wrong where its inputs are rounded.

In: a program of numbers, a point.  Out: the relative condition number of each output.
Always holds: derivatives are computed in many digits; an error of about the condition number times half a unit in the
last place is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import Symbol

from graphc.differentiate.program import jacobian
from graphc.errors import DerivativeError
from graphc.graph.graph import Graph
from graphc.run.evaluate import evaluate_exactly


class Conditioning:
    """Condition numbers of a program's outputs, sum |x dy/dx| / |y| over its real inputs x (Higham 2002, section 1.6)."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.variables = tuple(s for s in graph.leaves() if graph.types[s].kind == "real")
        self.slopes = jacobian(graph, self.variables)

    def at(self, output: Symbol, point: Mapping[Symbol, Any], digits: tuple[int, ...]) -> float:
        """The condition number of one output, in as many digits as it takes not to be 0; infinite where it stays 0."""
        import mpmath

        place = self.graph.outputs.index(output) * len(self.variables)
        slopes = self.slopes.outputs[place : place + len(self.variables)]
        for enough in digits:
            found = evaluate_exactly(self.slopes, point, (*slopes, output), enough)
            if found[output]:
                break
        with mpmath.workdps(digits[0]):
            moved = sum(abs(mpmath.mpf(point[x]) * found[d]) for x, d in zip(self.variables, slopes, strict=True))
            if not mpmath.isfinite(moved):
                return float("inf")
            return float(moved / abs(found[output])) if found[output] else float("inf") if moved else 0.0


def conditioning(graph: Graph) -> Conditioning | None:
    """None where an operation of the program has no derivative."""
    try:
        return Conditioning(graph)
    except DerivativeError:
        return None
