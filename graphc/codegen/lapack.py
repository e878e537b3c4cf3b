"""Linear algebra for generated modules: LAPACK on row-major matrices in memory, in the form that `translate` reads.

In: counts, sizes and flags as numbers, matrices as memory.  Out: results are written to memory.
Always holds: operands are not changed; `count` matrices stand one after the other; where there is no result it is NaN.
LAPACK's matrices are column-major: what it is given is the transpose, which each function takes into account; `step`,
from a column to the next, must be positive also where there is none.
The names without a definition here are routines of LAPACK, `np.empty` is working memory until the function ends.
"""

# ruff: noqa: F821
# mypy: ignore-errors

from __future__ import annotations

import math
from typing import Any

import numpy as np


def copied(count: int, source: Any, to: Any) -> None:
    for i in range(count):
        to[i] = source[i]


def turned(rows: int, columns: int, source: Any, to: Any) -> None:
    for i in range(rows):
        for j in range(columns):
            to[j * rows + i] = source[i * columns + j]


def symmetric(n: int, source: Any, to: Any) -> None:
    for i in range(n):
        for j in range(n):
            to[i * n + j] = (source[i * n + j] + source[j * n + i]) / real(2)


def filled(count: int, array: Any) -> None:
    for i in range(count):
        array[i] = missing


def lu_solution(count: int, n: int, m: int, a: Any, b: Any, x: Any) -> None:
    """x of a @ x = b, with m columns."""
    step = max(n, 1)
    lu, columns = np.empty(n * n, real), np.empty(n * m, real)
    pivots, info = np.empty(n, np.int32), np.empty(1, np.int32)
    for k in range(count):
        copied(n * n, view(a, k * n * n), lu)
        turned(n, m, view(b, k * n * m), columns)
        getrf(n, n, lu, step, pivots, info)
        if info[0] == 0:
            getrs("T", n, m, lu, step, pivots, columns, step, info)
        else:
            filled(n * m, columns)
        turned(m, n, columns, view(x, k * n * m))


def lu_inverse(count: int, n: int, a: Any, x: Any) -> None:
    """The inverse of a."""
    step = max(n, 1)
    length = max(32 * n, 1)
    pivots, info, work = np.empty(n, np.int32), np.empty(1, np.int32), np.empty(length, real)
    for k in range(count):
        inverse = view(x, k * n * n)
        copied(n * n, view(a, k * n * n), inverse)
        getrf(n, n, inverse, step, pivots, info)
        if info[0] == 0:
            getri(n, inverse, step, pivots, work, length, info)
        else:
            filled(n * n, inverse)


def lu_determinant(count: int, n: int, logarithm: int, a: Any, x: Any) -> None:
    """The determinant of a, or the logarithm of its absolute value."""
    step = max(n, 1)
    lu, pivots, info = np.empty(n * n, real), np.empty(n, np.int32), np.empty(1, np.int32)
    for k in range(count):
        copied(n * n, view(a, k * n * n), lu)
        getrf(n, n, lu, step, pivots, info)
        x[k] = zero if logarithm else real(1)
        for i in range(n):
            diagonal = lu[i * n + i]
            if logarithm:
                x[k] += math.log(abs(diagonal))
            else:
                x[k] *= -diagonal if pivots[i] != i + 1 else diagonal


def lu_cofactors(count: int, n: int, a: Any, x: Any) -> None:
    """The cofactors of a = P^T L D N Q^T (see `eliminated`): det(P Q) P^T L^-T cof(D) N^-T Q^T, nothing divided by D."""
    lu, middle, sign = np.empty(n * n, real), np.empty(n * n, real), np.empty(1, real)
    rows, columns = np.empty(n, np.int32), np.empty(n, np.int32)
    for k in range(count):
        copied(n * n, view(a, k * n * n), lu)
        eliminated(n, lu, rows, columns, sign)
        other_pivots(n, lu, middle)
        for i in range(n):
            for j in range(n):
                if i != j:
                    middle[i * n + j] = zero
        spread(n, lu, rows, columns, sign, middle, view(x, k * n * n))


def lu_cofactors_along(count: int, n: int, a: Any, h: Any, x: Any) -> None:
    """The derivative of the cofactors of a along h: as above, with that of cof(D) along K = L^-1 P h Q N^-1 in the middle.

    It is -K_ji times all D but D_ii and D_jj, and on the diagonal the sum of such products with K_jj.
    """
    lu, inner, others = np.empty(n * n, real), np.empty(n * n, real), np.empty(n * n, real)
    middle, sign = np.empty(n * n, real), np.empty(1, real)
    rows, columns = np.empty(n, np.int32), np.empty(n, np.int32)
    for k in range(count):
        copied(n * n, view(a, k * n * n), lu)
        eliminated(n, lu, rows, columns, sign)
        for i in range(n):
            for j in range(n):
                inner[i * n + j] = h[k * n * n + rows[i] * n + columns[j]]
                for m in range(i):
                    inner[i * n + j] -= lu[i * n + m] * inner[m * n + j]
        for i in range(n):
            for j in range(n):
                for m in range(j):
                    inner[i * n + j] -= inner[i * n + m] * lu[m * n + j]
        other_pivots(n, lu, others)
        for i in range(n):
            middle[i * n + i] = zero
            for j in range(n):
                if i != j:
                    middle[i * n + i] += others[i * n + j] * inner[j * n + j]
                    middle[i * n + j] = -others[i * n + j] * inner[j * n + i]
        spread(n, lu, rows, columns, sign, middle, view(x, k * n * n))


def other_pivots(n: int, lu: Any, others: Any) -> None:
    """For each pair of pivots the product of all others; on the diagonal that of all but one."""
    for i in range(n):
        for j in range(n):
            others[i * n + j] = real(1)
            for k in range(n):
                if k != i and k != j:
                    others[i * n + j] *= lu[k * n + k]


def spread(n: int, lu: Any, rows: Any, columns: Any, sign: Any, middle: Any, x: Any) -> None:
    """det(P Q) P^T L^-T middle N^-T Q^T."""
    for i in range(n):
        for j in range(n - 1, -1, -1):
            for m in range(j + 1, n):
                middle[i * n + j] -= lu[j * n + m] * middle[i * n + m]
    for i in range(n - 1, -1, -1):
        for j in range(n):
            for m in range(i + 1, n):
                middle[i * n + j] -= lu[m * n + i] * middle[m * n + j]
            x[rows[i] * n + columns[j]] = sign[0] * middle[i * n + j]


def eliminated(n: int, lu: Any, rows: Any, columns: Any, sign: Any) -> None:
    """P a Q = L D N by complete pivoting, L and N unit triangular with no element above 1, D diagonal: L below, D on and N
    above the diagonal, in place; the orders of rows and columns, and det(P Q)."""
    sign[0] = real(1)
    for i in range(n):
        rows[i] = i
        columns[i] = i
    for i in range(n):
        r = i
        c = i
        for j in range(i, n):
            for m in range(i, n):
                if abs(lu[j * n + m]) > abs(lu[r * n + c]):
                    r = j
                    c = m
        if r != i:
            for m in range(n):
                lu[i * n + m], lu[r * n + m] = lu[r * n + m], lu[i * n + m]
            rows[i], rows[r] = rows[r], rows[i]
            sign[0] = -sign[0]
        if c != i:
            for j in range(n):
                lu[j * n + i], lu[j * n + c] = lu[j * n + c], lu[j * n + i]
            columns[i], columns[c] = columns[c], columns[i]
            sign[0] = -sign[0]
        pivot = lu[i * n + i]
        for j in range(i + 1, n):
            lu[j * n + i] = lu[j * n + i] / pivot if pivot != zero else zero
            for m in range(i + 1, n):
                lu[j * n + m] -= lu[j * n + i] * lu[i * n + m]
        for m in range(i + 1, n):
            lu[i * n + m] = lu[i * n + m] / pivot if pivot != zero else zero


def triangular_solution(count: int, n: int, m: int, upper: int, transposed: int, a: Any, b: Any, x: Any) -> None:
    """x of a @ x = b or a.T @ x = b for a triangular a, with m columns."""
    step = max(n, 1)
    columns, info = np.empty(n * m, real), np.empty(1, np.int32)
    for k in range(count):
        turned(n, m, view(b, k * n * m), columns)
        trtrs(
            "L" if upper else "U", "N" if transposed else "T", "N", n, m, view(a, k * n * n), step, columns, step, info
        )
        if info[0] != 0:
            filled(n * m, columns)
        turned(m, n, columns, view(x, k * n * m))


def cholesky_factor(count: int, n: int, a: Any, x: Any) -> None:
    """The lower triangular x of x @ x.T = (a + a.T)/2."""
    step = max(n, 1)
    info = np.empty(1, np.int32)
    for k in range(count):
        factor = view(x, k * n * n)
        symmetric(n, view(a, k * n * n), factor)
        potrf("U", n, factor, step, info)
        if info[0] != 0:
            filled(n * n, factor)
        else:
            for i in range(n):
                for j in range(i + 1, n):
                    factor[i * n + j] = zero


def symmetric_eigen(count: int, n: int, vectors: int, a: Any, x: Any) -> None:
    """Eigenvalues of (a + a.T)/2, ascending, or its eigenvectors as columns, the largest element of each positive."""
    step = max(n, 1)
    length, whole_length = 1 + 6 * n + 2 * n * n, 3 + 5 * n
    values, matrix, work = np.empty(n, real), np.empty(n * n, real), np.empty(length, real)
    whole, info = np.empty(whole_length, np.int32), np.empty(1, np.int32)
    for k in range(count):
        symmetric(n, view(a, k * n * n), matrix)
        syevd("V" if vectors else "N", "U", n, matrix, step, values, work, length, whole, whole_length, info)
        if info[0] != 0:
            filled(n, values)
            filled(n * n, matrix)
        if vectors:
            signed(n, matrix)
            turned(n, n, matrix, view(x, k * n * n))
        else:
            copied(n, values, view(x, k * n))


def signed(n: int, rows: Any) -> None:
    """Rows with their largest element positive."""
    for i in range(n):
        largest = 0
        for j in range(n):
            if abs(rows[i * n + j]) > abs(rows[i * n + largest]):
                largest = j
        if rows[i * n + largest] < zero:
            for j in range(n):
                rows[i * n + j] = -rows[i * n + j]
