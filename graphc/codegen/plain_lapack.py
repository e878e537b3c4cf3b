"""What `lapack` offers, for modules that are run as plain Python.

In: counts, sizes and flags as numbers, matrices as flat arrays.  Out: functions that write their results to memory.
Always holds: no Numba here; the same signatures as `lapack`, and the same results up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _part(memory: Any, k: int, *shape: int) -> Any:
    """The k-th array of a shape."""
    size = int(np.prod(shape))
    return memory[k * size : (k + 1) * size].reshape(shape)


def _write(to: Any, compute: Callable[..., Any], *matrices: Any) -> None:
    """The result; NaN where there is none."""
    try:
        to[...] = compute(*matrices)
    except np.linalg.LinAlgError:
        to[...] = np.nan


def lu_solution(count: int, n: int, m: int, a: Any, b: Any, x: Any) -> None:
    for k in range(count):
        _write(_part(x, k, n, m), np.linalg.solve, _part(a, k, n, n), _part(b, k, n, m))


def lu_inverse(count: int, n: int, a: Any, x: Any) -> None:
    for k in range(count):
        _write(_part(x, k, n, n), np.linalg.inv, _part(a, k, n, n))


def lu_determinant(count: int, n: int, logarithm: int, a: Any, x: Any) -> None:
    for k in range(count):
        matrix = _part(a, k, n, n)
        x[k] = np.linalg.slogdet(matrix)[1] if logarithm else np.linalg.det(matrix)


def lu_cofactors(count: int, n: int, a: Any, x: Any) -> None:
    for k in range(count):
        _write(_part(x, k, n, n), _cofactors, _part(a, k, n, n))


def lu_cofactors_along(count: int, n: int, a: Any, h: Any, x: Any) -> None:
    for k in range(count):
        _write(_part(x, k, n, n), _cofactors_along, _part(a, k, n, n), _part(h, k, n, n))


def _cofactors(a: Any) -> Any:
    """By singular values, which need no inverse."""
    u, values, v = np.linalg.svd(a)
    others = [np.prod(np.delete(values, k)) for k in range(len(values))]
    return np.linalg.det(u) * np.linalg.det(v) * (u * others) @ v


def _cofactors_along(a: Any, h: Any) -> Any:
    """The derivative of each minor, <its cofactors, h without that row and column>."""
    found = np.empty_like(a)
    for i, j in np.ndindex(*a.shape):
        minor, along = (np.delete(np.delete(m, i, 0), j, 1) for m in (a, h))
        found[i, j] = (-1) ** (i + j) * (_cofactors(minor) * along).sum()
    return found


def triangular_solution(count: int, n: int, m: int, upper: int, transposed: int, a: Any, b: Any, x: Any) -> None:
    for k in range(count):
        triangle = (np.triu if upper else np.tril)(_part(a, k, n, n))
        _write(_part(x, k, n, m), np.linalg.solve, triangle.T if transposed else triangle, _part(b, k, n, m))


def cholesky_factor(count: int, n: int, a: Any, x: Any) -> None:
    for k in range(count):
        matrix = _part(a, k, n, n)
        _write(_part(x, k, n, n), np.linalg.cholesky, (matrix + matrix.T) / 2)


def symmetric_eigen(count: int, n: int, vectors: int, a: Any, x: Any) -> None:
    for k in range(count):
        matrix = _part(a, k, n, n)
        result = _part(x, k, n, n) if vectors else _part(x, k, n)
        _write(result, _eigenvectors if vectors else np.linalg.eigvalsh, (matrix + matrix.T) / 2)


def _eigenvectors(a: Any) -> Any:
    """As columns, the largest element of each positive."""
    found = np.linalg.eigh(a)[1]
    largest = np.take_along_axis(found, abs(found).argmax(axis=0)[None], axis=0)
    return found * np.where(largest < 0, -1, 1)


FUNCTIONS = {
    f.__name__: f
    for f in (
        lu_solution,
        lu_inverse,
        lu_determinant,
        lu_cofactors,
        lu_cofactors_along,
        triangular_solution,
        cholesky_factor,
        symmetric_eigen,
    )
}
