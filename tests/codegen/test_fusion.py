"""What is fused, what is stored, and what one call of BLAS does."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

import graphc
from graphc.api import training_artifact
from graphc.codegen.artifact import Artifact
from graphc.codegen.fusion import schedule
from graphc.codegen.memory import plan_memory
from graphc.compiler import Compilation, read
from graphc.graph.graph import Graph
from graphc.graph.types import product, size_value
from graphc.language.step import focus_updates, training_graph

NET = """
input x[n, 64], k[n]: int
h = tanh(dense(x, 32))
y = softmax(dense(h, 10))
J = cross_entropy(y, one_hot(k, 10))
metric accuracy = mean(argmax(y, axis=1) == k)
minimize J with {optimizer}
"""
SMALL = """
input x[n, 2], y[n, 1]
h = tanh(dense(x, 3))
J = mean((sigmoid(dense(h, 1)) - y)^2)
minimize J with sgd(lr=0.5)
"""


def _artifact(text: str) -> Artifact:
    artifact: Artifact = training_artifact(text, None, "float32")
    return artifact


@pytest.mark.parametrize(("optimizer", "kernels"), [("sgd(lr=0.1)", 5), ("momentum(lr=0.1)", 6), ("adam(lr=0.1)", 5)])
def test_a_softmax_with_loss_metric_and_gradient_is_one_pass_over_the_rows(optimizer: str, kernels: int) -> None:
    source = _artifact(NET.format(optimizer=optimizer)).source
    assert source.count("@kernel") == kernels
    rows = next(part for part in source.split("@kernel") if "exp_(" in part)
    assert rows.count("range((s_n))") == 1  # maximum, exponentials, loss, accuracy, gradient, bias's gradient


def test_what_only_a_row_needs_has_memory_for_one_row() -> None:
    lengths = dict(_artifact(NET.format(optimizer="sgd(lr=0.1)")).entry("train").arenas)
    per_example = size_value(lengths["real"], {"n": 1001}) - size_value(lengths["real"], {"n": 1000})
    assert per_example == 64 + 32 + 32 + 10 + 32  # the example, x@W, h, and the gradients before both products


def test_a_small_net_is_one_nest_forwards_and_backwards() -> None:
    source = _artifact(SMALL).source
    assert "gemm(" not in source
    assert sum("range((s_n))" in part for part in source.split("@kernel")) == 1


@pytest.mark.parametrize(("optimizer", "call"), [
    ("sgd(lr=0.1)", "gemm(True, False, 64, 32, (s_n), real(-0.1), f_x, 0, {delta}, 0, real(1.0), f_h_W, 0)"),
    ("momentum(lr=0.1)", "gemm(True, False, 64, 32, (s_n), real(1.0), f_x, 0, {delta}, 0, real(0.9), f_h_W_m, 0)"),
])  # fmt: skip
def test_the_update_is_part_of_the_product(optimizer: str, call: str) -> None:
    source = _artifact(NET.format(optimizer=optimizer)).source
    head, tail = call.split("{delta}")
    assert any(head in line and line.endswith(tail) for line in source.splitlines())


def test_sums_of_products_grow_in_one_array() -> None:
    text = "input x[n,60], z[n,60]; param W[60,50]; J = mean((x@W)^2) + mean((z@W)^2); minimize J with sgd(lr=0.1)"
    calls = [line for line in _artifact(text).source.splitlines() if "gemm(True" in line]
    targets = [line.rstrip(")").split(", ")[-3:-1] for line in calls]
    assert [beta for beta, _ in targets] == ["real(0.0)", "real(1.0)"]
    assert targets[0][1] == targets[1][1]


PROGRAMS = [
    NET.format(optimizer="sgd(lr=0.1)"),
    NET.format(optimizer="momentum(lr=0.1)"),
    SMALL,
    "input x[n,40], y[n,7]; h1 = relu(dense(x,50)); h2 = tanh(dense(h1,60)); h3 = relu(dense(h2,20)); J = mean((dense(h3,7)-y)^2);"
    " minimize J with sgd(lr=0.1)",
    "input x[n,5,16], y[n,16]; q = dense(x,16); a = softmax(q@einsum(\"abc->acb\",x), axis=2); J = mean((mean(a@x,axis=1)-y)^2);"
    " minimize J with adam(lr=0.01)",
]  # fmt: skip


def compile_step(text: str) -> Graph:
    """The primitive equations of one step of training."""
    step = training_graph(read(text))
    return Compilation(step).lower(focus_updates(step)).replace(outputs=step.outputs[:1])


@pytest.mark.parametrize("text", PROGRAMS, ids=range(len(PROGRAMS)))
def test_memory_is_little_more_than_what_lives_at_once(text: str) -> None:
    """Where sizes are known: arrays of n and of 64 elements cannot share memory before n is."""
    step = compile_step(text.replace("[n", "[32"))
    schedule_ = schedule(step)
    plan = plan_memory(schedule_, set(step.leaves()))
    width = {"real": 4, "int": 8, "bool": 1}
    total = sum(width[slot.kind] * size_value(slot.size, {}) for slot in plan.slots)
    live = [0] * (len(schedule_.kernels) + 1)
    for s, (start, last) in plan.alive.items():
        size = width[step.types[s].kind] * size_value(product(schedule_.memory_shape(s)), {})
        for kernel in range(start, min(last, len(live) - 1) + 1):
            live[kernel] += size
    assert total <= 1.2 * max(live)


def test_a_gradient_that_is_kept_is_computed_beside_its_update() -> None:
    """What a state keeps is a result: the product that updates the parameter must not swallow it."""
    text = """
    input x[n, 60]
    param W[60, 50] = 0.01

    def keep(w, g, lr=0.1):
        state s like w = 0
        s' = g
        w' = w - lr * g

    J = sum((x @ W)^2)
    minimize J with keep(lr=0.1)
    """
    x = np.random.default_rng(0).normal(size=(40, 60))
    run = graphc.train(textwrap.dedent(text), {"x": x}, epochs=1, dtype="float64")
    slope = 2 * x.T @ (x @ np.full((60, 50), 0.01))
    assert np.allclose(run.states["W.s"], slope)
    assert np.allclose(run.params["W"], 0.01 - 0.1 * slope)
