"""The length of gradients, over formulas of textbooks, regression benchmarks and physics.

In: `tests/corpus`, with SymPy's counts as its script wrote them.  Out: nothing, or a failed assertion.
Always holds: one way of counting for both sides (`tests.corpus.counting`).
"""

from __future__ import annotations

import numpy as np
import pytest

from graphc.compiler import gradient_graph
from graphc.differentiate.program import gradient, hessian
from graphc.language.reader import parse
from graphc.rewrite import simplify, stabilise
from graphc.run.evaluate import evaluate
from tests.checks import leaf_values, same_again
from tests.corpus.counting import count_graph, formulas, sympy_counts

FORMULAS = formulas()
SYMPY = sympy_counts()
# Where SymPy's form is shorter: it divides the value by each input, 0/0 where that is 0 (korns 8, debye length), or
# overflows or loses digits where ours does not (logistic slope, misra 1a).
LONGER = {"korns 8": 1, "debye length": 1, "logistic slope": 1, "misra 1a": 1}


@pytest.fixture(scope="module")
def counts() -> dict[str, tuple[int, int]]:
    """Operations of the gradient and of the formula."""
    graphs = {name: parse(text) for name, text in FORMULAS.items()}
    return {name: (count_graph(gradient_graph(g)), count_graph(g)) for name, g in graphs.items()}


def test_the_collection_is_counted() -> None:
    assert len(FORMULAS) >= 150
    assert SYMPY.keys() == FORMULAS.keys()


def test_a_gradient_costs_little(counts: dict[str, tuple[int, int]]) -> None:
    ratios = {name: gradient / forward for name, (gradient, forward) in counts.items()}
    assert max(ratios.values()) <= 5, max(ratios, key=ratios.__getitem__)
    assert np.mean(list(ratios.values())) <= 2.2


def test_no_longer_than_sympys(counts: dict[str, tuple[int, int]]) -> None:
    longer = {name: n - SYMPY[name] for name, (n, _) in counts.items() if n > SYMPY[name]}
    assert longer == LONGER
    assert sum(n for n, _ in counts.values()) <= 0.8 * sum(SYMPY.values())


@pytest.mark.parametrize("name", FORMULAS)
def test_the_gradient_is_right(name: str) -> None:
    graph = parse(FORMULAS[name])
    short, plain = same_again(gradient_graph(graph)), gradient(graph, graph.inputs)
    for seed in range(2):
        values, _ = leaf_values(graph, seed=seed, low=0.3, high=0.9)
        want, found = (list(evaluate(g, values, g.outputs).values()) for g in (plain, short))
        np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [*list(FORMULAS)[::10], "richards", "rlc impedance"])
def test_second_derivatives_are_right(name: str) -> None:
    graph = parse(FORMULAS[name])
    plain = hessian(graph, graph.inputs, stabilise)
    short = same_again(simplify(plain))
    assert count_graph(short) <= count_graph(plain)
    values, _ = leaf_values(graph, low=0.3, high=0.9)
    want, found = (list(evaluate(g, values, g.outputs).values()) for g in (plain, short))
    np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-9)
