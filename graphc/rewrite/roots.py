"""Roots of squares, of sums of squares, of powers and of probabilities, without the squares.

In: a root in a builder.  Out: what takes its place, or None.
Always holds: nothing is squared, so that nothing overflows or vanishes that its root does not; where the root is 0 its
slope is the limit, 0 where there are two.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd, isqrt

from sympy import Basic, Rational

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Value, operation_of
from graphc.ops.composite import hypot_of_several, norm, softmax
from graphc.ops.contraction import contract
from graphc.ops.elementwise import absolute, add, divide, exp, hypot, multiply, power, sigmoid, sqrt, subtract, where
from graphc.ops.indexing import diagonal
from graphc.ops.movement import reshape
from graphc.ops.program import size_
from graphc.ops.reduction import sum_
from graphc.ops.slices import slice_
from graphc.rewrite.build import summed
from graphc.rewrite.compare import factors, summands
from graphc.rewrite.polynomial import Monomial, Powers
from graphc.rewrite.positive import DEEPEST, HALF, MOVES, positive_log
from graphc.rewrite.products import argument, divided, is_one_of, multiplied, times_number
from graphc.rewrite.rule import Form, Made, Rebuilder, Root
from graphc.rewrite.structure import without_transposes

MOST_LEGS = 8
_OF_SQUARES = (
    add,
    sum_,
    contract,
    diagonal,
    multiply,
    divide,
    reshape,
    slice_,
)  # what a multiple of a sum of squares may be
_SHARES = (sigmoid, softmax)


def of_powers(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(c*x^2) = sqrt(c)*|x|, sqrt(x^4/y^4) = (x/y)^2, sqrt(x^3) = x^(3/2), of numbers and sizes c > 0."""
    (atom,) = root.operands
    m = factors(builder, atom) if is_one_of(builder, atom, power, multiply, divide) else None
    if m is None or m.coefficient <= 0:
        return None
    sizes = {a: e for a, e in m.powers.items() if is_one_of(builder, a, size_)}
    powers = divided(m.powers, sizes)
    if powers and all(e % 2 == 0 for e in powers.values()):
        n = gcd(*powers.values()) // 2 * (1 if max(powers.values()) > 0 else -1)
        base = builder.value(summed(builder, [Monomial(powers={a: e // (2 * n) for a, e in powers.items()})]))
        whole = (absolute(base) if n % 2 else base) ** abs(n)
        return _scaled(builder, whole if n > 0 else 1 / whole, m.coefficient, sizes).atom
    if len(powers) == 1:
        ((x, e),) = powers.items()
        if abs(e) > 1:
            return _scaled(builder, builder.value(x) ** Rational(e, 2), m.coefficient, sizes).atom
    return None


def _scaled(builder: Rebuilder, value: Value, c: Fraction, sizes: Powers) -> Value:
    """A value times the root of a number and of powers of sizes."""
    for n, sign in (c.numerator, 1), (c.denominator, -1):
        scale = summed(builder, [Monomial(Fraction(n), {a: abs(e) for a, e in sizes.items() if e * sign > 0})])
        if scale != 1:
            value = value * sqrt(builder.value(scale)) if sign > 0 else value / sqrt(builder.value(scale))
    return value


def lengths(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(c*S) = sqrt(c)*|S| of sums of squares S, of numbers and sizes c > 0."""
    (atom,) = root.operands
    m = factors(builder, atom) if is_one_of(builder, atom, *_OF_SQUARES) else None
    if m is None or m.coefficient <= 0:
        return None
    for total, e in m.powers.items():
        length = _length(builder, total) if e == 1 else None
        sizes = divided(m.powers, {total: 1})
        if length is not None and all(is_one_of(builder, a, size_) for a in sizes):
            return _scaled(builder, length, m.coefficient, sizes).atom
    return None


def _length(builder: Rebuilder, atom: Basic) -> Value | None:
    """norm(x) of sum(x^2), hypot(x, 2*y) of x^2 + 4*y^2, hypot(1, norm(x)) of 1 + x @ x, in the atom's shape."""
    found = norm_of(builder, atom)
    if found is None and (legs := legs_of(builder, atom)) is not None:
        found = (hypot if len(legs) == 2 else hypot_of_several)(*legs)
    shape = builder.type_of(atom).shape
    return found if found is None or found.shape == shape else reshape(found, shape)


def legs_of(builder: Rebuilder, atom: Basic, computed: bool = False) -> list[Value] | None:
    """x and 2*y of x^2 + 4*y^2, 1 and norm(x) of 1 + x @ x; `computed`: of 1 + x^2 too, whose root has derivatives everywhere."""
    terms = summands(builder, atom) if is_one_of(builder, atom, add) else None
    if terms is None or not 1 < len(terms) <= MOST_LEGS:
        return None
    arrays = any(e == 1 and not is_one_of(builder, a, exp) for m in terms for a, e in m.powers.items())
    if arrays and (computed or builder.learns):
        return None
    if not (arrays or computed) and any(e < 0 or not m.powers or e % 2 for m in terms for e in (*m.powers.values(), 0)):
        return None
    found = [_leg(builder, m) for m in terms]
    return [leg for leg in found if leg is not None] if None not in found else None


def _leg(builder: Rebuilder, m: Monomial) -> Value | None:
    """The root of a term c*x^2, c*x^2*sum(y^2), exp(2*x), for c > 0."""
    for atom, e in m.powers.items():
        if e % 2 and (x := argument(builder, atom, exp)) is not None:
            half = exp(builder.value(times_number(builder, x, Fraction(1, 2))))
            m = Monomial(m.coefficient, multiplied(m.powers, (atom, -e), (half.atom, 2 * e)))
    odd = [a for a, e in m.powers.items() if e % 2]
    length = norm_of(builder, odd[0]) if odd and m.powers[odd[0]] == 1 else None
    if m.coefficient <= 0 or len(odd) > 1 or (odd and length is None):
        return None
    c = Fraction(*map(isqrt, m.coefficient.as_integer_ratio()))
    rational = c * c == m.coefficient
    powers = {a: e // 2 for a, e in m.powers.items() if not e % 2} | ({length.atom: 1} if length is not None else {})
    leg = builder.value(summed(builder, [Monomial(c if rational else Fraction(1), powers)]))
    return leg if rational else _scaled(builder, leg, m.coefficient, {})


def norm_of(builder: Rebuilder, atom: Basic) -> Value | None:
    """The norm of which an atom is the square."""
    expr = builder.inside(atom)
    while expr is not None and operation_of(expr) in (reshape, slice_) and _is_one(builder, operands(expr)[0]):
        expr = builder.inside(operands(expr)[0])
    if expr is None:
        return None
    found = None
    if operation_of(expr) is sum_ and (inner := builder.inside(operands(expr)[0])) is not None:
        x = _squared_by(builder, inner)
        found = None if x is None else norm(builder.value(x), *statics(expr))
    return found or _length_of_itself(builder, expr)


def _is_one(builder: Rebuilder, atom: Basic) -> bool:
    """True for an array of one element."""
    return all(d == 1 for d in builder.type_of(atom).shape)


def _squared_by(builder: Rebuilder, expr: Basic) -> Basic | None:
    """x of x^2 and x*x."""
    if operation_of(expr) not in (power, multiply):
        return None
    x, y = map(builder.look, operands(expr))
    return x if y == (2 if operation_of(expr) is power else x) else None


def _length_of_itself(builder: Rebuilder, expr: Basic) -> Value | None:
    """norm(x) of a contraction of x with itself, of its diagonal, of sums of these: along the axes that are summed."""
    taken = []
    inner: Basic | None = expr
    while inner is not None and operation_of(inner) in (sum_, diagonal):
        if operation_of(inner) is sum_ and statics(inner)[1]:
            return None
        taken.append(inner)
        inner = builder.inside(operands(inner)[0])
    if inner is None or operation_of(inner) is not contract:
        return None
    (x, y), (a, b, result) = without_transposes(builder, operands(inner), statics(inner)[0])
    for step in reversed(taken):
        if operation_of(step) is diagonal:
            a, b, result = (labels.replace(result[-1], result[-2]) for labels in (a, b, result[:-1]))
        else:
            result = "".join(c for k, c in enumerate(result) if k not in statics(step)[0])
    x, y, sizes = builder.look(x), builder.look(y), builder.type_of(x).shape
    pairs = list(zip(a, b, sizes, strict=True)) if x == y and len({*a}) == len(a) else []
    kept = [c for c, d, _ in pairs if c == d and c in result]
    alone = {c for one, other, size in pairs if one != other for c in (one, other)}
    ones = {c for one, other, size in pairs if one != other and size == 1 for c in (one, other)}
    if not pairs or alone != ones or [c for c in result if c not in ones] != kept:
        return None
    return norm(builder.value(x), tuple(k for k, c in enumerate(a) if c not in kept), False)  # type: ignore[no-any-return]


def of_shares(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(p) = exp(log(p)/2) and p^c = exp(c*log(p)) of probabilities p and their products."""
    if builder.present.isdisjoint(_SHARES):
        return None
    atom, c = root.operands if root.operation is power else (*root.operands, HALF)
    if c.is_Integer or not _is_share(builder, atom) or (logarithm := positive_log(builder, atom)) is None:
        return None
    return Root(exp, ((builder.value(c) * logarithm).atom,))


def _is_share(builder: Rebuilder, atom: Basic) -> bool:
    """True for what is made of logistic functions and softmax by products and moves alone."""
    todo = [atom]
    for _ in range(DEEPEST):
        if not todo:
            return True
        expr = builder.inside(todo.pop())
        operation = None if expr is None else operation_of(expr)
        if expr is None or operation not in (*_SHARES, multiply, subtract, where, *MOVES):
            return False
        if operation not in _SHARES:
            todo += operands(expr)[:1] if operation in MOVES else operands(expr)[operation is not multiply :]
    return False


POWER = Form(
    "root of a power", (sqrt,), of_powers, "the power overflows, and the root has no derivative at 0", "sqrt(x^4/9)",
)  # fmt: skip
LENGTH = Form(
    "length", (sqrt,), lengths, "the squares overflow, and the root has no derivative at 0",
    "input x[n], y; sqrt(3*(x @ x + 4*y^2))",
)  # fmt: skip
SHARE = Form(
    "root of a probability", (sqrt, power), of_shares, "0 times inf in its derivative, where p is 0 and sqrt(p) is not",
    "sqrt(sigmoid(x)*sigmoid(-x))",
)  # fmt: skip
