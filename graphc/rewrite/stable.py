"""Stable rules: naive spellings become forms that neither overflow nor lose digits.

In: nothing.  Out: `STABLE`, in the order in which they are tried: the special before the general.
Always holds: both sides are equal wherever the left one is finite; no other set of rules undoes one of these.
"""

from __future__ import annotations

from sympy import Rational, S

from graphc.graph.operation import operation_of, variable
from graphc.ops.composite import log_softmax, logsumexp, norm, softmax
from graphc.ops.elementwise import (
    absolute,
    exp,
    expm1,
    hypot,
    log,
    log1p,
    logaddexp,
    power,
    sigmoid,
    softplus,
    sqrt,
    tanh,
    xlogx,
)  # fmt: skip
from graphc.ops.program import size_
from graphc.ops.reduction import largest, sum_
from graphc.rewrite.arrange import DIRECTION, EXPONENTIAL
from graphc.rewrite.rule import Match, Rewriting, Rule

x, y, c = variable("x"), variable("y"), variable("c")


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


_EXPONENTIAL = (Rule("power of e", power(S.Exp1, x), exp(x), None, "the exponential's own rules then see it", "e^x"),)

_ENTROPY = (Rule("x log x", x * log(x), xlogx(x), None, "0 times -inf at 0", "x*log(x)"),)

_LOGISTIC = (
    Rule("logistic function", 1 / (1 + exp(-x)), sigmoid(x), None,
         "exp(-x) overflows for x << 0", "1/(1 + exp(-x))"),
    Rule("exp over 1 + exp", exp(x) / (1 + exp(x)), sigmoid(x), None,
         "inf/inf for x >> 0", "exp(x)/(1 + exp(x))"),
    Rule("1 over 1 + exp", 1 / (1 + exp(x)), sigmoid(-x), None,
         "exp(x) overflows for x >> 0", "1/(1 + exp(x))"),
    Rule("quotient by 1 + exp(-x)", y / (1 + exp(-x)), y * sigmoid(x), None,
         "exp(-x) overflows for x << 0", "x/(1 + exp(-x))"),
    Rule("quotient by 1 + exp(x)", y / (1 + exp(x)), y * sigmoid(-x), None,
         "exp(x) overflows for x >> 0", "x/(1 + exp(x))"),
    Rule("exp over its square", exp(x) / ((1 + exp(x)) * (1 + exp(x))), sigmoid(x) * sigmoid(-x), None,
         "inf/inf for x >> 0: the logistic function's derivative", "exp(x)/((1 + exp(x))*(1 + exp(x)))"),
    Rule("exp over its power", exp(x) / (1 + exp(x)) ** 2, sigmoid(x) * sigmoid(-x), None,
         "inf/inf for x >> 0: the logistic function's derivative", "exp(x)/(1 + exp(x))^2"),
    Rule("exp(-x) against logistic", exp(-x) * sigmoid(x), sigmoid(-x), None,
         "inf*0 for x << 0", "exp(-x)*sigmoid(x)"),
    Rule("exp(x) against logistic", exp(x) * sigmoid(-x), sigmoid(x), None,
         "inf*0 for x >> 0", "exp(x)*sigmoid(-x)"),
    Rule("exp over two exponentials", exp(x) / (exp(x) + exp(y)), sigmoid(x - y), None,
         "inf/inf for x >> 0", "exp(x)/(exp(x) + exp(y))"),
    Rule("hyperbolic tangent", (exp(x) - exp(-x)) / (exp(x) + exp(-x)), tanh(x), None,
         "inf/inf for |x| >> 0", "(exp(x) - exp(-x))/(exp(x) + exp(-x))"),
    Rule("quotient of exponentials", exp(x) / exp(y), exp(x - y), None,
         "inf/inf where both are large", "exp(x)/exp(y)"),
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
    Rule("log(1 - logistic)", log(1 - sigmoid(x)), -softplus(x), None,
         "log(0) for x >> 0", "log(1 - sigmoid(x))"),
    Rule("log1p(-logistic)", log1p(-sigmoid(x)), -softplus(x), None,
         "log(0) for x >> 0", "log1p(-sigmoid(x))"),
    Rule("x - softplus", x - softplus(x), -softplus(-x), None,
         "the difference of equal numbers for x >> 0", "x - softplus(x)"),
    Rule("softplus - x", softplus(x) - x, softplus(-x), None,
         "the difference of equal numbers for x >> 0", "softplus(x) - x"),
)  # fmt: skip

_SOFTMAX = (
    Rule("softmax", exp(x) / sum_(exp(x), "axis", "keepdims"), softmax(x, "axis"), _along_itself,
         "inf/inf where an x is large", "input x[n, 3]; exp(x)/sum(exp(x), axis=1, keepdims=true)"),
    Rule("softmax, shifted", softmax(x - largest(x, "axis", "keepdims"), "axis"), softmax(x, "axis"), _along_itself,
         "softmax subtracts the largest itself", "input x[n, 3]; softmax(x - max(x, axis=1, keepdims=true))"),
    Rule("log of softmax", log(softmax(x, "axis")), log_softmax(x, "axis"), None,
         "log(0) where an x is far below the largest", "input x[n, 3]; log(softmax(x))"),
    Rule("log of a sum of exponentials", log(sum_(exp(x), "axis", "keepdims")), logsumexp(x, "axis", "keepdims"), None,
         "exp(x) overflows", "input x[n, 3]; log(sum(exp(x), axis=1))"),
    Rule("x - logsumexp", x - logsumexp(x, "axis", "keepdims"), log_softmax(x, "axis"), _along_itself,
         "the difference of large numbers", "input x[n, 3]; x - logsumexp(x, axis=1, keepdims=true)"),
    Rule("log of two exponentials", log(exp(x) + exp(y)), logaddexp(x, y), None,
         "exp(x) overflows", "log(exp(x) + exp(y))"),
)  # fmt: skip

_ROOTS = (
    Rule("norm", sqrt(sum_(x**2, "axis", "keepdims")), norm(x, "axis", "keepdims"), None,
         "x^2 overflows, and the root has no derivative at 0", "input x[n]; sqrt(sum(x^2))"),
    Rule("norm of products", sqrt(sum_(x * x, "axis", "keepdims")), norm(x, "axis", "keepdims"), None,
         "x*x overflows, and the root has no derivative at 0", "input x[n]; sqrt(sum(x*x))"),
    Rule("norm of a mean", sqrt(sum_(x**2, "axis", "keepdims") / c), norm(x, "axis", "keepdims") / sqrt(c), _positive,
         "x^2 overflows, and the root has no derivative at 0", "input x[n]; sqrt(mean(x^2))"),
    Rule("norm of a mean of products", sqrt(sum_(x * x, "axis", "keepdims") / c),
         norm(x, "axis", "keepdims") / sqrt(c), _positive,
         "x*x overflows, and the root has no derivative at 0", "input x[n]; sqrt(mean(x*x))"),
    Rule("root of a square", sqrt(x**2), absolute(x), None,
         "x^2 overflows, and the root has no derivative at 0", "sqrt(x^2)"),
    Rule("root of a product", sqrt(x * x), absolute(x), None,
         "x*x overflows, and the root has no derivative at 0", "sqrt(x*x)"),
    Rule("hypotenuse", sqrt(x**2 + y**2), hypot(x, y), None,
         "x^2 overflows, and the root has no derivative at 0", "sqrt(x^2 + y^2)"),
    Rule("hypotenuse of products", sqrt(x * x + y * y), hypot(x, y), None,
         "x*x overflows, and the root has no derivative at 0", "sqrt(x*x + y*y)"),
    Rule("square root", x ** Rational(1, 2), sqrt(x), None,
         "the root's own rules then see it", "x^0.5"),
)  # fmt: skip

_LOGARITHMS = (
    Rule("log of exp", log(exp(x)), x, None, "exp(x) overflows", "log(exp(x))"),
    Rule("log of a quotient by exp", log(y / exp(x)), log(y) - x, None, "exp(x) overflows", "log(y/exp(x))"),
    Rule("log of exp over", log(exp(x) / y), x - log(y), None, "exp(x) overflows", "log(exp(x)/y)"),
    Rule("log of exp times", log(exp(x) * y), x + log(y), None, "exp(x) overflows", "log(exp(x)*y)"),
    Rule("log(1 + x)", log(1 + x), log1p(x), None, "1 + x rounds to 1 for small x", "log(1 + x)"),
    Rule("log(1 - x)", log(1 - x), log1p(-x), None, "1 - x rounds to 1 for small x", "log(1 - x)"),
    Rule("exp - 1", exp(x) - 1, expm1(x), None, "the difference of equal numbers for small x", "exp(x) - 1"),
    Rule("1 - exp", 1 - exp(x), -expm1(x), None, "the difference of equal numbers for small x", "1 - exp(x)"),
)  # fmt: skip

STABLE: tuple[Rewriting, ...] = (
    *_EXPONENTIAL,
    *_LOGISTIC,
    EXPONENTIAL,
    DIRECTION,
    *_SOFTPLUS,
    *_SOFTMAX,
    *_ROOTS,
    *_LOGARITHMS,
    *_ENTROPY,
)
