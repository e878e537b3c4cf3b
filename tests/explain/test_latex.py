"""LaTeX of graphs: brackets stand where the mathematics needs them."""

from __future__ import annotations

import pytest

from graphc.language.latex_writer import expression_latex, name_latex, program_latex
from graphc.language.reader import parse
from graphc.ops import OPERATIONS

CASES = {
    "cos(sin(x^2) + 3x^2)": r"\cos\left(\sin\left({x}^{2}\right) + 3 \cdot {x}^{2}\right)",
    "(a + b)*c - (d - f)": r"\left(a + b\right) \cdot c - \left(d - f\right)",
    "a/(b/c)": r"\frac{a}{\frac{b}{c}}",
    "(a/b)^2": r"{\left(\frac{a}{b}\right)}^{2}",
    "(-x)^2": r"{\left(-x\right)}^{2}",
    "2^-x": "{2}^{-x}",
    "x*(-y)": r"x \cdot \left(-y\right)",
    "x - (-y)": r"x - \left(-y\right)",
    "x^y^z": "{x}^{{y}^{z}}",
    "(x^y)^z": r"{\left({x}^{y}\right)}^{z}",
    "where(x > 0 and y < 1, x + y, -x)": r"\begin{cases} x + y & x > 0 \land y < 1 \\ -x & \text{else} \end{cases}",
    "not (x > 1)": r"\lnot \left(x > 1\right)",
    "hypot(x + 1, y)": r"\sqrt{\left(x + 1\right)^2 + y^2}",
    "expm1(x)*2": r"\left(e^{x} - 1\right) \cdot 2",
    "1e-8*x + 1/3": r"10^{-8} \cdot x + \frac{1}{3}",
    "sigmoid(theta_1*x_in)": r"\sigma\left(\theta_{1} \cdot x_{\mathrm{in}}\right)",
    "input X[n, n]; inverse(X.T)": r"{\left(X^T\right)}^{-1}",
    "input X[n, n], a[n]; solve(X + X.T, a)": r"{\left(X + X^T\right)}^{-1} a",
    "polygamma(2, x)": r"\psi^{(2)}\left(x\right)",
}


@pytest.mark.parametrize("text", CASES)
def test_expressions(text: str) -> None:
    graph = parse(text)
    assert expression_latex(graph, graph.outputs[0]) == CASES[text]


def test_program() -> None:
    graph = parse("input x[n, 4]\nparam W[4, 3] = 0\nz = x @ W\nJ = sum(max(z, axis=1)) + z[0, 0]")
    assert program_latex(graph) == graph.latex()
    assert program_latex(graph).splitlines() == [
        r"\begin{align*}",
        r"z &= x \, W \\",
        r"v_{1} &= \max_{\mathrm{axis}\,1} z \\",
        r"v_{2} &= \sum v_{1} \\",
        r"v_{3} &= z[0, 0] \\",
        r"J &= v_{2} + v_{3}",
        r"\end{align*}",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"), ("x1", "x_{1}"), ("theta", r"\theta"), ("W1_bar", r"\bar{W_{1}}"), ("loss", r"\mathrm{loss}"),
        ("h.W", r"h_{W}"), ("w_out", r"w_{\mathrm{out}}"), ("a_1_2", "a_{1,2}"),
    ],
)  # fmt: skip
def test_names(name: str, expected: str) -> None:
    assert name_latex(name) == expected


def test_templates_can_be_filled() -> None:
    for o in OPERATIONS:
        if o.latex is not None:
            assert o.latex.format("a", "b", "c", s0="s", s1="t", s2="u")


def test_long_chain() -> None:
    text = "\n".join(f"a{i} = sin(a{i - 1})" if i else "a0 = cos(x)" for i in range(10_000))
    graph = parse(text)
    assert len(graph.latex()) < 1_000_000
