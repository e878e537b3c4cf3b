"""Derivations: the textbook's tables, in the textbook's order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graphc.errors import DataError, DerivativeError, GraphcError
from graphc.explain.derivation import Derivation, derive
from graphc.language.reader import parse

GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[Path, Callable[[str], str]], None]
CHAIN = "t = x^2; u1 = sin(t); u2 = 3t; u = u1 + u2; J = cos(u)"
PRODUCT = "input x1, x2\nw1 = x1\nw2 = x2\nw3 = w1*w2\nw4 = sin(w1)\nw5 = w3 + w4"
LAYERS = (GOLDEN / "e_matrix_form.txt").read_text("utf-8").partition("---")[0]
CLASSIFIER = (GOLDEN / "f_classifier.txt").read_text("utf-8").partition("---")[0]
RELU = (GOLDEN / "h_relu_net.txt").read_text("utf-8").partition("---")[0]
NEURONS = (GOLDEN / "k_dag_of_neurons.txt").read_text("utf-8").partition("---")[0]


def table(derivation: Derivation) -> str:
    return derivation.text().partition("\n\ngradient")[0]


def backward(derivation: Derivation) -> list[str]:
    """The contributions, without the blanks that align them."""
    lines = table(derivation).splitlines()
    start = lines[0].index("backward")
    return [" ".join(line[start:].split()) for line in lines[1:] if line[start:]]


def formulas(derivation: Derivation) -> dict[str, str]:
    lines = derivation.text().partition("\n\ngradient\n")[2].splitlines()
    return {left.strip(): right.strip() for left, _, right in (line.partition(" = ") for line in lines)}


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.txt")), ids=lambda f: f.stem)
def test_golden(file: Path, golden: Golden) -> None:
    golden(file, lambda text: table(derive(parse(text))))


def test_chain_as_in_the_textbook() -> None:
    assert backward(derive(parse(CHAIN))) == [
        "dJ/du += -sin(u)",
        "dJ/du1 += dJ/du * 1",
        "dJ/du2 += dJ/du * 1",
        "dJ/dt += dJ/du1 * cos(t)",
        "dJ/dt += dJ/du2 * 3",
        "dJ/dx += dJ/dt * 2*x",
    ]


def test_chain_simplified() -> None:
    assert formulas(derive(parse(CHAIN))) == {"dJ/dx": "-2*x*(cos(x^2) + 3)*sin(sin(x^2) + 3*x^2)"}


def test_two_variables() -> None:
    found = derive(parse(PRODUCT))
    assert [line for line in backward(found) if line.startswith("dw5/dw1 ")] == [
        "dw5/dw1 += dw5/dw3 * w2",
        "dw5/dw1 += dw5/dw4 * cos(w1)",
    ]
    assert formulas(found) == {"dw5/dx1": "x2 + cos(x1)", "dw5/dx2": "x1"}


def test_layers_show_the_four_equations_with_shapes() -> None:
    found = backward(derive(parse(LAYERS)))
    assert "dJ/dz3 += dJ/da3 * (1 - a3^2) (2, m)" in found  # BP1
    assert "dJ/da2 += Theta3.T @ dJ/dv3 (3, m)" in found  # BP2
    assert "dJ/dz2 += dJ/da2 * (1 - a2^2) (3, m)" in found
    assert "dJ/dbeta2 += sum(dJ/dz2, axis=1, keepdims=true) (3, 1)" in found  # BP3
    assert "dJ/dTheta2 += dJ/dv2 @ a1.T (3, 5)" in found  # BP4


def test_classifier_leaves_out_optimizer_and_primes() -> None:
    found = derive(parse(CLASSIFIER))
    assert "dJ/dW2 += h.T @ dJ/dv3 (100, 10)" in backward(found)
    assert "dJ/dh += dJ/dv3 @ W2.T (n, 100)" in backward(found)
    assert "dJ/db1 += sum(dJ/dv2, axis=0) (100,)" in backward(found)
    assert "0.1" not in found.text()


def test_each_delta_once() -> None:
    found = backward(derive(parse(NEURONS)))
    for name in ("in3", "in4", "in5", "in6", "in7"):
        assert sum(line.startswith(f"dJ/d{name} ") for line in found) == 1


def test_numbers_beside_symbols() -> None:
    found = derive(parse(CHAIN), at={"x": 0.5})
    assert "dJ/du1 += dJ/du * 1 = -0.840066" in backward(found)
    assert "u  = u1 + u2   = 0.997404" in found.text()
    assert formulas(found)["dJ/dx"].endswith("= -3.33415")


def test_numbers_of_arrays() -> None:
    at = {"x": [1, 0], "t": 2, "W1": [[1, 0], [0, 1]], "w2": [1, 2]}
    found = backward(derive(parse(RELU), at=at))
    assert "dJ/dw2 += dJ/dz * h (2,) = [-1, 0]" in found
    assert "dJ/dW1 += outer(dJ/dv1, x) (2, 2) = [[-1, 0], [0, 0]]" in found


def test_bias_number_is_summed() -> None:
    found = derive(parse("input x[n, 2]\nparam b[2] = 0\nJ = sum((x + b)^2)"), at={"x": [[1, 2], [3, 4]]})
    assert backward(found)[-1] == "dJ/db += sum(dJ/dv1, axis=0) (2,) = [8, 12]"


def test_wrt() -> None:
    graph = parse("x*y + z")
    assert list(formulas(derive(graph, "y"))) == ["dv2/dy"]
    assert list(formulas(derive(graph, ["z", "x"]))) == ["dv2/dz", "dv2/dx"]
    with pytest.raises(GraphcError, match="q is no input"):
        derive(graph, "q")
    for text in ("1", "input k: int; k^2"):
        with pytest.raises(GraphcError, match="no parameters or real inputs"):
            derive(parse(text))


def test_variable_that_the_value_does_not_depend_on() -> None:
    assert formulas(derive(parse("input x, y\nx^2")))["dv1/dy"] == "0"


def test_values_that_are_missing_or_do_not_fit() -> None:
    with pytest.raises(DataError, match="the value of y is missing"):
        derive(parse("x*y"), at={"x": 1})
    with pytest.raises(DataError, match="q is not needed"):
        derive(parse("x*y"), at={"x": 1, "y": 2, "q": 3})
    with pytest.raises(DataError, match="shape"):
        derive(parse("input x[3]\nsum(x)"), at={"x": [1, 2]})


def test_arrays_have_no_gradient() -> None:
    with pytest.raises(DerivativeError):
        derive(parse("input x[3]\nx^2"))


def test_program_with_gradients_inside() -> None:
    assert formulas(derive(parse("J = x^3\nd = grad(J, x)"))) == {"dd/dx": "6*x"}


def test_names_of_the_gradient_mean_what_they_mean_in_the_program() -> None:
    found = derive(parse(LAYERS))
    forward = {e.target: e.expr for e in found.graph.equations}
    for e in found.gradient.graph.equations:
        assert forward.get(e.target, e.expr) == e.expr


def test_long_chain() -> None:
    lines = "\n".join(f"a{i} = sin(a{i - 1})" if i else "a0 = cos(x)" for i in range(3000))
    found = derive(parse(f"input x\n{lines}"))
    assert len(backward(found)) == 3000
    assert len(found.text()) < 10_000_000


def test_markdown(golden: Golden) -> None:
    golden(GOLDEN / "markdown.md", lambda text: derive(parse(text)).markdown())


def test_latex(golden: Golden) -> None:
    golden(GOLDEN / "latex.tex", lambda text: derive(parse(text)).latex())


def test_html(golden: Golden) -> None:
    golden(GOLDEN / "html.html", lambda text: derive(parse(text)).html())


def test_html_is_escaped() -> None:
    assert "x &gt; 0" in derive(parse("where(x > 0, x, 0)")).html()


def test_markdown_keeps_its_columns() -> None:
    found = derive(parse("where(x > 0 or y > 0, x, y)")).markdown()
    rows = [line for line in found.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {3}
