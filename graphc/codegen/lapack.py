"""Linear algebra for generated modules: LAPACK on row-major matrices in memory.

In: counts, sizes and flags as numbers, matrices as pointers.  Out: functions that generated code calls; results are
written to memory.
Always holds: operands are not changed; `count` matrices stand one after the other; where there is no result it is NaN.
LAPACK's matrices are column-major: what it is given is the transpose, which each function takes into account.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

ROUTINES = ("getrf", "getrs", "getri", "potrf", "trtrs", "syevd")
_LETTERS = {types.float64: "d", types.float32: "s"}

routine: Callable[..., Any] = numba.njit(
    error_model="numpy", fastmath=False, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


def bind_lapack() -> None:
    """Tell LLVM where SciPy's routines are; a module that uses them does so when it is imported."""
    from graphc.codegen.blas import address

    for letter in _LETTERS.values():
        for name in ROUTINES:
            binding.add_symbol(f"graphc_{letter}{name}", address(letter + name, "cython_lapack"))


def _fortran(name: str, kinds: str) -> Any:
    """A routine of LAPACK, called with one tuple: c a character's code, i a whole number, others are arrays.

    All arguments are given as pointers; the letter for the precision is that of the first array.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def call(typing: Any, arguments: Any) -> Any:
        dtype = next(t.dtype for t in arguments if isinstance(t, types.Array))
        symbol = f"graphc_{_LETTERS[dtype]}{name}"

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = ir.IntType(8).as_pointer()
            places = []
            for kind, type_, value in zip(kinds, arguments, cgutils.unpack_tuple(builder, args[0]), strict=True):
                if kind in "ci":
                    width = ir.IntType(8 if kind == "c" else 32)
                    place = cgutils.alloca_once(builder, width)
                    builder.store(builder.trunc(context.cast(builder, value, type_, types.int64), width), place)
                else:
                    place = context.make_array(type_)(context, builder, value).data
                places.append(builder.bitcast(place, pointer))
            signature = ir.FunctionType(ir.VoidType(), [pointer] * len(kinds))
            builder.call(cgutils.get_or_insert_function(builder.module, signature, symbol), places)
            return context.get_dummy_value()

        return types.void(arguments), generate

    return call


getrf = _fortran("getrf", "iiaiaa")  # m, n, a, lda, pivots, info
getrs = _fortran("getrs", "ciiaiaaia")  # trans, n, columns, a, lda, pivots, b, ldb, info
getri = _fortran("getri", "iaiaaia")  # n, a, lda, pivots, work, its length, info
potrf = _fortran("potrf", "ciaia")  # uplo, n, a, lda, info
trtrs = _fortran("trtrs", "ccciiaiaia")  # uplo, trans, diag, n, columns, a, lda, b, ldb, info
syevd = _fortran("syevd", "cciaiaaiaia")  # jobz, uplo, n, a, lda, w, work, length, iwork, length, info
LOWER, UPPER, PLAIN, TURNED, VALUES, VECTORS = (ord(c) for c in "LUNTNV")


@routine
def _copied(n: int, source: Any, to: Any) -> None:
    for i in range(n):
        for j in range(n):
            to[i, j] = source[i, j]


@routine
def _turned(rows: int, columns: int, source: Any, to: Any) -> None:
    for i in range(rows):
        for j in range(columns):
            to[j, i] = source[i, j]


@routine
def _symmetric(n: int, source: Any, to: Any) -> None:
    for i in range(n):
        for j in range(n):
            to[i, j] = (source[i, j] + source[j, i]) / 2


@routine
def _filled(array: Any, value: float) -> None:
    for i in range(array.size):
        array.flat[i] = value


@routine
def lu_solution(count: int, n: int, m: int, a: Any, b: Any, x: Any) -> None:
    """x of a @ x = b, with m columns."""
    many_a, many_b, many_x = (
        numba.carray(a, (count, n, n)),
        numba.carray(b, (count, n, m)),
        numba.carray(x, (count, n, m)),
    )
    lu, columns = np.empty((n, n), many_a.dtype), np.empty((m, n), many_a.dtype)
    pivots, info = np.empty(n, np.int32), np.zeros(1, np.int32)
    for k in range(count):
        _copied(n, many_a[k], lu)
        _turned(n, m, many_b[k], columns)
        getrf((n, n, lu, n, pivots, info))
        if info[0] == 0:
            getrs((TURNED, n, m, lu, n, pivots, columns, n, info))
        else:
            _filled(columns, np.nan)
        _turned(m, n, columns, many_x[k])


@routine
def lu_inverse(count: int, n: int, a: Any, x: Any) -> None:
    """The inverse of a."""
    many_a, many_x = numba.carray(a, (count, n, n)), numba.carray(x, (count, n, n))
    pivots, info = np.empty(n, np.int32), np.zeros(1, np.int32)
    work = np.empty(max(32 * n, 1), many_a.dtype)
    for k in range(count):
        _copied(n, many_a[k], many_x[k])
        getrf((n, n, many_x[k], n, pivots, info))
        if info[0] == 0:
            getri((n, many_x[k], n, pivots, work, work.size, info))
        else:
            _filled(many_x[k], np.nan)


@routine
def lu_determinant(count: int, n: int, logarithm: int, a: Any, x: Any) -> None:
    """The determinant of a, or the logarithm of its absolute value."""
    many_a, many_x = numba.carray(a, (count, n, n)), numba.carray(x, (count,))
    lu, pivots, info = np.empty((n, n), many_a.dtype), np.empty(n, np.int32), np.zeros(1, np.int32)
    for k in range(count):
        _copied(n, many_a[k], lu)
        getrf((n, n, lu, n, pivots, info))
        if logarithm:
            many_x[k] = 0
            for i in range(n):
                many_x[k] += math.log(abs(lu[i, i]))
        else:
            many_x[k] = 1
            for i in range(n):
                many_x[k] *= -lu[i, i] if pivots[i] != i + 1 else lu[i, i]


@routine
def triangular_solution(count: int, n: int, m: int, upper: int, transposed: int, a: Any, b: Any, x: Any) -> None:
    """x of a @ x = b or a.T @ x = b for a triangular a, with m columns."""
    many_a, many_b, many_x = (
        numba.carray(a, (count, n, n)),
        numba.carray(b, (count, n, m)),
        numba.carray(x, (count, n, m)),
    )
    columns, info = np.empty((m, n), many_a.dtype), np.zeros(1, np.int32)
    for k in range(count):
        _turned(n, m, many_b[k], columns)
        trans = PLAIN if transposed else TURNED
        trtrs((LOWER if upper else UPPER, trans, PLAIN, n, m, many_a[k], n, columns, n, info))
        if info[0] != 0:
            _filled(columns, np.nan)
        _turned(m, n, columns, many_x[k])


@routine
def cholesky_factor(count: int, n: int, a: Any, x: Any) -> None:
    """The lower triangular x of x @ x.T = (a + a.T)/2."""
    many_a, many_x = numba.carray(a, (count, n, n)), numba.carray(x, (count, n, n))
    info = np.zeros(1, np.int32)
    for k in range(count):
        _symmetric(n, many_a[k], many_x[k])
        potrf((UPPER, n, many_x[k], n, info))
        if info[0] != 0:
            _filled(many_x[k], np.nan)
        else:
            for i in range(n):
                for j in range(i + 1, n):
                    many_x[k][i, j] = 0


@routine
def symmetric_eigen(count: int, n: int, vectors: int, a: Any, x: Any) -> None:
    """Eigenvalues of (a + a.T)/2, ascending, or its eigenvectors as columns, the largest element of each positive."""
    many_a = numba.carray(a, (count, n, n))
    values, matrix = np.empty(n, many_a.dtype), np.empty((n, n), many_a.dtype)
    work, whole = np.empty(1 + 6 * n + 2 * n * n, many_a.dtype), np.empty(3 + 5 * n, np.int32)
    info = np.zeros(1, np.int32)
    job = VECTORS if vectors else VALUES
    for k in range(count):
        _symmetric(n, many_a[k], matrix)
        syevd((job, UPPER, n, matrix, n, values, work, work.size, whole, whole.size, info))
        if info[0] != 0:
            _filled(values, np.nan)
            _filled(matrix, np.nan)
        if vectors:
            _signed(n, matrix)
            _turned(n, n, matrix, numba.carray(x, (count, n, n))[k])
        else:
            kept = numba.carray(x, (count, n))
            for i in range(n):
                kept[k, i] = values[i]


@routine
def _signed(n: int, rows: Any) -> None:
    """Rows with their largest element positive."""
    for i in range(n):
        largest = 0
        for j in range(n):
            if abs(rows[i, j]) > abs(rows[i, largest]):
                largest = j
        if rows[i, largest] < 0:
            for j in range(n):
                rows[i, j] = -rows[i, j]
