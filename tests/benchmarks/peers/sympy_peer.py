"""SymPy: derivatives by diff, common subexpressions by cse, NumPy code by lambdify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from ..cases import Formula, Line, scalar_function


def derivatives(function: Callable[..., Any], names: list[str]) -> tuple[list[Any], list[Any]]:
    """Symbols and [value, derivatives...] of a function."""
    symbols = [sympy.Symbol(n, real=True) for n in names]
    value = function(*symbols)
    return symbols, [value, *(sympy.diff(value, s) for s in symbols)]


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    symbols, both = derivatives(formula.value(sympy), list(points))
    function = sympy.lambdify(symbols, both, ["scipy", "numpy"], cse=True)
    arrays = list(points.values())

    def call() -> Any:
        value, *gradients = function(*arrays)
        return value, gradients

    return call


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    function = _numbers(formula.value(sympy), list(formula.ranges))
    return lambda: function(*numbers)


def scalar(lines: list[Line]) -> Callable[..., Any]:
    return _numbers(scalar_function(sympy, lines), list("xyz"))


def _numbers(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """numbers -> (value, derivatives)."""
    symbols, both = derivatives(function, names)
    return sympy.lambdify(symbols, (both[0], both[1:]), "math", cse=True)
