"""Products with an array that is 0 but for a part: only that part is multiplied.

In: a product or quotient in a builder.  Out: what takes its place, or None.
Always holds: outside of the part the result is 0, whatever the other factor is there: what a slice or an index did not
take of log(x) has no derivative, not even 0 times infinity.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Basic, S

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.ops.elementwise import add, divide, multiply, subtract
from graphc.ops.indexing import diagonal, diagonal_matrix, gather, scatter
from graphc.ops.linear_algebra import tril
from graphc.ops.movement import embed, slice_, stack
from graphc.ops.written import rows_of
from graphc.rewrite.build import applied
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

MOST = 8  # terms of a sum, one within the other


def product_of(operation: Operation) -> Callable[[Rebuilder, Root], Made | None]:
    """embed(g)*y = embed(g*y[...]), scatter(g, k)/y = scatter(g/y[k], k), tril(g)*y = tril(g*y), [g, 0]/y = [g/y[0], 0];
    of a sum of such arrays term by term."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        for k in (0,) if root.operation is divide else (0, 1):
            atom, other = root.operands[k], root.operands[1 - k]
            shape, expr = builder.type_of(atom).shape, builder.inside(atom)
            if not shape or expr is None or operation_of(expr) is not operation:
                continue
            if builder.type_of(other).shape not in ((), shape):
                continue
            made = _product(builder, root, k, atom, MOST)
            if made is not None:
                return made
        return None

    return apply


def _product(builder: Rebuilder, root: Root, k: int, atom: Basic, most: int) -> Made | None:
    """The product with an atom in its place k, if that has parts alone, at most so many."""
    expr, other = builder.inside(atom), root.operands[1 - k]
    operation = None if expr is None else operation_of(expr)
    if expr is None or operation is None or not builder.lonely(atom) or most < 1:
        return None
    if operation in (add, subtract):
        terms = [_product(builder, root, k, a, most - 1) for a in operands(expr)]
        return None if None in terms else Root(operation, tuple(applied(builder, t) for t in terms if t is not None))
    if operation is stack:
        rows = rows_of(builder, atom)
        if rows is None or S.Zero not in rows:
            return None
        parts = (r if r == 0 else _made(builder, root, k, r, _row(builder, other, j)) for j, r in enumerate(rows))
        return Root(stack, tuple(parts), statics(expr))
    if operation not in (embed, scatter, tril, diagonal_matrix):
        return None
    inner, *rest = operands(expr)
    return Root(operation, (_made(builder, root, k, inner, _part(builder, other, expr)), *rest), statics(expr))


def _made(builder: Rebuilder, root: Root, k: int, inner: Basic, part: Basic) -> Basic:
    return builder.apply(root.operation, (inner, part) if k == 0 else (part, inner))


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


def _row(builder: Rebuilder, other: Basic, j: int) -> Basic:
    shape = builder.type_of(other).shape
    if not shape:
        return other
    return builder.apply(slice_, (other,), ((("at", j), *(("range", 0, d, 1) for d in shape[1:])),))


_FIRST, _SECOND = (f'embed({k + 2}, shape=(n,), bounds=(("at", {k}),))' for k in range(2))
PARTS = tuple(
    Form(name, (multiply, divide), product_of(operation), "0 times infinity in what was not taken", example, frozenset((operation,)))
    for name, operation, example in (
        ("product with an embedded part", embed, f"input x[n]; {_FIRST}*exp(x)"),
        ("product with scattered elements", scatter, "input g[2], x[3]; scatter(g, stack(0, 2), (3,))/x"),
        ("product with a triangle", tril, "input x[n, n], y[n, n]; tril(x)/y"),
        ("product with a diagonal", diagonal_matrix, "input g[n], y[n, n]; diagonal_matrix(g)/y"),
        ("product with zeros", stack, "input x, y[2]; stack(x, 0)/y"),
        ("product with a sum of parts", add, f"input x[n]; ({_FIRST} + {_SECOND})/x"),
        ("product with a difference of parts", subtract, f"input x[n]; ({_FIRST} - {_SECOND})*exp(x)"),
    )
)  # fmt: skip

__all__ = ["PARTS"]
