"""What is fused, what is stored, and what one call of BLAS does."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.api import training_artifact
from graphc.codegen.artifact import Artifact
from graphc.codegen.placement import bytes_each, live_at_once, placed
from graphc.graph.types import size_value

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
    source = _artifact(NET.replace("10", "1000").format(optimizer=optimizer)).source
    assert source.count("@kernel") == kernels
    rows = next(part for part in source.split("@kernel") if "larger_(" in part)
    assert rows.count("range((s_n))") == 1  # maximum, exponentials, loss, accuracy, gradient, bias's gradient


def test_a_function_of_a_number_of_a_short_row_is_a_loop_over_all_rows() -> None:
    parts = _artifact(NET.format(optimizer="sgd(lr=0.1)")).source.split("@kernel")
    logarithm = next(part for part in parts if "log1p_(" in part)
    assert logarithm.count("for ") == 1
    assert "range(count)" in logarithm


def test_what_only_a_row_needs_has_memory_for_one_row() -> None:
    pieces = _artifact(NET.format(optimizer="sgd(lr=0.1)")).entry("train").pieces
    many, few = (placed(pieces, {"n": n})[1]["real"] for n in (1001, 1000))
    assert many - few == 32 + 32 + 10 + 32  # x@W, h, and the gradients before both products


def test_few_operations_are_one_nest_forwards_and_backwards() -> None:
    source = _artifact("input x[n, 2], y[n, 1]; J = mean((dense(x, 1) - y)^2); minimize J with sgd(lr=0.5)").source
    assert "gemm(" not in source
    assert sum("range((s_n))" in part for part in source.split("@kernel")) == 1


def test_rows_of_a_small_net_do_not_wait_for_each_layer() -> None:
    parts = _artifact(SMALL).source.split("@entry")[0].split("@kernel")[1:]
    assert len(parts) > 3
    assert all(part.count("range((s_n))") <= 1 for part in parts)


def test_short_sums_in_memory_are_written_out() -> None:
    text = "input x[n, 20], t[n, 5]; J = mean((dense(x, 5) - t)^2); minimize J with sgd(lr=0.1)"
    source = _artifact(text).source
    assert source.count("i2 = 4") == 2  # the product and the gradient of its weights
    x, t = np.random.default_rng(0).normal(size=(30, 20)), np.random.default_rng(1).normal(size=(30, 5))
    run = graphc.train(
        text,
        {"x": x, "t": t},
        batch_size=30,
        epochs=1,
        params={"J.W": np.zeros((20, 5)), "J.b": np.zeros(5)},
        dtype="float64",
    )
    np.testing.assert_allclose(run.params["J.W"], 0.1 * 2 * x.T @ t / t.size, rtol=1e-12)


def test_loops_around_sums_that_are_written_out_take_one_turn_at_a_time() -> None:
    source = _artifact("input x[n, 13], t[n, 1]; J = mean((dense(x, 1) - t)^2); minimize J with sgd(lr=0.1)").source
    around = next(line for line in source.split("i1 = 0")[0].splitlines()[::-1] if "for " in line)
    assert "in one_by_one((s_n))" in around


def test_a_loop_that_fills_no_whole_vectors_is_two() -> None:
    source = _artifact("input x[n, 50]; param b[50]; J = mean(exp(x + b)); minimize J").source
    parts = [line.strip() for line in source.splitlines() if line.strip().startswith("for i1 in")]
    assert parts == ["for i1 in range(48):", "for i1 in range(48, 50):"]


def test_a_unit_of_a_few_hundred_weights_joins_the_pass_over_the_rows() -> None:
    source = _artifact(
        "input x[n, 5], t[n, 1]; h = tanh(dense(x, 500)); J = mean((dense(h, 1) - t)^2); minimize J with sgd(lr=0.1)"
    ).source
    assert source.count("gemm(") == 2  # with the weights of h, and their gradient
    assert _artifact("input x[n, 600], t[n, 1]; J = mean((dense(x, 1) - t)^2)").source.count("gemm(") == 2


@pytest.mark.parametrize(("optimizer", "call"), [
    ("sgd(lr=0.1)", "gemm(True, False, 64, 32, (s_n), real(-0.1), e_x, 0, 64, {delta}, 0, real(1.0), f_h_W, 0, view(listed, 0))"),
    ("momentum(lr=0.1)", "gemm(True, False, 64, 32, (s_n), real(1.0), e_x, 0, 64, {delta}, 0, real(0.9), f_h_W_m, 0, view(listed, 0))"),
])  # fmt: skip
def test_the_update_is_part_of_the_product(optimizer: str, call: str) -> None:
    source = _artifact(NET.format(optimizer=optimizer)).source
    head, tail = call.split("{delta}")
    assert any(head in line and line.endswith(tail) for line in source.splitlines())


def test_sums_of_products_grow_in_one_array() -> None:
    text = "input x[n,60], z[n,60]; param W[60,50]; J = mean((x@W)^2) + mean((z@W)^2); minimize J with sgd(lr=0.1)"
    calls = [line for line in _artifact(text).source.splitlines() if "gemm(True" in line]
    targets = [line.split(", view(")[0].split(", ")[-3:-1] for line in calls]
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


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("text", [
    *PROGRAMS, (EXAMPLES / "digits.gc").read_text(),
    *(NET.format(optimizer=f"{o}(lr=0.1)") for o in ("adam", "rmsprop", "nesterov")),
    *(SMALL.replace("sgd(lr=0.5)", f"{o}(lr=0.5)") for o in ("adam", "momentum", "rmsprop")),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("batch", [1, 4, 32, 500])
def test_memory_is_little_more_than_what_lives_at_once(text: str, batch: int) -> None:
    pieces, sizes = _artifact(text).entry("train").pieces, {"n": batch}
    offsets, lengths = placed(pieces, sizes)
    assert sum(bytes_each(kind, 4) * n for kind, n in lengths.items()) <= 1.2 * live_at_once(pieces, sizes, 4)
    ends = [offset + size_value(size, sizes) for offset, (_, size, _, _) in zip(offsets, pieces, strict=True)]
    for j, k in itertools.combinations(range(len(pieces)), 2):
        (kind, _, first, last), (other, _, begin, end) = pieces[j], pieces[k]
        if kind == other and begin <= last and first <= end:
            assert ends[j] <= offsets[k] or ends[k] <= offsets[j]


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


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (1, 1, 3), (2, 1, 3), (1, 2, 1), (2, 3, 1), (1, 1)])
def test_reductions_over_axes_of_one_element(shape: tuple[int, ...]) -> None:
    """An axis of one element has no loop in which a sum could be complete."""
    sets = [axes for k in range(1, len(shape) + 1) for axes in itertools.combinations(range(len(shape)), k)]
    asked = [
        (name, axes)
        for name in ("sum", "prod", "max", "argmax")
        for axes in sets
        if name != "argmax" or len(axes) in (1, len(shape))
    ]
    lines = [
        f"y{k} = {name}(x - v, axis={axes[0] if len(axes) == 1 else axes})" for k, (name, axes) in enumerate(asked)
    ]
    sizes = ", ".join(map(str, shape))
    text = (
        f"input x[{sizes}], v[{shape[-1]}]\n"
        + "\n".join(lines)
        + f"\noutput {', '.join(f'y{k}' for k in range(len(asked)))}"
    )
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=shape), rng.normal(size=shape[-1])
    found = graphc.compile(text)(x=x, v=v)
    for k, (name, axes) in enumerate(asked):
        axis = (axes[0] if len(axes) == 1 else None) if name == "argmax" else axes
        np.testing.assert_allclose(found[f"y{k}"], getattr(np, name)(x - v, axis=axis), err_msg=lines[k], rtol=1e-12)
        alone = graphc.compile(f"input x[{sizes}], v[{shape[-1]}]\noutput y\n{lines[k].replace(f'y{k}', 'y')}")(
            x=x, v=v
        )
        np.testing.assert_allclose(alone, found[f"y{k}"], err_msg=lines[k], rtol=1e-12)


def test_composites_over_axes_of_one_element() -> None:
    x = np.array([[2.0, -1.0, 0.5]])
    text = "input x[1, 3]; a = softmax(x, axis=0); b = logsumexp(x, axis=0); c = var(x, axis=0); d = norm(x, axis=0); output a, b, c, d"
    found = graphc.compile(text)(x=x)
    for name, want in {"a": np.ones((1, 3)), "b": x[0], "c": np.zeros(3), "d": abs(x[0])}.items():
        np.testing.assert_allclose(found[name], want)
    assert graphc.compile("input x[n, 1]; sum(softmax(x))").value_and_grad(x=[[3.0], [4.0]])[0] == 2
    assert graphc.compile("input w[1, 3], v[3]; sum((w - v)^2)").grad(w=x, v=[1, 1, 1])["v"].tolist() == [-2, 4, 1]


def _gradients_by_hand(layers: list[Any], x: Any, t: Any) -> list[Any]:
    """Of half the mean squared error of a net with tanh in between."""
    values = [x]
    for k, (w, b) in enumerate(layers):
        z = values[-1] @ w + b
        values.append(z if k == len(layers) - 1 else np.tanh(z))
    delta = (values[-1] - t) / len(x)
    found = []
    for k in reversed(range(len(layers))):
        found.append((values[k].T @ delta, delta.sum(axis=0)))
        delta = (delta @ layers[k][0].T) * (1 - values[k] ** 2)
    return found[::-1]


@pytest.mark.parametrize(
    "sizes", [(1, 1), (3, 1, 1), (1, 4, 1), (2, 3, 5, 1), (5, 13, 7, 1), (8, 8, 1, 8, 1), (20, 1), (1, 1, 1)]
)
def test_nets_of_any_width_step_as_by_hand(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(sizes))
    layers = [(rng.normal(size=(a, b)) / a, rng.normal(size=b)) for a, b in itertools.pairwise(sizes)]
    x, t = rng.normal(size=(6, sizes[0])), rng.normal(size=6)
    lines = [
        f"h{k} = {'tanh' if k < len(layers) else ''}(dense({'x' if k == 1 else f'h{k - 1}'}, {sizes[k]}))"
        for k in range(1, len(sizes))
    ]
    text = "\n".join(
        [
            f"input x[n, {sizes[0]}], t[n]",
            *lines,
            f"J = mean((h{len(layers)}[:, 0] - t)^2) / 2",
            "minimize J with sgd(lr=1.0)",
        ]
    )
    first = {f"h{k}.{name}": a for k, pair in enumerate(layers, 1) for name, a in zip("Wb", pair, strict=True)}
    run = graphc.train(text, {"x": x, "t": t}, batch_size=6, epochs=1, params=first, dtype="float64")
    for k, (w, b) in enumerate(_gradients_by_hand(layers, x, t[:, None]), 1):
        np.testing.assert_allclose(first[f"h{k}.W"] - run.params[f"h{k}.W"], w, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(first[f"h{k}.b"] - run.params[f"h{k}.b"], b, rtol=1e-9, atol=1e-12)


def test_what_is_read_in_another_shape_where_it_is_computed() -> None:
    text = 'input x[n], w[n]\noutput a, b\ny = exp(x) * w\na = sum(reshape(y, (n, 1)) * reshape(w, (n, 1)))\nb = einsum("ij,ij->j", reshape(y, (n, 1)), reshape(x, (n, 1)))'
    x, w = np.random.default_rng(0).normal(size=(2, 9))
    found = graphc.compile(text)(x=x, w=w)
    np.testing.assert_allclose(found["a"], np.sum(np.exp(x) * w * w))
    np.testing.assert_allclose(found["b"], [np.sum(np.exp(x) * w * x)])
