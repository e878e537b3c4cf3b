"""Stable rules: naive spellings become forms that neither overflow nor lose digits.

In: nothing.  Out: `STABLE`, in the order in which they are tried: the special before the general; `PRECISE`, tried last.
Always holds: both sides are equal wherever the left one is finite; no other set of rules undoes one of these.
"""

from __future__ import annotations

from sympy import Integer, Rational, S

from graphc.graph.operation import Term, operation_of, variable
from graphc.ops.composite import log_softmax, logsumexp, softmax
from graphc.ops.elementwise import (
    absolute,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    equal,
    exp,
    expm1,
    hypot,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    multiply_no_nan,
    not_equal,
    power,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    tan,
    tanh,
    where,
    xlogy,
)  # fmt: skip
from graphc.ops.program import size_
from graphc.ops.reduction import largest, prod, sum_
from graphc.ops.safe import exprel, log1mexp, log1prel, logsoftplus, sinc, sinhc, tanhc
from graphc.ops.special import gamma, loggamma
from graphc.rewrite.arrange import DIRECTION
from graphc.rewrite.compare import factors, multiple
from graphc.rewrite.differences import CONJUGATE, DIFFERENCE, LATE, OF_QUOTIENT
from graphc.rewrite.error_function import ERROR_FUNCTION
from graphc.rewrite.fractions import FRACTIONS
from graphc.rewrite.hyperbolic import HYPERBOLIC, exact, half, not_chosen, opposite, written
from graphc.rewrite.hyperbolic import LATE as HYPERBOLIC_LATE
from graphc.rewrite.hypotenuses import LEG, PYTHAGORAS, SQUARE
from graphc.rewrite.hypotenuses import LONGER as LONGER_HYPOTENUSE
from graphc.rewrite.logarithms import ENTROPY, LOG_OF_POWERS
from graphc.rewrite.overflow import INVERSES, NEGATIVE
from graphc.rewrite.parts import PARTS
from graphc.rewrite.positive import LOG, LOG1P, LONGER, log_of_the_others
from graphc.rewrite.products import DISTRIBUTED, EXPONENTIAL, LENGTH, ROOT
from graphc.rewrite.quotients import LIMIT, MEAN, NEAR_EXPONENTIALS, RATIONALISED, SHRINKING, TANGENT
from graphc.rewrite.remainders import LATE as REMAINDERS_LATE
from graphc.rewrite.remainders import REMAINDERS
from graphc.rewrite.roots import LENGTH as ROOT_OF_SQUARES
from graphc.rewrite.roots import POWER, SHARE
from graphc.rewrite.rule import Match, Rewriting, Rule
from graphc.rewrite.vanishing import GAMMA, IDENTITY, LOGGAMMA, VANISHING
from graphc.rewrite.weights import MIXTURE, WEIGHTED

x, y, z, c = variable("x"), variable("y"), variable("z"), variable("c")
HALF = Rational(1, 2)
LOG2 = Term(log, (2,))


def _whole(match: Match) -> bool:
    """The sum runs over all axes of x."""
    return bool(match["axis"] == tuple(range(match["x"].type.rank)))


def _positive(match: Match) -> bool:
    """c is a positive number or a size."""
    atom = match.atom("c")
    inside = match.builder.inside(atom)
    return bool(atom.is_Number and atom > 0) or (inside is not None and operation_of(inside) is size_)


def _along_itself(match: Match) -> bool:
    """The sum keeps its axes, or is a number: it broadcasts against x along the axes it sums."""
    return match["keepdims"] is True or _whole(match)


def _used_once(match: Match) -> bool:
    """No other equation uses the squares of x and y."""
    builder, two = match.builder, Integer(2)
    return all(builder.lonely(builder.apply(power, (match.atom(name), two))) for name in "xy")


def _compound(match: Match) -> bool:
    """x and y have a factor in common, once above and once below the line."""
    a, b = (factors(match.builder, match.atom(name)) for name in "xy")
    return a is not None and b is not None and any(e * b.powers.get(s, 0) < 0 for s, e in a.powers.items())


def _whole_exponent(match: Match) -> bool:
    """c is a whole number other than 0 and 1."""
    atom = match.atom("c")
    return bool(atom.is_Integer and atom not in (0, 1))


def _not_repeated(match: Match) -> bool:
    """y*x has the shape of x: the sums are over the same elements."""
    return bool((match["y"] * match["x"]).type == match["x"].type)


def _multiple_hypotenuse(match: Match) -> Term | None:
    """hypot(x, c*x) = sqrt(1 + c^2)*|x|."""
    c = multiple(match.builder, match.atom("y"), match.atom("x"))
    if c is None or max(abs(c.numerator), c.denominator) > 2**16:
        return None
    square = 1 + c * c
    return sqrt(Term(multiply, (1, Rational(square.numerator, square.denominator)))) * absolute(x)  # type: ignore[no-any-return]


def _no_signs(match: Match) -> bool:
    """x is more than signs."""
    inside = match.builder.inside(match.atom("x"))
    return inside is None or operation_of(inside) is not sign


def _log_of_power(match: Match) -> Term:
    n = match.atom("c")
    return n * log(x if n % 2 else absolute(x))  # type: ignore[no-any-return]


_INVERSES = (
    (sinh, asinh), (asinh, sinh), (tanh, atanh), (atanh, tanh), (cosh, acosh), (sin, asin), (cos, acos), (tan, atan),
    (expm1, log1p), (log1p, expm1),
)  # fmt: skip

_EXPONENTIAL = (
    Rule("power of e", power(S.Exp1, x), exp(x), None, "the exponential's own rules then see it", "e^x"),
    *(Rule(f"{f.name} of {g.name}", f(g(x)), x, None, "rounded twice, overflows or has all digits in the last places",
           f"{f.name}({g.name}(x))") for f, g in _INVERSES),
    Rule("exp of log", exp(log(x)), x, None, "rounded twice; log(x) loses digits", "exp(log(x))"),
    Rule("exp of a multiple of log", exp(y * log(x)), x**y, None, "rounding of the exponent grows with it",
         "exp(y*log(x))"),
    Rule("exp of -softplus", exp(-softplus(x)), sigmoid(-x), None, "rounded twice", "exp(-softplus(x))"),
    Rule("exp of softplus", exp(softplus(x)), 1 + exp(x), None, "rounded twice", "exp(softplus(x))"),
    Rule("exp of log-softmax", exp(log_softmax(x, "axis")), softmax(x, "axis"), None, "rounded twice",
         "input x[n, 3]; exp(log_softmax(x))"),
    Rule("compound growth", (1 + x) ** y, exp(y * log1p(x)), _compound,
         "1 + x is rounded, and y is large where x is small", "(1 + x/n)^n"),
    Rule("root of exp", sqrt(exp(x)), exp(HALF * x), None, "exp(x) overflows", "sqrt(exp(x))"),
)  # fmt: skip

_HOLES = tuple(
    Rule(f"{f.name} with its hole filled{k}", before, after, None, "its derivative at 0 is that of the function", text)
    for f, after in ((sinc, sinc(x, 0)), *((f, f(x)) for f in (exprel, sinhc, tanhc, log1prel)))
    for k, before, text in (("", where(equal(x, 0), 1, after), f"where(x == 0, 1, {f.name}(x))"),
                            (" otherwise", where(not_equal(x, 0), after, 1), f"where(x != 0, {f.name}(x), 1)"))
)  # fmt: skip

_LOGISTIC = (
    Rule("angle of exponentials", atan2(exp(x), exp(y)), atan(exp(x - y)), None, "inf/inf where both are large",
         "atan2(exp(x), exp(y))"),
    Rule("logistic function", 1 / (1 + exp(-x)), sigmoid(x), None,
         "exp(-x) overflows for x << 0", "1/(1 + exp(-x))"),
    Rule("1 - logistic(-x)", 1 - sigmoid(-x), sigmoid(x), exact,
         "the difference of equal numbers for x << 0", "1 - sigmoid(-x)"),
    Rule("1 - logistic", 1 - sigmoid(x), sigmoid(-x), exact,
         "the difference of equal numbers for x >> 0", "1 - sigmoid(x)"),
    Rule("logistic less its mirror image", sigmoid(x) - sigmoid(y), tanh(HALF * x), opposite,
         "the difference of equal numbers near 0", "sigmoid(x) - sigmoid(-x)"),
    Rule("twice logistic - 1", 2 * sigmoid(x) - 1, tanh(HALF * x), None,
         "the difference of equal numbers near 0", "2*sigmoid(x) - 1"),
    Rule("logistic - 1/2", sigmoid(x) - HALF, HALF * tanh(HALF * x), None,
         "the difference of equal numbers near 0", "sigmoid(x) - 0.5"),
    Rule("1 - twice logistic", 1 - 2 * sigmoid(x), -tanh(HALF * x), None,
         "the difference of equal numbers near 0", "1 - 2*sigmoid(x)"),
    Rule("quotient of exponentials", exp(x) / exp(y), exp(x - y), None,
         "inf/inf where both are large", "exp(x)/exp(y)"),
)  # fmt: skip

_TRIGONOMETRIC = (
    Rule("1 - cos", 1 - cos(x), 2 * sin(HALF * x) ** 2, None,
         "the difference of equal numbers near 0", "1 - cos(x)"),
    Rule("cos - 1", cos(x) - 1, -2 * sin(HALF * x) ** 2, None,
         "the difference of equal numbers near 0", "cos(x) - 1"),
    Rule("1 + cos", 1 + cos(x), 2 * cos(HALF * x) ** 2, written,
         "the difference of equal numbers near odd multiples of pi", "1 + cos(x)"),
    Rule("multiple of 1 - cos", y - y * cos(x), 2 * y * sin(HALF * x) ** 2, None,
         "the difference of equal numbers near 0", "y - y*cos(x)"),
    Rule("multiple of cos - 1", y * cos(x) - y, -2 * y * sin(HALF * x) ** 2, None,
         "the difference of equal numbers near 0", "y*cos(x) - y"),
    Rule("tangent of the half", 2 * sin(y) ** 2 / sin(x), tan(y), half, "0/0 at 0", "2*sin(x/2)^2/sin(x)"),
    *(Rule(f"1 - sine squared{k}", before, cos(x) ** 2, None, "the difference of equal numbers at the maximum", text)
      for before, k, text in ((1 - sin(x) ** 2, "", "1 - sin(x)^2"),
                              (1 - sin(x) * sin(x), " by product", "1 - sin(x)*sin(x)"))),
    Rule("1/x - cotangent", 1 / x - 1 / tan(x), x * sinc(x, 1) / sinc(x, 0), None,
         "the difference of equal numbers near 0", "1/x - 1/tan(x)"),
    Rule("cotangent - 1/x", 1 / tan(x) - 1 / x, -(x * sinc(x, 1) / sinc(x, 0)), None,
         "the difference of equal numbers near 0", "1/tan(x) - 1/x"),
    *(Rule(f"1 - cosine squared{k}", before, sin(x) ** 2, None, "the difference of equal numbers near 0", text)
      for before, k, text in ((1 - cos(x) ** 2, "", "1 - cos(x)^2"),
                              (1 - cos(x) * cos(x), " by product", "1 - cos(x)*cos(x)"))),
)  # fmt: skip

_SOFTPLUS = (
    Rule("log(1 + exp)", log(1 + exp(x)), softplus(x), None,
         "exp(x) overflows for x >> 0, 1 + exp(x) rounds to 1 for x << 0", "log(1 + exp(x))"),
    Rule("log1p(exp)", log1p(exp(x)), softplus(x), None,
         "exp(x) overflows for x >> 0", "log1p(exp(x))"),
    Rule("log of logistic(-x)", log(sigmoid(-x)), -softplus(x), None,
         "log(0) for x >> 0", "log(sigmoid(-x))"),
    Rule("log of logistic", log(sigmoid(x)), -softplus(-x), None,
         "log(0) for x << 0", "log(sigmoid(x))"),
    Rule("log1p(-logistic)", log1p(-sigmoid(x)), -softplus(x), None,
         "log(0) for x >> 0", "log1p(-sigmoid(x))"),
    Rule("x - softplus", x - softplus(x), -softplus(-x), None,
         "the difference of equal numbers for x >> 0", "x - softplus(x)"),
    Rule("softplus - x", softplus(x) - x, softplus(-x), None,
         "the difference of equal numbers for x >> 0", "softplus(x) - x"),
    Rule("softplus by hand", maximum(x, 0) + softplus(-absolute(x)), softplus(x), None,
         "no derivative at 0, where there is one", "max(x, 0) + softplus(-abs(x))"),
    Rule("softplus by hand, less something", maximum(x, 0) - y + softplus(-absolute(x)), softplus(x) - y, None,
         "no derivative at 0, where there is one", "max(x, 0) - x*y + softplus(-abs(x))"),
    Rule("softplus by hand, with the least", softplus(-absolute(x)) - minimum(x, 0), softplus(-x), None,
         "no derivative at 0, where there is one", "softplus(-abs(x)) - min(x, 0)"),
    Rule("exp against softplus", exp(x) * softplus(y), log1prel(exp(y)), opposite, "inf*0 for x >> 0", "exp(x)*softplus(-x)"),
    Rule("log of softplus", log(softplus(x)), logsoftplus(x), None, "log(0) for x << 0", "log(softplus(x))"),
    Rule("softplus less its mirror image", softplus(x) - softplus(y), x, opposite,
         "the difference of equal numbers near 0", "softplus(x) - softplus(-x)"),
    Rule("softplus + x", softplus(y) + x, softplus(x), opposite,
         "the difference of equal numbers for x << 0", "softplus(-x) + x"),
)  # fmt: skip

_SOFTMAX = (
    Rule("softmax", exp(x) / sum_(exp(x), "axis", "keepdims"), softmax(x, "axis"), _along_itself,
         "inf/inf where an x is large", "input x[n, 3]; exp(x)/sum(exp(x), axis=1, keepdims=true)"),
    Rule("mean weighted by exponentials",
         sum_(y * exp(x), "axis", "keepdims") / sum_(exp(x), "axis", "keepdims"),
         sum_(y * softmax(x, "axis"), "axis", "keepdims"), _not_repeated,
         "inf/inf where an x is large", "input x[n, 3], y[3]; sum(y*exp(x), axis=1)/sum(exp(x), axis=1)"),
    Rule("softmax, shifted", softmax(x - largest(x, "axis", "keepdims"), "axis"), softmax(x, "axis"), _along_itself,
         "softmax subtracts the largest itself", "input x[n, 3]; softmax(x - max(x, axis=1, keepdims=true))"),
    Rule("log of softmax", log(softmax(x, "axis")), log_softmax(x, "axis"), None,
         "log(0) where an x is far below the largest", "input x[n, 3]; log(softmax(x))"),
    Rule("log of 1 - softmax", log1p(-softmax(x, "axis")), lambda m: log_of_the_others(m["x"], m["axis"]), None,
         "log(0) where one x is far above the others", "input x[n, 3]; log1p(-softmax(x))"),
    Rule("log of a sum of exponentials", log(sum_(exp(x), "axis", "keepdims")), logsumexp(x, "axis", "keepdims"), None,
         "exp(x) overflows", "input x[n, 3]; log(sum(exp(x), axis=1))"),
    Rule("x - logsumexp", x - logsumexp(x, "axis", "keepdims"), log_softmax(x, "axis"), _along_itself,
         "the difference of large numbers", "input x[n, 3]; x - logsumexp(x, axis=1, keepdims=true)"),
)  # fmt: skip

_ROOTS: tuple[Rewriting, ...] = (
    ROOT_OF_SQUARES,
    POWER,
    SHARE,
    *(Rule(f"absolute value of {f.name}", absolute(f(x)), f(x), None, "it is positive, and has a derivative", f"abs({f.name}(x))")
      for f in (cosh, exp, sigmoid, softplus)),
    Rule("hypotenuse of multiples", hypot(x, y), _multiple_hypotenuse, None, "one function less", "hypot(x, 2*x)"),
    Rule("square root", x ** HALF, sqrt(x), None,
         "the root's own rules then see it", "x^0.5"),
)  # fmt: skip

_SPREAD = (
    Rule("variance", sum_(x**2, "axis", "keepdims") / c - (sum_(x, "axis", "keepdims") / c) ** 2,
         sum_((x - sum_(x, "axis", True) / c) ** 2, "axis", "keepdims") / c, _positive,
         "the difference of equal numbers where the mean is large", "input x[n]; mean(x^2) - mean(x)^2"),
)  # fmt: skip

_LOGARITHMS = (
    Rule("log of exp", log(exp(x)), x, None, "exp(x) overflows", "log(exp(x))"),
    Rule("log of a quotient by exp", log(y / exp(x)), log(y) - x, None, "exp(x) overflows", "log(y/exp(x))"),
    Rule("log of exp over", log(exp(x) / y), x - log(y), None, "exp(x) overflows", "log(exp(x)/y)"),
    Rule("log of exp times", log(exp(x) * y), x + log(y), None, "exp(x) overflows", "log(exp(x)*y)"),
    Rule("log of a reciprocal", log(1 / x), -log(x), None, "1/x overflows or vanishes", "log(1/x)"),
    Rule("log of a product", log(prod(x, "axis", "keepdims")),
         log(prod(sign(x), "axis", "keepdims")) + sum_(log(absolute(x)), "axis", "keepdims"), _no_signs,
         "the product overflows or vanishes", "input x[n]; log(prod(x))"),
    Rule("log of (1 + x) over (1 - x)", log((1 + x) / (1 - x)), 2 * atanh(x), None,
         "1 + x and 1 - x round to 1 for small x", "log((1 + x)/(1 - x))"),
    Rule("log of (1 - x) over (1 + x)", log((1 - x) / (1 + x)), -2 * atanh(x), None,
         "1 + x and 1 - x round to 1 for small x", "log((1 - x)/(1 + x))"),
    *(Rule(f"inverse hyperbolic sine{k}", before, asinh(x), None,
           "the difference of equal numbers for x << 0, 1 + x rounds to 1 for small x", text)
      for before, k, text in ((log(x + sqrt(x**2 + 1)), "", "log(x + sqrt(x^2 + 1))"),
                              (log(x + sqrt(x * x + 1)), " by product", "log(x + sqrt(x*x + 1))"))),
    Rule("inverse hyperbolic cosine", log(x + sqrt(x**2 - 1)), acosh(x), None,
         "x^2 overflows, 1 + x rounds to 1 for small x", "log(x + sqrt(x^2 - 1))"),
    Rule("log of gamma", log(gamma(x)), loggamma(x), None, "gamma(x) overflows", "log(gamma(x))"),
    Rule("log of a power", log(x**c), _log_of_power, _whole_exponent, "x^2 overflows", "log(x^2)"),
    Rule("log of expm1", log(expm1(x)), x + log1mexp(-x), None, "expm1(x) overflows", "log(expm1(x))"),
    Rule("log of a difference of exponentials", log(exp(x) - exp(y)), x + log1mexp(y - x), None,
         "exp(x) overflows or vanishes", "log(exp(x) - exp(y))"),
    Rule("log of a difference of logistic functions", log(sigmoid(x) - sigmoid(y)),
         log1mexp(y - x) - softplus(-x) - softplus(y), None, "log(0) far from 0", "log(sigmoid(x) - sigmoid(y))"),
    Rule("log of -expm1", log(-expm1(x)), log1mexp(x), None, "1 - exp(x) rounds to 1 for x << 0", "log(-expm1(x))"),
    Rule("log(1 - exp)", log1p(-exp(x)), log1mexp(x), None, "exp(x) rounds to 1 near 0", "log1p(-exp(x))"),
    Rule("log(1 + x)", log(1 + x), log1p(x), None, "1 + x rounds to 1 for small x", "log(1 + x)"),
    *(Rule(f"multiple of log(1 {k} x)", xlogy(y, before), multiply_no_nan(y, log1p(u)), None, f"1 {k} x rounds to 1 for small x",
           f"grad((1 {k} x)^y, y)") for k, before, u in (("+", 1 + x, x), ("-", 1 - x, -x))),
    Rule("log(1 - x)", log(1 - x), log1p(-x), None, "1 - x rounds to 1 for small x", "log(1 - x)"),
    Rule("exp - 1", exp(x) - 1, expm1(x), None, "the difference of equal numbers for small x", "exp(x) - 1"),
    Rule("1 - exp", 1 - exp(x), -expm1(x), None, "the difference of equal numbers for small x", "1 - exp(x)"),
    Rule("1 + expm1", 1 + expm1(x), exp(x), exact, "the difference of equal numbers for x << 0", "1 + expm1(x)"),
)  # fmt: skip

STABLE: tuple[Rewriting, ...] = (
    *_EXPONENTIAL,
    *_LOGISTIC,
    *HYPERBOLIC,
    *_TRIGONOMETRIC,
    *ERROR_FUNCTION,
    TANGENT,
    EXPONENTIAL,
    DISTRIBUTED,
    LIMIT,
    NEAR_EXPONENTIALS,
    *REMAINDERS,
    MEAN,
    RATIONALISED,
    SHRINKING,
    NEGATIVE,
    *INVERSES,
    GAMMA,
    LOGGAMMA,
    VANISHING,
    IDENTITY,
    DIRECTION,
    PARTS,
    *_SOFTPLUS,
    *_SOFTMAX,
    *WEIGHTED,
    LOG,
    LOG1P,
    MIXTURE,
    LONGER,
    LENGTH,
    SQUARE,
    ROOT,
    *_ROOTS,
    LONGER_HYPOTENUSE,
    *_SPREAD,
    *_LOGARITHMS,
    OF_QUOTIENT,
    LOG_OF_POWERS,
    FRACTIONS,
    DIFFERENCE,
    PYTHAGORAS,
    LEG,
    *_HOLES,
    ENTROPY,
)

# These are for values: a derivative of the formula as written loses nothing, and is shorter.
PRECISE: tuple[Rewriting, ...] = (
    LATE,
    CONJUGATE,
    *HYPERBOLIC_LATE,
    *REMAINDERS_LATE,
    Rule("difference of squares", x**2 - y**2, (x - y) * (x + y), _used_once,
         "the difference of large numbers where x is near y", "x^2 - y^2"),
)  # fmt: skip

# These are for what is computed, when all derivatives are taken: they are those of the formula as written.
NEAR_EXTREMES: tuple[Rewriting, ...] = (
    *(Rule(f"log of cosine{k}", log(c), where(c > HALF, HALF * log1p(-(sin(x) ** 2)), log(c)), not_chosen,
           "cos(x) rounds to 1 near 0", text)
      for c, k, text in ((cos(x), "", "log(cos(x))"), (absolute(cos(x)), ", absolute", "log(abs(cos(x)))"))),
    Rule("inverse of cosine near 1", acos(1 - x), where(x < 1, 2 * asin(sqrt(HALF * x)), acos(1 - x)), not_chosen,
         "1 - x rounds to 1 for small x", "acos(1 - x)"),
    Rule("inverse of cosh near 1", acosh(1 + x), 2 * asinh(sqrt(HALF * x)), None, "1 + x rounds to 1 for small x", "acosh(1 + x)"),
)  # fmt: skip
