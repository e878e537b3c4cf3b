"""Operations that pick elements: gather and its transpose, one-hot vectors, diagonals, the identity matrix.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: each is linear in its real operands, and its derivative is another record of this file; an index outside
of its array is refused where it is known before the call or given in it, moved by a constant or not (`indices` says which
operand holds them); one that is computed otherwise reads NaN and writes nothing.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic

from graphc.errors import ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import operands
from graphc.graph.operation import REQUIRED, Operation, Parameter, Require, operation_of
from graphc.graph.types import Dim, Type
from graphc.ops.elementwise import head, multiply
from graphc.ops.lowering import Access, Element, Scatter
from graphc.ops.movement import Index, Shapes, broadcast, given_shape, size_code
from graphc.ops.shape import Inferred, axis_number

# --- gather and its transpose --------------------------------------------------------------------------------------


def _gather_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    x, k = types
    axis = axis_number(statics[0], x.rank)
    if k.kind != "int":
        hint = "where(mask, x, 0) chooses elements" if k.kind == "bool" else "declare them as input k[n]: int"
        raise ShapeError(f"indices are {k.kind}, they must be int", hint=hint)
    return Type(x.shape[:axis] + k.shape + x.shape[axis + 1 :], x.kind), (axis,)


def _gather_read(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> str:
    (axis,), rank = statics, len(shapes[1])
    k = element(1, index[axis : axis + rank])
    size = size_code(shapes[0][axis])
    place = f"({k} if {k} >= 0 else {k} + {size})"
    read = element(0, (*index[:axis], place, *index[axis + rank :]))
    return f"({read} if ({k} >= -{size} and {k} < {size}) else missing)"


def _gather_reference(x: Any, k: Any, axis: int) -> Any:
    import numpy

    return numpy.take(x, k, axis=axis)


gather: Operation = Operation(
    name="gather", head=head("gather"), parameters=(Parameter("x"), Parameter("k"), Parameter("axis", "static", 0)),
    infer=_gather_infer, doc="Elements of x at the places k along an axis; x[k] is read too.", lowering=Access(_gather_read, fills=True),
    pullback=lambda at: (scatter(at.cotangent, at.operands[1], at.operands[0].shape, at.statics[0]), None),
    batch=lambda at: gather(*at.operands, at.statics[0] + 1), reference=_gather_reference,
    indices=lambda types, statics: (1, -types[0].shape[statics[0]], types[0].shape[statics[0]] - 1),
)  # fmt: skip


def _scatter_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    shape = given_shape(statics[0])
    return Type(shape), (shape, axis_number(statics[1], len(shape)))


def _scatter_place(index: Index, element: Element, shapes: Shapes, statics: tuple[Any, ...]) -> Index:
    shape, axis = statics
    rank = len(shapes[1])
    k = element(1, index[axis : axis + rank])
    return (*index[:axis], f"({k} if {k} >= 0 else {k} + {size_code(shape[axis])})", *index[axis + rank :])


def _scatter_reference(g: Any, k: Any, shape: tuple[int, ...], axis: int) -> Any:
    import numpy

    out = numpy.zeros(shape, g.dtype)
    numpy.add.at(out, (slice(None),) * axis + (k,), g)
    return out


scatter: Operation = Operation(
    name="scatter", head=head("scatter"),
    parameters=(Parameter("x"), Parameter("k"), Parameter("shape", "static"), Parameter("axis", "static", 0)),
    infer=_scatter_infer, doc="Zeros of a shape with the elements of x added at the places k: the derivative of gather.",
    lowering=Scatter(_scatter_place), pullback=lambda at: (gather(at.cotangent, at.operands[1], at.statics[1]), None),
    batch=lambda at: scatter(*at.operands, (at.size, *at.statics[0]), at.statics[1] + 1), reference=_scatter_reference,
    indices=lambda types, statics: (1, -statics[0][statics[1]], statics[0][statics[1]] - 1),
)  # fmt: skip


def _one_hot_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,), (classes,) = types, statics
    if not isinstance(classes, (int, Dim)) or isinstance(classes, bool):
        raise ParseError(f"the number of classes is a whole number, not {classes}", hint="one_hot(k, 10)")
    if t.kind == "real":
        raise ShapeError("class numbers are real, they must be int", hint="declare them as input k[n]: int")
    return Type((*t.shape, given_shape(classes)[0])), (classes,)


def _one_hot_reference(k: Any, classes: int) -> Any:
    import numpy

    return (numpy.asarray(k)[..., None] == numpy.arange(classes)).astype(float)


one_hot: Operation = Operation(
    name="one_hot", head=head("one_hot"), parameters=(Parameter("k"), Parameter("classes", "static", REQUIRED)),
    infer=_one_hot_infer, doc="1 at the place k of a new last axis, 0 elsewhere.",
    lowering=Access(lambda index, element, shapes, s: f"(real(1) if {element(0, index[:-1])} == {index[-1]} else real(0))"),
    reference=_one_hot_reference, indices=lambda types, statics: (0, 0, statics[0] - 1),
)  # fmt: skip

# --- diagonals -----------------------------------------------------------------------------------------------------


def _diagonal_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,) = types
    if t.rank < 2:
        raise ShapeError("only a matrix has a diagonal")
    require(t.shape[-2], t.shape[-1])
    return Type(t.shape[:-1], t.kind), ()


def _diagonal_matrix_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    (t,) = types
    if t.rank < 1:
        raise ShapeError("a diagonal matrix is made of a vector")
    return Type((*t.shape, t.shape[-1]), t.kind), ()


def _diagonal_reference(x: Any) -> Any:
    import numpy

    return numpy.diagonal(x, axis1=-2, axis2=-1)


def _diagonal_matrix_reference(x: Any) -> Any:
    import numpy

    out = numpy.zeros((*x.shape, x.shape[-1]), x.dtype)
    numpy.einsum("...ii->...i", out)[...] = x
    return out


def _diagonal_matrix_fold(
    builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type
) -> Basic | None:
    """One number all along the diagonal is that number times the identity matrix."""
    definition = builder.definition(builder.resolve(atoms[0])) if builder.simplify and type_.rank == 2 else None
    if definition is None or operation_of(definition) is not broadcast:
        return None
    number = operands(definition)[0]
    if builder.type_of(number).shape != ():
        return None
    return builder.apply(multiply, (number, builder.apply(eye, (), type_.shape[:1])))


diagonal: Operation = Operation(
    name="diagonal", head=head("diagonal"), parameters=(Parameter("x"),), infer=_diagonal_infer,
    doc="Diagonal of a square matrix (the last two axes), as a vector.",
    lowering=Access(lambda index, element, shapes, s: element(0, (*index, index[-1]))),
    pullback=lambda at: (diagonal_matrix(at.cotangent),), batch=lambda at: diagonal(*at.operands),
    reference=_diagonal_reference,
)  # fmt: skip
diagonal_matrix: Operation = Operation(
    name="diagonal_matrix", head=head("diagonal_matrix"), parameters=(Parameter("x"),), infer=_diagonal_matrix_infer,
    doc="Square matrix with a vector (the last axis) on its diagonal.",
    lowering=Access(
        lambda index, element, shapes, s: f"({element(0, index[:-1])} if {index[-2]} == {index[-1]} else zero)",
        fills=True,
    ),
    pullback=lambda at: (diagonal(at.cotangent),), batch=lambda at: diagonal_matrix(*at.operands),
    fold=_diagonal_matrix_fold,
    reference=_diagonal_matrix_reference,
)  # fmt: skip


def _eye_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    shape = given_shape(statics[0])
    if len(shape) != 1 or shape[0] == -1:
        raise ParseError(f"the size of an identity matrix is one size, not {statics[0]}", hint="eye(3)")
    return Type(shape * 2, "real"), (shape[0],)


def _eye_reference(size: int) -> Any:
    import numpy

    return numpy.eye(size)


eye: Operation = Operation(
    name="eye", head=head("eye"), parameters=(Parameter("n", "static"),), infer=_eye_infer,
    doc="Identity matrix of a size.", reference=_eye_reference,
    lowering=Access(lambda index, element, shapes, s: f"(real(1) if {index[0]} == {index[1]} else real(0))"),
    latex="I_{{{s0}}}",
)  # fmt: skip

OPERATIONS = (gather, scatter, one_hot, diagonal, diagonal_matrix, eye)
