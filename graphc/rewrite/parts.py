"""Products with an array that is 0 but for a part: only that part is multiplied.

In: a product or quotient of a derivative, in a builder.  Out: what takes its place, or None.
Always holds: outside of the part the result is 0, whatever the other factors are there: what a slice or an index did not
take of log(x) has no derivative, not even 0 times infinity; what the program's text multiplies stays as it is.
"""

from __future__ import annotations

from sympy import Basic, S

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.ops.elementwise import add, multiply, subtract, where
from graphc.ops.indexing import diagonal, diagonal_matrix, gather, scatter
from graphc.ops.joining import stack
from graphc.ops.linear_algebra import tril
from graphc.ops.slices import embed, slice_
from graphc.ops.written import rows_of
from graphc.rewrite.build import applied, summed
from graphc.rewrite.polynomial import Monomial
from graphc.rewrite.products import multiplied, product_form
from graphc.rewrite.rule import Made, Rebuilder, Root

PARTIAL: tuple[Operation, ...] = (embed, scatter, tril, diagonal_matrix)
MOST = 8  # terms of a sum, one within the other


def product_of_parts(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """embed(g)*y = embed(g*y[...]), scatter(g, k)/y = scatter(g/y[k], k), tril(g)*y = tril(g*y), [g, 0]/y = [g/y[0], 0];
    of a sum of such arrays, or of a choice between one and 0, by what it is made of."""
    if builder.as_written or m.extra:
        return None
    for atom, e in m.powers.items():
        shape = builder.type_of(atom).shape
        others = multiplied(m.powers, (atom, -e))
        shapes = {builder.type_of(a).shape for a in others}
        if e != 1 or not shape or not shapes or not shapes <= {(), shape} or not _has_parts(builder, atom, MOST):
            continue
        other = summed(builder, [Monomial(m.coefficient, others)])
        return Monomial(powers={applied(builder, _product(builder, atom, other)): 1})
    return None


def _has_parts(builder: Rebuilder, atom: Basic, most: int) -> bool:
    """Whether an atom that is used once is 0 but for a part, or a sum of at most so many that are."""
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or not builder.lonely(atom) or most < 1:
        return False
    if operation in (add, subtract):
        return all(_has_parts(builder, a, most - 1) for a in operands(expr))
    if operation is where:
        return S.Zero in operands(expr)[1:] and any(_has_parts(builder, a, most - 1) for a in operands(expr)[1:])
    return operation in PARTIAL or S.Zero in (rows_of(builder, atom) or ())


def _product(builder: Rebuilder, atom: Basic, other: Basic) -> Made:
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    assert expr is not None
    assert operation is not None
    if operation in (add, subtract):
        return Root(operation, tuple(applied(builder, _product(builder, a, other)) for a in operands(expr)))
    if operation is where:
        condition, *branches = operands(expr)
        made = (b if b == 0 else applied(builder, _product(builder, b, other)) for b in branches)
        return Root(where, (condition, *made))
    if operation is stack:
        shape = builder.type_of(other).shape
        rest = tuple(("range", 0, d, 1) for d in shape[1:])
        rows = (
            builder.apply(multiply, (row, builder.apply(slice_, (other,), ((("at", k), *rest),)) if shape else other))
            for k, row in enumerate(operands(expr))
            if row != 0
        )
        return Root(stack, tuple(row if row == 0 else next(rows) for row in operands(expr)), statics(expr))
    inner, *indices = operands(expr)
    return Root(operation, (builder.apply(multiply, (inner, _part(builder, other, expr))), *indices), statics(expr))


def _part(builder: Rebuilder, other: Basic, expr: Basic) -> Basic:
    """What stands in another array of the same shape at the places that are not 0; a number everywhere."""
    operation, fixed = operation_of(expr), statics(expr)
    if not builder.type_of(other).shape or operation is tril:
        return other
    if operation is embed:
        return builder.apply(slice_, (other,), (fixed[1],))
    if operation is diagonal_matrix:
        return builder.apply(diagonal, (other,))
    return builder.apply(gather, (other, operands(expr)[1]), (fixed[1],))


PARTS = product_form(
    "product with a part", product_of_parts, (*PARTIAL, stack, where, add, subtract), "0 times infinity in what was not taken",
    "input x[n]; J = sum(log(x)[1:]); g = grad(J, x); output g",
)  # fmt: skip

__all__ = ["PARTS"]
