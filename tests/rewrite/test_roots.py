"""Roots of squares, powers and probabilities: one value and one slope, however they are spelled.

In: spellings of lengths, of roots of powers.  Out: nothing, or a failed assertion.
Always holds: at the origin the slope of a length is 0; no square overflows or vanishes; both widths agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc

LENGTHS = {  # of all elements: spelling, shape
    "sqrt(sum(x^2))": "n", "sqrt(x @ x)": "n", "(x @ x)^0.5": "n", "sqrt(x.T @ x)": "n", 'sqrt(einsum("i,i->", x, x))': "n",
    "w = x; q = w @ x; sqrt(q)": "n", "sqrt(sum(x*x)/4)*2": "n", "sqrt(4*(x @ x))/2": "n", "sum(sqrt(x.T @ x))": "n, 1",
    "sqrt((x @ x.T)[0, 0])": "1, n", "sqrt(trace(x.T @ x))": "n, 2", "sqrt(trace(x @ x.T))": "n, 2",
    'sqrt(einsum("ij,ij->", x, x))': "n, 2", 'sqrt(sum(einsum("ij,ij->j", x, x)))': "n, 2",
    'sqrt(sum(sum(einsum("ij,ij->ij", x, x), axis=0)))': "n, 2",
}  # fmt: skip
ROWS = ["sqrt(sum(x^2, axis=1))", 'sqrt(einsum("ij,ij->i", x, x))', "sqrt(diagonal(x @ x.T))", "sqrt(diagonal(einsum(\"ij,kj->ki\", x, x)))"]  # fmt: skip


def computed(text: str, x: Any, dtype: str) -> tuple[Any, Any]:
    f = graphc.compile(text, dtype=dtype)
    value, gradients = f.value_and_grad(x=x)
    return value, gradients["x"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", LENGTHS)
def test_lengths(text: str, dtype: str) -> None:
    program = f"input x[{LENGTHS[text]}]; {text}"
    large = 1e30 if dtype == "float32" else 1e200
    shape = [int(d) if d.isdigit() else 4 for d in LENGTHS[text].split(", ")]
    x = np.random.default_rng(3).normal(size=shape)
    for scale in (0.0, 1 / large, 1.0, large):
        value, slope = computed(program, scale * x, dtype)
        length = np.linalg.norm(x.astype(dtype))
        assert value == pytest.approx(scale * length, rel=1e-14 if dtype == "float64" else 1e-6)
        np.testing.assert_allclose(slope, x / length if scale else 0 * x, rtol=1e-13 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("text", LENGTHS)
def test_second_derivatives_of_lengths(text: str) -> None:
    shape = [int(d) if d.isdigit() else 3 for d in LENGTHS[text].split(", ")]
    x = np.random.default_rng(4).normal(size=shape)
    found = graphc.compile(f"input x[{LENGTHS[text]}]; {text}").hessian(x=x)
    unit = x.ravel() / np.linalg.norm(x)
    wanted = (np.eye(x.size) - np.outer(unit, unit)) / np.linalg.norm(x)
    np.testing.assert_allclose(np.reshape(next(iter(_leaves(found))), wanted.shape), wanted, rtol=1e-12, atol=1e-14)


def _leaves(found: Any) -> Any:
    while isinstance(found, dict):
        found = next(iter(found.values()))
    yield found


@pytest.mark.parametrize("text", ROWS)
def test_lengths_of_rows(text: str) -> None:
    x = np.array([[0.0, 0.0], [3.0, -4.0], [3e200, 4e200]])
    value, slope = computed(f"input x[n, 2]; sum({text})", x, "float64")
    assert value == pytest.approx(5e200)
    np.testing.assert_allclose(slope, [[0, 0], [0.6, -0.8], [0.6, 0.8]], rtol=1e-14)


A = np.array([[2.0, 0.5], [3.0, 1.0]])


@pytest.mark.parametrize(
    ("text", "square"),
    [
        ("sqrt(trace(x @ x))", np.trace(A @ A)),
        ('sqrt(sum(einsum("ij,kj->ik", x, x)))', (A @ A.T).sum()),
        ("sqrt(sum(x @ x.T))", (A @ A.T).sum()),
        ('sqrt(trace(einsum("jk,jk->kj", x.T, x)))', A[0, 0] ** 2 + A[1, 1] ** 2),
        ('sqrt(sum(einsum("ij,kl->ij", x, x)))', A.sum() ** 2),
    ],
)
def test_what_is_no_length(text: str, square: float) -> None:
    assert graphc.compile(f"input x[2, 2]; {text}")(x=A) == pytest.approx(np.sqrt(square))


@pytest.mark.parametrize(
    ("text", "at", "value", "slope"),
    [
        ("sqrt(x^3)", 0.0, 0.0, 0.0),
        ("sqrt(x*x*x)", 0.0, 0.0, 0.0),
        ("sqrt(2*x^5/9)", 0.0, 0.0, 0.0),
        ("sqrt(x^3)", 1e150, 1e225, 1.5e75),
        ("sqrt(x^4/9)", -1e100, 1e200 / 3, -2e100 / 3),
        ("sqrt(x^6)", -1e60, 1e180, -3e120),
        ("sqrt(x^2/4)", -1e200, 5e199, -0.5),
        ("sqrt(9/x^2)", -1e200, 3e-200, 0.0),
        ("sqrt(x^2*(2*x)^2)", -1e100, 2e200, -4e100),
    ],
)
def test_roots_of_powers(text: str, at: float, value: float, slope: float) -> None:
    found, gradients = graphc.compile(text).value_and_grad(x=at)
    assert (found, gradients["x"]) == pytest.approx((value, slope), rel=1e-14)
