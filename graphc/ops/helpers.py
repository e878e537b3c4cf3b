"""Functions that generated code calls, as text.

In: the names that the code uses.  Out: `helper_texts`, their definitions.
Always holds: `name_` is the function `name` of `ops.vector_math`, traced into the code where it is called, or the text
in `HELPERS`: plain Python over scalars, compiled with `helper` (always inlined, its own fast-math flags).  Each gives
its result in the type of its argument; the formula's source stands in the docstring.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphc.ops.vector_math import FUNCTIONS

HELPERS = {
    "sinc_": '''
@helper
def sinc_(x, n):
    """j_n(x)/x^n: power series near 0, upward recurrence elsewhere (Abramowitz and Stegun 1964, 10.1.2, 10.1.19)."""
    x = float(x)
    square = x * x
    if square == math.inf:
        return real(0)
    if n == 0 and x != 0.0:
        return real(math.sin(x) / x)
    if abs(x) < max(2.5, n + 1.0):
        term = 1.0
        for k in range(1, n + 1):
            term /= 2.0 * k + 1.0
        total = term
        for k in range(40):
            term *= -square / (2.0 * (k + 1.0) * (2.0 * n + 2.0 * k + 3.0))
            total += term
        return real(total)
    before = math.sin(x) / x
    found = (before - math.cos(x)) / square
    for k in range(1, n):
        before, found = found, ((2.0 * k + 1.0) * found - before) / square
    return real(found)
''',
    "erfrel_": '''
@helper
def erfrel_(x, n):
    """2^(n+1)/sqrt(pi) times the Boys function of order n at x^2: a power series of positive terms near 0, upward
    recurrence elsewhere (Helgaker, Jorgensen and Olsen 2000, 9.8)."""
    x = float(x)
    square = x * x
    if square == math.inf:
        return real(0)
    tail = 1.1283791670955126 * math.exp(-square)
    if square < n + 1.5:
        term = tail * 2.0 ** n / (2.0 * n + 1.0)
        total = term
        for k in range(1, 60):
            term *= 2.0 * square / (2.0 * n + 2.0 * k + 1.0)
            total += term
        return real(total)
    found = math.erf(x) / x
    for k in range(n):
        found = ((2.0 * k + 1.0) * found - tail) / square
        tail *= 2.0
    return real(found)
''',
    "langevin_": '''
@helper
def langevin_(x, n):
    """Derivative n of coth(x) - 1/x: below 3/2 the Laurent series of coth (Abramowitz and Stegun 1964, 4.5.67), else
    from coth(x) = 1 + 2 exp(-2x) + 2 exp(-4x) + ..."""
    x = float(x)
    a = abs(x)
    total = 0.0
    if a < 1.5:
        # 4^k B_2k/(2k)! = -2 zeta(2k)/(-pi^2)^k, and zeta(2k) = 1 + 4^-k + 9^-k to 17 digits for k > 13
        known = (1.0 / 3.0, -1.0 / 45.0, 2.0 / 945.0, -1.0 / 4725.0, 2.0 / 93555.0, -2.1644042808063972e-06,
                 2.1925947851873778e-07, -2.2214608789979678e-08, 2.2507846516808994e-09, -2.2805151204592183e-10,
                 2.3106432599002624e-11, -2.3411706819824882e-12, 2.3721017400233653e-13)
        power = -2.0
        for k in range(1, 40):
            power *= -0.10132118364233777
            c = known[k - 1] if k <= 13 else power * (1.0 + 0.25 ** k + 9.0 ** -k)
            if 2 * k - 1 >= n:
                falling = 1.0
                for i in range(n):
                    falling *= 2.0 * k - 1.0 - i
                total += c * falling * a ** (2.0 * k - 1.0 - n)
    else:
        pole = 1.0 / a
        for i in range(1, n + 1):
            pole *= i / a
        for m in range(1, 40):
            total += float(m) ** n * math.exp(-2.0 * m * a)
        total = (2.0 * total * 2.0 ** n - pole) * (1.0 if n % 2 == 0 else -1.0)
        if n == 0:
            total += 1.0
    return real(total if x >= 0.0 or n % 2 == 1 else -total)
''',
    "dlogerfcx_": '''
@helper
def dlogerfcx_(x):
    """2x - 2/(sqrt(pi) erfcx(x)); from 3/2 on -2 i^1erfc(x)/erfc(x) by the continued fraction of the repeated integrals
    of erfc (Abramowitz and Stegun 1964, 7.2.5, 7.2.8)."""
    x = float(x)
    if x < -26.6:
        return real(x + x)
    if not x >= 1.5:
        return real(x + x - 1.1283791670955126 / (math.exp(x * x) * math.erfc(x)))
    r = 0.0
    k = 12.0 + np.floor(160.0 / (x * x))
    while k > 1.0:
        r = 0.5 / (x + k * r)
        k -= 1.0
    return real(-2.0 * r)
''',
    "d2logerfcx_": '''
@helper
def d2logerfcx_(x):
    """2 - p (2x - p) with p = 2/(sqrt(pi) erfcx(x)); from 3/2 on 4 r (2 s - r) with the ratios r, s of the first three
    repeated integrals of erfc, from their continued fraction (Abramowitz and Stegun 1964, 7.2.5, 7.2.8)."""
    x = float(x)
    if x < -26.6:
        return real(2.0)
    if not x >= 1.5:
        p = 1.1283791670955126 / (math.exp(x * x) * math.erfc(x))
        return real(2.0 + p * (x + x - p))
    r = 0.0
    s = 0.0
    k = 12.0 + np.floor(160.0 / (x * x))
    while k > 1.0:
        s = r
        r = 0.5 / (x + k * r)
        k -= 1.0
    return real(4.0 * r * (2.0 * s - r))
''',
    "digamma_": '''
@helper
def digamma_(x):
    """Recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 1964, 6.3.5, 6.3.18); reflection below 0."""
    x = float(x)
    shift = 0.0
    if x <= 0.0:
        if x == math.floor(x):
            return real(math.nan)
        shift = -math.pi / math.tan(math.pi * (x - np.floor(x + 0.5)))
        x = 1.0 - x
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    r = 1.0 / (x * x)
    series = r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0 - r * (1.0 / 240.0 - r * (1.0 / 132.0 - r * (
        691.0 / 32760.0 - r / 12.0))))))
    return real(shift + math.log(x) - 0.5 / x - series)
''',
    "polygamma_": '''
@helper
def polygamma_(n, x):
    """Recurrence up to 20 + n, then the asymptotic series (Abramowitz and Stegun 1964, 6.4.6, 6.4.11); for x < 0 the
    reflection (6.4.7), its cotangent from the reflection of what is left of x beside the nearest whole number."""
    x = np.float64(x)
    near = x - np.floor(x + 0.5) if x < 0.0 else x
    sign = 1.0 if n % 2 == 1 else -1.0
    if near == 0.0:
        return real(math.inf if n % 2 == 1 else math.nan)
    factorial = math.gamma(n + 1.0)
    total = 0.0
    for part in range(3 if x < 0.0 else 1):
        place = near if part == 0 else 1.0 - x if part == 1 else 1.0 - near
        weight = 1.0 if part == 0 else -sign if part == 1 else sign
        while place < 20.0 + n:
            total += weight * factorial / place ** (n + 1.0)
            place += 1.0
        total += weight * (math.gamma(float(n)) / place ** float(n) + factorial / (2.0 * place ** (n + 1.0)))
        # Bernoulli numbers B_2, B_4, ..., B_16
        for k, bernoulli in ((1, 1.0 / 6.0), (2, -1.0 / 30.0), (3, 1.0 / 42.0), (4, -1.0 / 30.0), (5, 5.0 / 66.0),
                             (6, -691.0 / 2730.0), (7, 7.0 / 6.0), (8, -3617.0 / 510.0)):
            total += weight * bernoulli * math.exp(
                math.lgamma(2.0 * k + n) - math.lgamma(2.0 * k + 1.0) - (2.0 * k + n) * math.log(place))
    return real(sign * total)
''',
}


def helper_texts(names: set[str]) -> list[str]:
    """Definitions of helpers, with what they call; a name without `_` is a function that traced code calls."""
    wanted = sorted(set(names) - set(HELPERS))
    functions = dict.fromkeys(f for name in wanted for f in _called(FUNCTIONS[name.rstrip("_")]))
    texts = [inspect.getsource(f).replace("  # fmt: skip", "") for f in functions]
    alone = [name for name in wanted if name.endswith("_")]
    texts += ["\n".join(f"{name} = vector({name[:-1]})" for name in alone)] if alone else []
    return texts + [HELPERS[name] for name in HELPERS if name in names]


def _called(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions of `vector_math` that a function calls, each before those that call it, and itself."""
    found: dict[Callable[..., Any], None] = {}
    for name in function.__code__.co_names:
        callee = FUNCTIONS.get(name)
        if callee is not None:
            found |= dict.fromkeys(_called(callee))
    return [*found, function]
