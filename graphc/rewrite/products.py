"""Factors that must not meet as numbers: exponentials and what is made of them, roots, logarithms over their argument.

In: a product or quotient in a builder.  Out: what takes its place, or None.
Always holds: a product is seen whole, through intermediate values that are used once, whatever the order of its factors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from sympy import Basic, Rational, Symbol

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.ops.composite import norm, softmax
from graphc.ops.elementwise import (
    absolute,
    add,
    cos,
    cosh,
    divide,
    exp,
    expm1,
    multiply,
    power,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    subtract,
    tanh,
    where,
)  # fmt: skip
from graphc.ops.joining import stack
from graphc.ops.movement import reshape
from graphc.ops.reduction import sum_
from graphc.ops.shape import reduced
from graphc.rewrite.arrange import outer_product, vanishing
from graphc.rewrite.build import applied, build, minus, summed
from graphc.rewrite.compare import factors, multiple, summands
from graphc.rewrite.polynomial import Monomial, Plan, Powers, collect
from graphc.rewrite.positive import MOVES, base_of_power, positive_log, shares
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

Change = Callable[[Rebuilder, Monomial], "Monomial | None"]


def product_form(
    name: str, change: Change, among: tuple[Operation, ...], why: str, example: str,
    roots: tuple[Operation, ...] = (multiply, divide),
) -> Form:  # fmt: skip
    """A form that changes the monomial a product is, where one of the operations `among` makes a factor."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        whole = outer_product(builder, root)
        new = None if whole is None else change(builder, whole.monomial)
        return None if new is None else build(builder, Plan([new]))

    return Form(name, roots, apply, why, example, among=frozenset(among))


def argument(builder: Rebuilder, atom: Basic, operation: Operation) -> Basic | None:
    """x where the atom is operation(x)."""
    expr = builder.inside(atom)
    return builder.look(operands(expr)[0]) if expr is not None and operation_of(expr) is operation else None


def is_one_of(builder: Rebuilder, atom: Basic, *operations: Operation) -> bool:
    """True where one of the operations defines an atom."""
    expr = builder.inside(atom)
    return expr is not None and operation_of(expr) in operations


def multiplied(powers: Powers, *changes: tuple[Basic, int]) -> Powers:
    """Powers after multiplication by atom^exponent for each change."""
    result = dict(powers)
    for atom, e in changes:
        result[atom] = result.get(atom, 0) + e
        if not result[atom]:
            del result[atom]
    return result


def divided(powers: Powers, by: Powers) -> Powers:
    """Powers after division by others."""
    return multiplied(powers, *((atom, -e) for atom, e in by.items()))


def apart(builder: Rebuilder, m: Monomial) -> Monomial:
    """A product taken apart through everything that is one, also where others use it."""
    result = Monomial(m.coefficient, {}, m.extra)
    for atom, e in m.powers.items():
        inner = factors(builder, atom) or Monomial(powers={atom: 1})
        result.coefficient *= inner.coefficient**e
        result.powers = multiplied(result.powers, *((a, k * e) for a, k in inner.powers.items()))
    return result


# --- exponentials --------------------------------------------------------------------------------------------------


def tamed_exponentials(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """Shares of sums of exponentials are logistic functions; exponentials that meet these are, too."""
    if builder.present.isdisjoint((exp, expm1, power)):
        return None
    whole = _with_named_divisors(builder, m)
    if not _exponential(builder, whole.powers):
        return None
    new = _met(builder, shares(builder, whole))
    new = _one_exponential(builder, _balanced(builder, new))
    return new if new.powers != whole.powers else None


def _with_named_divisors(builder: Rebuilder, m: Monomial) -> Monomial:
    """s = 1/sum(p), a name of its own, as a division by sum(p); s[:, none], too."""
    if sum_ not in builder.present:
        return m
    result = m
    for atom, e in m.powers.items():
        bare = argument(builder, atom, reshape)
        inner = factors(builder, bare or atom) if e > 0 and is_one_of(builder, bare or atom, divide, power) else None
        if inner is None or len(inner.powers) != 1:
            continue
        ((total, n),) = inner.powers.items()
        if is_one_of(builder, total, sum_):
            if bare is not None:
                total = builder.apply(reshape, (total,), (builder.type_of(atom).shape,))
            powers = multiplied(result.powers, (atom, -e), (total, n * e))
            result = Monomial(result.coefficient * inner.coefficient**e, powers, m.extra)
    return result


def _exponential(builder: Rebuilder, powers: Powers) -> bool:
    """True where a factor, or a term of a denominator, is an exponential."""
    todo = [(a, e < 0) for a, e in powers.items()]
    for _ in range(16):
        if not todo:
            return False
        atom, below = todo.pop()
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if operation in (exp, expm1) or (expr is not None and base_of_power(builder, expr) is not None):
            return True
        if below and expr is not None and operation in (add, sum_, multiply, where, stack, *MOVES):
            todo += [(a, True) for a in operands(expr)]
    return False


def _met(builder: Rebuilder, m: Monomial) -> Monomial:
    """Exponentials that meet what is made of the same exponential, which may vanish where they overflow."""
    coefficient, powers = m.coefficient, dict(m.powers)
    for atom, e in m.powers.items():
        x, y = argument(builder, atom, exp), argument(builder, atom, expm1)
        if y is not None and e > 0:
            powers = _halved(builder, powers, atom, y)
        if x is None or e < 0:
            continue
        powers = _logistic(builder, powers, atom, x)
        coefficient, powers = _hyperbolic(builder, coefficient, powers, atom, x)
        below = builder.apply(expm1, (x,)) if expm1 in builder.present else atom
        both = min(powers.get(atom, 0), -powers.get(below, 0))
        if both > 0:  # exp(x)/expm1(x) = -1/expm1(-x)
            other = builder.apply(expm1, (minus(builder, x),))
            powers = multiplied(powers, (atom, -both), (below, both), (other, -both))
            coefficient *= (-1) ** both
    return Monomial(coefficient, _softmaxes(builder, powers), m.extra)


def partners(
    builder: Rebuilder, powers: Powers, operation: Operation, x: Basic
) -> Iterator[tuple[Basic, Basic, Fraction, int]]:
    """Factors operation(c*x)^n: factor, c*x, c, n."""
    for partner, n in list(powers.items()):
        y = argument(builder, partner, operation)
        c = multiple(builder, y, x) if y is not None else None
        if y is not None and c is not None:
            yield partner, y, c, n


def _halved(builder: Rebuilder, powers: Powers, atom: Basic, x: Basic) -> Powers:
    """expm1(x)*sigmoid(-x) = tanh(x/2)."""
    for partner, _, c, n in partners(builder, powers, sigmoid, x):
        both = min(powers.get(atom, 0), n)
        if c == -1 and both > 0:
            half = builder.apply(tanh, (builder.apply(multiply, (Rational(1, 2), x)),))
            powers = multiplied(powers, (atom, -both), (partner, -both), (half, both))
    return powers


def _logistic(builder: Rebuilder, powers: Powers, atom: Basic, x: Basic) -> Powers:
    """exp(x)*sigmoid(-c*x) = exp((1 - c)*x)*sigmoid(c*x), for 0 < c <= 1; exp(x)*sigmoid(-2*x) = 1/(2*cosh(x))."""
    for partner, y, c, n in partners(builder, powers, sigmoid, x):
        e = powers.get(atom, 0)
        both = min(e, n) if c == -2 else min(int(-e / c), n) if -1 <= c < 0 else 0
        if both <= 0:
            continue
        if c == -2:
            changes = [(atom, -both), ((2 * cosh(builder.value(x))).atom, -both)]
        else:
            changes = [(atom, -e), (builder.apply(sigmoid, (minus(builder, y),)), both)]
            if left := e + c * both:
                changes.append((builder.apply(exp, (times_number(builder, x, left),)), 1))
        powers = multiplied(powers, (partner, -both), *changes)
    return powers


def _hyperbolic(builder: Rebuilder, scale: Fraction, powers: Powers, atom: Basic, x: Basic) -> tuple[Fraction, Powers]:
    """exp(x)*cosh(x) = (1 + exp(2*x))/2, exp(x)*sinh(x) = expm1(2*x)/2, the same of quotients and of -x."""
    for operation in cosh, sinh:
        for partner, _, c, n in partners(builder, powers, operation, x):
            both = min(powers.get(atom, 0), abs(n))
            if abs(c) != 1 or both <= 0:
                continue
            s, twice = (1 if n > 0 else -1), 2 * builder.value(x)
            if operation is cosh:
                whole = 1 + exp(twice) if n > 0 else sigmoid(twice)
            else:
                whole = expm1(s * twice)
                scale *= (c * s) ** both
            scale *= Fraction(2) ** (-s * both)
            change = both if operation is cosh else s * both
            powers = multiplied(powers, (atom, -both), (partner, -s * both), (whole.atom, change))
    return scale, powers


def _softmaxes(builder: Rebuilder, powers: Powers) -> Powers:
    """p/sum(p) is softmax(log(p)) for a positive p, where the sum broadcasts against p along its axes; of elements, too."""
    for total, e in list(powers.items()):
        expr = builder.inside(argument(builder, total, reshape) or total) if e < 0 else None
        if expr is None or operation_of(expr) is not sum_:
            continue
        p, (axes, keepdims) = builder.look(operands(expr)[0]), statics(expr)
        keepdims = keepdims or builder.type_of(total).shape == reduced(builder.type_of(p).shape, axes, True)
        whole = axes == tuple(range(builder.type_of(p).rank))
        for atom in list(powers):
            both = min(powers.get(atom, 0), -powers.get(total, 0))
            move = _taken_from(builder, atom, p) if both > 0 and (keepdims or whole) else None
            if move is None or (atom != p and not whole) or (x := positive_log(builder, p)) is None:
                continue
            share = move(builder.apply(softmax, (x.atom,), (axes,)))
            powers = multiplied(powers, (atom, -both), (total, both), (share, both))
    return powers


def _taken_from(builder: Rebuilder, atom: Basic, p: Basic) -> Callable[[Basic], Basic] | None:
    """The same elements of another array that an atom is of p."""
    if atom == p:
        return lambda other: other
    x, y = argument(builder, atom, exp), argument(builder, p, exp)
    if x is not None and y is not None:  # exp(y[1:]) of exp(y)
        return _taken_from(builder, x, y)
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or operation not in MOVES or builder.look(operands(expr)[0]) != p:
        return None
    others, fixed = operands(expr)[1:], statics(expr)
    return lambda other: builder.apply(operation, (other, *others), fixed)


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


def distributed(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """exp(x)*(exp(-exp(x)) + ...) = exp(x - exp(x)) + ..., sinh(x)*(y/cosh(x) + ...) = tanh(x)*(y + ...)."""
    for atom, e in m.powers.items():
        x, y = argument(builder, atom, exp), argument(builder, atom, sinh)
        for total, n in m.powers.items() if e > 0 and (x is not None or y is not None) else ():
            expr = builder.inside(total) if n == 1 else None
            if expr is None or operation_of(expr) not in (add, subtract):
                continue
            found = summands(builder, total) or ()
            if x is not None:
                new, left = [_vanishing_more(builder, t, atom, x) for t in found], []
            elif y is not None:
                below = builder.apply(cosh, (y,))
                new = [_multiplied_by(t, below) if t.powers.get(below, 0) < 0 else None for t in found]
                left = [(builder.apply(tanh, (y,)), 1)]
            parts = [t for t in new if t is not None]
            if parts and len(parts) == len(new):
                powers = multiplied(m.powers, (atom, -1), (total, -1), *left)
                return Monomial(m.coefficient, powers, [*m.extra, Plan(parts)])
    return None


def _multiplied_by(m: Monomial, *atoms: Basic) -> Monomial:
    return Monomial(m.coefficient, multiplied(m.powers, *((a, 1) for a in atoms)))


def _vanishing_more(builder: Rebuilder, m: Monomial, atom: Basic, x: Basic) -> Monomial | None:
    """A term times exp(x), where it has a factor exp(y) and y a term -c*exp(x)."""
    for factor, e in m.powers.items():
        y = argument(builder, factor, exp) if e == 1 else None
        inner = summands(builder, y) if y is not None else None
        if inner is not None and any(t.coefficient < 0 and t.powers.get(atom, 0) > 0 for t in inner):
            whole = summed(builder, collect([*inner, *(summands(builder, x) or ())]))
            return Monomial(m.coefficient, multiplied(m.powers, (factor, -1), (builder.apply(exp, (whole,)), 1)))
    return None


# --- one function for several --------------------------------------------------------------------------------------


def double_angles(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sin(x)*cos(x) = sin(2*x)/2, where that saves a function."""
    for atom, e in m.powers.items():
        x = argument(builder, atom, sin)
        other = builder.apply(cos, (x,)) if x is not None and e > 0 else atom
        both = min(e, m.powers.get(other, 0)) if other != atom else 0
        if x is not None and both > 0 and (builder.lonely(atom) or builder.lonely(other)):
            twice = builder.apply(sin, (times_number(builder, x, Fraction(2)),))
            powers = multiplied(m.powers, (atom, -both), (other, -both), (twice, both))
            return Monomial(m.coefficient / 2**both, powers, m.extra)
    return None


def times_number(builder: Rebuilder, x: Basic, c: Fraction) -> Basic:
    """c*x, its coefficients as one."""
    inner = factors(builder, x) or Monomial(powers={x: 1})
    return summed(builder, [Monomial(c * inner.coefficient, inner.powers)])


def powers_of_one_base(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x*x^(n - 1) = x^n, where terms of the exponent cancel; x^2.5/x = x^1.5, which is 0 at 0."""
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
        if len(new) < len(old) or (count < 0 and not new[0].powers and new[0].coefficient > 0):
            whole = builder.apply(power, (base, summed(builder, new)))
            return Monomial(m.coefficient, multiplied(m.powers, (atom, -e), (base, -count), (whole, 1)), m.extra)
    return None


def roots(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """sqrt(x)^2 = x, x/sqrt(x) = sqrt(x), |x|^2 = x^2, x/|x| = sign(x), sign(x)/|x| = 1/x, x*sign(x) = |x| where that is there."""
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
        if x is not None and length != atom and e == 1 and powers.get(x, 0) > 0:
            powers, e = multiplied(powers, (atom, -1), (x, -1), (length, 1)), 0
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


def lengths(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """A length times its direction, norm(x)*where(norm(x) == 0, 0, x/norm(x)), is the vector; norm(x)^2 = sum(x^2)."""
    for atom, e in m.powers.items():
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if operation is where and e == 1:
            for length in [a for a, n in m.powers.items() if n > 0]:
                if (inner := unguarded(builder, atom, length)) is not None:
                    powers = multiplied(m.powers, (atom, -1), *inner.powers.items())
                    return Monomial(m.coefficient * inner.coefficient, powers, m.extra)
        elif expr is not None and operation is norm and e > 0 and e % 2 == 0:
            square = sum_(builder.value(operands(expr)[0]) ** 2, *statics(expr))
            return Monomial(m.coefficient, multiplied(m.powers, (atom, -e), (square.atom, e // 2)), m.extra)
    return None


def unguarded(builder: Rebuilder, atom: Basic, length: Basic) -> Monomial | None:
    """x/h of where(h == 0, 0, x/h)."""
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) is not where:
        return None
    condition, first, second = map(builder.look, operands(expr))
    inner = factors(builder, second) if first == 0 and vanishing(builder, condition) == length else None
    return inner if inner is not None and inner.powers.get(length) == -1 else None


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


DISTRIBUTED = product_form(
    "what overflows times a sum of what vanishes", distributed, (exp, sinh), "inf*0 for x >> 0",
    "exp(x)*(exp(-exp(x)) + exp(x - exp(x)))",
)  # fmt: skip
EXPONENTIAL = product_form(
    "exponentials in a product", tamed_exponentials, (exp, expm1, add, sum_, multiply, divide, power, reshape),
    "inf*0 or inf/inf where one factor overflows", "y*exp(-x)/(1 + exp(-x))^2",
)  # fmt: skip
DOUBLE = product_form(
    "sine times cosine", double_angles, (sin,), "one function instead of two", "y*sin(x)*cos(x)",
)  # fmt: skip
BASE = product_form(
    "powers of one base", powers_of_one_base, (power,), "one power, and none of a negative exponent",
    "x*y*x^(z - 1)",
)  # fmt: skip
LENGTH = product_form(
    "length times direction", lengths, (norm, where), "no guard where nothing is divided",
    "input x[n]; norm(x)*where(norm(x) == 0, 0, x/norm(x))", (multiply, divide, power),
)  # fmt: skip
ROOT = product_form(
    "root over its argument", roots, (sqrt, absolute, sign), "0/0 at 0, where there is a limit",
    "sqrt(x)^2*y", (multiply, divide, power),
)  # fmt: skip
