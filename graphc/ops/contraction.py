"""Contraction: products summed over shared axes, of which the matrix product is the best known.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: in a graph there is only `contract`, of two operands, its labels renamed a, b, c ... in order of
appearance; an axis that one operand alone has and the result has not is summed before.  Its derivative is itself.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer

from graphc.errors import ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import operands
from graphc.graph.operation import Batching, Linearization, Operation, Parameter, Require, Value, operation_of
from graphc.graph.types import Size, Type, promote, shape_text
from graphc.ops.elementwise import head, multiply
from graphc.ops.indexing import diagonal, eye
from graphc.ops.lowering import Contract
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.reduction import sum_
from graphc.ops.shape import Inferred

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def split(labels: str) -> tuple[str, str, str]:
    """Labels of the first operand, the second, and the result."""
    inputs, result = labels.split("->")
    a, b = inputs.split(",")
    return a, b, result


def canonical(a: str, b: str, result: str) -> str:
    """The same labels, renamed in order of appearance."""
    names: dict[str, str] = {}
    for label in a + b:
        names.setdefault(label, LETTERS[len(names)])
    renamed = ["".join(names[label] for label in part) for part in (a, b, result)]
    return f"{renamed[0]},{renamed[1]}->{renamed[2]}"


def label_sizes(parts: tuple[str, ...], shapes: tuple[tuple[Size, ...], ...], require: Require) -> dict[str, Size]:
    """Size of each label; ShapeError where two axes of one label differ."""
    sizes: dict[str, Size] = {}
    for part, shape in zip(parts, shapes, strict=True):
        if len(part) != len(shape):
            raise ShapeError(f"labels {part!r} for {len(shape)} dimensions {shape_text(shape)}")
        for label, size in zip(part, shape, strict=True):
            if label in sizes:
                require(sizes[label], size)
            sizes.setdefault(label, size)
    return sizes


def _contract_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    a, b, result = split(statics[0])
    sizes = label_sizes((a, b), (types[0].shape, types[1].shape), require)
    kind = promote(t.kind for t in types)
    return Type(tuple(sizes[label] for label in result), "int" if kind == "bool" else kind), (canonical(a, b, result),)


def _contract_pullback(at: Linearization) -> tuple[Value, Value]:
    (x, y), (a, b, result) = at.operands, split(at.statics[0])
    return contracted(at.cotangent, y, result, b, a), contracted(x, at.cotangent, a, result, b)


def _contract_batch(at: Batching) -> Value:
    """A label more for the new axis."""
    (x, y), (a, b, result) = at.operands, split(at.statics[0])
    new = next(c for c in LETTERS if c not in a + b)
    return contracted(x, y, new * at.batched[0] + a, new * at.batched[1] + b, new + result)


def _contract_fold(builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
    """A product with a number is elementwise; one with the identity matrix is the other operand, its axes renamed; one
    with an array of one number sums the other operand and repeats it."""
    a, b, result = split(statics[0])
    if builder.simplify and result in (a, b) and "" in (a, b):
        return builder.apply(multiply, atoms)
    if not builder.simplify:
        return None
    for (matrix, names), (other, labels) in (((atoms[0], a), (atoms[1], b)), ((atoms[1], b), (atoms[0], a))):
        number = _repeated_number(builder, matrix)
        if number is not None:
            return _repeated(builder, number, other, labels, result, type_)
        scale = _identity_scale(builder, matrix)
        if scale is None:
            continue
        for summed, kept in ((names[0], names[1]), (names[1], names[0])):
            renamed = labels.replace(summed, kept)
            if summed in labels and kept not in labels and sorted(renamed) == sorted(result):
                found = builder.apply(transpose, (other,), (tuple(renamed.index(c) for c in result),))
                return builder.apply(multiply, (scale, found))
    return None


def _repeated_number(builder: Builder, atom: Basic) -> Basic | None:
    """The number that all elements of an array are; None of others."""
    definition = builder.definition(builder.resolve(atom))
    if definition is None or operation_of(definition) is not broadcast:
        return None
    (number,) = operands(definition)
    return number if builder.type_of(number).rank == 0 else None


def _repeated(builder: Builder, number: Basic, x: Basic, labels: str, result: str, type_: Type) -> Basic:
    """number*x, summed over the labels that the result lacks, and repeated along those that it has alone."""
    x, labels = _presum(builder, x, labels, result)
    ordered = "".join(c for c in result if c in labels)
    x = builder.apply(transpose, (x,), (tuple(labels.index(c) for c in ordered),))
    x = builder.apply(multiply, (number, x))
    shape = tuple(d if c in labels else 1 for c, d in zip(result, type_.shape, strict=True))
    return builder.apply(broadcast, (builder.apply(reshape, (x,), (shape,)),), (type_.shape,))


def _identity_scale(builder: Builder, atom: Basic) -> Basic | None:
    """The number c of a matrix c*eye(n); None of others."""
    definition = builder.definition(builder.resolve(atom))
    if definition is not None and operation_of(definition) is eye:
        return Integer(1)
    if definition is None or operation_of(definition) is not multiply:
        return None
    number, matrix = sorted(operands(definition), key=lambda a: builder.type_of(a).rank)
    plain = builder.definition(builder.resolve(matrix))
    scales = builder.type_of(number).rank == 0 and plain is not None and operation_of(plain) is eye
    return number if scales else None


def contracted(x: Value, y: Value, a: str, b: str, result: str) -> Value:
    """The contraction of two values; labels that only one of them has and the result lacks are summed first."""
    return Value(x.builder, _pair(x.builder, x.atom, y.atom, a, b, result, None))


def _pair(builder: Builder, x: Basic, y: Basic, a: str, b: str, result: str, name: str | None) -> Basic:
    x, a = _presum(builder, x, a, b + result)
    y, b = _presum(builder, y, b, a + result)
    return builder.apply(contract, (x, y), (f"{a},{b}->{result}",), name)


def _presum(builder: Builder, x: Basic, labels: str, elsewhere: str) -> tuple[Basic, str]:
    lonely = tuple(i for i, label in enumerate(labels) if label not in elsewhere)
    if not lonely:
        return x, labels
    return builder.apply(sum_, (x,), (lonely, False)), "".join(c for c in labels if c in elsewhere)


def matmul_labels(rank_a: int, rank_b: int) -> str:
    """Labels of a @ b, as NumPy's matmul; ShapeError for scalars."""
    if rank_a == 0 or rank_b == 0:
        raise ShapeError("@ takes vectors and matrices", hint="write * to multiply by a number")
    batch = max(rank_a, rank_b) - 2
    stack = LETTERS[3 : 3 + max(batch, 0)]
    a = ("a" if rank_a > 1 else "") + "b"
    b = "b" + ("c" if rank_b > 1 else "")
    stack_a, stack_b = (stack[len(stack) - max(r - 2, 0) :] for r in (rank_a, rank_b))
    return canonical(stack_a + a, stack_b + b, stack + a[:-1] + b[1:])


def _matmul(builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    ranks = (builder.type_of(a).rank for a in atoms)
    return builder.apply(contract, atoms, (matmul_labels(*ranks),), name)


def _outer(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    if any(builder.type_of(a).rank != 1 for a in operands):
        raise ShapeError("outer takes two vectors", hint='einsum("ij,k->ijk", a, b) takes any')
    return builder.apply(contract, operands, ("a,b->ab",), name)


def _einsum(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    """Any number of operands, left to right; one operand is transposed and summed."""
    parts, result = _einsum_labels(statics[0], len(operands))
    for part, atom in zip(parts, operands, strict=True):
        if len(part) != builder.type_of(atom).rank:
            raise ShapeError(f"labels {part!r} for {builder.type_of(atom).rank} dimensions")
    plain = [_with_diagonals(builder, *pair) for pair in zip(operands, parts, strict=True)]
    operands, parts = tuple(x for x, _ in plain), [labels for _, labels in plain]
    x, labels = plain[0]
    for k in range(1, len(operands)):
        later = "".join(parts[k + 1 :]) + result
        kept = "".join(dict.fromkeys(c for c in labels + parts[k] if c in later))
        last = k == len(operands) - 1
        kept = result if last else kept
        x, labels = _pair(builder, x, operands[k], labels, parts[k], kept, name if last else None), kept
    if len(operands) > 1:
        return x
    x, labels = _presum(builder, x, labels, result)
    order = tuple(labels.index(c) for c in result)
    return builder.bind(name, x if order == tuple(range(len(order))) else builder.apply(transpose, (x,), (order,)))


def _with_diagonals(builder: Builder, x: Basic, labels: str) -> tuple[Basic, str]:
    """A label that stands twice reads a diagonal, which becomes the last axis."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            pair = labels.index(label), labels.rindex(label)
            others = tuple(k for k in range(len(labels)) if k not in pair)
            x = builder.apply(diagonal, (builder.apply(transpose, (x,), ((*others, *pair),)),))
            labels = "".join(labels[k] for k in others) + label
    return x, labels


def _einsum_labels(text: Any, count: int) -> tuple[list[str], str]:
    hint = 'einsum("ij,jk->ik", a, b)'
    if not isinstance(text, str):
        raise ParseError("einsum takes labels first", hint=hint)
    if text.count("->") != 1:
        once = "".join(sorted(c for c in set(text) if c.isalpha() and text.count(c) == 1))
        meant = f'"{text}->{once}"' if text.count("->") == 0 else hint
        raise ParseError(
            f"the labels {text!r} do not say which the result has, after one ->", hint=f"einsum({meant}, ...)"
        )
    inputs, result = text.replace(" ", "").split("->")
    parts = inputs.split(",")
    if len(parts) != count:
        raise ParseError(f"{len(parts)} groups of labels for {count} operands", hint=hint)
    known = "".join(parts)
    if not all(c.isascii() and c.isalpha() for c in known + result):
        raise ParseError(f"labels are letters, not {text!r}", hint=hint)
    for c in result:
        if c not in known or result.count(c) > 1:
            raise ParseError(f"label {c!r} of the result is not once among the operands'", hint=hint)
    return parts, result


def _contract_reference(a: Any, b: Any, labels: str) -> Any:
    import numpy

    return numpy.einsum(labels, a, b)


def _contract_show(texts: tuple[str, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
    if types[0].rank and types[1].rank and statics[0] == matmul_labels(types[0].rank, types[1].rank):
        return f"{texts[0]} @ {texts[1]}"
    if statics[0] == "a,b->ab":
        return f"outer({texts[0]}, {texts[1]})"
    return f'einsum("{statics[0]}", {texts[0]}, {texts[1]})'


def matrix_form(labels: str) -> tuple[int, bool, int, bool] | None:
    """A contraction as a product of matrices: (first operand, transposed, second operand, transposed).

    None where it is not a product of two matrices, or of a matrix and a vector.
    """
    a, b, result = split(labels)
    written, swapped = _matrix_product(0, a, 1, b, result), _matrix_product(1, b, 0, a, result)
    if written is None or (
        swapped is not None and len(a) < len(b) and swapped[1] + swapped[3] < written[1] + written[3]
    ):
        return swapped  # X @ a, not a @ X.T
    return written


def _matrix_product(first: int, x: str, second: int, y: str, result: str) -> tuple[int, bool, int, bool] | None:
    for turn_x in (False, True)[: len(x)]:
        for turn_y in (False, True)[: len(y)]:
            left, right = (x[::-1] if turn_x else x), (y[::-1] if turn_y else y)
            if not (left and right) or len(left) > 2 or len(right) > 2 or left[-1] != right[0]:
                continue
            if left[:-1] + right[1:] == result and left[-1] not in result:
                return first, turn_x, second, turn_y
    return None


contract: Operation = Operation(
    name="contract", spelling="einsum", head=head("contract"), hidden=True,
    parameters=(Parameter("labels", "static"), Parameter("a"), Parameter("b")), infer=_contract_infer,
    doc="Products summed over the labels that the result lacks.", lowering=Contract(), pullback=_contract_pullback,
    batch=_contract_batch, fold=_contract_fold, reference=_contract_reference, show=_contract_show,
)  # fmt: skip
matmul: Operation = Operation(
    name="matmul", head=head("matmul"), parameters=(Parameter("a"), Parameter("b")), infer=_contract_infer, hidden=True,
    doc="Matrix product, as NumPy's @.", syntax="a @ b", binding=20, define=_matmul,
)  # fmt: skip
outer: Operation = Operation(
    name="outer", head=head("outer"), parameters=(Parameter("a"), Parameter("b")), infer=_contract_infer,
    doc="All products of the elements of two vectors.", define=_outer,
)  # fmt: skip
einsum: Operation = Operation(
    name="einsum", head=head("einsum"), parameters=(Parameter("labels", "static"), Parameter("x", "operands")),
    infer=_contract_infer, doc="Products summed over the labels that the result lacks.", define=_einsum,
)  # fmt: skip

OPERATIONS = (contract, matmul, outer, einsum)
