"""NumPy with derivatives by hand, as arrays; also the reference the answers are compared with, in float64."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.special import erf

from ..cases import Formula, Line, Net, scalar_function

MATH = SimpleNamespace(sin=np.sin, cos=np.cos, tanh=np.tanh, exp=np.exp, log=np.log, sqrt=np.sqrt, erf=erf, pi=np.pi)


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    arrays = list(points.values())
    function = formula.by_hand(MATH, arrays[0].dtype.type)

    def call() -> Any:
        value, *derivatives = function(*arrays)
        return value, derivatives

    return call


def training(net: Net, dtype: str = "float32") -> Callable[[Any], Any]:
    x, t = (a.astype(dtype) for a in net.numbers())
    t = t.reshape(len(t), -1)

    def call(order: Any) -> Any:
        values = [a.astype(dtype) for layer in net.initial() for a in layer]
        w, b = values[::2], values[1::2]
        m, s = ([np.zeros_like(a) for a in values] for _ in range(2))
        losses, step = [], 0
        for epoch in order:
            total = 0.0
            for index in epoch.reshape(-1, net.batch):
                loss, gradients = _gradients(net.output, w, b, x[index], t[index])
                total += loss
                step += 1
                if net.optimizer == "adam":
                    for k, g in enumerate(gradients):
                        m[k] += (g - m[k]) * 0.1
                        s[k] += (g * g - s[k]) * 0.001
                        values[k] -= net.lr * (m[k] / (1 - 0.9**step)) / (np.sqrt(s[k] / (1 - 0.999**step)) + 1e-8)
                else:
                    for value, g in zip(values, gradients, strict=True):
                        value -= net.lr * g
            losses.append(total / net.steps)
        return list(zip(w, b, strict=True)), losses

    return call


def _gradients(output: str, w: list[Any], b: list[Any], x: Any, t: Any) -> tuple[float, list[Any]]:
    """Loss of a batch and its derivatives by w0, b0, w1, b1, ..."""
    h = [x]
    for k, (weights, bias) in enumerate(zip(w, b, strict=True)):
        z = h[-1] @ weights
        z += bias
        h.append(np.tanh(z, out=z) if k < len(w) - 1 else z)
    z, n = h[-1], len(x)
    if output == "softmax":
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total).sum() - (t * z).sum()) / n
        delta = (e / total - t) / n
    elif output == "sigmoid":
        loss = (np.logaddexp(0, z) - t * z).mean()
        delta = (1 / (1 + np.exp(-z)) - t) / n
    else:
        delta = (z - t) / n
        loss = ((z - t) ** 2).mean() / 2
    gradients: list[Any] = []
    for k in range(len(w) - 1, -1, -1):
        gradients[:0] = [h[k].T @ delta, delta.sum(axis=0)]
        if k:
            delta = delta @ w[k].T
            delta *= 1 - h[k] * h[k]
    return float(loss), gradients


def products(net: Net) -> Callable[[], Any]:
    """The matrix products of one step and nothing else, into arrays that are there."""
    made = [(np.ones((m, k), "f4"), np.ones((k, n), "f4"), np.empty((m, n), "f4")) for m, k, n in net.products()]

    def call() -> None:
        for a, b, out in made:
            np.matmul(a, b, out=out)

    return call


def scalar_reference(lines: list[Line], point: tuple[float, ...]) -> tuple[float, list[float]]:
    """Value and derivatives by complex steps: f(x + ih) = f(x) + ih f'(x), exact to rounding (Squire and Trapp, 1998)."""
    function = scalar_function(np, lines)
    steps = [function(*(p + 1e-30j * (i == k) for i, p in enumerate(point))) for k in range(len(point))]
    return float(steps[0].real), [float(s.imag) * 1e30 for s in steps]
