"""Factors that must not meet as numbers: exponentials, hyperbolic functions, roots, functions over their argument.

In: a product or quotient in a builder.  Out: what takes its place, or None.
Always holds: a product is seen whole, through intermediate values that are used once, whatever the order of its factors.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sympy import Basic, Rational, Symbol

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.ops.composite import softmax
from graphc.ops.elementwise import (
    absolute,
    add,
    cos,
    cosh,
    divide,
    exp,
    expm1,
    log,
    log1p,
    multiply,
    power,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    tan,
    tanh,
    xlogx,
)  # fmt: skip
from graphc.ops.reduction import sum_
from graphc.ops.safe import exprel, log1prel, sinc, sinhc, tanhc
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import applied, build, minus
from graphc.rewrite.compare import are_opposite, factors, multiple, summands
from graphc.rewrite.polynomial import Monomial, Plan, Powers, collect, whole_product
from graphc.rewrite.positive import shares
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

Change = Callable[[Rebuilder, Monomial], "Monomial | None"]


def on_products(change: Change, *among: Operation) -> Callable[[Rebuilder, Root], Made | None]:
    """A form that changes the monomial a product is, where one of the operations `among` makes a factor."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        if is_inner(builder, (multiply, divide)):
            return None
        whole = whole_product(builder, root)
        if whole is None or whole.made_by.isdisjoint(among):
            return None
        new = change(builder, whole.monomial)
        return None if new is None else build(builder, Plan([new]))

    return apply


def argument(builder: Rebuilder, atom: Basic, operation: Operation) -> Basic | None:
    """x where the atom is operation(x)."""
    expr = builder.inside(atom)
    return builder.look(operands(expr)[0]) if expr is not None and operation_of(expr) is operation else None


def multiplied(powers: Powers, *changes: tuple[Basic, int]) -> Powers:
    """Powers after multiplication by atom^exponent for each change."""
    result = dict(powers)
    for atom, e in changes:
        result[atom] = result.get(atom, 0) + e
        if not result[atom]:
            del result[atom]
    return result


# --- exponentials --------------------------------------------------------------------------------------------------


def tamed_exponentials(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """Shares of sums of exponentials are logistic functions; exponentials that meet these are, too."""
    if builder.present.isdisjoint((exp, expm1)) or not _exponential(builder, m.powers):
        return None
    new = _met(builder, shares(builder, m))
    new = _one_exponential(builder, _balanced(builder, new))
    return new if new.powers != m.powers else None


def _exponential(builder: Rebuilder, powers: Powers) -> bool:
    """True where a factor, or a term of a denominator, is an exponential."""
    todo = [(a, e < 0) for a, e in powers.items()]
    for _ in range(16):
        if not todo:
            return False
        atom, below = todo.pop()
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if operation in (exp, expm1):
            return True
        if below and expr is not None and operation in (add, sum_, multiply):
            todo += [(a, True) for a in operands(expr)]
    return False


def _met(builder: Rebuilder, m: Monomial) -> Monomial:
    """exp(x)*sigmoid(-x) = sigmoid(x), exp(x)/expm1(x) = -1/expm1(-x), expm1(x)*sigmoid(-x) = tanh(x/2)."""
    coefficient, powers = m.coefficient, dict(m.powers)
    for atom, e in m.powers.items():
        x, y = argument(builder, atom, exp), argument(builder, atom, expm1)
        if e < 0 or (x is None and y is None):
            continue
        if y is not None and (partner := _opposite(builder, powers, sigmoid, y)) is not None:
            half = builder.apply(tanh, (builder.apply(multiply, (Rational(1, 2), y)),))
            powers = _replaced(powers, (atom, partner), half)
        if x is None:
            continue
        if (partner := _opposite(builder, powers, sigmoid, x)) is not None:
            powers = _replaced(powers, (atom, partner), builder.apply(sigmoid, (x,)))
        below = builder.apply(expm1, (x,)) if expm1 in builder.present else atom
        both = min(powers.get(atom, 0), -powers.get(below, 0))
        if both > 0:
            other = builder.apply(expm1, (minus(builder, x),))
            powers = multiplied(powers, (atom, -both), (below, both), (other, -both))
            coefficient *= (-1) ** both
        powers = _softmaxes(builder, powers, atom, x)
    return Monomial(coefficient, powers, m.extra)


def _opposite(builder: Rebuilder, powers: Powers, operation: Operation, x: Basic) -> Basic | None:
    """operation(-x) among the factors."""
    for atom, e in powers.items():
        y = argument(builder, atom, operation) if e > 0 else None
        if y is not None and are_opposite(builder, x, y):
            return atom
    return None


def _replaced(powers: Powers, pair: tuple[Basic, Basic], whole: Basic) -> Powers:
    """The product of a pair of factors replaced, as often as it occurs."""
    both = min(powers.get(a, 0) for a in pair)
    return multiplied(powers, *((a, -both) for a in pair), (whole, both)) if both > 0 else powers


def _softmaxes(builder: Rebuilder, powers: Powers, atom: Basic, x: Basic) -> Powers:
    """exp(x)/sum(exp(x)) is softmax(x), where the sum broadcasts against x along its axes."""
    for total, e in list(powers.items()):
        expr = builder.inside(total) if e < 0 else None
        if expr is None or operation_of(expr) is not sum_ or builder.look(operands(expr)[0]) != atom:
            continue
        axes, keepdims = statics(expr)
        if powers.get(atom, 0) > 0 and (keepdims or axes == tuple(range(builder.type_of(x).rank))):
            powers = multiplied(powers, (atom, -1), (total, 1), (builder.apply(softmax, (x,), (axes,)), 1))
    return powers


def _balanced(builder: Rebuilder, m: Monomial) -> Monomial:
    """exp(x)*sigmoid(-2*x) = exp(x - softplus(2*x)): one overflows where the other vanishes."""
    for atom, e in m.powers.items():
        x = argument(builder, atom, exp)
        for partner, n in m.powers.items() if x is not None and e > 0 else ():
            y = argument(builder, partner, sigmoid)
            ratio = multiple(builder, y, x) if y is not None and x is not None and n > 0 else None
            if ratio is not None and ratio * n < -e:
                whole = e * builder.value(x) - n * softplus(builder.value(minus(builder, y)))
                return Monomial(
                    m.coefficient, multiplied(m.powers, (atom, -e), (partner, -n), (exp(whole).atom, 1)), m.extra
                )
    return m


def _one_exponential(builder: Rebuilder, m: Monomial) -> Monomial:
    """exp(x)*exp(-exp(x)) = exp(x - exp(x)): in a derivative one may overflow where the other vanishes.

    What a program itself multiplies is multiplied (the sum of exponents is rounded), unless exponents cancel.
    """
    found = [(a, x, e) for a, e in m.powers.items() if (x := argument(builder, a, exp)) is not None]
    if len(found) < 2 or len({builder.type_of(a).shape for a, _, _ in found}) > 1:
        return m
    if builder.as_written:
        ratios = [multiple(builder, x, found[0][1]) for _, x, _ in found]
        if not any(r is not None and r * e * found[0][2] < 0 for r, (_, _, e) in zip(ratios, found, strict=True)):
            return m
    total = Plan([Monomial(Fraction(e), {x: 1}) for _, x, e in found])
    atom = applied(builder, build(builder, total))
    powers = multiplied(m.powers, *((a, -e) for a, _, e in found), (builder.apply(exp, (atom,)), 1))
    return Monomial(m.coefficient, powers, m.extra)


# --- quotients of functions ----------------------------------------------------------------------------------------

_TANGENTS = ((sinh, cosh, tanh), (sin, cos, tan))
_HYPERBOLIC = (sinh, tanh)  # these overflow: they are joined even where that makes one more


def tangents(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sinh(x)/cosh(x) = tanh(x), tanh(x)*cosh(x) = sinh(x), the same of sin, cos, tan, and their inverses."""
    powers = m.powers
    for sine, cosine, tangent in _TANGENTS:
        for atom in list(powers):
            for one, other, sign_, whole in ((sine, cosine, -1, tangent), (tangent, cosine, 1, sine)):
                x = argument(builder, atom, one)
                if x is not None and other in builder.present:
                    powers = _joined(builder, powers, (atom, builder.apply(other, (x,))), sign_, whole, x)
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


def double_angles(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sin(x)*cos(x) = sin(2*x)/2, where that saves a function."""
    for atom, e in m.powers.items():
        x = argument(builder, atom, sin)
        other = builder.apply(cos, (x,)) if x is not None and e > 0 else atom
        both = min(e, m.powers.get(other, 0)) if other != atom else 0
        if x is not None and both > 0 and (builder.lonely(atom) or builder.lonely(other)):
            twice = applied(builder, build(builder, Plan([_times_two(builder, x)])))
            powers = multiplied(m.powers, (atom, -both), (other, -both), (builder.apply(sin, (twice,)), both))
            return Monomial(m.coefficient / 2**both, powers, m.extra)
    return None


def _times_two(builder: Rebuilder, x: Basic) -> Monomial:
    inner = factors(builder, x) or Monomial(powers={x: 1})
    return Monomial(2 * inner.coefficient, inner.powers)


def powers_of_one_base(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x*x^(n - 1) = x^n, where terms of the exponent cancel."""
    for atom, e in m.powers.items():
        expr = builder.inside(atom)
        if expr is None or operation_of(expr) is not power:
            continue
        base, exponent = map(builder.look, operands(expr))
        count = m.powers.get(base, 0)
        old = summands(builder, exponent) if count else None
        if old is None:
            continue
        new = collect([*(Monomial(t.coefficient * e, t.powers) for t in old), Monomial(Fraction(count))])
        if len(new) < len(old):
            whole = builder.apply(power, (base, applied(builder, build(builder, Plan(new)))))
            return Monomial(m.coefficient, multiplied(m.powers, (atom, -e), (base, -count), (whole, 1)), m.extra)
    return None


def _joined(
    builder: Rebuilder, powers: Powers, pair: tuple[Basic, Basic], sign_: int, whole: Operation, x: Basic
) -> Powers:
    """whole(x) for two functions of x that are multiplied (sign 1) or divided (sign -1)."""
    up, down = (powers.get(a, 0) for a in pair)
    both = min(abs(up), abs(down)) if up * down * sign_ > 0 else 0
    if not both or not (whole in _HYPERBOLIC or all(map(builder.lonely, pair))):
        return powers
    s = 1 if up > 0 else -1
    return multiplied(
        powers, (pair[0], -s * both), (pair[1], -s * sign_ * both), (builder.apply(whole, (x,)), s * both)
    )


def entropies(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x^2*log(x) = x*xlogx(x), x^2*log|x| = |x|*xlogx(|x|)."""
    powers = m.powers
    for atom, e in m.powers.items():
        x = argument(builder, atom, log)
        if x is None or e != 1:
            continue
        inner = argument(builder, x, absolute)
        if powers.get(x, 0) > 0:
            powers = multiplied(powers, (atom, -1), (x, -1), (builder.apply(xlogx, (x,)), 1))
        elif inner is not None and powers.get(inner, 0) > 1:
            powers = multiplied(powers, (atom, -1), (inner, -2), (x, 1), (builder.apply(xlogx, (x,)), 1))
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


_LIMITS = {sin: sinc, expm1: exprel, sinh: sinhc, tanh: tanhc, log1p: log1prel}


def limits(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sin(c*x)/x = c*sinc(c*x) and its kin, also upside down; the power of x that is left has no other sign."""
    coefficient, powers = m.coefficient, m.powers
    for atom, e in m.powers.items():
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if expr is None or operation not in (*_LIMITS, tan):
            continue
        x = builder.look(operands(expr)[0])
        inner = factors(builder, x)
        count = _divisions(powers, e, Monomial(powers={x: 1}))
        count = count or (_divisions(powers, e, inner) if inner is not None else 0)
        if inner is None or not count or builder.type_of(x).shape != builder.type_of(atom).shape:
            continue
        s = 1 if e > 0 else -1
        if operation is tan:
            changes = [(builder.apply(sinc, (x,), (0,)), s * count), (builder.apply(cos, (x,)), -s * count)]
        else:
            safe = _LIMITS[operation]
            changes = [(builder.apply(safe, (x,), (0,) if safe is sinc else ()), s * count)]
        changes.append((atom, -s * count))
        if powers.get(x, 0) * e < 0:
            changes.append((x, s * count))
        else:
            changes += ((a, k * s * count) for a, k in inner.powers.items())
            coefficient *= inner.coefficient ** (s * count)
        powers = multiplied(powers, *changes)
    return Monomial(coefficient, powers, m.extra) if powers != m.powers else None


def _divisions(powers: Powers, e: int, inner: Monomial) -> int:
    """How many of e functions of `inner` one of its factors on the other side of the fraction takes.

    A function in the numerator has the factor to spare: sin(x^2)/x is x*sinc(x^2).
    """
    spare = 1 if e > 0 else 0
    counts = [
        (abs(powers.get(a, 0)) + spare * (k - 1)) // k
        for a, k in inner.powers.items()
        if k > 0 and powers.get(a, 0) * e < 0
    ]
    return min(max(counts, default=0), abs(e))


def roots(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sqrt(x)^2 = x, x/sqrt(x) = sqrt(x), |x|^2 = x^2, x/|x| = sign(x), sign(x)/|x| = 1/x."""
    powers = m.powers
    for atom in m.powers:
        e = powers.get(atom, 0)
        x = argument(builder, atom, sqrt)
        if x is not None and (isinstance(x, Symbol) or x.is_Rational):
            if abs(e) > 1:
                pairs = int(e / 2)
                powers = multiplied(powers, (atom, -2 * pairs), (x, pairs))
            e = powers.get(atom, 0)
            if e and e * powers.get(x, 0) < 0:
                s = 1 if e > 0 else -1
                powers = multiplied(powers, (x, s), (atom, -2 * s))
            powers = _radicand_joined(builder, powers, atom, x)
        x = argument(builder, atom, sign)
        length = builder.apply(absolute, (x,)) if x is not None and absolute in builder.present else atom
        both = min(e, -powers.get(length, 0))
        if x is not None and both > 0:
            powers = multiplied(powers, (atom, -both), (length, both), (x, -both))
        x = argument(builder, atom, absolute)
        if x is not None:
            pairs = 2 * int(e / 2)
            powers = multiplied(powers, (atom, -pairs), (x, pairs)) if pairs else powers
            e = powers.get(atom, 0)
            if e and e * powers.get(x, 0) < 0:
                s = 1 if e > 0 else -1
                powers = multiplied(powers, (atom, -s), (x, s), (builder.apply(sign, (x,)), -s)) if s < 0 else powers
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


def _radicand_joined(builder: Rebuilder, powers: Powers, atom: Basic, x: Basic) -> Powers:
    """a*b/sqrt(a*b/c) = c*sqrt(a*b/c), where that makes the product shorter."""
    inner, e = factors(builder, x), powers.get(atom, 0)
    if inner is None or inner.coefficient != 1 or abs(e) != 1 or len(inner.powers) < 2:
        return powers
    whole = Monomial()
    for a, n in powers.items():
        m = factors(builder, a) if a != atom else None
        if a != atom and (m is None or m.coefficient != 1):
            return powers
        whole.powers = multiplied(whole.powers, *((b, k * n) for b, k in m.powers.items())) if m else whole.powers
    joined = multiplied(whole.powers, *((b, e * k) for b, k in inner.powers.items()), (atom, -e))
    return joined if sum(map(abs, joined.values())) < sum(map(abs, powers.values())) else powers


EXPONENTIAL = Form(
    "exponentials in a product", (multiply, divide), on_products(tamed_exponentials, exp, expm1, add, sum_, multiply),
    "inf*0 or inf/inf where one factor overflows", "y*exp(-x)/(1 + exp(-x))^2",
)  # fmt: skip
TANGENT = Form(
    "sine over cosine", (multiply, divide), on_products(tangents, sinh, tanh, sin, tan), "inf/inf for |x| >> 0; one function instead of two",
    "y*sinh(x)/cosh(x)^2",
)  # fmt: skip
LIMIT = Form(
    "function over its argument", (multiply, divide), on_products(limits, *_LIMITS, tan), "0/0 at 0, where there is a limit",
    "sin(2*x)*y/x",
)  # fmt: skip
ENTROPY = Form(
    "logarithm times its argument", (multiply, divide), on_products(entropies, log), "0 times -inf at 0", "y*x^2*log(x)",
)  # fmt: skip
DOUBLE = Form(
    "sine times cosine", (multiply, divide), on_products(double_angles, sin), "one function instead of two", "y*sin(x)*cos(x)",
)  # fmt: skip
BASE = Form(
    "powers of one base", (multiply, divide), on_products(powers_of_one_base, power), "one power, and none of a negative exponent",
    "x*y*x^(z - 1)",
)  # fmt: skip
ROOT = Form(
    "root over its argument", (multiply, divide, power), on_products(roots, sqrt, absolute, sign), "0/0 at 0, where there is a limit",
    "sqrt(x)^2*y",
)  # fmt: skip
