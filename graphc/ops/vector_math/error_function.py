"""The error function and its complement.

In: numbers of one float type.  Out: the same.
Always holds: far from 0 an exponential times a polynomial of a reciprocal.
"""

from __future__ import annotations

from graphc.ops.vector_math.exponentials import exp, exponential, exponential_tail, fine_exponential_tail, reduced
from graphc.ops.vector_math.number import Number, Parts, at_most, or_nan, polynomial, quotient


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


def flat_factor(a: Number) -> Parts:
    """(1 + 2a) exp(a^2) erfc(a) in two parts, as a polynomial in 1/(a + K) (Shepherd and Laframboise 1981).

    For a from 1/2 on as far as erfc(a) is not 0.
    """
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
    return g, dg


def complement_far_from_0(a: Number) -> Number:
    """erfc(a) for a >= 1/2."""
    g, dg = flat_factor(a)
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


def erfcx(x: Number) -> Number:
    """exp(x^2) erfc(x); far from 0 asymptotically (Abramowitz and Stegun 1964, 7.1.23), for x < 0 as 2 exp(x^2) less that."""
    a, bound = abs(x), 10.5 if x.single else 27.5
    inside = at_most(a, bound)
    middle = quotient(*flat_factor(inside), *(inside + inside).sum(1.0))
    q = 0.5641895835477563 / a  # 1/(sqrt(pi) a)
    y = q * q * 1.5707963267948966
    far = q + q * (y * polynomial(y, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0, -135135.0))
    right = (a > bound).select(far, middle)
    square, error = (p := at_most(a, 9.45 if x.single else 26.65)).product(p)
    n, left = exponential(square, error)
    left = left.ldexp(n)
    z = x * x
    t, f = z + fine_exponential_tail(z), error_function_near_0(x)
    near = 1.0 + ((t - f) - t * f)
    return (a < 0.5).select(near, (x < 0.0).select((left + left) - right, right))
