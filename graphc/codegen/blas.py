"""Where SciPy's BLAS is.

In: a routine's name.  Out: its address.
Always holds: `scipy.linalg` itself is not imported (0.2 s): only the one extension module that exports the routines.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from functools import cache
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any

_NAME = "scipy.linalg.cython_blas"


@cache
def _module() -> Any:
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    package = importlib.util.find_spec("scipy")
    folders = package.submodule_search_locations or [] if package is not None else []
    for folder in folders:
        for file in sorted(Path(folder, "linalg").glob("cython_blas*")):
            if file.suffix in (".so", ".pyd"):
                loader = ExtensionFileLoader(_NAME, str(file))
                spec = importlib.util.spec_from_loader(_NAME, loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    return importlib.import_module(_NAME)


def address(routine: str) -> int:
    """Address of a routine with Fortran's calling convention: every argument is a pointer."""
    capsule = _module().__pyx_capi__[routine]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))
