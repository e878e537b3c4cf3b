"""CasADi: SX functions, mapped over the points, called through buffers; double precision only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import casadi
import numpy as np

from ..cases import Formula, Line, scalar_function


def _function(value: Callable[..., Any], inputs: int) -> Any:
    symbols = [casadi.SX.sym(f"x{k}") for k in range(inputs)]
    result = value(*symbols)
    gradient = casadi.gradient(result, casadi.vertcat(*symbols))
    return casadi.Function("both", symbols, [result, *casadi.vertsplit(gradient)])


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any] | None:
    arrays = list(points.values())
    if arrays[0].dtype != np.float64:
        return None
    mapped = _function(formula.value(casadi), len(arrays)).map(arrays[0].size)

    def call() -> Any:
        buffer, evaluate = mapped.buffer()
        out = [np.empty_like(arrays[0]) for _ in range(len(arrays) + 1)]
        for k, array in enumerate(arrays):
            buffer.set_arg(k, memoryview(array))
        for k, array in enumerate(out):
            buffer.set_res(k, memoryview(array))
        evaluate()
        return out[0], out[1:]

    return call


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    function = _numbers(formula.value(casadi), len(numbers))
    return lambda: function(*numbers)


def scalar(lines: list[Line]) -> Callable[..., Any]:
    return _numbers(scalar_function(casadi, lines), 3)


def _numbers(value: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """numbers -> [value, derivatives...]."""
    function = _function(value, inputs)
    return lambda *numbers: [float(v) for v in function(*numbers)]
