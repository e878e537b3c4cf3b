"""Numbers of the vector math: polynomials, choices, parts, quotients.

In: numbers of one float type.  Out: the same, or the truth of a comparison.
Always holds: NaN goes through, where no docstring says otherwise.
"""

from __future__ import annotations

from typing import Any

Number = Any  # codegen.tracing.Traced or codegen.plain_number.Plain: operators, and the methods that both have
Parts = tuple[Number, Number]  # a number and what is to be added to it


def horner(x: Number, *coefficients: float) -> Number:
    """A polynomial, the lowest power first."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def polynomial(x: Number, *coefficients: float) -> Number:
    """The lowest power first; long ones as even and odd powers apart, two chains of half the length."""
    if len(coefficients) < 8:
        return horner(x, *coefficients)
    z = x * x
    return horner(z, *coefficients[1::2]) * x + horner(z, *coefficients[::2])


def choose(condition: Any, a: Number, b: Number) -> Number:
    """a where the condition holds, else b."""
    return condition.select(a, b)


def larger(a: Number, b: Number) -> Number:
    """The larger; NaN wins."""
    return a.maximum(b)


def smaller(a: Number, b: Number) -> Number:
    """The smaller; NaN wins."""
    return a.minimum(b)


def signum(x: Number) -> Number:
    """-1, 0 or 1."""
    return (x > 0.0).select(1.0, (x < 0.0).select(-1.0, x))


def unit_step(x: Number) -> Number:
    """1 where x >= 0, else 0."""
    return (x >= 0.0).select(1.0, (x != x).select(x, 0.0))


def nearest(x: Number) -> Number:
    """The nearest whole number, halves to even."""
    return x.rint()


def floor(x: Number) -> Number:
    """The largest whole number at most x."""
    n = x.rint()
    return (n > x).select(n - 1.0, n)


def ceil(x: Number) -> Number:
    """The smallest whole number at least x."""
    return -floor(-x)


def at_least(x: Number, bound: float) -> Number:
    """The larger; NaN for NaN."""
    return (x < bound).select(bound, x)


def at_most(x: Number, bound: float) -> Number:
    """The smaller; NaN for NaN."""
    return (x > bound).select(bound, x)


def is_positive(x: Number) -> Any:
    """Whether x is above 0 and finite; LLVM makes a test of bits, which takes longer, of two tests with 0 and infinity."""
    return (x > 0.0) & (x <= (3.4028234663852886e38 if x.single else 1.7976931348623157e308))


def or_nan(result: Number, x: Number) -> Number:
    """The result, but NaN where x is NaN."""
    return (x == x).select(result, x)


def quotient(a: Number, da: Number, b: Number, db: Number) -> Number:
    """(a + da)/(b + db) to a little more than half a unit of the last place; da may be a tenth of a, db a rounding."""
    inverse = 1.0 / b
    q = a * inverse
    p, e = q.product(b)
    return q + (((a - p) - e) + (da - q * db)) * inverse
