"""Lengths and their legs: roots of sums of squares, legs over hypotenuses, differences of these.

In: a root, a product or a difference in a builder.  Out: what takes its place, or None.
Always holds: no square overflows that its root does not need; a leg over the hypotenuse is 0 at the origin.
"""

from __future__ import annotations

from sympy import Basic

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of, variable
from graphc.ops.composite import hypot_of_several
from graphc.ops.elementwise import equal, hypot, less, sqrt, subtract, where
from graphc.rewrite.arrange import consumed_by, vanishing
from graphc.rewrite.build import applied, build, summed
from graphc.rewrite.compare import factors, gap, summands
from graphc.rewrite.polynomial import Monomial, Plan
from graphc.rewrite.positive import longer
from graphc.rewrite.products import divided, multiplied
from graphc.rewrite.rule import Form, Made, Match, Rebuilder, Root, Rule

HYPOTENUSES = (hypot, hypot_of_several)
MOST_LEGS = 8


def legs(builder: Rebuilder, atom: Basic) -> tuple[Basic, ...]:
    """x and y of hypot(x, y)."""
    expr = builder.inside(atom)
    return tuple(map(builder.look, operands(expr))) if expr is not None and operation_of(expr) in HYPOTENUSES else ()


def of_several(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(x^2 + y^2 + z^2) = hypot(x, y, z)."""
    squares = summands(builder, root.operands[0]) or ()
    if not 2 < len(squares) <= MOST_LEGS:
        return None
    if any(m.coefficient != 1 or not m.powers or any(e % 2 or e < 0 for e in m.powers.values()) for m in squares):
        return None
    halves = [Monomial(powers={a: e // 2 for a, e in m.powers.items()}) for m in squares]
    return Root(hypot_of_several, tuple(summed(builder, [m]) for m in halves))


def pythagoras(builder: Rebuilder, root: Root) -> Made | None:
    """c - c*(x/hypot(x, y))^2 = c*(y/hypot(x, y))^2; c at the origin, where x/hypot(x, y) is chosen to be 0 there."""
    a, b = (factors(builder, atom) for atom in root.operands)
    if a is None or b is None or not a.coefficient or not b.coefficient:
        return None
    for one, other, sign in ((a, b, 1), (b, a, -1)):
        guarded = ratio(other, one)
        share = _unguarded(builder, guarded)
        for length, e in share.powers.items() if share.coefficient == 1 else ():
            squares = [squared(builder, x) for x in legs(builder, length)] if e == -2 else []
            for square in squares:
                if square is None or square.coefficient != 1 or {**square.powers, length: -2} != share.powers:
                    continue
                rest = [m for m in squares if m is not square]
                if None not in rest:
                    scale = Monomial(sign * one.coefficient, multiplied(one.powers, (length, -2)))
                    found = build(builder, Plan([_times_sum(scale, [m for m in rest if m is not None])]))
                    if share.powers == guarded.powers:
                        return found
                    whole = summed(builder, [Monomial(sign * one.coefficient, one.powers)])
                    return Root(where, (equal(builder.value(length), 0).atom, whole, applied(builder, found)))
    return None


def _times_sum(m: Monomial, terms: list[Monomial]) -> Monomial:
    if len(terms) > 1:
        return Monomial(m.coefficient, m.powers, [Plan(terms)])
    (term,) = terms
    return Monomial(m.coefficient * term.coefficient, multiplied(m.powers, *term.powers.items()))


def ratio(a: Monomial, b: Monomial) -> Monomial:
    """a/b."""
    return Monomial(a.coefficient / b.coefficient, divided(a.powers, b.powers))


def _unguarded(builder: Rebuilder, m: Monomial) -> Monomial:
    """A product in which where(h == 0, 0, x/h) of a hypotenuse h is x/h."""
    result = Monomial(m.coefficient, m.powers)
    for factor, e in m.powers.items() if where in builder.present else ():
        expr = builder.inside(factor)
        if expr is None or operation_of(expr) is not where:
            continue
        condition, a, b = operands(expr)
        inner = factors(builder, b) if builder.look(a) == 0 else None
        length = vanishing(builder, condition)
        if inner is None or length is None or inner.coefficient != 1:
            continue
        if legs(builder, length) and length in inner.powers:
            result.powers = multiplied(result.powers, (factor, -e), *((x, n * e) for x, n in inner.powers.items()))
    return result


def squared(builder: Rebuilder, atom: Basic) -> Monomial | None:
    """The square of a product, taken apart."""
    m = factors(builder, atom)
    return None if m is None else Monomial(m.coefficient**2, {a: 2 * e for a, e in m.powers.items()})


def _leg(match: Match) -> bool:
    """y is a hypotenuse, and x one of its legs."""
    return match.atom("x") in legs(match.builder, match.atom("y"))


# --- differences of directions ---------------------------------------------------------------------------------------


def near_directions(builder: Rebuilder, root: Root) -> Made | None:
    """x/h - y/k of h = hypot(x, z) and k = hypot(y, z), where both point the same way: from x - y.

    Its product with x/h + y/k is (z/k)^2 - (z/h)^2 = (z/h)*(z/k)*((x - y)/h)*((x + y)/k).
    """
    if builder.learns or consumed_by(builder, where):
        return None
    a, b = (_direction(builder, atom) for atom in root.operands)
    if a is None or b is None:
        return None
    (scale, x, h), (other, y, k) = a, b
    left = gap(builder, x, y)
    across = {*legs(builder, h)} & {*legs(builder, k)} - {x, y}
    if left is None or len(across) != 1 or (scale.coefficient, scale.powers) != (other.coefficient, other.powers):
        return None
    p, q = (builder.value(atom) for atom in root.operands)
    x_, y_, z, h_, k_, d = map(builder.value, (x, y, across.pop(), h, k, summed(builder, left)))
    shares = [x_ / h_, y_ / k_]
    near = (z / h_) * (z / k_) * (d / h_) * ((x_ + y_) / k_) / (shares[0] + shares[1])
    if scale.powers or scale.coefficient != 1:
        near = builder.value(summed(builder, [scale])) * near
    return where(less(0, shares[0] * shares[1]), near, p - q).atom


def _direction(builder: Rebuilder, atom: Basic) -> tuple[Monomial, Basic, Basic] | None:
    """c, x and h of c*(x/h), where x is one of the two legs of h; also where that is 0 at the origin."""
    whole = factors(builder, atom)
    if whole is None:
        return None
    powers = _unguarded(builder, whole).powers
    for h, e in powers.items():
        ends = legs(builder, h) if e == -1 else ()
        for x in ends if len(ends) == 2 else ():
            if powers.get(x, 0) == 1:
                return Monomial(whole.coefficient, multiplied(powers, (h, 1), (x, -1))), x, h
    return None


_X, _Y, _Z = (variable(name) for name in "xyz")
SEVERAL = Form(
    "hypotenuse of several", (sqrt,), of_several, "the squares overflow, and the root has no derivative at 0",
    "sqrt(x^2 + y*y + z^2)",
)  # fmt: skip
LONGER = Form(
    "hypotenuse of a hypotenuse", HYPOTENUSES, longer(HYPOTENUSES, hypot_of_several, MOST_LEGS), "one length, and no direction within another",
    "hypot(hypot(x, y), z)",
)  # fmt: skip
PYTHAGORAS = Form(
    "square of a leg over the hypotenuse", (subtract,), pythagoras, "the difference of nearly equal numbers",
    "1 - (x/hypot(x, y))^2",
)  # fmt: skip
LEG = Rule(
    "leg of a leg", where(equal(_Z, 0), 0, _Y / _Z) * where(equal(_Y, 0), 0, _X / _Y), where(equal(_Z, 0), 0, _X / _Z), _leg,
    "rounded thrice, and its derivative is a difference", "r = hypot(x, y); h = hypot(r, z); where(h == 0, 0, r/h)*where(r == 0, 0, x/r)",
)  # fmt: skip
DIRECTIONS = Form(
    "difference of near directions", (subtract,), near_directions, "the difference of nearly equal numbers",
    "(x + 1)/hypot(x + 1, y) - x/hypot(x, y)", needs=frozenset((hypot,)),
)  # fmt: skip
