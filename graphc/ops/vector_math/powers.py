"""Powers and roots.

In: numbers of one float type.  Out: the same.
Always holds: known exponents are products and roots, others 2^(y log2(x)) with a logarithm of 64 bits.
"""

from __future__ import annotations

import math

from graphc.ops.vector_math.exponentials import exponential_tail
from graphc.ops.vector_math.logarithms import reduced_logarithm
from graphc.ops.vector_math.number import Number, at_least, at_most, is_positive, or_nan, polynomial


def sqrt(x: Number) -> Number:
    """Square root, correctly rounded."""
    return x.square_root()


def cbrt(x: Number) -> Number:
    """Cube root: a polynomial's guess, 19 bits, and one step of Halley's method, which triples them."""
    m, k = abs(x).frexp()
    q = (k * (1.0 / 3.0)).rint()
    j = k - q * 3.0
    y = (j > 0.0).select(1.2599210498948732, (j < 0.0).select(0.7937005259840998, m.real(1.0))) * polynomial(
        m, 0.4216908291180371, 1.0560097643888224, -0.8360592447519857, 0.5109556215094565, -0.1795519552189379,
        0.02695399845959368,
    )  # fmt: skip
    m = m * j.exp2()
    cube = y * y * y
    y = (y - y * ((cube - m) / (cube + cube + m))).ldexp(q).like(x)
    return is_positive(abs(x)).select(y.copysign(x), x)


def length(*legs: Number) -> Number:
    """Square root of the sum of the squares, scaled by a power of 2 where they would leave the range."""
    sizes = [abs(x) for x in legs]
    largest, infinite = sizes[0], sizes[0] == math.inf
    for x in sizes[1:]:
        largest, infinite = (largest > x).select(largest, x), infinite | (x == math.inf)
    # squares of what is above the first bound are scaled down, of what is below the second up
    high, down, low, up = (60, -70, -50, 100) if largest.single else (500, -600, -500, 600)
    large, small = largest > 2.0**high, largest < 2.0**low
    scale = large.select(2.0**down, small.select(2.0**up, largest.real(1.0)))
    back = large.select(2.0**-down, small.select(2.0**-up, largest.real(1.0)))
    squares = [(x * scale) * (x * scale) for x in sizes]
    total = squares[0]
    for square in squares[1:]:
        total = total + square
    return infinite.select(math.inf, total.square_root() * back)


def hypot(a: Number, b: Number) -> Number:
    """sqrt(a^2 + b^2)."""
    return length(a, b)


def hypot3(a: Number, b: Number, c: Number) -> Number:
    """sqrt(a^2 + b^2 + c^2)."""
    return length(a, b, c)


def log2_parts(m: Number) -> tuple[Number, Number]:
    """log2(m) and its error, for m between sqrt(1/2) and sqrt(2), to 64 bits."""
    f = m - 1.0
    u, du = f.real(2.0).sum(f)
    inverse = 1.0 / u
    s = f * inverse
    p, e = s.product(u)
    ds = (((f - p) - e) - s * du) * inverse
    # log(m) = s (2 + 2/3 z + z^2 P(z)), z = s^2
    z, dz = s.product(s)
    dz = dz + s * (ds + ds)
    c, dc = z.product(0.6666666666666666)
    dc = dc + z * 3.700743415417188e-17 + dz * 0.6666666666666666 + z * z * polynomial(
        z, 0.4000000000000227, 0.2857142857009188, 0.22222222521354043, 0.18181784237235013, 0.15386763513809606,
        0.1325666945331508, 0.13197742658671202,
    )  # fmt: skip
    ratio, d = c.real(2.0).sum(c)
    ratio, d = ratio.sum(d + dc)
    t, dt = s.product(ratio)
    dt = dt + (s * d + ds * ratio)
    result, error = t.product(1.4426950408889634)
    result, error = result.sum(error + (t * 2.0355273740931033e-17 + dt * 1.4426950408889634))
    return result, error


def middle_power(x: Number, n: int) -> Number:
    """x^n for n from 5 to 8, of x^3 and x^4 that are right to half a unit."""
    square, error = x.product(x)

    def times(factor: Number, rest: Number) -> tuple[Number, Number]:
        """A product and `rest`, as one number; and the product alone, which is right where it overflows."""
        p, e = square.product(factor)
        return p + (e + rest), p

    cube, fourth = times(x, error * x), times(square, (square + square) * error)
    left, right = {5: (fourth, (x, x)), 6: (cube, cube), 7: (cube, fourth), 8: (fourth, fourth)}[n]
    result = left[0] * right[0]
    return (result == result).select(result, left[1] * right[1])


def made_good(x: Number, y: float) -> Number:
    """x^y for a whole number or half of one: squaring and a root, the roundings of the products made good."""
    digits, h, rest = f"{int(abs(y)):b}", x.real(1.0), x.real(0.0)
    if digits != "0":
        h = x
    for digit in digits[1:]:
        square, error = h.product(h)
        h, rest = square, error + (h + h) * rest
        if digit == "1":
            product, error = h.product(x)
            h, rest = product, error + x * rest
    if y != int(y):
        root = x.square_root()
        product, error = h.product(root)
        h, rest = product, error + root * rest
    result, better = h, h + rest
    if y < 0.0:
        result = 1.0 / h
        better = result - result * (result * rest)
    return is_positive(abs(result)).select(better, result)


def known_power(x: Number, y: float) -> Number:
    """x^y for a whole number or half of one, to two units in the last place."""
    if y in (1.5, 2.5):
        return (x if y == 1.5 else x * x) * x.square_root()
    return middle_power(x, int(y)) if y in (5.0, 6.0, 7.0, 8.0) else made_good(x, y)


def power_of_cube_root(x: Number, n: int) -> Number:
    """x^(n/3) for n = 1, 2, 4 and their negatives, to two units in the last place."""
    a = abs(x)
    root, inside = cbrt(a), is_positive(a)
    if abs(n) == 1:
        result = root if n > 0 else 1.0 / root
    elif abs(n) == 2:
        result = inside.select(a / root, a) if n > 0 else inside.select(root, 1.0) / a
    else:
        result, error = a.product(root)
        if n < 0:
            result = 1.0 / result
            better = result - result * (result * error)
            result = (better == better).select(better, result)
    return ((x < 0.0) & (x > -math.inf)).select(math.nan, result)


def power(x: Number, y: Number) -> Number:
    """x^y = 2^(y log2|x|), with the sign and the special values of C's pow (ISO C, annex F).

    Powers that the code knows to be whole numbers, or halves or thirds of them, are products and roots.
    """
    if y.known is not None and 0.5 <= abs(y.known) <= 64.0 and 2.0 * y.known == int(2.0 * y.known):
        return known_power(x, y.known)
    for n in (1, 2, 4, -1, -2, -4) if y.known is not None else ():
        if y.known == y.real(n / 3.0).known:
            return power_of_cube_root(x, n)
    a, w = abs(x).wide(), y.wide()
    m, k = a.frexp()
    w = at_most(at_least(w, -(2.0**70)), 2.0**70)  # beyond, the result is 0, 1 or inf whatever y
    if x.single:
        t, dt = w * (k + reduced_logarithm(k.real(0.0), m - 1.0, k.real(0.0)) * 1.4426950408889634), w.real(0.0)
    else:
        upper, lower = log2_parts(m)
        total, error = k.sum(upper)
        upper, lower = total.sum(error + lower)
        t, dt = w.product(upper)
        dt = dt + w * lower
    inside = at_most(at_least(t, -1100.0), 1030.0)
    n = inside.rint()
    r = (inside - n) + (t == inside).select(dt, 0.0)
    v = r * 0.6931471805599453
    result = ((v + exponential_tail(v)) + 1.0).ldexp(n).like(x)
    result = (abs(x) == math.inf).select((y > 0.0).select(math.inf, x.real(0.0)), result)
    result = (x == 0.0).select((y < 0.0).select(math.inf, x.real(0.0)), result)
    half = y * 0.5
    whole, even = y.rint() == y, half.rint() == half
    result = (whole & ~even).select(result.copysign(x), result)
    result = ((x < 0.0) & (x > -math.inf) & ~whole).select(math.nan, result)
    result = (y == y).select(or_nan(result, x), y)
    return ((y == 0.0) | (x == 1.0) | ((x == -1.0) & (abs(y) == math.inf))).select(1.0, result)
