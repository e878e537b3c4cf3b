"""Linear algebra: values against NumPy, derivatives against the textbooks' formulas.

In: programs.  Out: nothing, or a failed assertion.
Always holds: what differences can tell is told in `test_structure_of_arrays` and `test_forward`; here are closed forms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from checks import point, read, same_again

import graphc
from graphc.codegen.plain import plain_functions
from graphc.errors import ShapeError
from graphc.graph.graph import prune
from graphc.language.expand import expand
from graphc.run.evaluate import evaluate, evaluate_arrays_exactly

RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(3, 3)) + 2 * np.eye(3)
STACK = RNG.normal(size=(2, 4, 4))
SYMMETRIC = STACK @ np.swapaxes(STACK, 1, 2) + np.eye(4)
VECTOR, COLUMNS = RNG.normal(size=3), RNG.normal(size=(3, 2))
inv, tr, det, T = np.linalg.inv, np.trace, np.linalg.det, np.transpose

VALUES: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
    ("inverse(A)", {"A": SQUARE}, inv),
    ("inverse(A)", {"A": STACK}, inv),
    ("solve(A, b)", {"A": SQUARE, "b": VECTOR}, np.linalg.solve),
    ("solve(A, b)", {"A": SQUARE, "b": COLUMNS}, np.linalg.solve),
    ("solve(A, b)", {"A": STACK, "b": STACK[:, :, :3]}, np.linalg.solve),
    ("solve(A, b)", {"A": STACK, "b": STACK[:, 0]}, lambda a, b: np.linalg.solve(a, b[..., None])[..., 0]),
    ("det(A)", {"A": SQUARE}, det),
    ("det(A)", {"A": STACK}, det),
    ("cofactors(A)", {"A": STACK}, lambda a: det(a)[:, None, None] * np.swapaxes(inv(a), 1, 2)),
    ("cofactors_along(A, h)", {"A": STACK, "h": SYMMETRIC}, lambda a, h: _cofactors_along(a, h)),
    ("logdet(A)", {"A": STACK}, lambda a: np.linalg.slogdet(a)[1]),
    ("trace(A)", {"A": STACK}, lambda a: np.trace(a, axis1=1, axis2=2)),
    ("tril(A)", {"A": STACK[:, :2]}, np.tril),
    ("triu(A)", {"A": SQUARE}, np.triu),
    ("cholesky(A)", {"A": SYMMETRIC}, np.linalg.cholesky),
    ("cholesky(A)", {"A": np.tril(SYMMETRIC[0]) * 2 - np.diag(np.diag(SYMMETRIC[0]))}, lambda a: np.linalg.cholesky(SYMMETRIC[0])),
    ("eigenvalues(A)", {"A": SYMMETRIC}, np.linalg.eigvalsh),
    ("eigenvectors(A)", {"A": SYMMETRIC[0]}, lambda a: np.linalg.eigh(a)[1] * _signs(np.linalg.eigh(a)[1])),
    ("outer(b, b)", {"b": VECTOR}, lambda b: np.outer(b, b)),
    *(
        (
            f"solve_triangular(A, b, upper={str(upper).lower()}, transposed={str(turned).lower()})",
            {"A": SQUARE, "b": b},
            lambda a, b, upper=upper, turned=turned: scipy.linalg.solve_triangular(a, b, trans=int(turned), lower=not upper),
        )
        for upper in (False, True)
        for turned in (False, True)
        for b in (VECTOR, COLUMNS)
    ),
]  # fmt: skip


def _cofactors_along(a: Any, h: Any) -> Any:
    """The product rule, of det(A) A^-T."""
    back = np.swapaxes(inv(a), -1, -2)
    along = np.sum(back * h, axis=(-2, -1), keepdims=True)
    return det(a)[..., None, None] * (along * back - back @ np.swapaxes(h, -1, -2) @ back)


def _signs(v: Any) -> Any:
    return np.where(v[abs(v).argmax(axis=0), range(len(v))] < 0, -1, 1)


def _program(body: str, values: dict[str, Any]) -> str:
    sizes = ("[" + ", ".join(map(str, v.shape)) + "]" for v in values.values())
    return f"input {', '.join(n + s for n, s in zip(values, sizes, strict=True))}; output z; z = {body}"


@pytest.mark.parametrize(("body", "values", "numpy"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_values(body: str, values: dict[str, Any], numpy: Callable[..., Any]) -> None:
    """Evaluator, many digits, plain source and jitted code, in both precisions."""
    text, want = _program(body, values), numpy(*values.values())
    graph = read(text)
    (oracle,) = evaluate(graph, {s: values[s.name] for s in graph.inputs}, graph.outputs).values()
    assert np.allclose(oracle, want, rtol=1e-11, atol=1e-12)
    given = {s: values[s.name] for s in graph.inputs}
    (exact,) = evaluate_arrays_exactly(expand(graph), given, graph.outputs).values()
    assert np.allclose(np.asarray(exact, float), want, rtol=1e-11, atol=1e-12)
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-3)):
        f = graphc.compile(text, dtype)
        found = f(**values)
        assert np.allclose(found, want, rtol=tolerance, atol=tolerance)
        plain = plain_functions(f.source)["forward"](*(values[n].astype(dtype) for n in f.inputs))
        assert np.allclose(plain, want, rtol=tolerance, atol=tolerance)
        assert np.shape(found) == np.shape(plain) == np.shape(want)


# Petersen and Pedersen (2012), "The Matrix Cookbook": the numbers are its equations.
X, A, B, C = (RNG.normal(size=(3, 3)) + np.eye(3) for _ in range(4))
a, b, x = RNG.normal(size=(3, 3))
COOKBOOK: list[tuple[str, str, Any]] = [
    ("69", "x @ a", a),
    ("70", "a @ X @ b", np.outer(a, b)),
    ("71", "a @ X.T @ b", np.outer(b, a)),
    ("72", "a @ X @ a + a @ X.T @ a", 2 * np.outer(a, a)),
    ("77", "b @ X.T @ X @ a", X @ (np.outer(b, a) + np.outer(a, b))),
    ("78", "(B @ x + b) @ C @ (A @ x + a)", B.T @ C @ (A @ x + a) + A.T @ C.T @ (B @ x + b)),
    ("81", "x @ B @ x", (B + B.T) @ x),
    ("82", "b @ X.T @ C @ X @ a", C.T @ X @ np.outer(b, a) + C @ X @ np.outer(a, b)),
    ("84", "(x - A @ a) @ B @ (x - A @ a)", (B + B.T) @ (x - A @ a)),
    ("99", "trace(X)", np.eye(3)),
    ("100", "trace(X @ A)", A.T),
    ("101", "trace(A @ X @ B)", A.T @ B.T),
    ("102", "trace(A @ X.T @ B)", B @ A),
    ("106", "trace(X @ X)", 2 * X.T),
    ("107", "trace(X @ X @ B)", (X @ B + B @ X).T),
    ("108", "trace(X.T @ B @ X)", (B + B.T) @ X),
    ("111", "trace(A @ X @ B @ X)", A.T @ X.T @ B.T + B.T @ X.T @ A.T),
    ("115", "trace(X.T @ X)", 2 * X),
    ("118", "trace(A @ X @ B @ X.T @ C)", A.T @ C.T @ X @ B.T + C @ A @ X @ B),
    ("121", "trace(X @ X @ X)", 3 * (X @ X).T),
    ("49", "det(X)", det(X) * inv(X).T),
    ("50", "det(A @ X @ B)", det(A @ X @ B) * inv(X).T),
    ("52", "det(X.T @ A @ X)", det(X.T @ A @ X) * (A @ X @ inv(X.T @ A @ X) + A.T @ X @ inv(X.T @ A.T @ X))),
    ("55", "logdet(X.T @ X)", 2 * inv(X).T),
    ("57", "logdet(X)", inv(X).T),
    ("58", "det(X @ X @ X)", 3 * det(X) ** 3 * inv(X).T),
    ("61", "a @ inverse(X) @ b", -inv(X).T @ np.outer(a, b) @ inv(X).T),
    ("61", "a @ solve(X, b)", -inv(X).T @ np.outer(a, b) @ inv(X).T),
    ("62", "det(inverse(X))", -det(inv(X)) * inv(X).T),
    ("63", "trace(A @ inverse(X) @ B)", -(inv(X) @ B @ A @ inv(X)).T),
    ("63", "trace(A @ solve(X, B))", -(inv(X) @ B @ A @ inv(X)).T),
    ("64", "trace(inverse(X + A))", -(inv(X + A) @ inv(X + A)).T),
    ("129", "norm(x - a)", (x - a) / np.linalg.norm(x - a)),
    ("132", "sum((A @ x - b)^2)", 2 * A.T @ (A @ x - b)),
    ("-", "sum(X * A)", A),
    ("-", "trace(X * A @ B)", A * B.T),
    ("-", "sum(sin(X))", np.cos(X)),
    ("-", "sum(eigenvalues(X))", np.eye(3)),
    ("-", "sum(eigenvalues(X)^2)", X + X.T),
    ("-", "logdet(cholesky(X @ X.T))", inv(X).T),
    ("-", "sum(cholesky(X @ X.T)^2)", 2 * X),
    ("-", "trace(eigenvectors(X) @ diagonal_matrix(eigenvalues(X)) @ eigenvectors(X).T @ A)", (A + A.T) / 2),
]
DATA = {"X": X, "A": A, "B": B, "C": C, "a": a, "b": b, "x": x}
HEAD = "input X[3, 3], A[3, 3], B[3, 3], C[3, 3], a[3], b[3], x[3]; "


@pytest.mark.parametrize(("number", "text", "want"), COOKBOOK, ids=[f"{n}: {t}" for n, t, _ in COOKBOOK])
def test_gradients_of_the_matrix_cookbook(number: str, text: str, want: Any) -> None:
    _, gradients = point(HEAD + text, **DATA)
    found = gradients["X" if np.ndim(want) == 2 else "x"]
    assert np.allclose(found, want, rtol=1e-10, atol=1e-10), number
    safe = graphc.simplify(graphc.grad(HEAD + text, "X" if np.ndim(want) == 2 else "x"))
    (again,) = evaluate(safe, {s: DATA[s.name] for s in safe.leaves()}, safe.outputs).values()
    assert np.allclose(again, want, rtol=1e-10, atol=1e-10), number


def test_second_derivatives_in_closed_form() -> None:
    """d2 logdet(X)/dX_ij dX_kl = -(X^-1)_li ... : -inv(X)_jk inv(X)_li in rows j, i and columns l, k."""
    graph = same_again(prune(graphc.hessian(HEAD + "logdet(X)", "X")))
    (found,) = evaluate(graph, {s: DATA[s.name] for s in graph.leaves()}, graph.outputs).values()
    assert np.allclose(found, -np.einsum("jk,li->ijkl", inv(X), inv(X)))
    third = prune(graphc.jacobian(graphc.jacobian(graphc.grad(HEAD + "trace(inverse(X))", "X"), "X"), "X"))
    values = {s: DATA[s.name] for s in third.leaves()}
    (cube,) = evaluate(third, values, third.outputs).values()
    y, step = inv(X), RNG.normal(size=(3, 3))
    along = np.einsum("ijklmn,ij,kl,mn->", cube, step, step, step)
    assert along == pytest.approx(-6 * tr(y @ step @ y @ step @ y @ step @ y))


def test_equal_eigenvalues() -> None:
    """A function of all eigenvalues has a derivative there; that of eigenvectors takes 0 between equal ones."""
    _, gradients = point("input X[2, 2]; sum(eigenvalues(X)^3)", X=np.eye(2))
    assert np.allclose(gradients["X"], 3 * np.eye(2))
    _, gradients = point("input X[2, 2]; sum(eigenvectors(X)^2)", X=np.eye(2))
    assert np.isfinite(gradients["X"]).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_singular_matrices_give_nan(dtype: str) -> None:
    text = "input A[n, n], b[n]; output v, w, x, y, z; v = inverse(A); w = solve(A, b); x = det(A); y = logdet(A); z = cholesky(-A)"
    graph = read(text)
    given = dict(zip(graph.inputs, (np.array([[1.0, 2], [2, 4]]), np.ones(2)), strict=True))
    oracle = evaluate(graph, given, graph.outputs, {"n": 2}).values()
    f = graphc.compile(text, dtype)
    for found in (
        oracle,
        f(*given.values()).values(),
        plain_functions(f.source)["forward"](*(v.astype(dtype) for v in given.values())),
    ):
        v, w, x, y, z = found
        assert np.isnan(v).all()
        assert np.isnan(w).all()
        assert x == 0
        assert y == -np.inf
        assert np.isnan(z).all()
    one_of_two = graphc.compile("input A[2, n, n]; output v; v = inverse(A)", dtype)(A=[np.eye(2), np.zeros((2, 2))])
    assert np.array_equal(one_of_two[0], np.eye(2))
    assert np.isnan(one_of_two[1]).all()


def _minor(a: Any, *places: tuple[int, int]) -> Any:
    """(-1)^(i + j) times the minor without row i and column j, and so on for the other places in what is left."""
    if not places:
        return det(a)
    (i, j), *others = places
    rest = np.delete(np.delete(a, i, 0), j, 1)
    return (-1) ** (i + j) * _minor(rest, *((r - (r > i), c - (c > j)) for r, c in others))


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_derivatives_of_the_determinant_of_a_singular_matrix(rank: int) -> None:
    """The cofactors, and theirs: oracle, plain source and jitted code."""
    for size in (1, 3, 4):
        matrix = RNG.normal(size=(size, rank)) @ RNG.normal(size=(rank, size))
        want = np.array([[_minor(matrix, (i, j)) for j in range(size)] for i in range(size)])
        _, gradients = point("input A[n, n]; det(A)", A=matrix)
        f = graphc.compile("input A[n, n]; output C; C = cofactors(A)")
        for found in (gradients["A"], f(A=matrix), plain_functions(f.source)["forward"](matrix)):
            assert np.allclose(found, want, rtol=1e-10, atol=1e-12)
        second = np.zeros((size,) * 4)
        for i, j, k, m in np.ndindex(*second.shape):
            second[i, j, k, m] = _minor(matrix, (i, j), (k, m)) if i != k and j != m else 0
        for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-4)):
            g = graphc.compile("input A[n, n]; det(A)", dtype)
            assert np.allclose(g.hessian(A=matrix)["A"]["A"], second, rtol=tolerance, atol=tolerance)
            (plain,) = (plain_functions(g.derived("hessian").source)["forward"](matrix.astype(dtype)),)
            assert np.allclose(plain, second, rtol=tolerance, atol=tolerance)
    assert np.array_equal(
        graphc.compile("input A[2, n, n]; sum(det(A))").grad(A=np.zeros((2, 1, 1)))["A"], np.ones((2, 1, 1))
    )


def test_third_derivatives_of_the_determinant() -> None:
    """Of det(A + t H) for t, in three dimensions 6 det(H)."""
    text = "input A[3, 3]; det(A)"
    third = graphc.compile(graphc.jacobian(graphc.hessian(text)))
    assert np.einsum("ijklmn,ij,kl,mn->", third(A=SQUARE), X, X, X) == pytest.approx(6 * det(X))
    assert np.isnan(third(A=np.zeros((3, 3)))).all()


def test_whole_numbers_and_programs_of_numbers() -> None:
    assert graphc.compile("input k[2, 2]: int; output d; d = det(k)")(k=[[1, 2], [3, 4]]) == pytest.approx(-2)
    f = graphc.compile("det([[a, b], [c, d]])")
    for _ in range(5):
        assert f.grad(a=1, b=2, c=3, d=4) == pytest.approx({"a": 4, "b": -3, "c": -2, "d": 1})
    assert f(a=[1.0, 2.0], b=2, c=3, d=4).tolist() == pytest.approx([-2, 2])
    assert f.hessian(a=1, b=2, c=3, d=4)["a"]["d"] == pytest.approx(1)


def test_in_training() -> None:
    """A Gaussian's precision by maximum likelihood: the inverse of the sample's covariance."""
    data = np.random.default_rng(0).normal(size=(200, 2)) @ [[2.0, 0.0], [1.0, 0.5]]
    program = """input x[n, 2]
param L[2, 2] = 1
P = tril(L) @ tril(L).T
minimize mean(sum(x @ P * x, axis=1)) - logdet(P) with adam(lr=0.02)"""
    run = graphc.train(program, {"x": data}, epochs=1500, dtype="float64")
    lower = np.tril(run.params["L"])
    assert np.allclose(lower @ lower.T, inv(data.T @ data / len(data)), rtol=1e-4)


SECOND = [
    "sum(inverse(A)^2)", "sum(solve(A, b)^2)", "sum(det(A)^2)", "sum(logdet(A)^2)", "sum(trace(A)^3)", "sum(cholesky(A)^2 * C)",
    "sum(solve_triangular(A, b)^2)", "sum(solve_triangular(A, b, upper=true, transposed=true)^2)", "sum(eigvalsh(A)^3)",
    "sum(eigenvectors(A)*C)", "sum(cofactors(A)^2)",
]  # fmt: skip


@pytest.mark.parametrize("stack", [(), (2,)], ids=["one", "batch"])
@pytest.mark.parametrize("body", SECOND)
def test_first_and_second_derivatives_in_both_precisions(body: str, stack: tuple[int, ...]) -> None:
    """Compiled, of one matrix and of several: the gradient against differences of values, the Hessian against its own."""
    shape = (*stack, 3, 3)
    rng = np.random.default_rng(5)
    symmetric = rng.normal(size=shape)
    matrix = symmetric @ np.swapaxes(symmetric, -1, -2) / 2 + np.diag([1.0, 2.0, 4.0])
    given = {"A": matrix, "b": rng.normal(size=(*stack, 3)), "C": rng.normal(size=shape)}
    text = ", ".join(
        f"{n}[{', '.join(map(str, v.shape))}]" for n, v in given.items() if f"{n})" in body or f"{n}," in body
    )
    f = graphc.compile(f"input {text}; {body}")
    given = {n: v for n, v in given.items() if n in f.inputs}
    gradient, hessian = f.grad(**given)["A"], f.hessian(**given)["A"]["A"]
    for place in np.ndindex(*shape):
        step = np.zeros(shape)
        step[place] = 1e-5
        up, down = ({**given, "A": matrix + sign * step} for sign in (1, -1))
        assert gradient[place] == pytest.approx((f(**up) - f(**down)) / 2e-5, rel=1e-6, abs=1e-6)
        want = (f.grad(**up)["A"] - f.grad(**down)["A"]) / 2e-5
        assert np.allclose(hessian[(..., *place)], want, rtol=1e-5, atol=1e-5 * (1 + abs(want).max()))
    narrow = graphc.compile(f"input {text}; {body}", "float32")
    for found, want in ((narrow.grad(**given)["A"], gradient), (narrow.hessian(**given)["A"]["A"], hessian)):
        assert found.dtype == np.float32
        assert np.allclose(found, want, rtol=1e-2, atol=1e-3 * (1 + abs(want).max()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input A[3]; det(A)", ["no matrix"]),
        ("input A[3, 4]; det(A)", ["size 3 does not fit size 4"]),
        ("input A[3, 3], b[4]; sum(solve(A, b))", ["size 3 does not fit size 4"]),
        ("input A[3, 3], b[2, 2, 3]; sum(solve(A, b))", ["right-hand side of shape (2, 2, 3)"]),
        ("input A[3, 3], b[3]; sum(cofactors_along(A, b))", ["a direction of shape (3,)"]),
        ("input A[3, 3], b[3, 4]; sum(cofactors_along(A, b))", ["size 3 does not fit size 4"]),
        ("input A[3, 3], b; solve(A, b)", ["right-hand side of shape ()"]),
    ],
)
def test_errors(text: str, words: list[str]) -> None:
    with pytest.raises(ShapeError) as caught:
        read(text)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["inverse(A)", "cholesky(A)", "eigenvalues(A)", "det(A)", "logdet(A)", "solve(A, A)", "cofactors(A)", "cofactors_along(A, A)",
                                  "solve_triangular(A, A)", "eigenvectors(A)"])  # fmt: skip
def test_matrices_without_rows(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """LAPACK says on standard output what it does not like."""
    f = graphc.compile(f"input A[n, n]\noutput y\ny = {text}")
    empty = np.zeros((0, 0))
    wanted = {"det(A)": 1.0, "logdet(A)": 0.0}.get(text)
    found = f(A=empty)
    np.testing.assert_array_equal(found, np.zeros_like(found) if wanted is None else wanted)
    assert capfd.readouterr() == ("", "")
