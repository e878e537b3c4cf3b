"""Gradients of arrays as formulas: what is printed is the language, and means the gradient."""

from __future__ import annotations

import numpy as np
import pytest
from checks import leaf_values

from graphc.differentiate.program import the_value
from graphc.explain.gradient import Gradient, simplified_gradient
from graphc.graph.graph import Graph
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate

FORMULAS = [
    ("input A[m, n], x[n], b[m]; J = sum((A @ x - b)^2)", ["2*outer(A @ x - b, x)", "2*A.T @ (A @ x - b)", "2*(b - A @ x)"]),
    ("input A[m, n], X[n, k], B[m, k]; J = sum((A @ X - B)^2)", ["2*(A @ X - B) @ X.T", "2*A.T @ (A @ X - B)", "2*(B - A @ X)"]),
    ("input x[n], A[n, n]; J = x @ A @ x", ["(A + A.T) @ x", "outer(x, x)"]),
    ("input X[n, n], A[n, n]; J = trace(A @ X)", ["A.T", "X.T"]),
    ("input X[n, n]; J = trace(X @ X.T)", ["2*X"]),
    ("input X[n, n]; J = logdet(X)", ["inverse(X).T"]),
    ("input X[n, n], a[n], b[n]; J = a @ solve(X, b)", ["-outer(solve(X.T, a), solve(X, b))", "solve(X, b)", "solve(X.T, a)"]),
    ("input h[n, k], W[k, m], t[n, m]; J = sum((tanh(h @ W) - t)^2)/2", None),
    ("input X[3, 3], A[3, 3]; J = trace(X.T @ A @ inverse(X))", None),
    ("input x[n], w[n], s; J = sum(sin(x)*w)^2*s", None),
    ("input x[n], y[n + 1]; J = mean(y^2)*sum(x)", ["sum(y^2)/(n + 1)", "2*sum(x)/(n + 1)*y"]),
    ("input x[b, m]; J = mean(x^2)", ["2/(b*m)*x"]),
    ("input A[m, n], B[n, k]; J = sum(A @ B)", ["broadcast(sum(B, axis=1), shape=(m, n))", "broadcast(sum(A, axis=0)[:, none], shape=(n, k))"]),
    ("input A[m, n], x[n]; J = mean(A @ x)", ["broadcast(x/m, shape=(m, n))", "sum(A, axis=0)/m"]),
    ("input A[n, n], b[n]; J = sum(solve(A, b))",
     ["-outer(solve(A.T, broadcast(1, shape=(n,))), solve(A, b))", "solve(A.T, broadcast(1, shape=(n,)))"]),
    ("input A[n, n], B[n, n]; J = trace(inverse(A) @ B)", ["-inverse(A).T @ B.T @ inverse(A).T", "inverse(A).T"]),
    ("input A[n, n], v[n]; J = det(A - outer(v, v))",
     ["cofactors(A - outer(v, v))", "-(cofactors(A - outer(v, v)) + cofactors(A - outer(v, v)).T) @ v"]),
    ("input A[n, n], B[n, n]; J = sum((A @ B - B @ A)^2)",
     ["2*((A @ B - B @ A) @ B.T - B.T @ (A @ B - B @ A))", "2*(A.T @ (A @ B - B @ A) - (A @ B - B @ A) @ A.T)"]),
    ("input A[n, n]; J = sum(tril(A))", ["tril(broadcast(1, shape=(n, n)))"]),
    ("input x[n], y[n]; J = tanh(x @ y + 1)", ["y/cosh(x @ y + 1)^2", "x/cosh(x @ y + 1)^2"]),
    ("input W[m, n], x[k, n], b[m]; J = sum((x @ W.T + b)^2)",
     ["2*(x @ W.T + b).T @ x", "2*(x @ W.T + b) @ W", "2*sum(x @ W.T + b, axis=0)"]),
    ("input x[b, i, k], y[k, j]; J = sum((x @ y)^2)", None),
    ("input A[n, n]; J = log(det(A))", ["cofactors(A)/det(A)"]),
    ("input m, s, x[n]; J = sum((x - m)^2)/s", ["-2*sum(x - m)/s", "-sum((x - m)^2)/s^2", "2/s*(x - m)"]),
    ("input u[n], v[m], A[n, m]; J = u @ A @ v + 3*sum(outer(u, v)*A)", None),
    ("input x[n], y[n]; J = norm(x - y)^2", ["2*(x - y)", "2*(y - x)"]),
    ("input A[m, n], x[n]; J = norm(A @ x)^2", ["2*outer(A @ x, x)", "2*A.T @ (A @ x)"]),
    ("input x[n], c; J = sqrt(sum(x^2))*norm(x)*c", ["2*c*x", "sum(x^2)"]),
    ("input x[n]; J = mean((x - mean(x))^2)", ["2/n*(x - sum(x)/n)"]),
    ("input x[n, m]; J = sum(var(x, axis=1))", ["2/m*(x - sum(x, axis=1, keepdims=true)/m)"]),
    ("input x[n]; J = sum(sin(x)^2 + cos(x)^2 + x)", ["1"]),
    ("input x[n], y[n]; J = sum((x*y - y*x)*x + y)", ["0", "1"]),
    ("input A[n, n]; J = sum((A + A.T)^2)", ["4*(A + A.T)"]),
    ("input A[n, n]; J = sum((A - A.T)^2)", ["4*(A - A.T)"]),
    ("input A[m, n]; J = trace(A.T @ A)^2", ["4*sum(A^2)*A"]),
    ("input a[n], X[n, n], b[n]; J = a @ X @ b + a @ X.T @ b", None),
    ("input A[n, n], x[n]; J = x @ (A + A.T) @ x", None),
    ("input A[n, n], B[n, n]; J = sum(tril(A.T)*B)", ["tril(B).T", "tril(A.T)"]),
    ("input A[n, n], B[n, n]; J = sum(triu(A)*B)", ["triu(B)", "triu(A)"]),
    ("input X[n, n]; J = trace(X)^2", ["2*trace(X)*eye(n)"]),
    ("input X[m, n], w[n], y[m]; J = mean((X @ w - y)^2)", ["2/m*outer(X @ w - y, w)", "2/m*X.T @ (X @ w - y)", "2/m*(y - X @ w)"]),
    ("input S[n, n], x[n], m[n]; J = (x - m) @ inverse(S) @ (x - m)", None),
    ("input X[m, n], A[m, m]; J = det(X.T @ A @ X)", None),
    ("input A[n, n], B[n, n], C[n, n]; J = trace(A @ B @ A.T @ C)", None),
    ("input a[n], b[n], X[m, n]; J = a @ X.T @ X @ b", ["X.T @ (X @ b)", "X.T @ (X @ a)", "outer(X @ a, b) + outer(X @ b, a)"]),
    ("input x[n], A[n, n]; J = x @ A @ x/(x @ x)", None),
    ("input x[n]; J = sum(x*sum(x))", ["2*sum(x)"]),
    ("input z[k], t[k]; J = -sum(t*log(softmax(z)))", None),
    ("input z[k], i: int; J = -log(softmax(z)[i])", None),
    ("input X[m, n], w[n], y[m], l; J = sum((X @ w - y)^2)/(2*m) + l*sum(w^2)/2", None),
    ("input x[n, m]; J = sum(x/sum(x, axis=1, keepdims=true))", ["0"]),
    ("input A[n, n], c; J = trace((A + c*eye(n)) @ (A + c*eye(n)).T)", ["2*(A + c*eye(n))", "2*trace(A + c*eye(n))"]),
    ("input A[m, n], d[n]; J = sum((A*d)^2)", ["2*d^2*A", "2*d*sum(A^2, axis=0)"]),
    ("input u[n], v[n]; J = norm(outer(u, v))^2", ["2*(v @ v)*u", "2*(u @ u)*v"]),
    ("input x[n], y[n]; J = x @ y/(norm(x)*norm(y))", None),
    ("(P + a*n^2/V^2)*(V - n*b) - n*R*T", None),
    ("log(s) + (x - m)^2/(2*s^2)", ["(1 - ((x - m)/s)^2)/s", "(x - m)/s^2", "(m - x)/s^2"]),
    ("100*(y - x^2)^2 + (1 - x)^2", None),
    ("atan(y/x)", ["x/(x^2 + y^2)", "-y/(x^2 + y^2)"]),
    ("a*cos(w*t) + b/w*sin(w*t)", None),
    ("C/r^12 - D/r", ["1/r^12", "D/r^2 - 12*C/r^13", "-1/r"]),
    ("x/(1 + abs(x))", ["1/(1 + abs(x))^2"]),
    ("max(0, 1 - y*f)^2", ["-2*f*max(0, 1 - y*f)", "-2*y*max(0, 1 - y*f)"]),
    ("q/(e*sqrt(x^2 + y^2 + z^2))", None),
    ("x^3 - 4*x^2 + 7*x - 1", ["3*x^2 - 8*x + 7"]),
    ("5*x^2 + 5*x", ["10*x + 5"]),
    ("(x + 1)*(x + 2)*(x + 3)", ["3*x^2 + 12*x + 11"]),
    ("(2*x + 1)^5*(3*x - 2)^4", ["(2*x + 1)^4*(3*x - 2)^3*(54*x - 8)"]),
    ("x*y/(x^2 + y^2)", ["y*(y^2 - x^2)/(x^2 + y^2)^2", "x*(x^2 - y^2)/(x^2 + y^2)^2"]),
    ("A*exp(-E/(R*T))", None),
    ("log(1/cos(x) + sin(x)/cos(x))", ["1/cos(x)"]),
    ("x^y", ["y*x^(y - 1)", "x^y*log(x)"]),
    ("input A[m, n], b[n]; J = sum((A + b)*A)", ["2*A + b", "sum(A, axis=0)"]),
]  # fmt: skip


# Gradients that are long with everything put in: the lines that are shown.
NAMED = [
    ("input x[n]; m = mean(x); J = sqrt(mean((x - m)^2))", None),
    ("input x[n]; J = std(x)", ["v14 = x - sum(x)/n", "where(norm(v14) == 0, 0, v14/norm(v14))/sqrt(n)"]),
    ("input x[n], w[n]; h = x - sum(x)/n; J = sum(w*h/norm(h))", None),
    ("input Q[n, d], K[m, d], V[m, k], T[n, k]; A = softmax(Q @ K.T/sqrt(d)); Y = A @ V; J = sum((Y - T)^2)",
     ["A = softmax(Q @ K.T/sqrt(d))", "Y = A @ V", "v9 = 2*(Y - T)",
      "v22 = A/sqrt(d)*(v9 @ V.T - sum(A*(v9 @ V.T), axis=1, keepdims=true))", "v22 @ K", "v22.T @ Q", "A.T @ v9", "2*(T - Y)"]),
    ("input x[n], y[n]; a = x - mean(x); b = y - mean(y); J = sum(a*b)/sqrt(sum(a^2)*sum(b^2))", None),
    ("input x[n, k], g[k], b[k], t[n, k]; m = mean(x, axis=0); v = var(x, axis=0); h = (x - m)/sqrt(v + 1e-5); "
     "y = g*h + b; J = sum((y - t)^2)", None),
    ("input x[n, k], g[k], b[k], t[n, k]; m = mean(x, axis=1, keepdims=true); v = var(x, axis=1, keepdims=true); "
     "h = (x - m)/sqrt(v + 1e-5); y = g*h + b; J = sum((y - t)^2)", None),
    ("input x[k], t[k]; m = mean(x); s = std(x); h = (x - m)/s; J = sum(h*t)", None),
    ("input z[n, k], t[n, k], m[n]; p = softmax(z); J = -sum(m*sum(t*log(p), axis=1))/sum(m)",
     ["p = softmax(z)", "v13 = sum(t*log_softmax(z), axis=1)", "v18 = -m[:, none]/sum(m)",
      "t*v18 - p*sum(t*v18, axis=1, keepdims=true)", "v18*log_softmax(z)", "(sum(m*v13)/sum(m) - v13)/sum(m)"]),
    ("input X[n, d], y[n], w[d], b, l; r = X @ w + b - y; J = mean(r^2) + l*sum(w^2)",
     ["r = X @ w + b - y", "2/n*outer(r, w)", "-2/n*r", "2*(l*w + X.T @ r/n)", "2*sum(r)/n", "sum(w^2)"]),
    ("input X[n, d], m[d], S[d, d]; Z = X - m; J = -n*logdet(S)/2 - trace(Z @ inverse(S) @ Z.T)/2",
     ["Z = X - m", "v5 = inverse(S)", "-0.5*Z @ (v5 + v5.T)", "0.5*(v5 + v5.T) @ sum(Z, axis=0)",
      "0.5*(-n*v5.T + v5.T @ Z.T @ Z @ v5.T)"]),
    ("input m[d], S[d, d], T[d, d]; J = (trace(inverse(T) @ S) + m @ solve(T, m) - d + logdet(T) - logdet(S))/2", None),
    ("input a[d], p[d], q[d], c; J = max(0, sum((a - p)^2) - sum((a - q)^2) + c)",
     ["v13 = sum((a - p)^2) - sum((a - q)^2) + c > 0", "2*where(v13, q - p, 0)", "-2*where(v13, a - p, 0)",
      "2*where(v13, a - q, 0)", "where(v13, 1, 0)"]),
    ("input a[d], p[d], q[d], c; J = max(0, norm(a - p) - norm(a - q) + c)", None),
    ("input X[n, d], W[d, k]; R = X - X @ W @ W.T; J = sum(R^2)",
     ["R = X - X @ W @ W.T", "2*(R - R @ W @ W.T)", "-2*(X.T @ R @ W + R.T @ X @ W)"]),
    ("input x[n, 5], t[n, 3], W[5, 4], V[4, 3]; h = tanh(x @ W); y = sigmoid(h @ V); J = mean(sum((y - t)^2, axis=1))", None),
]  # fmt: skip


def shown_lines(graph: Graph) -> tuple[Gradient, list[str]]:
    """The gradient and its lines, those of derivatives without their names."""
    found = simplified_gradient(graph, graph.inputs, the_value(graph))
    assert found.inlined
    parts = [f"{s.name} = {found.formula(s)}" for s in found.parts]
    return found, [*parts, *map(found.formula, found.graph.outputs)]


@pytest.mark.parametrize(("text", "want"), FORMULAS + NAMED, ids=[t for t, _ in FORMULAS + NAMED])
def test_formulas_mean_the_gradient(text: str, want: list[str] | None) -> None:
    graph = parse(text)
    found, shown = shown_lines(graph)
    if want is not None:
        assert shown == want
    values, sizes = leaf_values(graph, size=3)
    wanted = evaluate(found.graph, values, found.graph.outputs, sizes)
    declared = text.partition(";")[0]
    for line, output in zip(shown[len(found.parts) :], found.graph.outputs, strict=True):
        again: Graph = parse("; ".join([declared, *shown[: len(found.parts)], f"g_ = {line}; output g_"]))
        (value,) = evaluate(again, values, again.outputs, sizes).values()
        assert np.allclose(value, wanted[output], rtol=1e-12), line


@pytest.mark.parametrize("text", [t for t, _ in NAMED])
def test_gradients_with_names_are_right(text: str) -> None:
    """Against differences of the value."""
    graph = parse(text)
    found = simplified_gradient(graph, graph.inputs, the_value(graph)).graph
    values, sizes = leaf_values(graph, size=3)
    for s in (s for s in values if s.name in "ST" and "logdet" in text):  # covariances
        values[s] = values[s] @ values[s].T + np.eye(len(values[s]))
    gradients = evaluate(found, values, found.outputs, sizes)
    rng = np.random.default_rng(0)
    for s, output in zip(graph.inputs, found.outputs, strict=True):
        step = rng.standard_normal(values[s].shape)
        up, down = (
            evaluate(graph, {**values, s: values[s] + h * step}, graph.outputs, sizes)[graph.outputs[0]]
            for h in (1e-6, -1e-6)
        )
        assert np.sum(gradients[output] * step) == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-7), s.name


def test_long_formulas_stay_programs() -> None:
    for text in (
        "u0 = x; " + "; ".join(f"u{k + 1} = sin(u{k})*u{k}" for k in range(40)),
        "input x[5]; J = sum(x[1:]^2)",
    ):
        graph = parse(text)
        assert not simplified_gradient(graph, graph.params or graph.inputs, the_value(graph)).inlined
