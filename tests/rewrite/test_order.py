"""Chains of products in their cheapest order: what is multiplied with what, and that the values are the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

import graphc
from graphc.graph.graph import Graph, operands, statics
from graphc.graph.operation import operation_of
from graphc.ops.contraction import contract
from graphc.rewrite import order_products
from graphc.run.evaluate import evaluate


def _products(graph: Graph) -> list[tuple[str, ...]]:
    """The operands of each product, by name."""
    return [tuple(a.name for a in operands(e.expr)) for e in graph.equations if operation_of(e.expr) is contract]


@pytest.mark.parametrize(("text", "first"), [
    ("input a[n, n], b[n, n], v[n]; y = a @ b @ v; output y", ("b", "v")),
    ("input a[n, n], b[n, n], v[n]; C = a @ b; y = C @ v; output y", ("b", "v")),
    ("input v[n], a[n, n], b[n, n]; y = v @ (a @ b); output y", ("v", "a")),
    ("input a[8, 2], b[2, 8], c[8, 3]; y = a @ b @ c; output y", ("b", "c")),
    ("input a[2, 8], b[8, 8], c[8, 8]; y = a @ (b @ c); output y", ("a", "b")),
    ("input a[n, n], b[n, n], u[n], v[n]; y = outer(u, v) @ (a @ b); output y", ("v", "a")),
])  # fmt: skip
def test_the_cheapest_product_comes_first(text: str, first: tuple[str, ...]) -> None:
    found = _products(order_products(graphc.parse(text)))
    assert found[0] == first
    assert len(found) == len(_products(graphc.parse(text)))


@pytest.mark.parametrize("text", [
    "input a[n, n], b[n, n], c[n, n]; y = a @ b @ c; output y",  # all orders cost the same
    "input a[n, n], b[n, n], v[n]; C = a @ b; y = C @ v; output y, C",
    "input a[n, n], b[n, n], v[n]; C = a @ b; y = C @ v + sum(C); output y",
    "input a[n, n], b[n, n], v[n]; C = a @ b; y = C @ (C @ v); output y",
])  # fmt: skip
def test_what_is_read_elsewhere_or_as_cheap_stays(text: str) -> None:
    graph = graphc.parse(text)
    assert order_products(graph) == graph


def test_gradients_are_ordered_as_well() -> None:
    f = graphc.compile("input a[n, n], b[n, n], v[n]; J = sum((a @ b @ v)^2)")
    stage = next(h for h in reversed(f.history) if h.name == "tidy")
    matrices = {
        statics(e.expr)[0] for e in stage.graph.equations if stage.graph.types[e.target].rank == 2 and statics(e.expr)
    }
    assert matrices == {"a,b->ab"}  # only outer products
    rng = np.random.default_rng(0)
    a, b, v = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    r = a @ b @ v
    value, slopes = f.value_and_grad(a=a, b=b, v=v)
    assert value == pytest.approx(r @ r, rel=1e-12)
    np.testing.assert_allclose(slopes["a"], 2 * np.outer(r, b @ v), rtol=1e-12)
    np.testing.assert_allclose(slopes["b"], 2 * np.outer(a.T @ r, v), rtol=1e-12)
    np.testing.assert_allclose(slopes["v"], 2 * b.T @ a.T @ r, rtol=1e-12)


@seed(1)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=4, max_size=10), st.randoms(use_true_random=False))
def test_any_order_has_the_same_value(sizes: list[int], random: object) -> None:
    names = [f"m{k}" for k in range(len(sizes) - 1)]
    declared = ", ".join(f"{n}[{sizes[k]}, {sizes[k + 1]}]" for k, n in enumerate(names))
    parts = list(names)
    while len(parts) > 1:
        k = random.randrange(len(parts) - 1)  # type: ignore[attr-defined]
        parts[k : k + 2] = [f"({parts[k]} @ {parts[k + 1]})"]
    graph = graphc.parse(f"input {declared}; y = {parts[0]}; output y")
    ordered = order_products(graph)
    rng = np.random.default_rng(len(sizes))
    values = {s: rng.normal(size=(sizes[k], sizes[k + 1])) for k, s in enumerate(graph.inputs)}
    found = [evaluate(g, values, g.outputs)[g.outputs[0]] for g in (graph, ordered)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-9)
