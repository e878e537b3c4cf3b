"""PyTorch: torch.compile of function and gradient over arrays; training with autograd and the fused optimizers."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn import functional

from ..cases import Formula, Line, Net, scalar_function

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
MATH = SimpleNamespace(
    sin=torch.sin, cos=torch.cos, tanh=torch.tanh, exp=torch.exp, log=torch.log, sqrt=torch.sqrt, erf=torch.erf,
    pi=torch.pi,
)  # fmt: skip


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    arrays = [torch.from_numpy(a) for a in points.values()]
    function = formula.value(MATH)

    def both(*arrays: Any) -> Any:
        value, back = torch.func.vjp(function, *arrays)
        return value, back(torch.ones_like(value))

    compiled = torch.compile(both, dynamic=False)

    def call() -> Any:
        with torch.no_grad():
            return compiled(*arrays)

    return call


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    function = _autograd(formula.value(MATH))
    return lambda: function(*numbers)


def _autograd(function: Callable[..., Any]) -> Callable[..., Any]:
    """numbers -> (value, derivatives)."""

    def call(*numbers: float) -> Any:
        leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in numbers]
        value = function(*leaves)
        return value.detach(), torch.autograd.grad(value, leaves, materialize_grads=True)

    return call


def training(net: Net) -> Callable[[Any], Any]:
    x, t = (torch.from_numpy(a) for a in net.numbers())
    classes = t.argmax(dim=1) if net.output == "softmax" else t

    def call(order: Any) -> Any:
        layers = [
            (torch.from_numpy(w.T.copy()).requires_grad_(), torch.from_numpy(b).requires_grad_())
            for w, b in net.initial()
        ]
        values = [a for layer in layers for a in layer]
        optimizer = (torch.optim.Adam if net.optimizer == "adam" else torch.optim.SGD)(values, net.lr, fused=True)
        losses = []
        for epoch in torch.from_numpy(order).reshape(len(order), -1, net.batch):
            total = 0.0
            for index in epoch:
                h, target = (x, classes) if net.whole else (x[index], classes[index])
                for w, b in layers[:-1]:
                    h = torch.tanh(functional.linear(h, w, b))
                z = functional.linear(h, *layers[-1])
                if net.output == "softmax":
                    loss = functional.cross_entropy(z, target)
                elif net.output == "sigmoid":
                    loss = functional.binary_cross_entropy_with_logits(z[:, 0], target)
                else:
                    loss = functional.mse_loss(z[:, 0], target) / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach()
            losses.append(float(total) / net.steps)
        return [(w.detach().T, b.detach()) for w, b in layers], losses

    return call


def scalar(lines: list[Line]) -> Callable[..., Any]:
    return _autograd(scalar_function(MATH, lines))
