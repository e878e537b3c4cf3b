"""Slow references of functions that NumPy has not.

In: a function in mpmath, or the name of one in SciPy.  Out: the reference, over arrays.
Always holds: mpmath and SciPy are imported only where a value is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def scipy_function(name: str) -> Callable[..., Any]:
    """The function of `scipy.special` by that name."""

    def reference(*arguments: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*arguments)

    return reference


def by_digits(exact: Callable[..., Any]) -> Callable[..., Any]:
    """A reference that computes element by element in 25 digits: slow and plain."""

    def reference(x: Any, *order: int) -> Any:
        import mpmath
        import numpy

        def one(value: float) -> float:
            with mpmath.workdps(25):
                return float(exact(mpmath, mpmath.mpf(float(value)), *order)) if value == value else value

        return numpy.vectorize(one, otypes=[numpy.result_type(x)])(x)

    return reference
