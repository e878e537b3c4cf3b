"""Programs as objectives of SciPy's solvers."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from scipy import integrate, optimize

import graphc

LOGISTIC = """input x[n, 2], t[n]
param w[2] = 0, b = 0
J = binary_cross_entropy(sigmoid(x @ w + b), t) + 0.01*sum(w^2)"""


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(30, 2))
    return {"x": x, "t": (x[:, 0] > 0.1).astype(float)}


def test_minimize(data: dict[str, np.ndarray]) -> None:
    f = graphc.compile(LOGISTIC)
    o = f.objective(**data)
    assert o.start.tolist() == [0, 0, 0]
    found = optimize.minimize(o, o.start, jac=True)
    best = o.unpack(found.x)
    assert np.abs(f.grad(**data, **best)["w"]).max() < 1e-4
    assert found.fun == pytest.approx(f(**data, **best), rel=1e-13) == o.value(found.x)
    newton = optimize.minimize(o, o.start, jac=True, hess=o.hessian, method="trust-exact", options={"gtol": 1e-12})
    assert np.allclose(newton.x, found.x, atol=1e-4)
    assert np.abs(o.jacobian(newton.x)).max() < 1e-12
    assert np.array_equal(o.pack(o.unpack(newton.x)), newton.x)


def test_the_matrix_is_the_derivative(data: dict[str, np.ndarray]) -> None:
    o = graphc.compile(LOGISTIC).objective(("b", "x"), t=data["t"], x=data["x"], w=[1, -2])
    v = o.start
    assert v.shape == (61,)
    value, slope = o(v)
    assert value == pytest.approx(o.value(v), rel=1e-13)
    assert np.array_equal(slope, o.jacobian(v))
    assert np.allclose(slope, optimize.approx_fprime(v, o.value, 1e-7), atol=1e-6)
    assert np.allclose(o.hessian(v), optimize.approx_fprime(v, o.jacobian, 1e-6), atol=1e-5)


def test_the_hessian_times_a_vector(data: dict[str, np.ndarray]) -> None:
    o = graphc.compile(LOGISTIC).objective(("b", "w"), **data)
    v, p = np.array([0.1, 0.2, -0.3]), np.array([1.0, -2.0, 3.0])
    assert np.allclose(o.hvp(v, p), o.hessian(v) @ p, rtol=1e-13)
    found = optimize.minimize(o, o.start, jac=True, hessp=o.hvp, method="trust-krylov")
    assert np.abs(o.jacobian(found.x)).max() < 1e-4
    numbers = graphc.compile("input x, x_dot; x^2*x_dot + sin(x*x_dot)").objective()
    assert np.allclose(numbers.hvp([1, 2], [3, 4]), numbers.hessian([1, 2]) @ [3, 4], rtol=1e-13)


def test_least_squares_from_a_line_of_text() -> None:
    x = np.linspace(0, 3, 20)
    o = graphc.compile("a*exp(-b*x) - y").objective(("a", "b"), a=1, b=1, x=x, y=2 * np.exp(-0.7 * x))
    assert o.jacobian(o.start).shape == (20, 2)
    found = optimize.least_squares(o.value, o.start, jac=o.jacobian, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert found.x == pytest.approx([2, 0.7], rel=1e-12)
    with pytest.raises(graphc.DataError, match="only a number has a Hessian"):
        o.hessian(o.start)


def test_root() -> None:
    o = graphc.compile("input v[2]; output r; r = [v[0]^2 + v[1] - 3, v[0] - v[1]]").objective("v", v=[1, 1])
    found = optimize.root(o, o.start, jac=True)
    assert found.x == pytest.approx([(13**0.5 - 1) / 2] * 2)


def test_quadrature_by_a_c_function() -> None:
    f = graphc.compile("exp(-a*x^2)*y")
    low = f.objective("x", a=2, y=1).low_level
    gc.collect()  # the machine code outlives the objective
    assert integrate.quad(low, 0, 5)[0] == pytest.approx((np.pi / 2) ** 0.5 / 2, rel=1e-10)
    plane = f.objective(("x", "y"), a=2).low_level
    assert integrate.nquad(plane, [(0, 5), (0, 2)])[0] == pytest.approx((np.pi / 2) ** 0.5, rel=1e-10)


def test_what_does_not_fit(data: dict[str, np.ndarray]) -> None:
    f = graphc.compile(LOGISTIC)
    numbers = graphc.compile("a*x")
    for call, words in (
        (lambda: f.objective("q", **data), "q is no input"),
        (lambda: f.objective("x"), "n is not known"),
        (lambda: f.objective(()), "nothing to vary"),
        (lambda: graphc.compile("input k: int, x; x*k").objective("k"), "only real values"),
        (lambda: graphc.compile("input x; a = x; b = 2x; output a, b").objective(), "several outputs"),
        (lambda: f.objective(**data).unpack([1, 2]), r"shape \(2,\), not \(3,\)"),
        (lambda: f.objective(**data).pack({"w": [1, 2]}), "b has no first value"),
        (lambda: numbers.objective("x").start, "x has no first value"),
        (lambda: numbers.objective("x").low_level, "needs a number"),
        (lambda: numbers.objective("x", a=[1, 2]).low_level, "needs a number"),
        (lambda: numbers.objective("x", a="one"), "a"),
        (lambda: f.objective(**data).low_level, "is an array, and a C function"),
        (lambda: numbers.objective("x", a=1)("one"), "the vector"),
    ):
        with pytest.raises(graphc.DataError, match=words):
            call()
