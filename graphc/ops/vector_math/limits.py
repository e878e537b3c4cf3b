"""Functions with limits, and logarithms without cancellation.

In: numbers of one float type.  Out: the same.
Always holds: a value where the formula has only a limit is that limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ops.vector_math.error_function import erf
from graphc.ops.vector_math.exponentials import exp, expm1, fine_exponential_tail, reduced, scaled_expm1, tanh_parts
from graphc.ops.vector_math.logarithms import log, log1p
from graphc.ops.vector_math.number import Number, at_least, at_most, polynomial, quotient
from graphc.ops.vector_math.trigonometry import far_angle, moderate_or, reduced_angle, sin, sine_and_cosine


def quotient_parts(x: Number) -> tuple[Number, Number, Number, Number, Number]:
    """x as far as (e^x - 1)/x is a number and e^x - 1 is more than -1; n, (e^x - 1)/2^n in two parts, 2^-n."""
    c = at_least(at_most(x, 94.0 if x.single else 718.0), -21.0 if x.single else -42.0)
    return c, *scaled_expm1(c)


def exprel(x: Number) -> Number:
    """(e^x - 1)/x, 1 near 0; divided before it is scaled, as e^x may overflow and the quotient not.

    By 1/x, which its logarithmic derivative has, too: a division takes as long as ten products.
    """
    _, n, d, rest, _ = quotient_parts(x)
    result = ((d + rest) * (1.0 / x)).ldexp(n)
    return (abs(x) < 1e-30).select(1.0, (x > (94.0 if x.single else 718.0)).select(math.inf, result))


def sinhc(x: Number) -> Number:
    """sinh(x)/x, 1 at 0; divided before it is scaled."""
    a, n, d, rest, q = quotient_parts(abs(x))
    e = d + rest
    result = ((d + (rest + e * (q / (e + q)))) / a).ldexp(n - 1.0)
    return (x == 0.0).select(1.0, result)


def tanhc(x: Number) -> Number:
    """tanh(x)/x, 1 at 0."""
    _, d, rest, q = tanh_parts(x)
    return (x == 0.0).select(1.0, quotient(d, rest, *(q + q).sum(d + rest)) / abs(x))


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


def langevin_near_0(x: Number) -> Number:
    """coth(x) - 1/x for |x| <= 1.5."""
    y = x * x
    if x.single:
        return x * 0.3333333432674408 + x * polynomial(
            y, -9.934107e-09, -0.022222205686867873, 0.0021162831292028893, -0.00021131532435011296,
            2.094763534365667e-05, -1.8618745313772293e-06, 1.0490767451177999e-07,
        )  # fmt: skip
    return x * 0.3333333333333333 + x * polynomial(
        y, 1.850371707708594e-17, -0.02222222222222216, 0.002116402116400329, -0.0002116402116197616,
        2.137779903317834e-05, -2.1644038405770144e-06, 2.192584486137599e-07, -2.221296453093466e-08,
        2.2489412648566252e-09, -2.2657883470809969e-10, 2.226538822514532e-11, -2.000386922678054e-12,
        1.4095012348555369e-13, -5.501650981223705e-15,
    )  # fmt: skip


def reciprocal_less_bose(x: Number) -> Number:
    """1/a - 1/(e^a - 1) for a = |x| >= 3, by (e^x - 1)/2^n, which `exprel` has, too."""
    c, _, d, rest, q = quotient_parts(x)
    _, r = reduced(c, x.real(0.0))
    small = (x < 0.0).select(1.0 + (r + fine_exponential_tail(r)), q)  # for x < 0 all parts are divided by e^a
    return (1.0 - abs(c) * small / abs(d + rest)) * abs(1.0 / x)


def langevin0(x: Number) -> Number:
    """coth(x) - 1/x; from |x| = 1.5 on 1 - 2 (1/2a - 1/(e^2a - 1)) with a = |x|."""
    far = 1.0 - 2.0 * reciprocal_less_bose(x + x)
    return (abs(x) < 1.5).select(langevin_near_0(x), far.copysign(x))


def dlogexprel(x: Number) -> Number:
    """e^x/(e^x - 1) - 1/x, the logarithmic derivative of (e^x - 1)/x: (1 + langevin(x/2))/2, for x << 0 without cancellation."""
    far = reciprocal_less_bose(x)
    near = 0.5 + 0.5 * langevin_near_0(0.5 * x)
    return (abs(x) < 3.0).select(near, (x < 0.0).select(far, 1.0 - far))


def dlogtanhc(x: Number) -> Number:
    """2/sinh(2x) - 1/x, the logarithmic derivative of tanh(x)/x; near 0 an odd polynomial."""
    y = x * x
    if x.single:
        near = x * (-0.5 + polynomial(
            y, -0.1666666716337204, 0.3111116886138916, -0.1312279999256134, 0.05383691191673279,
            -0.022126667201519012, 0.009347888641059399, -0.003951024264097214, 0.0013680842239409685,
            -0.000251084245974198,
        ))  # fmt: skip
    else:
        near = x * (-0.5 + polynomial(
            y, -0.16666666666666666, 0.31111111111110545, -0.13121693121643235, 0.053756613739506194,
            -0.02184811042981609, 0.008861067786562505, -0.003591884873930644, 0.0014556933218497089,
            -0.0005896001800501559, 0.0002380106276666748, -9.471957063309042e-05, 3.603533274985892e-05,
            -1.2303478785120395e-05, 3.4011464463896683e-06, -6.490875766399505e-07, 6.198157038753958e-08,
        ))  # fmt: skip
    # sinh(2a)/2^n by (e^2a - 1)/2^n, which `tanhc` has, too
    c, d, rest, q = tanh_parts(x)
    e = d + rest
    s, ds = d.sum(rest + e * (q / (e + q)))
    far = (quotient(c * (4.0 * q), x.real(0.0), s, ds) - 1.0) / abs(x)
    return (y < 1.0).select(near, (x < 0.0).select(-far, far))


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
