"""Vector math: elementary functions over numbers that are either traced into LLVM IR or plain.

In: numbers of one float type (`Number`), float32 or float64.  Out: a number of that type; `FUNCTIONS`, by name.
Always holds: straight-line code without branches, tables or calls (but for angles beyond 10^6), so that any loop
around it vectorises on any processor; right at 0, -0, infinities, NaN, subnormal numbers and where results overflow.  `docs/accuracy.md` has the
measured errors.  Polynomials are minimax fits in 45 digits by Remez's exchange (Remez 1934), relative to the function,
rounded from the lowest coefficient up with the rest fitted again for single precision.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isfunction
from typing import Any

from graphc.ops.vector_math import error_function, exponentials, limits, logarithms, number, powers, trigonometry

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for file in (number, exponentials, logarithms, powers, trigonometry, error_function, limits)
    for name, function in vars(file).items()
    if isfunction(function)
}
