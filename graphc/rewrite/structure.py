"""Normal forms of what moves elements: broadcasts, reshapes, transposes.

In: an operation in a builder.  Out: what takes its place, or None.
Always holds: the result has the shape it had; no array becomes larger than it was.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer, Symbol

from graphc.errors import GraphcError
from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Size
from graphc.ops import OPERATIONS
from graphc.ops.algebra import real
from graphc.ops.composite import logsumexp, norm
from graphc.ops.contraction import canonical, contract, contracted, split
from graphc.ops.elementwise import add, subtract
from graphc.ops.indexing import diagonal, diagonal_matrix, eye
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.program import as_real
from graphc.ops.reduction import largest, prod, smallest, sum_
from graphc.ops.shape import reduced
from graphc.rewrite.rule import Form, Made, Rebuilder, Root
from graphc.rewrite.symmetry import SYMMETRY

REDUCTIONS = (sum_, prod, largest, smallest, norm, logsumexp)
Shape = tuple[Size, ...]


def defined_by(builder: Rebuilder, atom: Basic, operation: Operation) -> Basic | None:
    """The right-hand side of an atom, where it is this operation."""
    expr = builder.inside(atom)
    return expr if expr is not None and operation_of(expr) is operation else None


def is_scalar(builder: Rebuilder, atom: Basic) -> bool:
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
    bare = tuple(repeated(builder, a) for a in root.operands)
    if bare == root.operands:
        return None
    shape = _shape_of(builder, root.operation, root.operands, root.statics)
    if shape is None:
        return None
    smaller = _shape_of(builder, root.operation, bare, root.statics)
    if smaller is not None and smaller != shape:
        inner = builder.apply(root.operation, bare, root.statics)
        kind = root.operation.infer(tuple(map(builder.type_of, root.operands)), root.statics, _proved)[0].kind
        return Root(broadcast, (of_kind(builder, inner, kind),), (shape,))
    atoms = root.operands
    for k, atom in enumerate(bare):
        tried = (*atoms[:k], atom, *atoms[k + 1 :])
        if _shape_of(builder, root.operation, tried, root.statics) == shape:
            atoms = tried
    return None if atoms == root.operands else Root(root.operation, atoms, root.statics)


def repeated(builder: Rebuilder, atom: Basic) -> Basic:
    """What an atom repeats; of a number that is known, the number."""
    expr = defined_by(builder, atom, broadcast)
    if expr is None:
        return atom
    (source,) = operands(expr)
    inner = defined_by(builder, source, as_real)
    return source if inner is None or isinstance(known := builder.look(operands(inner)[0]), Symbol) else known


def of_kind(builder: Rebuilder, atom: Basic, kind: str) -> Basic:
    """An atom, or, where a real number is asked for, that."""
    return real(builder, atom) if kind == "real" else atom


def merged_broadcast(builder: Rebuilder, root: Root) -> Made | None:
    """A broadcast of a broadcast, or of a reshape that only adds axes in front, is one broadcast."""
    (atom,) = root.operands
    expr = defined_by(builder, atom, broadcast) or defined_by(builder, atom, reshape)
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
    if is_scalar(builder, atom):
        return Root(broadcast, (atom,), (shape,))
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or operation is None:
        return None
    if operation is reshape:
        return Root(reshape, operands(expr), (shape,))
    if operation is broadcast and is_scalar(builder, operands(expr)[0]):
        return Root(broadcast, operands(expr), (shape,))
    if operation is not None and operation in REDUCTIONS and builder.lonely(atom):
        axes, kept = statics(expr)
        if shape == reduced(builder.type_of(operands(expr)[0]).shape, axes, not kept):
            return Root(operation, operands(expr), (axes, not kept))
    return None


def merged_transpose(builder: Rebuilder, root: Root) -> Made | None:
    """A transpose of a transpose is one, of a diagonal matrix none; a contraction gives its result in any order of axes."""
    (atom,), (axes,) = root.operands, root.statics
    if len(axes) == 2 and (defined_by(builder, atom, diagonal_matrix) or defined_by(builder, atom, eye)) is not None:
        return builder.look(atom)
    if (expr := defined_by(builder, atom, transpose)) is not None:
        inner = statics(expr)[0]
        return Root(transpose, operands(expr), (tuple(inner[a] for a in axes),))
    if (expr := defined_by(builder, atom, broadcast)) is not None and is_scalar(builder, operands(expr)[0]):
        shape = builder.type_of(atom).shape
        return Root(broadcast, operands(expr), (tuple(shape[a] for a in axes),))
    if (expr := defined_by(builder, atom, contract)) is not None and builder.lonely(atom):
        a, b, result = split(statics(expr)[0])
        return Root(contract, operands(expr), (f"{a},{b}->{''.join(result[k] for k in axes)}",))
    return None


def transposed_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """A contraction reads its operands' axes in any order: no transpose before it."""
    atoms, (a, b, result) = without_transposes(builder, root.operands, root.statics[0])
    return None if atoms == root.operands else Root(contract, atoms, (f"{a},{b}->{result}",))


def without_transposes(
    builder: Rebuilder, atoms: tuple[Basic, ...], labels: str
) -> tuple[tuple[Basic, ...], tuple[str, str, str]]:
    """What a contraction's operands are transposes of, and the labels of their axes."""
    a, b, result = split(labels)
    (x, a), (y, b) = (_turned_back(builder, *pair) for pair in zip(atoms, (a, b), strict=True))
    return (x, y), (a, b, result)


def _turned_back(builder: Rebuilder, atom: Basic, labels: str) -> tuple[Basic, str]:
    expr = defined_by(builder, atom, transpose)
    if expr is None:
        return atom, labels
    axes = statics(expr)[0]
    return operands(expr)[0], "".join(labels[axes.index(i)] for i in range(len(axes)))


def contraction_with_itself(builder: Rebuilder, root: Root) -> Made | None:
    """Which of two equal operands comes first makes no difference: of both spellings the one that sorts first."""
    a, b, result = split(root.statics[0])
    turned = canonical(b, a, result)
    if builder.look(root.operands[0]) != builder.look(root.operands[1]) or turned >= root.statics[0]:
        return None
    return Root(contract, root.operands, (turned,))


def sum_of_diagonals(builder: Rebuilder, root: Root) -> Made | None:
    """Diagonal matrices are added by their diagonals, an identity matrix as 1."""
    vectors = [_diagonal_of(builder, a) for a in root.operands]
    if None in vectors or not any(isinstance(v, Symbol) for v in vectors):
        return None
    return Root(diagonal_matrix, (builder.apply(root.operation, tuple(v for v in vectors if v is not None)),))


def _diagonal_of(builder: Rebuilder, atom: Basic) -> Basic | None:
    if defined_by(builder, atom, eye) is not None:
        return Integer(1)
    expr = defined_by(builder, atom, diagonal_matrix) if builder.lonely(atom) else None
    return None if expr is None or builder.type_of(atom).rank != 2 else operands(expr)[0]


def contraction_of_repeated(builder: Rebuilder, root: Root) -> Made | None:
    """What is repeated along an axis is multiplied once: the result is repeated, or the other operand summed."""
    a, b, result = split(root.statics[0])
    for (atom, labels), (other, others) in (
        ((root.operands[0], a), (root.operands[1], b)),
        ((root.operands[1], b), (root.operands[0], a)),
    ):
        expr = defined_by(builder, atom, broadcast)
        if expr is None:
            continue
        (source,), shape = operands(expr), builder.type_of(atom).shape
        before = builder.type_of(source).shape
        before = (1,) * (len(shape) - len(before)) + before
        kept = [k for k, (old, new) in enumerate(zip(before, shape, strict=True)) if old != 1 or new == 1]
        if not kept or len(kept) == len(shape):
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
    expr = defined_by(builder, root.operands[0], contract)
    if expr is None or not builder.lonely(root.operands[0]):
        return None
    a, b, result = split(statics(expr)[0])
    row, column = result[-2], result[-1]
    if (row in a) == (column in a) or (row in b) == (column in b):
        return None
    x, y = map(builder.value, operands(expr))
    return contracted(x, y, a.replace(column, row), b.replace(column, row), result[:-1]).atom


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
    Form("diagonal matrices in a sum", (add, subtract), sum_of_diagonals, "n additions instead of n^2",
         f"{_N}; diagonal_matrix(x) - eye(n)"),
    Form("contraction of repeated elements", (contract,), contraction_of_repeated, "each is multiplied once",
         "input A[n, 3], c[m]; A @ broadcast(c, (3, m))", frozenset({broadcast})),
    Form("diagonal of a product", (diagonal,), diagonal_of_contraction, "one row and column an element, not a matrix",
         "input A[n, 3], B[3, n]; trace(A @ B)"),
)  # fmt: skip

__all__ = ["REDUCTIONS", "STRUCTURE", "Shape", "defined_by", "is_scalar", "of_kind", "repeated"]
