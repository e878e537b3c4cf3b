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
    exp,
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
from graphc.rewrite.build import applied, build, summed
from graphc.rewrite.compare import are_opposite, factors, gap, multiple, summands
from graphc.rewrite.hypotenuses import legs, ratio, squared
from graphc.rewrite.polynomial import Monomial, Plan, collect
from graphc.rewrite.products import divided, is_one_of, times_number
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

HALF = Integer(1) / Integer(2)
LONGEST = 8  # geometric sum that is shorter than an exponential and a logarithm
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
    """True for powers, numbers, and hypotenuses whose legs differ by more than a number."""
    expr = builder.inside(a)
    if expr is not None and operation_of(expr) in (power, exp):
        return True
    different = {*legs(builder, a)} ^ {*legs(builder, b)}
    return any(isinstance(x, Symbol) for x in different) or any(
        _square(builder.look(atom)) is not None for atom in (a, b)
    )


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
        return _of_hypotenuses(builder, a, b)
    operation, x, y, exponent = places
    if operation is log and (u := _mirrored(builder, a, b)) is not None:
        return (2 * atanh(u)).atom
    if operation is exp:
        return _of_exponentials(builder, x, y)
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
    if operation is sqrt and left is not None:
        return _divided(builder, left, sqrt(builder.value(x)) + sqrt(builder.value(y))).atom
    if exponent is not None:
        return _of_powers(builder.value(x), builder.value(y), left, exponent)
    return _FORMULAS[operation](builder.value(x), builder.value(y), d).atom


def _of_exponentials(builder: Rebuilder, x: Basic, y: Basic) -> Made | None:
    """exp(c*x) - exp(x) = exp(x)*expm1((c - 1)*x) for a number c > 1, from the exponent nearer to 0: no 0*inf."""
    c = multiple(builder, x, y)
    if c is None or c <= 0 or c == 1:
        return None
    near, ratio, sign = (y, c, 1) if c > 1 else (x, 1 / c, -1)
    left = times_number(builder, near, ratio - 1)
    return (sign * exp(builder.value(near)) * expm1(builder.value(left))).atom


def _of_hypotenuses(builder: Rebuilder, a: Basic, b: Basic) -> Basic | None:
    """hypot(x, z) - hypot(y, z) = (x - y)*((x + y)/(hypot(x, z) + hypot(y, z))), the like of all legs."""
    mine, others = legs(builder, a), legs(builder, b)
    pairs = [*zip([x for x in mine if x not in others], [y for y in others if y not in mine], strict=False)]
    if not pairs or len(mine) != len(others) or len({*mine} & {*others}) + len(pairs) != len(mine):
        return None
    both, total = builder.value(a) + builder.value(b), None
    for x, y in pairs:
        known = isinstance(x, Number) and isinstance(y, Number)
        left = None if known else gap(builder, x, y)
        if left is None and not known:
            return None
        d = builder.value(x - y if left is None else summed(builder, left))
        part = d * ((builder.value(x) + builder.value(y)) / both)
        total = part if total is None else total + part
    return None if total is None else total.atom


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
        quotient = _over_sum(builder, s, y)
        if quotient is None:
            continue
        value = builder.value(y)
        if not first and root.operation is subtract:
            quotient = -quotient
        if isinstance(value.atom, Number):
            return quotient.atom if value.atom.is_positive and root.operation is subtract else None
        opposed = less(0, value) if root.operation is subtract else less(value, 0)
        return where(opposed, quotient, builder.value(builder.apply(root.operation, root.operands))).atom
    return None


def _over_sum(builder: Rebuilder, s: Basic, y: Basic) -> Value | None:
    """z/(s + |y|), which is s - |y|, where s is sqrt(y^2 + z) or hypot(y, sqrt(z))."""
    left = _beyond(builder, s, y)
    if left is None or builder.type_of(s).shape != builder.type_of(y).shape:
        return None
    return _divided(builder, left, builder.value(s) + absolute(builder.value(y)))


def _divided(builder: Rebuilder, left: list[Monomial], both: Value) -> Value:
    """A sum over a number; of a square as x*(x/both), which does not overflow before its root does."""
    if len(left) == 1 and left[0].coefficient == 1 and all(e % 2 == 0 for e in left[0].powers.values()):
        half = Monomial(powers={a: e // 2 for a, e in left[0].powers.items()})
        root = builder.value(summed(builder, [half]))
        return root * (root / both)  # type: ignore[no-any-return]
    return builder.value(summed(builder, left)) / both  # type: ignore[no-any-return]


# --- two products, one nearly the other ----------------------------------------------------------------------------


def nearly_one(builder: Rebuilder, root: Root) -> Made | None:
    """c - c*x/y = c*(y - x)/y and c*x^n - c, where terms of y - x cancel, or x is nearly 1; c + c*x/y where x may be -y."""
    if builder.learns or consumed_by(builder, where):
        return None
    a, b = root.operands
    if root.operation is add:
        made = _nearly_one(builder, a, b, -1)
        return None if made is None else made.atom
    for k, atom in enumerate((a, b)):  # where(h == 0, 0, x/h) - 1
        expr = builder.inside(atom)
        if expr is not None and operation_of(expr) is where and builder.look(operands(expr)[1]) == 0:
            condition, zero, inner = operands(expr)
            made = _nearly_one(builder, *((inner, b) if k == 0 else (a, inner)))
            if made is None:
                return None
            plain = builder.apply(subtract, (zero, b) if k == 0 else (a, zero))
            return where(builder.value(condition), builder.value(plain), made).atom
    made = _nearly_one(builder, a, b)
    return None if made is None else made.atom


def _nearly_one(builder: Rebuilder, a: Basic, b: Basic, s: int = 1) -> Value | None:
    """a - b, or (s = -1) a + b."""
    one, other = factors(builder, a), factors(builder, b)
    if one is None or other is None or not one.coefficient or not other.coefficient:
        return None
    if len({builder.type_of(atom).shape for atom in (*one.powers, *other.powers)}) > 1:
        return None
    for first, second, sign in ((one, other, 1), (other, one, -s)):
        share = ratio(second, first)
        above, below = ({f: abs(e) for f, e in share.powers.items() if e * k > 0} for k in (1, -1))
        if share.coefficient != 1 or not (below or len(above) == 1):
            continue
        x, y = (summed(builder, [Monomial(powers=p)]) for p in (above, below))
        x, y = (Integer(1) if not p else atom for p, atom in ((above, x), (below, y)))
        left = _accurate(builder, y, x) if s > 0 else _opposed(builder, y, x)
        if left is not None:
            scale = Monomial(sign * first.coefficient, divided(first.powers, below))
            return builder.value(summed(builder, [scale])) * left  # type: ignore[no-any-return]
    return None


def _accurate(builder: Rebuilder, a: Basic, b: Basic) -> Value | None:
    """a - b, where that is more than the difference of two rounded numbers."""
    left = gap(builder, a, b)
    if left is not None:
        return builder.value(summed(builder, left))
    made = _from_gap(builder, a, b)
    if made is not None:
        return builder.value(applied(builder, made))
    for s, y, sign in ((a, b, 1), (b, a, -1)):
        found = _less_one(builder, s) if y == 1 else None
        if found is None and (quotient := _over_sum(builder, s, y)) is not None:
            value = builder.value(y)
            plain = builder.value(s) - value
            found = quotient if isinstance(y, Number) and y.is_positive else where(less(0, value), quotient, plain)
        if found is not None:
            return found if sign > 0 else -found
    return None


def _opposed(builder: Rebuilder, y: Basic, x: Basic) -> Value | None:
    """y + x, where terms cancel; sqrt(x^2 + z) + x, which is z/(sqrt(x^2 + z) - x) where x < 0."""
    both = [summands(builder, y), summands(builder, x)]
    terms = [m for found in both for m in found or ()]
    left = collect(terms) if None not in both else []
    if left and len(left) <= len(terms) - 2:
        return builder.value(summed(builder, left))
    quotient = None if isinstance(x, Number) else _over_sum(builder, y, x)
    value = builder.value(x)
    return None if quotient is None else where(less(value, 0), quotient, builder.value(y) + value)


def _less_one(builder: Rebuilder, atom: Basic) -> Value | None:
    """x^n - 1: u*(1 + x + x^2 ...) of x = 1 + u, expm1(n*log(x)) near 1 where n is no small whole number."""
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) is not power:
        return None
    x, n = map(builder.look, operands(expr))
    terms = gap(builder, x, Integer(1))
    if not isinstance(n, Symbol) and (terms is None or n.is_negative):
        return None
    u = None if terms is None else builder.value(summed(builder, terms))
    base = builder.value(x)
    if u is not None and not isinstance(n, Symbol) and n.is_Integer and n <= LONGEST:
        total = 1 + base
        for _ in range(int(n) - 2):
            total = 1 + base * total
        return u * total  # type: ignore[no-any-return]
    exponent = builder.value(n) * (log(base) if u is None else log1p(u))
    return where(less(absolute(exponent), 1), expm1(exponent), builder.value(atom) - 1)  # type: ignore[no-any-return]


def compound(builder: Rebuilder, root: Root) -> Made | None:
    """(1 + u)^n as exp(n*log1p(u)) near u = 0: n may be as large as u is small."""
    x, n = map(builder.look, root.operands)
    terms = gap(builder, x, Integer(1)) if isinstance(n, Symbol) and not builder.learns else None
    if terms is None or consumed_by(builder, where):
        return None
    u = builder.value(summed(builder, terms))
    near = exp(builder.value(n) * log1p(u))
    return where(less(absolute(u), HALF), near, builder.value(builder.apply(power, root.operands))).atom


def _beyond(builder: Rebuilder, root: Basic, y: Basic) -> list[Monomial] | None:
    """z where `root` is sqrt(y^2 + z) or hypot(y, sqrt(z))."""
    expr = builder.inside(root)
    operation = None if expr is None else operation_of(expr)
    if expr is None or operation not in (sqrt, hypot):
        return None
    if operation is sqrt:
        inside = summands(builder, operands(expr)[0])
    else:
        inside = [*filter(None, (squared(builder, a) for a in operands(expr)))]
    square = squared(builder, y)
    if inside is None or square is None or len(inside) < 2:
        return None
    left = collect([*inside, Monomial(-square.coefficient, square.powers)])
    return left if len(left) < len(inside) else None


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
    return (operation, x, y, None) if operation in (exp, *_FORMULAS) else None


def _logarithmand(builder: Rebuilder, expr: Basic) -> Basic:
    """x of log(x), 1 + x of log1p(x)."""
    (x,) = operands(expr)
    return x if operation_of(expr) is log else builder.apply(add, (Integer(1), x))


def _square(atom: Basic) -> Basic | None:
    return atom**2 if not isinstance(atom, Symbol) and atom.is_Rational and atom > 0 else None


def log_of_quotient(builder: Rebuilder, root: Root) -> Made | None:
    """log((x + y)/x) = log1p(y/x), log(x/(x + y)) = -log1p(y/x)."""
    atom = builder.look(root.operands[0])
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) is not divide:
        return None
    a, b = operands(expr)
    for whole, part, sign in ((a, b, 1), (b, a, -1)):
        left = None if is_one_of(builder, part, add, subtract) else gap(builder, whole, part)
        if left is not None:
            logarithm = log1p(builder.value(summed(builder, left)) / builder.value(part))
            return (logarithm if sign > 0 else -logarithm).atom
    return None


OF_QUOTIENT = Form(
    "log of a quotient near 1", (log,), log_of_quotient, "the quotient rounds to 1 where x is large", "log((x + y)/x)", frozenset((divide,)),
)  # fmt: skip
DIFFERENCE = Form(
    "difference of near values", (subtract,), near_difference, "the difference of nearly equal numbers",
    "sqrt(x + 1) - sqrt(x)",
)  # fmt: skip
LATE = Form(
    "difference of near powers", (subtract,), late_difference, "the difference of nearly equal numbers",
    "sqrt(1 + x) - 1",
)  # fmt: skip
NEARLY_ONE = Form(
    "quotient or power that is nearly one", (subtract, add), nearly_one, "the difference of nearly equal numbers",
    "1 - 1/(1 + x)",
)  # fmt: skip
COMPOUND = Form(
    "compound growth of a small rate", (power,), compound, "1 + u is rounded, and n may be large", "(1 + x)^n",
)  # fmt: skip
CONJUGATE = Form(
    "root and what it nearly is", (add, subtract), conjugate, "the difference of nearly equal numbers",
    "sqrt(y^2 + z) - y",
)  # fmt: skip
