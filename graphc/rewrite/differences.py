"""Differences of a function at two near places: sqrt(x + 1) - sqrt(x), log(x + 1) - log(x), (x + 1)^a - x^a.

In: a difference in a builder.  Out: the formula that starts from the difference of the places, or None.
Always holds: the places' common terms cancel exactly, before anything is rounded (Hamming 1986, chapter 2).
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Basic, Integer, Number, Rational, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, Value, operation_of
from graphc.ops.elementwise import (
    absolute,
    add,
    atan,
    atan2,
    atanh,
    cbrt,
    cos,
    divide,
    expm1,
    hypot,
    less,
    log,
    log1p,
    power,
    sin,
    sqrt,
    subtract,
    tan,
    where,
)  # fmt: skip
from graphc.rewrite.arrange import consumed_by
from graphc.rewrite.build import applied, build
from graphc.rewrite.compare import are_opposite, factors, gap, summands
from graphc.rewrite.polynomial import Monomial, Plan, collect
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

HALF = Integer(1) / Integer(2)
Formula = Callable[[Value, Value, Value], Value]  # f(x) - f(y) of x, y and d = x - y

_FORMULAS: dict[Operation, Formula] = {
    sqrt: lambda x, y, d: d / (sqrt(x) + sqrt(y)),
    cbrt: lambda x, y, d: d / (cbrt(x) ** 2 + cbrt(x) * cbrt(y) + cbrt(y) ** 2),
    log: lambda x, y, d: log1p(d / y),
    sin: lambda x, y, d: 2 * sin(HALF * d) * cos(y + HALF * d),
    cos: lambda x, y, d: -2 * sin(HALF * d) * sin(y + HALF * d),
    tan: lambda x, y, d: sin(d) / (cos(x) * cos(y)),
    atan: lambda x, y, d: atan2(d, 1 + x * y),
}


def near_difference(builder: Rebuilder, root: Root) -> Made | None:
    """f(x) - f(y) from x - y."""
    a, b = root.operands
    return _cancelled(builder, a, b) or (None if _late(builder, a, b) else _from_gap(builder, a, b))


def late_difference(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(1 + x) - 1 from x, (x + 1)^a - x^a from 1: what loses digits, or grows long, where it is differentiated."""
    a, b = root.operands
    return _from_gap(builder, a, b) if _late(builder, a, b) else None


def _late(builder: Rebuilder, a: Basic, b: Basic) -> bool:
    expr = builder.inside(a)
    is_power = expr is not None and operation_of(expr) is power
    return is_power or any(_square(builder.look(atom)) is not None for atom in (a, b))


def _cancelled(builder: Rebuilder, a: Basic, b: Basic) -> Made | None:
    """(x + c) - c, also where others use the sum: x alone is left."""
    left = gap(builder, a, b)
    if left is None or len(left) != 1 or left[0].coefficient != 1 or [*left[0].powers.values()] != [1]:
        return None
    (atom,) = left[0].powers
    return atom if builder.type_of(atom) == builder.type_of(a) else None


def _from_gap(builder: Rebuilder, a: Basic, b: Basic) -> Made | None:
    places = _places(builder, a, b)
    if places is None:
        return None
    operation, x, y, exponent = places
    if operation is log and (u := _mirrored(builder, a, b)) is not None:
        return (2 * atanh(u)).atom
    left = gap(builder, x, y)
    inner = None if left is None else build(builder, Plan(left))
    if left is None and operation is divide:  # 1/sqrt(x) - 1/sqrt(y)
        inner = _from_gap(builder, x, y)
    if inner is None:
        return None
    d = builder.value(applied(builder, inner))
    if operation is divide:  # 1/x - 1/y
        return (-d / (builder.value(x) * builder.value(y))).atom
    if d.shape != builder.type_of(x).shape and d.shape:
        return None
    if exponent is not None:
        return _of_powers(builder.value(x), builder.value(y), left, exponent)
    return _FORMULAS[operation](builder.value(x), builder.value(y), d).atom


def _of_powers(x: Value, y: Value, left: list[Monomial] | None, a: Number) -> Basic | None:
    """x^a - y^a = x^a*(1 - exp(a*log(y/x))) of x > y, whose difference is a number; from the larger of the two."""
    if left is None or len(left) != 1 or left[0].powers:
        return None
    d, positive = left[0].coefficient, left[0].coefficient > 0
    if not positive:
        x, y = y, x
    step = Rational(-abs(d.numerator), d.denominator)
    logarithm = where(less(2 * y, x), log(y / x), log1p(step / x))
    difference = x**a * expm1(a * logarithm)
    return (-difference if positive else difference).atom


def conjugate(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(y^2 + z) + y as z/(sqrt(y^2 + z) - y) where y < 0; the like for a difference, and for hypot."""
    if builder.learns or consumed_by(builder, where):
        return None
    a, b = root.operands
    for s, y, first in ((a, b, True), (b, a, False)):
        left = None if isinstance(builder.look(y), Number) else _beyond(builder, s, y)
        if left is None or builder.type_of(s) != builder.type_of(y):
            continue
        length, value = builder.value(s), builder.value(y)
        opposed = less(0, value) if root.operation is subtract else less(value, 0)
        quotient = builder.value(applied(builder, build(builder, Plan(left)))) / (length + absolute(value))
        if not first and root.operation is subtract:
            quotient = -quotient
        return where(opposed, quotient, builder.value(builder.apply(root.operation, root.operands))).atom
    return None


def _beyond(builder: Rebuilder, root: Basic, y: Basic) -> list[Monomial] | None:
    """z where `root` is sqrt(y^2 + z) or hypot(y, sqrt(z))."""
    expr = builder.inside(root)
    operation = None if expr is None else operation_of(expr)
    if expr is None or operation not in (sqrt, hypot):
        return None
    if operation is sqrt:
        inside = summands(builder, operands(expr)[0])
    else:
        inside = [*filter(None, (_squared(builder, a) for a in operands(expr)))]
    square = _squared(builder, y)
    if inside is None or square is None or len(inside) < 2:
        return None
    left = collect([*inside, Monomial(-square.coefficient, square.powers)])
    return left if len(left) < len(inside) else None


def _squared(builder: Rebuilder, atom: Basic) -> Monomial | None:
    m = factors(builder, atom)
    return None if m is None else Monomial(m.coefficient**2, {a: 2 * e for a, e in m.powers.items()})


def _mirrored(builder: Rebuilder, a: Basic, b: Basic) -> Value | None:
    """u of log(1 + u) - log(1 - u), which is 2*atanh(u)."""
    f, g = builder.inside(a), builder.inside(b)
    if f is None or g is None or operation_of(f) is not log1p or operation_of(g) is not log1p:
        return None
    (u,), (v,) = operands(f), operands(g)
    return builder.value(u) if are_opposite(builder, u, v) else None


def _places(builder: Rebuilder, a: Basic, b: Basic) -> tuple[Operation, Basic, Basic, Number | None] | None:
    """The function that both operands are, and where, with an exponent; sqrt(x) - 1 is sqrt(x) - sqrt(1)."""
    f, g = builder.inside(a), builder.inside(b)
    if f is not None and g is not None and {operation_of(f), operation_of(g)} <= {log, log1p}:
        x, y = (_logarithmand(builder, e) for e in (f, g))
        return log, x, y, None
    operation = operation_of(f) if f is not None else operation_of(g) if g is not None else None
    if operation is sqrt and (f is None or g is None):
        places = [_square(builder.look(s)) if e is None else operands(e)[0] for s, e in ((a, f), (b, g))]
        return (sqrt, places[0], places[1], None) if None not in places else None
    if f is None or g is None or operation is None or operation_of(g) is not operation:
        return None
    (x, *exponent), (y, *other) = operands(f), operands(g)
    if operation is divide:
        return (divide, *exponent, *other, None) if builder.look(x) == 1 == builder.look(y) else None
    if operation is power:
        n = builder.look(exponent[0])
        return (power, x, y, n) if n == builder.look(other[0]) and n.is_Rational and not n.is_Integer else None
    return (operation, x, y, None) if operation in _FORMULAS else None


def _logarithmand(builder: Rebuilder, expr: Basic) -> Basic:
    """x of log(x), 1 + x of log1p(x)."""
    (x,) = operands(expr)
    return x if operation_of(expr) is log else builder.apply(add, (Integer(1), x))


def _square(atom: Basic) -> Basic | None:
    return atom**2 if not isinstance(atom, Symbol) and atom.is_Rational and atom > 0 else None


DIFFERENCE = Form(
    "difference of near values", (subtract,), near_difference, "the difference of nearly equal numbers",
    "sqrt(x + 1) - sqrt(x)",
)  # fmt: skip
LATE = Form(
    "difference of near powers", (subtract,), late_difference, "the difference of nearly equal numbers",
    "sqrt(1 + x) - 1",
)  # fmt: skip
CONJUGATE = Form(
    "root and what it nearly is", (add, subtract), conjugate, "the difference of nearly equal numbers",
    "sqrt(y^2 + z) - y",
)  # fmt: skip
