"""SymPy expressions in and out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import (
    Abs,
    Add,
    And,
    Float,
    Function,
    Heaviside,
    I,
    Integral,
    LambertW,
    Matrix,
    MatrixSymbol,
    Max,
    Min,
    Mod,
    Mul,
    Or,
    Piecewise,
    Rational,
    Symbol,
    Trace,
    cos,
    erf,
    erfc,
    exp,
    floor,
    gamma,
    loggamma,
    nan,
    oo,
    pi,
    sec,
    sign,
    sin,
    sqrt,
    symbols,
    zoo,
)  # fmt: skip
from sympy.matrices.expressions.hadamard import HadamardPower, HadamardProduct

from graphc.errors import GraphcError
from graphc.graph.graph import Graph
from graphc.graph.validate import validate
from graphc.language.reader import parse
from graphc.language.sympy_reader import from_sympy
from graphc.language.sympy_writer import to_sympy
from graphc.language.writer import inline_text
from graphc.run.evaluate import evaluate

x, y, z = symbols("x y z", real=True)
n, m = symbols("n m", integer=True, positive=True)
X, Y, V = MatrixSymbol("X", n, m), MatrixSymbol("Y", m, 3), MatrixSymbol("V", 3, 3)

SCALARS = [
    cos(sin(x**2) + 3 * x**2), x - 2 * y / 3, 1 - x / y / z, sqrt(x) / y**2, x**y, x ** Rational(-1, 2), x / 2 + pi,
    Piecewise((1, x > 0), (2, And(y < 1, x < 0)), (y, True)), Piecewise((x, Or(x > 1, y > 1)), (0, True)),
    Heaviside(x, 1), Mod(x, 3), Max(x, y, z, 3), Min(x, 2), sign(x) * Abs(y), floor(x) + sympy.ceiling(y),
    erf(x) + erfc(y), gamma(x) + loggamma(y), sympy.polygamma(0, x) + sympy.polygamma(2, x), exp(-x) / (1 + exp(-x)),
    sympy.asinh(x) + sympy.atan2(y, x) + sympy.E, x, Rational(1, 3) * x,
]  # fmt: skip


def read(expr: Any) -> Graph:
    """Read, checked and printed and read again."""
    graph = validate(from_sympy(expr))
    assert parse(str(graph)) == graph
    return graph


def formula(expr: Any) -> str:
    graph = read(expr)
    return inline_text(graph, graph.outputs[0])


def value(expr: Any, sizes: dict[str, int] | None = None, **given: Any) -> Any:
    graph = read(expr)
    leaves = {s: given[s.name] for s in graph.inputs}
    return evaluate(graph, leaves, graph.outputs, sizes)[graph.outputs[0]]


@pytest.mark.parametrize("expr", SCALARS, ids=str)
def test_there_and_back(expr: Any) -> None:
    assert to_sympy(read(expr)) == expr


@pytest.mark.parametrize("expr", SCALARS, ids=str)
def test_values(expr: Any) -> None:
    given = {"x": 1.3, "y": 0.7, "z": 2.1}
    expected = float(expr.subs({Symbol(name, real=True): v for name, v in given.items()}))
    assert value(expr, **given) == pytest.approx(expected, rel=1e-13)


def test_written_as_people_write() -> None:
    assert formula(x - 2 * y / 3) == "x - 2*y/3"
    assert formula(1 - x / y / z) == "1 - x/(y*z)"
    assert formula(sqrt(x) / y**2) == "sqrt(x)/y^2"
    assert formula(-x) == "-x"


def test_floats_are_read_as_written() -> None:
    assert formula(0.1 * x) == "0.1*x"
    assert formula(Float("0.1", 30) * x) == "0.1*x"
    third = from_sympy(Float(1 / 3))
    assert evaluate(third, {}, third.outputs)[third.outputs[0]] == 1 / 3


@pytest.mark.parametrize(("half", "expected"), [(Rational(1, 2), 0.5), (0, 0), (1, 1), (y, 7)])
def test_heaviside_at_zero(half: Any, expected: float) -> None:
    graph = read(Heaviside(x, half) + 0 * y if half is not y else Heaviside(x, y))
    for at, want in ((0.0, expected), (-1.0, 0), (2.0, 1)):
        leaves = {s: {"x": at, "y": 7.0}[s.name] for s in graph.inputs}
        assert evaluate(graph, leaves, graph.outputs)[graph.outputs[0]] == want


def test_only_heaviside_of_one_is_the_threshold() -> None:
    assert formula(Heaviside(x, 1)) == "threshold(x)"
    assert "where" in formula(Heaviside(x))


@pytest.mark.parametrize(
    "head", [sec, sympy.csc, sympy.cot, sympy.sech, sympy.csch, sympy.coth, sympy.acot, sympy.acsch, sympy.sinc]
)
@pytest.mark.parametrize("at", [0.4, -1.7])
def test_quotients(head: Any, at: float) -> None:
    assert value(head(x), x=at) == pytest.approx(float(head(at)), rel=1e-13)


def test_shared_parts_are_read_once() -> None:
    nested = x
    for _ in range(200):
        nested = Mul(sin(nested, evaluate=False), nested, evaluate=False)
    assert len(read(nested).equations) == 400


def test_deep_and_wide_expressions() -> None:
    deep = x
    for _ in range(10_000):
        deep = sin(deep, evaluate=False)
    assert len(from_sympy(deep).equations) == 10_000
    wide = Add(*(x**k for k in range(1, 5000)), evaluate=False)
    assert len(from_sympy(wide).equations) > 9000
    with pytest.raises(GraphcError, match="too deeply"):
        to_sympy(from_sympy(deep))


@pytest.mark.parametrize(
    ("expr", "name"),
    [
        (LambertW(x), "LambertW"), (Integral(x, (x, 0, 1)), "Integral"), (Function("f")(x), "f"), (I * x, "I"),
        (zoo, "zoo"), (nan, "nan"), (sympy.Determinant(V), "Determinant"), (sympy.Inverse(V), "power -1"),
        (Piecewise((1, x > 0)), "Piecewise"), ("x + 1", "str"), (Symbol("a b"), "'a b'"), (Symbol("x") + x, "name x"),
        (Symbol("c", imaginary=True), "c is not real"),
    ],
    ids=lambda v: str(v) if isinstance(v, str) else "",
)  # fmt: skip
def test_refused_by_name(expr: Any, name: str) -> None:
    with pytest.raises(GraphcError, match=name):
        from_sympy(expr)


def test_infinity_is_a_number() -> None:
    assert value(Max(x, -oo), x=1.0) == 1


def test_matrices() -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.arange(9.0).reshape(3, 3) - 4
    sizes = {"n": 2, "m": 3}
    np.testing.assert_allclose(value(2 * X * Y, sizes, X=a, Y=b), 2 * a @ b)
    np.testing.assert_allclose(value(X + HadamardProduct(X, X), sizes, X=a), a + a * a)
    np.testing.assert_allclose(value(HadamardPower(X, 2), sizes, X=a), a**2)
    np.testing.assert_allclose(value(V**3, V=b), b @ b @ b)
    np.testing.assert_allclose(value(sympy.Identity(3) + V.T, V=b), np.eye(3) + b.T)
    np.testing.assert_allclose(value(X.applyfunc(lambda t: exp(-t) * t), sizes, X=a), np.exp(-a) * a)
    np.testing.assert_allclose(value(Trace(X * X.T) / n, sizes, X=a), np.trace(a @ a.T) / 2)
    np.testing.assert_allclose(value(X[n - 1, 0] + X[0, 1], sizes, X=a), a[1, 0] + a[0, 1])
    np.testing.assert_allclose(value(X[0, :], sizes, X=a), a[:1])
    np.testing.assert_allclose(value(Matrix([[x, 2], [3, x * y]]), x=5.0, y=2.0), [[5, 2], [3, 10]])


def test_sizes_are_sizes() -> None:
    graph = read(Trace(X * X.T))
    assert set(graph.sizes) == {"n", "m"}
    assert [str(graph.types[s]) for s in graph.inputs] == ["real[n, m]"]


def test_inputs_come_in_the_order_of_appearance() -> None:
    assert [s.name for s in read(sin(z) ** y).inputs] == ["z", "y"]


def test_greek_and_language_names() -> None:
    assert [s.name for s in read(Symbol("θ") + 1).inputs] == ["theta"]
    assert value(Symbol("e") + sympy.E, e=1.0) == pytest.approx(1 + math.e)
    assert value(Symbol("sin") * 2, sin=4.0) == 8


def test_several_outputs() -> None:
    assert to_sympy(parse("input x, y\na = x*y\nb = a + 1/10\noutput a, b")) == {
        "a": x * y,
        "b": x * y + Rational(1, 10),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sigmoid(x)", 1 / (1 + exp(-x))), ("softplus(x)", sympy.log(1 + exp(x))), ("threshold(x)", Heaviside(x, 1)),
        ("max(x, y)", Max(x, y)), ("mod(x, 3)", Mod(x, 3)), ("x != y and x > 1", And(sympy.Ne(x, y), x > 1)),
        ("where(x > 0, x, where(y > 0, y, 0))", Piecewise((x, x > 0), (y, y > 0), (0, True))),
        ("cbrt(x)", sign(x) * Abs(x) ** Rational(1, 3)), ("log2(x)", sympy.log(x, 2)),
    ],
    ids=str,
)  # fmt: skip
def test_own_operations_as_formulas(text: str, expected: Any) -> None:
    assert to_sympy(parse(text)) == expected


@pytest.mark.parametrize("at", [0.5, 1.5, 2.5, -0.5, -1.5, 0.3, -2.7])
def test_rounding(at: float) -> None:
    assert float(to_sympy(parse("round(x)")).subs(x, Rational(at))) == round(at)


def test_large_numbers_are_not_computed() -> None:
    assert to_sympy(parse("x + gamma(1000000)")).has(gamma)


def test_arrays_do_not_go_to_sympy() -> None:
    with pytest.raises(GraphcError, match="x has shape"):
        to_sympy(parse("input x[3]\nsum(x)"))
    with pytest.raises(GraphcError, match="grad has no form"):
        to_sympy(parse("J = x^2\nd = grad(J, x)"))
