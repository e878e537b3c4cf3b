"""Forward mode and higher orders: against reverse mode, against differences, for every operation.

In: the records, programs.  Out: nothing, or a failed assertion.
Always holds: what has no rule of its own here (no operation has) is derived from its pullback.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from checks import leaf_values, read, real_leaves, same_again
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Symbol

from graphc.differentiate import jacobian as module
from graphc.differentiate.program import expand_gradients, gradient, hessian, hvp, jacobian, jvp, vjp
from graphc.errors import DerivativeError, ShapeError
from graphc.graph.graph import Graph, prune
from graphc.graph.operation import Operation
from graphc.run.evaluate import evaluate, evaluate_exactly

sys.path.insert(0, str(Path(__file__).parent.parent / "ops"))
sys.path.insert(0, str(Path(__file__).parent.parent / "properties"))
from programs import array_programs, scalar_programs
from test_records import SMOOTH, applied, ids, needs_bool, points
from test_structure_of_arrays import BOTH, HEAD, KNOWN, SIZED

STEP = mpmath.mpf(10) ** -18


def results(graph: Graph, values: dict[Symbol, Any], sizes: dict[str, int]) -> list[Any]:
    known = {s.name: v for s, v in values.items()}
    found = evaluate(graph, {s: known[s.name] for s in graph.leaves()}, graph.outputs, sizes)
    return [found[o] for o in graph.outputs]


# --- every operation, elementwise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", SMOOTH, ids=ids)
def test_forward_mode_is_reverse_mode(operation: Operation) -> None:
    graph = applied(operation)
    wrt = real_leaves(graph)
    pushed, pulled = same_again(jvp(graph, wrt)), gradient(graph, wrt)
    for at in points(operation, 5):
        given = {s: bool(a > 0) if b else a for s, a, b in zip(graph.inputs, at, needs_bool(operation), strict=True)}
        directions = {s: mpmath.mpf(k + 2) for k, s in enumerate(pushed.inputs[len(graph.inputs) :])}
        with mpmath.workdps(50):
            slopes = evaluate_exactly(pulled, given, pulled.outputs)
            want = sum(slopes[o] * d for o, d in zip(pulled.outputs, directions.values(), strict=True))
            (got,) = evaluate_exactly(pushed, {**given, **directions}, pushed.outputs).values()
            assert abs(got - want) <= mpmath.mpf(10) ** -40 * (1 + abs(want)), at


@pytest.mark.parametrize("operation", SMOOTH, ids=ids)
def test_second_and_third_derivatives_are_numbers(operation: Operation) -> None:
    """Each against differences of the one below, in 50 digits, and finite in double precision."""
    graph = applied(operation)
    wrt = real_leaves(graph)
    for _ in range(3):
        below, graph = graph, same_again(prune(gradient(graph, wrt, graph.outputs[0])))
        for at in points(operation, 3):
            given = {
                s: bool(a > 0) if b else mpmath.mpf(a)
                for s, a, b in zip(below.inputs, at, needs_bool(operation), strict=True)
            }
            with mpmath.workdps(50):
                found = evaluate_exactly(graph, given, graph.outputs)
                plain = evaluate(
                    graph, {s: float(v) if not isinstance(v, bool) else v for s, v in given.items()}, graph.outputs
                )
                for s, output in zip(wrt, graph.outputs, strict=True):
                    value = below.outputs[0]
                    up, down = (
                        evaluate_exactly(below, {**given, s: given[s] + h}, [value])[value] for h in (STEP, -STEP)
                    )
                    want = (up - down) / (2 * STEP)
                    assert abs(found[output] - want) <= mpmath.mpf(10) ** -20 * (1 + abs(want)), (at, s)
                    assert float(plain[output]) == pytest.approx(float(want), rel=1e-8, abs=1e-8), (at, s)


# --- arrays ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [HEAD + b for b in BOTH] + [SIZED + b for b in BOTH] + KNOWN, ids=lambda t: t[:70])
def test_hessians_of_arrays(text: str) -> None:
    """The batched Hessian against differences of the gradient, and against its product with a direction."""
    graph = read(text)
    wrt = real_leaves(graph)[:1]
    derived, first, product = (same_again(prune(f(graph, wrt))) for f in (hessian, gradient, hvp))
    values, sizes = leaf_values(graph, size=2 if graph.sizes else 4)
    (x,) = wrt
    (found,) = results(derived, values, sizes)
    shape = np.shape(values[x])
    assert found.shape == shape * 2
    direction = np.random.default_rng(1).normal(size=shape)
    (along,) = results(product, {**values, product.inputs[-1]: direction}, sizes)
    assert np.allclose(
        along, np.tensordot(found, direction, len(shape)), atol=1e-12 * (1 + np.abs(found).max(initial=0))
    )
    for place in np.ndindex(*shape):
        ends = []
        for h in (1e-6, -1e-6):
            moved = np.array(values[x])
            moved[place] += h
            ends += results(first, {**values, x: moved}, sizes)
        want = (ends[0] - ends[1]) / 2e-6
        assert np.allclose(found[(..., *place)], want, atol=1e-6 * (1 + np.abs(want).max(initial=0))), place


@pytest.mark.parametrize("text", [HEAD + b for b in BOTH] + KNOWN, ids=lambda t: t[:70])
def test_third_derivatives_of_arrays(text: str) -> None:
    """Along two directions, against differences of the second."""
    graph = read(text)
    wrt = real_leaves(graph)[:1]
    second = prune(hvp(graph, wrt))
    third = same_again(prune(jvp(second, wrt)))
    values, sizes = leaf_values(graph, size=3)
    (x,), rng = wrt, np.random.default_rng(2)
    one, two = (rng.normal(size=np.shape(values[x])) for _ in range(2))
    (found,) = results(third, {**values, third.inputs[-2]: one, third.inputs[-1]: two}, sizes)
    ends = []
    for h in (1e-6, -1e-6):
        ends += results(second, {**values, x: values[x] + h * two, second.inputs[-1]: one}, sizes)
    want = (ends[0] - ends[1]) / 2e-6
    assert np.allclose(found, want, atol=1e-5 * (1 + np.abs(want).max(initial=0)))


ARRAYS = [
    "input x[n, 3], W[3, 2]; y = tanh(x @ W); output y",
    "input x[3], A[4, 3], b[4]; y = A @ sin(x) - b; output y",
    "input x[n, 3]; y = softmax(x) * x[0]; output y",
    "input x[5], k[3]: int; y = x[k]^2 * x[1]; output y",
    "input x[3, 3]; y = diagonal(x @ x) + sum(diagonal_matrix(x[0]), axis=1); output y",
    "input x[n]; a = concat(x, x^2); b = x[::-1] * x; c = [sum(x), prod(x)]; output a, b, c",
    "input x[2, 3], s; a = x * s; b = s^2; output a, b",
    'input x[2, 3]; y = einsum("ij,ik->ijk", x, x^2); output y',
]


@pytest.mark.parametrize("text", ARRAYS)
@pytest.mark.parametrize("mode", ["forward", "reverse", "chosen"])
def test_jacobians(text: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if mode != "chosen":  # the rule for the mode: fewer directions
        monkeypatch.setattr(module, "_by_columns", lambda rows, columns: mode == "forward")
    graph = read(text)
    wrt = real_leaves(graph)
    derived = same_again(prune(jacobian(graph, wrt)))
    values, sizes = leaf_values(graph, size=3)
    found = iter(results(derived, values, sizes))
    for k, _ in enumerate(graph.outputs):
        for x in wrt:
            block = next(found)
            for place in np.ndindex(*np.shape(values[x])):
                ends = []
                for h in (1e-6, -1e-6):
                    moved = np.array(values[x])
                    moved[place] += h
                    ends.append(results(graph, {**values, x: moved}, sizes)[k])
                want = (ends[0] - ends[1]) / 2e-6
                assert np.allclose(block[(..., *place)], want, atol=1e-7), (x, place)


@settings(max_examples=100)
@given(array_programs(), st.integers(0, 100))
def test_products_from_both_sides(text: str, seed: int) -> None:
    """sum(g * J t) = sum(t * J^T g), whatever the program: the two modes are each other's transpose."""
    graph = read(text)
    wrt = real_leaves(graph)
    graph = graph.replace(outputs=tuple(e.target for e in graph.equations if e.target.name in ("t0", "J")))
    pushed, pulled = same_again(prune(jvp(graph, wrt))), same_again(prune(vjp(graph, wrt)))
    values, sizes = leaf_values(graph, seed=seed, low=-1, high=1.2, size=3)
    rng = np.random.default_rng(seed)
    dots = {
        s: rng.normal(size=np.shape(values[x])) for x, s in zip(wrt, pushed.inputs[len(graph.inputs) :], strict=True)
    }
    tangents = results(pushed, {**values, **dots}, sizes)
    bars = {s: rng.normal(size=t.shape) for s, t in zip(pulled.inputs[len(graph.inputs) :], tangents, strict=True)}
    adjoints = results(pulled, {**values, **bars}, sizes)
    left = sum(float(np.sum(t * b)) for t, b in zip(tangents, bars.values(), strict=True))
    right = sum(float(np.sum(a * d)) for a, d in zip(adjoints, dots.values(), strict=True))
    assume(np.isfinite(left) and abs(left) < 1e6)
    size = sum(float(np.sum(np.abs(t * b))) for t, b in zip(tangents, bars.values(), strict=True))
    assert abs(left - right) <= 1e-9 * (1 + size), text


@settings(max_examples=60)
@given(array_programs(), st.integers(0, 9))
def test_hessians_are_symmetric(text: str, seed: int) -> None:
    graph = read(text)
    wrt = tuple(s for s in graph.inputs if s.name in "vs")
    derived = same_again(prune(hessian(graph, wrt)))
    values, sizes = leaf_values(graph, seed=seed, low=-1, high=1.2, size=3)
    vv, vs, sv, ss = results(derived, values, sizes)
    assume(all(np.isfinite(b).all() and np.abs(b).max(initial=0) < 1e6 for b in (vv, vs, sv, ss)))
    scale = 1 + max(np.abs(b).max(initial=0) for b in (vv, vs, sv, ss))
    assert (vv.shape, vs.shape, sv.shape, ss.shape) == ((3, 3), (3,), (3,), ())
    assert np.allclose(vv, vv.T, atol=1e-8 * scale)
    assert np.allclose(vs, sv, atol=1e-8 * scale)


@settings(max_examples=60)
@given(scalar_programs(), st.lists(st.fractions(-2, 2, max_denominator=97), min_size=3, max_size=3))
def test_second_derivatives_by_both_modes(text: str, at: list[Any]) -> None:
    """Forward over reverse against reverse over reverse, in 50 digits."""
    graph = read(text)
    (x, *_) = wrt = graph.inputs
    product, first = prune(hvp(graph, wrt)), prune(gradient(graph, wrt))
    twice = [prune(gradient(first, (x,), output)) for output in first.outputs]
    point = {s: mpmath.mpf(f.numerator) / f.denominator for s, f in zip(wrt, at, strict=True)}
    directions = dict(zip(product.inputs[len(wrt) :], (mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)), strict=True))
    got = evaluate_exactly(product, {**point, **directions}, product.outputs)
    for output, second in zip(product.outputs, twice, strict=True):
        want = evaluate_exactly(second, point, second.outputs)[second.outputs[0]]
        assume(mpmath.isfinite(want) and abs(want) < 1e8 and mpmath.isfinite(got[output]))  # 0^x at 0 has none
        assert abs(got[output] - want) < mpmath.mpf(10) ** -15 * (1 + abs(want)), text


# --- in programs -------------------------------------------------------------------------------------------------------


def test_derivatives_inside_a_program() -> None:
    text = """input x[3], A[3, 3], t[3]
J = sum(x^3) + x @ A @ x
r = sin(A @ x)
H = hessian(J, x)
D = jacobian(r, x)
a = hvp(J, x, t)
b = jvp(r, x, t)
c = vjp(r, x, t)
output H, D, a, b, c"""
    graph = same_again(expand_gradients(read(text)))
    values, sizes = leaf_values(graph)
    x, matrix, t = values.values()
    second, first, a, b, c = results(graph, values, sizes)
    assert np.allclose(second, np.diag(6 * x) + matrix + matrix.T)
    assert np.allclose(first, np.cos(matrix @ x)[:, None] * matrix)
    assert np.allclose(a, second @ t)
    assert np.allclose(b, first @ t)
    assert np.allclose(c, first.T @ t)


def test_derivatives_of_derivatives() -> None:
    graph = same_again(expand_gradients(read("input x; y = sin(x); z = jvp(jvp(jvp(y, x, 1), x, 1), x, 1)")))
    assert results(graph, {graph.inputs[0]: np.array(0.3)}, {})[0] == pytest.approx(-np.cos(0.3), rel=1e-14)
    graph = same_again(expand_gradients(read("input x[2]; J = prod(x)^2; T = jacobian(hessian(J, x), x); output T")))
    (third,) = results(graph, {graph.inputs[0]: np.array([2.0, 3.0])}, {})
    assert third[0, 0, 1] == third[0, 1, 0] == third[1, 0, 0] == pytest.approx(4 * 3)
    assert third[0, 0, 0] == 0


def test_untaken_branches_and_intermediate_names() -> None:
    graph = expand_gradients(
        read("input x; a = x - 1; y = where(a > 0, sqrt(a), 0); d = jvp(y, x, 1); e = jvp(y, a, 2); output d, e")
    )
    assert results(graph, {graph.inputs[0]: np.array(1.0)}, {}) == [0, 0]
    assert results(graph, {graph.inputs[0]: np.array(5.0)}, {}) == [0.25, 0.5]


def test_what_does_not_depend_has_zeros() -> None:
    graph = same_again(
        expand_gradients(read("input x[2], z[3]; y = 2x; D = jacobian(y, z); p = jvp(y, z, z); output D, p"))
    )
    found = results(graph, {s: np.ones(n) for s, n in zip(graph.inputs, (2, 3), strict=True)}, {})
    assert [f.shape for f in found] == [(2, 3), (2,)]
    assert not any(f.any() for f in found)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("input x[3]; y = x*argmax(x); d = jacobian(y, x); output d", DerivativeError, ["argmax has no derivative"]),
        ("input x[3]; y = sum(x > 1)*x; d = jvp(y, x, x); output d", DerivativeError, ["a > b has no derivative"]),
        ("input x[3], k: int; y = x*k; d = jacobian(y, k)", ShapeError, ["the variable is int"]),
        ("input x[3]; y = 2x; d = jvp(y, x, 1)", ShapeError, ["direction has shape ()", "(3,)"]),
        ("input x[3]; y = 2x; d = vjp(y, x, [1, 2])", ShapeError, ["size 2 does not fit size 3"]),
        ("input x[3]; y = 2x; d = hessian(y, x)", ShapeError, ["only a scalar", "jacobian"]),
        ("input x; y = 2x; d = jvp(y, 3.5, 1)", DerivativeError, ["for a name"]),
    ],
)  # fmt: skip
def test_errors(text: str, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        expand_gradients(read(text))
    for word in words:
        assert word in str(caught.value)


def test_a_jacobian_is_one_sweep() -> None:
    """As many equations for a thousand rows as for three: the basis is an axis, no loop."""
    sizes = [
        len(prune(jacobian(g, g.inputs[:1])).equations)
        for n in (3, 1000)
        if (g := read(f"input x[{n}], W[{n}, {n}]; y = tanh(W @ x); output y"))
    ]
    assert sizes[0] == sizes[1] < 20
