"""What many tests ask of a graph: that it is valid, prints and reads back, and has the right gradient.

In: programs.  Out: nothing, or a failed assertion that shows the program.
Always holds: nothing here knows an operation; values come from the evaluator, derivatives from differences of values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy import Symbol

from graphc.differentiate.program import expand_gradients, gradient, the_value
from graphc.graph.graph import Graph
from graphc.graph.types import size_value
from graphc.graph.validate import validate
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate


def read(text: str) -> Graph:
    """The program's graph, valid and read back from its own text."""
    return same_again(parse(text))


def same_again(graph: Graph) -> Graph:
    """The graph itself, if it is valid and its text gives it again."""
    validate(graph)
    text = str(graph)
    again = parse(text)
    assert again == graph, f"{text}\n--- reads as ---\n{again}"
    return graph


def real_leaves(graph: Graph) -> tuple[Symbol, ...]:
    """What a graph can be differentiated for."""
    return tuple(s for s in graph.leaves() if graph.types[s].kind == "real")


def shape_of(graph: Graph, s: Symbol, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a symbol where its sizes are known."""
    return tuple(size_value(d, sizes) for d in graph.types[s].shape)


def leaf_values(
    graph: Graph, *, seed: int = 0, low: float = 0.2, high: float = 1.5, size: int = 4, dtype: Any = np.float64
) -> tuple[dict[Symbol, Any], dict[str, int]]:
    """Random values of everything that is given, and the sizes."""
    rng = np.random.default_rng(seed)
    sizes = {name: size + k for k, name in enumerate(graph.sizes)}
    values: dict[Symbol, Any] = {}
    for s in graph.leaves():
        shape, kind = shape_of(graph, s, sizes), graph.types[s].kind
        if kind == "real":
            values[s] = rng.uniform(low, high, shape).astype(dtype)
        else:
            values[s] = rng.integers(0, 2, shape).astype(bool if kind == "bool" else np.int64)
    return values, sizes


def differences(graph: Graph, values: Mapping[Symbol, Any], sizes: Mapping[str, int], s: Symbol, h: float) -> Any:
    """The gradient for s by central differences."""
    value = the_value(graph)
    result = np.zeros(np.shape(values[s]))
    for place in np.ndindex(*result.shape):
        ends = []
        for step in (h, -h):
            moved = np.array(values[s], dtype=float)
            moved[place] += step
            ends.append(evaluate(graph, {**values, s: moved}, [value], sizes)[value])
        result[place] = (ends[0] - ends[1]) / (2 * h)
    return result


def check_gradient(
    text: str,
    *,
    seed: int = 0,
    low: float = 0.2,
    high: float = 1.5,
    size: int = 4,
    tolerance: float = 1e-5,
    h: float = 1e-6,
) -> Graph:
    """Gradient against central differences; the graph with the gradients."""
    graph = expand_gradients(read(text))
    same_again(graph)
    wrt = real_leaves(graph)
    found = same_again(gradient(graph, wrt))
    values, sizes = leaf_values(graph, seed=seed, low=low, high=high, size=size)
    results = evaluate(found, values, found.outputs, sizes)
    for s, output in zip(wrt, found.outputs, strict=True):
        want = differences(graph, values, sizes, s, h)
        assert results[output].shape == want.shape, f"{text}: gradient for {s} has shape {results[output].shape}"
        scale = 1 + np.abs(want).max(initial=0)
        error = np.abs(want - results[output]).max(initial=0)
        assert error < tolerance * scale, f"{text}: gradient for {s}\n{results[output]}\ninstead of\n{want}"
    return found


def point(text: str, **values: Any) -> tuple[Any, dict[str, Any]]:
    """Value and gradients of a program at a point, by name."""
    graph = expand_gradients(read(text))
    value, wrt = the_value(graph), real_leaves(graph)
    found = same_again(gradient(graph, wrt))
    given = {s: np.asarray(values[s.name], float if graph.types[s].kind == "real" else None) for s in graph.leaves()}
    sizes = _sizes(graph, given)
    results = evaluate(found, given, found.outputs, sizes)
    gradients = {s.name: results[o] for s, o in zip(wrt, found.outputs, strict=True)}
    return evaluate(graph, given, [value], sizes)[value], gradients


def _sizes(graph: Graph, given: Mapping[Symbol, Any]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for s, value in given.items():
        for d, n in zip(graph.types[s].shape, value.shape, strict=True):
            if str(d) in graph.sizes:
                sizes[str(d)] = n
    return sizes
