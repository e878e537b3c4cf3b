"""Sine, cosine, tangent, and their inverses.

In: numbers of one float type.  Out: the same.
Always holds: x is n pi/2 + r with the rounding of r, |r| <= pi/4, however large it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ops.vector_math.number import Number, Parts, or_nan, polynomial, quotient


def reduced_angle(x: Number) -> tuple[Number, Number, Number]:
    """Whole n, r and its error with x = n pi/2 + r, |r| <= pi/4, for |x| < 2^20 (Cody and Waite 1980)."""
    n = (x * 0.6366197723675814).rint()
    if x.single:
        r = x.less_product(n, 1.5707963705062866)  # exact: both are multiples of 2^-24
        return n, r.less_product(n, -4.371138828673793e-08).less_product(n, -1.7151245100058819e-15), x
    t = x - n * 1.5707963267341256  # exact: this part of pi/2 has 33 bits, n 20
    p, e = n.product(6.077100506506192e-11)
    r = t - p
    return n, r, (((t - r) - p) - e) - n * 3.5215598651832e-27


def sine_near_0(r: Number, dr: Number) -> Parts:
    """sin(r + dr) as r and what is to be added."""
    z = r * r
    if r.single:
        return r, r * z * polynomial(z, -0.16666655242443085, 0.008332189172506332, -0.00019518191402312368)
    return r, r * z * polynomial(
        z, -0.16666666666666632, 0.00833333333332221, -0.00019841269829637664, 2.755731363044716e-06,
        -2.5050748135405548e-08, 1.5896197939010918e-10,
    ) + dr  # fmt: skip


def cosine_near_0(r: Number, dr: Number) -> Parts:
    """cos(r + dr) as 1 and what is to be added."""
    z = r * r
    if r.single:
        return r.real(1.0), z * polynomial(z, -0.5, 0.04166664555668831, -0.00138873013202101, 2.4430670637052254e-05)
    return r.real(1.0), z * polynomial(
        z, -0.5, 0.041666666666666595, -0.0013888888888873852, 2.4801587289303423e-05, -2.755731429844454e-07,
        2.0875715664191076e-09, -1.13592400533719e-11,
    ) - r * dr  # fmt: skip


def sine_and_cosine(x: Number, reduce: Callable[[Number], tuple[Number, Number, Number]]) -> tuple[Number, ...]:
    """n, sine and cosine of r in two parts each, with x = n pi/2 + r."""
    n, r, dr = reduce(x)
    return n, sine_near_0(r, dr), cosine_near_0(r, dr)


def sine_of(n: Number, s: Parts, c: Parts) -> Number:
    """sin(n pi/2 + r)."""
    return n.bit(0).select(c[0] + c[1], s[0] + s[1]).negated(n)


def cosine_of(n: Number, s: Parts, c: Parts) -> Number:
    """cos(n pi/2 + r)."""
    return n.bit(0).select(s[0] + s[1], c[0] + c[1]).negated(n + 1.0)


def tangent_of(n: Number, s: Parts, c: Parts) -> Number:
    """tan(n pi/2 + r): the quotient of sine and cosine, each in two parts."""
    (a, da), (b, db) = s[0].sum(s[1]), c[0].sum(c[1])
    odd = n.bit(0)
    return quotient(odd.select(-b, a), odd.select(-db, da), odd.select(a, b), odd.select(da, db))


def far_angle(x: Number) -> tuple[Number, Number, Number]:
    """`reduced_angle` for any x."""
    n, r, dr = x.wide().large_angle()
    return n.like(x), r.like(x) + x * 0.0, dr.like(x)


def far_sine(x: Number) -> Number:
    """Sine of a large number; NaN of an infinite one."""
    return sine_of(*sine_and_cosine(x, far_angle))


def far_cosine(x: Number) -> Number:
    """Cosine of a large number; NaN of an infinite one."""
    return cosine_of(*sine_and_cosine(x, far_angle))


def far_tangent(x: Number) -> Number:
    """Tangent of a large number; NaN of an infinite one."""
    return tangent_of(*sine_and_cosine(x.wide(), far_angle)).like(x)


def moderate_or(x: Number, result: Number, far: Callable[[Number], Number]) -> Number:
    """The result up to 10^6, where n of `reduced_angle` has 20 bits and its products are exact, else far(x)."""
    return x.rarely(result, 1e6, far)


def sin(x: Number) -> Number:
    """Sine."""
    result = sine_of(*sine_and_cosine(x, reduced_angle))
    return moderate_or(x, (x == 0.0).select(x, result), far_sine)


def cos(x: Number) -> Number:
    """Cosine."""
    return moderate_or(x, cosine_of(*sine_and_cosine(x, reduced_angle)), far_cosine)


def tan(x: Number) -> Number:
    """Tangent."""
    result = tangent_of(*sine_and_cosine(x.wide(), reduced_angle)).like(x)
    return moderate_or(x, (x == 0.0).select(x, result), far_tangent)


def arctangent(num: Number, den: Number, negative: Number) -> Number:
    """The angle of the point (den, num), both positive; of (-den, num) where `negative`.

    k pi/4 +- atan(t), |t| <= sqrt(2) - 1: above 22.5 degrees t = (a - b)/(a + b), above 45 a and b change places.
    """
    steep = num > den
    a, b = steep.select(den, num), steep.select(num, den)
    same = (a == b) & (a > 0.0)
    a, b = same.select(1.0, a), (same | (b == 0.0)).select(1.0, b)
    # scaled so that sums stay in the range and products with subnormal numbers are exact
    large = 60 if a.single else 500
    scale = (b > 2.0**large).select(b.real(2.0**-large), 2.0**24 if a.single else 2.0**53)
    a, b = a * scale, b * scale
    upper = a > b * 0.41421356237309503
    t = upper.select(a - b, a) / upper.select(a + b, b)
    k = upper.select(b.real(1.0), 0.0)
    k = steep.select(2.0 - k, k)
    k = negative.select(4.0 - k, k)
    t = (steep ^ negative).select(-t, t)
    z = t * t
    if t.single:
        q = polynomial(
            z,
            -0.33333316445350647,
            0.19998525083065033,
            -0.14244285225868225,
            0.10598061233758926,
            -0.06086508557200432,
        )
        return k * 0.785398006439209 + (t + (t * z * q + k * 1.5695823932524066e-07))
    q = polynomial(
        z, -0.33333333333333326, 0.19999999999997603, -0.1428571428537951, 0.11111111087645069, -0.09090908125222323,
        0.07692282320542734, -0.06666220267678633, 0.05876958074209767, -0.0521799314709676, 0.04501873209425665,
        -0.033435341890279247, 0.015155336308827611,
    )  # fmt: skip
    return k * 0.7853981633974483 + (t + (t * z * q + k * 3.061616997868383e-17))


def atan(x: Number) -> Number:
    """Inverse tangent."""
    return or_nan(arctangent(abs(x), x.real(1.0), x != x).copysign(x), x)


def atan2(y: Number, x: Number) -> Number:
    """Angle of the point (x, y), with the special values of C's atan2 (ISO C, annex F)."""
    left = x.real(1.0).copysign(x) < 0.0
    return ((x == x) & (y == y)).select(arctangent(abs(y), abs(x), left).copysign(y), x + y)


def arcsine_tail(s: Number, z: Number) -> Number:
    """asin(s) - s for s = sqrt(z), z <= 1/4."""
    if s.single:
        q = polynomial(
            z, 0.16666659712791443, 0.07500521838665009, 0.04451340436935425, 0.031838513910770416, 0.014318310655653477,
            0.03769024834036827,
        )  # fmt: skip
        return s * z * q
    q = polynomial(
        z, 0.16666666666666768, 0.07499999999968597, 0.044642857176793616, 0.030381942599608032, 0.02237221812567288,
        0.01735155415425177, 0.013981530770633481, 0.01139297342449097, 0.010814219639865903, 0.0035756435849990434,
        0.02203140270041418, -0.02146547046050383, 0.03292515453606955,
    )  # fmt: skip
    return s * z * q


def folded_arcsine(a: Number, inner: Number) -> tuple[Any, Number, Number, float, float]:
    """Whether a > 1/2; s and asin(s) - s for s = sqrt((1 - a)/2) there and `inner` elsewhere; pi/2 in two parts."""
    outer = a > 0.5
    z = outer.select((1.0 - a) * 0.5, a * a)
    s = outer.select(z.square_root(), inner)
    upper, lower = (
        (1.570796251296997, 7.549789954891882e-08) if a.single else (1.5707963267948966, 6.123233995736766e-17)
    )
    return outer, s, arcsine_tail(s, z), upper, lower


def asin(x: Number) -> Number:
    """Inverse sine; from |x| = 1/2 on as pi/2 - 2 asin(sqrt((1 - |x|)/2))."""
    a = abs(x)
    outer, s, p, upper, lower = folded_arcsine(a, a)
    result, error = a.real(upper).sum(s * -2.0)
    return outer.select(result + (error + (lower - (p + p))), s + p).copysign(x)


def acos(x: Number) -> Number:
    """Inverse cosine: pi/2 - asin(x), for |x| > 1/2 by 2 asin(sqrt((1 - |x|)/2))."""
    a = abs(x)
    outer, s, p, upper, lower = folded_arcsine(a, x)
    # pi/2 - (s + p), 2 (s + p), pi - 2 (s + p)
    s, p = outer.select(s + s, s), outer.select(p + p, p)
    right = outer & (x > 0.0)
    base = outer.select(a.real(2.0 * upper), upper)
    rest = outer.select(a.real(2.0 * lower), lower)
    result, error = base.sum(-s)
    return right.select(s + p, result + (error + (rest - p)))
