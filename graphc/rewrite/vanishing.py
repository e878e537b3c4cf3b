"""Products that are 0*inf or 0/0 in floating point only: gamma functions, exponentials of -1/x^2, identity matrices.

In: a product or a difference in a builder.  Out: what takes its place, or None.
Always holds: both sides are equal wherever the left one is finite; places of gamma functions differ by a whole number.
"""

from __future__ import annotations

from fractions import Fraction

from sympy import Basic, Integer, S

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, Value, operation_of
from graphc.ops.elementwise import (
    absolute,
    atan,
    cos,
    cosh,
    divide,
    equal,
    exp,
    hypot,
    log,
    log1p,
    multiply,
    multiply_no_nan,
    power,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    subtract,
    tanh,
    where,
    xlogy,
)  # fmt: skip
from graphc.ops.error_function import erf
from graphc.ops.indexing import diagonal_matrix, eye
from graphc.ops.special import digamma, gamma, loggamma
from graphc.rewrite.arrange import consumed_by, is_chosen, is_inner
from graphc.rewrite.build import build, summed
from graphc.rewrite.compare import factors, multiple, summands
from graphc.rewrite.logarithms import LOGARITHMS
from graphc.rewrite.polynomial import ARITHMETIC, Monomial, Plan, collect, whole_product
from graphc.rewrite.positive import MOVES
from graphc.rewrite.products import argument, is_one_of, multiplied, product_form
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

FARTHEST = 8  # between gamma functions of which one becomes a product
BEYOND = 2**20
GROWN = 4  # sums and functions within each other that are looked through
_BOUNDED = (sigmoid, tanh, sin, cos, erf, atan, sign)
_SLOW = (absolute, sqrt, log, log1p, xlogy, multiply_no_nan, hypot, where)  # grow as their operands, or less
NESTED = 4  # slices, transposes and reshapes of one another that are looked through


def gamma_quotients(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """gamma(x + n)/gamma(x) = x*(x + 1)*...*(x + n - 1) (Abramowitz and Stegun 1964, 6.1.16)."""
    places = [(a, e, x) for a, e in m.powers.items() if (x := argument(builder, a, gamma)) is not None]
    for above, e, x in places:
        for below, f, y in places:
            n = _distance(builder, x, y) if e > 0 > f else None
            if n is None or not n:
                continue
            both, (low, s) = min(e, -f), (y, 1) if n > 0 else (x, -1)
            steps = [(_moved(builder, low, k), s * both) for k in range(abs(n))]
            return Monomial(m.coefficient, multiplied(m.powers, (above, -both), (below, both), *steps), m.extra)
    return None


def gamma_differences(builder: Rebuilder, root: Root) -> Made | None:
    """loggamma(x + n) - loggamma(x) = log|x*(x + 1)*...|, digamma(x + 1) - digamma(x) = 1/x (the same, 6.3.5)."""
    for operation in (loggamma, digamma):
        x, y = (argument(builder, a, operation) for a in root.operands)
        n = _distance(builder, x, y) if x is not None and y is not None else None
        if n is None or not n or x is None or y is None:
            continue
        low = y if n > 0 else x
        total = _total(builder, operation, [_moved(builder, low, k) for k in range(abs(n))])
        return (total if n > 0 else -total).atom
    return None


def _total(builder: Rebuilder, operation: Operation, places: list[Basic]) -> Value:
    values = [builder.value(a) for a in places]
    result = values[0] if operation is loggamma else 1 / values[0]
    for v in values[1:]:
        result = result * v if operation is loggamma else result + 1 / v
    return log(absolute(result)) if operation is loggamma else result


def _distance(builder: Rebuilder, a: Basic, b: Basic) -> int | None:
    """a - b, where that is a whole number near 0."""
    x, y = summands(builder, a), summands(builder, b, -1)
    left = None if x is None or y is None else collect([*x, *y])
    if left is None or len(left) > 1 or any(m.powers for m in left):
        return None
    n = left[0].coefficient if left else Fraction(0)
    return int(n) if n.denominator == 1 and abs(n) <= FARTHEST else None


def _moved(builder: Rebuilder, atom: Basic, n: int) -> Basic:
    return (builder.value(atom) + n).atom if n else atom


def vanishing_exponential(builder: Rebuilder, root: Root) -> Made | None:
    """exp(-c/x^2)/x^n is 0 at 0: the exponential is 0 before x^n is; exp(x)*exp(-exp(x)) where exp(x) overflows."""
    if is_inner(builder, (multiply, divide)) or consumed_by(builder, where):
        return None
    whole = whole_product(builder, root)
    if whole is None or exp not in whole.made_by:
        return None
    powers = whole.monomial.powers
    for atom, e in powers.items():
        u = argument(builder, atom, exp) if e > 0 else None
        inner = factors(builder, u) if u is not None else None
        if inner is None or inner.coefficient > 0 or len(inner.powers) != 1:
            continue
        ((x, n),) = inner.powers.items()
        pole = n < 0 and n % 2 == 0 and any(_diverges(builder, a, k, x) for a, k in powers.items())
        if pole or (n > 0 and powers.get(x, 0) > 0 and argument(builder, x, exp) is not None):
            if builder.current is not None and is_chosen(builder, builder.current, atom):
                return None
            made = build(builder, Plan([whole.monomial]))
            quotient = builder.apply(made.operation, made.operands) if isinstance(made, Root) else made
            return Root(where, (equal(builder.value(atom), 0).atom, Integer(0), quotient))
    return None


def before_overflow(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """y^x*log(y)/cosh(y^x)^2 is 0 where cosh overflows, before y^x does; x^4*exp(-x^2), where the exponential is 0."""
    if builder.learns or consumed_by(builder, where):
        return None
    for atom, e in m.powers.items():
        large = _large(builder, atom, e)
        growth = [(n, _growth(builder, a, large, GROWN)) for a, n in m.powers.items() if a != atom] if large else []
        known = [max(n, 0) * d for n, d in growth if d is not None]
        if len(known) == len(growth) and sum(known) > 1:
            end = 0 if e > 0 else S.Infinity
            whole = where(equal(builder.value(atom), end), 0, builder.value(summed(builder, [m])))
            return Monomial(powers={whole.atom: 1})
    return None


def _large(builder: Rebuilder, atom: Basic, e: int) -> set[Basic]:
    """What is large where exp(u), sigmoid(u) or 1/cosh(u) vanishes: y^x of exp(-y^x), x of exp(1 - x^2)."""
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or (operation is not cosh if e < 0 else operation not in (exp, sigmoid)):
        return set()
    terms = summands(builder, operands(expr)[0]) or []
    powers = [(a, n, t.coefficient > 0) for t in terms for a, n in t.powers.items()]
    found = {
        a for a, n, up in powers if n > 0 and (e < 0 or not up) and (n % 2 == 0 or e < 0 or _overflows(builder, a))
    }
    return found - {a for a, _, up in powers if e > 0 and up and _overflows(builder, a)}


def _overflows(builder: Rebuilder, atom: Basic) -> bool:
    return is_one_of(builder, atom, exp, sinh, cosh, power)


def _growth(builder: Rebuilder, atom: Basic, large: set[Basic], depth: int) -> int | None:
    """The power of what is large that an atom grows as, `BEYOND` all of exp(x) itself; None where that is not known."""
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if atom in large or expr is None:
        return (BEYOND if _overflows(builder, atom) else 1) if atom in large else 0
    if operation in (exp, sinh, cosh, power):
        return BEYOND if any(_is_alike(builder, atom, a) for a in large) else None
    if operation in _BOUNDED or depth == 0:
        return 0 if depth else None
    if operation not in (*ARITHMETIC, *_SLOW):
        return None
    if operation not in ARITHMETIC:
        terms = [Monomial(powers={builder.look(a): 1}) for a in operands(expr)[operation is where :]]
    else:
        terms = summands(builder, atom) or [Monomial(powers={})]
    if any(atom in t.powers for t in terms):
        return None
    found = 0
    for t in terms:
        growth = [(e, _growth(builder, a, large, depth - 1)) for a, e in t.powers.items()]
        if any(d is None for _, d in growth):
            return None
        found = max(found, sum(max(e, 0) * d for e, d in growth if d is not None))
    return found


def _is_alike(builder: Rebuilder, a: Basic, b: Basic) -> bool:
    """True for cosh(x) and sinh(x), y^(x - 1) and y^x."""
    one, other = builder.inside(a), builder.inside(b)
    if one is None or other is None or not _overflows(builder, b):
        return False
    if (operation_of(one) is power) != (operation_of(other) is power):
        return False
    x, y = (builder.look(operands(e)[0]) for e in (one, other))
    return x == y if operation_of(one) is power else multiple(builder, x, y) is not None


def identity_times(builder: Rebuilder, root: Root) -> Made | None:
    """eye(n)*v is 0 off its diagonal, also where v is infinite; diagonal_matrix(u)*v, too."""
    if is_inner(builder, (multiply, divide)) or consumed_by(builder, where):
        return None
    whole = whole_product(builder, root)
    if whole is None or whole.made_by.isdisjoint((eye, diagonal_matrix, *MOVES)):
        return None
    m = whole.monomial
    for atom, e in m.powers.items():
        u = argument(builder, atom, diagonal_matrix)
        if e < 0 or (u is None and not _is_identity(builder, atom)):
            continue
        others = Monomial(
            m.coefficient, multiplied(m.powers, (atom, -e), *([(u, e)] if u is not None else [])), m.extra
        )
        v = builder.value(summed(builder, [others]))
        shape = builder.type_of(atom).shape
        if len(shape) == 2 and v.shape == shape[1:] == shape[:1]:
            return Root(diagonal_matrix, (v.atom,))
        if u is not None:
            continue
        if v.shape and (any(n < 0 for n in others.powers.values()) or not builder.present.isdisjoint(LOGARITHMS)):
            return Root(where, (equal(builder.value(atom), 0).atom, Integer(0), v.atom))
    return None


def _is_identity(builder: Rebuilder, atom: Basic) -> bool:
    """An identity matrix, or its elements in other places."""
    expr = builder.inside(atom)
    for _ in range(NESTED):
        if expr is None or operation_of(expr) not in MOVES:
            break
        expr = builder.inside(operands(expr)[0])
    return expr is not None and operation_of(expr) is eye


def _diverges(builder: Rebuilder, atom: Basic, e: int, x: Basic) -> bool:
    """True where a factor is infinite at x = 0."""
    m = factors(builder, atom)
    if m is not None and m.powers.get(x, 0) * e < 0:
        return True
    return e > 0 and any(m.powers.get(x, 0) < 0 for m in summands(builder, atom) or ())


GAMMA = product_form(
    "quotient of gamma functions", gamma_quotients, (gamma,), "inf/inf where both are large",
    "gamma(x + 2)*y/gamma(x)",
)  # fmt: skip
LOGGAMMA = Form(
    "difference of gamma functions", (subtract,), gamma_differences, "the difference of large numbers",
    "loggamma(x + 1) - loggamma(x)",
)  # fmt: skip
IDENTITY = Form(
    "identity matrix in a product", (multiply, divide), identity_times, "0 times inf where the other factor is infinite",
    "input z[3]; eye(3)/z",
)  # fmt: skip
BEFORE_OVERFLOW = product_form(
    "exponential that vanishes before others overflow", before_overflow, (exp, sigmoid, cosh), "0 times inf far out",
    "(x^4 - x^2)*exp(-x^2)",
)  # fmt: skip
VANISHING = Form(
    "exponential that vanishes", (multiply, divide), vanishing_exponential, "0/0 at 0, where the limit is 0",
    "exp(-1/x^2)/x^3",
)  # fmt: skip
