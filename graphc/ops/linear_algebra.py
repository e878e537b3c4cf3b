"""Linear algebra: solutions, factors and eigenvalues of square matrices, by LAPACK.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: matrices are the last two axes, what stands before them is repeated over; each derivative is made of
operations of the table, so that there are derivatives of every order; a matrix that has no inverse, or no Cholesky factor,
gives NaN (`det` 0, `logdet` -inf), and so do its derivatives, but for the first two of `det`.

The derivatives are those of Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation", and for Cholesky's factor that of Murray (2016), "Differentiation of the Cholesky decomposition".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Basic, Rational

from graphc.errors import ShapeError
from graphc.graph.builder import Builder
from graphc.graph.operation import Batching, Linearization, Operation, Parameter, Require, Value
from graphc.graph.types import Size, Type, product, shape_text
from graphc.ops.contraction import LETTERS, contracted, matmul
from graphc.ops.elementwise import equal, head, where
from graphc.ops.indexing import diagonal, diagonal_matrix
from graphc.ops.lowering import Access, Routine
from graphc.ops.movement import Shapes, broadcast, reshape, transpose
from graphc.ops.program import as_real
from graphc.ops.reduction import sum_
from graphc.ops.shape import Inferred, truth

MATRIX = (Parameter("A"),)
SYSTEM = (Parameter("A"), Parameter("b"))
Fold = Callable[[Builder, tuple[Basic, ...], tuple[Any, ...], Type], Basic | None]

# --- types -------------------------------------------------------------------------------------------------------------


def _matrix(t: Type) -> tuple[Size, ...]:
    if t.rank < 2:
        raise ShapeError(f"shape {shape_text(t.shape)} is no matrix", hint="input A[n, n]")
    return t.shape


def _square(t: Type, require: Require) -> tuple[Size, ...]:
    shape = _matrix(t)
    require(shape[-2], shape[-1])
    return shape


def _infer(dropped: int) -> Callable[..., Inferred]:
    """The shape of square matrices without the last `dropped` axes."""

    def infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
        shape = _square(types[0], require)
        return Type(shape[: len(shape) - dropped]), statics

    return infer


def _tril_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    _matrix(types[0])
    return types[0], ()


def _solve_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    shape, b = _square(types[0], require), types[1]
    if b.rank not in (len(shape), len(shape) - 1):
        raise ShapeError(
            f"a right-hand side of shape {shape_text(b.shape)} for matrices of shape {shape_text(shape)}",
            hint="it is a vector with an element for each row, or a matrix of such columns",
        )
    for mine, theirs in zip(shape[:-1], b.shape, strict=False):
        require(mine, theirs)
    return Type(b.shape), statics


def _triangular_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    flags = truth(statics[0], "upper"), truth(statics[1], "transposed")
    return _solve_infer(types, flags, require)


def _along_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    shape, direction = _square(types[0], require), types[1]
    if direction.rank != len(shape):
        raise ShapeError(
            f"a direction of shape {shape_text(direction.shape)} for matrices of shape {shape_text(shape)}"
        )
    for mine, theirs in zip(shape, direction.shape, strict=True):
        require(mine, theirs)
    return Type(shape), statics


def _of_reals(name: str) -> Fold:
    """Whole numbers are taken as real ones: LAPACK knows no others."""

    def fold(builder: Builder, atoms: tuple[Basic, ...], statics: tuple[Any, ...], type_: Type) -> Basic | None:
        if all(builder.type_of(a).kind == "real" for a in atoms):
            return None
        reals = (a if builder.type_of(a).kind == "real" else builder.apply(as_real, (a,)) for a in atoms)
        return builder.apply(_BY_NAME[name], tuple(reals), statics)

    return fold


# --- what derivatives are written with -----------------------------------------------------------------------------------


def _turned(x: Value) -> Value:
    """The transposes of matrices."""
    rank = len(x.shape)
    return transpose(x, (*range(rank - 2), rank - 1, rank - 2))  # type: ignore[no-any-return]


def _each(x: Value) -> Value:
    """Numbers, one a matrix, so that they multiply all its elements."""
    return reshape(x, (*x.shape, 1, 1))  # type: ignore[no-any-return]


def _outer(b: Value, x: Value, a: Value) -> Value:
    """b x^T, in the shape of a; of vectors or of matrices."""
    if len(b.shape) == len(a.shape):
        return matmul(b, _turned(x))  # type: ignore[no-any-return]
    stack, row, column = LETTERS[2 : len(a.shape)], *LETTERS[:2]
    return contracted(b, x, stack + row, stack + column, stack + row + column)


def _inner(x: Value, y: Value) -> Value:
    """The sum of products of elements, one a matrix."""
    rank = len(x.shape)
    return sum_(x * y, (rank - 2, rank - 1), True)  # type: ignore[no-any-return]


def _symmetric(x: Value) -> Value:
    return (x + _turned(x)) * Rational(1, 2)  # type: ignore[no-any-return]


def _inverse_pullback(at: Linearization) -> tuple[Value]:
    t = _turned(at.result)
    return (-matmul(matmul(t, at.cotangent), t),)


def _solve_pullback(at: Linearization) -> tuple[Value, Value]:
    a, _ = at.operands
    u = solve(_turned(a), at.cotangent)
    return -_outer(u, at.result, a), u


def _triangular_pullback(at: Linearization) -> tuple[Value, Value]:
    (a, _), (upper, transposed) = at.operands, at.statics
    u = solve_triangular(a, at.cotangent, upper, not transposed)
    pair = _outer(at.result, u, a) if transposed else _outer(u, at.result, a)
    return -(triu if upper else tril)(pair), u


def _determinant_pullback(at: Linearization) -> tuple[Value]:
    return (_each(at.cotangent) * cofactors(at.operands[0]),)


def _cofactors_pullback(at: Linearization) -> tuple[Value]:
    """The second derivative of det is symmetric: <g, C'(h)> = <C'(g), h>."""
    return (cofactors_along(at.operands[0], at.cotangent),)


def _along_pullback(at: Linearization) -> tuple[Value, Value]:
    """For the direction as above; for A what det(A) C'(h) = <C, h> C - C h^T C gives when it is differentiated along g."""
    (a, h), g = at.operands, at.cotangent
    c, along = cofactors(a), cofactors_along(a, g)
    inner = _inner(along, h) * c + _inner(c, h) * along - _inner(c, g) * at.result
    sides = matmul(matmul(along, _turned(h)), c) + matmul(matmul(c, _turned(h)), along)
    return (inner - sides) / _each(det(a)), along


def _logdet_pullback(at: Linearization) -> tuple[Value]:
    return (_each(at.cotangent) * _turned(inverse(at.operands[0])),)


def _cholesky_pullback(at: Linearization) -> tuple[Value]:
    """The symmetric part of L^-T P L^-1, P the lower triangle of L^T g with half its diagonal (Murray 2016, eq. 10)."""
    factor = at.result
    full = matmul(_turned(factor), tril(at.cotangent))
    lower = tril(full) - diagonal_matrix(diagonal(full)) * Rational(1, 2)
    left = solve_triangular(factor, lower, False, True)
    return (_symmetric(solve_triangular(factor, _turned(left), False, True)),)


def _eigenvalues_pullback(at: Linearization) -> tuple[Value]:
    v, g = eigenvectors(at.operands[0]), at.cotangent
    return (matmul(v * reshape(g, (*g.shape[:-1], 1, g.shape[-1])), _turned(v)),)


def _eigenvectors_pullback(at: Linearization) -> tuple[Value]:
    """V (F * (V^T g)) V^T with F_ij = 1/(w_j - w_i), 0 where the eigenvalues w are equal (Giles 2008, section 3.1)."""
    v, w = at.result, eigenvalues(at.operands[0])
    apart = reshape(w, (*w.shape[:-1], 1, w.shape[-1])) - reshape(w, (*w.shape, 1))
    inner = where(equal(apart, 0), 0, 1 / apart) * matmul(_turned(v), at.cotangent)
    return (_symmetric(matmul(matmul(v, inner), _turned(v))),)


# --- batches -----------------------------------------------------------------------------------------------------------


def _solve_batch(at: Batching) -> Value:
    """More right-hand sides are more columns of one matrix; of several matrices, a batch of the systems."""
    (a, b), operation = at.operands, solve_triangular if at.statics else solve
    if len(a.shape) > 2:
        return operation(broadcast(a, (at.size, *a.shape)), b, *at.statics)  # type: ignore[no-any-return]
    if len(b.shape) == 2:
        return _turned(operation(a, _turned(b), *at.statics))
    columns = transpose(b, (1, 0, 2))
    flat = reshape(columns, (columns.shape[0], columns.shape[1] * columns.shape[2]))
    found = reshape(operation(a, flat, *at.statics), columns.shape)
    return transpose(found, (1, 0, 2))  # type: ignore[no-any-return]


# --- references --------------------------------------------------------------------------------------------------------


def _numpy(function: Callable[..., Any], vector: bool = False) -> Callable[..., Any]:
    """Matrix by matrix; NaN in the shape of the last operand where there is no result."""

    def reference(*arguments: Any) -> Any:
        import numpy

        arrays = [x for x in arguments if isinstance(x, numpy.ndarray)]
        fixed = arguments[len(arrays) :]
        stack = arrays[0].shape[:-2]
        results = []
        for place in numpy.ndindex(*stack):
            parts = [x[place] for x in arrays]
            try:
                results.append(function(numpy, *parts, *fixed))
            except numpy.linalg.LinAlgError:
                results.append(numpy.full(parts[-1].shape[: 1 if vector else 2], numpy.nan))
        found = numpy.asarray(results)
        return found.reshape((*stack, *found.shape[1:]))

    return reference


def _numpy_triangular(numpy: Any, a: Any, b: Any, upper: bool, transposed: bool) -> Any:
    import scipy.linalg

    return scipy.linalg.solve_triangular(a, b, trans=int(transposed), lower=not upper, check_finite=False)


def _numpy_eigenvectors(numpy: Any, a: Any) -> Any:
    v = numpy.linalg.eigh((a + a.T) / 2)[1]
    largest = numpy.take_along_axis(v, abs(v).argmax(axis=0)[None], axis=0)
    return v * numpy.where(largest < 0, -1, 1)


def _numpy_cofactors(numpy: Any, a: Any) -> Any:
    """By singular values: det(U V) U diag(the product of the other values) V, which needs no inverse."""
    u, values, v = numpy.linalg.svd(a)
    others = [numpy.prod(numpy.delete(values, k)) for k in range(len(values))]
    return numpy.linalg.det(u) * numpy.linalg.det(v) * (u * others) @ v


def _numpy_cofactors_along(numpy: Any, a: Any, h: Any) -> Any:
    """The derivative of each minor, <its cofactors, h without that row and column>."""
    found = numpy.empty_like(a)
    for i, j in numpy.ndindex(*a.shape):
        minor, along = (numpy.delete(numpy.delete(m, i, 0), j, 1) for m in (a, h))
        found[i, j] = (-1) ** (i + j) * (_numpy_cofactors(numpy, minor) * along).sum()
    return found


def _numpy_tril(x: Any) -> Any:
    import numpy

    return numpy.tril(x)


# --- in many digits ----------------------------------------------------------------------------------------------------


def _exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """Matrix by matrix, in mpmath's matrices; NaN in the shape of the last operand where there is no result."""

    def exact(mp: Any, *arguments: Any) -> Any:
        import numpy

        arrays = [x for x in arguments if isinstance(x, numpy.ndarray)]
        fixed, stack = arguments[len(arrays) :], arrays[0].shape[:-2]
        results = []
        for place in numpy.ndindex(*stack):
            parts = [x[place] for x in arrays]
            try:
                found = function(mp, *(mp.matrix(p.tolist()) for p in parts), *fixed)
            except (ZeroDivisionError, ValueError):
                found = mp.nan * mp.matrix(parts[-1].tolist())
            array = numpy.array(found.tolist() if isinstance(found, mp.matrix) else found, dtype=object)
            results.append(array.reshape(parts[-1].shape) if len(parts) > 1 else array)
        return numpy.array(results, dtype=object).reshape((*stack, *results[0].shape))

    return exact


def _exact_triangular(mp: Any, a: Any, b: Any, upper: bool, transposed: bool) -> Any:
    kept = a.copy()
    for i in range(a.rows):
        for j in range(i) if upper else range(i + 1, a.rows):
            kept[i, j] = 0
    return mp.inverse(kept.T if transposed else kept) * b


def _exact_eigenvectors(mp: Any, a: Any) -> Any:
    v = mp.eigsy((a + a.T) / 2)[1]
    for j in range(v.cols):
        if max((v[i, j] for i in range(v.rows)), key=abs) < 0:
            v[:, j] = -v[:, j]
    return v


def _exact_cofactors(mp: Any, a: Any) -> Any:
    n, found = a.rows, mp.matrix(a.rows)
    for i in range(n):
        for j in range(n):
            found[i, j] = (-1) ** (i + j) * (mp.det(_without(mp, a, i, j)) if n > 1 else 1)
    return found


def _exact_cofactors_along(mp: Any, a: Any, h: Any) -> Any:
    n, found = a.rows, mp.matrix(a.rows)
    for i in range(n if n > 1 else 0):
        for j in range(n):
            minor, along = _exact_cofactors(mp, _without(mp, a, i, j)), _without(mp, h, i, j)
            found[i, j] = (-1) ** (i + j) * mp.fdot(minor, along)
    return found


def _without(mp: Any, a: Any, i: int, j: int) -> Any:
    """A matrix without one row and one column."""
    return mp.matrix([[a[r, c] for c in range(a.cols) if c != j] for r in range(a.rows) if r != i])


def _exact_logdet(mp: Any, a: Any) -> Any:
    found = mp.det(a)
    return mp.log(abs(found)) if found else -mp.inf


# --- code --------------------------------------------------------------------------------------------------------------


def _routine(name: str, *flags: int) -> Routine:
    """Count of matrices, their size, and flags."""
    return Routine(name, lambda shapes, statics: (product(shapes[0][:-2]), shapes[0][-1], *flags))


def _system(name: str) -> Routine:
    """Count of systems, their size, the columns of their right-hand sides, and flags."""

    def arguments(shapes: Shapes, statics: tuple[Any, ...]) -> tuple[Size, ...]:
        a, b = shapes
        columns = 1 if len(b) < len(a) else b[-1]
        return (product(a[:-2]), a[-1], columns, *(int(s) for s in statics))

    return Routine(name, arguments)


def _trace(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    return builder.apply(sum_, (builder.apply(diagonal, operands),), (-1, False), name)


def _triu(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    _matrix(builder.type_of(operands[0]))
    found = _turned(tril(_turned(builder.value(operands[0])))).atom
    return builder.bind(name, found)


inverse: Operation = Operation(
    name="inverse", head=head("inverse"), parameters=MATRIX, others=("inv",), infer=_infer(0),
    doc="Inverse of a matrix; NaN where there is none.", lowering=_routine("lu_inverse"), fold=_of_reals("inverse"),
    pullback=_inverse_pullback, reference=_numpy(lambda np, a: np.linalg.inv(a)), latex="{{{0}}}^{{-1}}",
    exact=_exact(lambda mp, a: mp.inverse(a)),
)  # fmt: skip
solve: Operation = Operation(
    name="solve", head=head("solve"), parameters=SYSTEM, infer=_solve_infer,
    doc="x of A @ x = b, for a vector or a matrix b; NaN where A has no inverse.", lowering=_system("lu_solution"),
    fold=_of_reals("solve"), pullback=_solve_pullback, batch=_solve_batch,
    reference=_numpy(lambda np, a, b: np.linalg.solve(a, b)), latex="{{{0}}}^{{-1}} {1}",
    exact=_exact(lambda mp, a, b: mp.inverse(a) * b),
)  # fmt: skip
solve_triangular: Operation = Operation(
    name="solve_triangular", head=head("solve_triangular"),
    parameters=(*SYSTEM, Parameter("upper", "static", False), Parameter("transposed", "static", False)),
    infer=_triangular_infer, lowering=_system("triangular_solution"), fold=_of_reals("solve_triangular"),
    doc="x of A @ x = b (transposed: A.T @ x = b) for a triangular A, of which only that triangle is read.",
    pullback=_triangular_pullback, batch=_solve_batch, reference=_numpy(_numpy_triangular),
    exact=_exact(_exact_triangular),
)  # fmt: skip
det: Operation = Operation(
    name="det", head=head("det"), parameters=MATRIX, infer=_infer(2), lowering=_routine("lu_determinant", 0),
    doc="Determinant of a matrix; its third derivative is NaN where there is no inverse.", fold=_of_reals("det"),
    pullback=_determinant_pullback, reference=_numpy(lambda np, a: np.linalg.det(a)), latex="\\det {0}",
    exact=_exact(lambda mp, a: mp.det(a)),
)  # fmt: skip
cofactors: Operation = Operation(
    name="cofactors", head=head("cofactors"), parameters=MATRIX, infer=_infer(0), lowering=_routine("lu_cofactors"),
    doc="Signed minors of a matrix, the derivative of det: det(A)*inverse(A).T where there is an inverse.",
    fold=_of_reals("cofactors"), pullback=_cofactors_pullback, reference=_numpy(_numpy_cofactors),
    exact=_exact(_exact_cofactors),
    latex="\\operatorname{{cof}} {0}",
)  # fmt: skip
cofactors_along: Operation = Operation(
    name="cofactors_along", head=head("cofactors_along"), parameters=(*MATRIX, Parameter("h")), infer=_along_infer,
    doc="Derivative of cofactors(A) along h, by which the second derivative of det is right without an inverse.",
    lowering=_routine("lu_cofactors_along"), fold=_of_reals("cofactors_along"), pullback=_along_pullback,
    batch=lambda at: cofactors_along(broadcast(at.operands[0], (at.size, *at.operands[0].shape)), at.operands[1]),
    reference=_numpy(_numpy_cofactors_along), exact=_exact(_exact_cofactors_along),
)  # fmt: skip
logdet: Operation = Operation(
    name="logdet", head=head("logdet"), parameters=MATRIX, infer=_infer(2), lowering=_routine("lu_determinant", 1),
    doc="Logarithm of the determinant's absolute value, without overflow.", fold=_of_reals("logdet"),
    pullback=_logdet_pullback, reference=_numpy(lambda np, a: np.linalg.slogdet(a)[1]),
    exact=_exact(_exact_logdet),
    latex="\\log \\left|\\det {0}\\right|",
)  # fmt: skip
trace: Operation = Operation(
    name="trace", head=head("trace"), parameters=MATRIX, infer=_infer(2), doc="Sum of a matrix's diagonal.", define=_trace,
)  # fmt: skip
tril: Operation = Operation(
    name="tril", head=head("tril"), parameters=(Parameter("x"),), infer=_tril_infer,
    doc="Lower triangle of a matrix with its diagonal, 0 above.", reference=_numpy_tril,
    lowering=Access(lambda index, element, shapes, s: f"({element(0, index)} if {index[-2]} >= {index[-1]} else zero)", fills=True),
    pullback=lambda at: (tril(at.cotangent),), batch=lambda at: tril(*at.operands),
)  # fmt: skip
triu: Operation = Operation(
    name="triu", head=head("triu"), parameters=(Parameter("x"),), infer=_infer(0),
    doc="Upper triangle of a matrix with its diagonal, 0 below.", define=_triu,
)  # fmt: skip
cholesky: Operation = Operation(
    name="cholesky", head=head("cholesky"), parameters=MATRIX, infer=_infer(0), lowering=_routine("cholesky_factor"),
    doc="Lower triangular L of L @ L.T = A, A being the symmetric part; NaN where that is not positive definite.",
    fold=_of_reals("cholesky"), pullback=_cholesky_pullback,
    reference=_numpy(lambda np, a: np.linalg.cholesky((a + a.T) / 2)),
    exact=_exact(lambda mp, a: mp.cholesky((a + a.T) / 2)),
)  # fmt: skip
eigenvalues: Operation = Operation(
    name="eigenvalues", head=head("eigenvalues"), parameters=MATRIX, others=("eigvalsh",), infer=_infer(1),
    doc="Eigenvalues of the symmetric part of a matrix, in ascending order.", fold=_of_reals("eigenvalues"),
    lowering=_routine("symmetric_eigen", 0), pullback=_eigenvalues_pullback,
    reference=_numpy(lambda np, a: np.linalg.eigvalsh((a + a.T) / 2), vector=True),
    exact=_exact(lambda mp, a: list(mp.eigsy((a + a.T) / 2, eigvals_only=True))),
)  # fmt: skip
eigenvectors: Operation = Operation(
    name="eigenvectors", head=head("eigenvectors"), parameters=MATRIX, infer=_infer(0),
    doc="Eigenvectors of the symmetric part of a matrix, a column an eigenvalue, each with its largest element positive.",
    fold=_of_reals("eigenvectors"), lowering=_routine("symmetric_eigen", 1), pullback=_eigenvectors_pullback,
    reference=_numpy(_numpy_eigenvectors), exact=_exact(_exact_eigenvectors),
)  # fmt: skip

OPERATIONS = (
    inverse, solve, solve_triangular, det, cofactors, cofactors_along, logdet, trace, tril, triu, cholesky, eigenvalues,
    eigenvectors,
)  # fmt: skip
_BY_NAME = {o.name: o for o in OPERATIONS}
