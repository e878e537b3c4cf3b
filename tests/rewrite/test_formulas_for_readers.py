"""Formulas for readers: they mean what is computed, are no longer than it, and stay as they are.

In: formulas of `tests/corpus`.  Out: nothing, or a failed assertion.
Always holds: the length compared is that of the text with everything put in.
"""

from __future__ import annotations

import numpy as np
import pytest

from graphc.compiler import gradient_graph
from graphc.language.reader import parse
from graphc.language.writer import inline_text
from graphc.rewrite import readable
from graphc.run.evaluate import evaluate
from tests.checks import leaf_values, same_again
from tests.corpus.counting import formulas

FORMULAS = formulas()


@pytest.mark.parametrize("name", list(FORMULAS)[::4])
def test_formulas_for_readers(name: str) -> None:
    graph = parse(FORMULAS[name])
    computed = gradient_graph(graph)
    shown = same_again(readable(computed))
    texts, again, plain = ([inline_text(g, o) for o in g.outputs] for g in (shown, readable(shown), computed))
    assert again == texts
    assert sum(map(len, texts)) <= sum(map(len, plain)) + len(texts)  # a polynomial in order may have one sign more
    values, _ = leaf_values(graph, low=0.3, high=0.9)
    want, found = (list(evaluate(g, values, g.outputs).values()) for g in (computed, shown))
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-11)
