"""A branch that is not taken never reaches a gradient, whatever operation stands in it: made from the records.

In: every elementwise operation, at the points where it or its derivative is no number.  Out: nothing, or a failed
assertion.
Always holds: first and second derivatives are those of the branch that is taken, for numbers and arrays, in both widths,
before rewriting and after.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.compiler import gradient_graph
from graphc.differentiate.program import gradient
from graphc.graph.graph import Graph, prune
from graphc.graph.operation import Operation
from graphc.language.expand import expand
from graphc.language.reader import parse
from graphc.ops import OPERATIONS
from graphc.rewrite import simplify, tidy
from graphc.run.evaluate import evaluate

CANDIDATES = (-1e4, -100.0, -2.0, -1.0, 0.0, 1.0, math.pi / 2, 2.0, 100.0, 1e4)
ONE = ["{}(x)"]
TWO = ["{}(x, 0.5)", "{}(0.5, x)", "{}(x, x)", "{}(x, 0)"]
THREE = ["{}(x, 0.5, 1)", "{}(0.5, x, x)"]
SPELLED = ["1/x", "x^0.3", "x^(-2)", "x^x", "x^1.5", "2^x", "x*log(x)", "exp(exp(x))", "exp(x)/exp(-x)", "tan(x)/x", "sqrt(x)/x",
           "log(-x)", "log(log(x))", "sqrt(1 - x^2)", "1/(1 - x)", "(x - 1)^(-0.5)", "asin(2*x)", "1/sin(x)", "sqrt(x)*sqrt(x - 2)"]  # fmt: skip


def spelled(operation: Operation) -> list[str]:
    """Calls of an operation with x among its operands."""
    names = [p.name for p in operation.parameters if p.role == "operand"]
    if operation.hidden or not operation.elementwise or not operation.differentiable or names[0] == "condition":
        return []
    forms = (ONE, TWO, THREE)[len(names) - 1]
    if operation.parameters[0].role == "static":
        return [form.format(operation.written).replace("(", "(1, ", 1) for form in forms]
    return [form.format(operation.written) for form in forms]


CALLS = [call for o in OPERATIONS for call in spelled(o)] + SPELLED


def numbers(graph: Graph, at: float, dtype: type = np.float64) -> list[float]:
    found = evaluate(graph, {s: np.asarray(at) for s in graph.leaves()}, graph.outputs, dtype=dtype)
    return [float(v) for v in found.values()]


def bad_points(call: str) -> list[float]:
    """Where the operation, its derivative or its second derivative is no finite number, in one width."""
    graphs = [parse(call)]
    for _ in range(2):
        graphs.append(prune(gradient(graphs[-1], graphs[-1].inputs)))
    found = [[v for g in graphs for d in (np.float64, np.float32) for v in numbers(g, c, d)] for c in CANDIDATES]
    return [c for c, values in zip(CANDIDATES, found, strict=True) if not all(map(math.isfinite, values))][:3]


def derivatives(text: str) -> list[Graph]:
    """First and second, as differentiation leaves them and as they are computed."""
    plain, simple = [parse(text)], [parse(text)]
    for _ in range(2):
        plain.append(prune(gradient(plain[-1], plain[-1].inputs)))
        simple.append(gradient_graph(simple[-1]))
    lowered = [prune(tidy(expand(simplify(g)))) for g in simple[1:]]
    return [expand(plain[1]), lowered[0], expand(plain[2]), lowered[1]]


@pytest.mark.parametrize("call", CALLS)
def test_an_untaken_branch(call: str) -> None:
    for c in bad_points(call):
        for text in (f"where(x == {c!r}, 3*x, {call})", f"where(x != {c!r}, {call}*x, 3*x)"):
            for k, graph in enumerate(derivatives(text)):
                for dtype in (np.float64, np.float32):
                    at = float(dtype(c))
                    guarded = text.replace(repr(c), repr(at))
                    if at == c or guarded == text:
                        assert numbers(graph, at, dtype) == [3.0 if k < 2 else 0.0], (text, graph)


@pytest.mark.parametrize("call", CALLS)
def test_an_untaken_branch_of_an_array(call: str) -> None:
    for c in bad_points(call):
        text = f"input x[3]; y = where(x == {c!r}, 3*x, {call}); sum(y)"
        graph = prune(tidy(expand(gradient_graph(parse(text)))))
        (found,) = evaluate(graph, {s: np.array([c, c, c]) for s in graph.leaves()}, graph.outputs).values()
        assert np.all(found == 3), text


@pytest.mark.parametrize(("text", "x"), [
    *((f.format("relu(x)"), -1) for f in ("sqrt({0})", "exp(sqrt({0}))", "{0}^0.5", "cbrt({0})", "{0}*log({0})", "sqrt(sqrt({0}) + {0}^2)")),
    ("sqrt(max(x, 0))", -1), ("sqrt(-min(x, 0))", 1), ("acos(clip(x, -1, 1))", 2), ("atanh(min(x, 1))", 2),
    ("max(log(x), 0.5)", 0), ("min(1/x, 2)", 0), ("clip(log(x), -3, 3)", 0), ("max(sqrt(x), 1)", 0), ("min(sqrt(x), -1)", 0),
    ("max(min(sinh(x)*sinh(x), 1), 0)", 1000),
])  # fmt: skip
def test_what_is_not_the_largest(text: str, x: float) -> None:
    for graph in derivatives(text):
        for dtype in (np.float64, np.float32):
            assert numbers(graph, x, dtype) == [0.0], (text, graph)


def test_elements_that_are_not_the_largest() -> None:
    for text in ("max(sqrt(x))", "-min(-sqrt(x))", "sum(sqrt(relu(x)))", "sum(max(sqrt(x), 0.5))"):
        graph = parse(f"input x[3]; {text}")
        for derived in (expand(gradient(graph, graph.inputs)), tidy(expand(gradient_graph(graph)))):
            (found,) = evaluate(derived, {s: np.array([1.0, 0.0, 0.0]) for s in graph.inputs}, derived.outputs).values()
            assert np.all(found == [0.5, 0, 0]), text


def test_most_operations_have_bad_points() -> None:
    assert sum(bool(bad_points(call)) for call in CALLS) > 40


# What is taken of sqrt(x), and where x is not 0 in what is taken.
TAKEN = [
    ("x[3]", "y[0]", [1, 0, 0]), ("x[n]", "sum(y[1:])", [0, 1, 2]), ("x[n]", "y[0]*y[1] - 3*y[2]", [1, 2, 3, 0, 0]),
    ("x[n], k[m]: int", "sum(y[k])", [0, 1, 2]), ("x[n]", "norm(y[:2])", [1, 2, 0]), ("x[n]", "sum(y[::2]^3)", [1, 0, 2]),
    ("x[n, n]", "sum(tril(y))", [[1, 0], [2, 3]]), ("x[n, n]", "sum(tril(y)^2)", [[1, 0], [2, 3]]),
    ("x[n, n]", "trace(y)", [[1, 0], [0, 3]]), ("x[n, n]", "sum(diagonal(y)^3)", [[1, 0], [0, 3]]),
    ("x[n, m]", "sum(y[:, 0])", [[1, 0], [2, 0]]), ("x[n, m]", "y[1, 0]", [[0, 0], [2, 0]]),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("inputs", "taken", "x"), TAKEN, ids=[taken for _, taken, _ in TAKEN])
def test_what_is_not_taken_of_an_array(inputs: str, taken: str, x: Any, dtype: str) -> None:
    """The derivatives are those where the rest of the array is 1, and 0 for the rest."""
    f = graphc.compile(f"input {inputs}; y = sqrt(x); J = {taken}", dtype=dtype)
    more = {"k": [1, 2, 1]} if "k" in inputs else {}
    here, ones = np.array(x, float), np.where(np.array(x) == 0, 1.0, x)
    for derivative in (lambda v: f.grad(x=v, **more)["x"], lambda v: f.hessian(x=v, **more)["x"]["x"]):
        np.testing.assert_array_equal(derivative(here), derivative(ones))


# Rows of y = sqrt(x), of which one with zeros is not taken: s is a number or more for each row.
def by_rows(operation: Operation) -> list[str]:
    """Calls of an operation that mixes the elements of a row alone."""
    names = [p.name for p in operation.parameters]
    if operation.hidden or not operation.differentiable or operation.elementwise or names[:2] != ["x", "axis"]:
        return []
    if operation.parameters[0].role == "operands":
        return [f"{operation.written}(y, x, axis=1)[:, 0]", f"{operation.written}(x, sqrt(y), axis=-1)[:, -1]"]
    more = [", keepdims=true"] if "keepdims" in names else []
    return [f"{operation.written}(y, axis=1{ending})" for ending in ("", *more)]


ROWS = [c for o in OPERATIONS for c in by_rows(o) if not c.startswith("count")] + [
    "y", "y*[1, 2]", "y @ [1, 2]", "y @ [[1, 2], [3, 4]]", "([[1, 2], [3, 4]] @ y.T).T", 'einsum("ij,ij->i", y, x)', "mean(y, axis=1)",
    "var(y, axis=1)", "1/y", "x/sum(x, axis=1, keepdims=true)", "x/norm(x, axis=1, keepdims=true)", "x/max(y, axis=1)[:, none]",
    "x/sqrt(sum(x, axis=1))[:, none]", "[y[:, 0], y[:, 1]].T", "broadcast(sum(y, axis=1), (2, k)).T", "log(x)[:, 0]", "[y[:, 0], x[:, 1]].T[:, ::-1]", "-x*log(x)*y", "log(softmax(log(x)))",
    "(y.T*sqrt(x[:, 0])).T", "x - mean(y, axis=1)[:, none]", "sum(log(x), axis=1)^2", "norm(y, axis=1, keepdims=true)*x",
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("condition", ["c > 0", "m", "not n"])
def test_rows_that_are_not_taken(row: str, condition: str) -> None:
    """Their derivatives are 0, those of the others what they are alone; the condition has a number for each row."""
    graph = parse(f"input x[k, 2]; y = sqrt(x); {row}")
    wide = graph.types[graph.outputs[0]].rank > 1
    kind = {"c": "c[k]", "m": "m[k]: bool", "n": "n[k]: bool"}[condition[-1] if condition[0] != "c" else "c"]
    chosen = f"({condition})[:, none]" if wide else condition
    text = f"input x[k, 2], {kind}; y = sqrt(x); s = {row}; sum(where({chosen}, s, 2)^2)"
    x, taken = np.array([[1.0, 4.0], [0.0, 0.0], [9.0, 2.0]]), np.array([True, False, True])
    given = {"c": taken - 0.5} if condition == "c > 0" else {"m": taken} if condition == "m" else {"n": ~taken}
    f, alone = graphc.compile(text), graphc.compile(f"input x[k, 2]; y = sqrt(x); s = {row}; sum(s^2)")
    slope, second = f.grad(x=x, **given)["x"], f.hessian(x=x, **given)["x"]["x"]
    np.testing.assert_allclose(slope[taken], alone.grad(x=x[taken])["x"], rtol=1e-12, atol=1e-14)
    wanted = alone.hessian(x=x[taken])["x"]["x"]
    np.testing.assert_allclose(second[taken][:, :, taken], wanted, rtol=1e-10, atol=1e-14)
    for rest in (slope[~taken], second[~taken], second[:, :, ~taken]):
        assert np.all(rest == 0)


LINEAR = [
    ("A[k, 2, 2]", "where(d[:, none, none] != 0, inverse(A), 3)"), ("A[k, 2, 2]", "where(d != 0, logdet(A), 3)"),
    ("A[k, 2, 2]", "where(d[:, none, none] != 0, solve(A, A), 3)"), ("A[k, 2, 2]", "where(d != 0, 1/d, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("inputs", "taken"), LINEAR, ids=[taken for _, taken in LINEAR])
def test_matrices_that_are_not_taken(inputs: str, taken: str) -> None:
    matrices = np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [3.0, 5.0]]])
    f = graphc.compile(f"input {inputs}; d = det(A); s = {taken}; sum(s^2)")
    slope, second = f.grad(A=matrices)["A"], f.hessian(A=matrices)["A"]["A"]
    np.testing.assert_allclose(slope[1:], f.grad(A=matrices[1:])["A"], rtol=1e-12)
    np.testing.assert_allclose(second[1:, :, :, 1:], f.hessian(A=matrices[1:])["A"]["A"], rtol=1e-12)
    for rest in (slope[0], second[0], second[:, :, :, 0]):
        assert np.all(rest == 0)


@pytest.mark.parametrize("part", ["y[1:] - y[:-1]", "1/y[1:]", "y[1:]*log(y)[:-1]", "y[::-1][1:]^3"])
def test_parts_that_are_not_taken(part: str) -> None:
    """Neighbours, of which one is 0."""
    f = graphc.compile(
        f"input x[n]; y = sqrt(x); c = x[1:] > 0 and x[:-1] > 0 and x[::-1][1:] > 0; sum(where(c, {part}, 0)^2)"
    )
    for derivative in (f.grad(x=[0, 1, 2, 4, 3])["x"], f.hessian(x=[0, 1, 2, 4, 3])["x"]["x"]):
        assert np.isfinite(derivative).all()
        assert np.all(derivative[0] == 0)
