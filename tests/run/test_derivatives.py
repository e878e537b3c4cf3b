"""Jacobians and Hessians of compiled functions, and the public calls that give graphs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.graph.validate import validate

NET = """input x[n, 2], t[n]
param w[2] = 0.5, b = 0.1
y = sigmoid(x @ w + b)
J = binary_cross_entropy(y, t)"""
DATA = {"x": [[0.0, 1.0], [1.0, 0.5], [2.0, -2.0]], "t": [0.0, 0.0, 1.0]}


def test_a_hessian_by_names() -> None:
    f = graphc.compile(NET)
    found = f.hessian(**DATA)
    x = np.c_[DATA["x"], np.ones(3)]
    p = 1 / (1 + np.exp(-x @ [0.5, 0.5, 0.1]))
    want = x.T @ np.diag(p * (1 - p) / 3) @ x
    assert found["w"]["w"] == pytest.approx(want[:2, :2])
    assert found["w"]["b"] == pytest.approx(want[:2, 2])
    assert found["b"]["w"] == pytest.approx(want[2, :2])
    assert found["b"]["b"] == pytest.approx(want[2, 2])


def test_jacobians_by_names() -> None:
    f = graphc.compile("input A[m, n], x[n]; output y; y = A @ x^2", dtype="float32")
    found = f.jacobian(A=[[1, 2, 3], [4, 5, 6]], x=[1, 2, 3])
    assert found["x"].tolist() == [[2, 8, 18], [8, 20, 36]]
    assert found["A"].shape == (2, 2, 3)
    assert found["A"].dtype == np.float32
    several = graphc.compile("input x[2]; a = prod(x); b = 3x; output a, b").jacobian([5, 7])
    assert several["a"]["x"].tolist() == [7, 5]
    assert several["b"]["x"].tolist() == [[3, 0], [0, 3]]


def test_programs_of_numbers_are_elementwise() -> None:
    f = graphc.compile("x^2*y")
    assert f.jacobian(x=3, y=2) == f.grad(x=3, y=2)
    assert f.hessian(x=3, y=2) == {"x": {"x": 4, "y": 6}, "y": {"x": 6, "y": 0}}
    assert f.hessian(x=[1, 2], y=[[1], [2]])["x"]["y"].tolist() == [[2, 4], [2, 4]]


def test_naive_spellings_stay_safe_in_second_derivatives() -> None:
    f = graphc.compile("log(1 + exp(x))")
    assert f.hessian(x=1000.0)["x"]["x"] == 0
    assert f.hessian(x=-1000.0)["x"]["x"] == 0
    assert f.hessian(x=0.0)["x"]["x"] == 0.25
    assert graphc.compile("where(x > 0, sqrt(x), 0)").hessian(x=0.0)["x"]["x"] == 0


def test_a_function_without_gradient_has_no_hessian() -> None:
    f = graphc.compile("input x[3]; output y; y = 2x")
    with pytest.raises(graphc.DerivativeError, match="has a jacobian"):
        f.hessian([1, 2, 3])
    with pytest.raises(graphc.DataError, match="z is no input"):
        f.jacobian(z=1)


def test_graphs_of_derivatives_are_programs() -> None:
    text = "input x[3], A[3, 3]; J = x @ A @ x"
    for derive, names in (
        (graphc.grad, ["x_bar"]),
        (graphc.jvp, ["J_dot"]),
        (graphc.vjp, ["x_bar"]),
        (graphc.jacobian, ["dJ_dx"]),
        (graphc.hessian, ["d2J_dx_dx"]),
        (graphc.hvp, ["x_bar_dot"]),
    ):
        graph = graphc.simplify(derive(text, "x"))
        assert [s.name for s in validate(graph).outputs] == names
        assert graphc.parse(str(graph)) == graph
    hessian = graphc.compile(graphc.hessian(text, "x"))
    assert hessian(A=[[1, 2, 0], [0, 0, 0], [0, 5, 4]]).tolist() == [[2, 2, 0], [2, 0, 5], [0, 5, 8]]
    product = graphc.compile(graphc.hvp(text, "x"))
    assert product(A=np.eye(3), x_dot=[1, 2, 3]).tolist() == [2, 4, 6]
    pushed = graphc.compile(graphc.jvp(text))
    assert pushed(A=np.eye(3), x=[1, 1, 1], x_dot=[1, 2, 3], A_dot=np.ones((3, 3))) == 2 * 6 + 9
    third = graphc.jacobian(graphc.hessian("x*y^3"))
    assert graphc.compile(third).jacobian(x=2.0, y=3.0)["dd2v2_dy_dy_dy"]["y"] == 0


def test_sizes_that_only_the_data_make_equal() -> None:
    """x has as many columns as Q has rows: what is repeated along neither is not taken for repeated."""
    x = np.random.default_rng(0).normal(size=(5, 4))
    found = graphc.compile("input x[m, d]; param Q[4, 4] = 1; sum((x @ Q)^2)").hessian(x=x)["Q"]["Q"]
    assert np.allclose(found, 2 * np.einsum("ab,cd->acbd", x.T @ x, np.eye(4)))


@pytest.mark.parametrize(
    ("program", "diagonal"),
    [
        ("z*log(z)", [np.inf, 1, 0.5]),
        ("sqrt(z)", [-np.inf, -0.25, -(2**-3.5)]),
        ("z^1.5", [np.inf, 0.75, 0.75 / 2**0.5]),
        ("z^2*log(z)", [-np.inf, 3, 2 * np.log(2) + 3]),
    ],
)
def test_an_infinite_second_derivative_stays_on_the_diagonal(program: str, diagonal: list[float]) -> None:
    for shape in ((3,), (3, 1)):
        f = graphc.compile(f"input z[{', '.join(map(str, shape))}]; sum({program})")
        found = f.hessian(z=np.reshape([0.0, 1.0, 2.0], shape))["z"]["z"].reshape(3, 3)
        np.testing.assert_allclose(found, np.where(np.eye(3) == 1, diagonal, 0), rtol=1e-14)


@pytest.mark.parametrize(
    ("derive", "program", "lines"),
    [
        (
            graphc.jacobian, "input v[2]; output y; y = [v[0]*v[1], sin(v[1])]",
            ["v = [v, v]", "v = [0, v]", "dy_dv = [v, v]"],
        ),
        (graphc.grad, "input x[3]; x[0]*x[1]^2", ["x_bar = [v, v, 0]"]),
        (graphc.grad, "input A[2, 2]; A[0, 0]*A[1, 1]", ["v = [v, 0]", "v = [0, v]", "A_bar = [v, v]"]),
        (graphc.hessian, "input x[2]; J = x[0]^2*x[1]", ["v = [v, 0]", "v = [v, v]", "d2J_dx_dx = [v, v]"]),
    ],
)  # fmt: skip
def test_derivatives_for_few_elements_are_written_out(derive: Any, program: str, lines: list[str]) -> None:
    found = str(graphc.simplify(derive(program)))
    assert [re.sub(r"v\d+", "v", line) for line in found.splitlines() if "[" in line][-len(lines) :] == lines
    assert "embed" not in found
    assert "eye" not in found


def test_derivatives_that_are_numbers_have_the_programs_type() -> None:
    f = graphc.compile("input x[n], m[n], s; s*sum(m*x) + s^2", dtype="float32")
    blocks = f.hessian(x=[1, 2], m=[3, 4], s=1)
    assert {b.dtype for row in blocks.values() for b in row.values() if isinstance(b, np.ndarray)} == {
        np.dtype("float32")
    }
    assert type(blocks["s"]["s"]) is float
    slopes = graphc.compile("input x; output a, b; a = x^2; b = x").jacobian(x=3)
    assert slopes == {"a": {"x": 6.0}, "b": {"x": 1.0}}
    assert type(slopes["b"]["x"]) is float
    assert graphc.compile("x*y").hessian(x=[1, 2, 3], y=1)["x"]["y"].dtype == np.float64
