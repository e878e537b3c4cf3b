"""A program of numbers as a C function, for numerical libraries that call one.

In: a function, the names that vary, the numbers of the others.  Out: a `scipy.LowLevelCallable`.
Always holds: the C function calls the jitted one directly: no Python, no memory, no lock on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphc.run.function import Function


def scalar_callback(function: Function, names: tuple[str, ...], fixed: Mapping[str, float]) -> Any:
    """double (int n, double *x): the value at x, which holds the named inputs in their order."""
    import numba
    from numba.cpython.unsafe.tuple import tuple_setitem
    from scipy import LowLevelCallable

    forward = function.jit.forward
    start = tuple(float(fixed.get(name, 0.0)) for name in function.inputs)
    places = tuple(function.inputs.index(name) for name in names)

    @numba.cfunc("float64(intc, CPointer(float64))", error_model="numpy")  # type: ignore[untyped-decorator]
    def call(n: Any, x: Any) -> Any:
        values = start
        for k in range(len(places)):
            values = tuple_setitem(values, places[k], x[k])
        return forward(*values)

    pointer = call.ctypes
    pointer.owner = call  # the machine code lives as long as its pointer
    return LowLevelCallable(pointer)
