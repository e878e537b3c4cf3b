"""Where a function has no derivative, or infinite ones: the documentation's table of kinks, and the select.

In: programs at their kinks.  Out: nothing, or a failed assertion.
Always holds: spellings in one row agree; a branch that is not taken never puts a NaN or an infinity into a gradient.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from checks import point, read, real_leaves, same_again

import graphc
from graphc.compiler import gradient_graph
from graphc.differentiate.program import expand_gradients, gradient
from graphc.language.expand import expand
from graphc.language.reader import parse
from graphc.rewrite import simplify, tidy
from graphc.run.evaluate import evaluate

TABLE = [  # program, point, value, derivatives
    *((f, {"x": 0}, 0, {"x": 0}) for f in (
        "relu(x)", "max(x, 0)", "max(0, x)", "where(x > 0, x, 0)", "where(0 < x, x, 0)", "min(x, 0)", "min(0, x)",
        "clip(x, 0, 5)", "clip(x, -5, 0)", "abs(x)", "|x|", "sign(x)", "x*0 + max(x, 2 - 2)", "leaky_relu(x)*0", "hypot(x, 0)",
    )),
    ("max(a, b)", {"a": 2, "b": 2}, 2, {"a": 0.5, "b": 0.5}),
    ("min(a, b)", {"a": 2, "b": 2}, 2, {"a": 0.5, "b": 0.5}),
    ("max(x, 3)", {"x": 3}, 3, {"x": 0}),
    ("max(3, x)", {"x": 3}, 3, {"x": 0}),
    ("min(x, 3)", {"x": 3}, 3, {"x": 0}),
    ("max(x, 3)", {"x": 4}, 4, {"x": 1}),
    ("clip(x, 0, 1)", {"x": 1}, 1, {"x": 0}),
    ("clip(x, 0, 1)", {"x": 0.5}, 0.5, {"x": 1}),
    ("clip(x, 0, 1)", {"x": 7}, 1, {"x": 0}),
    ("threshold(x)", {"x": 0}, 1, {"x": 0}),
    ("threshold(x)", {"x": -1}, 0, {"x": 0}),
    ("where(x >= 0, 1, 0)*y", {"x": 0, "y": 2}, 2, {"x": 0, "y": 1}),
    ("floor(x)", {"x": 2}, 2, {"x": 0}),
    ("ceil(x)", {"x": 2}, 2, {"x": 0}),
    ("round(x)", {"x": 2.5}, 2, {"x": 0}),
    ("hypot(x, y)", {"x": 0, "y": 0}, 0, {"x": 0, "y": 0}),
    ("a^b", {"a": 0, "b": 2}, 0, {"a": 0, "b": 0}),
    ("a^b", {"a": 0, "b": 1.5}, 0, {"a": 0, "b": 0}),
    ("x^2", {"x": 0}, 0, {"x": 0}),
    ("x^1.5", {"x": 0}, 0, {"x": 0}),
    ("x^0", {"x": 0}, 1, {"x": 0}),
    ("x^1", {"x": 0}, 0, {"x": 1}),
    ("elu(x)", {"x": 0}, 0, {"x": 1}),
    ("stop_gradient(x)*y", {"x": 3, "y": 2}, 6, {"x": 0, "y": 3}),
]  # fmt: skip


# Where differentiation alone finds 0/0, 0*inf or a kink that the mathematics has not: the spelling is recognised first.
SPELLED = [
    *((f, {"x": 0}, 0, {"x": 0}) for f in ("sqrt(x^2)", "sqrt(x*x)", "sqrt(x^3)", "sqrt(x^2 + (2*x)^2)", "abs(-x)", "x*sign(x)", "atan2(x, x)", "atan2(x, 2*x)")),
    ("sqrt(x)^2", {"x": 0}, 0, {"x": 1}),
    ("x/sqrt(x)", {"x": 0}, 0, {"x": math.inf}),
    ("x*log(x)", {"x": 0}, 0, {"x": -math.inf}),
    ("(1 - x)*log(1 - x)", {"x": 1}, 0, {"x": math.inf}),
    ("x^2*log(x)", {"x": 0}, 0, {"x": 0}),
    ("x*log(x/y)", {"x": 0, "y": 2}, 0, {"x": -math.inf, "y": 0}),
    ("sqrt(x^2 + y^2)", {"x": 0, "y": 0}, 0, {"x": 0, "y": 0}),
    ("sqrt(x^2 + y^2 + z^2)", {"x": 0, "y": 0, "z": 0}, 0, {"x": 0, "y": 0, "z": 0}),
    ("atan2(y, x)", {"y": 0, "x": 0}, 0, {"y": 0, "x": 0}),
    ("sin(x)/x", {"x": 0}, 1, {"x": 0}),
    ("(exp(x) - 1)/x", {"x": 0}, 1, {"x": 0.5}),
    ("x/(exp(x) - 1)", {"x": 0}, 1, {"x": -0.5}),
    ("(1 - cos(x))/x^2", {"x": 0}, 0.5, {"x": 0}),
    ("log(1 + x)/x", {"x": 0}, 1, {"x": -0.5}),
    *((f"{f}(x)/x", {"x": 0}, 1, {"x": 0}) for f in ("tanh", "atan", "asin", "asinh", "atanh")),
    ("max(x, 0) + log(1 + exp(-abs(x)))", {"x": 0}, math.log(2), {"x": 0.5}),
]  # fmt: skip
DOCUMENT = Path(__file__).parents[2] / "docs" / "kinks.md"
INTRODUCTION = """# Kinks and limits

Where a formula has no derivative, or where it has no value but a limit; every row is a test. At a tie the winners share
the derivative equally, unless one of them depends on no input: then the other has none.

| program | at | value | derivative |
|---|---|---|---|
"""


def document() -> str:
    rows = []
    for text, at, value, slopes in (*TABLE, *SPELLED):
        place = ", ".join(f"{name} = {v}" for name, v in at.items())
        spelled = text.replace("|", "\\|")
        rows.append(f"| `{spelled}` | {place} | {value:.6g} | {', '.join(f'{v:g}' for v in slopes.values())} |\n")
    return INTRODUCTION + "".join(rows)


def test_the_document_is_this_table(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update"):
        DOCUMENT.write_text(document(), "utf-8")
    assert document() == DOCUMENT.read_text("utf-8"), "pytest --update rewrites docs/kinks.md"


@pytest.mark.parametrize(("text", "at", "value", "derivatives"), TABLE, ids=[f"{t[0]} {t[1]}" for t in TABLE])
def test_table(text: str, at: dict[str, float], value: float, derivatives: dict[str, float]) -> None:
    found, gradients = point(text, **at)
    assert found == value
    assert {name: float(g) for name, g in gradients.items()} == derivatives


@pytest.mark.parametrize(
    ("text", "at", "value", "derivatives"), [*TABLE, *SPELLED], ids=[f"{t[0]} {t[1]}" for t in (*TABLE, *SPELLED)]
)
def test_table_as_computed(text: str, at: dict[str, float], value: float, derivatives: dict[str, float]) -> None:
    graph = parse(text)
    found = gradient_graph(graph, list(derivatives))
    for wanted, lowered in ((value, simplify(graph)), (list(derivatives.values()), found)):
        primitive = tidy(expand(lowered))
        given = {s: np.asarray(at[s.name], float) for s in primitive.leaves()}
        assert list(evaluate(primitive, given, primitive.outputs).values()) == pytest.approx(
            wanted if isinstance(wanted, list) else [wanted], rel=1e-15
        )


@pytest.mark.parametrize(
    ("text", "x", "want"),
    [
        ("input x[3]; norm(x)", [0, 0, 0], [0, 0, 0]),
        ("input x[3]; std(x)", [2, 2, 2], [0, 0, 0]),
        ("input x[2, 2]; sum(norm(x, axis=1))", [[0, 0], [3, 4]], [[0, 0], [0.6, 0.8]]),
        ("input x[2, 2]; sum(std(x, axis=1))", [[5, 5], [0, 2]], [[0, 0], [-0.5, 0.5]]),
        ("input x[4]; max(x)", [1, 3, 3, 2], [0, 0.5, 0.5, 0]),
        ("input x[4]; min(x)", [1, 1, 1, 2], [1 / 3, 1 / 3, 1 / 3, 0]),
        ("input x[3]; sum(relu(x))", [-1, 0, 1], [0, 0, 1]),
        ("input x[4]; logsumexp(x)", [-math.inf] * 4, [0.25] * 4),
        ("input x[3]; logsumexp(x)", [0, -math.inf, 0], [0.5, 0, 0.5]),
    ],
)
def test_arrays_at_kinks(text: str, x: list[float], want: list[float]) -> None:
    _, gradients = point(text, x=x)
    assert np.allclose(gradients["x"], want, rtol=1e-15)


@pytest.mark.parametrize("text", [
    "input a, b; J = {}(a, b); grad(J, a)", "input a, b; J = {}(a, b); jvp(J, a, 1)", "param a = 2; input b; J = {}(a, b); grad(J, a)",
    "input a, b; c = b + 0; J = {}(c, a); jacobian(J, a)", "input a, b; J = {}(a, b)^2/4; hessian(J, a)*2",
])  # fmt: skip
@pytest.mark.parametrize("function", ["max", "min"])
def test_a_tie_is_shared_whatever_is_asked_for(text: str, function: str) -> None:
    graph = expand_gradients(read(text.format(function)))
    for lowered in (graph, tidy(expand(simplify(graph)))):
        (found,) = evaluate(lowered, {s: np.asarray(2.0) for s in lowered.leaves()}, lowered.outputs).values()
        assert found == (0.25 if "hessian" in text else 0.5)


BRANCHES = [  # an expression that is bad at x <= 0 (or where said), its derivative where it is taken
    ("sqrt(x)", 0.0), ("sqrt(x)", -1.0), ("log(x)", 0.0), ("log(x)", -2.0), ("1/x", 0.0), ("asin(x - 1)", -3.0),
    ("asin(x + 1)", 0.0), ("acos(x + 1)", 0.0), ("x^0.3", 0.0), ("x^0.3", -1.0), ("x^(-2)", 0.0), ("x^x", -1.0),
    ("exp(-1000x)", -1.0), ("exp(exp(-10x))", -1.0), ("log(log(x + 1))", 0.0), ("acosh(x)", 0.0), ("atanh(x + 1)", 0.0),
    ("log1p(x - 1)", 0.0), ("cbrt(x)", 0.0), ("tan(x)/x", 0.0), ("sqrt(sqrt(x))", 0.0), ("log2(x)*sqrt(x)/x", 0.0),
    ("gamma(x)", 0.0), ("loggamma(x)", -1.0), ("(x + 1)/(x*sqrt(x))", 0.0), ("mod(1, x)", 0.0), ("atan2(x, x)", 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "x"), BRANCHES, ids=[f"{b[0]} at {b[1]}" for b in BRANCHES])
@pytest.mark.parametrize("form", [
    "input x; y = where(x > 0, {bad}, 3x); {end}",
    "input x; y = where(x <= 0, 3x, {bad}); {end}",
    "input x; b = {bad}; c = b*2; y = where(x > 0, c/2, 3x); {end}",
    "input x; y = where(x > 0, where(x > 0.5, {bad}, {bad} + 1), 3x); {end}",
    "input z[2]; x = sum(z); y = where(x > 0, {bad}, 3x); {end}",
])  # fmt: skip
def test_an_untaken_branch_never_reaches_a_gradient(bad: str, x: float, form: str) -> None:
    start = {"x": x} if "input x" in form else {"z": [x, 0]}
    (name,) = start
    _, first = point(form.format(bad=bad, end="minimize y"), **start)
    assert np.all(first[name] == 3)
    graph = expand_gradients(read(form.format(bad=bad, end=f"g = sum(grad(y, {name})); minimize g")))
    second = same_again(gradient(graph, real_leaves(graph)))
    given = {s: np.asarray(start[s.name], float) for s in graph.inputs}
    (found,) = second.outputs
    assert np.all(evaluate(second, given, second.outputs)[found] == 0)


def test_the_select_of_arrays_is_elementwise() -> None:
    text = "input x[4]; safe = where(x > 0, sqrt(x)*log(x), -x); sum(safe)"
    _, gradients = point(text, x=[-1, 0, 1, 4])
    assert np.allclose(gradients["x"], [-1, -1, 1, 0.5 / 2 * math.log(4) + 2 / 4], rtol=1e-15)


def test_a_use_outside_of_the_branch_counts_in_full() -> None:
    value, gradients = point("r = sqrt(x); y = where(x > 1, r, 0) + r", x=0.25)
    assert (value, gradients["x"]) == (0.5, 1)
    _, gradients = point("r = sqrt(x); y = where(x > 1, r, 0) + where(x < 1, 2r, r)", x=0.25)
    assert gradients["x"] == 2


def test_two_branches_of_one_condition_meet_again() -> None:
    for x, want in ((4.0, 0.25), (-4.0, -0.25), (0.0, 0.0)):
        _, gradients = point("y = where(x > 0, sqrt(x), where(x < 0, sqrt(-x), 0))", x=x)
        assert gradients["x"] == want


def test_the_select_does_not_hide_a_nan_that_is_taken() -> None:
    _, gradients = point("where(x > -2, log(x), 0)", x=0)
    assert gradients["x"] == math.inf


@pytest.mark.parametrize("zeros", range(5))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_derivatives_of_products_with_zeros(zeros: int, dtype: str) -> None:
    """Of all factors but one or two; the third derivative is NaN there, not wrong."""
    x = np.array([2.0, -1.5, 4.0, 0.5])
    x[:zeros] = 0
    f = graphc.compile("input x[n]; prod(x)", dtype)
    assert np.allclose(f.grad(x=x)["x"], [np.prod(np.delete(x, i)) for i in range(4)])
    second = [[np.prod(np.delete(x, [i, j])) if i != j else 0 for j in range(4)] for i in range(4)]
    assert np.allclose(f.hessian(x=x)["x"]["x"], second)
    third = graphc.compile(graphc.jacobian(graphc.hessian("input x[n]; prod(x)")), dtype)(x=x)
    assert np.isnan(third).any() if zeros else third[0, 1, 2] == pytest.approx(x[3])


def test_sums_of_exponentials_of_nothing_but_minus_infinity() -> None:
    """All share equally, as softmax has it."""
    f = graphc.compile("input x[3]; logsumexp(x)")
    value, gradient = f.value_and_grad(x=[-np.inf] * 3)
    assert value == -np.inf
    assert gradient["x"] == pytest.approx(1 / 3)
    rows = graphc.compile("input x[n, 2]; sum(log(sum(exp(x), axis=1)))").grad(x=[[-np.inf, -np.inf], [0, -np.inf]])
    assert rows["x"].tolist() == [[0.5, 0.5], [1, 0]]
