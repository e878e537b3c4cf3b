"""JAX: value_and_grad under vmap and jit; training as one jitted lax.scan over all batches of all epochs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..cases import Formula, Line, Net, scalar_function

jax.config.update("jax_enable_x64", True)
MATH = SimpleNamespace(
    sin=jnp.sin, cos=jnp.cos, tanh=jnp.tanh, exp=jnp.exp, log=jnp.log, sqrt=jnp.sqrt, erf=lax.erf, pi=jnp.pi
)


def ready() -> None:
    """Its devices are found at their first use."""
    jax.devices()


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    arrays = [jnp.asarray(a) for a in points.values()]
    both = jax.jit(jax.vmap(jax.value_and_grad(formula.value(MATH), tuple(range(len(arrays))))))
    return lambda: jax.block_until_ready(both(*arrays))


def point(formula: Formula, numbers: tuple[float, ...]) -> Callable[[], Any]:
    both = jax.jit(jax.value_and_grad(formula.value(MATH), tuple(range(len(numbers)))))
    return lambda: jax.block_until_ready(both(*numbers))


def training(net: Net) -> Callable[[Any], Any]:
    x, t = (jnp.asarray(a) for a in net.numbers())

    def loss(layers: Any, x: Any, t: Any) -> Any:
        for w, b in layers[:-1]:
            x = jnp.tanh(x @ w + b)
        w, b = layers[-1]
        z = x @ w + b
        if net.output == "softmax":
            return -jnp.mean(jnp.sum(t * jax.nn.log_softmax(z), axis=1))
        z = z[:, 0]
        if net.output == "sigmoid":
            return jnp.mean(jax.nn.softplus(z) - t * z)
        return jnp.mean((z - t) ** 2) / 2

    def step(carry: Any, index: Any) -> Any:
        layers, m, s, p1, p2 = carry
        value, g = jax.value_and_grad(loss)(layers, *((x, t) if net.whole else (x[index], t[index])))
        if net.optimizer == "sgd":
            return (jax.tree.map(lambda w, g: w - net.lr * g, layers, g), m, s, p1, p2), value
        p1, p2 = p1 * 0.9, p2 * 0.999
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        s = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, s, g)
        layers = jax.tree.map(
            lambda w, m, s: w - net.lr * (m / (1 - p1)) / (jnp.sqrt(s / (1 - p2)) + 1e-8), layers, m, s
        )
        return (layers, m, s, p1, p2), value

    @jax.jit
    def run(layers: Any, order: Any) -> Any:
        zero = jax.tree.map(jnp.zeros_like, layers) if net.optimizer == "adam" else ()
        carry = (layers, zero, zero, jnp.float32(1), jnp.float32(1))
        (layers, *_), losses = lax.scan(step, carry, order.reshape(-1, net.batch))
        return layers, losses.reshape(len(order), -1).mean(axis=1)

    first = jax.tree.map(jnp.asarray, net.initial())
    return lambda order: jax.block_until_ready(run(first, order))


def scalar(lines: list[Line]) -> Callable[..., Any]:
    return jax.jit(jax.value_and_grad(scalar_function(MATH, lines), (0, 1, 2)))


def scalar_arrays(lines: list[Line]) -> Callable[..., Any]:
    return jax.jit(jax.vmap(jax.value_and_grad(scalar_function(MATH, lines), (0, 1, 2))))
