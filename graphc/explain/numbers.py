"""Numbers beside the symbols of a derivation.

In: a graph and values by name.  Out: values of its symbols, and their texts.
Always holds: nothing is asked for that the value does not depend on; a parameter with a constant initial value has it
as default; sizes are what the arrays given say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sympy import Symbol

from graphc.errors import DataError
from graphc.explain.gradient import Gradient
from graphc.graph.graph import Graph
from graphc.graph.types import Type, shape_text, size_value, sizes_of, the_name
from graphc.language.names import by_plain_name
from graphc.run.evaluate import evaluate

SHOWN = 8  # elements of an array that are shown


@dataclass(frozen=True)
class Numbers:
    """Values of the leaves, sizes, and the texts of what was evaluated."""

    leaves: Mapping[Symbol, Any]
    sizes: Mapping[str, int]
    symbols: dict[Symbol, str] = field(default_factory=dict)
    gradients: dict[Symbol, str] = field(default_factory=dict)

    def evaluated(self, graph: Graph, targets: tuple[Symbol, ...]) -> dict[Symbol, Any]:
        """Values of `targets`."""
        return evaluate(graph, self.leaves, targets, self.sizes)


def numbers_at(graph: Graph, gradient: Gradient, at: Mapping[str, Any]) -> Numbers:
    """Values of a graph's symbols and of its gradient."""
    leaves, sizes = arguments(graph, at)
    numbers = Numbers(leaves, sizes)
    forward = tuple(e.target for e in graph.equations)
    values = {**leaves, **numbers.evaluated(graph, forward)}
    numbers.symbols.update((s, number_text(v)) for s, v in values.items())
    found = numbers.evaluated(gradient.graph, gradient.graph.outputs)
    for s, output in zip(gradient.variables, gradient.graph.outputs, strict=True):
        numbers.gradients[s] = number_text(found[output])
    return numbers


def arguments(graph: Graph, at: Mapping[str, Any]) -> tuple[dict[Symbol, Any], dict[str, int]]:
    """The leaves' values and the sizes they imply; DataError where one is missing or does not fit."""
    leaves: dict[Symbol, Any] = {}
    at = by_plain_name(at)
    known = {s.name for s in graph.leaves()}
    for name in at:
        if name not in known:
            raise DataError(f"{name} is not needed here", hint=f"values are needed of {', '.join(sorted(known))}")
    for s in graph.leaves():
        if s.name in at:
            leaves[s] = _array(s, at[s.name])
    sizes = _sizes(graph, leaves)
    for s in graph.leaves():
        if s not in leaves:
            leaves[s] = _initial(graph, s, sizes)
        _check(s, graph.types[s], leaves[s], sizes)
    return leaves, sizes


def _array(s: Symbol, value: Any) -> Any:
    try:
        array = np.asarray(value)
        return array if array.dtype.kind in "biu" else array.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"the value of {s.name} is no number and no array of numbers", hint="at={'x': 0.5}") from None


def _sizes(graph: Graph, leaves: Mapping[Symbol, Any]) -> dict[str, int]:
    """Sizes that are a dimension of some array given."""
    sizes: dict[str, int] = {}
    for s, value in leaves.items():
        for d, length in zip(graph.types[s].shape, value.shape, strict=False):
            if (name := the_name(d)) is not None:
                sizes.setdefault(name, length)
    return sizes


def _initial(graph: Graph, s: Symbol, sizes: Mapping[str, int]) -> Any:
    initial = graph.initial.get(s)
    if initial is None or initial.distribution != "constant":
        raise DataError(f"the value of {s.name} is missing", hint=f"give it a number: {s.name} = 0.5")
    shape = tuple(size_value(d, sizes) for d in graph.types[s].shape)
    (output,) = initial.values.outputs
    return np.broadcast_to(evaluate(initial.values, {}, (output,), sizes)[output], shape)


def _check(s: Symbol, type_: Type, value: Any, sizes: Mapping[str, int]) -> None:
    unknown = {n for d in type_.shape for n in sizes_of(d)} - set(sizes)
    fits = len(value.shape) == type_.rank and (
        unknown or value.shape == tuple(size_value(d, sizes) for d in type_.shape)
    )
    if not fits:
        raise DataError(f"the value of {s.name} has shape {value.shape}; the program says {shape_text(type_.shape)}")


def number_text(value: Any) -> str:
    """A number in six digits, a small array as rows; nothing for a larger array."""
    array = np.asarray(value)
    if array.size > SHOWN:
        return ""
    if array.shape == ():
        return str(array) if array.dtype == bool else f"{float(array) + 0.0:.6g}"
    return f"[{', '.join(number_text(v) for v in array)}]"
