"""Every level of differentiation is of a stabilised program, whoever asks for it: naive spellings at their bad points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import graphc

Points = Mapping[str, Any]

# A program, what it is differentiated for, a point where plain formulas overflow or divide by 0, its Hessian there.
BAD: list[tuple[str, str, Points, Any]] = [
    ("input x; J = log(1 + exp(x))", "x", {"x": 1000.0}, 0),
    ("input x; J = log(1 + exp(x))", "x", {"x": -1000.0}, 0),
    ("input x; J = 1/(1 + exp(-x))", "x", {"x": -1000.0}, 0),
    ("input x; J = log(1 - exp(-x))", "x", {"x": 1000.0}, 0),
    ("input x; J = sqrt(x^2 + 9)", "x", {"x": 1e200}, 0),
    ("input x; J = 1/(x + 1) - 2/x + 1/(x - 1)", "x", {"x": 1e110}, 0),
    ("input x; J = (x^2 - 1)/(1 + x^2)", "x", {"x": 1e110}, 0),
    ("input x; J = sin(x)/x", "x", {"x": 0.0}, -1 / 3),
    ("input x; J = tanh(x)/x", "x", {"x": 0.0}, -2 / 3),
    ("input x; J = (exp(x) - 1)/x", "x", {"x": 0.0}, 1 / 3),
    ("input x; J = x*log(x)", "x", {"x": 0.0}, np.inf),
    ("input x; J = x*log(x)", "x", {"x": 2.0}, 0.5),
    ("input x; J = where(x > 0, sqrt(x), 0)", "x", {"x": 0.0}, 0),
    ("input a, t; y = 1/(1 + exp(-a)); J = -t*log(y) - (1 - t)*log(1 - y)", "a", {"a": 1000.0, "t": 0.0}, 0),
    ("input a, t; y = 1/(1 + exp(-a)); J = -t*log(y) - (1 - t)*log(1 - y)", "a", {"a": -1000.0, "t": 1.0}, 0),
    ("input z[2]; J = sqrt(sum(z^2))", "z", {"z": [0.0, 0.0]}, np.zeros((2, 2))),
    ("input z[2]; J = sqrt(z[0]^2 + z[1]^2)", "z", {"z": [0.0, 0.0]}, np.zeros((2, 2))),
    ("input z[2]; J = log(sum(exp(z)))", "z", {"z": [1000.0, 1000.0]}, [[0.25, -0.25], [-0.25, 0.25]]),
    ("input z[3], t[3]; J = -sum(t*log(softmax(z)))", "z", {"z": [1000.0, 0, -1000.0], "t": [0.0, 0, 1]}, np.zeros((3, 3))),
    ("input z[2], t[2]; p = exp(z)/sum(exp(z)); J = -sum(t*log(p))", "z", {"z": [-1000.0, -1000.0], "t": [0.0, 1]},
     [[0.25, -0.25], [-0.25, 0.25]]),
]  # fmt: skip


def columns(graph: Any, x: str, size: int) -> Callable[..., Any]:
    """A Hessian by its products with unit vectors."""
    product = graphc.compile(graph)
    units = [1.0] if size == 0 else np.eye(size)
    return lambda **at: np.array([product(**at, **{f"{x}_dot": u}) for u in units]).reshape(
        (size, size) if size else ()
    )


WAYS: dict[str, Callable[[str, str, int], Callable[..., Any]]] = {
    "function": lambda text, x, size: lambda **at: graphc.compile(text).hessian(**at)[x][x],
    "hessian": lambda text, x, size: graphc.compile(graphc.hessian(text, x)),
    "jacobian of grad": lambda text, x, size: graphc.compile(graphc.jacobian(graphc.grad(text, x), x)),
    "hvp": lambda text, x, size: columns(graphc.hvp(text, x), x, size),
    "jvp of grad": lambda text, x, size: columns(graphc.jvp(graphc.grad(text, x), x), x, size),
    "inside": lambda text, x, size: graphc.compile(f"{text}; H = hessian(J, {x}); output H"),
    "grad inside": lambda text, x, size: graphc.compile(f"{text}; H = jacobian(grad(J, {x}), {x}); output H"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("text", "x", "at", "want"), BAD, ids=[f"{b[0]} {b[2][b[1]]}" for b in BAD])
def test_second_derivatives_where_plain_formulas_fail(way: str, text: str, x: str, at: Points, want: Any) -> None:
    f = WAYS[way](text, x, np.shape(at[x])[0] if np.shape(at[x]) else 0)
    needed = {n: v for n, v in at.items() if n in getattr(f, "inputs", at)}
    assert np.allclose(f(**needed), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_third_derivatives_where_plain_formulas_fail(way: str) -> None:
    f = WAYS[way]("input x; y = log(1 + exp(x)); J = grad(y, x)", "x", 0)
    assert f(x=1000.0) == 0
    assert f(x=1.0) == pytest.approx(-0.0908577476729484)


def test_a_derivation_of_a_derivative_ends_with_a_safe_gradient() -> None:
    found = graphc.derive("input x; y = log(1 + exp(x)); J = grad(y, x)", at={"x": 1000.0})
    assert str(found).endswith("= 0")
    assert "sigmoid" in str(found).split("gradient")[1]
