"""The oracle: a graph evaluated equation by equation.

In: a graph and values by symbol.  Out: values of the symbols asked for, by NumPy or in 50 digits.
Always holds: each operation is computed by its record's reference, nothing is fused or rewritten; slow and plain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sympy import Basic, Symbol

from graphc.graph.graph import Graph, atom_type, needed, operands, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Dim, size_value


def constant_value(atom: Basic) -> float | int:
    """A number of the program as a Python number."""
    return int(atom) if atom.is_Integer else float(atom)


def known_statics(values: tuple[Any, ...], sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """Static arguments with the sizes put in."""
    return tuple(_known(v, sizes) for v in values)


def _known(value: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(value, Dim):
        return size_value(value, sizes)
    return tuple(_known(v, sizes) for v in value) if isinstance(value, tuple) else value


def evaluate(
    graph: Graph,
    values: Mapping[Symbol, Any],
    targets: Iterable[Symbol],
    sizes: Mapping[str, int] | None = None,
    dtype: Any = np.float64,
) -> dict[Symbol, Any]:
    """Values of `targets`, as arrays of `dtype` (int64 and bool where that is their kind)."""
    targets = tuple(targets)
    table: dict[Basic, Any] = {s: np.asarray(v) for s, v in values.items()}
    kinds = {"real": dtype, "int": np.int64, "bool": np.bool_}
    with np.errstate(all="ignore"):
        for equation in needed(graph, targets):
            kind = kinds[graph.types[equation.target].kind]
            table[equation.target] = np.asarray(_apply(equation.expr, table, sizes or {}, dtype), dtype=kind)
    return {t: table[t] for t in targets}


def _apply(expr: Basic, table: Mapping[Basic, Any], sizes: Mapping[str, int], dtype: Any) -> Any:
    operation = operation_of(expr)
    if operation is None:
        return _operand(expr, table, dtype)
    arguments = [_operand(a, table, dtype) for a in operands(expr) if a is not expr]
    assert operation.reference is not None, operation.name
    fixed = known_statics(statics(expr), sizes)
    if operation.parameters[0].role == "static" and operation.elementwise:
        return operation.reference(*fixed, *arguments)
    return operation.reference(*arguments, *fixed)


def _operand(atom: Basic, table: Mapping[Basic, Any], dtype: Any) -> Any:
    if isinstance(atom, Symbol):
        return table[atom]
    return np.asarray(constant_value(atom), np.int64 if atom_type(atom, {}).kind == "int" else dtype)


def evaluate_exactly(
    graph: Graph, values: Mapping[Symbol, Any], targets: Iterable[Symbol], digits: int = 50
) -> dict[Symbol, Any]:
    """Values of scalar `targets` in multi-precision arithmetic; scalar programs only."""
    import mpmath

    targets = tuple(targets)
    with mpmath.workdps(digits):
        table: dict[Basic, Any] = {s: v if isinstance(v, bool) else mpmath.mpf(v) for s, v in values.items()}
        for equation in needed(graph, targets):
            table[equation.target] = _apply_exactly(equation.expr, table, mpmath)
        return {t: table[t] for t in targets}


def _apply_exactly(expr: Basic, table: Mapping[Basic, Any], mpmath: Any) -> Any:
    operation = operation_of(expr)
    arguments = [
        table[a] if isinstance(a, Symbol) else _exact_number(a, mpmath)
        for a in operands(expr)
        if a is not expr or operation is None
    ]
    if operation is None:
        return arguments[0]
    assert operation.exact is not None, operation.name
    return _exact_element(operation, statics(expr), arguments, mpmath)


def evaluate_arrays_exactly(
    graph: Graph,
    values: Mapping[Symbol, Any],
    targets: Iterable[Symbol],
    digits: int = 50,
    sizes: Mapping[str, int] | None = None,
) -> dict[Symbol, Any]:
    """The same of programs with arrays, as arrays of numbers of many digits; of primitive operations only."""
    import mpmath

    targets = tuple(targets)
    with mpmath.workdps(digits):
        table: dict[Basic, Any] = {s: _of_many_digits(np.asarray(v), mpmath) for s, v in values.items()}
        for equation in needed(graph, targets):
            found = _apply_to_arrays(equation.expr, table, sizes or {}, mpmath)
            kind = graph.types[equation.target].kind
            dtypes = {"real": object, "int": np.int64, "bool": np.bool_}
            table[equation.target] = np.asarray(found, dtype=dtypes[kind])
        return {t: table[t] for t in targets}


def _of_many_digits(array: Any, mpmath: Any) -> Any:
    if array.dtype.kind in "biu":
        return array
    return np.array([mpmath.mpf(v) for v in array.reshape(-1).tolist()], dtype=object).reshape(array.shape)


def _apply_to_arrays(expr: Basic, table: Mapping[Basic, Any], sizes: Mapping[str, int], mpmath: Any) -> Any:
    operation = operation_of(expr)
    arguments = [
        table[a] if isinstance(a, Symbol) else np.asarray(_exact_number(a, mpmath), dtype=object)
        for a in operands(expr)
        if a is not expr or operation is None
    ]
    if operation is None:
        return arguments[0]
    fixed = known_statics(statics(expr), sizes)
    if not operation.elementwise:
        if operation.exact is not None:
            return operation.exact(mpmath, *arguments, *fixed)
        assert operation.reference is not None, operation.name
        return operation.reference(*arguments, *fixed)
    spread = np.broadcast_arrays(*arguments)
    result = np.empty(spread[0].shape, dtype=object)
    for place in np.ndindex(*result.shape):
        result[place] = _exact_element(operation, fixed, [a[place] for a in spread], mpmath)
    return result


def _exact_element(operation: Any, fixed: tuple[Any, ...], arguments: list[Any], mpmath: Any) -> Any:
    try:
        found = operation.exact(mpmath, *fixed, *arguments)
    except (ZeroDivisionError, ValueError):  # a pole: mpmath raises where floating point gives inf or nan
        return mpmath.nan
    return mpmath.nan if isinstance(found, mpmath.mpc) else found


def _exact_number(atom: Basic, mpmath: Any) -> Any:
    if atom.is_Rational:
        return mpmath.mpf(int(atom.p)) / int(atom.q)
    return {"pi": mpmath.pi, "E": mpmath.e, "oo": mpmath.inf, "-oo": -mpmath.inf}[str(atom)] + 0
