"""Random programs print and read back, and have the right gradient.

In: programs drawn by Hypothesis.  Out: nothing, or the smallest program that fails.
Always holds: derivatives are compared away from kinks only: where two steps of different length agree.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mpmath
import numpy as np
from checks import differences, leaf_values, read, real_leaves, same_again
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphc.compiler import called_derivative, gradient_graph
from graphc.differentiate.program import gradient, jacobian
from graphc.graph.graph import prune
from graphc.rewrite import simplify
from graphc.run.evaluate import evaluate, evaluate_exactly

sys.path.insert(0, str(Path(__file__).parent))
from programs import array_programs, scalar_programs


@settings(max_examples=150)
@given(scalar_programs(), st.lists(st.fractions(-2, 2, max_denominator=97), min_size=3, max_size=3))
def test_scalar_gradients_in_fifty_digits(text: str, at: list[object]) -> None:
    graph = read(text)
    found = same_again(prune(gradient(graph, graph.inputs)))
    with mpmath.workdps(60):
        point = {s: mpmath.mpf(f.numerator) / f.denominator for s, f in zip(graph.inputs, at, strict=True)}  # type: ignore[attr-defined]
        results = evaluate_exactly(found, point, found.outputs, digits=60)
        for s, output in zip(graph.inputs, found.outputs, strict=True):
            slopes = []
            for h in (mpmath.mpf(10) ** -18, mpmath.mpf(10) ** -17):
                up, down = (
                    evaluate_exactly(graph, {**point, s: point[s] + step}, graph.outputs, digits=60)[graph.outputs[0]]
                    for step in (h, -h)
                )
                slopes.append((up - down) / (2 * h))
            assume(mpmath.isfinite(slopes[0]) and abs(slopes[0]) < 10**6)
            scale = 1 + abs(slopes[0])
            if abs(slopes[0] - slopes[1]) < mpmath.mpf(10) ** -20 * scale:  # no kink between
                sides = [
                    evaluate_exactly(graph, {**point, s: point[s] + step}, graph.outputs, digits=60)
                    for step in (slopes[0] * 0, h)
                ]
                one_sided = (sides[1][graph.outputs[0]] - sides[0][graph.outputs[0]]) / h
                if abs(one_sided - slopes[0]) < mpmath.mpf(10) ** -9 * scale:
                    assert abs(results[output] - slopes[0]) < mpmath.mpf(10) ** -15 * scale, (
                        f"{text}\nfor {s} at {point}"
                    )


@settings(max_examples=150)
@given(array_programs(), st.integers(0, 100))
def test_gradients_of_arrays(text: str, seed: int) -> None:
    graph = read(text)
    found = same_again(prune(gradient(graph, real_leaves(graph))))
    values, sizes = leaf_values(graph, seed=seed, low=-1, high=1.2, size=3)
    value = evaluate(graph, values, graph.outputs, sizes)[graph.outputs[0]]
    assume(np.isfinite(value) and abs(value) < 1e4)
    results = evaluate(found, values, found.outputs, sizes)
    for s, output in zip(real_leaves(graph), found.outputs, strict=True):
        coarse, fine = (differences(graph, values, sizes, s, h) for h in (2e-5, 1e-5))
        scale = 1 + np.abs(fine).max(initial=0) + abs(value)
        smooth = np.abs(coarse - fine) < 1e-6 * scale
        assert results[output].shape == fine.shape
        wrong = smooth & ~(np.abs(results[output] - fine) < 1e-4 * scale)
        assert not np.any(wrong), f"{text}\nfor {s}: {results[output]} instead of {fine}"


@settings(max_examples=60)
@given(scalar_programs())
def test_gradients_of_gradients_print_and_read(text: str) -> None:
    graph = read(text)
    first = same_again(prune(gradient(graph, graph.inputs)))
    for output in first.outputs:
        same_again(prune(gradient(first, graph.inputs, output)))


@settings(max_examples=60)
@given(array_programs(), st.integers(0, 9))
def test_hessian_vector_products_are_symmetric(text: str, seed: int) -> None:
    """sum(u*H v) = sum(v*H u), whatever the program (where the values are finite)."""
    program = f"{text}\ninput p[n, 3], q[n, 3]\ng = grad(J, A)\nHp = grad(sum(g*p), A)\nHq = grad(sum(g*q), A)\n"
    from graphc.differentiate.program import expand_gradients

    graph = same_again(expand_gradients(read(program + "a = sum(Hp*q); b = sum(Hq*p); output a, b")))
    values, sizes = leaf_values(graph, seed=seed, low=-1, high=1.2, size=3)
    a, b = (float(evaluate(graph, values, [s], sizes)[s]) for s in graph.outputs)
    assume(np.isfinite(a) and abs(a) < 1e6)
    assert abs(a - b) <= 1e-7 * (1 + abs(a)), text


@settings(max_examples=80)
@given(scalar_programs(), st.lists(st.fractions(-2, 2, max_denominator=97), min_size=3, max_size=3))
def test_simplified_derivatives_are_those_that_were_derived(text: str, at: list[object]) -> None:
    """First and second derivatives, stabilised and simplified as the compiler does, in fifty digits."""
    graph = read(text)
    first = prune(gradient(graph, graph.inputs))
    plain = prune(jacobian(first, graph.inputs))
    short = same_again(simplify(called_derivative(graph, "hessian", graph.inputs)))
    slopes = same_again(gradient_graph(graph, graph.inputs))
    with mpmath.workdps(60):
        point = {s: mpmath.mpf(f.numerator) / f.denominator for s, f in zip(graph.inputs, at, strict=True)}  # type: ignore[attr-defined]
        for derived, simplified in ((first, slopes), (plain, short)):
            want = [v for o in derived.outputs for v in evaluate_exactly(derived, point, (o,), 60).values()]
            found = [v for o in simplified.outputs for v in evaluate_exactly(simplified, point, (o,), 60).values()]
            assume(all(mpmath.isfinite(v) and abs(v) < 10**9 for v in want))
            for a, b in zip(want, found, strict=True):
                assert mpmath.almosteq(a, b, mpmath.mpf(10) ** -25, mpmath.mpf(10) ** -25), (
                    f"{text}\nat {point}: {b}, not {a}"
                )
