"""Tests that every record gets, made from the record.

In: the table of operations.  Out: nothing, or a failed assertion that names the operation.
Always holds: an operation that is added is tested here without a line of its own, or the last test says what it lacks.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from checks import read, same_again
from sympy import Integer, Rational

from graphc.errors import ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Graph, Origin
from graphc.graph.operation import Operation
from graphc.graph.types import Type, size_named
from graphc.graph.validate import validate
from graphc.language.macros import prelude
from graphc.language.reader import parse
from graphc.ops import BY_NAME, CALLS, DERIVATIVES, OPERATIONS
from graphc.run.evaluate import evaluate, evaluate_exactly

ELEMENTWISE = [o for o in OPERATIONS if o.elementwise]
ORDERS = {
    o.name: (1 if o.name == "polygamma" else 0,)
    for o in OPERATIONS
    if o.elementwise and any(p.role == "static" for p in o.parameters)
}
STEP = mpmath.mpf(10) ** -20


def ids(operation: Operation) -> str:
    return operation.name


def operand_names(operation: Operation) -> list[str]:
    return [p.name for p in operation.parameters if p.role == "operand"]


def domain(operation: Operation) -> list[tuple[float, float]]:
    count = len(operand_names(operation))
    return list(operation.domain) or [(-3, 3)] * count


def points(operation: Operation, count: int = 25) -> list[tuple[float, ...]]:
    """Points of the domain; where nothing is said of it, away from 0."""
    rng = np.random.default_rng(5)
    drawn = [rng.uniform(low, high, count) for low, high in domain(operation)]
    return [tuple(float(v) for v in row) for row in zip(*drawn, strict=True)]


def needs_bool(operation: Operation) -> list[bool]:
    """Which operands are conditions."""
    names = operand_names(operation)
    if operation.lowering is not None and getattr(operation.lowering, "cast", "") == "bool":
        return [True] * len(names)
    return [name == "condition" for name in names]


def applied(operation: Operation, shapes: list[Any] | None = None) -> Graph:
    """A program of the operation alone."""
    builder = Builder()
    builder.origin = Origin("test")
    bools = needs_bool(operation)
    shapes = shapes or [()] * len(bools)
    inputs = [
        builder.declare(f"x{k}", Type(shape, "bool" if b else "real"))
        for k, (b, shape) in enumerate(zip(bools, shapes, strict=True))
    ]
    target = builder.apply(operation, tuple(inputs), ORDERS.get(operation.name, ()), "y")
    sizes = tuple(dict.fromkeys(str(d) for s in shapes for d in s if not isinstance(d, int)))
    return Graph(tuple(inputs), (), tuple(builder.equations), (target,), dict(builder.types), sizes=sizes)


def value(operation: Operation, *arguments: Any, dtype: Any = np.float64) -> Any:
    graph = applied(operation)
    given = {
        s: np.asarray(bool(a > 0) if b else a, bool if b else dtype)
        for s, a, b in zip(graph.inputs, arguments, needs_bool(operation), strict=True)
    }
    return evaluate(graph, given, graph.outputs, dtype=dtype)[graph.outputs[0]]


def exactly(operation: Operation, *arguments: Any) -> Any:
    assert operation.exact is not None
    cast = [bool(a > 0) if b else mpmath.mpf(a) for a, b in zip(arguments, needs_bool(operation), strict=True)]
    return operation.exact(mpmath.mp, *ORDERS.get(operation.name, ()), *cast)


@pytest.mark.parametrize("operation", ELEMENTWISE, ids=ids)
def test_value_against_fifty_digits(operation: Operation) -> None:
    with mpmath.workdps(50):
        for at in points(operation):
            want, got = exactly(operation, *at), value(operation, *at)
            assert float(got) == pytest.approx(float(want), rel=1e-13, abs=1e-14), at


def partials(operation: Operation, at: tuple[float, ...], dtype: Any) -> list[Any]:
    """Derivatives in each operand by the record, as reverse mode uses it, in 50 digits or by NumPy."""
    from graphc.differentiate.program import gradient

    graph = applied(operation)
    wrt = tuple(s for s in graph.inputs if graph.types[s].kind == "real")
    found = validate(gradient(graph, wrt))
    given = {s: bool(a > 0) if b else a for s, a, b in zip(graph.inputs, at, needs_bool(operation), strict=True)}
    if dtype is None:
        results = evaluate_exactly(found, given, found.outputs)
    else:
        arrays = {s: np.asarray(a, bool if isinstance(a, bool) else dtype) for s, a in given.items()}
        results = evaluate(found, arrays, found.outputs, dtype=dtype)
    return [results[o] for o in found.outputs]


SMOOTH = [o for o in ELEMENTWISE if o.differentiable and o.name != "stop_gradient" and not all(needs_bool(o))]


@pytest.mark.parametrize("operation", SMOOTH, ids=ids)
def test_derivative_against_fifty_digits(operation: Operation) -> None:
    with mpmath.workdps(50):
        for at in points(operation, 8):
            reals = [k for k, b in enumerate(needs_bool(operation)) if not b]
            found, plain = partials(operation, at, None), partials(operation, at, np.float64)
            for k, got, rounded in zip(reals, found, plain, strict=True):
                up, down = [list(at) for _ in range(2)]
                up[k], down[k] = mpmath.mpf(at[k]) + STEP, mpmath.mpf(at[k]) - STEP
                want = (exactly(operation, *up) - exactly(operation, *down)) / (2 * STEP)
                assert abs(got - want) <= mpmath.mpf(10) ** -25 * (1 + abs(want)), (at, k, got, want)
                assert float(rounded) == pytest.approx(float(want), rel=1e-10, abs=1e-12), (at, k)


@pytest.mark.parametrize("operation", ELEMENTWISE, ids=ids)
def test_single_precision_stays_single(operation: Operation) -> None:
    assert operation.reference is not None
    arguments = [
        np.asarray([a > 0] * 3) if b else np.full(3, a, np.float32)
        for a, b in zip(points(operation, 1)[0], needs_bool(operation), strict=True)
    ]
    order = ORDERS.get(operation.name, ())
    first = operation.parameters[0].role == "static"
    result = operation.reference(*order, *arguments) if first else operation.reference(*arguments, *order)
    kind = parse_kind(operation)
    assert np.asarray(result).dtype == (np.float32 if kind == "real" else np.bool_)
    want = value(operation, *points(operation, 1)[0])
    assert float(np.asarray(result)[0]) == pytest.approx(float(want), rel=2e-6, abs=2e-6)


def parse_kind(operation: Operation) -> str:
    graph = applied(operation)
    return graph.types[graph.outputs[0]].kind


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.special], ids=ids)
def test_special_points(operation: Operation) -> None:
    for arguments, want in operation.special:
        got = value(operation, *arguments)
        assert np.allclose(got, want, rtol=1e-15, atol=0, equal_nan=True), (arguments, got)
        single = value(operation, *arguments, dtype=np.float32)
        assert np.allclose(single, want, rtol=1e-6, atol=0, equal_nan=True), (arguments, single)


@pytest.mark.parametrize("operation", [o for o in ELEMENTWISE if len(operand_names(o)) > 1], ids=ids)
def test_broadcasting(operation: Operation) -> None:
    n = size_named("n")
    count = len(operand_names(operation))
    graph = same_again(applied(operation, [(n, 3), (3,), ()][:count]))
    assert graph.types[graph.outputs[0]].shape == (n, 3)
    graph = same_again(applied(operation, [(n, 1), (1, 4), (2, 1, 1)][:count]))
    assert graph.types[graph.outputs[0]].shape == ((n, 4) if count == 2 else (2, n, 4))
    with pytest.raises(ShapeError, match=r"x0.*x1") as caught:
        applied(operation, [(2, 3), (4,), ()][:count])
    assert "(2, 3)" in caught.value.message
    assert "(4,)" in caught.value.message


@pytest.mark.parametrize("operation", ELEMENTWISE, ids=ids)
def test_it_prints_and_reads(operation: Operation) -> None:
    n = size_named("n")
    same_again(applied(operation, [(n, 3)] * len(operand_names(operation))))
    for number in (Integer(2), Integer(-3), Rational(1, 3), Rational(-1, 2)):
        for k, b in enumerate(needs_bool(operation)):
            if not b:
                same_again(with_number(operation, k, number))


def with_number(operation: Operation, place: int, number: Any) -> Graph:
    """The operation with a number for one operand."""
    builder = Builder()
    builder.origin = Origin("test")
    atoms, inputs = [], []
    for k, b in enumerate(needs_bool(operation)):
        if k == place:
            atoms.append(number)
        else:
            inputs.append(builder.declare(f"x{k}", Type((), "bool" if b else "real")))
            atoms.append(inputs[-1])
    target = builder.apply(operation, tuple(atoms), ORDERS.get(operation.name, ()), "y")
    return Graph(tuple(inputs), (), tuple(builder.equations), (target,), dict(builder.types))


@pytest.mark.parametrize("operation", ELEMENTWISE, ids=ids)
def test_it_is_called_by_its_names(operation: Operation) -> None:
    if operation.hidden or operation.name in ORDERS:
        return
    arguments = ", ".join(f"x{k}" for k in range(len(operand_names(operation))))
    head = "input " + ", ".join(f"x{k}: bool" if b else f"x{k}" for k, b in enumerate(needs_bool(operation)))
    graphs = [parse(f"{head}\ny = {name}({arguments})") for name in (operation.written, *operation.others)]
    assert all(g == graphs[0] for g in graphs)
    for name in (operation.written, *operation.others):
        assert operation in CALLS[name]


@pytest.mark.parametrize("operation", [o for o in ELEMENTWISE if o.commutative], ids=ids)
def test_commutative_operations_are_shared(operation: Operation) -> None:
    builder = Builder()
    builder.origin = Origin("test")
    a, b = (builder.declare(name, Type((3,), "real")) for name in "ab")
    assert builder.apply(operation, (a, b)) == builder.apply(operation, (b, a))
    for at in points(operation, 5):
        assert float(value(operation, *at)) == pytest.approx(float(value(operation, *reversed(at))), rel=1e-15)


@pytest.mark.parametrize("operation", OPERATIONS, ids=ids)
def test_records_are_complete(operation: Operation) -> None:
    assert operation.doc.endswith(".")
    assert BY_NAME[operation.name] is operation
    if operation.define is not None or operation in DERIVATIVES:
        return
    assert operation.reference is not None
    meanings = (operation.lowering is not None, operation.expand is not None, operation.name in prelude())
    assert sum(meanings) == 1, "a lowering, or a definition"
    assert operation.partials is None or operation.pullback is None
    if operation.elementwise:
        assert operation.exact is not None
        assert len(domain(operation)) == len(operand_names(operation))


def test_names_and_spellings_are_unique() -> None:
    names = [o.name for o in OPERATIONS]
    assert len(names) == len(set(names))
    assert len({o.head for o in OPERATIONS}) == len(names)
    assert not {o.written for o in OPERATIONS if o.lowering is not None} & prelude().keys()


def test_functions_of_the_language_exist() -> None:
    asked = """exp expm1 log log1p log2 log10 sqrt cbrt pow sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh
    atanh erf erfc gamma loggamma abs sign floor ceil round mod min max clip where threshold hypot logaddexp relu leaky_relu
    elu gelu swish sigmoid softplus softmax log_softmax logsumexp sum mean prod var std norm concat stack reshape broadcast
    pad gather argmax einsum one_hot eye outer tril triu trace inverse inv solve solve_triangular det logdet cholesky eigenvalues eigvalsh eigenvectors digamma polygamma dense grad jacobian hessian jvp vjp hvp stop_gradient mse cross_entropy binary_cross_entropy hinge
    perceptron_loss ln arcsin arccos arctan sgd momentum nesterov rmsprop adam adamw glorot he zeros"""
    missing = [name for name in asked.split() if name not in CALLS and name not in prelude()]
    assert missing == []


def test_nan_and_ties_of_extrema() -> None:
    for name in ("max", "min"):
        graph = read(f"{name}(a, b)")
        for a, b in ((math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)):
            given = dict(zip(graph.inputs, (np.asarray(a), np.asarray(b)), strict=True))
            assert np.isnan(evaluate(graph, given, graph.outputs)[graph.outputs[0]])
