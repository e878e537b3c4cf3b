"""Vector math in plain Python: numbers with the methods of traced ones.

In: functions written with the operators and methods of `Traced`.  Out: `vector(function)`, over NumPy's numbers.
Always holds: no Numba; every result has the argument's float type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


def vector(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers or arrays of one float type; arrays are elementwise."""

    def call(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            result = function(*(Plain(np.atleast_1d(a)) for a in arguments)).value
        return result[0] if np.ndim(arguments[0]) == 0 else result

    return call


def traced(results: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of a tuple of numbers that gives a tuple of numbers, as the traced one."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
            given = [Plain(np.atleast_1d(a)) for a in numbers]
            with np.errstate(all="ignore"):
                return tuple(given[0]._operand(value).reshape(-1)[0] for value in function(*given))

        return call

    return decorate


class Truth:
    """A comparison's result; `like` is one of the numbers compared."""

    def __init__(self, value: Any, like: Plain) -> None:
        self.value, self.like = value, like

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.value & other.value, self.like)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.value | other.value, self.like)

    def __xor__(self, other: Truth) -> Truth:
        return Truth(self.value ^ other.value, self.like)

    def __invert__(self) -> Truth:
        return Truth(~self.value, self.like)

    def real(self, number: float) -> Plain:
        """A constant of the type of the numbers compared."""
        return self.like.real(number)

    def number(self) -> Plain:
        """1 where true, else 0."""
        return self.select(1.0, 0.0)

    def select(self, a: Plain | float, b: Plain | float) -> Plain:
        """a where true, else b."""
        like = a if isinstance(a, Plain) else b if isinstance(b, Plain) else self.like
        return Plain(np.where(self.value, like._operand(a), like._operand(b)))


class Plain:
    """Floating-point numbers of one type."""

    __array_ufunc__ = None  # NumPy's numbers leave operations with it to it
    known: float | None = None

    def __init__(self, value: Any) -> None:
        self.value = value
        self.single = value.dtype == np.float32
        self._whole = np.int32 if self.single else np.int64

    def _operand(self, other: Plain | float) -> Any:
        return other.value if isinstance(other, Plain) else self.value.dtype.type(other)

    def real(self, number: float) -> Plain:
        """A constant of the same type and shape."""
        return Plain(np.full_like(self.value, number))

    def _bits(self) -> Any:
        return self.value.view(self._whole)

    def _real(self, bits: Any) -> Plain:
        return Plain(bits.astype(self._whole).view(self.value.dtype))

    # --- arithmetic and comparison -----------------------------------------------------------------------------

    def __add__(self, other: Plain | float) -> Plain:
        return Plain(self.value + self._operand(other))

    __radd__ = __add__

    def __sub__(self, other: Plain | float) -> Plain:
        return Plain(self.value - self._operand(other))

    def __rsub__(self, other: float) -> Plain:
        return Plain(self._operand(other) - self.value)

    def __mul__(self, other: Plain | float) -> Plain:
        return Plain(self.value * self._operand(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Plain | float) -> Plain:
        return Plain(self.value / self._operand(other))

    def __rtruediv__(self, other: float) -> Plain:
        return Plain(self._operand(other) / self.value)

    def __neg__(self) -> Plain:
        return Plain(-self.value)

    def __lt__(self, other: Plain | float) -> Truth:
        return Truth(self.value < self._operand(other), self)

    def __le__(self, other: Plain | float) -> Truth:
        return Truth(self.value <= self._operand(other), self)

    def __gt__(self, other: Plain | float) -> Truth:
        return Truth(self.value > self._operand(other), self)

    def __ge__(self, other: Plain | float) -> Truth:
        return Truth(self.value >= self._operand(other), self)

    def __eq__(self, other: Plain | float) -> Truth:  # type: ignore[override]
        return Truth(self.value == self._operand(other), self)

    def __ne__(self, other: Plain | float) -> Truth:  # type: ignore[override]
        return Truth(self.value != self._operand(other), self)

    def __abs__(self) -> Plain:
        return Plain(np.abs(self.value))

    def rint(self) -> Plain:
        return Plain(np.rint(self.value))

    def maximum(self, other: Plain | float) -> Plain:
        return Plain(np.maximum(self.value, self._operand(other)))

    def minimum(self, other: Plain | float) -> Plain:
        return Plain(np.minimum(self.value, self._operand(other)))

    def square_root(self) -> Plain:
        return Plain(np.sqrt(self.value))

    # --- sums and products without error -----------------------------------------------------------------------

    def sum(self, other: Plain | float) -> tuple[Plain, Plain]:
        total = self + other
        return total, Plain(self._operand(other)) - (total - self)

    def difference(self, other: Plain) -> tuple[Plain, Plain]:
        total = self - other
        moved = self - total
        return total, (self - (total + moved)) - (other - moved)

    def product(self, other: Plain | float) -> tuple[Plain, Plain]:
        b = Plain(np.atleast_1d(self._operand(other)))
        rounded = self * b
        (a1, a2), (b1, b2) = self.halves(), b.halves()
        return rounded, ((a1 * b1 - rounded) + a1 * b2 + a2 * b1) + a2 * b2

    def less_product(self, other: Plain, factor: float) -> Plain:
        return (self.wide() - other.wide() * float(np.float32(factor))).like(self)

    def halves(self) -> tuple[Plain, Plain]:
        upper = self._real(self._bits() & self._whole(-(1 << 12) if self.single else -(1 << 27)))
        return upper, self - upper

    # --- digits, exponents, signs ------------------------------------------------------------------------------

    def copysign(self, other: Plain) -> Plain:
        return Plain(np.copysign(self.value, other.value))

    def bit(self, k: int) -> Truth:
        return Truth(self._integer() & (1 << k) != 0, self)

    def negated(self, n: Plain) -> Plain:
        return n.bit(1).select(-self, self)

    def _integer(self) -> Any:
        return np.where(np.abs(self.value) < 2.0**31, self.value, 0).astype(np.int32)

    def ldexp(self, n: Plain) -> Plain:
        return Plain(np.ldexp(self.value, n._integer()))

    def exp2(self, offset: float = 0.0) -> Plain:
        return Plain(np.ldexp(self.value.dtype.type(1), self._integer() + int(offset)))

    def frexp(self, normal: bool = False) -> tuple[Plain, Plain]:
        m, k = np.frexp(self.value)
        low = m < self.value.dtype.type(0.5**0.5)
        return Plain(np.where(low, m + m, m)), Plain((k - low).astype(self.value.dtype))

    # --- what is seldom needed ---------------------------------------------------------------------------------

    def rarely(self, result: Plain, bound: float, function: Callable[[Plain], Plain]) -> Plain:
        beyond = ~(np.abs(self.value) <= bound)
        if beyond.any():
            result.value[beyond] = function(Plain(self.value[beyond])).value
        return result

    def large_angle(self) -> tuple[Plain, Plain, Plain]:
        parts = np.zeros((3, self.value.size))
        for k, x in enumerate(self.value):
            if np.isfinite(x):
                digits, scale = float(x).as_integer_ratio()
                unit = scale << 1200
                turns, rest = divmod(digits * two_over_pi() + unit // 2, unit)
                upper = (rest - unit // 2) / unit
                digits, scale = upper.as_integer_ratio()
                parts[:, k] = turns % 4, upper, ((rest - unit // 2) * scale - digits * unit) / (unit * scale)
        n, t, dt = (Plain(v) for v in parts)
        r, dr = t.product(1.5707963267948966)
        r, dr = r.sum(dr + (t * 6.123233995736766e-17 + dt * 1.5707963267948966))
        return n, r, dr

    # --- widths ------------------------------------------------------------------------------------------------

    def wide(self) -> Plain:
        return Plain(self.value.astype(np.float64))

    def like(self, other: Plain) -> Plain:
        return Plain(self.value.astype(other.value.dtype))


@cache
def two_over_pi() -> int:
    """floor(2/pi 2^1200), pi by Machin's formula (1706)."""
    one = 1 << 1300

    def arccotangent(n: int) -> int:
        total = term = one // n
        for k in range(3, 2000, 2):
            term //= -n * n
            total += term // k
        return total

    return (one << 1201) // (16 * arccotangent(5) - 4 * arccotangent(239))
