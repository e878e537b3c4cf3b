"""Where SciPy's BLAS and LAPACK are.

In: a routine's name.  Out: its address.
Always holds: `scipy.linalg` itself is not imported (0.2 s): only the one extension module that exports the routines.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphc.codegen.arithmetic import Value

LAPACK = ("getrf", "getrs", "getri", "potrf", "trtrs", "syevd")
_importing = threading.Lock()  # such a module stands in sys.modules before it is complete, and cannot be made twice


def _module(name: str) -> Any:
    with _importing:
        return _imported(name)


@cache
def _imported(name: str) -> Any:
    full = f"scipy.linalg.{name}"
    if full in sys.modules:
        return sys.modules[full]
    package = importlib.util.find_spec("scipy")
    folders = package.submodule_search_locations or [] if package is not None else []
    for folder in folders:
        for file in sorted(Path(folder, "linalg").glob(f"{name}.*")):
            if file.suffix in (".so", ".pyd"):
                loader = ExtensionFileLoader(full, str(file))
                spec = importlib.util.spec_from_loader(full, loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    return importlib.import_module(full)


def address(routine: str, library: str = "cython_blas") -> int:
    """Address of a routine with Fortran's calling convention: every argument is a pointer."""
    capsule = _module(library).__pyx_capi__[routine]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


def bind_blas() -> None:
    """Tell LLVM where SciPy's matrix products are."""
    from llvmlite import binding

    for routine in ("dgemm", "sgemm"):
        binding.add_symbol(f"graphc_{routine}", address(routine))


def bind_lapack() -> None:
    """Tell LLVM where SciPy's routines of linear algebra are."""
    from llvmlite import binding

    for letter in "ds":
        for name in LAPACK:
            binding.add_symbol(f"graphc_{letter}{name}", address(letter + name, "cython_lapack"))


def fortran_call(builder: Any, symbol: str, arguments: Iterable[Any], alloca: Callable[..., Any]) -> None:
    """The call of such a routine: letters and numbers are put into memory (32 bits where whole), pointers passed on."""
    from llvmlite import ir

    char = ir.IntType(8)
    places = []
    for value in arguments:
        if value.type == ir.IntType(64):
            value = builder.trunc(value, ir.IntType(32))
        if not isinstance(value.type, ir.PointerType):
            place = alloca(value.type)
            builder.store(value, place)
            value = place
        places.append(builder.bitcast(value, char.as_pointer()))
    module = builder.module
    function = module.globals.get(symbol)
    if function is None:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [char.as_pointer()] * len(places)), symbol)
    builder.call(function, places)


def product_call(builder: Any, arguments: Iterable[Value], alloca: Callable[..., Any]) -> None:
    """c = alpha op(a) op(b) + beta c for row-major matrices that begin at offsets of memory; a's rows are lda apart."""
    from graphc.codegen.arithmetic import constant

    ta, tb, m, n, k, alpha, a, ao, lda, b, bo, beta, c, co = arguments
    b0, a0, c0 = (builder.gep(v.value, [o.value]) for v, o in ((b, bo), (a, ao), (c, co)))
    letters = (constant("byte", ord("T" if flag.known else "N")).value for flag in (tb, ta))
    one = constant("int", 1).value  # the least step from a row to the next, also where there is none
    lda, ldb, ldc = (
        builder.select(builder.icmp_signed(">", d.value, one), d.value, one) for d in (lda, k if tb.known else n, n)
    )
    # row-major C = A B is column-major C^T = B^T A^T: operands change places, flags stay
    fortran_call(
        builder, "graphc_dgemm" if c.kind == "float64" else "graphc_sgemm",
        [*letters, n.value, m.value, k.value, alpha.value, b0, ldb, a0, lda, beta.value, c0, ldc],
        alloca,
    )  # fmt: skip
