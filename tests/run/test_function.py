"""Compiled functions: names and positions, numbers and arrays, defaults, errors."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numba
import numpy as np
import pytest
import sympy

import graphc
from graphc.codegen.support import ONE_BY_ONE

CHAIN = "cos(sin(x^2)+3x^2)"


def _slope(x: float) -> float:
    return -2 * x * (math.cos(x * x) + 3) * math.sin(math.sin(x * x) + 3 * x * x)


def test_the_chain() -> None:
    f = graphc.compile(CHAIN)
    for _ in range(6):  # the first calls are answered without compiling
        assert f(x=0.5) == pytest.approx(math.cos(math.sin(0.25) + 0.75), rel=1e-15)
        assert f.grad(x=0.5) == {"x": pytest.approx(_slope(0.5), rel=1e-14)}
        value, gradient = f.value_and_grad(0.5)
        assert (type(value), type(gradient["x"])) == (float, float)
    assert str(f.gradient).count("=") >= 8
    assert f.inputs == ("x",)
    assert "def value_and_grad" in f.source
    assert [s.name for s in f.history][:2] == ["order", "stabilise"]


def test_raw_functions_are_called_from_jitted_code() -> None:
    f = graphc.compile("x*y^2")
    forward, both = f.jit.forward, f.jit.value_and_grad

    @numba.njit  # type: ignore[untyped-decorator]
    def total(n: int) -> float:
        s = 0.0
        for i in range(n):
            value, (gx, gy) = both(float(i), 2.0)
            s += forward(float(i), 2.0) + value + gx + gy
        return s

    assert total(4) == sum(4 * i + 4 * i + 4 + 4 * i for i in range(4))
    assert f.jit.backward(3.0, 2.0) == (4.0, 12.0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_raw_functions_agree_with_public_ones(dtype: str) -> None:
    several = {"atan2": "atan2(x, 1.5)", "hypot": "hypot(x, 1.5)", "hypot3": "hypot(x, 0.5, 1.5)"}
    names, calls = [*ONE_BY_ONE], [several.get(name, f"{name}(x)") for name in ONE_BY_ONE]
    lines = ["input x", f"output {', '.join(f'v{k}' for k in range(len(names)))}"]
    f = graphc.compile("\n".join([*lines, *(f"v{k} = {call}" for k, call in enumerate(calls))]), dtype=dtype)
    tails = [s * 10.0**k for k in range(-30, 3) for s in (-1, 1)]
    x = np.array([0, *tails, *np.linspace(-90, 90, 61), np.inf, -np.inf, np.nan], dtype)
    tiny = float(np.finfo(dtype).smallest_subnormal)
    public, raw = f(x), np.array([f.jit.forward(v) for v in x])
    for name, column in zip(names, raw.T, strict=True):
        wanted = public[f"v{names.index(name)}"]
        np.testing.assert_allclose(column, wanted, rtol=8 * np.finfo(dtype).eps, atol=4 * tiny, err_msg=name)


def test_arguments_broadcast_also_where_the_value_does_not_depend_on_them() -> None:
    f = graphc.compile("input x, y; x^2")
    value, gradient = f.value_and_grad(np.ones((3, 1)), [1, 2])
    assert value.shape == gradient["y"].shape == (3, 2)
    assert (gradient["y"] == 0).all()
    assert f(x=np.arange(6)[::2], y=0).tolist() == [0, 4, 16]


def test_dtypes() -> None:
    f = graphc.compile(CHAIN, dtype="float32")
    assert f(x=np.linspace(0, 1, 3)).dtype == np.float32
    assert f.grad(x=np.linspace(0, 1, 3, dtype=">f8"))["x"].dtype == np.float32
    with pytest.raises(graphc.DataError, match="float32 or float64"):
        graphc.compile("x", dtype="float16")


def test_integers_and_conditions() -> None:
    f = graphc.compile("input x, k: int; where(k > 1, x^k, -x)")
    assert f(x=3, k=2) == 9
    assert f(x=3.0, k=np.array([0, 1, 2])).tolist() == [-3, -3, 9]
    assert f.grad(x=3.0, k=2) == {"x": 6.0}


def test_parameters_with_a_constant_first_value_have_it_as_default() -> None:
    f = graphc.compile("input x[n]; param w = 2, b[3] = [1, 2, 3], r[3] ~ uniform(0, 1); sum(w*x) + sum(b*r)")
    first = f.initial(seed=3)
    assert set(first) == {"w", "b", "r"}
    value, gradient = f.value_and_grad(x=[1.0, 2.0], r=first["r"])
    assert value == pytest.approx(6 + first["b"] @ first["r"])
    assert gradient["b"].tolist() == first["r"].tolist()
    assert (f.initial(3)["r"] == first["r"]).all()
    with pytest.raises(graphc.DataError, match="r is missing"):
        f(x=[1.0])


def test_programs_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "p.gc").write_text("x^2 + 1")
    x = sympy.Symbol("x")
    for program in ("x^2 + 1", tmp_path / "p.gc", x**2 + 1, graphc.parse("x^2 + 1")):
        assert graphc.compile(program).grad(x=3.0) == {"x": 6.0}
    with pytest.raises(graphc.DataError, match="cannot be read"):
        graphc.compile(tmp_path / "no.gc")
    with pytest.raises(graphc.ParseError, match="a program is"):
        graphc.compile(3)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("x + y", {"x": 1.0}, "y is missing"),
        ("x + y", {"x": 1.0, "y": 2.0, "z": 3.0}, "z is no input"),
        ("x + y", {"x": [1.0, 2.0], "y": [1.0, 2.0, 3.0]}, "do not broadcast"),
        ("x + y", {"x": "a", "y": 1.0}, "text"),
        ("x + y", {"x": 1j, "y": 1.0}, "complex"),
        ("input x[n, 3]; sum(x)", {"x": [[1.0, 2.0]]}, "x has shape"),
        ("input x[n], y[n]; sum(x*y)", {"x": [1.0], "y": [1.0, 2.0]}, "n = "),
        ("input k: int; k^2", {"k": 1.5}, "whole"),
    ],
)
def test_arguments_that_do_not_fit(text: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(graphc.DataError, match=message):
        graphc.compile(text)(**arguments)


def test_sizes_that_only_the_data_can_tell() -> None:
    f = graphc.compile("input x[n, 3], y[m, 3]; sum(x * y)")
    with pytest.raises(graphc.ShapeError) as caught:
        f(x=np.ones((2, 3)), y=np.ones((4, 3)))
    assert (caught.value.line, caught.value.column) == (1, 31)
    assert f(x=np.ones((2, 3)), y=np.ones((2, 3))) == 6
    with pytest.raises(graphc.ShapeError):
        graphc.compile("input x[n]; sum(x[3:])")(x=[1.0, 2.0])


def test_what_has_no_gradient_says_why() -> None:
    f = graphc.compile("input x[n]; x^2")
    assert f(x=[1.0, 2.0]).tolist() == [1, 4]
    with pytest.raises(graphc.DerivativeError, match="only a number"):
        f.grad(x=[1.0])
    with pytest.raises(graphc.DerivativeError, match="several outputs"):
        graphc.compile("a = x; b = x^2; output a, b").grad(x=1.0)


def test_several_outputs_come_by_name() -> None:
    assert graphc.compile("a = x + 1; b = x^2; output a, b")(x=3.0) == {"a": 4.0, "b": 9.0}


def test_nan_goes_through() -> None:
    f = graphc.compile("max(x, 1) + exp(x)")
    for _ in range(5):
        assert math.isnan(f(x=math.nan))
    assert np.isnan(f(x=np.array([math.nan, 1.0]))).tolist() == [True, False]


def test_callers_arrays_are_never_changed() -> None:
    x = np.ones((4, 3))
    x.flags.writeable = False
    f = graphc.compile("input x[n, 3]; y = x * 2; sum(y)")
    assert f.grad(x=x)["x"].tolist() == [[2.0] * 3] * 4
    assert (x == 1).all()


def test_gradients_are_real_also_where_they_are_computed_as_whole_numbers() -> None:
    f = graphc.compile("input x[n, 3], c; sum(max(x, 0)) + 0*c")
    gradient = f.grad(x=[[1.0, -1.0, 0.0]], c=2.0)
    assert gradient["x"].tolist() == [[1, 0, 0]]
    assert gradient["x"].dtype == np.float64
    assert type(gradient["c"]) is float
    assert type(graphc.compile("max(x, 0)").grad(x=2.0)["x"]) is float


@pytest.mark.parametrize("program", [CHAIN, sympy.cos(sympy.Symbol("x")), graphc.parse("input x[3]; sum(x^3)")])
def test_it_is_pickled_as_its_program(program: object) -> None:
    f = graphc.compile(program, dtype="float32")
    again = pickle.loads(pickle.dumps(f))
    x = np.ones(3, np.float32)
    np.testing.assert_array_equal(again(x=x), f(x=x))
    assert again.artifact == f.artifact
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(f.derived("hessian")))(x=x), f.derived("hessian")(x=x))
