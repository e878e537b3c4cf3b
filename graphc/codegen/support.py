"""What generated modules import where Numba compiles their entries for its users.

In: nothing.  Out: decorators, and memory of arrays as pointers.
Always holds: what LLVM compiles (`entry`) is part of a user's own function as the same text, so that a function Numba
keeps needs nothing of ours to run but the addresses of BLAS; no SymPy here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from graphc.codegen.arithmetic import FAST
from graphc.codegen.artifact import Entry
from graphc.codegen.native import llvm_texts
from graphc.codegen.tracing import Traced, has_fused_product

_SAME: Any = types.UniTuple  # type: ignore[attr-defined]
_POINTER: Any = types.CPointer  # type: ignore[attr-defined]
_INLINED = {
    "error_model": "numpy",
    "nogil": True,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

point: Callable[..., Any] = numba.njit(fastmath=set(FAST), **_INLINED)
helper: Callable[..., Any] = numba.njit(fastmath=False, **_INLINED)


def kernel(function: Callable[..., Any]) -> Any:
    """What only entries call is not for Numba."""
    return function


def entry(function: Callable[..., Any]) -> Any:
    """The intrinsic that calls a function which LLVM compiles, and links its text to the caller's."""
    file, name = Path(function.__code__.co_filename), function.__name__
    source = file.read_text("utf-8")  # now: the file may be gone when the function is compiled
    dtype = function.__globals__["real"].__name__
    kinds = {types.float64: "float64[1]", types.float32: "real[1]", types.int64: "int[1]", types.uint8: "bool[1]"}

    def typed(typing: Any, *arguments: Any) -> Any:
        listed = tuple("int" if isinstance(a, types.Integer) else kinds[a.dtype] for a in arguments)

        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            prefix = f"graphc_{file.parent.name}_"
            library = context.codegen().create_library(prefix + name)
            for text in llvm_texts(source, Entry(name, listed), dtype, prefix):
                library.add_llvm_module(binding.parse_assembly(text))
            library.finalize()
            context.active_code_library.add_linking_library(library)
            whole = types.int64
            values = [
                context.cast(builder, v, t, whole) if isinstance(t, types.Integer) else v
                for v, t in zip(given, arguments, strict=True)
            ]
            called = ir.FunctionType(ir.VoidType(), [v.type for v in values])
            builder.call(cgutils.get_or_insert_function(builder.module, called, prefix + name), values)
            return context.get_dummy_value()

        return types.void(*arguments), generate

    signature = inspect.signature(function)
    first = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    typed.__signature__ = signature.replace(parameters=[first, *signature.parameters.values()])  # type: ignore[attr-defined]
    return intrinsic(typed)


def vector(function: Callable[..., Any]) -> Any:
    """The intrinsic that puts a function of one to three numbers of one float type into the caller's code."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return function(*(Traced(builder, value, has_fused_product()) for value in arguments)).value

    def one(typing: Any, x: Any) -> Any:
        return (x(x), generate) if isinstance(x, types.Float) else None

    def two(typing: Any, x: Any, y: Any) -> Any:
        return (x(x, x), generate) if isinstance(x, types.Float) and x == y else None

    def three(typing: Any, x: Any, y: Any, z: Any) -> Any:
        return (x(x, x, x), generate) if isinstance(x, types.Float) and x == y == z else None

    return intrinsic((one, two, three)[len(inspect.signature(function).parameters) - 1])


def _library(name: str, count: int) -> Callable[..., Traced]:
    """A function of C's library, over traced numbers."""

    def call(*numbers: Any) -> Traced:
        like = next(n for n in numbers if isinstance(n, Traced))
        type_, module = like.value.type, like.builder.module
        signature = ir.FunctionType(type_, [type_] * count)
        if name in _KNOWN:
            function = module.declare_intrinsic(f"llvm.{name}", [type_], signature)
        else:
            function = cgutils.get_or_insert_function(module, signature, name + "f" * like.single)
        return like._with(like.builder.call(function, [like._operand(n) for n in numbers]))

    return call


# A user's own loop comes with one point at a time: there the C library's functions take less time than ours, which are
# made for loops over many.  Those that LLVM knows by name it can still vectorise or fold.
_KNOWN = ("exp", "log", "log2", "log10", "sin", "cos")
_UNARY = (*_KNOWN, "expm1", "log1p", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
          "erf", "erfc", "cbrt")  # fmt: skip
ONE_BY_ONE = {**{n: _library(n, 1) for n in _UNARY}, **{n: _library(n, 2) for n in ("atan2", "hypot")}}


def _softplus(x: Traced) -> Traced:
    """log(1 + e^x), the rounding of the sum made good."""
    total, error = x.real(1.0).sum(ONE_BY_ONE["exp"](-abs(x)))
    return (x < 0.0).select(0.0, x) + (ONE_BY_ONE["log"](total) + error / total)


def _sigmoid(x: Traced) -> Traced:
    """e^x/(1 + e^x)."""
    e = ONE_BY_ONE["exp"](-abs(x))
    return (x < 0.0).select(e, 1.0) / (1.0 + e)


def _hypot3(x: Traced, y: Traced, z: Traced) -> Traced:
    """sqrt(x^2 + y^2 + z^2)."""
    return ONE_BY_ONE["hypot"](ONE_BY_ONE["hypot"](x, y), z)


ONE_BY_ONE.update(softplus=_softplus, sigmoid=_sigmoid, hypot3=_hypot3)


def traced(results: int) -> Callable[[Callable[..., Any]], Any]:
    """The intrinsic that puts a function of numbers of one float type into the caller's code, in one piece.

    It takes a tuple of them and gives a tuple of `results`.  Numba reads only the call: a statement of its own costs it
    a millisecond, a traced one a fiftieth of that.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        alone = FunctionType(function.__code__, {**function.__globals__, **ONE_BY_ONE})

        def typed(typing: Any, numbers: Any) -> Any:
            if not (isinstance(numbers, _SAME) and isinstance(numbers.dtype, types.Float)):
                return None
            return _SAME(numbers.dtype, results)(numbers), generate

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = cgutils.unpack_tuple(builder, arguments[0])
            given = [Traced(builder, value, has_fused_product()) for value in values]
            found = [given[0]._operand(value) for value in alone(*given)]
            return context.make_tuple(builder, signature.return_type, found)

        return intrinsic(typed)

    return decorate


@intrinsic  # type: ignore[untyped-decorator]
def view(typing: Any, array: Any, start: Any) -> Any:
    """The memory of a contiguous array from its element `start` on, as a pointer.

    The array must be kept alive (`keep`) while the memory is used.  Bools are bytes.
    """
    element = types.uint8 if array.dtype == types.boolean else array.dtype

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        return builder.gep(data, [context.cast(builder, args[1], start, types.intp)])

    return _POINTER(element)(array, start), generate


@intrinsic  # type: ignore[untyped-decorator]
def keep(typing: Any, array: Any) -> Any:
    """Keeps an array alive up to here."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_dummy_value()

    return types.void(array), generate
