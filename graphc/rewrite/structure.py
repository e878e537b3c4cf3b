"""Normal forms of what moves elements: broadcasts, reshapes, transposes, sums.

In: an operation in a builder.  Out: what takes its place, or None.
Always holds: the result has the shape it had; no array becomes larger than it was.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer, Symbol

from graphc.errors import GraphcError
from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Size, product
from graphc.ops import OPERATIONS, SIZE
from graphc.ops.algebra import real
from graphc.ops.composite import logsumexp, norm
from graphc.ops.contraction import canonical, contract, contracted, split
from graphc.ops.elementwise import add, divide, multiply, negate, subtract
from graphc.ops.indexing import diagonal, diagonal_matrix, eye
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.program import as_real
from graphc.ops.reduction import largest, prod, smallest, sum_
from graphc.ops.shape import reduced
from graphc.rewrite.build import build
from graphc.rewrite.compare import summands
from graphc.rewrite.polynomial import Monomial, Plan, Region, collect, monomial, multiply_in
from graphc.rewrite.rule import Form, Made, Rebuilder, Root
from graphc.rewrite.symmetry import SYMMETRY

REDUCTIONS = (sum_, prod, largest, smallest, norm, logsumexp)
Shape = tuple[Size, ...]


def _defined_by(builder: Rebuilder, atom: Basic, operation: Operation) -> Basic | None:
    """The right-hand side of an atom, where it is this operation."""
    expr = builder.inside(atom)
    return expr if expr is not None and operation_of(expr) is operation else None


def _scalar(builder: Rebuilder, atom: Basic) -> bool:
    return builder.type_of(atom).rank == 0


def _shape_of(
    builder: Rebuilder, operation: Operation, atoms: tuple[Basic, ...], fixed: tuple[Any, ...]
) -> Shape | None:
    try:
        return operation.infer(tuple(map(builder.type_of, atoms)), fixed, _proved)[0].shape
    except GraphcError:
        return None


def _proved(a: Size, b: Size, relation: str = "==") -> None:
    """Only sizes that are the same count as equal."""
    if relation == "==" and a != b:
        raise GraphcError("not the same size")


def without_broadcasts(builder: Rebuilder, root: Root) -> Made | None:
    """Operands are repeated by the operation itself; where all are, the result is repeated instead."""
    bare = tuple(_bare(builder, a) for a in root.operands)
    if bare == root.operands:
        return None
    shape = _shape_of(builder, root.operation, root.operands, root.statics)
    if shape is None:
        return None
    smaller = _shape_of(builder, root.operation, bare, root.statics)
    if smaller is not None and smaller != shape:
        inner = builder.apply(root.operation, bare, root.statics)
        kind = root.operation.infer(tuple(map(builder.type_of, root.operands)), root.statics, _proved)[0].kind
        return Root(broadcast, (_of_kind(builder, inner, kind),), (shape,))
    atoms = root.operands
    for k, atom in enumerate(bare):
        tried = (*atoms[:k], atom, *atoms[k + 1 :])
        if _shape_of(builder, root.operation, tried, root.statics) == shape:
            atoms = tried
    return None if atoms == root.operands else Root(root.operation, atoms, root.statics)


def _bare(builder: Rebuilder, atom: Basic) -> Basic:
    """What an atom repeats; of a number that is known, the number."""
    expr = _defined_by(builder, atom, broadcast)
    if expr is None:
        return atom
    (source,) = operands(expr)
    inner = _defined_by(builder, source, as_real)
    return source if inner is None or isinstance(known := builder.look(operands(inner)[0]), Symbol) else known


def _of_kind(builder: Rebuilder, atom: Basic, kind: str) -> Basic:
    """An atom, or, where a real number is asked for, that."""
    return real(builder, atom) if kind == "real" else atom


def merged_broadcast(builder: Rebuilder, root: Root) -> Made | None:
    """A broadcast of a broadcast, or of a reshape that only adds axes in front, is one broadcast."""
    (atom,) = root.operands
    expr = _defined_by(builder, atom, broadcast) or _defined_by(builder, atom, reshape)
    if expr is None:
        return None
    inner = operands(expr)[0]
    if operation_of(expr) is reshape:
        before, after = builder.type_of(inner).shape, builder.type_of(atom).shape
        if after != (1,) * (len(after) - len(before)) + before:
            return None
    return Root(broadcast, (inner,), root.statics)


def merged_reshape(builder: Rebuilder, root: Root) -> Made | None:
    """Reshapes of reshapes, of repeated numbers, of reductions that could have kept their axes."""
    (atom,), shape = root.operands, root.statics[0]
    if _scalar(builder, atom):
        return Root(broadcast, (atom,), (shape,))
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or operation is None:
        return None
    if operation is reshape:
        return Root(reshape, operands(expr), (shape,))
    if operation is broadcast and _scalar(builder, operands(expr)[0]):
        return Root(broadcast, operands(expr), (shape,))
    if operation is not None and operation in REDUCTIONS and builder.lonely(atom):
        axes, kept = statics(expr)
        if shape == reduced(builder.type_of(operands(expr)[0]).shape, axes, not kept):
            return Root(operation, operands(expr), (axes, not kept))
    return None


def merged_transpose(builder: Rebuilder, root: Root) -> Made | None:
    """A transpose of a transpose is one, of a diagonal matrix none; a contraction gives its result in any order of axes."""
    (atom,), (axes,) = root.operands, root.statics
    if len(axes) == 2 and (_defined_by(builder, atom, diagonal_matrix) or _defined_by(builder, atom, eye)) is not None:
        return builder.look(atom)
    if (expr := _defined_by(builder, atom, transpose)) is not None:
        inner = statics(expr)[0]
        return Root(transpose, operands(expr), (tuple(inner[a] for a in axes),))
    if (expr := _defined_by(builder, atom, broadcast)) is not None and _scalar(builder, operands(expr)[0]):
        shape = builder.type_of(atom).shape
        return Root(broadcast, operands(expr), (tuple(shape[a] for a in axes),))
    if (expr := _defined_by(builder, atom, contract)) is not None and builder.lonely(atom):
        a, b, result = split(statics(expr)[0])
        return Root(contract, operands(expr), (f"{a},{b}->{''.join(result[k] for k in axes)}",))
    return None


def transposed_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """A contraction reads its operands' axes in any order: no transpose before it."""
    labels = list(split(root.statics[0]))
    atoms = list(root.operands)
    for k in (0, 1):
        expr = _defined_by(builder, atoms[k], transpose)
        if expr is not None:
            axes = statics(expr)[0]
            atoms[k] = operands(expr)[0]
            labels[k] = "".join(labels[k][axes.index(i)] for i in range(len(axes)))
    if tuple(atoms) == root.operands:
        return None
    return Root(contract, tuple(atoms), (f"{labels[0]},{labels[1]}->{labels[2]}",))


def contraction_with_itself(builder: Rebuilder, root: Root) -> Made | None:
    """Which of two equal operands comes first makes no difference: of both spellings the one that sorts first."""
    a, b, result = split(root.statics[0])
    turned = canonical(b, a, result)
    if builder.look(root.operands[0]) != builder.look(root.operands[1]) or turned >= root.statics[0]:
        return None
    return Root(contract, root.operands, (turned,))


def sum_of_repeated(builder: Rebuilder, root: Root) -> Made | None:
    """The sum of a number repeated is the number times a count."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = _defined_by(builder, atom, broadcast)
    if expr is None or not _scalar(builder, operands(expr)[0]) or not axes:
        return None
    shape = builder.type_of(atom).shape
    count = SIZE(builder, product(shape[i] for i in axes))
    whole = builder.apply(multiply, (_bare(builder, atom), count))
    total = _of_kind(builder, whole, builder.type_of(atom).kind)
    left = reduced(shape, axes, keepdims)
    return Root(broadcast, (total,), (left,)) if left else total


def sum_of_diagonal(builder: Rebuilder, root: Root) -> Made | None:
    """The sums of a diagonal matrix along one of its axes are its diagonal."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    shape = builder.type_of(atom).shape
    if len(shape) != 2 or len(axes) != 1 or (expr := _defined_by(builder, atom, diagonal_matrix)) is None:
        return None
    return Root(reshape, operands(expr), (reduced(shape, axes, keepdims),)) if keepdims else operands(expr)[0]


def sum_of_diagonals(builder: Rebuilder, root: Root) -> Made | None:
    """Diagonal matrices are added by their diagonals, an identity matrix as 1."""
    vectors = [_diagonal_of(builder, a) for a in root.operands]
    if None in vectors or not any(isinstance(v, Symbol) for v in vectors):
        return None
    return Root(diagonal_matrix, (builder.apply(root.operation, tuple(v for v in vectors if v is not None)),))


def _diagonal_of(builder: Rebuilder, atom: Basic) -> Basic | None:
    if _defined_by(builder, atom, eye) is not None:
        return Integer(1)
    expr = _defined_by(builder, atom, diagonal_matrix) if builder.lonely(atom) else None
    return None if expr is None or builder.type_of(atom).rank != 2 else operands(expr)[0]


def sum_of_sum(builder: Rebuilder, root: Root) -> Made | None:
    """Sums over axes one after the other are one sum over all of them."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = _defined_by(builder, atom, sum_)
    if expr is None or not builder.lonely(atom):
        return None
    inner, inner_kept = statics(expr)
    if inner_kept != keepdims:
        return None
    rank = builder.type_of(operands(expr)[0]).rank
    left = tuple(i for i in range(rank) if keepdims or i not in inner)
    return Root(sum_, operands(expr), (tuple(sorted({*inner, *(left[a] for a in axes)})), keepdims))


def scalar_out_of_sum(builder: Rebuilder, root: Root) -> Made | None:
    """Factors that are numbers come out of a sum: one multiplication instead of one an element."""
    (atom,) = root.operands
    expr = _product_of(builder, atom)
    if expr is None:
        return None
    operation = operation_of(expr)
    assert operation is not None
    found = monomial(builder, Root(operation, operands(expr)), Region())
    if found is None:
        return None
    outside = {a: e for a, e in found.powers.items() if _scalar(builder, a)}
    inside = {a: e for a, e in found.powers.items() if a not in outside}
    if not inside or not (outside or found.coefficient != 1):
        return None
    rest = build(builder, Plan([Monomial(powers=inside)]))
    term = builder.apply(rest.operation, rest.operands, rest.statics) if isinstance(rest, Root) else rest
    if builder.type_of(term).shape != builder.type_of(atom).shape:
        return None
    total = builder.apply(sum_, (term,), root.statics)
    return build(builder, Plan([Monomial(found.coefficient, {**outside, total: 1})]))


def sum_of_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """The sum of a contraction lacks the labels summed: an axis that one operand alone has is summed there."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = _defined_by(builder, atom, contract)
    if expr is None or keepdims or not builder.lonely(atom):
        return None
    a, b, result = split(statics(expr)[0])
    x, y = map(builder.value, operands(expr))
    return contracted(x, y, a, b, "".join(c for k, c in enumerate(result) if k not in axes)).atom


def sum_of_weighted_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """sum((x @ y)*c) for a c that is the same along axes summed: there x @ y is summed first, which is less to multiply."""
    (atom,), (axes, keepdims) = root.operands, root.statics
    expr = _defined_by(builder, atom, multiply)
    if expr is None or keepdims or not builder.lonely(atom):
        return None
    for matrix, weight in (operands(expr), operands(expr)[::-1]):
        inner = _defined_by(builder, matrix, contract)
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


def contraction_of_repeated(builder: Rebuilder, root: Root) -> Made | None:
    """What is repeated along an axis is multiplied once: the result is repeated, or the other operand summed."""
    a, b, result = split(root.statics[0])
    for (atom, labels), (other, others) in (
        ((root.operands[0], a), (root.operands[1], b)),
        ((root.operands[1], b), (root.operands[0], a)),
    ):
        expr = _defined_by(builder, atom, broadcast)
        if expr is None:
            continue
        (source,), shape = operands(expr), builder.type_of(atom).shape
        before = builder.type_of(source).shape
        before = (1,) * (len(shape) - len(before)) + before
        kept = [k for k, (old, new) in enumerate(zip(before, shape, strict=True)) if old != 1 or new == 1]
        if not kept:
            continue
        alone = {c for k, c in enumerate(labels) if k not in kept and c not in others}
        bare = builder.value(builder.apply(reshape, (source,), (tuple(before[k] for k in kept),)))
        left = "".join(c for c in result if c not in alone)
        found = contracted(bare, builder.value(other), "".join(labels[k] for k in kept), others, left)
        full = _shape_of(builder, root.operation, root.operands, root.statics)
        if not alone or full is None:
            return found.atom
        ones = tuple(1 if c in alone else d for c, d in zip(result, full, strict=True))
        return Root(broadcast, (builder.apply(reshape, (found.atom,), (ones,)),), (full,))
    return None


def diagonal_of_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """The diagonal of x @ y needs none of the other elements: trace(x @ y) = sum(x*y.T)."""
    expr = _defined_by(builder, root.operands[0], contract)
    if expr is None or not builder.lonely(root.operands[0]):
        return None
    a, b, result = split(statics(expr)[0])
    row, column = result[-2], result[-1]
    if (row in a) == (column in a) or (row in b) == (column in b):
        return None
    x, y = map(builder.value, operands(expr))
    return contracted(x, y, a.replace(column, row), b.replace(column, row), result[:-1]).atom


def _product_of(builder: Rebuilder, atom: Basic) -> Basic | None:
    expr = builder.inside(atom)
    return expr if expr is not None and operation_of(expr) in (multiply, divide, negate) else None


def sum_of_deviations(builder: Rebuilder, root: Root) -> Made | None:
    """What is repeated along the axes of a sum is added as often as they have elements; where all then cancels, as in
    sum(x - sum(x)/n), the sum is 0."""
    (atom,), axes = root.operands, root.statics[0]
    expr = builder.inside(atom)
    terms = summands(builder, atom) if expr is not None and operation_of(expr) in (add, subtract) else None
    if terms is None or sum_ not in builder.present:
        return None
    shape = builder.type_of(atom).shape
    count = SIZE(builder, product(shape[i] for i in axes))
    total = [_summed(builder, m, shape, axes, count) for m in terms]
    if None in total or collect([m for m in total if m is not None]):
        return None
    return Integer(0)


def _summed(builder: Rebuilder, m: Monomial, shape: Shape, axes: tuple[int, ...], count: Basic) -> Monomial | None:
    """The sum of a product with at most one factor that is not repeated; sums of one array are one atom, kept axes or not."""
    result = Monomial(m.coefficient)
    varying = [a for a in m.powers if not _is_repeated(builder, a, shape, axes)]
    if len(varying) > 1 or any(m.powers[a] != 1 or builder.type_of(a).shape != shape for a in varying):
        return None
    for a, e in ((a, e) for a, e in m.powers.items() if a not in varying):
        if (expr := _defined_by(builder, a, sum_)) is not None and statics(expr)[0] == axes:
            a = builder.look(operands(expr)[0])
        result.powers[a] = result.powers.get(a, 0) + e
    for a in varying or [count]:
        if not multiply_in(builder, result, a, 1, Region()):
            return None
    return result


def _is_repeated(builder: Rebuilder, atom: Basic, shape: Shape, axes: tuple[int, ...]) -> bool:
    """True where broadcasting to a shape repeats an atom along axes."""
    own = builder.type_of(atom).shape
    own = (1,) * (len(shape) - len(own)) + own
    return all(own[k] == 1 != shape[k] for k in axes)


_N = "input x[n], c, t[n, 3]"
STRUCTURE: tuple[Form, ...] = (
    *SYMMETRY,
    Form("broadcast by the operation", tuple(o for o in OPERATIONS if o.elementwise), without_broadcasts,
         "elementwise operations repeat their operands themselves", f"{_N}; x + broadcast(c, x.shape)",
         frozenset({broadcast})),
    Form("broadcast of a broadcast", (broadcast,), merged_broadcast,
         "one repetition", f"{_N}; broadcast(broadcast(c, (n,)), (4, n))"),
    Form("reshape of a reshape", (reshape,), merged_reshape,
         "one reshape", f"{_N}; reshape(reshape(x, (n, 1)), (1, n))"),
    Form("transpose of a transpose", (transpose,), merged_transpose,
         "one transpose, or none", f"{_N}; transpose(transpose(t, (1, 0)), (1, 0))"),
    Form("transpose in a contraction", (contract,), transposed_contraction,
         "a contraction reads axes in any order", f"{_N}; x @ t.T.T"),
    Form("contraction with itself", (contract,), contraction_with_itself, "equal products are then one symbol",
         'input A[n, n]; einsum("ab,ca->bc", A, A)'),
    Form("sum of a repeated number", (sum_,), sum_of_repeated, "a product", f"{_N}; sum(broadcast(c, (n, 3)), axis=0)"),
    Form("sum of a diagonal matrix", (sum_,), sum_of_diagonal, "nothing but 0 is added", f"{_N}; sum(diagonal_matrix(x), axis=0)"),
    Form("diagonal matrices in a sum", (add, subtract), sum_of_diagonals, "n additions instead of n^2",
         f"{_N}; diagonal_matrix(x) - eye(n)"),
    Form("sum of deviations from a mean", (sum_,), sum_of_deviations, "it is 0", f"{_N}; sum(x - sum(x)/n)", frozenset({subtract})),
    Form("sum of a sum", (sum_,), sum_of_sum, "one pass over the elements", f"{_N}; sum(sum(t, axis=1))"),
    Form("contraction of repeated elements", (contract,), contraction_of_repeated, "each is multiplied once",
         "input A[n, 3], c[m]; A @ broadcast(c, (3, m))", frozenset({broadcast})),
    Form("sum of a contraction", (sum_,), sum_of_contraction, "the result is summed before it is made",
         "input A[n, 3], B[3, m]; sum(A @ B, axis=0)"),
    Form("sum of a weighted contraction", (sum_,), sum_of_weighted_contraction, "the result is summed before it is made",
         "input A[n, 3], B[3, m], c[m]; sum((A @ B)*c)"),
    Form("diagonal of a product", (diagonal,), diagonal_of_contraction, "one row and column an element, not a matrix",
         "input A[n, 3], B[3, n]; trace(A @ B)"),
    Form("number out of a sum", (sum_,), scalar_out_of_sum, "one product, not one an element", f"{_N}; sum(c*x)"),
)  # fmt: skip

__all__ = ["STRUCTURE"]
