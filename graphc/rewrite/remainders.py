"""Functions less the first terms of their Taylor series: exp(x) - 1 - x, x - sin(x), log1p(x) - x, x*cos(x) - sin(x).

In: nothing, or a product or difference in a builder.  Out: `REMAINDERS`, stable rules; `LATE`, for values alone.
Always holds: both sides are equal wherever the left one is finite; near 0, where the terms cancel, the right side is a
product of functions that keep their digits.

What remains of expm1, log1p and their inverses is their logarithmic derivative: for D(x) = e^x/(e^x - 1) - 1/x
expm1(x) - x = x*expm1(x)*D(-x), and with L(x) = coth(x) - 1/x tanh(x) = x/(1 + x*L(x)).
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Integer, Rational

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, Value, operation_of, variable
from graphc.ops.elementwise import (
    absolute,
    add,
    cos,
    expm1,
    less,
    log1p,
    multiply,
    sin,
    sinh,
    subtract,
    tan,
    tanh,
    where,
)  # fmt: skip
from graphc.ops.safe import dlogexprel, exprel, langevin, log1prel, sinc, sinhc, tanhc
from graphc.rewrite.arrange import consumed_by
from graphc.rewrite.build import summed
from graphc.rewrite.compare import factors, gap
from graphc.rewrite.polynomial import Monomial, Powers
from graphc.rewrite.products import argument, divided, multiplied, product_form
from graphc.rewrite.rule import Form, Made, Rebuilder, Rewriting, Root, Rule

HALF = Rational(1, 2)
x = variable("x")
Function = Callable[[Value], Value]

# f(x) - x = x^k*g(x), and the same as what does not overflow.
_OVER_POWERS: dict[Operation, tuple[int, Function]] = {
    sin: (3, lambda x: sinc(x, 1) - HALF * sinc(HALF * x, 0) ** 2),
    tan: (3, lambda x: sinc(x, 1) / cos(x)),
    expm1: (2, lambda x: exprel(x) * dlogexprel(-x)),
    log1p: (2, lambda x: -(log1prel(x) * dlogexprel(-log1p(x)))),
    sinh: (2, lambda x: tanhc(x) * (HALF * x * sinhc(HALF * x) ** 2 - langevin(x, 0))),
    tanh: (2, lambda x: -(tanhc(x) * langevin(x, 0))),
}
_ALONE: dict[Operation, Function] = {
    sin: lambda x: x**3 * sinc(x, 1) - 2 * x * sin(HALF * x) ** 2,
    tan: lambda x: x**3 * sinc(x, 1) / cos(x),
    expm1: lambda x: x * expm1(x) * dlogexprel(-x),
    log1p: lambda x: -(x * log1p(x) * dlogexprel(-log1p(x))),
    sinh: lambda x: tanh(x) * (2 * sinh(HALF * x) ** 2 - x * langevin(x, 0)),
    tanh: lambda x: -(x * langevin(x, 0) * tanh(x)),
}


def _less_argument(builder: Rebuilder, root: Root) -> tuple[Operation, Value, int] | None:
    """f, x and the sign of f(x) - x, or (-1) of x - f(x)."""
    if root.operation is subtract:
        a, b = map(builder.look, root.operands)
        for outer, inner, sign in ((a, b, 1), (b, a, -1)):
            for f in _ALONE:
                if argument(builder, outer, f) == inner:
                    return f, builder.value(inner), sign
    return None


def over_powers(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """(x - sin(x))/x^3 = sinc(x/2)^2/2 - sinc(x, 1), (exp(x) - 1 - x)/x^2 = exprel(x)*D(-x), also over other powers."""
    for atom, e in m.powers.items():
        expr = builder.inside(atom) if e == 1 else None
        operation = None if expr is None else operation_of(expr)
        found = None if expr is None or operation is None else _less_argument(builder, Root(operation, operands(expr)))
        if found is not None and m.powers.get(found[1].atom, 0) <= -2:
            f, v, sign = found
            k, g = _OVER_POWERS[f]
            return Monomial(
                sign * m.coefficient, multiplied(m.powers, (atom, -1), (v.atom, k), (g(v).atom, 1)), m.extra
            )
    return None


def alone(builder: Rebuilder, root: Root) -> Made | None:
    """f(x) - x near 0."""
    found = None if builder.learns or consumed_by(builder, where) else _less_argument(builder, root)
    if found is None:
        return None
    f, v, sign = found
    near = _ALONE[f](v) if sign > 0 else -_ALONE[f](v)
    return where(less(absolute(v), 1), near, builder.value(builder.apply(root.operation, root.operands))).atom


def of_logarithm(builder: Rebuilder, root: Root) -> Made | None:
    """c*log1p(u) - c*u/(1 + u) = c*log1p(u)*D(log1p(u))*u/(1 + u), also where u is k/n and the quotient k/(n + k)."""
    if builder.learns:
        return None
    a, b = (factors(builder, atom) for atom in root.operands)
    s = 1 if root.operation is subtract else -1
    for one, other, sign in ((a, b, 1), (b, a, -s)):
        for atom in one.powers if one is not None else ():
            u = argument(builder, atom, log1p)
            inner = None if u is None else factors(builder, u)
            if one is None or other is None or inner is None or one.powers[atom] != 1:
                continue
            if s * other.coefficient != one.coefficient * inner.coefficient:
                continue
            if _is_share(builder, multiplied(divided(other.powers, one.powers), (atom, 1)), inner):
                c = Monomial(sign * s * other.coefficient, multiplied(other.powers, (atom, 1)))
                slope = dlogexprel(builder.value(atom))
                return Root(multiply, (summed(builder, [c]), slope.atom))
    return None


def _is_share(builder: Rebuilder, share: Powers, inner: Monomial) -> bool:
    """True where a quotient is u/(1 + u) but for its coefficient, or p/(n + p) of u = p/n."""
    parts = {
        n: Monomial(inner.coefficient, multiplied(inner.powers, (n, 1))) for n, k in inner.powers.items() if k == -1
    }
    for n, p in {Integer(1): inner, **parts}.items():
        for s, e in share.items():
            if e == -1 and multiplied(share, (s, 1)) == p.powers and gap(builder, s, n) == [p]:
                return True
    return False


OVER_POWERS = product_form(
    "function less its argument over powers", over_powers, (subtract,), "0/0 at 0, where there is a limit",
    "(x - sin(x))/x^3",
)  # fmt: skip
ALONE = Form(
    "function less its argument", (subtract,), alone, "the difference of equal numbers near 0", "expm1(x) - x",
)  # fmt: skip
OF_LOGARITHM = Form(
    "logarithm less its slope", (add, subtract), of_logarithm, "the difference of equal numbers near 0", "log1p(x) - x/(1 + x)",
)  # fmt: skip
_SECANT = HALF * sinc(HALF * x, 0) ** 2 - sinc(x, 1)  # (x - sin(x))/x^3

REMAINDERS: tuple[Rewriting, ...] = (
    OVER_POWERS,
    *(Rule(f"spherical Bessel function{k}", before, after, None, "the difference of equal numbers near 0", text)
      for before, after, k, text in (
          (x * cos(x) - sin(x), -(x**3 * sinc(x, 1)), "", "x*cos(x) - sin(x)"),
          (sin(x) - x * cos(x), x**3 * sinc(x, 1), ", positive", "sin(x) - x*cos(x)"),
          (cos(x) - sinc(x, 0), -(x**2 * sinc(x, 1)), " over x", "cos(x) - sinc(x)"),
          (sinc(x, 0) - cos(x), x**2 * sinc(x, 1), " over x, positive", "sinc(x) - cos(x)"),
          (sinc(x, 0) / x - cos(x) / x, x * sinc(x, 1), " over x^2", "sinc(x)/x - cos(x)/x"))),
    Rule("cosecant - 1/x", 1 / sin(x) - 1 / x, x * _SECANT / sinc(x, 0), None,
         "the difference of equal numbers near 0", "1/sin(x) - 1/x"),
    Rule("1/x - cosecant", 1 / x - 1 / sin(x), -(x * _SECANT / sinc(x, 0)), None,
         "the difference of equal numbers near 0", "1/x - 1/sin(x)"),
    Rule("reciprocal of log1p less reciprocal", 1 / log1p(x) - 1 / x, dlogexprel(-log1p(x)), None,
         "the difference of equal numbers near 0", "1/log1p(x) - 1/x"),
    Rule("reciprocal less reciprocal of log1p", 1 / x - 1 / log1p(x), -dlogexprel(-log1p(x)), None,
         "the difference of equal numbers near 0", "1/x - 1/log1p(x)"),
)  # fmt: skip

LATE: tuple[Rewriting, ...] = (
    ALONE,
    OF_LOGARITHM,
    *(Rule(name, before, after, None, "the difference of equal numbers near 0", text)
      for f, shown, less_one in (
          (exprel(x), "exprel", expm1(x) * dlogexprel(-x)),
          (log1prel(x), "log1prel", -(log1p(x) * dlogexprel(-log1p(x)))),
          (tanhc(x), "tanhc", -(tanh(x) * langevin(x, 0))),
          (sinc(x, 0), "sinc", x**2 * sinc(x, 1) - 2 * sin(HALF * x) ** 2))
      for name, before, after, text in (
          (f"{shown} - 1", f - 1, less_one, f"{shown}(x) - 1"), (f"1 - {shown}", 1 - f, -less_one, f"1 - {shown}(x)"))),
)  # fmt: skip
