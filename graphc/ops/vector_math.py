"""Vector math: elementary functions over numbers that are either traced into LLVM IR or plain.

In: numbers of one float type (`Number`), float32 or float64.  Out: a number of that type.
Always holds: straight-line code without branches, tables or calls (but for angles beyond 10^6), so that any loop
around it vectorises on any processor; right at 0, -0, infinities, NaN, subnormal numbers and where results overflow.  `docs/accuracy.md` has the
measured errors.  Polynomials are minimax fits in 45 digits by Remez's exchange (Remez 1934), relative to the function,
rounded from the lowest coefficient up with the rest fitted again for single precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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


# --- choice and parts of a number ----------------------------------------------------------------------------------


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


# --- exponentials --------------------------------------------------------------------------------------------------


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


def exponential(x: Number, dx: Number) -> Number:
    """e^(x + dx) for x up to the logarithm of the largest number and a little beyond; 0 far below it."""
    n, r = reduced(at_least(x, -104.0 if x.single else -746.0), dx)
    e, de = x.real(1.0).sum(r)
    return (e + (de + exponential_tail(r))).ldexp(n)


def exp(x: Number) -> Number:
    """e^x."""
    return exponential(at_most(x, 89.0 if x.single else 710.0), x.real(0.0))


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


def quotient(a: Number, da: Number, b: Number, db: Number) -> Number:
    """(a + da)/(b + db) to a little more than half a unit of the last place; da may be a tenth of a, db a rounding."""
    inverse = 1.0 / b
    q = a * inverse
    p, e = q.product(b)
    return q + (((a - p) - e) + (da - q * db)) * inverse


def sigmoid(x: Number) -> Number:
    """1/(1 + e^-x), for negative x as e^x/(1 + e^x); the rounding of the sum made good."""
    e = exponential(-abs(x), x.real(0.0))
    b, db = x.real(1.0).sum(e)
    negative = x < 0.0
    q = negative.select(e, 1.0) / b
    return q - q * db * negative.select(1.0 - q, q)


def tanh_parts(x: Number) -> tuple[Number, Number, Number, Number]:
    """e^2a - 1 and e^2a + 1 for a = |x|, both divided by 2^n and in two parts."""
    a = at_most(abs(x), 10.0 if x.single else 20.0)
    _, d, rest, q = scaled_expm1(a + a)
    return d, rest, *(q + q).sum(d + rest)


def tanh(x: Number) -> Number:
    """(e^2a - 1)/(e^2a + 1); the rounding of the sum b made good, with 1/b to a fifth."""
    d, rest, b, db = tanh_parts(x)
    t = (d + rest) / b
    return (t - t * db * (1.69 - 0.59 * b)).copysign(x)


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


# --- logarithms ----------------------------------------------------------------------------------------------------


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
    return at_least(x, 0.0) + log_of_successor_below_1(exponential(-abs(x), x.real(0.0)))


def logaddexp(a: Number, b: Number) -> Number:
    """log(e^a + e^b)."""
    larger, smaller = (a > b).select(a, b), (a > b).select(b, a)
    distance, error = smaller.difference(larger)
    error = (distance > -1000.0).select(error, 0.0)  # beyond, the rest is 0
    return larger + log_of_successor_below_1(exponential((a == b).select(0.0, distance), error))


def asinh(x: Number) -> Number:
    """log(a + sqrt(a^2 + 1)) for a = |x|, as log(1 + y) near 0 and log(2a) far from it."""
    a = abs(x).wide()
    far = a > 2.0**500
    squared = a * a
    y, dy = a.sum(squared / ((squared + 1.0).square_root() + 1.0))
    y, dy = far.select(a, y), far.select(0.0, dy)
    result = (log_of_successor(y, dy) + far.select(a.real(0.6931471805599453), 0.0)).like(x)
    return (a < math.inf).select(result, abs(x)).copysign(x)


def acosh(x: Number) -> Number:
    """log(x + sqrt(x^2 - 1)), as log(1 + y) near 1 and log(2x) far from it."""
    a = x.wide()
    far = a > 2.0**500
    d = a - 1.0
    s = (d * d + (d + d)).square_root()
    y, dy = s.sum(d)
    y, dy = far.select(a, y), far.select(0.0, dy)
    result = (log_of_successor(y, dy) + far.select(a.real(0.6931471805599453), 0.0)).like(x)
    return ((x >= 1.0) & (x < math.inf)).select(result, (x >= 1.0).select(x, math.nan))


def atanh(x: Number) -> Number:
    """log(1 + 2a/(1 - a))/2 for a = |x|."""
    a = abs(x).wide()
    b, db = a.real(1.0).sum(-a)
    inverse = 1.0 / b
    f = (a + a) * inverse
    p, e = f.product(b)
    df = (((a + a) - p) - e - f * db) * inverse
    inside = a < 1.0
    result = log_of_successor(inside.select(f, 0.0), inside.select(df, 0.0)) * 0.5
    return inside.select(result, (a == 1.0).select(math.inf, a.real(math.nan))).like(x).copysign(x)


# --- powers and roots ----------------------------------------------------------------------------------------------


def sqrt(x: Number) -> Number:
    """Square root, correctly rounded."""
    return x.square_root()


def cbrt(x: Number) -> Number:
    """Cube root: a polynomial's guess, 19 bits, and one step of Halley's method, which triples them."""
    m, k = abs(x).wide().frexp()
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


def hypot(a: Number, b: Number) -> Number:
    """sqrt(a^2 + b^2), scaled by a power of 2 where squares would leave the range."""
    a, b = abs(a), abs(b)
    larger, smaller = (a > b).select(a, b), (a > b).select(b, a)
    if a.single:
        u, v = larger.wide(), smaller.wide()
        result = (u * u + v * v).square_root().like(a)
    else:
        small = larger < 2.0**-500
        scale = (larger > 2.0**500).select(2.0**-600, small.select(2.0**600, a.real(1.0)))
        back = (larger > 2.0**500).select(2.0**600, small.select(2.0**-600, a.real(1.0)))
        u, v = larger * scale, smaller * scale
        result = (u * u + v * v).square_root() * back
    return ((a == math.inf) | (b == math.inf)).select(math.inf, result)


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


def known_power(x: Number, y: float) -> Number:
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


def power(x: Number, y: Number) -> Number:
    """x^y = 2^(y log2|x|), with the sign and the special values of C's pow (ISO C, annex F).

    Powers that the code knows to be whole numbers, or halves of them, are products and roots.
    """
    if y.known is not None and 0.5 <= abs(y.known) <= 64.0 and 2.0 * y.known == int(2.0 * y.known):
        return known_power(x, y.known)
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


# --- trigonometry --------------------------------------------------------------------------------------------------


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


# --- error function ------------------------------------------------------------------------------------------------


def error_function_near_0(x: Number) -> Number:
    """erf(x) for |x| <= 1."""
    z = x * x
    if x.single:
        return x + x * polynomial(
            z, 0.12837916612625122, -0.3761262595653534, 0.1128358542919159, -0.026853810995817184,
            0.0051883249543607235, -0.0008010168094187975, 7.85377633292228e-05,
        )  # fmt: skip
    return x + x * polynomial(
        z, 0.12837916709551256, -0.3761263890318352, 0.11283791670944184, -0.026866170643111205, 0.005223977606116405,
        -0.0008548325929219129, 0.00012055293574155253, -1.4924712251189429e-05, 1.6447130966344287e-06,
        -1.6206309283477e-07, 1.3710961677092742e-08, -7.779434648420324e-10,
    )  # fmt: skip


def complement_far_from_0(a: Number) -> Number:
    """erfc(a) for a >= 1/2: exp(-a^2) G(u)/(1 + 2a), u = 1/(a + K), G nearly flat (Shepherd and Laframboise 1981)."""
    if a.single:
        g, v = a.real(1.267907738685608), 1.0 / (a + 2.5) - 0.20512820780277252
        dg = v * polynomial(
            v, 0.5848034024238586, -2.7890372276306152, -21.050809860229492, -66.9738540649414,
            -101.70789337158203, 27.284473419189453, 344.9960021972656, 112.27410888671875,
            -1033.840087890625,
        ) - 7.993011585938348e-09  # fmt: skip
    else:
        g, v = a.real(1.2351586434751345), 1.0 / (a + 4.0) - 0.1269338959212377
        dg = v * polynomial(
            v, 1.1203726144724104, 0.7725052237429509, -38.18453377154793, -444.55067770983146,
            -3279.431338262298, -18472.152921591925, -82241.89390908658, -283642.72836994834,
            -690746.1104704515, -774660.389216996, 1955588.603732033, 10670458.275250725,
            11998150.636695595, -55145660.42567434, -197258799.75718355, 145726255.03490567,
            1881065169.9957228, 642405753.4031808, -15536941211.384834, -10252455015.501888,
            93263202282.21799,
        ) + 3.1051065697532167e-17  # fmt: skip
    square, error = a.product(a)
    n, r = reduced(-square, -error)
    g, dg = g.sum(dg + (g + dg) * (r + exponential_tail(r)))
    b, db = (a + a).sum(1.0)
    return quotient(g, dg, b, db).ldexp(n)


def scaled_complement(a: Number) -> Number:
    """exp(a^2) erfc(a) from 1 on, right to a part of a rounding of erf(a), as a polynomial in 1/(a + 2)."""
    if a.single:
        return polynomial(
            1.0 / (at_most(a, 4.0) + 2.0) - 0.25, 0.25539568066596985, 1.7087434530258179, 3.866516351699829,
            5.055160999298096, 0.9548233151435852, -7.3856964111328125,
        )  # fmt: skip
    return polynomial(
        1.0 / (at_most(a, 6.0) + 2.0) - 0.22916666666666666, 0.22142954022993164, 1.5541782531938508,
        3.553742170387201, 4.9446269617053105, 1.6743948265076336, -6.587575402303395, -5.745860829930045,
        14.875454963966233, 11.799227762063982, -48.63661290533309, -2.6904865344762703, 164.64987084025864,
        -212.1330791442649,
    )  # fmt: skip


def erf(x: Number) -> Number:
    """Error function; its exponential is that of its derivative, so that a program computes it once."""
    a = abs(x)
    far = 1.0 - exp(x * -x) * scaled_complement(a)  # LLVM writes -(x*x) so
    return (a < 1.0).select(error_function_near_0(x), far.copysign(x))


def erfc(x: Number) -> Number:
    """1 - erf(x)."""
    a = at_most(abs(x), 10.5 if x.single else 27.5)
    far = complement_far_from_0(a)
    result = (a < 0.5).select(1.0 - error_function_near_0(x), (x < 0.0).select(2.0 - far, far))
    return or_nan(result, x)


# --- functions with limits, and logarithms without cancellation --------------------------------------------------------


def quotient_parts(x: Number) -> tuple[Number, Number, Number, Number, Number]:
    """x as far as (e^x - 1)/x is a number and e^x - 1 is more than -1; n, (e^x - 1)/2^n in two parts, 2^-n."""
    c = at_least(at_most(x, 94.0 if x.single else 718.0), -20.0 if x.single else -40.0)
    return c, *scaled_expm1(c)


def exprel(x: Number) -> Number:
    """(e^x - 1)/x, 1 at 0; divided before it is scaled, as e^x may overflow and the quotient not."""
    _, n, d, rest, _ = quotient_parts(x)
    return (x == 0.0).select(1.0, ((d + rest) / at_most(x, 94.0 if x.single else 718.0)).ldexp(n))


def sinhc(x: Number) -> Number:
    """sinh(x)/x, 1 at 0; divided before it is scaled."""
    a, n, d, rest, q = quotient_parts(abs(x))
    e = d + rest
    result = ((d + (rest + e * (q / (e + q)))) / a).ldexp(n - 1.0)
    return (x == 0.0).select(1.0, result)


def tanhc(x: Number) -> Number:
    """tanh(x)/x, 1 at 0."""
    return (x == 0.0).select(1.0, quotient(*tanh_parts(x)) / abs(x))


def sinc0(x: Number) -> Number:
    """sin(x)/x, 1 at 0 and 0 at infinity."""
    return (x == 0.0).select(1.0, (abs(x) == float("inf")).select(0.0, sin(x) / x))


def erfrel0(x: Number) -> Number:
    """erf(x)/x, 2/sqrt(pi) at 0."""
    return (x == 0.0).select(1.1283791670955126, erf(x) / x)


def sinc1_of(x: Number, reduce: Callable[[Number], tuple[Number, Number, Number]]) -> Number:
    """(sin(x) - x cos(x))/x^3 from sine and cosine in two parts each, as the terms cancel near tan(x) = x."""
    w = x.wide()
    n, s, c = sine_and_cosine(w, reduce)
    odd = n.bit(0)
    a, da = odd.select(c[0], s[0]).sum(odd.select(c[1], s[1]))
    b, db = odd.select(-s[0], c[0]).sum(odd.select(-s[1], c[1]))
    p, e = w.product(b)
    zero = w.real(0.0)
    q = quotient(a - p, da - (e + w * db), w, zero)
    q = (abs(w) > 1e150).select((q / w) / w, quotient(q, zero, *w.product(w)))  # the square overflows
    return q.negated(n).like(x)


def far_sinc1(x: Number) -> Number:
    """`sinc1` of a large number."""
    return sinc1_of(x, far_angle)


def sinc1(x: Number) -> Number:
    """(sin(x) - x cos(x))/x^3; near 0 a polynomial in x^2."""
    y = x * x
    if x.single:
        near = polynomial(y, 0.33333333312297087, -0.03333332865743359, 0.001190459543067487, -2.20250780188061e-05,
                          2.3989863670215103e-07)  # fmt: skip
    else:
        near = polynomial(y, 0.3333333333333333, -0.03333333333333333, 0.001190476190476187, -2.2045855379171892e-05,
                          2.505210838159528e-07, -1.927085210995386e-09, 1.0705991904615546e-11, -4.496687770356925e-14,
                          1.4405838862084356e-16)  # fmt: skip
    far = moderate_or(x, sinc1_of(x, reduced_angle), far_sinc1)
    return (y < 2.25).select(near, (abs(x) == math.inf).select(0.0, far))


def langevin0(x: Number) -> Number:
    """coth(x) - 1/x; near 0 an odd polynomial, from |x| = 1.5 on 1 - (1/a - 2/(e^2a - 1)) with a = |x|."""
    y = x * x
    if x.single:
        near = x * 0.3333333432674408 + x * polynomial(
            y, -9.934107e-09, -0.022222205686867873, 0.0021162831292028893, -0.00021131532435011296,
            2.094763534365667e-05, -1.8618745313772293e-06, 1.0490767451177999e-07,
        )  # fmt: skip
    else:
        near = x * 0.3333333333333333 + x * polynomial(
            y, 1.850371707708594e-17, -0.02222222222222216, 0.002116402116400329, -0.0002116402116197616,
            2.137779903317834e-05, -2.1644038405770144e-06, 2.192584486137599e-07, -2.221296453093466e-08,
            2.2489412648566252e-09, -2.2657883470809969e-10, 2.226538822514532e-11, -2.000386922678054e-12,
            1.4095012348555369e-13, -5.501650981223705e-15,
        )  # fmt: skip
    # by e = (e^2x - 1)/2^n, which `exprel` of 2x has, too; for x < 0 all parts are divided by e^2a
    twice, _, d, rest, q = quotient_parts(x.doubled())
    e, (_, r) = d + rest, reduced(twice, x.real(0.0))
    small = (x < 0.0).select(1.0 + (r + fine_exponential_tail(r)), q)
    far = 1.0 - (abs(e) - abs(twice) * small) / abs(x * e)
    return (y < 2.25).select(near, far.copysign(x))


def log1prel(x: Number) -> Number:
    """log(1 + x)/x, 1 at 0 and 0 at infinity."""
    return (x == 0.0).select(1.0, (x == math.inf).select(0.0, log1p(x) / x))


def logrel(x: Number) -> Number:
    """log(x)/(x - 1), 1 at 1 and 0 at infinity; x - 1 is exact where log(x) is small."""
    return (x == 1.0).select(1.0, (x == math.inf).select(0.0, log(x) / (x - 1.0)))


def log1mexp(x: Number) -> Number:
    """log(1 - e^x) for x < 0 (Maechler 2012)."""
    return (x > -0.6931471805599453).select(log(-expm1(x)), log1p(-exp(x)))


def logcosh(x: Number) -> Number:
    """|x| + log(1 + e^-2|x|) - log(2); below 1 a polynomial in x^2."""
    a = abs(x).wide()
    y = a * a
    near = y * (y * polynomial(
        y, -0.08333333333333333, 0.02222222222222137, -0.006746031745967792, 0.002186948851716268,
        -0.0007386029311758631, 0.00025658029407100796, -9.098791431197684e-05, 3.2771878568499705e-05,
        -1.1933792318657455e-05, 4.354871973700162e-06, -1.5541515744776294e-06, 5.124147653917968e-07,
        -1.4081083577905502e-07, 2.7318429155318398e-08, -2.6892003290662485e-09,
    ) + 0.5)  # fmt: skip
    far = (a - 0.6931471805599453) + (log1p(exp(a * -2.0)) - 2.3190468138462996e-17)
    return (a < 1.0).select(near, far).like(x)
