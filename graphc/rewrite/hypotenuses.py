"""Lengths and their legs: roots of sums of squares, legs over hypotenuses, differences of these.

In: a root, a product or a difference in a builder.  Out: what takes its place, or None.
Always holds: no square overflows that its root does not need; a leg over the hypotenuse is 0 at the origin.
"""

from __future__ import annotations

from functools import reduce

from sympy import Basic, Integer, S, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of, variable
from graphc.ops.composite import hypot_of_several, norm
from graphc.ops.elementwise import absolute, add, equal, exp, hypot, less, power, sign, sqrt, subtract, where, xlogy
from graphc.rewrite.arrange import consumed_by, vanishing
from graphc.rewrite.build import applied, build, summed
from graphc.rewrite.compare import factors, gap, multiple, summands
from graphc.rewrite.polynomial import Monomial, Plan, Powers, fraction
from graphc.rewrite.positive import longer
from graphc.rewrite.products import argument, divided, is_one_of, multiplied, product_form
from graphc.rewrite.roots import MOST_LEGS, legs_of, norm_of
from graphc.rewrite.rule import Form, Made, Match, Rebuilder, Root, Rule

HYPOTENUSES = (hypot, hypot_of_several)


def legs(builder: Rebuilder, atom: Basic) -> tuple[Basic, ...]:
    """x and y of hypot(x, y)."""
    expr = builder.inside(atom)
    return tuple(map(builder.look, operands(expr))) if expr is not None and operation_of(expr) in HYPOTENUSES else ()


def all_legs(builder: Rebuilder, atom: Basic) -> list[Basic]:
    """x, y and z of hypot(hypot(x, y), z), and the inner hypotenuse."""
    found = list(legs(builder, atom))
    for leg in found:
        found += legs(builder, leg)
    return found


# --- roots of sums of squares, and the sums themselves ---------------------------------------------------------------


def hypotenuse(builder: Rebuilder, root: Root) -> Made | None:
    """sqrt(1 + x^2) = hypot(1, x), (1 + x^2 + y^2)^(3/2) = hypot(hypot(1, x), y)^3: the squares overflow."""
    total, *exponents = root.operands
    n = 2 * exponents[0] if exponents else Integer(1)
    if builder.learns or not n.is_Integer or n % 2 == 0:
        return None
    legs = legs_of(builder, total, computed=True)
    if legs is None:
        return None
    length = reduce(hypot, legs)
    return (length**n if n > 0 else 1 / length ** (-n)).atom


def square_over_length(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """(x^2 + y^2)/hypot(x, y) = hypot(x, y), x @ x/norm(x) = norm(x): 0/0 at the origin."""
    powers = with_lengths(builder, m.powers, opposite=True)
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


def with_lengths(builder: Rebuilder, powers: Powers, opposite: bool = False) -> Powers:
    """A product with the squares of its lengths as powers of these; `opposite`: of those on the other side of the fraction."""
    found = powers
    for length, e in powers.items():
        if is_one_of(builder, length, *HYPOTENUSES, norm):
            for total, n in powers.items():
                if (e * n < 0 or not opposite) and _is_square(builder, total, length):
                    found = multiplied(found, (total, -n), (length, 2 * n))
    return found


def _is_square(builder: Rebuilder, total: Basic, length: Basic) -> bool:
    """True where a sum is the square of a length."""
    if is_one_of(builder, length, norm):
        found = norm_of(builder, total)
        return found is not None and found.atom == length
    if not is_one_of(builder, total, add):
        return False
    terms = summands(builder, total) or ()
    ends = [a for a in all_legs(builder, length) if not legs(builder, a)]
    squares = [squared(builder, a) for a in ends] if len(ends) == len(terms) else [None]
    if None in squares:
        return False
    return {t.key: t.coefficient for t in terms} == {m.key: m.coefficient for m in squares if m is not None}


def direction(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x/hypot(x, y) is the sign of x where x is infinite; exp(2*x)/hypot(exp(x), 1) is exp(x) there.

    What is 0 at the origin stays as it is, unless its legs are exponentials, which overflow.
    """
    if builder.learns or _is_guarded(builder):
        return None
    at_origin = consumed_by(builder, where)
    for length, e in m.powers.items():
        expr = builder.inside(length)
        if e >= 0 or expr is None or operation_of(expr) is not hypot:
            continue
        for x in map(builder.look, operands(expr)):
            if at_origin and not is_one_of(builder, x, exp):
                continue
            powers = _with_leg(builder, m.powers, x) if isinstance(x, Symbol) else {}
            above = next((a for a, n in powers.items() if n > 0 and x in (a, argument(builder, a, xlogy))), None)
            if above is not None:
                leg = builder.value(x)
                share = where(less(absolute(leg), S.Infinity), leg / builder.value(length), sign(leg))
                if above != x:  # xlogy(x, y)/h
                    share = xlogy(share, builder.value(operands(builder.inside(above))[1]))
                return Monomial(m.coefficient, multiplied(powers, (length, 1), (above, -1), (share.atom, 1)), m.extra)
    return None


def _with_leg(builder: Rebuilder, powers: Powers, leg: Basic) -> Powers:
    """exp(2*x) as the square of a leg exp(x)."""
    x = argument(builder, leg, exp)
    for atom, e in powers.items() if x is not None else ():
        y = argument(builder, atom, exp)
        if y is not None and x is not None and e > 0 and multiple(builder, y, x) == 2:
            return multiplied(powers, (atom, -e), (leg, 2 * e))
    return powers


def _is_guarded(builder: Rebuilder) -> bool:
    """True for what is chosen where a leg is not infinite."""
    s = builder.current
    for user in builder.users.get(s, ()) if s is not None else ():
        expr = builder.inside(user)
        condition = builder.inside(operands(expr)[0]) if expr is not None and operation_of(expr) is where else None
        if condition is not None and operation_of(condition) is less and operands(condition)[1] == S.Infinity:
            return True
    return False


def pythagoras(builder: Rebuilder, root: Root) -> Made | None:
    """c - c*(x/hypot(x, y))^2 = c*(y/hypot(x, y))^2; c at the origin, where x/hypot(x, y) is chosen to be 0 there."""
    a, b = (factors(builder, atom) for atom in root.operands)
    if a is None or b is None or not a.coefficient or not b.coefficient:
        return None
    for one, other, s in ((a, b, 1), (b, a, -1)):
        guarded = ratio(other, one)
        share = _unguarded(builder, guarded)
        for length, e in share.powers.items() if share.coefficient == 1 else ():
            squares = [squared(builder, x) for x in legs(builder, length)] if e == -2 else []
            for square in squares:
                if square is None or square.coefficient != 1 or {**square.powers, length: -2} != share.powers:
                    continue
                rest = [m for m in squares if m is not square]
                if None not in rest:
                    scale = Monomial(s * one.coefficient, multiplied(one.powers, (length, -2)))
                    found = build(builder, Plan([_times_sum(scale, [m for m in rest if m is not None])]))
                    if share.powers == guarded.powers:
                        return found
                    whole = summed(builder, [Monomial(s * one.coefficient, one.powers)])
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
    if m is None:
        return None
    result = Monomial(m.coefficient**2)
    for a, e in m.powers.items():
        c = argument(builder, a, sqrt)
        if c is not None and (number := fraction(c)) is not None:
            result.coefficient *= number**e
        else:
            result.powers[a] = 2 * e
    return result


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
HYPOTENUSE = Form(
    "root of a number and squares", (sqrt, power), hypotenuse, "the squares overflow", "sqrt(1 + x^2)",
)  # fmt: skip
SQUARE = product_form(
    "square over its length", square_over_length, (*HYPOTENUSES, norm), "0/0 at the origin", "(x^2 + y^2)/hypot(x, y)",
)  # fmt: skip
DIRECTION = product_form(
    "leg over hypotenuse", direction, (hypot,), "inf/inf far out", "x/hypot(x, y)",
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
