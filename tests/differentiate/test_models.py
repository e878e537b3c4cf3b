"""Programs as people write them: gradients and products with the Hessian, compiled, against differences.

In: programs with parameters, shapes of data.  Out: nothing, or a failed assertion.
Always holds: nothing is trained; parameters are moved off their first values, so that nothing is 0 by chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc

MODELS: dict[str, tuple[str, dict[str, Any]]] = {  # shapes of real data, or labels and how many classes they have
    "convolution and pooling": ("""input x[n, 8, 8], t[n]
param K[2, 2] ~ normal(0, 0.5), v[2, 2] ~ normal(0, 0.3)
c = K[0, 0]*x[:, :-1, :-1] + K[0, 1]*x[:, :-1, 1:] + K[1, 0]*x[:, 1:, :-1] + K[1, 1]*x[:, 1:, 1:]
p = max(reshape(tanh(c[:, :6, :6]), (n, 2, 3, 2, 3)), axis=(2, 4))
minimize mse(sum(p*v, axis=(1, 2)), t)""", {"x": (4, 8, 8), "t": 4}),
    "dilated convolution": ("""input x[n, m], t[n]
param w[2] ~ normal(0, 1), u[2] ~ normal(0, 1)
a = tanh(w[0]*x[:, ::2] + w[1]*x[:, 1::2])
minimize mse(mean(u[0]*a[:, ::2] + u[1]*a[:, -2::-2], axis=1), t)""", {"x": (3, 8), "t": 3}),
    "causal attention": ("""input x[m, d]
param Q[4, 4] ~ glorot, K[4, 4] ~ glorot
s = (x @ Q) @ (x @ K).T/sqrt(d)
a = softmax(where(tril(broadcast(1, (m, m))) > 0, s, -1e9))
minimize mean((a @ x - x)^2)""", {"x": (6, 4)}),
    "attention with one place": ("""input x[n, 1, 4], t[n, 1, 4]
param Q[4, 4] ~ glorot, V[4, 4] ~ glorot
minimize mse(softmax(einsum("nid,njd->nij", x @ Q, x)) @ (x @ V), t)""", {"x": (3, 1, 4), "t": (3, 1, 4)}),
    "batch and layer norm": ("""input x[n, 6], t[n]
param W[6, 4] ~ glorot, g[1, 4] = 1, v[4] ~ normal(0, 1)
h = x @ W
z = (h - mean(h, axis=0))/std(h, axis=0)
r = g*(z - mean(z, axis=1, keepdims=true))/sqrt(var(z, axis=1, keepdims=true) + 1e-5)
minimize mse(tanh(r) @ v, t)""", {"x": (7, 6), "t": 7}),
    "recurrence": ("""input x[n, 3, 2], t[n]
param W[2, 3] ~ glorot, U[3, 3] ~ glorot, b[3] = 0, v[3] ~ normal(0, 1)
h = tanh(x[:, 0] @ W + b)
i = tanh(x[:, 1] @ W + h @ U + b)
minimize mse(tanh(x[:, 2] @ W + i @ U + b) @ v, t)""", {"x": (4, 3, 2), "t": 4}),
    "Gaussian process": ("""input x[n], y[n]
param a = 0.1, l = 0.2, s = -1
L = cholesky(exp(2a)*exp(-(x[:, none] - x)^2/(2exp(2l))) + exp(2s)*eye(n))
z = solve_triangular(L, y)
minimize 0.5 z @ z + sum(log(diagonal(L))) + n/2*log(2pi)""", {"x": 6, "y": 6}),
    "Cox": ("""input x[n, 2], time[n], event[n]
param b[2] = 0.1
eta = x @ b
risk = where(time[none] >= time[:, none], eta[none], -inf)
minimize -sum(event^2*(eta - logsumexp(risk, axis=1)))""", {"x": (6, 2), "time": 6, "event": 6}),
    "negative binomial": ("""input x[n, 2], k[n]: int
param w[2] = 0.2, r = 0.3
m = exp(x @ w); a = exp(r)
minimize -mean(loggamma(k + a) - loggamma(a) + a*log(a/(a + m)) + k*log(m/(a + m)))""", {"x": (8, 2), "k": ((8,), 5)}),
    "Kalman filter": ("""input y[2], A[3, 3], H[2, 3], m[3]
param q = 0.1, r = 0.2
P = A @ A.T + exp(q)*eye(3)
S = H @ P @ H.T + exp(r)*eye(2)
e = y - H @ (A @ m)
f = A @ m + solve(S, H @ P).T @ e
minimize 0.5 logdet(S) + 0.5 e @ solve(S, e) + 0.1 sum(f^2)""", {"y": 2, "A": (3, 3), "H": (2, 3), "m": 3}),
    "matrix factorisation": ("""input i[n]: int, j[n]: int, r[n]
param U[5, 3] ~ normal(0, 0.5), V[4, 3] ~ normal(0, 0.5), a[5] = 0
minimize mse(sum(U[i]*V[j], axis=1) + a[i], r) + 0.01 sum(U^2)""", {"i": ((12,), 5), "j": ((12,), 4), "r": 12}),
    "mixture": ("""input x[n, 2]
param m[3, 2] ~ normal(0, 1), s[3] = 0, w[3] = 0
d = sum((x[:, none] - m[none])^2, axis=2)
minimize -mean(logsumexp(log_softmax(w)[none, :] - 2s - d/(2exp(2s)), axis=1))""", {"x": (8, 2)}),
    "coupling flow": ("""input x[n, 4]
param V[2, 4] ~ glorot, W[4, 4] ~ glorot
h = tanh(x[:, :2] @ V) @ W
s = tanh(h[:, :2])
z = concat(x[:, :2], x[:, 2:]*exp(s) + h[:, 2:], axis=1)
minimize mean(0.5 sum(z^2, axis=1) - sum(s, axis=1))""", {"x": (6, 4)}),
    "linear flow": ("""input x[n, 3]
param W[3, 3] ~ normal(0, 1)
minimize mean(0.5 sum((x @ W)^2, axis=1)) - log(abs(det(W)))""", {"x": (6, 3)}),
    "hidden Markov model": ("""input o[3]: int
param A[3, 3] ~ normal(0, 1), B[3, 4] ~ normal(0, 1)
a = log_softmax(A); b = log_softmax(B)
f = logsumexp(b[:, o[0]][:, none] + a, axis=0) + b[:, o[1]]
minimize -logsumexp(logsumexp(f[:, none] + a, axis=0) + b[:, o[2]])""", {"o": ((3,), 4)}),
    "differential equation": ("""input x[n]
param a[4] ~ normal(0, 1), b[4] ~ normal(0, 1), c[4] ~ normal(0, 1)
u = sum(c*tanh(x[:, none]*a + b), axis=1)
du = grad(sum(u), x)
minimize mean((grad(sum(du), x) + u - x^2)^2)""", {"x": 6}),
}  # fmt: skip


def drawn(rng: np.random.Generator, data: Any) -> Any:
    shape, classes = data if isinstance(data, tuple) and isinstance(data[0], tuple) else (data, 0)
    return rng.integers(0, classes, shape) if classes else rng.normal(size=shape)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_and_hessian_along_a_direction(name: str) -> None:
    text, data = MODELS[name]
    rng = np.random.default_rng(7)
    f = graphc.compile(text)
    at = {key: drawn(rng, shape) for key, shape in data.items()}
    params = {key: value + 0.1 * rng.normal(size=np.shape(value)) for key, value in f.initial(3).items()}
    along = {key: rng.normal(size=np.shape(value)) for key, value in params.items()}
    up, down = ({**at, **{k: v + h * along[k] for k, v in params.items()}} for h in (1e-5, -1e-5))
    gradient = f.grad(**at, **params)
    slope = sum(np.sum(gradient[key] * along[key]) for key in params)
    assert slope == pytest.approx((f(**up) - f(**down)) / 2e-5, rel=1e-6, abs=1e-7)
    product = graphc.compile(graphc.hvp(text))
    given = {**at, **params, **{f"{key}_dot": value for key, value in along.items()}}
    curved = product(**{key: value for key, value in given.items() if key in product.inputs})
    ends = f.grad(**up), f.grad(**down)
    for key in params:
        want = (np.asarray(ends[0][key]) - ends[1][key]) / 2e-5
        found = curved[f"{key}_bar_dot"] if len(params) > 1 else curved
        assert np.allclose(found, want, rtol=1e-5, atol=1e-6 * (1 + np.max(np.abs(want)))), key
