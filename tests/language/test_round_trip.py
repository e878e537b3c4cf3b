"""A graph's text reads back as the same graph.

In: programs.  Out: nothing, or a failed assertion that shows the text.
Always holds: also for gradients, gradients of gradients, and every part of them.
"""

from __future__ import annotations

import pytest
from checks import read, real_leaves, same_again

from graphc.differentiate.program import expand_gradients, gradient
from graphc.graph.graph import focus, prune
from graphc.language.reader import parse

PROGRAMS = [
    "x",
    "3",
    "cos(sin(x^2) + 3x^2)",
    "sin(x1) + x1*x2",
    "t = x^2; u1 = sin(t); u2 = 3t; u = u1 + u2; J = cos(u)",
    "y = 1/(1 + exp(-a)); J = t*log(y) + (1 - t)*log(1 - y)",
    "-(-x)^-2 - -y*(-1/3)",
    "a - (b - c) - d/(e0/f)*(g*h)",
    "where((a < b) == (c < d) and not (a == b or b != c), a, b*c*d)",
    "where(not (x > 0) and y <= 2, x^y, (x*y)^-0.5)",
    "mod(x, y) + max(x, y, 2) + min(x, 1e-9) + clip(x, -1, 1) + polygamma(2, x) + atan2(y, x)",
    "input x[n, 3], t[n, 2]; param W[3, 2] ~ glorot, b[2] = 0; J = -mean(sum(t*log(softmax(x @ W + b)), axis=1))",
    "input x[n, 3]; sum(norm(x, axis=1)) + std(x) + logsumexp(x) + sum(var(x, axis=0, ddof=1)) + sum(log_softmax(x, axis=0))",
    "input x[3, 4], v[4], u[3]; sum((x @ v)*u) + u @ x @ v + sum(x.T @ u) + sum(x @ (v*x.T[:, 0]))",
    "input x[3, 4]; sum(x[1:, ::2]*2) + sum(x[0]^2) + sum(concat(x, x^2, axis=1)^3) + sum(pad(x, 1, value=1/2)^2)",
    "input x[5], k[3]: int; sum(x[k]^2) + prod(x) + max(x) + min(x)*3 + sum(stack(x, 2x, axis=1)^2) + sum([x, x]) + sum(one_hot(k, 5) @ x)",
    'input x[2, 3, 4], y[2, 4, 5]; sum((x @ y)^2) + sum(einsum("abc,abd->cd", x, x)^2) + sum(transpose(x, axes=(1, 0, 2))^2)',
    "input x[n, m]; sum(reshape(x, (n*m,))^2) + sum(broadcast(x[0], (n, m))) + sum(x[1:, :m - 1]) + sum(x[::-1, ::-1]*x) + n*m",
    "input A[3, 3]; sum(diagonal(A)^2) + sum(diagonal_matrix(A[0]) @ A)",
    "input k[n]: int, b: bool, x[n]; sum(where(b, x, 2x)) + sum(where(k > 0, k, x)) + sum(k)",
    "input a, x; J = sin(a*x); g = grad(J, x); output g, J",
    "input x; param w = 1; state m like w = 0; J = (w*x)^2; m' = 0.9*m + grad(J, w); w' = w - m; minimize J; output m, J",
    "input sum, log[3], pi, e, exp; y = mean(log)*sum + softplus(pi) + erf(e) + 3pi + exp; minimize y with sgd(lr=0.5)",
    "def f(w, g, lr=0.1):\n    w' = w - lr*g\ninput x\nparam w = 1\nminimize (x - w)^2 with f(lr=2)",
    "input x[n]; inf*sum(where(x < -inf, x, 0)) + pi*sum(x)^e",
    'input x[n, 2], k[n]: int; data "a b.csv" x=0:2, k=label; train batch=1, epochs=3, seed=7, holdout=1/3; metric m = mean(x); y = m^2; minimize y',
    "1e300*x + 1e-300*y + 123456789012345678901234567890*z + 0.1234567890123456789*x + 1/7*z",
]  # fmt: skip


@pytest.mark.parametrize("text", PROGRAMS, ids=lambda t: t[:40])
def test_programs_their_gradients_and_the_gradients_of_those(text: str) -> None:
    graph = read(text)
    again = parse(str(graph))
    assert str(again) == str(graph)
    assert (again.data, again.training, again.optimizer) == (graph.data, graph.training, graph.optimizer)
    graph = same_again(expand_gradients(graph))
    same_again(prune(graph))
    if len(graph.outputs) > 1 and graph.objective is None:
        graph = same_again(focus(graph, graph.outputs[-1:]))
    wrt = real_leaves(graph)
    if not wrt:
        return
    first = same_again(gradient(graph, wrt))
    same_again(prune(first))
    for output in first.outputs:
        same_again(focus(first, (output,)))
    scalars = [o for o in first.outputs if first.types[o].shape == ()]
    if scalars:
        same_again(prune(gradient(first, wrt, scalars[0])))


@pytest.mark.parametrize("output", ["z", "q", "y", "v", "r"])
def test_a_part_keeps_the_inputs_that_name_its_sizes(output: str) -> None:
    graph = read(
        "input t[n], x[n, 2n], s[m]; param w[n], c[3*m]; z = sum(x); q = sum(t); y = sum(w); v = mean(x[0]); r = m*sum(c)"
        "; output z, q, y, v, r"
    )
    (wanted,) = (s for s in graph.outputs if s.name == output)
    part = same_again(focus(graph, (wanted,)))
    kept = {"z": ["t", "x"], "q": ["t"], "y": ["t"], "v": ["t", "x"], "r": ["s"]}
    assert [s.name for s in part.inputs] == (["x"] if output in "zv" and len(part.inputs) == 1 else kept[output])
