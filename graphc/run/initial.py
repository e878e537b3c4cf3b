"""Initial values of parameters and states.

In: leaves of a program, sizes, a seed.  Out: arrays by name.
Always holds: the same seed gives the same bits; NumPy's global generator is neither read nor changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from graphc.codegen.artifact import Leaf
from graphc.errors import DataError
from graphc.graph.types import shape_text, size_value, sizes_of


def initial_values(
    leaves: Iterable[Leaf], seed: int, dtype: Any, sizes: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """First values of parameters and states that have one, drawn in the order of declaration."""
    generator = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for leaf in leaves:
        if leaf.role != "input" and leaf.initial is not None:
            values[leaf.name] = draw(leaf, generator, known_shape(leaf, sizes or {}), dtype)
    return values


def known_shape(leaf: Leaf, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A leaf's shape in numbers; DataError where a size is not known."""
    open_sizes = set().union(*(sizes_of(d) for d in leaf.shape)) - set(sizes) if leaf.shape else set()
    if open_sizes:
        raise DataError(
            f"{leaf.name} has shape {shape_text(leaf.shape)}, and {min(open_sizes)} is not known",
            hint=f"give it by name: initial(seed=0, {min(open_sizes)}=10)",
        )
    return tuple(size_value(d, sizes) for d in leaf.shape)


def draw(leaf: Leaf, generator: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    """One leaf's first value."""
    assert leaf.initial is not None
    name, arguments = leaf.initial
    kind = {"real": dtype, "int": np.int64, "bool": np.bool_}[leaf.kind]
    values = [np.asarray(a, np.float64) for a in arguments]
    if name == "constant":
        return np.array(np.broadcast_to(values[0], shape), kind)
    if name == "normal" and (values[1] < 0).any():
        raise DataError(f"{leaf.name} ~ normal: the deviation is {values[1]}, less than 0")
    if name == "uniform" and (values[1] < values[0]).any():
        raise DataError(f"{leaf.name} ~ uniform: the upper end {values[1]} is below the lower {values[0]}")
    sampler = generator.uniform if name == "uniform" else generator.normal
    sample = sampler(values[0], values[1], shape)
    return np.asarray(sample).astype(kind)
