"""graphc, by its public calls."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import graphc

from ..cases import Formula, Line, Net, scalar_text


def ready() -> None:
    """`import graphc` imports neither SymPy nor LLVM."""
    for module in "graphc.compiler", "graphc.codegen.native", "graphc.training.loop":
        import_module(module)


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    function = graphc.compile(formula.text, next(iter(points.values())).dtype.name)
    names = list(points)

    def call() -> Any:
        value, gradients = function.value_and_grad(**points)
        return value, [gradients[n] for n in names]

    return call


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    function, named = graphc.compile(formula.text), dict(zip(formula.ranges, numbers, strict=True))
    return lambda: function.value_and_grad(**named)


def loop(formula: Formula) -> Callable[..., float]:
    from .numba_peer import sum_over

    return sum_over(graphc.compile(formula.text).jit.value_and_grad, len(formula.ranges))


def training(net: Net) -> Callable[[Any], Any]:
    x, t = net.numbers()
    first = {f"h{k}.{part}": a for k, layer in enumerate(net.initial(), 1) for part, a in zip("Wb", layer, strict=True)}

    def call(order: Any) -> Any:
        run = graphc.train(
            net.text,
            {"x": x, "t": t},
            batch_size=net.batch,
            epochs=len(order),
            params=first,
            order=None if net.whole else order,
        )
        layers = [(run.params[f"h{k}.W"], run.params[f"h{k}.b"]) for k in range(1, len(net.sizes))]
        return layers, run.history["loss"]

    return call


def scalar(lines: list[Line]) -> Callable[..., Any]:
    function = graphc.compile(scalar_text(lines))

    def call(x: Any, y: Any, z: Any) -> Any:
        value, gradients = function.value_and_grad(x=x, y=y, z=z)
        return value, [gradients[n] for n in "xyz"]

    return call


def scalar_arrays(lines: list[Line]) -> Callable[..., Any]:
    return scalar(lines)
