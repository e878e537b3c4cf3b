"""Transposes: of sums, products and functions of elements, and of matrices that are symmetric or skew.

In: a transpose or a contraction in a builder.  Out: what takes its place, or None.
Always holds: no transpose is added, and nothing that costs more than an operation on elements is computed twice.
"""

from __future__ import annotations

from sympy import Basic

from graphc.graph.graph import operands, statics
from graphc.graph.operation import operation_of
from graphc.ops.contraction import canonical, contract, matrix_form, split
from graphc.ops.elementwise import add, divide, multiply, negate, subtract
from graphc.ops.indexing import diagonal_matrix, eye
from graphc.ops.linear_algebra import cofactors, inverse
from graphc.ops.movement import transpose
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

DEEPEST = 5  # operations between a transpose and what it ends at
TURNED = (1, 0)
Turned = tuple[int, Basic]  # a sign and an atom


def turned(builder: Rebuilder, atom: Basic, makes: bool = True, depth: int = DEEPEST) -> Turned | None:
    """The transpose of a number or a matrix without a transpose; None where it takes one.

    `makes`: by operations that take the place of others, too, not only by what is there already.
    """
    atom, rank = builder.look(atom), builder.type_of(atom).rank
    if rank != 2:
        return None if rank else (1, atom)
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if operation is None or expr is None or not depth:
        return _known(builder, atom)
    if operation is transpose:
        return 1, builder.look(operands(expr)[0])
    if operation in (eye, diagonal_matrix):
        return 1, atom
    if operation is contract:
        return _contraction(builder, atom, expr, makes)
    if operation.elementwise or operation in (inverse, cofactors):
        parts = [turned(builder, a, makes, depth - 1) for a in operands(expr)]
        found = None if None in parts else _applied(builder, atom, expr, [p for p in parts if p is not None], makes)
        return found or _known(builder, atom)
    return _known(builder, atom)


def _known(builder: Rebuilder, atom: Basic) -> Turned | None:
    found = builder.find(transpose, (atom,), (TURNED,))
    return None if found is None else (1, found)


def _contraction(builder: Rebuilder, atom: Basic, expr: Basic, makes: bool) -> Turned | None:
    """A contraction gives its result in any order of axes: (A @ A.T).T is the same, outer(a, b).T is outer(b, a)."""
    a, b, result = split(statics(expr)[0])
    x, y = operands(expr)
    found = builder.find(contract, (x, y), (canonical(a, b, result[::-1]),))
    found = found or builder.find(contract, (y, x), (canonical(b, a, result[::-1]),))
    if found is None and makes and (builder.lonely(atom) or len(a) == len(b) == 1):
        found = builder.apply(contract, (y, x), (canonical(b, a, result[::-1]),))
    return None if found is None else (1, found)


def _applied(builder: Rebuilder, atom: Basic, expr: Basic, parts: list[Turned], makes: bool) -> Turned | None:
    """An operation on transposes, where it is there already, or takes the place of one that nothing else uses."""
    operation, fixed = operation_of(expr), statics(expr)
    assert operation is not None
    signs, atoms = zip(*parts, strict=True)
    if operation in (multiply, divide):
        sign = signs[0] * signs[1]
    elif operation in (add, subtract, negate, inverse) and len({*signs}) == 1:
        sign = signs[0]
    elif -1 in signs:
        return None
    else:
        sign = 1
    if atoms == tuple(map(builder.look, operands(expr))):
        return sign, atom
    if (found := builder.find(operation, atoms, fixed)) is not None:
        return sign, found
    if operation is subtract and (found := builder.find(operation, atoms[::-1], fixed)) is not None:
        return -sign, found
    if not makes or not builder.lonely(atom) or operation in (inverse, cofactors):
        return None
    return sign, builder.apply(operation, atoms, fixed)


def transposed(builder: Rebuilder, root: Root) -> Made | None:
    """(A + A.T).T = A + A.T, (A - A.T).T = -(A - A.T), (c*A.T).T = c*A."""
    if root.statics != (TURNED,):
        return None
    found = turned(builder, root.operands[0])
    if found is None:
        return None
    sign, atom = found
    return Root(negate, (atom,)) if sign < 0 else atom


def contraction_with_symmetric(builder: Rebuilder, root: Root) -> Made | None:
    """What is symmetric is read either way, x @ S as S @ x: of all spellings that with the fewest transposes, a matrix before a
    vector; of a skew matrix, read the other way, the negative."""
    x, y = root.operands
    a, b, result = split(root.statics[0])
    for k, labels in enumerate((a, b)):
        found = turned(builder, root.operands[k], makes=False) if len(labels) == 2 and len(a + b) < 5 else None
        if found is None or found[1] != builder.look(root.operands[k]):
            continue
        other = (a[::-1], b) if k == 0 else (a, b[::-1])
        spelled = [(1, (x, y), canonical(a, b, result)), (1, (y, x), canonical(b, a, result)),
                   (found[0], (x, y), canonical(*other, result)), (found[0], (y, x), canonical(*other[::-1], result))]  # fmt: skip
        sign, atoms, best = min(spelled, key=lambda s: _spelling(s[2]))
        if _spelling(best) < _spelling(root.statics[0]):
            return (
                Root(contract, atoms, (best,)) if sign > 0 else Root(negate, (builder.apply(contract, atoms, (best,)),))
            )
    return None


def _spelling(labels: str) -> tuple[int, int, str]:
    """How many operands are read transposed, the axes of the second operand, the labels."""
    form = matrix_form(labels)
    return (2 if form is None else form[1] + form[3]), len(split(labels)[1]), labels


SYMMETRY: tuple[Form, ...] = (
    Form("transpose of a symmetric matrix", (transpose,), transposed, "no transpose", "input A[n, n]; 2*(A + A.T) + (2*(A + A.T)).T"),
    Form("contraction with a symmetric matrix", (contract,), contraction_with_symmetric, "equal products are then one symbol",
         "input A[n, n], x[n]; x @ (A + A.T) + (A + A.T) @ x"),
)  # fmt: skip

__all__ = ["SYMMETRY"]
