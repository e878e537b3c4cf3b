"""Three evaluators agree: the oracle, the generated source as plain Python, and the jitted code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.codegen.plain import plain_functions
from graphc.compiler import gradient_graph, read
from graphc.differentiate.program import expand_gradients
from graphc.graph.graph import Graph, focus
from graphc.graph.types import size_value
from graphc.run.evaluate import evaluate
from graphc.run.function import Function

POINTWISE = [
    "cos(sin(x^2)+3x^2)",
    "x^y+atan2(x,y)+hypot(x,y)+max(x,y)+min(x,2)+clip(x,0,1)+where(x>y,x*y,y)+mod(x,y)+abs(x-y)+sign(x)",
    "exp(x)+expm1(x)+log(x)+log1p(x)+log2(x)+log10(x)+sqrt(x)+cbrt(x)+sinh(x)+cosh(x)+tanh(x)+asinh(x)+tan(x)",
    "sinc(x)+sinc(x, 2)+erfrel(x)+erfrel(x, 1)+erfrel(x, 3)+langevin(x)+langevin(x, 1)+dlogexprel(x)+dlogtanhc(x)+exprel(x)+sinhc(x)+tanhc(x)+log1prel(x)+logrel(x)+log1mexp(-x)+logcosh(x)+xlogy(x, x)",
    "erf(x)+erfc(x)+gamma(x)+loggamma(x)+digamma(x)+polygamma(2,x)+sigmoid(x)+softplus(x)+logaddexp(x,2x)",
    "asin(x/2)+acos(x/2)+atan(x)+acosh(x+2)+atanh(x/2)+floor(x)+ceil(x)+round(x)+threshold(x)+x^-2+x^3+x^0.5",
    "relu(x)+leaky_relu(x)+elu(x)+gelu(x)+swish(x)",
    "input x, k: int; x^k + k*x",
    "sum([x, x*y]) * prod([x, 2])",
    "a = x + y; b = x*y; output a, b",
    "x; y = 3 + 0*x",
    "where(x > 1, 0, -1)*tanh(y)",
]
ARRAYS = [
    "input x[n,3],t[n,2]; param W[3,2],b[2]; J=-mean(sum(t*log(softmax(x@W+b)),axis=1))",
    "input x[n,3]; sum(norm(x,axis=1))+std(x)+logsumexp(x)+sum(var(x,axis=0))",
    "input x[3,4],v[4],u[3]; sum((x@v)*u)+u@x@v",
    "input x[3,4]; sum(x[1:,::2]*2)+sum(x[0]^2)+sum(concat(x,x^2,axis=1)^3)+sum(pad(x,1)^2)+sum(x.T@x)",
    "input x[5], k[3]: int; sum(x[k]^2)+prod(x)+max(x)+min(x)*3+sum(stack(x,x*2,axis=1)^2)",
    'input x[2,3,4], y[2,4,5]; sum((x@y)^2)+sum(einsum("abc,abd->cd",x,x)^2)+sum(einsum("abc->cb",x)^2)',
    "input A[3,3]; sum(diagonal(A)^2)+sum(diagonal_matrix(A[0])@A)+sum(reshape(A,(9,))*2)+sum(broadcast(A[0],(4,3))^2)",
    "input x[n,3], k[n]: int; param W[3,4]; J = cross_entropy(softmax(x@W), one_hot(k,4))",
    "input x[n,3]; y = x.T; z = x[::-1] * 2; m = argmax(x, axis=0); a = argmax(x); c = n; output y, z, m, a, c",
    "input x[n, 40], y[40, n]; p = x @ y; q = y @ x; r = (x @ y).T; output p, q, r",
    "input x[n, 20], w[20]; J = sum(exp((x - mean(x, axis=0)) @ w / 10))",
    "input x[n,2]; J = sum(x^2); g = grad(J, x); output g, J",
    "input x[n], c; max(x) * c + min(x, c)[0] + sum(max(x, c))",
    "input x[n,3], A[3,3]; y = tanh(x @ A); D = jacobian(y, A); H = hessian(sum(y^2), x); p = jvp(y, A, A); output D, H, p",
    "input A[3,3], b[3], B[n,3,2]; S = A@A.T + 2eye(3); x = solve(S,b); L = cholesky(S); y = solve_triangular(L,b); J = sum(x*y) + logdet(S)",
    "input A[n,3,3], B[n,3,2]; S = A + 3eye(3); J = sum(solve(S,B)^2) + sum(det(S)) + sum(eigenvalues(S)^2) + sum(inverse(S[0]))",
    "input u[n], v[n], x[n,n]; B = outer(u,v); C = -tril(B); D = tril(-x*2); E = (2*x)[:, :] + 1; output B, C, D, E",
    "input x[n, m]; sum(x, axis=0)[0] + sum(x.T[1:] ^ 2) + mean(x[:, :1])",
    "input x[2,3,4]; s = softmax(x, axis=2); J = sum(s^2) + sum(softmax(x, axis=1)*x) + sum(norm(s, axis=2)*mean(x, axis=2))",
    'input q[2,3,4], k[2,5,4], v[2,5,4]; J = sum((softmax(q@einsum("abc->acb",k)/2)@v)^2)',
    "input x[n,5]; z = (x-mean(x,axis=1,keepdims=true))/sqrt(var(x,axis=1,keepdims=true)+0.1); J = sum(z^3*x)",
    "input x[n,3], t[n]; r = sum(x,axis=1); s = r*t; J = sum(x*reshape(s,(n,1))) + max(s) * sum(r) + sum(exp(x)/reshape(s,(n,1)))",
    "input x[n,4], k[n]: int; param W[4,3]; h = tanh(x@W); J = sum(h[k]^2) + sum(x[:,1:3]*h[:,:2]) + sum(concat(h,x,axis=1)^3)",
    "input x[n,4]; param W[4,4]; a = tanh(x@W); b = tanh(a@W); c = tanh((a+b)@W.T); J = sum(a*c) + sum(argmax(b,axis=1)) + sum(b@W)",
    "input x[n,60], z[n,60]; param W[60,50]; J = sum((x@W)^2)+sum(tanh(z@W))+sum((x@W-z@W)@W.T)",
    "input x[n,5], t[n,3]; param W[5,3]; h = tanh(x@W); J = sum((softmax(h@h.T)@h-t)^2)",
    "input x[1,5], y[n,1]; J = sum(softmax(x,axis=1)*x) + sum(softmax(y,axis=0)*y) + sum(exp(x)*y)",
]


def _values(graph: Graph, seed: int) -> tuple[dict[str, Any], dict[str, int]]:
    rng = np.random.default_rng(seed)
    sizes = dict(zip(graph.sizes, (4, 3), strict=False))
    values: dict[str, Any] = {}
    for s in graph.leaves():
        shape = tuple(size_value(d, sizes) for d in graph.types[s].shape)
        values[s.name] = rng.uniform(0.2, 1.5, shape) if graph.types[s].kind == "real" else rng.integers(0, 2, shape)
    return values, sizes


def _oracle(f: Function, values: dict[str, Any], sizes: dict[str, int], dtype: Any = np.float64) -> tuple[Any, Any]:
    graph = expand_gradients(read(f.graph))
    leaves = {
        s: np.asarray(values[s.name], dtype if graph.types[s].kind == "real" else np.int64) for s in graph.leaves()
    }
    found = evaluate(graph, leaves, graph.outputs, sizes, dtype)
    outputs = [found[o] for o in graph.outputs]
    if not f.artifact.gradients:
        return outputs, None
    gradient = gradient_graph(focus(graph, graph.outputs))
    table = evaluate(gradient, leaves, gradient.outputs, sizes, dtype)
    return outputs, [table[o] for o in gradient.outputs]


def _close(a: Any, b: Any, rtol: float) -> None:
    np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("text", POINTWISE + ARRAYS)
def test_plain_source_agrees_with_the_oracle(text: str) -> None:
    f = graphc.compile(graphc.parse(text))
    values, sizes = _values(f.graph, 1)
    outputs, gradients = _oracle(f, values, sizes)
    functions = plain_functions(f.source)
    typed = [np.asarray(values[n], np.float64 if f._types[n].kind == "real" else np.int64) for n in f.inputs]
    arguments = [v[()] if v.ndim == 0 else v for v in typed]
    with np.errstate(all="ignore"):
        got = functions["forward"](*arguments)
        for a, b in zip(got if len(outputs) > 1 else [got], outputs, strict=True):
            _close(a, b, 1e-10)
        if gradients is not None:
            value, both = functions["value_and_grad"](*arguments)
            _close(value, outputs[0], 1e-10)
            for a, b, c in zip(functions["backward"](*arguments), both, gradients, strict=True):
                _close(a, c, 1e-9)
                _close(b, c, 1e-9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", [*POINTWISE[:4], *ARRAYS[:8:2]])
def test_jitted_code_agrees_with_the_oracle(text: str, dtype: str) -> None:
    f = graphc.compile(graphc.parse(text), dtype=dtype)
    values, sizes = _values(f.graph, 2)
    outputs, gradients = _oracle(f, values, sizes)
    f._plain_left = 0
    tolerance = 1e-10 if dtype == "float64" else 3e-4
    value, found = f.value_and_grad(**values)
    _close(value, outputs[0], tolerance)
    assert gradients is not None
    for name, b in zip(f.artifact.gradients, gradients, strict=True):
        _close(found[name], b, tolerance)
        if np.ndim(b):
            assert found[name].dtype == np.dtype(dtype)


def test_arrays_of_points_are_elementwise() -> None:
    f = graphc.compile("sin(x)*y + x^y")
    x, y = np.linspace(0.5, 2, 7)[:, None], np.linspace(1, 2, 3)
    value, gradients = f.value_and_grad(x=x, y=y)
    assert value.shape == (7, 3) == gradients["x"].shape
    _close(value, np.sin(x) * y + x**y, 1e-14)
    _close(gradients["y"], np.sin(x) + x**y * np.log(x), 1e-14)
    _close(gradients["x"], np.cos(x) * y + y * x ** (y - 1), 1e-13)


def test_jitted_rearrangements() -> None:
    f = graphc.compile(ARRAYS[8])
    x = np.random.default_rng(0).normal(size=(4, 3))
    found = f(x=x)
    _close(found["y"], x.T, 0)
    _close(found["z"], 2 * x[::-1], 0)
    assert found["m"].tolist() == x.argmax(axis=0).tolist()
    assert found["a"] == x.argmax()
    assert found["c"] == 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 3, 33])
def test_quotients_are_no_products_with_reciprocals(count: int, dtype: Any) -> None:
    roots = np.tile(np.array([0, np.inf, 4], dtype), count)
    root = graphc.compile("input s[n]; output r; r = 1/sqrt(s)", dtype=dtype)
    np.testing.assert_array_equal(root(s=roots), np.tile([np.inf, 0, 0.5], count))
    tiny = np.full((2, 3 * count), 5 * float(np.finfo(dtype).smallest_subnormal), dtype)
    for text in ("x/s", "x/max(x, axis=1, keepdims=true)"):
        ratio = graphc.compile(f"input x[b,n], s[b,n]; output r; r = {text} + 0*s", dtype=dtype)
        np.testing.assert_array_equal(ratio(x=tiny, s=tiny), np.ones_like(tiny))
