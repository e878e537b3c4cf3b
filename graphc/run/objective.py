"""A program as a function of one vector, as numerical libraries take it.

In: a function, names that the vector packs, values of the others.  Out: `Objective`.
Always holds: the vector is the named arrays one after the other, each in row-major order; values that stay are converted
once, here; results are float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import DataError
from graphc.graph.types import Type, shape_text, size_value, sizes_of
from graphc.language.names import by_plain_name, plain_name
from graphc.run.function import numeric
from graphc.training.data import bind_sizes, check_shape

if TYPE_CHECKING:
    from graphc.run.function import Function


class Objective:
    """A program's output and its derivative as functions of one vector.

    o(v) -> (value, derivative): scipy.optimize.minimize(o, o.start, jac=True), root(o, o.start, jac=True)
    o.value(v), o.jacobian(v): least_squares(o.value, o.start, jac=o.jacobian); o.hessian(v) for Newton's methods, or
    o.hvp(v, p), its product with a vector: minimize(o, o.start, jac=True, hessp=o.hvp, method="trust-krylov")
    o.low_level: scipy.integrate.quad(o.low_level, a, b), nquad
    o.unpack(v) -> {name: array}, o.pack({name: array}) -> v

    A number has a gradient, of the vector's length n; an array of m elements is a vector and has an (m, n) matrix.  In a
    program of numbers, values that stay may be arrays: they broadcast, and the value is an array of residuals.
    Raises DataError for values that do not fit.
    """

    def __init__(self, function: Function, wrt: tuple[str, ...], values: Mapping[str, Any]) -> None:
        wrt, values = tuple(map(plain_name, wrt)), by_plain_name(values)
        self.names, self._function = wrt, function
        self._leaves = {leaf.name: leaf for leaf in function.artifact.leaves}
        for name in (*wrt, *values):
            if name not in self._leaves:
                raise DataError(f"{name} is no input", hint=f"the inputs are {', '.join(self._leaves)}")
        for name in wrt:
            if self._leaves[name].kind != "real":
                raise DataError(f"{name} is {self._leaves[name].kind}; only real values are packed")
        if not wrt or len(function.artifact.outputs) != 1:
            what = "nothing to vary" if not wrt else f"several outputs ({', '.join(function.artifact.outputs)})"
            raise DataError(f"the program has {what}", hint='f.objective("x"), with one output')
        arrays = {n: numeric(n, v, self._leaves[n].kind, np.dtype(function.artifact.dtype)) for n, v in values.items()}
        self._given = {n: v for n, v in arrays.items() if n in wrt}
        self._fixed = {n: v for n, v in arrays.items() if n not in wrt}
        types = {n: Type(leaf.shape, leaf.kind) for n, leaf in self._leaves.items()}
        self._sizes = {} if function.artifact.pointwise else bind_sizes(arrays, types)
        self._shapes = {name: self._shape(name) for name in wrt}
        self._ends = np.cumsum([math.prod(shape) for shape in self._shapes.values()]).tolist()

    def _shape(self, name: str) -> tuple[int, ...]:
        """The shape of what is packed: its start's, else what the sizes of the other arrays say."""
        leaf = self._leaves[name]
        if name in self._given:
            check_shape(name, self._given[name], leaf.shape)
        unknown = set().union(*(sizes_of(d) for d in leaf.shape)) - set(self._sizes)
        if unknown:
            raise DataError(
                f"{name} has shape {shape_text(leaf.shape)}, and {min(unknown)} is not known",
                hint=f"give a start of it: f.objective({name!r}, {name}=[...])",
            )
        return tuple(size_value(d, self._sizes) for d in leaf.shape)

    # --- packing -----------------------------------------------------------------------------------------------

    @cached_property
    def start(self) -> Any:
        """The vector to start at: values that were given, else the program's first values (of seed 0)."""
        known = self._given.keys() >= set(self.names)
        return self.pack(self._given if known else {**self._function.initial(0, **self._sizes), **self._given})

    def pack(self, values: Mapping[str, Any]) -> Any:
        """Arrays by name as one vector."""
        parts, values = [], by_plain_name(values)
        for name, shape in self._shapes.items():
            if name not in values:
                raise DataError(f"{name} has no first value", hint=f"give one: f.objective(..., {name}=0.5)")
            part = np.asarray(values[name], np.float64)
            if part.shape != shape:
                raise DataError(f"{name} has shape {part.shape}, not {shape}")
            parts.append(part.reshape(-1))
        return np.concatenate(parts)

    def unpack(self, vector: Any) -> dict[str, Any]:
        """The vector as arrays by name; numbers for scalars."""
        vector = numeric("the vector", vector, "real", self._function.artifact.dtype)
        if vector.shape != (self._ends[-1],):
            raise DataError(f"the vector has shape {vector.shape}, not ({self._ends[-1]},)")
        found, begin = {}, 0
        for (name, shape), end in zip(self._shapes.items(), self._ends, strict=True):
            found[name] = vector[begin:end].reshape(shape) if shape else float(vector[begin])
            begin = end
        return found

    # --- calls -------------------------------------------------------------------------------------------------

    def __call__(self, vector: Any) -> tuple[Any, Any]:
        """Value and derivative."""
        value, *blocks = self._results(self._both, vector)
        return _flat(value), self._matrix(value, blocks)

    def value(self, vector: Any) -> Any:
        """The value alone."""
        return _flat(self._results(self._function, vector)[0])

    def jacobian(self, vector: Any) -> Any:
        """The derivative alone."""
        value, *blocks = self._results(self._both, vector)
        return self._matrix(value, blocks)

    def hessian(self, vector: Any) -> Any:
        """The matrix of second derivatives of a number."""
        found = self._results(self._second, vector)
        if self._function.artifact.pointwise and any(np.ndim(b) for b in found):
            raise DataError("only a number has a Hessian", hint="give numbers for the values that stay")
        blocks = iter(found)
        lengths = [math.prod(shape) for shape in self._shapes.values()]
        rows = [[np.asarray(next(blocks), np.float64).reshape(m, n) for n in lengths] for m in lengths]
        return np.block(rows)

    def hvp(self, vector: Any, direction: Any) -> Any:
        """The product of the matrix of second derivatives of a number with a vector, of length n as both are.

        Forward mode over reverse mode (Pearlmutter 1994): it takes a few times as long as the gradient, whatever n is.
        """
        pushed = [name for name in self._times.inputs if name not in self._leaves]
        along = dict(zip(pushed, self.unpack(direction).values(), strict=True))
        return np.concatenate([np.ravel(v) for v in self._results(self._times, vector, along)]).astype(np.float64)

    @cached_property
    def low_level(self) -> Any:
        """A `scipy.LowLevelCallable`, double (int n, double *x), of the names in their order; programs of numbers only."""
        from graphc.run.callback import scalar_callback

        arrays = [name for name in self._function.inputs if self._leaves[name].shape]
        if arrays:
            raise DataError(
                f"{arrays[0]} is an array, and a C function of doubles takes numbers", hint="quad wants f(x)"
            )
        total = len(self._leaves)
        if len(self._fixed) + len(self.names) < total or any(v.ndim for v in self._fixed.values()):
            raise DataError("every input that is not integrated over needs a number", hint='f.objective("x", a=2)')
        return scalar_callback(self._function, self.names, {n: v.item() for n, v in self._fixed.items()})

    @cached_property
    def _both(self) -> Function:
        return self._function.derived("objective", self.names)

    @cached_property
    def _second(self) -> Function:
        return self._function.derived("hessian", self.names)

    @cached_property
    def _times(self) -> Function:
        return self._function.derived("hvp", self.names)

    def _results(self, function: Function, vector: Any, more: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        given = {**self._fixed, **self.unpack(vector), **(more or {})}
        found = function(**{name: given[name] for name in function.inputs if name in given})
        return tuple(found.values()) if isinstance(found, dict) else (found,)

    def _matrix(self, value: Any, blocks: list[Any]) -> Any:
        """The derivatives side by side: (n,) of a number, (m, n) of an array."""
        rows = np.size(value)
        flat = [np.asarray(b, np.float64).reshape(rows, -1) for b in blocks]
        matrix = np.concatenate(flat, axis=1)
        return matrix if np.ndim(value) else matrix[0]


def _flat(value: Any) -> Any:
    return np.asarray(value, np.float64).reshape(-1) if np.ndim(value) else float(value)
