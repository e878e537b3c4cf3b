"""Operations that move, reduce and contract: values against NumPy, gradients against differences.

In: programs.  Out: nothing, or a failed assertion.
Always holds: each also with symbolic sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checks import check_gradient, leaf_values, read

import graphc
from graphc.graph.graph import Graph
from graphc.graph.operation import operation_of
from graphc.ops import OPERATIONS
from graphc.run.evaluate import evaluate

HEAD = "input x[3, 4], y[3, 4], v[4], u[3], s; "
SIZED = "input x[n, m], y[n, m], v[m], u[n], s; "

REDUCTIONS = ["sum", "mean", "prod", "max", "min", "var", "std", "norm", "logsumexp"]
BOTH = [  # with known sizes and with symbolic ones
    *(f"sum({f}(x)*s)" for f in REDUCTIONS),
    *(f"sum({f}(x, axis=0)*v)" for f in REDUCTIONS),
    *(f"sum({f}(x, axis=-1)*u)" for f in REDUCTIONS),
    *(f"sum({f}(x, axis=1, keepdims=true)*x)" for f in REDUCTIONS),
    *(f"sum({f}(x, axis=(0, 1), keepdims=true)*x)" for f in REDUCTIONS),
    *(f"sum({f}(x)*y)" for f in ("softmax", "log_softmax")),
    *(f"sum({f}(x, axis=0)*y)" for f in ("softmax", "log_softmax")),
    "sum(var(x, axis=0, ddof=1)*v) + std(x, ddof=1)",
    "sum(x.T^2 * 3) + sum(transpose(x, axes=(1, 0)) @ y)",
    "sum(x[0]*v) + sum(x[:, 1]*u) + x[1, 2]*s + sum(x[-1]^2) + sum(x[1:, :-1]^3)",
    "sum(x[::-1]*y) + sum(x[..., ::-1]*y) + sum(x[1:2]^2)",
    "sum(concat(x, 2y)^2) + sum(concat(x, y, x, axis=1)^3) + sum(concat(u, v)^2)",
    "sum(stack(x, y)^2) + sum(stack(x, 2y, x, axis=1)^3) + sum(stack(u, u, axis=-1)^2) + sum([s, 2s, 3]^2)",
    "sum(pad(x, 1)^2) + sum(pad(x, ((1, 0), (0, 2)), value=2)^3) + sum(pad(u, (1, 2))^2)",
    "sum(x @ v * u) + u @ x @ v + sum((x @ y.T)^2) + sum((x.T @ y)^2) + sum(v @ x.T)",
    'sum(einsum("ij,ij->i", x, y)*u) + sum(einsum("ij,kj->ik", x, y)^2) + sum(einsum("i,j->ij", u, v)*x)',
    'einsum("ij,ij->", x, y) + sum(einsum("ij->ji", x)^2) + sum(einsum("ij->j", x)*v) + sum(einsum("ij,j,i->j", x, v, u)^2)',
    "sum(broadcast(v, x.shape)*x) + sum(broadcast(s, x.shape)*y) + sum(broadcast(x[0:1], x.shape)*y)",
    "sum(reshape(x, (-1,))^2*2) + sum(reshape(x, (x.shape[1], x.shape[0]))^3)",
    "sum(where(x > y, x*y, y^2)) + sum(where(x > s, v, s)) + sum(max(x, v)) + sum(min(x, s)*y)",
    "sum(x + v*s) + sum(x*(u*2)[0]) + sum((x/v)^s) + sum(reshape(u, (u.shape[0], 1))*x - v)",
    "sum(clip(x, 0.5, 1)) + sum(relu(x - y)) + sum(gelu(x)*swish(y)) + sum(elu(x - 1)) + sum(leaky_relu(x - y))",
    "mse(x, y) + binary_cross_entropy(sigmoid(x), y) + hinge(x, y) + cross_entropy(softmax(x), y) + sum(quadratic(x, y))",
    "count(x)*s + sum(x)*count(x, axis=0)",
]
KNOWN = [
    "input x[2, 3, 4], y[2, 4, 5], v[4]; sum((x @ y)^2) + sum((x @ v)^2) + sum((x[0] @ y)^2)",
    'input x[2, 3, 4]; sum(einsum("abc,abd->cd", x, x)^2) + sum(transpose(x, axes=(2, 0, 1))^2*3) + sum(x, axis=(0, 2))[1]',
    "input x[5], k[3]: int; sum(x[k]^2) + sum(gather(x, [1, 1, 4])^3)",
    "input x[5, 4], k[2, 3]: int; sum(x[k]^2) + sum(x[:, k]^3) + sum(x[k, 1]) + sum(gather(x, k, axis=1)^2)",
    "input x[6]; sum(x[::2]^2) + sum(x[4:0:-2]^3) + sum(x[5:2]) + sum(x[::-3])",
    "input k[4]: int, x[4, 3]; sum(one_hot(k, 3)*x) + sum(one_hot(k, 3) @ x.T)",
    "input A[3, 3]; sum(diagonal(A)^2) + sum(diagonal_matrix(A[0]) @ A)",
    "input A[n, n]; sum(diagonal(A)^2) + sum(diagonal_matrix(A[0]) @ A)",
    "input x[n], k[m]: int; param W[7, n]; sum((W[k] @ x)^2)",
    "input x[1, 3], y[2, 1]; sum((x*y)^2) + sum(max(x, y)) + sum(x^y)",
    "input A[3, 3], b[3], B[3, 2]; S = A + 3eye(3); sum(solve(S, b)^2) + sum(solve(S, B)^3) + sum(inverse(S)^3)",
    "input A[2, 3, 3], b[2, 3], B[2, 3, 2]; S = A + 3eye(3); sum(solve(S, b)^2) + sum(solve(S, B)^3) + sum(inverse(S)^3)",
    "input A[n, n]; S = A + 3eye(n); det(S) + logdet(S)^2 + trace(A @ A) + sum(tril(A)^3) + sum(triu(A)^2 @ A)",
    "input A[2, 3, 3]; S = A + 3eye(3); sum(det(S)^2) + sum(logdet(S)^2) + sum(trace(A)^3) + sum(tril(A)^3)",
    "input A[3, 3], h[3, 3]; S = A + 2eye(3); sum(cofactors_along(S, h)^3) + sum(cofactors(S)^2)",
    "input A[2, 3, 3], h[2, 3, 3]; S = A + 3eye(3); sum(cofactors_along(S, h)^2)",
    "input A[n, n]; L = cholesky(A @ A.T + eye(n)); sum(L^3) + sum(inverse(L)^2)",
    "input A[2, 3, 3]; sum(cholesky(A + 3eye(3))^3)",
    "input A[n, n], b[n]; S = A + 2eye(n); sum(solve_triangular(S, b)^3) + sum(solve_triangular(S, b, upper=true)^3)",
    "input A[3, 3], B[3, 2]; S = A + 2eye(3); sum(solve_triangular(S, B, transposed=true)^3) + sum(solve_triangular(S, B, upper=true, transposed=true)^3)",
    "input A[3, 3]; S = A*[1, 2, 3] + diagonal_matrix([1, 3, 7]); sum(eigenvalues(S)^3) + sum(eigenvectors(S)^3)",
    "input A[2, 3, 3]; S = A*[1, 2, 3] + diagonal_matrix([1, 3, 7]); sum(eigenvalues(S)^3) + sum(eigenvectors(S)^3)",
    "input a[n], b[m]; sum(outer(a, b^2)^2)",
    "input x[4], h[4]; sum(products_of_others(x)^2) + sum(products_of_others_along(x, h)^3)",
    "input x[2, 3, 2], h[2, 3, 2]; sum(products_of_others(x, axis=1)^2) + sum(products_of_others_along(x, h, axis=(0, 2))^2)",
    "input x[2]; prod(x)*prod(x[0:1])*prod(x[0:0]) + sum(x[0:0])",
]  # fmt: skip


@pytest.mark.parametrize("body", BOTH, ids=lambda b: b[:50])
def test_gradients(body: str) -> None:
    check_gradient(HEAD + body)
    check_gradient(SIZED + body, size=2)


@pytest.mark.parametrize("text", KNOWN, ids=lambda b: b[:50])
def test_more_gradients(text: str) -> None:
    check_gradient(text, size=3)


def arrays(text: str, seed: int = 0) -> tuple[dict[str, Any], Any]:
    graph = read(text)
    values, sizes = leaf_values(graph, seed=seed)
    return {s.name: v for s, v in values.items()}, evaluate(graph, values, graph.outputs, sizes)[graph.outputs[0]]


VALUES: list[tuple[str, Any]] = [
    ("sum(x, axis=1)", lambda x: x.sum(1)),
    ("prod(x, axis=0, keepdims=true)", lambda x: x.prod(0, keepdims=True)),
    ("max(x)", lambda x: x.max()),
    ("min(x, axis=-1)", lambda x: x.min(-1)),
    ("mean(x, axis=(0, 1))", lambda x: x.mean()),
    ("var(x, axis=0)", lambda x: x.var(0)),
    ("std(x, axis=1, ddof=1)", lambda x: x.std(1, ddof=1)),
    ("norm(x, axis=1)", lambda x: np.linalg.norm(x, axis=1)),
    ("logsumexp(x, axis=0)", lambda x: np.log(np.exp(x).sum(0))),
    ("softmax(x)", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    ("log_softmax(x, axis=0)", lambda x: np.log(np.exp(x) / np.exp(x).sum(0))),
    ("argmax(x, axis=1)", lambda x: x.argmax(1)),
    ("argmax(x)", lambda x: x.argmax()),
    ("reshape(x, (4, 3))", lambda x: x.reshape(4, 3)),
    ("x.T", lambda x: x.T),
    ("pad(x, ((1, 0), (0, 2)), value=7)", lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=7)),
    ("concat(x, 2x, axis=1)", lambda x: np.concatenate((x, 2 * x), 1)),
    ("stack(x, 2x, axis=2)", lambda x: np.stack((x, 2 * x), 2)),
    ("broadcast(x, (2, 3, 4))", lambda x: np.broadcast_to(x, (2, 3, 4))),
    ("x[1]", lambda x: x[1]),
    ("x[-1, ::2]", lambda x: x[-1, ::2]),
    ("x[::-1, 1:3]", lambda x: x[::-1, 1:3]),
    ("x[2:0:-1]", lambda x: x[2:0:-1]),
    ("x[..., -2:]", lambda x: x[..., -2:]),
    ("x[:, [2, 0]]", lambda x: x[:, [2, 0]]),
    ("x @ x.T", lambda x: x @ x.T),
    ('einsum("ij,ik->jk", x, x)', lambda x: x.T @ x),
    ("diagonal(x[:, :3])", lambda x: np.diag(x[:, :3])),
    ("diagonal_matrix(x[0])", lambda x: np.diag(x[0])),
    ("one_hot(argmax(x, axis=1), 4)", lambda x: np.eye(4)[x.argmax(1)]),
    ("count(x, axis=1)", lambda x: 4),
    ("sum(x > 0.8, axis=0)", lambda x: (x > 0.8).sum(0)),
]


@pytest.mark.parametrize(("body", "numpy"), VALUES, ids=[v[0] for v in VALUES])
def test_values(body: str, numpy: Any) -> None:
    known, got = arrays(f"input x[3, 4]; z = {body}")
    want = numpy(known["x"])
    assert got.shape == np.shape(want)
    assert np.allclose(got, want, rtol=1e-14)


def test_every_operation_with_a_derivative_is_differentiated_here() -> None:
    seen: set[str] = set()
    for text in [HEAD + b for b in BOTH] + KNOWN:
        seen |= names_in(check_gradient_graph(text))
    asked = {o.name for o in OPERATIONS if o.pullback is not None and not o.elementwise}
    assert asked - seen == set()


def names_in(graph: Graph) -> set[str]:
    return {o.name for e in graph.equations if (o := operation_of(e.expr)) is not None}


def check_gradient_graph(text: str) -> Graph:
    from checks import real_leaves

    from graphc.differentiate.program import gradient

    graph = read(text)
    return gradient(graph, real_leaves(graph))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_products_with_zeros(order: tuple[int, ...]) -> None:
    from checks import point

    for factors in ([2.0, 3.0, 5.0], [0.0, 3.0, 5.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]):
        x = [factors[k] for k in order]
        value, gradients = point("input x[3]; prod(x)", x=x)
        assert value == np.prod(x)
        assert gradients["x"].tolist() == [np.prod([v for j, v in enumerate(x) if j != k]) for k in range(3)]


def test_extrema_with_ties_share() -> None:
    from checks import point

    for f in ("max", "min"):
        _, gradients = point(f"input x[4]; {f}(x)", x=[1, 1, 1, 1])
        assert gradients["x"].tolist() == [0.25] * 4
        _, gradients = point(f"input x[2, 2]; sum({f}(x, axis=1)*[1, 2])", x=[[3, 3], [3, 3]])
        assert gradients["x"].tolist() == [[0.5, 0.5], [1, 1]]
        _, gradients = point(f"{f}(a, b)", a=2, b=2)
        assert gradients == {"a": 0.5, "b": 0.5}


def test_gathering_one_element_twice_adds() -> None:
    from checks import point

    _, gradients = point("input x[3], k[4]: int; sum(x[k]*[1, 2, 3, 4])", x=[0, 0, 0], k=[2, 0, 2, -1])
    assert gradients["x"].tolist() == [2, 0, 8]


def test_single_precision_stays_single() -> None:
    for body in BOTH:
        graph = read(HEAD + body)
        values, sizes = leaf_values(graph, dtype=np.float32)
        for s, result in evaluate(graph, values, [e.target for e in graph.equations], sizes, np.float32).items():
            assert result.dtype == {"real": np.float32, "int": np.int64, "bool": np.bool_}[graph.types[s].kind]


@pytest.mark.parametrize(
    ("text", "at", "want"),
    [
        ("input x[3]; a = [1, 10, 1e200]; sum(x/a)", {"x": [1.0, 2.0, 3e200]}, 4.2),
        ("input k: int; k*1e30", {"k": 3}, 3e30),
        ("input k: int; where(k > 0, 1e25, 2)", {"k": 1}, 1e25),
        ("input k: int; k - 2^63", {"k": 1}, -(2.0**63)),
    ],
)
def test_numbers_of_more_than_64_bits_are_real(text: str, at: dict[str, Any], want: float) -> None:
    np.testing.assert_allclose(graphc.compile(text)(**at), want, rtol=1e-15)
