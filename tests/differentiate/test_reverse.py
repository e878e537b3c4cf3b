"""Reverse mode as a pass: gradients of gradients, what has none, and sizes that grow as the program does.

In: programs.  Out: nothing, or a failed assertion.
Always holds: sizes are counted in equations, never in seconds.
"""

from __future__ import annotations

import math
import sys

import mpmath
import numpy as np
import pytest
from checks import check_gradient, point, read, real_leaves, same_again

from graphc.differentiate.program import expand_gradients, gradient
from graphc.errors import DerivativeError, GraphcError
from graphc.graph.graph import Graph, prune
from graphc.graph.validate import validate
from graphc.language.reader import parse
from graphc.run.evaluate import evaluate, evaluate_exactly


def derivative(text: str, times: int, **at: str) -> mpmath.mpf:
    """The derivative of an order, of a program in x, in 50 digits."""
    graph = read(text)
    (x,) = (s for s in graph.inputs if s.name == "x")
    for _ in range(times):
        graph = same_again(prune(gradient(graph, (x,))))
    given = {s: mpmath.mpf(at[s.name]) for s in graph.inputs}
    return evaluate_exactly(graph, given, graph.outputs)[graph.outputs[0]]


@pytest.mark.parametrize(
    "text",
    ["sin(x)*exp(x)", "x^5", "1/(1 + x^2)", "tanh(x)", "log(x)*sqrt(x)", "sigmoid(x)", "softplus(x)", "x^x", "erf(x)"],
)
def test_gradients_of_gradients(text: str) -> None:
    with mpmath.workdps(50):
        at, h = mpmath.mpf("0.7"), mpmath.mpf(10) ** -12
        for order in (1, 2, 3):
            up, down = (derivative(text, order - 1, x=str(at + s * h)) for s in (1, -1))
            found = derivative(text, order, x=str(at))
            assert abs(found - (up - down) / (2 * h)) < mpmath.mpf(10) ** -18 * (1 + abs(found))


def test_a_hessian_vector_product() -> None:
    value, _ = point(
        "input w[3], v[3]; J = sum(w^3) + w[0]*w[1]*w[2]; h = grad(sum(grad(J, w)*v), w); output h; minimize h[0]",
        w=[1, 2, 3], v=[1, 1, 1],
    )  # fmt: skip
    assert value == 6 * 1 + 3 + 2
    graph = expand_gradients(
        read(
            "input x[n, 3], v[3]; param w[3] = 0; J = mean(sigmoid(x @ w)^2); Hv = grad(sum(grad(J, w)*v), w); output Hv"
        )
    )
    same_again(graph)
    rng = np.random.default_rng(0)
    given = {s: rng.normal(size=(5, 3) if s.name == "x" else 3) for s in graph.leaves()}
    (hv,) = evaluate(graph, given, graph.outputs, {"n": 5}).values()
    first = expand_gradients(
        parse("input x[n, 3]; param w[3] = 0; J = mean(sigmoid(x @ w)^2); g = grad(J, w); output g")
    )
    w, v = (next(s for s in graph.leaves() if s.name == name) for name in "wv")
    ends = []
    for step in (1e-5, -1e-5):
        moved = {s: given[s] for s in first.leaves()} | {w: given[w] + step * given[v]}
        ends.append(evaluate(first, moved, first.outputs, {"n": 5})[first.outputs[0]])
    assert np.allclose(hv, (ends[0] - ends[1]) / 2e-5, atol=1e-9)


def test_gradient_penalty() -> None:
    check_gradient(
        "input x[n, 3], t[n, 2]; param W[3, 2]; J = mse(tanh(x @ W), t); P = J + sum(grad(J, x)^2); minimize P"
    )


def test_gradients_of_several_values_and_of_intermediate_names() -> None:
    text = "input x; a = x^2; b = a*sin(a); g = grad(b, a); h = grad(a, x); k = grad(b, x); y = g*h - k"
    assert point(text, x=0.7)[0] == pytest.approx(0, abs=1e-15)


def test_unused_inputs_get_zeros() -> None:
    graph = read("input x, y[n, 3], k[n]: int; param w[2] = 0; J = x^2 + sum(k)")
    derived = same_again(gradient(graph, real_leaves(graph)))
    given = {
        s: np.zeros((4, 3) if s.name == "y" else 4 if s.name == "k" else 2 if s.name == "w" else (), int)
        for s in graph.leaves()
    }
    found = evaluate(derived, given, derived.outputs, {"n": 4})
    assert [found[o].shape for o in derived.outputs] == [(), (4, 3), (2,)]
    assert all(not np.any(found[o]) for o in derived.outputs)
    inside = expand_gradients(read("input x, y[n]; J = x^2; g = grad(J, y) + 1; h = grad(J, y)*x; output g, h"))
    same_again(inside)
    assert all(inside.types[s].kind == "real" for s in inside.outputs)


@pytest.mark.parametrize("text", ["input x; J = 3", "input x; y = grad(3, x); J = y"])
def test_constants_have_zero_gradients(text: str) -> None:
    graph = expand_gradients(read(text))
    derived = same_again(gradient(graph, graph.inputs))
    assert float(evaluate(derived, {graph.inputs[0]: np.array(1.0)}, derived.outputs)[derived.outputs[0]]) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input x[n, 3]; y = 2x", ["y has shape (n, 3)", "sum(y)"]),
        ("input x; output x, y; y = x^2", ["several outputs (x, y)", "minimize"]),
        ("input x[3]; J = sum(x*argmax(x))", ["argmax has no derivative", "stop_gradient"]),
        ("input y[3], t[3]; J = zero_one(y, t)", ["a != b has no derivative"]),
        ("input x[3]; J = sum(x > 1)", ["a > b has no derivative"]),
    ],
)
def test_what_has_no_derivative(text: str, words: list[str]) -> None:
    def differentiated() -> Graph:
        graph = expand_gradients(read(text))
        return gradient(graph, real_leaves(graph))

    if not words:
        with pytest.raises(GraphcError):
            differentiated()
        return
    with pytest.raises(DerivativeError) as caught:
        differentiated()
    for word in words:
        assert word in str(caught.value)


def test_no_derivative_is_no_matter_where_none_is_asked() -> None:
    point("input x[3]; y = argmax(x); J = sum(x) + y*0; minimize sum(x)", x=[1, 2, 3])
    _, gradients = point("input x[3]; sum(x)*stop_gradient(argmax(x))", x=[1, 5, 3])
    assert gradients["x"].tolist() == [1, 1, 1]
    _, gradients = point("input x[3], k[2]: int; sum(x[k]*(k > 0))", x=[1, 5, 3], k=[0, 1])
    assert gradients["x"].tolist() == [0, 1, 0]


def test_the_error_of_a_gradient_names_its_place() -> None:
    graph = parse("input x[3]\n\nJ = sum(x)*argmax(x)")
    with pytest.raises(DerivativeError) as caught:
        gradient(graph, graph.inputs)
    assert caught.value.line == 3


# --- size ----------------------------------------------------------------------------------------------------------


def chain(count: int) -> str:
    return "x0 = x\n" + "\n".join(f"x{i + 1} = sin(x{i})*1.5" for i in range(count))


def sum_of_terms(count: int) -> str:
    return " + ".join(f"{i + 2}*x{i}^2" for i in range(count // 2))


def nested(count: int) -> str:
    return "e0 = x\n" + "\n".join(f"e{i + 1} = sin(e{i})*e{i}" for i in range(count))


def net(layers: int) -> str:
    lines = ["input x[n, 8], t[n, 8]", "a0 = x"]
    for k in range(layers):
        lines += [f"param W{k}[8, 8] ~ glorot, b{k}[8] = 0", f"a{k + 1} = tanh(a{k} @ W{k} + b{k})"]
    return "\n".join([*lines, f"J = mse(a{layers}, t)"])


def grown(text: str, prints: bool = False) -> tuple[int, int]:
    """Equations of a program, and of its gradient."""
    graph = validate(parse(text))
    derived = validate(gradient(graph, graph.params or graph.inputs))
    if prints:
        same_again(prune(derived))
    return len(graph.equations), len(derived.equations)


@pytest.mark.parametrize(
    ("program", "small", "large"), [(chain, 100, 5000), (sum_of_terms, 100, 20_000), (nested, 6, 12), (net, 10, 50)],
    ids=lambda v: getattr(v, "__name__", str(v)),
)  # fmt: skip
def test_a_gradient_is_at_most_five_times_its_program_and_grows_with_it(
    program: object, small: int, large: int
) -> None:
    assert sys.getrecursionlimit() == 1000
    assert callable(program)
    few, few_derived = grown(program(small), prints=True)
    many, many_derived = grown(program(large))
    assert many_derived <= 5 * many
    assert (many_derived - few_derived) / (many - few) <= 1.05 * few_derived / few + 0.5


def test_the_derivative_of_the_nested_program() -> None:
    x = 0.3
    value, slope = x, 1.0
    for _ in range(12):
        value, slope = math.sin(value) * value, slope * (math.cos(value) * value + math.sin(value))
    found, gradients = point(nested(12), x=x)
    assert found == pytest.approx(value, rel=1e-12)
    assert gradients["x"] == pytest.approx(slope, rel=1e-10)


@pytest.mark.parametrize("mixed", ["log_softmax(x)", "softmax(x)", "x[::-1]^2", "W @ exp(x)", "solve(W, x)"])
def test_a_mask_ends_where_elements_mix(mixed: str) -> None:
    """An element that is not taken depends on inputs that others, which are taken, depend on as well."""
    check_gradient(f"input x[3], W[3, 3]; sum(where(x > 0.8, 2, {mixed}))")
