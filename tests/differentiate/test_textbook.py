"""The textbook cases that reverse mode decides: order and number of contributions, matrix forms, figures.

In: programs.  Out: nothing, or a failed assertion.
Always holds: figures are the books' own, to the digits printed there.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from checks import check_gradient, point, read, real_leaves, same_again

from graphc.differentiate.program import gradient, the_value
from graphc.differentiate.reverse import Adjoints, reverse
from graphc.graph.builder import Builder
from graphc.graph.graph import Graph
from graphc.language.writer import inline_with
from graphc.run.evaluate import evaluate, evaluate_exactly


def swept(text: str) -> tuple[Graph, Adjoints, Builder]:
    """The program, what reverse mode found, and the builder that holds it."""
    graph = read(text)
    builder = Builder(simplify=True)
    builder.adopt(graph)
    return graph, reverse(builder, graph.equations, the_value(graph), real_leaves(graph)), builder


def contributions(text: str) -> list[tuple[str, str, str]]:
    """(target, cotangent's owner, local factor) in order."""
    graph, adjoints, builder = swept(text)
    own = {e.target for e in graph.equations}
    definitions = {e.target: e for e in builder.equations if e.target not in own}
    owners = {atom: s for s, atom in adjoints.adjoint.items()}
    shown = []
    for c in adjoints.contributions:
        assert owners[c.cotangent] is not None
        factor = "" if c.factor is None else inline_with(definitions, builder.types, c.factor, 10_000)[0]
        shown.append((c.target.name, c.equation.target.name, factor))
    return shown


def test_a_one_scalar_chain() -> None:
    assert contributions("t = x^2; u1 = sin(t); u2 = 3t; u = u1 + u2; J = cos(u)") == [
        ("u", "J", "-sin(u)"),
        ("u1", "u", "1"),
        ("u2", "u", "1"),
        ("t", "u1", "cos(t)"),
        ("t", "u2", "3"),
        ("x", "t", "2*x"),
    ]


def test_a_value_and_the_shared_square() -> None:
    graph = read("cos(sin(x^2) + 3x^2)")
    assert str(graph).count("x^2") == 1
    with mpmath.workdps(50):
        derived = gradient(graph, real_leaves(graph))
        for x in (mpmath.mpf("0.5"), mpmath.mpf(-2)):
            (found,) = evaluate_exactly(derived, {graph.inputs[0]: x}, derived.outputs).values()
            want = -2 * x * (mpmath.cos(x**2) + 3) * mpmath.sin(mpmath.sin(x**2) + 3 * x**2)
            assert abs(found - want) < mpmath.mpf(10) ** -45


def test_b_two_variables() -> None:
    found = contributions("w1 = x1; w2 = x2; w3 = w1*w2; w4 = sin(w1); w5 = w3 + w4")
    assert found == [
        ("w3", "w5", "1"),
        ("w4", "w5", "1"),
        ("w1", "w3", "w2"),
        ("w2", "w3", "w1"),
        ("w1", "w4", "cos(w1)"),
        ("x2", "w2", "1"),
        ("x1", "w1", "1"),
    ]
    _, gradients = point("sin(x1) + x1*x2", x1=0.5, x2=3)
    assert gradients == {"x1": pytest.approx(math.cos(0.5) + 3, rel=1e-15), "x2": 0.5}


def test_c_logistic_regression() -> None:
    text = "input x[5], t; param w[5]; y = 1/(1 + exp(-w @ x)); J = t*log(y) + (1 - t)*log(1 - y); minimize J"
    x, w = np.array([1, 0.5, -1, 2, 0.25]), np.array([0.1, -0.2, 0.3, 0.4, 0.5])
    y = 1 / (1 + np.exp(-w @ x))
    _, gradients = point(text, x=x, t=1, w=w)
    assert np.allclose(gradients["w"], (1 - y) * x, rtol=1e-14)
    assert np.allclose(gradients["x"], (1 - y) * w, rtol=1e-14)


def test_d_one_hidden_layer() -> None:
    text = """input x[3], t
param alpha[4, 3], beta[4]
a = alpha @ x
z = sigmoid(a)
b = beta @ z
y = sigmoid(b)
J = t*log(y) + (1 - t)*log(1 - y)"""
    check_gradient(text)
    _, adjoints, _ = swept(text)
    order = [(c.target.name, c.equation.target.name) for c in adjoints.contributions]
    modules = [pair for pair in order if pair[0] in ("b", "beta", "z", "a", "alpha", "x")]
    assert modules == [("b", "y"), ("beta", "b"), ("z", "b"), ("a", "z"), ("alpha", "a"), ("x", "a")]
    rng = np.random.default_rng(0)
    x, alpha, beta, t = rng.normal(size=3), rng.normal(size=(4, 3)), rng.normal(size=4), 1
    _, g = point(text, x=x, alpha=alpha, beta=beta, t=t)
    z = 1 / (1 + np.exp(-alpha @ x))
    db = t - 1 / (1 + np.exp(-beta @ z))
    da = db * beta * z * (1 - z)
    assert np.allclose(g["beta"], db * z)
    assert np.allclose(g["alpha"], np.outer(da, x))
    assert np.allclose(g["x"], alpha.T @ da)


def test_e_layers_in_matrix_form() -> None:
    text = """input x[m, 4], t[m, 2]
param W1[3, 4], b1[3], W2[5, 3], b2[5], W3[2, 5], b3[2]
z1 = x @ W1.T + b1; a1 = tanh(z1)
z2 = a1 @ W2.T + b2; a2 = tanh(z2)
z3 = a2 @ W3.T + b3; a3 = tanh(z3)
J = sum((a3 - t)^2)/(2m)"""
    check_gradient(text, low=-1, high=1)
    rng = np.random.default_rng(1)
    m = 6
    values: dict[str, Any] = {"x": rng.normal(size=(m, 4)), "t": rng.normal(size=(m, 2))}
    for name, shape in {"W1": (3, 4), "b1": 3, "W2": (5, 3), "b2": 5, "W3": (2, 5), "b3": 2}.items():
        values[name] = rng.normal(size=shape)
    _, g = point(text, **values)
    a = [values["x"]]
    for k in (1, 2, 3):
        a.append(np.tanh(a[-1] @ values[f"W{k}"].T + values[f"b{k}"]))
    delta = (a[3] - values["t"]) / m * (1 - a[3] ** 2)  # BP1
    for k in (3, 2, 1):
        assert np.allclose(g[f"b{k}"], delta.sum(0))  # BP3
        assert np.allclose(g[f"W{k}"], delta.T @ a[k - 1])  # BP4
        delta = (delta @ values[f"W{k}"]) * (1 - a[k - 1] ** 2)  # BP2


def test_f_two_layer_classifier() -> None:
    text = """input x[n, 7], y[n, 3]
param w1[7, 5], b1[1, 5], w2[5, 3], b2[1, 3]
l1 = tanh(x @ w1 + b1)
l2 = softmax(l1 @ w2 + b2, axis=1)
J = -mean(sum(y*log(l2), axis=1), axis=0)"""
    derived = check_gradient(text, low=-1, high=1)
    assert [str(derived.types[o]) for o in derived.outputs[2:]] == [
        "real[7, 5]",
        "real[1, 5]",
        "real[5, 3]",
        "real[1, 3]",
    ]
    own = text.replace("softmax(l1 @ w2 + b2, axis=1)", "exp(s)/sum(exp(s), axis=1, keepdims=true)").replace(
        "l2 =", "s = l1 @ w2 + b2; l2 ="
    )
    check_gradient(own, low=-1, high=1)
    _, gradients = point("a/b", a=3, b=2)
    assert gradients == {"a": 0.5, "b": -0.75}


def test_g_linear_regression() -> None:
    value, gradients = point(
        "input x[2], t; param w[2], b; z = w @ x + b; J = 1/2*(t - z)^2", x=[1, 0], t=2, w=[1, 0], b=2
    )
    assert value == 0.5
    assert gradients["w"].tolist() == [1, 0]
    assert gradients["b"] == 1


def test_h_two_layers_by_hand() -> None:
    text = "input x[2], t; param W1[2, 2], w2[2]; h = relu(W1 @ x); z = w2 @ h; J = 1/2*(t - z)^2"
    value, gradients = point(text, x=[1, 0], t=2, W1=[[1, 0], [0, 1]], w2=[1, 2])
    assert value == 0.5
    assert gradients["w2"].tolist() == [-1, 0]
    assert gradients["W1"].tolist() == [[-1, 0], [0, 0]]


def test_i_one_neuron_one_step() -> None:
    graph = read("input x[3], t; param w[3]; s = w @ x; g = sigmoid(s); J = (t - g)^2; w' = w - 0.5*grad(J, w)")
    from graphc.differentiate.program import expand_gradients

    graph = expand_gradients(graph)
    names = {s.name: s for s in graph.types}
    given = {names["x"]: np.array([1, 0.4, 0.5]), names["t"]: np.array(1.0), names["w"]: np.array([0.1, 0.1, 0.1])}
    ((_, new),) = graph.updates
    found = evaluate(graph, given, [names["s"], names["g"], new])
    assert found[names["s"]] == pytest.approx(0.19)
    assert found[names["g"]] == pytest.approx(0.5474, abs=5e-5)
    assert found[new] == pytest.approx([0.212145, 0.144858, 0.156073], abs=5e-7)
    again = evaluate(graph, {**given, names["w"]: found[new]}, [names["s"], names["g"]])
    assert again[names["s"]] == pytest.approx(0.348125, abs=5e-7)
    assert again[names["g"]] == pytest.approx(0.586163, abs=5e-7)


def test_j_neurons_forward() -> None:
    text = """input x1, x2
in3 = 5 + 1*x1 - 2x2; a3 = sigmoid(in3)
in4 = 3 - 4x1 + 2x2; a4 = sigmoid(in4)
in5 = -1 + 4a3 + 2a4; a5 = sigmoid(in5)
output in3, a3, in4, a4, in5, a5"""
    graph = read(text)
    given = dict(zip(graph.inputs, (np.array(3.0), np.array(4.0)), strict=True))
    found = evaluate(graph, given, graph.outputs)
    assert [round(float(found[s]), 2) for s in graph.outputs] == [0, 0.5, -1, 0.27, 1.54, 0.82]


NEURONS = """input a1, a2, y
param w13 = 1, w23 = 1, w14 = 1, w24 = 1, w35 = 1, w45 = 1, w36 = 1, w46 = 1, w57 = 1, w67 = 1
in3 = w13*a1 + w23*a2; a3 = sigmoid(in3)
in4 = w14*a1 + w24*a2; a4 = sigmoid(in4)
in5 = w35*a3 + w45*a4; a5 = sigmoid(in5)
in6 = w36*a3 + w46*a4; a6 = sigmoid(in6)
in7 = w57*a5 + w67*a6; a7 = sigmoid(in7)
J = (y - a7)^2"""


def test_k_each_delta_is_computed_once_and_shared() -> None:
    check_gradient(NEURONS)
    graph, adjoints, builder = swept(NEURONS)
    names = {s.name: s for s in graph.types}
    for k in range(3, 8):
        delta = adjoints.adjoint[names[f"in{k}"]]
        users = [c for c in adjoints.contributions if c.equation.target.name == f"in{k}"]
        products = {c.equation.expr for c in users} if k == 0 else {c.cotangent for c in users}
        assert products <= {delta} | {a for c in users for a in [c.cotangent]}
        assert sum(e.target == delta for e in builder.equations) == 1
    derived = same_again(gradient(graph, graph.params))
    # forward 16 products, sums and logistic functions; each delta a few more: far fewer than paths from w13 to J
    assert len(derived.equations) < 4 * len(graph.equations)
    rng = np.random.default_rng(2)
    v = {s.name: rng.normal() for s in graph.leaves()}
    _, g = point(NEURONS, **v)
    f = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731
    a = {1: v["a1"], 2: v["a2"]}
    for k, (i, j) in {3: (1, 2), 4: (1, 2), 5: (3, 4), 6: (3, 4), 7: (5, 6)}.items():
        a[k] = f(v[f"w{i}{k}"] * a[i] + v[f"w{j}{k}"] * a[j])
    d = {7: -2 * (v["y"] - a[7]) * a[7] * (1 - a[7])}
    for k in (5, 6):
        d[k] = d[7] * v[f"w{k}7"] * a[k] * (1 - a[k])
    for k in (3, 4):
        d[k] = a[k] * (1 - a[k]) * (v[f"w{k}5"] * d[5] + v[f"w{k}6"] * d[6])
    for name in v:
        if name[0] == "w":
            assert g[name] == pytest.approx(d[int(name[2])] * a[int(name[1])], rel=1e-12), name


@pytest.mark.parametrize(
    ("text", "at", "derivative"),
    [
        ("quadratic(y, t)", {"y": 3, "t": 1}, 2),
        ("(y - t)^2", {"y": 3, "t": 1}, 4),
        ("mse(y, t)", {"y": 3, "t": 1}, 4),
        ("-t*log(y) - (1 - t)*log(1 - y)", {"y": 0.25, "t": 1}, -4),
        ("binary_cross_entropy(y, t)", {"y": 0.25, "t": 0}, 4 / 3),
        ("hinge(y, t)", {"y": 0.5, "t": -1}, 1),
        ("hinge(y, t)", {"y": 2, "t": 1}, 0),
        ("perceptron_loss(y, t)", {"y": -2, "t": 1}, -1),
        ("perceptron_loss(y, t)", {"y": 2, "t": 1}, 0),
        ("threshold(y)*t", {"y": 2, "t": 1}, 0),
        ("sigmoid(y)*t", {"y": 0, "t": 1}, 0.25),
        ("tanh(y)*t", {"y": 0, "t": 1}, 1),
        ("softplus(y)*t", {"y": 0, "t": 1}, 0.5),
        ("log(1 + exp(y))*t", {"y": 0, "t": 1}, 0.5),
    ],
)
def test_l_losses_and_activations(text: str, at: dict[str, float], derivative: float) -> None:
    _, gradients = point(f"input y, t; {text}", **at)
    assert gradients["y"] == pytest.approx(derivative, rel=1e-14)


def test_l_softmax_and_cross_entropy() -> None:
    x, t = np.array([[1.0, 2, 3], [0, -1, 1]]), np.array([[0, 0, 1.0], [1, 0, 0]])
    _, gradients = point("input x[n, 3], t[n, 3]; cross_entropy(softmax(x), t)", x=x, t=t)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert np.allclose(gradients["x"], (p - t) / 2)
