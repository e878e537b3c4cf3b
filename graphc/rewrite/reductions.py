"""Sums: of what is repeated, of deviations from means, of products and contractions.

In: a sum along axes in a builder.  Out: what takes its place, or None.
Always holds: the result has the shape it had; no array becomes larger than it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from sympy import Basic, Integer

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import product
from graphc.ops import SIZE
from graphc.ops.contraction import contract, contracted, split
from graphc.ops.elementwise import add, divide, multiply, negate, subtract, where
from graphc.ops.indexing import diagonal, diagonal_matrix, eye, scatter
from graphc.ops.movement import broadcast, reshape
from graphc.ops.reduction import sum_
from graphc.ops.shape import reduced
from graphc.ops.slices import embed
from graphc.rewrite.build import applied, build
from graphc.rewrite.compare import factors, summands
from graphc.rewrite.polynomial import PRODUCTS, Monomial, Plan, Region, collect, monomial, multiply_in
from graphc.rewrite.products import multiplied
from graphc.rewrite.rule import Form, Made, Rebuilder, Root
from graphc.rewrite.structure import REDUCTIONS, Shape, defined_by, is_scalar, of_kind, repeated

DEEPEST = 3  # deviations within choices within deviations


def without_axes(builder: Rebuilder, root: Root) -> Made | None:
    """A vector reduced to an array of one number, as that number repeated."""
    axes, keepdims = root.statics
    if not keepdims or builder.type_of(root.operands[0]).rank != 1 or not axes:
        return None
    return Root(broadcast, (builder.apply(root.operation, root.operands, (axes, False)),), ((1,),))


def sum_of_repeated(builder: Rebuilder, root: Root) -> Made | None:
    """The sum of a number repeated is the number times a count."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = defined_by(builder, atom, broadcast)
    if expr is None or not is_scalar(builder, operands(expr)[0]) or not axes:
        return None
    shape = builder.type_of(atom).shape
    count = SIZE(builder, product(shape[i] for i in axes))
    whole = builder.apply(multiply, (repeated(builder, atom), count))
    total = of_kind(builder, whole, builder.type_of(atom).kind)
    left = reduced(shape, axes, keepdims)
    return Root(broadcast, (total,), (left,)) if left else total


def sum_of_diagonal(builder: Rebuilder, root: Root) -> Made | None:
    """The sums of a diagonal matrix along one of its axes are its diagonal."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    shape = builder.type_of(atom).shape
    if len(shape) != 2 or len(axes) != 1 or (expr := defined_by(builder, atom, diagonal_matrix)) is None:
        return None
    return Root(reshape, operands(expr), (reduced(shape, axes, keepdims),)) if keepdims else operands(expr)[0]


def sum_of_sum(builder: Rebuilder, root: Root) -> Made | None:
    """Sums over axes one after the other are one sum over all of them."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = defined_by(builder, atom, sum_)
    if expr is None or not builder.lonely(atom):
        return None
    inner, inner_kept = statics(expr)
    if inner_kept != keepdims:
        return None
    rank = builder.type_of(operands(expr)[0]).rank
    left = tuple(i for i in range(rank) if keepdims or i not in inner)
    return Root(sum_, operands(expr), (tuple(sorted({*inner, *(left[a] for a in axes)})), keepdims))


def sum_of_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """The sum of a contraction lacks the labels summed: an axis that one operand alone has is summed there."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = defined_by(builder, atom, contract)
    if expr is None or keepdims or not builder.lonely(atom):
        return None
    a, b, result = split(statics(expr)[0])
    x, y = map(builder.value, operands(expr))
    return contracted(x, y, a, b, "".join(c for k, c in enumerate(result) if k not in axes)).atom


def sum_of_weighted_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """sum((x @ y)*c) for a c that is the same along axes summed: there x @ y is summed first, which is less to multiply."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = defined_by(builder, atom, multiply)
    if expr is None or keepdims or not builder.lonely(atom):
        return None
    for matrix, weight in (operands(expr), operands(expr)[::-1]):
        inner = defined_by(builder, matrix, contract)
        more = builder.type_of(atom).rank - builder.type_of(weight).rank
        if inner is None or not builder.lonely(matrix) or builder.type_of(matrix) != builder.type_of(atom):
            continue
        if not 0 < more < builder.type_of(atom).rank or not set(range(more)) <= set(axes):
            continue
        a, b, result = split(statics(inner)[0])
        x, y = map(builder.value, operands(inner))
        total = contracted(x, y, a, b, result[more:]) * builder.value(weight)
        return Root(sum_, (total.atom,), (tuple(k - more for k in axes if k >= more), False))
    return None


def factor_out_of_sum(builder: Rebuilder, root: Root) -> Made | None:
    """Factors that are the same for all that is summed come out of a sum: one multiplication instead of one an element."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = _product_of(builder, atom)
    if expr is None:
        return None
    operation = operation_of(expr)
    assert operation is not None
    found = monomial(builder, Root(operation, operands(expr)), Region())
    if found is None:
        return None
    shape = builder.type_of(atom).shape
    alone = axes and builder.lonely(atom)
    outside = {a: e for a, e in found.powers.items() if is_scalar(builder, a)
               or (alone and (keepdims or builder.type_of(a).rank < len(shape) - max(axes)) and _is_repeated(builder, a, shape, axes))}  # fmt: skip
    inside = {a: e for a, e in found.powers.items() if a not in outside}
    if not inside or not (outside or found.coefficient != 1):
        return None
    term = applied(builder, build(builder, Plan([Monomial(powers=inside)])))
    if builder.type_of(term).shape != shape:
        return None
    total = builder.apply(sum_, (term,), root.statics)
    return build(builder, Plan([Monomial(found.coefficient, multiplied(outside, (total, 1)))]))


def sum_of_choice(builder: Rebuilder, root: Root) -> Made | None:
    """A sum that one condition decides for all that is summed is chosen itself; it is 0 where that of each branch is."""
    (atom,) = root.operands
    expr = defined_by(builder, atom, where)
    if expr is None:
        return None
    if _Summation(builder, builder.type_of(atom).shape, root.statics[0]).is_zero(atom):
        return Integer(0)
    if root.statics[1] or not builder.lonely(atom):
        return None
    condition, *branches = map(builder.look, operands(expr))
    if not is_scalar(builder, condition) or 0 not in branches:
        return None
    type_ = builder.type_of(atom)
    if any(a != 0 and builder.type_of(a) != type_ for a in branches):
        return None
    return Root(where, (condition, *(a if a == 0 else builder.apply(sum_, (a,), root.statics) for a in branches)))


def sum_of_a_part(builder: Rebuilder, root: Root) -> Made | None:
    """The sum of what is scattered or embedded among zeros is that of what it was."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = defined_by(builder, atom, scatter) or defined_by(builder, atom, embed)
    if expr is None or keepdims or axes != tuple(range(builder.type_of(atom).rank)):
        return None
    value = operands(expr)[0]
    rank = builder.type_of(value).rank
    return Root(sum_, (value,), (tuple(range(rank)), False)) if rank else value


def sum_with_identity(builder: Rebuilder, root: Root) -> Made | None:
    """The sum of eye(n)*x is that of x's diagonal."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    type_ = builder.type_of(atom)
    if keepdims or axes != tuple(range(type_.rank)):
        return None
    m = factors(builder, atom) if eye in builder.present and type_.rank == 2 else None
    ones = (
        [a for a, e in m.powers.items() if e > 0 and defined_by(builder, a, eye) is not None] if m is not None else []
    )
    if m is None or not ones:
        return None
    rest = {a: e for a, e in m.powers.items() if a not in ones}
    other = applied(builder, build(builder, Plan([Monomial(m.coefficient, rest)])))
    if builder.type_of(other) != type_:
        whole = SIZE(builder, type_.shape[0])
        return Root(multiply, (other, whole)) if is_scalar(builder, other) else None
    return Root(sum_, (builder.apply(diagonal, (other,)),), ((0,), False))


def _product_of(builder: Rebuilder, atom: Basic) -> Basic | None:
    expr = builder.inside(atom)
    return expr if expr is not None and operation_of(expr) in (multiply, divide, negate) else None


def sum_of_deviations(builder: Rebuilder, root: Root) -> Made | None:
    """What is repeated along the axes of a sum is added as often as they have elements; where all then cancels, as in
    sum(x - sum(x)/n), the sum is 0, and terms of such a sum are left out."""
    (atom,), axes = root.operands, root.statics[0]
    terms = _terms(builder, atom) if sum_ in builder.present else None
    if terms is None:
        return None
    found = _Summation(builder, builder.type_of(atom).shape, axes)
    total = [found.of(m) for m in terms]
    if None not in total and not collect([m for m in total if m is not None]):
        return Integer(0)
    left = [m for m, t in zip(terms, total, strict=True) if t is None or t.coefficient]
    made = build(builder, Plan(left)) if len(left) < len(terms) else None
    if made is None or (isinstance(made, Root) and not builder.lonely(atom)):
        return None
    return Root(sum_, (applied(builder, made),), root.statics)


def _terms(builder: Rebuilder, atom: Basic, besides: tuple[Operation, ...] = ()) -> list[Monomial] | None:
    expr = builder.inside(atom)
    return summands(builder, atom) if expr is not None and operation_of(expr) in (add, subtract, *besides) else None


@dataclass(frozen=True)
class _Summation:
    """Sums along axes of arrays of a shape."""

    builder: Rebuilder
    shape: Shape
    axes: tuple[int, ...]

    def of(self, m: Monomial, depth: int = DEEPEST) -> Monomial | None:
        """The sum of a product with at most one factor that is not repeated; sums of one array are one atom, kept axes or not."""
        builder, result = self.builder, Monomial(m.coefficient)
        varying = [a for a in m.powers if not _is_repeated(builder, a, self.shape, self.axes)]
        if len(varying) > 1 or any(m.powers[a] != 1 or builder.type_of(a).shape != self.shape for a in varying):
            return None
        if varying and depth and self.is_zero(varying[0], depth - 1):
            return Monomial(Fraction(0))
        for a, e in ((a, e) for a, e in m.powers.items() if a not in varying):
            if (expr := defined_by(builder, a, sum_)) is not None and statics(expr)[0] == self.axes:
                a = builder.look(operands(expr)[0])
            result.powers[a] = result.powers.get(a, 0) + e
        count = SIZE(builder, product(self.shape[k] for k in self.axes))
        if not all(multiply_in(builder, result, a, 1, Region()) for a in varying or [count]):
            return None
        return result

    def is_zero(self, atom: Basic, depth: int = DEEPEST) -> bool:
        """True where the terms of a sum cancel when they are summed; those of a choice by one condition in each branch."""
        builder, expr = self.builder, defined_by(self.builder, atom, where)
        if expr is not None:
            condition, *branches = map(builder.look, operands(expr))
            return is_scalar(builder, condition) and all(
                a == 0 or (depth > 0 and self.is_zero(a, depth - 1)) for a in branches
            )
        total = [self.of(m, depth) for m in _terms(builder, atom, PRODUCTS) or ()]
        return bool(total) and None not in total and not collect([m for m in total if m is not None])


def _is_repeated(builder: Rebuilder, atom: Basic, shape: Shape, axes: tuple[int, ...]) -> bool:
    """True where broadcasting to a shape repeats an atom along axes."""
    own = builder.type_of(atom).shape
    own = (1,) * (len(shape) - len(own)) + own
    return all(own[k] == 1 != shape[k] for k in axes)


_N = "input x[n], c, t[n, 3]"
REDUCED: tuple[Form, ...] = (
    Form("vector reduced to an array of one", REDUCTIONS, without_axes, "a number needs no axes", f"{_N}; x - sum(x, keepdims=true)"),
    Form("sum of a repeated number", (sum_,), sum_of_repeated, "a product", f"{_N}; sum(broadcast(c, (n, 3)), axis=0)"),
    Form("sum of a diagonal matrix", (sum_,), sum_of_diagonal, "nothing but 0 is added", f"{_N}; sum(diagonal_matrix(x), axis=0)"),
    Form("sum of deviations from a mean", (sum_,), sum_of_deviations, "it is 0", f"{_N}; sum(x - sum(x)/n)", frozenset({subtract})),
    Form("sum of a sum", (sum_,), sum_of_sum, "one pass over the elements", f"{_N}; sum(sum(t, axis=1))"),
    Form("sum of a contraction", (sum_,), sum_of_contraction, "the result is summed before it is made",
         "input A[n, 3], B[3, m]; sum(A @ B, axis=0)"),
    Form("sum of a weighted contraction", (sum_,), sum_of_weighted_contraction, "the result is summed before it is made",
         "input A[n, 3], B[3, m], c[m]; sum((A @ B)*c)"),
    Form("number out of a sum", (sum_,), factor_out_of_sum, "one product, not one an element", "input c, d[3], t[n, 3]; sum(c*d*t, axis=0)"),
    Form("sum of a choice", (sum_,), sum_of_choice, "the sum is chosen, not each element", f"{_N}; sum(where(c > 0, x, 0))", frozenset({where})),
    Form("sum of a part", (sum_,), sum_of_a_part, "nothing but 0 is added besides",
         f'{_N}; sum(embed(c*x, shape=(n + 1,), bounds=(("range", 1, n, 1),)))'),
    Form("sum with an identity matrix", (sum_,), sum_with_identity, "nothing but 0 is added besides", "input A[n, n]; sum(A*eye(n))"),
)  # fmt: skip

__all__ = ["REDUCED"]
