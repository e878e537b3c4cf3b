"""Logarithms, and inverse hyperbolic functions.

In: numbers of one float type.  Out: the same.
Always holds: log(x) is k log(2) + log(m), m between sqrt(1/2) and sqrt(2).
"""

from __future__ import annotations

import math

from graphc.ops.vector_math.exponentials import decay
from graphc.ops.vector_math.number import Number, at_least, is_positive, polynomial


def logarithm_parts(f: Number) -> tuple[Number, Number]:
    """h and t with log(1 + f) = f - h + t, for 1 + f between sqrt(1/2) and sqrt(2).

    log(1 + f) = 2 artanh(s) with s = f/(2 + f) (Tang 1990; Muller, Handbook of Floating-Point Arithmetic, 2018).
    """
    h = f * f * 0.5
    if f.single:
        return h, f * f * f * polynomial(
            f, 0.3333333134651184, -0.250008225440979, 0.20001256465911865, -0.16623380780220032, 0.14201249182224274,
            -0.13156698644161224, 0.12764428555965424, -0.0765635222196579,
        )  # fmt: skip
    s = f / (f + 2.0)
    z = s * s
    r = z * polynomial(
        z, 0.6666666666666735, 0.39999999999411134, 0.28571428743248384, 0.22222198477795368, 0.18183569630976354,
        0.15313906361502944, 0.14797473591832885,
    )  # fmt: skip
    return h, s * (h + r)


def reduced_logarithm(k: Number, f: Number, df: Number) -> Number:
    """log(2^k (1 + f + df))."""
    h, t = logarithm_parts(f)
    upper, lower = (
        (0.693145751953125, 1.428606765330187e-06) if f.single else (0.6931471803691238, 1.9082149292705877e-10)
    )
    return k * upper - ((h - (t + (k * lower + (df - f * df)))) - f)


def at_bounds(result: Number, x: Number) -> Number:
    """A logarithm's result, but -inf at 0, inf at inf, NaN for x < 0 and NaN."""
    outside = (x == 0.0).select(-math.inf, (x > 0.0).select(x, math.nan))
    return is_positive(x).select(result, outside)


def log(x: Number) -> Number:
    """Natural logarithm."""
    m, k = x.frexp()
    return at_bounds(reduced_logarithm(k, m - 1.0, x.real(0.0)), x)


def xlogx(x: Number) -> Number:
    """x log(x), 0 at 0."""
    return (x == 0.0).select(x, x * log(x))


def xlogy(a: Number, b: Number) -> Number:
    """a log(b), 0 where a is 0."""
    return (a == 0.0).select(a, a * log(b))


def log_of_successor(x: Number, dx: Number) -> Number:
    """log(1 + x + dx) for finite x > -1: where 1 + x is near 1, x itself is what is added to 1."""
    u = x + 1.0
    m, k = u.frexp(normal=True)
    lost = (x - (u - 1.0) + dx) * at_least(-k, -100.0 if x.single else -1000.0).exp2()
    near = k == 0.0
    return reduced_logarithm(k, near.select(x, m - 1.0), near.select(dx, lost))


def log1p(x: Number) -> Number:
    """log(1 + x)."""
    return at_bounds(log_of_successor(x, x.real(0.0)), x + 1.0).copysign(x)


def split_logarithm(x: Number) -> tuple[Number, Number, Number]:
    """k and log(x/2^k) in two parts, the first of half the digits."""
    m, k = x.frexp()
    f = m - 1.0
    h, t = logarithm_parts(f)
    upper, _ = (f - h).halves()
    return k, upper, ((f - upper) - h) + t


def log2(x: Number) -> Number:
    """Logarithm to base 2; exact for powers of 2."""
    k, upper, lower = split_logarithm(x)
    c, rest = (1.4423828125, 0.00031222838896340733) if x.single else (1.4426950216293335, 1.9259629911266175e-08)
    total, error = k.sum(upper * c)
    return at_bounds(total + ((lower + upper) * rest + lower * c + error), x)


def log10(x: Number) -> Number:
    """Logarithm to base 10."""
    k, upper, lower = split_logarithm(x)
    c, rest = (0.4342041015625, 9.038034075182765e-05) if x.single else (0.4342944771051407, 4.798111141615973e-09)
    a, b = (0.301025390625, 4.605038981195214e-06) if x.single else (0.30102999566361177, 3.694239077158931e-13)
    total, error = (k * a).sum(upper * c)
    return at_bounds(total + ((lower + upper) * rest + lower * c + k * b + error), x)


def log_of_successor_below_1(e: Number) -> Number:
    """log(1 + e) for e from 0 to 1."""
    u = e + 1.0
    double = u > 1.4142135623730951
    scale = double.select(e.real(0.5), 1.0)
    return reduced_logarithm(double.select(e.real(1.0), 0.0), u * scale - 1.0, (e - (u - 1.0)) * scale)


def softplus(x: Number) -> Number:
    """log(1 + e^x)."""
    return at_least(x, 0.0) + log_of_successor_below_1(decay(-abs(x), x.real(0.0)))


def logaddexp(a: Number, b: Number) -> Number:
    """log(e^a + e^b)."""
    larger, smaller = (a > b).select(a, b), (a > b).select(b, a)
    distance, error = smaller.difference(larger)
    error = (distance > -1000.0).select(error, 0.0)  # beyond, the rest is 0
    return larger + log_of_successor_below_1(decay((a == b).select(0.0, distance), error))


def asinh(x: Number) -> Number:
    """log(a + sqrt(a^2 + 1)) for a = |x|, as log(1 + y) near 0 and log(2a) far from it."""
    a = abs(x)
    far = a > 2.0 ** (60 if x.single else 500)
    squared = a * a
    y, dy = a.sum(squared / ((squared + 1.0).square_root() + 1.0))
    y, dy = far.select(a, y), far.select(0.0, dy)
    result = log_of_successor(y, dy) + far.select(a.real(0.6931471805599453), 0.0)
    return (a < math.inf).select(result, abs(x)).copysign(x)


def acosh(x: Number) -> Number:
    """log(x + sqrt(x^2 - 1)), as log(1 + y) near 1 and log(2x) far from it."""
    far = x > 2.0 ** (60 if x.single else 500)
    d = x - 1.0
    s = (d * d + (d + d)).square_root()
    y, dy = s.sum(d)
    y, dy = far.select(x, y), far.select(0.0, dy)
    result = log_of_successor(y, dy) + far.select(x.real(0.6931471805599453), 0.0)
    return ((x >= 1.0) & (x < math.inf)).select(result, (x >= 1.0).select(x, math.nan))


def atanh(x: Number) -> Number:
    """log(1 + 2a/(1 - a))/2 for a = |x|."""
    a = abs(x)
    b, db = a.real(1.0).sum(-a)
    inverse = 1.0 / b
    f = (a + a) * inverse
    p, e = f.product(b)
    df = (((a + a) - p) - e - f * db) * inverse
    inside = a < 1.0
    result = log_of_successor(inside.select(f, 0.0), inside.select(df, 0.0)) * 0.5
    return inside.select(result, (a == 1.0).select(math.inf, a.real(math.nan))).copysign(x)
