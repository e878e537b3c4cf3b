"""What generated modules import.

In: nothing.  Out: decorators for kernels and helpers, BLAS products, and the shuffle.
Always holds: no SymPy here; everything works on NumPy arrays in plain Python too (`plain`), so that a generated module
can be run without Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from graphc.codegen.linked import LinkedCompiler

FAST = {"reassoc", "contract", "arcp", "nsz"}  # never nnan or ninf: NaN must stay NaN

_LINKED = {
    "error_model": "numpy", "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
    "pipeline_class": LinkedCompiler,
}  # fmt: skip

kernel: Callable[..., Any] = numba.njit(fastmath=FAST, **_LINKED)
point: Callable[..., Any] = numba.njit(fastmath=FAST, forceinline=True, **_LINKED)
helper: Callable[..., Any] = numba.njit(fastmath=False, forceinline=True, **_LINKED)

_ROUTINES = {types.float64: "dgemm", types.float32: "sgemm"}


def bind_blas() -> None:
    """Tell LLVM where SciPy's matrix products are; a module that uses them does so when it is imported."""
    from graphc.codegen.blas import address

    for routine in _ROUTINES.values():
        binding.add_symbol(f"graphc_{routine}", address(routine))


@intrinsic  # type: ignore[untyped-decorator]
def gemm(
    typing: Any,
    ta: Any,
    tb: Any,
    m: Any,
    n: Any,
    k: Any,
    alpha: Any,
    a: Any,
    ao: Any,
    b: Any,
    bo: Any,
    beta: Any,
    c: Any,
    co: Any,
) -> Any:
    """c = alpha op(a) op(b) + beta c for row-major matrices that begin at offsets of memory."""
    signature = types.void(ta, tb, m, n, k, alpha, a, ao, b, bo, beta, c, co)
    routine = f"graphc_{_ROUTINES[c.dtype]}"

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        char, number, real = ir.IntType(8), ir.IntType(32), context.get_value_type(c.dtype)
        pointer = char.as_pointer()

        def stored(value: Any, type_: Any) -> Any:
            place = cgutils.alloca_once(builder, type_)
            builder.store(value, place)
            return builder.bitcast(place, pointer)

        def flag(value: Any) -> Any:
            code = builder.select(
                cgutils.is_true(builder, value), ir.Constant(char, ord("T")), ir.Constant(char, ord("N"))
            )
            return stored(code, char)

        def data(start: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(start, [offset]), pointer)

        def whole(value: Any, kind: Any) -> Any:
            return builder.trunc(context.cast(builder, value, kind, types.int64), number)

        def place(value: Any, kind: Any) -> Any:
            return context.cast(builder, value, kind, types.intp)

        ta_, tb_, m_, n_, k_, alpha_, a_, ao_, b_, bo_, beta_, c_, co_ = args
        rows, columns, inner = whole(m_, m), whole(n_, n), whole(k_, k)
        lda = builder.select(cgutils.is_true(builder, ta_), rows, inner)
        ldb = builder.select(cgutils.is_true(builder, tb_), inner, columns)
        # row-major C = A B is column-major C^T = B^T A^T: operands change places, flags stay
        arguments = [
            flag(tb_), flag(ta_), stored(columns, number), stored(rows, number), stored(inner, number),
            stored(alpha_, real), data(b_, place(bo_, bo)), stored(ldb, number), data(a_, place(ao_, ao)), stored(lda, number),
            stored(beta_, real), data(c_, place(co_, co)), stored(columns, number),
        ]  # fmt: skip
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer] * 13), routine
        )
        builder.call(function, arguments)
        return context.get_dummy_value()

    return signature, generate


@intrinsic  # type: ignore[untyped-decorator]
def view(typing: Any, array: Any, start: Any) -> Any:
    """The memory of a contiguous array from its element `start` on, as a pointer: it is one machine word, with no
    count of references, which makes functions of many arrays compile and call several times faster.

    The array must be kept alive (`keep`) while the memory is used.  Bools are bytes.
    """
    element = types.uint8 if array.dtype == types.boolean else array.dtype

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        return builder.gep(data, [context.cast(builder, args[1], start, types.intp)])

    pointer: Any = types.CPointer  # type: ignore[attr-defined]
    return pointer(element)(array, start), generate


@intrinsic  # type: ignore[untyped-decorator]
def keep(typing: Any, array: Any) -> Any:
    """Keeps an array alive up to here."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_dummy_value()

    return types.void(array), generate


@kernel
def shuffle(order: Any, count: int, state: Any) -> None:
    """Fisher and Yates's shuffle, with the generator splitmix64 (Steele, Lea and Flood 2014); state[0] goes on."""
    seed = state[0]
    for i in range(count - 1, 0, -1):
        seed += np.uint64(0x9E3779B97F4A7C15)
        z = (seed ^ (seed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        j = np.int64((z ^ (z >> np.uint64(31))) % np.uint64(i + 1))
        kept = order[i]
        order[i] = order[j]
        order[j] = kept
    state[0] = seed
