"""Long programs of numbers: tables of steps agree with the oracle, point by point and over several strips."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc.codegen.plain import plain_functions
from graphc.codegen.strips import STRIP
from graphc.differentiate.program import gradient
from graphc.run.evaluate import evaluate

LENGTH = 420  # statements: more than one straight-line function is written for


def _program() -> str:
    forms = (
        "sin(v{a}) + 0.5*v{b}",
        "v{a}*v{b} - 0.25",
        "where(v{a} > v{b}, v{a}, tanh(v{b}))",
        "max(v{a}, 0.1) / (1 + v{b}^2)",
    )
    lines = ["input x, y", "v0 = x", "v1 = y"]
    for i in range(2, LENGTH):
        lines.append(f"v{i} = " + forms[i % 4].format(a=i - 1, b=max(i - 2 - i % 5, 0)))
    return "\n".join([*lines, f"J = v{LENGTH - 1} + v{LENGTH // 2}"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_table_of_steps_agrees_with_the_oracle(dtype: str) -> None:
    f = graphc.compile(_program(), dtype=dtype)
    assert "value_and_grad_steps" in f.source
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (2, 2 * STRIP + 7)).astype(dtype)
    value, slopes = f.value_and_grad(x=x, y=y)
    plain = plain_functions(f.source)["value_and_grad"]
    derived = gradient(f.graph, f.graph.inputs)
    tolerance = 1e-10 if dtype == "float64" else 2e-3
    for k in (0, STRIP - 1, STRIP, len(x) - 1):
        at = {s: float(v) for s, v in zip(f.graph.inputs, (x[k], y[k]), strict=True)}
        expected = evaluate(f.graph, at, f.graph.outputs)[f.graph.outputs[0]]
        wanted = evaluate(derived, at, derived.outputs)
        found = [float(wanted[o]) for o in derived.outputs]
        assert value[k] == pytest.approx(float(expected), rel=tolerance, abs=tolerance)
        assert [slopes["x"][k], slopes["y"][k]] == pytest.approx(found, rel=tolerance, abs=tolerance)
        v, g = plain(x[k], y[k])
        assert [v, *g] == pytest.approx([value[k], slopes["x"][k], slopes["y"][k]], rel=tolerance, abs=tolerance)


def test_the_kinds_of_steps_do_not_grow_with_the_program() -> None:
    assert graphc.compile(_program()).source.count("@kernel") < 60
