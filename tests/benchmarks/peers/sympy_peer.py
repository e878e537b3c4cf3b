"""SymPy: derivatives by diff, common subexpressions by cse, NumPy and math code by lambdify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from ..cases import Formula


def _derivatives(formula: Formula) -> tuple[list[Any], list[Any]]:
    """Symbols and [value, derivatives...]."""
    symbols = [sympy.Symbol(n, real=True) for n in formula.ranges]
    value = formula.value(sympy)(*symbols)
    return symbols, [value, *(sympy.diff(value, s) for s in symbols)]


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    function = sympy.lambdify(*_derivatives(formula), ["scipy", "numpy"], cse=True)
    arrays = list(points.values())

    def call() -> Any:
        value, *gradients = function(*arrays)
        return value, gradients

    return call


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    function = sympy.lambdify(*_derivatives(formula), "math", cse=True)
    return lambda: function(*numbers)
