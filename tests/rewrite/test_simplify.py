"""Gradients and programs in normal form: the exact strings, finite values, names, order of terms, speed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sympy import Basic

import graphc
from graphc.compiler import gradient_graph
from graphc.differentiate.program import gradient, hessian
from graphc.graph.builder import symbol
from graphc.graph.graph import Graph, focus, operands
from graphc.graph.operation import operation_of
from graphc.graph.validate import validate
from graphc.language.reader import parse
from graphc.language.writer import inline_text
from graphc.ops.elementwise import subtract
from graphc.rewrite import driver, readable, simplify, simplify_steps, stabilise
from graphc.rewrite.trials import ALL
from graphc.run.evaluate import evaluate
from tests.checks import leaf_values, same_again


def gradients(text: str, names: str, first: bool = True) -> Graph:
    """The simplified gradient, with `stabilise` before differentiation or without."""
    graph = parse(text)
    given = stabilise(graph) if first else graph
    return same_again(simplify(gradient(given, tuple(map(symbol, names.split())))))


def formulas(text: str, names: str, first: bool = True) -> list[str]:
    graph = gradients(text, names, first)
    return [inline_text(graph, o) for o in graph.outputs]


def operations(graph: Graph) -> list[str]:
    return [o.name for e in graph.equations if (o := operation_of(e.expr)) is not None]


BOTH = pytest.mark.parametrize("first", [True, False], ids=["stabilised first", "differentiated first"])


@BOTH
@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("cos(sin(x^2) + 3x^2)", "x", ["-2*x*(cos(x^2) + 3)*sin(sin(x^2) + 3*x^2)"]),
        ("t = x^2; u1 = sin(t); u2 = 3t; u = u1 + u2; J = cos(u)", "x", ["-2*x*(cos(x^2) + 3)*sin(sin(x^2) + 3*x^2)"]),
        ("f = sin(x1) + x1*x2", "x1 x2", ["cos(x1) + x2", "x1"]),
        ("y = 1/(1 + exp(-a)); J = t*log(y) + (1-t)*log(1-y)", "a", ["t - sigmoid(a)"]),
        ("p = sigmoid(a); J = -y*log(p) - (1-y)*log(1-p)", "a", ["sigmoid(a) - y"]),
        ("log(1 + exp(x))", "x", ["sigmoid(x)"]),
        ("(x + 1)^2 - x^2", "x", ["2"]),
        ("0.5*(y - t)^2", "y", ["y - t"]),
        ("(y - h)^2", "y", ["2*(y - h)"]),
        ("y/(1 + exp(-x))", "y", ["sigmoid(x)"]),
        ("input x[n]; mean(log(1 + exp(x)))", "x", ["1/n*sigmoid(x)"]),
        ("log(abs(x))", "x", ["1/x"]),
        ("1/(1/m + 1/n)", "m n", ["(n/(n + m))^2", "(m/(n + m))^2"]),
        ("(x + 1)^3/(x^2 - x + 1)", "x", ["((x + 1)/(x^2 - x + 1))^2*(x*(x - 4) + 4)"]),
    ],
)  # fmt: skip
def test_formulas(text: str, names: str, expected: list[str], first: bool) -> None:
    assert formulas(text, names, first) == expected


@BOTH
def test_logistic_regression_keeps_the_name(first: bool) -> None:
    graph = gradients("y = 1/(1 + exp(-a)); J = t*log(y) + (1-t)*log(1-y)", "a", first)
    assert str(graph) == "input a\ninput t\ny = sigmoid(a)\na_bar = t - y"


NAIVE = [
    ("log(1 + exp(x))", True),
    ("1/(1 + exp(-x))", True),
    ("p = sigmoid(x); -0.3*log(p) - 0.7*log(1 - p)", True),
    ("p = 1/(1 + exp(-x)); -0.3*log(p) - 0.7*log(1 - p)", True),
    ("exp(x)/(1 + exp(x))", False),
    ("log(exp(x) + exp(2*x))", False),
    ("log(exp(x))", True),
    ("e^x/(1 + e^x)", False),
    ("log(1/(1 + exp(-x)))", True),
]


@pytest.mark.parametrize(
    ("text", "first"), [(t, f) for t, either in NAIVE for f in ((True, False) if either else (True,))]
)
def test_finite_gradients(text: str, first: bool) -> None:
    graph = gradients(text, "x", first)
    for at in (-1000.0, 0.0, 1000.0):
        (found,) = evaluate(graph, {symbol("x"): at}, graph.outputs).values()
        assert np.isfinite(found), f"{graph} at {at}"


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "sqrt(x^2)",
        "sqrt(x*x)",
        "input x[3]; sqrt(sum(x^2))",
        "input x[3]; sqrt(sum(x*x))",
        "input x[n]; 3*sqrt(sum(x^2))",
    ],
)
def test_roots_at_zero(text: str, first: bool) -> None:
    graph = gradients(text, "x", first)
    shape = (3,) if graph.types[symbol("x")].rank else ()
    (found,) = evaluate(graph, {symbol("x"): np.zeros(shape)}, graph.outputs, {"n": 3}).values()
    assert np.all(found == 0)


@pytest.mark.parametrize(("text", "_"), [n for n in NAIVE if n[0] != "log(exp(x))"])
@pytest.mark.parametrize("at", [-1000.0, -5.0, 0.0, 5.0, 1000.0])
def test_differentiating_first_changes_nothing(text: str, _: bool, at: float) -> None:
    """`grad` of a program as it is read is as safe as the gradient of the stabilised program; so is its own."""
    first, second = graphc.grad(text), graphc.grad(graphc.grad(text))
    safe = gradient_graph(parse(text))
    for plain, short in ((first, safe), (second, gradient_graph(safe))):
        (found,) = evaluate(simplify(plain), {symbol("x"): at}, plain.outputs).values()
        (want,) = evaluate(short, {symbol("x"): at}, short.outputs).values()
        assert found == pytest.approx(want, rel=1e-13, abs=1e-15)


@BOTH
@pytest.mark.parametrize("text", ["x^2*log(x^2)", "x^2*log(abs(x))", "abs(x)*x^3/(1 + abs(x))"])
def test_signs_count_where_a_length_is_divided_by(text: str, first: bool) -> None:
    plain = gradient(parse(text), (symbol("x"),))
    for at in (-2.0, -0.3, 0.7):
        found, want = (evaluate(g, {symbol("x"): at}, g.outputs) for g in (gradients(text, "x", first), plain))
        np.testing.assert_allclose(list(found.values()), list(want.values()), rtol=1e-13)


def test_root_mean_square_at_zero() -> None:
    graph = gradients("input x[3]; sqrt(mean(x^2))", "x")
    (found,) = evaluate(graph, {symbol("x"): np.zeros(3)}, graph.outputs).values()
    assert np.all(found == 0)


CLASSIFIER = """input x[n, 4], t[n, 3]
param W[4, 3] ~ glorot, b[3] = 0
J = -mean(sum(t*log(SOFTMAX), axis=1))
minimize J"""


@BOTH
@pytest.mark.parametrize("naive", [False, True])
def test_classifier(naive: bool, first: bool) -> None:
    """No logarithm, no exponential beyond the softmax; few equations; finite at large activations."""
    text = CLASSIFIER.replace("SOFTMAX", "softmax(x @ W + b)")
    if naive and first:
        text = "\n".join([*text.splitlines()[:2], "z = exp(x @ W + b)",
                          "J = -mean(sum(t*log(z/sum(z, axis=1, keepdims=true)), axis=1))", "minimize J"])  # fmt: skip
    graph = gradients(text, "W b", first)
    names = operations(graph)
    assert names.count("softmax") == 1
    assert not {"log", "exp", "log_softmax", "reshape", "broadcast"} & set(names)
    assert len(graph.equations) <= 14
    values, sizes = leaf_values(graph, low=-600, high=600)
    for found in evaluate(graph, values, graph.outputs, sizes).values():
        assert np.all(np.isfinite(found))


PROGRAMS = [
    ("cos(sin(x^2) + 3x^2)", "x"),
    ("exp(-x^2/2)*cos(x*y)/y", "x y"),
    ("y = tanh(x); z = y*y; z*w - (1 - z)/w", "x w"),
    ("atan(x/y) + (x - y)/(x + y)^2 - x^3*y", "x y"),
    ("e0 = x; e1 = sin(e0)*e0; e2 = sin(e1)*e1; e3 = sin(e2)*e2", "x"),
    ("1/(x*y*z) + x*y/z - 2*x/3", "x y z"),
    ("sin(x)*y + x^y", "x y"),
    ("q^2*a^2/(6*pi*j*c^3)", "q a j c"),
    ("a*b + a*c - a*b*c + 2*a - a", "a b c"),
    ("input x[n]; std(x) + var(x)*mean(x)", "x"),
    ("input x[n, 3]; e = exp(x); s = e/sum(e, axis=1, keepdims=true); sum(s^2)", "x"),
    ("input x[n, 3], W[3, 2], b[2]; h = tanh(x @ W + b); mean(h^2*sigmoid(h))", "x W b"),
    ("input x[n, 3]; sum(x.T @ x)/norm(x)", "x"),
    ("input x[n], c; sum(c*x*x)/2 + sum(broadcast(c, (n,)))", "x c"),
    ("input x[n, 3]; y = x - max(x, axis=1, keepdims=true); sum(log(sum(exp(y), axis=1)))", "x"),
    ("1/(pi*s*(1 + ((x - m)/s)^2))", "s x m"),
]


@BOTH
@pytest.mark.parametrize(("text", "names"), PROGRAMS)
def test_values_stay(text: str, names: str, first: bool) -> None:
    plain = gradient(parse(text), tuple(map(symbol, names.split())))
    graph = gradients(text, names, first)
    assert len(graph.equations) <= len(plain.equations)
    for seed in range(3):
        values, sizes = leaf_values(plain, seed=seed)
        want = evaluate(plain, values, plain.outputs, sizes)
        found = evaluate(graph, values, graph.outputs, sizes)
        for a, b in zip(plain.outputs, graph.outputs, strict=True):
            np.testing.assert_allclose(found[b], want[a], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("text", "names"), PROGRAMS)
def test_every_round_is_valid(text: str, names: str) -> None:
    graph = gradient(parse(text), tuple(map(symbol, names.split())))
    work = driver.Worklist(graph)
    active = work.everything()
    for _ in range(driver.ROUNDS):
        _, active = work.round(ALL, active)
        same_again(work.graph())
        if not active:
            return
    pytest.fail("it does not come to an end")


def test_another_graph_is_visited_only_where_it_differs() -> None:
    first = parse("input x, y; a = sin(x)*x + x^2; b = exp(y)*y - y; output a, b")
    work = driver.Worklist(first)
    work.run(ALL, work.everything())
    graph = work.graph()
    equation = next(e for e in graph.equations if e.target.name == "b")
    other = graph.replace(
        equations=tuple(
            replace(e, expr=Basic.__new__(subtract.head, *reversed(operands(e.expr)))) if e is equation else e
            for e in graph.equations
        )
    )
    near = driver.Worklist(other, before=work).near(driver.changed(graph, other))
    assert equation.target in near
    assert not set(near) & set(focus(graph, (symbol("a"),)).definitions())


@pytest.mark.parametrize(("text", "names"), PROGRAMS)
def test_simplifying_twice_is_simplifying_once(text: str, names: str) -> None:
    graph = gradients(text, names)
    assert simplify(graph) == graph


@pytest.mark.parametrize(
    "text", ["x + 1e16 - 1e16", "a + b + c - a*b", "x*y*x", "sin(x)*x", "b*a + 1", "x/3", "1e16 - x + y"]
)
def test_what_a_user_wrote_stays(text: str) -> None:
    graph = parse(text)
    assert inline_text(simplify(graph), simplify(graph).outputs[0]) == inline_text(graph, graph.outputs[0])


def test_order_of_terms_stays() -> None:
    graph = simplify(parse("a + 1e16 - b + 1"))
    assert inline_text(graph, graph.outputs[0]) == "a + 1e16 - b + 1"


def test_names_stay() -> None:
    graph = parse(
        "input a, t\ny = 1/(1 + exp(-a))\nz = y\nlogy = log(y)\nunused = 3*a\nJ = t*logy\nminimize J\noutput z, J"
    )
    for after in (stabilise(graph), simplify(graph)):
        validate(after)
        assert after.outputs == graph.outputs
        assert after.objective == graph.objective
        names = {e.target.name for e in after.equations}
        assert {"y", "z", "logy", "J"} <= names
    assert "unused" in {e.target.name for e in stabilise(graph).equations}
    assert "unused" not in {e.target.name for e in simplify(graph).equations}


def test_updates_and_metrics_stay() -> None:
    graph = parse("input x\nparam w = 1\nm = w*x\nmetric e = -(-m)\nw' = w - 0.1*(m*1)\nminimize m")
    after = simplify(graph)
    validate(after)
    assert after.metrics == graph.metrics
    assert [s for s, _ in after.updates] == [s for s, _ in graph.updates]


@pytest.mark.parametrize(("text", "value"), [("sum(x*sum(x))", 49.0), ("s = sum(x); sum(x*s^2)", 343.0), ("s = sum(x); sum(x/s)", 1.0), ("s = sum(x); sum(x/s^3)", 1 / 49)])  # fmt: skip
def test_a_sum_is_a_factor_of_what_it_sums(text: str, value: float) -> None:
    assert graphc.compile(f"input x[n]; {text}")(x=[1.0, 2.0, 4.0]) == pytest.approx(value)


def test_a_derivative_for_a_name_is_not_lost() -> None:
    """grad(J, y) asks how J depends on y: J must go on depending on it."""
    graph = stabilise(parse("input a, t\ny = 1/(1 + exp(-a))\nJ = t*log(y)\ng = grad(J, y)\noutput g"))
    assert any(operation_of(e.expr).name == "log" for e in graph.equations)  # type: ignore[union-attr]


def test_products_share_what_they_have_in_common() -> None:
    graph = gradients("g*m*n/((x - a)^2 + (y - b)^2)", "g m n x a y b")
    assert len(graph.equations) <= 20
    _, steps = simplify_steps(gradient(parse("q^2*a^2/(6*pi*j*c^3)"), tuple(map(symbol, "qajc"))))
    assert "common products" in {s.rule.name for s in steps}


def test_all_that_share_a_fraction_multiply_it_out() -> None:
    short, steps = simplify_steps(gradient(parse("2*x*y/(x + y)"), tuple(map(symbol, "xy"))))
    assert "cancelling terms everywhere" in {s.rule.name for s in steps}
    assert len(short.equations) <= 7


@pytest.mark.parametrize(
    ("text", "at"),
    [("exp(-exp(x))", 1000), ("exp(-exp(-x))", -1000), ("atan(exp(x))", 1000), ("1/(exp(x) - 1)", 1000), ("log(1 + exp(x))", -1000)],
)  # fmt: skip
def test_a_derivative_of_a_derivative_in_one_program_is_safe(text: str, at: float) -> None:
    """Each level is stabilised before the next is taken."""
    f = graphc.compile(f"input x; J = {text}; g = grad(J, x); h = grad(g, x); output g, h")
    assert all(v == 0 for v in f(x=at).values())
    assert graphc.compile(f"input x; J = {text}; g = grad(J, x); output g").grad(x=at) == {"x": 0}


def test_trials_are_made_in_long_programs() -> None:
    """What is found in a short program is found at the end of a long one."""
    short = "q^2*a^2/(6*pi*j*c^3)"
    alone = gradients(short, "q a j c")
    chain = "; ".join(f"u{k + 1} = sin(u{k})" for k in range(300))
    both = gradients(f"u0 = x; {chain}; {short} + u300", "q a j c")
    assert len(operations(both)) == len(operations(alone))


def test_history_names_the_rules() -> None:
    f = graphc.compile(parse("log(1 + exp(x))*cos(sin(x^2) + 3x^2)"))
    fired = {step.rule.name for stage in f.history for step in stage.steps}
    assert {"log(1 + exp)", "product in order"} <= fired


def test_steps_name_their_rules() -> None:
    _, steps = simplify_steps(gradient(parse("cos(sin(x^2) + 3x^2)"), (symbol("x"),)))
    assert {s.rule.name for s in steps} == {"product in order", "like terms and common factors"}
    graph = stabilise(parse("y = log(1 + exp(x))"))
    assert graph.equations[-1].origin.rule == "log(1 + exp)"
    assert graph.equations[-1].origin.span is not None


@pytest.mark.parametrize("count", [300, 600])
def test_size_stays_linear(count: int) -> None:
    """Shared graphs are exponential as trees: nothing here walks one."""
    text = "e0 = x; " + "; ".join(f"e{k + 1} = sin(e{k})*e{k}" for k in range(count))
    graph = gradient(parse(text), (symbol("x"),))
    assert len(simplify(graph).equations) < len(graph.equations) <= 8 * count


def test_long_chains_pass() -> None:
    chain = "e0 = x; " + "; ".join(f"e{k + 1} = sin(e{k})" for k in range(3000))
    simplify(gradient(parse(chain), (symbol("x"),)))
    total = " + ".join(f"sin({k}*x)" for k in range(1, 2000))
    simplify(parse(total))


@pytest.mark.parametrize(
    "text",
    ["asin(n*sin(t))", "sqrt(x^2 + y^2 + z^2)", "log(hypot(x, y))*hypot(x, z)", "q/sqrt((x - a)^2 + (y - b)^2)",
     "(u + v)/(1 + u*v/c^2)", "exp(-b*x)/(c + d*x)", "q/(4*pi*d*r*(1 - v/c))", "sqrt(r^2 + (w*l - 1/(w*c))^2)"],
)  # fmt: skip
def test_no_two_rules_undo_each_other(text: str) -> None:
    """Rounds end by themselves, before their bound (`tests/conftest.py`), those of trials too."""
    graph = parse(text)
    for derivative in (gradient(graph, graph.inputs), hessian(graph, graph.inputs)):
        simplify(derivative)


@pytest.mark.parametrize("text", ["(x^6 + x^5)/(x^4 + x^3 + x^2 + x + 1)", "x^4*(3*x^2 - 2*x + 7)/(x^2 + 1)"])
def test_formulas_for_readers_come_to_rest(text: str) -> None:
    """A polynomial within a fraction is written as it is alone."""
    graph = parse(text)
    shown = readable(simplify(gradient(graph, graph.inputs)))
    again = readable(shown)
    assert [inline_text(again, o) for o in again.outputs] == [inline_text(shown, o) for o in shown.outputs]
