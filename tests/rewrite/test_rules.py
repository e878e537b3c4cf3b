"""Every rule, from its record: it fires on its example, keeps the value, and is safe where the naive form is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from graphc.differentiate.program import expand_gradients
from graphc.graph.graph import Graph
from graphc.language.reader import parse
from graphc.language.writer import inline_text
from graphc.rewrite import (
    CANONICAL,
    CHEAP,
    COMPUTED,
    PRECISE,
    READING,
    STABLE,
    TRIALS,
    Form,
    Rule,
    rewrite_steps,
    stabilise,
)
from graphc.run.evaluate import evaluate, evaluate_exactly
from tests.checks import leaf_values, same_again
from tests.exact import evaluate_arrays

SETS: dict[str, tuple[Rule | Form, ...]] = {
    "stable": STABLE,
    "canonical": CANONICAL,
    "cheap": CHEAP,
    "precise": PRECISE,
    "computed": COMPUTED,
    "trials": TRIALS,
    "reading": READING,
}
RULES = [pytest.param(rule, id=f"{name}: {rule.name}") for name, rules in SETS.items() for rule in rules]
GOLDEN = Path(__file__).parent / "golden"


def alone(rule: Rule | Form) -> tuple[Graph, Graph]:
    """The rule's example, and what the rule makes of it with all others off."""
    graph = same_again(expand_gradients(parse(rule.example)))
    after, steps = rewrite_steps(graph, (rule,))
    assert [s.rule for s in steps] == [rule] * len(steps)
    assert steps, f"{rule.name} does not fire on {rule.example}"
    return graph, after


def is_scalar(graph: Graph) -> bool:
    return all(t.rank == 0 for t in graph.types.values())


def shown(rule: Rule | Form) -> str:
    _, after = alone(rule)
    computed = "; ".join(line for line in str(after).splitlines() if not line.startswith(("input", "param")))
    return f"{rule.name}\n    {rule.example}\n    {computed}\n    because: {rule.why}"


@pytest.mark.parametrize("name", SETS)
def test_exact_graphs(name: str, golden: Callable[[Path, Callable[[str], str]], None]) -> None:
    golden(GOLDEN / f"{name}.txt", lambda _: "\n".join(shown(rule) for rule in SETS[name]))


@pytest.mark.parametrize("rule", RULES)
def test_fires_and_stays_valid(rule: Rule | Form) -> None:
    graph, after = alone(rule)
    same_again(after)
    assert after != graph
    assert after.outputs == graph.outputs
    assert rule.why


@pytest.mark.parametrize("rule", RULES)
def test_ends(rule: Rule | Form) -> None:
    _, after = alone(rule)
    again, steps = rewrite_steps(after, (rule,))
    assert steps == ()
    assert again == after


@pytest.mark.parametrize("rule", RULES)
def test_equal_values(rule: Rule | Form) -> None:
    graph, after = alone(rule)
    for seed in range(5):
        values, sizes = leaf_values(graph, seed=seed, low=0.1 if seed < 3 else -0.9, high=0.9)
        if is_scalar(graph):
            given = {s: mpmath.mpf(float(v)) for s, v in values.items()}
            with mpmath.workdps(50):
                (want,) = evaluate_exactly(graph, given, graph.outputs).values()
                (found,) = evaluate_exactly(after, given, after.outputs).values()
                assert mpmath.isnan(want) or mpmath.almosteq(want, found, 1e-45, 1e-45)
        else:
            (want,) = evaluate(graph, values, graph.outputs, sizes).values()
            (found,) = evaluate(after, values, after.outputs, sizes).values()
            assert want.shape == found.shape
            np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-14)


def same_everywhere(graph: Graph, at: float) -> tuple[dict[Any, Any], dict[str, int]]:
    """All that is given is one number."""
    values, sizes = leaf_values(graph, size=3)
    return {s: np.full(v.shape, at) for s, v in values.items()}, sizes


@pytest.mark.parametrize("rule", [p for p in RULES if str(p.id).startswith("stable")])
@pytest.mark.parametrize("at", [-1000.0, -700.0, -30.0, -1e-12, 0.0, 1e-12, 30.0, 700.0, 1000.0])
def test_stable_at_extremes(rule: Rule, at: float) -> None:
    """Where the exact value is a number, the stable form is that number to 13 digits, in floating point."""
    graph, after = alone(rule)
    values, sizes = same_everywhere(graph, at)
    (found,) = evaluate(after, values, after.outputs, sizes).values()
    with mpmath.workdps(1000):
        given = {s: np.vectorize(mpmath.mpf, otypes=[object])(v) for s, v in values.items()}
        want = evaluate_arrays(graph, given, sizes)
    for w, f in zip(want.ravel(), np.asarray(found).ravel(), strict=True):
        if mpmath.isfinite(w) and abs(w) < 1e300:
            assert float(f) == pytest.approx(float(w), rel=1e-13, abs=1e-300)


UNIT = 2.0**-53


def exactly(graph: Graph, values: dict[Any, Any], sizes: dict[str, int]) -> Any:
    given = {s: np.vectorize(mpmath.mpf, otypes=[object])(v) for s, v in values.items()}
    return evaluate_arrays(graph, given, sizes).ravel()


def bits(error: Any, exact: Any) -> float:
    """An error in bits of the last place, at least 0."""
    return float(mpmath.log(max(abs(error) / (abs(exact) * UNIT), 1), 2))


def bits_lost(graph: Graph, values: dict[Any, Any], sizes: dict[str, int], exact: Any) -> list[float]:
    (found,) = evaluate(graph, values, graph.outputs, sizes).values()
    return [
        bits(f - w, w) if np.isfinite(f) and w else 64 for f, w in zip(np.asarray(found).ravel(), exact, strict=True)
    ]


@pytest.mark.parametrize("rule", RULES)
def test_no_digits_are_lost(rule: Rule | Form) -> None:
    """At random points of all magnitudes a rule costs at most a bit: against the formula as written, or against what
    the last half bit of the inputs decides, whichever is more.
    """
    graph, after = alone(rule)
    rng = np.random.default_rng(7)
    for _ in range(10):
        values, sizes = leaf_values(graph, size=3)
        for s, v in values.items():
            if v.dtype == float:
                values[s] = 10 ** rng.uniform(-6, 3, v.shape) * rng.choice([-1, 1], v.shape)
        with mpmath.workdps(900):
            exact = exactly(graph, values, sizes)
            moved = [exactly(graph, {**values, s: v * (1 + mpmath.mpf(UNIT))}, sizes) for s, v in values.items()]
            numbers = [k for k, w in enumerate(exact) if mpmath.isfinite(w) and 1e-290 < abs(w) < 1e290]
            before, now = (bits_lost(g, values, sizes, exact) for g in (graph, after))
            for k in numbers:
                decided = max((bits(m[k] - exact[k], exact[k]) for m in moved if mpmath.isfinite(m[k])), default=0)
                assert now[k] <= max(before[k], decided, 2) + 1, f"{values}: {before[k]} bits were lost, now {now[k]}"


@pytest.mark.parametrize("rule", [r for r in STABLE if isinstance(r, Rule)], ids=lambda r: r.name)
def test_stable_through_names(rule: Rule) -> None:
    """A rule sees through the names that a user gives to every part, and leaves them."""
    graph = parse(re.sub(r"\bv(?=\d)", "part", str(parse(rule.example))))
    after = stabilise(graph)
    assert {e.target.name for e in graph.equations} <= {e.target.name for e in after.equations}
    plain = stabilise(parse(rule.example))
    assert inline_text(after, after.outputs[0]) == inline_text(plain, plain.outputs[0])
