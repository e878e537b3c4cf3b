"""Formulas for readers: the shortest text, where all that is shared is written again and again.

In: a graph in normal form whose outputs are to be shown as formulas.  Out: one of the same values that is shorter to write.
Always holds: what the program's text defines stays; every firing makes the text of what it is tried on shorter, or leaves
it as long with fewer operations or as a polynomial in the order of its powers.  What is computed is another graph: a
polynomial that is multiplied out has fewer digits near its roots.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from sympy import Basic, Symbol

from graphc.graph.graph import Graph, operands, statics
from graphc.graph.operation import operation_of, variable
from graphc.ops.composite import hypot_of_several, norm
from graphc.ops.contraction import canonical, contract, matrix_form, split
from graphc.ops.elementwise import (
    add,
    cos,
    divide,
    greater,
    hypot,
    log,
    maximum,
    multiply,
    multiply_no_nan,
    negate,
    subtract,
    where,
    xlogy,
)
from graphc.ops.indexing import diagonal
from graphc.ops.linear_algebra import solve, solve_triangular, tril
from graphc.ops.movement import reshape, transpose
from graphc.ops.safe import sinc
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import applied, build
from graphc.rewrite.compare import summands
from graphc.rewrite.contractions import JOINED_AS_WRITTEN, OUTER_AS_WRITTEN
from graphc.rewrite.driver import Step, Worklist, index_of
from graphc.rewrite.expansion import readings
from graphc.rewrite.hypotenuses import squared
from graphc.rewrite.length import in_order, size_of
from graphc.rewrite.names import drop_dead
from graphc.rewrite.polynomial import (
    ARITHMETIC,
    ONE,
    PRODUCTS,
    SUMS,
    Monomial,
    Plan,
    Region,
    monomial,
    plan,
    root_of,
    terms,
)
from graphc.rewrite.products import divided, is_one_of, multiplied, product_form, unguarded
from graphc.rewrite.rule import Form, Made, Rebuilder, Rewriting, Root, Rule
from graphc.rewrite.symmetry import TURNED
from graphc.rewrite.trials import ALL

x, y = variable("x"), variable("y")
# Operations that are linear in the operands at these places.
_LINEAR = {
    contract: (0, 1), solve: (1,), solve_triangular: (1,), transpose: (0,), reshape: (0,), diagonal: (0,), tril: (0,), where: (1,),
}  # fmt: skip


def number_outside(builder: Rebuilder, root: Root) -> Made | None:
    """A @ (c*x) = c*A @ x for a number c; of a choice where the other is 0."""
    if root.operation is where and builder.look(root.operands[2]) != 0:
        return None
    for k in _LINEAR[root.operation]:
        atom = root.operands[k]
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if expr is None or operation not in (multiply, divide, negate):
            continue
        found = monomial(builder, atom, Region(), shared=True)
        outside = {a: e for a, e in found.powers.items() if not builder.type_of(a).rank} if found is not None else {}
        inside = {a: e for a, e in found.powers.items() if a not in outside} if found is not None else {}
        if found is None or not inside or (not outside and found.coefficient == 1):
            continue
        rest = applied(builder, build(builder, Plan([Monomial(powers=inside)])))
        if builder.type_of(rest) == builder.type_of(atom):
            atoms = (*root.operands[:k], rest, *root.operands[k + 1 :])
            whole = builder.apply(root.operation, atoms, root.statics)
            return build(builder, Plan([Monomial(found.coefficient, multiplied(outside, (whole, 1)))]))
    return None


def transposed_product(builder: Rebuilder, root: Root) -> Made | None:
    """(A @ B).T = B.T @ A.T, also where another product reads it so; (A @ x) @ B = B.T @ (A @ x)."""
    if root.operation is transpose:
        expr = builder.inside(root.operands[0])
        if root.statics != (TURNED,) or expr is None or operation_of(expr) is not contract:
            return None
        return Root(contract, *_swapped(expr))
    a, b, result = split(root.statics[0])
    form = matrix_form(root.statics[0])
    for k, turned in ((form[0], form[1]), (form[2], form[3])) if form is not None else ():
        expr = builder.inside(root.operands[k])
        if turned and expr is not None and operation_of(expr) is contract:
            atoms, sides = list(root.operands), [a, b]
            atoms[k], sides[k] = builder.apply(contract, *_swapped(expr)), sides[k][::-1]
            return Root(contract, tuple(atoms), (canonical(sides[0], sides[1], result),))
    if len(a) == 1 and len(b) == 2 and form is not None and not builder.as_written:
        expr = builder.inside(root.operands[0])
        inner = matrix_form(statics(expr)[0]) if expr is not None and operation_of(expr) is contract else None
        if expr is not None and inner is not None and builder.type_of(operands(expr)[inner[0]]).rank == 2:
            return Root(contract, root.operands[::-1], (canonical(b, a, result),))
    return None


def cosine(builder: Rebuilder, root: Root) -> Made | None:
    """sinc(x) - x^2*sinc(x, 1) = cos(x), the recurrence of the spherical Bessel functions (Abramowitz and Stegun 1964, 10.1.19)."""
    found = None if is_inner(builder, SUMS) else terms(builder, root, Region(), shared=True)
    for m in found or ():
        for atom in m.powers:
            expr = builder.inside(atom) if m.powers[atom] == 1 else None
            if expr is None or operation_of(expr) is not sinc or statics(expr) != (0,):
                continue
            (angle,) = operands(expr)
            other, square = builder.find(sinc, (angle,), (1,)), squared(builder, angle)
            if found is None or other is None or square is None:
                continue
            rest = multiplied(m.powers, (atom, -1))
            pair = Monomial(-m.coefficient * square.coefficient, multiplied(rest, (other, 1), *square.powers.items()))
            left = [n for n in found if n is not m and (n.coefficient, n.key) != (pair.coefficient, pair.key)]
            if len(left) == len(found) - 2:
                whole = builder.apply(cos, (angle,))
                return build(builder, Plan([Monomial(m.coefficient, multiplied(rest, (whole, 1))), *left]))
    return None


def without_guards(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x/h for where(h == 0, 0, x/h) in what is divided by h as well, and has no value where h is 0."""
    for h in (a for a, e in m.powers.items() if e < 0):
        opened = _opened(builder, m, h)
        if opened.powers != m.powers:
            return opened
        for atom, k in m.powers.items():
            found = summands(builder, atom) if k == 1 and is_one_of(builder, atom, add, subtract) else None
            terms = [_opened(builder, t, h) for t in found or ()]
            if terms != (found or []):
                return Monomial(m.coefficient, multiplied(m.powers, (atom, -1)), [*m.extra, Plan(terms)])
    return None


def _opened(builder: Rebuilder, m: Monomial, h: Basic) -> Monomial:
    result = Monomial(m.coefficient, {}, m.extra)
    for atom, e in m.powers.items():
        inner = unguarded(builder, atom, h) if e > 0 else None
        if inner is None:
            result.powers = multiplied(result.powers, (atom, e))
        else:
            result.coefficient *= inner.coefficient**e
            result.powers = multiplied(result.powers, *((a, n * e) for a, n in inner.powers.items()))
    return result


def positive_part(builder: Rebuilder, root: Root) -> Made | None:
    """where(x > 0, y*max(0, x), 0) = y*max(0, x)."""
    condition, inner, other = map(builder.look, root.operands)
    test, found = builder.inside(condition), monomial(builder, inner, Region(), shared=True)
    if test is None or operation_of(test) is not greater or found is None or other != 0:
        return None
    ends = [*map(builder.look, operands(test))]
    made = (builder.inside(a) for a, e in found.powers.items() if e > 0)
    parts = [{*map(builder.look, operands(e))} for e in made if e is not None and operation_of(e) is maximum]
    return inner if ends[1] == 0 and {*ends} in parts else None


def _swapped(expr: Basic) -> tuple[tuple[Basic, ...], tuple[str]]:
    """Operands and labels of the transpose of a contraction."""
    (x, y), (a, b, result) = operands(expr), split(statics(expr)[0])
    return (y, x), (canonical(b, a, result[::-1]),)


def shortest(builder: Rebuilder, root: Root) -> Made | None:
    """A sum or product multiplied out, over one denominator or with common factors, if that is shorter to write."""
    sums = root.operation in (add, subtract)
    if builder.as_written or is_inner(builder, SUMS if sums else (*SUMS, *PRODUCTS)):
        return None
    best: Made | None = None
    least = size_of(builder, root)
    for value in _different(readings(builder, root)):
        if 4 * len(value) - 3 > least[0]:
            continue  # each term has a sign with its spaces
        orders = in_order(value), plan(value).terms, _by_size(value), _over_lowest(value)
        for whole in map(_number_outside, map(_signs_outside, orders)):
            for candidate in (whole, *_turned_around(builder, whole)):
                made = build(builder, Plan(candidate))
                if isinstance(made, Root) and (size := size_of(builder, made)) < least:
                    best, least = made, size
    return best


def _different(values: list[list[Monomial]]) -> list[list[Monomial]]:
    return [*{tuple((m.coefficient, m.key) for m in v): v for v in values}.values()]


def _turned_around(builder: Rebuilder, value: list[Monomial]) -> Iterator[list[Monomial]]:
    """b - a for -(a - b)."""
    (m,) = value if len(value) == 1 else (Monomial(),)
    differences = [a for a in m.powers if (root := root_of(builder, a)) is not None and root.operation is subtract]
    s = builder.current
    alone = s in builder.kept or (s is not None and builder.consumer.get(s) in ARITHMETIC)
    if m.coefficient > 0 or len(differences) + len(m.extra) != 1 or not alone:
        return  # of several differences which, and f(-k*(x - y)) is read beside f(k*(x - y))
    if m.extra:
        first, *rest = m.extra
        negative = Plan([Monomial(-t.coefficient, t.powers, t.extra) for t in first.terms])
        yield [Monomial(-m.coefficient, m.powers, [negative, *rest])]
    for atom in differences:
        root, e = root_of(builder, atom), m.powers[atom]
        if e % 2 and root is not None and root.operation is subtract:
            other = builder.apply(subtract, root.operands[::-1])
            yield [Monomial(-m.coefficient, multiplied(m.powers, (atom, -e), (other, e)), m.extra)]


def _by_size(value: list[Monomial]) -> list[Monomial]:
    """Common factors of the terms that have one coefficient: 400*x^3 + 2*x - 400*x*y - 2 as 400*x*(x^2 - y) + 2*x - 2."""
    groups: dict[Fraction, list[Monomial]] = {}
    for m in value:
        groups.setdefault(abs(m.coefficient), []).append(m)
    return [m for group in groups.values() for m in plan(group).terms]


def _over_lowest(value: list[Monomial]) -> list[Monomial]:
    """Every factor's lowest power outside: x^2/y - x^3/y^2 as x^2*(y - x)/y^2."""
    atoms = dict.fromkeys(a for m in value for a in m.powers)
    low = {a: e for a in atoms if (e := min(m.powers.get(a, 0) for m in value))}
    if len(value) < 2 or not low:
        return value
    rest = [Monomial(m.coefficient, divided(m.powers, low)) for m in value]
    return [Monomial(ONE, low, [Plan(in_order(rest))])]


def _signs_outside(value: list[Monomial]) -> list[Monomial]:
    """x - (y + z)/u for x + (-y - z)/u."""
    return [_sign_outside(m) if len(m.extra) == 1 and len(value) > 1 else m for m in value]


def _sign_outside(m: Monomial) -> Monomial:
    (inner,) = m.extra
    if any(t.coefficient > 0 for t in inner.terms):
        return m
    positive = [Monomial(-t.coefficient, t.powers, t.extra) for t in inner.terms]
    return Monomial(-m.coefficient, m.powers, [Plan(positive)])


def _number_outside(value: list[Monomial]) -> list[Monomial]:
    """2*x - 2*y as 2*(x - y)."""
    sizes = {abs(m.coefficient) for m in value}
    if len(value) < 2 or len(sizes) > 1 or 1 in sizes:
        return value
    (c,) = sizes
    return [Monomial(c, {}, [Plan([Monomial(m.coefficient / c, m.powers, m.extra) for m in value])])]


TRANSPOSED = Form(
    "transpose of a product", (transpose, contract), transposed_product, "transposes stand at names", "input A[m, n], B[n, k], C[m, k]; (A @ B).T @ C",
    frozenset({contract}),
)  # fmt: skip
OUTSIDE = Form(
    "number out of a linear operation", tuple(_LINEAR), number_outside, "numbers are read first",
    "input A[m, n], x[n], c; A @ (c*x)",
)  # fmt: skip
SHORTEST = Form(
    "shortest to write", (add, subtract, multiply, divide, negate), shortest, "shorter, or without brackets, or in order", "grad(x^3 - 4*x^2 + 7*x, x)",
)  # fmt: skip
PLAIN = (
    Rule("logarithm times a factor", xlogy(x, y), x * log(y), None, "the product is what is meant", "grad(x^y, y)"),
    Rule("product that is 0 where a factor is", multiply_no_nan(x, y), x * y, None, "the product is what is meant", "multiply_no_nan(x, y)"),
)  # fmt: skip
UNGUARDED = product_form(
    "guarded direction that is divided again", without_guards, (hypot, hypot_of_several, norm), "there is no value at the origin",
    "h = hypot(x, y); where(h == 0, 0, x/h)/h^2",
)  # fmt: skip
POSITIVE = Form(
    "positive part where it is positive", (where,), positive_part, "it is 0 elsewhere", "where(x > 0, y*max(x, 0), 0)",
)  # fmt: skip
COSINE = Form(
    "recurrence of sinc", (add, subtract), cosine, "one function instead of two", "y*sinc(x) - y*x^2*sinc(x, 1)",
)  # fmt: skip
_MOVED = (OUTSIDE, TRANSPOSED, OUTER_AS_WRITTEN, JOINED_AS_WRITTEN)
_WRITTEN = (UNGUARDED, *PLAIN, POSITIVE, COSINE, SHORTEST)
READING: tuple[Rewriting, ...] = (*_MOVED, *_WRITTEN)


def readable(graph: Graph, named: frozenset[Symbol] = frozenset()) -> Graph:
    """The graph as formulas are written, in which `named` values have their names."""
    return readable_steps(graph, named)[0]


def readable_steps(graph: Graph, named: frozenset[Symbol] = frozenset()) -> tuple[Graph, tuple[Step, ...]]:
    """The same with its steps: numbers stand outside first, all that is shared is written out last."""
    work = Worklist(graph, named)
    moved = index_of(_MOVED)
    steps = work.run({o: (*ALL.get(o, ()), *moved.get(o, ())) for o in {*ALL, *moved}}, work.everything())
    steps += work.run(index_of(_WRITTEN), work.everything())
    return drop_dead(work.graph()), steps


__all__ = ["READING", "readable", "readable_steps"]
