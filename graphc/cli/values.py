"""Values of a program at a point, and values as text.

In: graphs, values by name.  Out: arrays, texts.
Always holds: the slow evaluator answers, without Numba.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphc.errors import DataError

if TYPE_CHECKING:
    from sympy import Symbol

    from graphc.graph.graph import Graph


def primitive(graph: Graph) -> Graph:
    """The graph in its safe form, without gradients that are still to be taken."""
    from graphc.differentiate.program import expand_gradients
    from graphc.rewrite import stabilise

    return stabilise(expand_gradients(stabilise(graph), stabilise))


def values_at(graph: Graph, at: Mapping[str, Any], targets: Sequence[Symbol]) -> list[Any]:
    """Values of symbols at one point, by the slow evaluator; arrays broadcast in a program of numbers."""
    from graphc.compiler import is_pointwise
    from graphc.explain.numbers import arguments
    from graphc.run.evaluate import evaluate

    numbers = is_pointwise(graph)
    one = {name: v.flat[0] if numbers and v.size else v for name, v in at.items()}
    leaves, sizes = arguments(graph, one)
    if numbers:
        leaves.update({s: at[s.name] for s in leaves if s.name in at})
    try:
        found = evaluate(graph, leaves, tuple(targets), sizes)
    except (ValueError, IndexError) as error:
        if not (numbers or graph.sizes):
            raise
        raise DataError(f"the values do not fit each other: {error}") from None
    return [found[t] for t in targets]


def shown(value: Any) -> str:
    """A value as text: all digits of a number, an array as NumPy shows it."""
    import numpy as np

    array = np.asarray(value)
    if array.shape:
        return np.array2string(array, separator=", ")
    return str(array.item()).lower() if array.dtype == np.bool_ else repr(array.item())


def needed_part(graph: Graph) -> Graph:
    """The program without what its outputs do not need."""
    from graphc.graph.graph import focus

    return focus(graph, graph.outputs)
