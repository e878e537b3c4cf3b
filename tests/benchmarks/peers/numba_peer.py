"""Numba with code written by hand: derivatives derived on paper, loops over points, a training loop with np.dot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ..cases import Formula, Net

fast = numba.njit(fastmath=True, error_model="numpy", cache=True)


def _bare(formula: Formula, real: Any) -> Any:
    """inputs -> (value, derivatives), jitted."""
    function = fast(formula.by_hand(math, real))

    if len(formula.ranges) == 1:

        @fast
        def bare(x):
            both = function(x)
            return both[0], both[1:]
    else:

        @fast
        def bare(*x):
            both = function(*x)
            return both[0], both[1:]

    return bare


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    arrays = tuple(points.values())
    count, dtype = arrays[0].size, arrays[0].dtype
    function = fast(formula.by_hand(math, dtype.type))
    loop = {1: _loop1, 2: _loop2, 4: _loop4, 5: _loop5}[len(arrays)](function)

    def call() -> Any:
        out = [np.empty(count, dtype) for _ in range(len(arrays) + 1)]
        loop(*arrays, *out)
        return out[0], out[1:]

    return call


def _loop1(f: Any) -> Any:
    @fast
    def loop(x, v, dx):
        for i in range(x.size):
            v[i], dx[i] = f(x[i])

    return loop


def _loop2(f: Any) -> Any:
    @fast
    def loop(x, y, v, dx, dy):
        for i in range(x.size):
            v[i], dx[i], dy[i] = f(x[i], y[i])

    return loop


def _loop4(f: Any) -> Any:
    @fast
    def loop(a, b, c, d, v, da, db, dc, dd):
        for i in range(a.size):
            v[i], da[i], db[i], dc[i], dd[i] = f(a[i], b[i], c[i], d[i])

    return loop


def _loop5(f: Any) -> Any:
    @fast
    def loop(a, b, c, d, e, v, da, db, dc, dd, de):
        for i in range(a.size):
            v[i], da[i], db[i], dc[i], dd[i], de[i] = f(a[i], b[i], c[i], d[i], e[i])

    return loop


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    bare = _bare(formula, np.float64)
    return lambda: bare(*numbers)


def loop(formula: Formula) -> Callable[..., float]:
    return sum_over(_bare(formula, np.float64), len(formula.ranges))


def sum_over(function: Any, inputs: int) -> Callable[..., float]:
    """A user's own jitted loop that calls a jitted inputs -> (value, derivatives) at every point."""
    if inputs == 1:

        @numba.njit
        def total(x):
            s = 0.0
            for i in range(x.size):
                value, (dx,) = function(x[i])
                s += value + dx
            return s
    else:

        @numba.njit
        def total(a, b, c, d, e):
            s = 0.0
            for i in range(a.size):
                value, g = function(a[i], b[i], c[i], d[i], e[i])
                s += value + (g[0] + g[1] + g[2] + g[3] + g[4])
            return s

    return total


# --- training --------------------------------------------------------------------------------------------------------

SMALL = 8192  # multiplications below which plain loops beat a call of BLAS


@fast
def _product(a, b, out):
    """out = a @ b."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    if m * k * n > SMALL:
        np.dot(a, b, out)
        return
    for i in range(m):
        out[i, :] = 0
        for j in range(k):
            for p in range(n):
                out[i, p] += a[i, j] * b[j, p]


@fast
def _product_t1(a, b, out):
    """out = a.T @ b."""
    m, k, n = a.shape[1], a.shape[0], b.shape[1]
    if m * k * n > SMALL:
        np.dot(a.T, b, out)
        return
    out[:] = 0
    for j in range(k):
        for i in range(m):
            for p in range(n):
                out[i, p] += a[j, i] * b[j, p]


@fast
def _product_t2(a, b, out):
    """out = a @ b.T."""
    m, k, n = a.shape[0], a.shape[1], b.shape[0]
    if m * k * n > SMALL:
        np.dot(a, b.T, out)
        return
    for i in range(m):
        for p in range(n):
            s = np.float32(0)
            for j in range(k):
                s += a[i, j] * b[p, j]
            out[i, p] = s


@fast
def _loss_and_delta(kind, h, t, delta):
    """Mean loss of the last layer's values h, and its derivative."""
    n, c = h.shape
    total, scale = np.float32(0), np.float32(1 / n)
    for i in range(n):
        if kind == 0:
            top = h[i, 0]
            for j in range(1, c):
                top = max(top, h[i, j])
            s, held, mass = np.float32(0), np.float32(0), np.float32(0)
            for j in range(c):
                z = h[i, j] - top
                held += t[i, j] * z
                mass += t[i, j]
                delta[i, j] = math.exp(z)
                s += delta[i, j]
            total += mass * math.log(s) - held
            for j in range(c):
                delta[i, j] = (delta[i, j] / s - t[i, j]) * scale
        elif kind == 1:
            z = h[i, 0]
            e = math.exp(-abs(z))
            total += max(z, np.float32(0)) - t[i, 0] * z + math.log1p(e)
            y = np.float32(1) / (np.float32(1) + e)
            delta[i, 0] = ((y if z >= 0 else np.float32(1) - y) - t[i, 0]) * scale
        else:
            d = h[i, 0] - t[i, 0]
            total += d * d * np.float32(0.5)
            delta[i, 0] = d * scale
    return total * scale


@fast
def _update(w, g, lr, adam, m, s, c1, c2):
    """w, g, m and s are flat."""
    if adam:
        for i in range(w.size):
            m[i] = np.float32(0.9) * m[i] + np.float32(0.1) * g[i]
            s[i] = np.float32(0.999) * s[i] + np.float32(0.001) * g[i] * g[i]
            w[i] -= lr * (m[i] * c1) / (math.sqrt(s[i] * c2) + np.float32(1e-8))
    else:
        for i in range(w.size):
            w[i] -= lr * g[i]


@fast
def _train(kind, adam, lr, batch, x, t, order, w, b, gw, gb, m, s, h, d, losses):
    """w, b, gw, gb: arrays of each layer; h[k], d[k]: values of layer k and derivatives by what enters its tanh."""
    layers = len(w)
    targets = np.empty((batch, t.shape[1]), np.float32)
    p1, p2 = 1.0, 1.0
    for epoch in range(order.shape[0]):
        total = 0.0
        for start in range(0, order.shape[1], batch):
            if epoch == 0 or batch < order.shape[1]:
                for i in range(batch):
                    h[0][i] = x[order[epoch, start + i]]
                    targets[i] = t[order[epoch, start + i]]
            for k in range(layers):
                z, bias = h[k + 1], b[k][0]
                _product(h[k], w[k], z)
                if k < layers - 1:
                    for i in range(batch):
                        for j in range(bias.size):
                            z[i, j] = math.tanh(z[i, j] + bias[j])
                else:
                    for i in range(batch):
                        for j in range(bias.size):
                            z[i, j] += bias[j]
            total += _loss_and_delta(kind, h[layers], targets, d[layers])
            p1, p2 = p1 * 0.9, p2 * 0.999
            c1, c2 = np.float32(1 / (1 - p1)), np.float32(1 / (1 - p2))
            for q in range(layers):
                k = layers - 1 - q
                _product_t1(h[k], d[k + 1], gw[k])
                g = gb[k][0]
                g[:] = 0
                for i in range(batch):
                    for j in range(g.size):
                        g[j] += d[k + 1][i, j]
                if k > 0:
                    _product_t2(d[k + 1], w[k], d[k])
                    for i in range(batch):
                        for j in range(d[k].shape[1]):
                            d[k][i, j] *= np.float32(1) - h[k][i, j] * h[k][i, j]
                _update(w[k].ravel(), gw[k].ravel(), lr, adam, m[2 * k], s[2 * k], c1, c2)
                _update(b[k][0], g, lr, adam, m[2 * k + 1], s[2 * k + 1], c1, c2)
        losses[epoch] = total / (order.shape[1] // batch)


def training(net: Net) -> Callable[[Any], Any]:
    x, t = net.numbers()
    t = np.ascontiguousarray(t.reshape(len(t), -1))
    kind = ("softmax", "sigmoid", "linear").index(net.output)

    def call(order: Any) -> Any:
        layers = net.initial()
        w, b = tuple(w for w, _ in layers), tuple(b.reshape(1, -1) for _, b in layers)
        gw, gb = tuple(np.empty_like(a) for a in w), tuple(np.empty_like(a) for a in b)
        m, s = (tuple(np.zeros(a.size, "f4") for pair in zip(w, b, strict=True) for a in pair) for _ in range(2))
        h, d = (tuple(np.empty((net.batch, size), "f4") for size in net.sizes) for _ in range(2))
        losses = np.empty(len(order))
        _train(
            kind, net.optimizer == "adam", np.float32(net.lr), net.batch, x, t, order, w, b, gw, gb, m, s, h, d, losses
        )
        return layers, losses

    return call
