"""Exponentials, and hyperbolic and logistic functions.

In: numbers of one float type.  Out: the same.
Always holds: e^x is 2^n e^r with |r| <= log(2)/2; e^r - 1 - r is a polynomial.
"""

from __future__ import annotations

from graphc.ops.vector_math.number import Number, at_least, at_most, polynomial


def exponential_tail(r: Number) -> Number:
    """exp(r) - 1 - r for |r| <= log(2)/2, right to a tenth of a rounding of exp(r)."""
    if r.single:
        return r * r * polynomial(
            r, 0.5, 0.16666577756404877, 0.04166685417294502, 0.008363146334886551, 0.0013901287456974387,
        )  # fmt: skip
    return r * r * polynomial(
        r, 0.5000000000000001, 0.16666666666666644, 0.04166666666662431, 0.008333333333356197, 0.0013888888917138367,
        0.0001984126978467239, 2.48015213963364e-05, 2.755735550233138e-06, 2.7620046657814074e-07,
        2.5068170117931806e-08,
    )  # fmt: skip


def fine_exponential_tail(r: Number) -> Number:
    """exp(r) - 1 - r for |r| <= log(2)/2, right to a tenth of a rounding of exp(r) - 1."""
    if r.single:
        return r * r * polynomial(
            r, 0.5, 0.1666666716337204, 0.04166646674275398, 0.008333360776305199, 0.001393360667861998,
            0.0001985780254472047,
        )  # fmt: skip
    return r * r * polynomial(
        r, 0.5, 0.1666666666666667, 0.041666666666666616, 0.008333333333326162, 0.0013888888888917979,
        0.00019841269874740818, 2.48015872457154e-05, 2.755725548879727e-06, 2.7557349625985923e-07,
        2.51051842265001e-08, 2.088937813720082e-09,
    )  # fmt: skip


def reduced(x: Number, dx: Number) -> tuple[Number, Number]:
    """Whole n and r with x + dx = n log(2) + r, |r| <= log(2)/2, dx small (Cody and Waite 1980)."""
    n = (x * 1.4426950408889634).rint()
    upper, lower = (
        (0.693145751953125, 1.428606765330187e-06) if x.single else (0.6931471803691238, 1.9082149292705877e-10)
    )
    return n, (x - n * upper) - (n * lower - dx)


def exponential(x: Number, dx: Number) -> tuple[Number, Number]:
    """n and e^(x + dx)/2^n, for x from a little below the logarithm of the smallest number on."""
    n, r = reduced(at_least(x, -104.0 if x.single else -746.0), dx)
    return n, 1.0 + (r + exponential_tail(r))


def exp(x: Number) -> Number:
    """e^x."""
    n, e = exponential(at_most(x, 89.0 if x.single else 710.0), x.real(0.0))
    return e.ldexp(n)


def decay(x: Number, dx: Number) -> Number:
    """e^(x + dx) for x <= 0; where it is subnormal, it is rounded once."""
    n, e = exponential(x, dx)
    lift = 64.0 if x.single else 128.0
    return (e * n.exp2(lift)) * 2.0**-lift


def scaled_expm1(x: Number) -> tuple[Number, Number, Number, Number]:
    """n, (e^x - 1)/2^n in two parts, and 2^-n, for n <= 64; beyond, 2^-n is 0 beside 1, and 2^-64 stands for it."""
    n, r = reduced(x, x.real(0.0))
    q = at_least(-n, -64.0).exp2()
    d, error = (1.0 - q).sum(r)
    return n, d, error + fine_exponential_tail(r), q


def expm1(x: Number) -> Number:
    """e^x - 1."""
    inside = at_least(x, -20.0 if x.single else -40.0)
    n, d, rest, _ = scaled_expm1(at_most(inside, 89.0 if x.single else 710.0))
    return (d + rest).ldexp(n).copysign(x)


def sigmoid(x: Number) -> Number:
    """1/(1 + e^-x), for negative x as e^x/(1 + e^x); the rounding of the sum made good."""
    e = decay(-abs(x), x.real(0.0))
    b, db = x.real(1.0).sum(e)
    negative = x < 0.0
    q = negative.select(e, 1.0) / b
    return q - q * db * negative.select(1.0 - q, q)


def tanh_parts(x: Number) -> tuple[Number, Number, Number, Number]:
    """a = |x| as far as tanh(a) is less than 1, (e^2a - 1)/2^n in two parts and 2^-n."""
    a = at_most(abs(x), 11.0 if x.single else 21.0)
    _, d, rest, q = scaled_expm1(a + a)
    return a, d, rest, q


def tanh_near_0(r: Number) -> Number:
    """tanh(r) for |r| <= 0.2554, where it is 1/4."""
    z = r * r
    if r.single:
        return r + r * z * polynomial(z, -0.33333227038383484, 0.13323436677455902, -0.051322050392627716)
    return r + r * z * polynomial(
        z, -0.33333333333332615, 0.13333333333052758, -0.053968253596222544, 0.02186946511861362,
        -0.00886244550286621, 0.0035774185948103904, -0.001312404374856257,
    )  # fmt: skip


def tanh(x: Number) -> Number:
    """(u + t)/(1 + u t), t = tanh(r), u = (1 - q)/(1 + q) = tanh(n log(2)/2) with q = 2^-n; n = 0 as far as |x| <= 0.2554.

    The numerator is the denominator b less 2 q (1 - t): b - 2 q is exact, and where the quotient is near 1, the rounding
    of b cancels.
    """
    a = at_most(abs(x), 11.0 if x.single else 21.0)
    n = (a * -2.8853900817779268 + 0.237).rint()
    q = n.exp2()
    r = a + n * 0.34657359027997264 if x.single else (a + n * 0.3465735901845619) + n * 9.541074646352938e-11
    t = tanh_near_0(r)
    b = (1.0 + q) + (1.0 - q) * t
    return (((b - (q + q)) + (q + q) * t) / b).copysign(x)


def sinh(x: Number) -> Number:
    """(d + d/e^a)/2 with d = e^a - 1, a = |x|."""
    n, d, rest, q = scaled_expm1(at_most(abs(x), 90.0 if x.single else 712.0))
    e = d + rest
    return (d + (rest + e * (q / (e + q)))).ldexp(n - 1.0).copysign(x)


def cosh(x: Number) -> Number:
    """(e^a + e^-a)/2 for a = |x|."""
    n, d, rest, q = scaled_expm1(at_most(abs(x), 90.0 if x.single else 712.0))
    e = (d + rest) + q
    return (e + q * (q / e)).ldexp(n - 1.0)
