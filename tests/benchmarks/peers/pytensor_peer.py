"""PyTensor: symbolic gradients, its default linker; training with shared variables and updates, a call a batch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from ..cases import Formula, Line, Net, scalar_function

MATH = SimpleNamespace(
    sin=pt.sin, cos=pt.cos, tanh=pt.tanh, exp=pt.exp, log=pt.log, sqrt=pt.sqrt, erf=pt.erf, pi=float(np.pi)
)


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    arrays = list(points.values())
    symbols = [pt.vector(n, dtype=a.dtype.name) for n, a in points.items()]
    value = formula.value(MATH)(*symbols)
    both = pytensor.function(symbols, [value, *pt.grad(value.sum(), symbols)], trust_input=True)

    def call() -> Any:
        value, *gradients = both(*arrays)
        return value, gradients

    return call


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    function = _numbers(formula.value(MATH), len(numbers))
    return lambda: function(*numbers)


def scalar(lines: list[Line]) -> Callable[..., Any]:
    return _numbers(scalar_function(MATH, lines), 3)


def _numbers(function: Callable[..., Any], inputs: int) -> Callable[..., Any]:
    """numbers -> (value, derivatives)."""
    symbols = [pt.dscalar(f"x{k}") for k in range(inputs)]
    value = function(*symbols)
    gradients = pt.grad(value, symbols, disconnected_inputs="ignore")
    both = pytensor.function(symbols, [value, *gradients], on_unused_input="ignore")

    def call(*numbers: float) -> Any:
        value, *gradients = both(*numbers)
        return value, gradients

    return call


def training(net: Net) -> Callable[[Any], Any]:
    first = net.initial()
    x, t = (pytensor.shared(a, borrow=True) for a in net.numbers())
    values = [pytensor.shared(a) for layer in first for a in layer]
    index = pt.lvector("index")
    h, target = (x, t) if net.whole else (x[index], t[index])
    for w, b in zip(values[:-2:2], values[1:-2:2], strict=True):
        h = pt.tanh(h @ w + b)
    z = h @ values[-2] + values[-1]
    if net.output == "softmax":
        loss = -pt.mean(pt.sum(target * pt.special.log_softmax(z, axis=1), axis=1))
    elif net.output == "sigmoid":
        loss = pt.mean(pt.softplus(z[:, 0]) - target * z[:, 0])
    else:
        loss = pt.mean((z[:, 0] - target) ** 2) / 2
    gradients = pt.grad(loss, values)
    lr, updates, states = np.float32(net.lr), {}, []
    if net.optimizer == "adam":
        powers = [pytensor.shared(np.float32(1)) for _ in range(2)]
        p1, p2 = powers[0] * np.float32(0.9), powers[1] * np.float32(0.999)
        updates = {powers[0]: p1, powers[1]: p2}
        for w, g in zip(values, gradients, strict=True):
            m, s = (pytensor.shared(np.zeros_like(w.get_value())) for _ in range(2))
            states += [m, s]
            updates[m] = np.float32(0.9) * m + np.float32(0.1) * g
            updates[s] = np.float32(0.999) * s + np.float32(0.001) * g * g
            updates[w] = w - lr * (updates[m] / (1 - p1)) / (pt.sqrt(updates[s] / (1 - p2)) + np.float32(1e-8))
        states += powers
    else:
        updates = {w: w - lr * g for w, g in zip(values, gradients, strict=True)}
    step = pytensor.function([index], loss, updates=updates, trust_input=True, on_unused_input="ignore")
    start = [(v, v.get_value()) for v in (*values, *states)]

    def call(order: Any) -> Any:
        for variable, value in start:
            variable.set_value(value)
        losses = [
            float(np.mean([step(batch) for batch in epoch])) for epoch in order.reshape(len(order), -1, net.batch)
        ]
        done = [v.get_value() for v in values]
        return list(zip(done[::2], done[1::2], strict=True)), losses

    return call
