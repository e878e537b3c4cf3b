"""Formulas from outside, computed by graphc and as they are written, against many digits.

In: the collections beside this file.  Out: nothing, or a failed assertion that names formula, quantity and point; with
`pytest --update` the table in `docs/accuracy.md`.
Always holds: the generated code is measured, run as plain Python; derivatives are compared with differences of the
formula in many digits, too.
"""

from __future__ import annotations

import re
from pathlib import Path

import mpmath
import numpy as np
import pytest

from graphc.run.evaluate import evaluate_exactly
from tests.collections.measure import COLLECTIONS, Formula, Measured, formulas, measure

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"
POINTS = 12  # random ones, for each formula
# Formulas for which graphc, as they are written, finds no number somewhere where there is one.
NO_NUMBER = {
    "float64": set(),
    "float32": {"clustering"},
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_worse_than_as_written(collection: str, dtype: str, request: pytest.FixtureRequest) -> None:
    found = [measure(f, dtype, POINTS, f.generated(dtype)) for f in formulas(collection)]
    assert all(m.errors for m in found)
    faults = [f"{m.formula.name}: {e}" for m in found for e in m.faults]
    assert not faults, "\n".join(faults)
    missing = {m.formula.name: str(e) for m in found for e in m.errors if not np.isfinite(e.found)}
    assert missing.keys() == NO_NUMBER[dtype] & {m.formula.name for m in found}, missing
    _check_row(_row(collection, dtype, found), bool(request.config.getoption("--update")))


SECOND = {
    "Vladislavleva 1", "Vladislavleva 5", "Krawiec 1", "Newton's sine, one step", "eigenvalue", "III.10.19", "Goldstein 8.56",
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_second_derivatives_are_no_worse_than_as_written(collection: str, dtype: str) -> None:
    """Of every thirtieth formula, and of those that were worse once."""
    for k, formula in enumerate(formulas(collection, 2)):
        if k % 30 == 0 or formula.name in SECOND:
            found = measure(formula, dtype, 3, formula.generated(dtype))
            assert not found.faults, f"{formula.name}: {found.faults[0]}"


def _check_row(row: str, update: bool) -> None:
    """The row in the document; counts may differ by a few where another processor rounds otherwise."""
    text = DOCUMENT.read_text("utf-8")
    start = " | ".join(row.split(" | ")[:2])
    documented = next((line for line in text.splitlines() if line.startswith(start)), None)
    if update:
        line = documented or "<!-- collections -->"
        DOCUMENT.write_text(text.replace(line, row if documented else f"{row}\n{line}"), "utf-8")
        return
    assert documented, "pytest --update writes the row"
    for now, then in zip(*(map(int, re.findall(r" (\d+)(?= \|)", line)) for line in (row, documented)), strict=True):
        assert abs(now - then) <= 3, f"{row}\ninstead of\n{documented}"


def _row(collection: str, dtype: str, found: list[Measured]) -> str:
    counts = [sum(m.verdict == verdict for m in found) for verdict in ("better", "equal", "worse")]
    return f"| {' | '.join([collection.replace('_', ' '), dtype, str(len(found)), *map(str, counts)])} |"


ALL = [pytest.param(f, id=f"{c}: {f.name}") for c in COLLECTIONS for f in formulas(c)]


@pytest.mark.parametrize("formula", ALL)
def test_the_gradient_is_right(formula: Formula) -> None:
    """The plain gradient against differences of the value in 80 digits, inside of the ranges."""
    graph, rng = formula.graph, np.random.default_rng(0)
    for _ in range(20):
        at = {s: float(rng.uniform(*formula.ranges[s.name])) for s in graph.inputs}
        with mpmath.workdps(80):
            gradients = evaluate_exactly(formula.whole, at, formula.whole.outputs[1:], 80)
            if not all(map(mpmath.isfinite, gradients.values())):
                continue
            for s, found in zip(graph.inputs, gradients.values(), strict=True):
                step = mpmath.mpf("1e-25") * (abs(at[s]) or 1)
                up, down = (
                    evaluate_exactly(graph, {**at, s: at[s] + k * step}, graph.outputs, 80)[graph.outputs[0]]
                    for k in (1, -1)
                )
                assert mpmath.almosteq((up - down) / (2 * step), found, 1e-20, 1e-20)
        return
    pytest.fail("no point where there is a gradient")
