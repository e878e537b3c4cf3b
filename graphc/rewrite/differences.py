"""Differences of a function at two near places: sqrt(x + 1) - sqrt(x), log(x + 1) - log(x), sin(x + d) - sin(x).

In: a difference in a builder.  Out: the formula that starts from the difference of the places, or None.
Always holds: the places' common terms cancel exactly, before anything is rounded (Hamming 1986, chapter 2).
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Basic, Integer, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, Value, operation_of
from graphc.ops.elementwise import add, atan, atan2, atanh, cbrt, cos, divide, log, log1p, sin, sqrt, subtract, tan
from graphc.rewrite.arrange import applied, build
from graphc.rewrite.compare import are_opposite, gap
from graphc.rewrite.polynomial import Plan
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
    return None if any(_square(builder.look(a)) for a in root.operands) else _from_gap(builder, root)


def root_less_number(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(1 + x) - 1 from x."""
    return _from_gap(builder, root) if any(_square(builder.look(a)) for a in root.operands) else None


def _from_gap(builder: Rebuilder, root: Root) -> Made | None:
    a, b = root.operands
    places = _places(builder, a, b)
    if places is None:
        return None
    operation, x, y = places
    if operation is log and (u := _mirrored(builder, a, b)) is not None:
        return (2 * atanh(u)).atom
    left = gap(builder, x, y)
    if left is None:
        return None
    d = builder.value(applied(builder, build(builder, Plan(left))))
    if operation is divide:  # 1/x - 1/y
        return (-d / (builder.value(x) * builder.value(y))).atom
    if d.shape != builder.type_of(x).shape and d.shape:
        return None
    return _FORMULAS[operation](builder.value(x), builder.value(y), d).atom


def _mirrored(builder: Rebuilder, a: Basic, b: Basic) -> Value | None:
    """u of log(1 + u) - log(1 - u), which is 2*atanh(u)."""
    f, g = builder.inside(a), builder.inside(b)
    if f is None or g is None or operation_of(f) is not log1p or operation_of(g) is not log1p:
        return None
    (u,), (v,) = operands(f), operands(g)
    return builder.value(u) if are_opposite(builder, u, v) else None


def _places(builder: Rebuilder, a: Basic, b: Basic) -> tuple[Operation, Basic, Basic] | None:
    """The function that both operands are, and where; sqrt(x) - 1 is sqrt(x) - sqrt(1)."""
    f, g = builder.inside(a), builder.inside(b)
    if f is not None and g is not None and {operation_of(f), operation_of(g)} <= {log, log1p}:
        x, y = (_logarithmand(builder, e) for e in (f, g))
        return log, x, y
    operation = operation_of(f) if f is not None else operation_of(g) if g is not None else None
    if operation is sqrt and (f is None or g is None):
        places = [_square(builder.look(s)) if e is None else operands(e)[0] for s, e in ((a, f), (b, g))]
        return (sqrt, places[0], places[1]) if None not in places else None
    if f is None or g is None or operation is None or operation_of(g) is not operation:
        return None
    if operation is divide and all(builder.look(operands(e)[0]) == 1 for e in (f, g)):
        return divide, operands(f)[1], operands(g)[1]
    return (operation, operands(f)[0], operands(g)[0]) if operation in _FORMULAS else None


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
NUMBER = Form(
    "root less a number", (subtract,), root_less_number, "the difference of nearly equal numbers", "sqrt(1 + x) - 1",
)  # fmt: skip
