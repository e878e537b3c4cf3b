"""Differences of what is nearly equal keep their digits, values and slopes.

In: naive spellings at points where digits are lost.  Out: nothing, or a failed assertion.
Always holds: the reference is the formula as written, in a thousand digits.
"""

from __future__ import annotations

import pytest

import graphc
from tests.exact import derivatives

VALUES = [
    ("(x + 1)^(1/3) - x^(1/3)", (1e-300, 1e-10, 1.0, 1e12)),
    ("x^0.3 - (x + 1)^0.3", (1e-10, 1e12)),
    ("(x + 1)^(-2/3) - x^(-2/3)", (1e-10, 1.0, 1e12)),
    ("(2x)^0.7 - (2x - 1)^0.7", (0.6, 1e12)),
    ("1/sqrt(x) - 1/sqrt(x + 1)", (1e-10, 1e12)),
    ("sqrt(x^2 + 1) - x", (-1e8, 0.0, 1e8)),
    ("x - sqrt(x^2 - 1)", (-1e8, 1.5, 1e8)),
    ("3x + sqrt(9*x^2 + x)", (-1e12, 1e12)),
    ("sqrt(x*x + 1e-6) + x", (-1e6, 0.0, 1e6)),
    ("(-x + sqrt(x^2 - 4*2*3))/(2*2)", (-1e9, 1e9)),
    ("log(x + sqrt(x^2 + 1))", (-1e9, -1e-12, 1e-12, 1e9)),
    ("log(x + sqrt(x^2 - 1))", (1.0 + 2**-40, 1e9)),
    ("(exp(2x) - 1)/(exp(x) - 1)", (-40.0, 1e-12, 400.0)),
    ("atanh(x)", (1 - 2**-50, 2**-30)),
    ("hypot(x + 1, 2) - hypot(2, x)", (-1e9, 0.0, 1e9)),
    ("exp(x) - 1 - x", (-1e-8, 1e-3, 30.0)),
    ("x - log(1 + x)", (-1e-8, 1e-3, 30.0)),
    ("sinh(x) - x", (-1e-8, 1e-3, 30.0)),
    ("1 - tanh(x)/x", (-1e-8, 1e-3, 30.0)),
    ("log(sinh(x)/x)", (1e-8, 1e-3, 900.0)),
    ("log((exp(x) - 1)/x)", (-1e-8, 1e-3, 900.0, -900.0)),
    ("1/(x - 1) - 2/x + 1/(x + 1)", (1.5, 1e9)),
]


@pytest.mark.parametrize(("text", "points"), VALUES)
def test_values(text: str, points: tuple[float, ...]) -> None:
    f = graphc.compile(text)
    for x in points:
        assert f(x=x) == pytest.approx(float(derivatives(text, "x", {"x": x})[0]), rel=4e-15)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("(x + 1)^(1/3) - x^(1/3)", (1e-10, 1e12)),
        ("1/sqrt(x) - 1/sqrt(x + 1)", (1e-10, 1e12)),
        ("log(x + sqrt(x^2 + 1))", (-1e9, 0.0, 1e9)),
        ("x*log(1 + x)/((1 + x) - 1)", (1e-12, 0.5)),
        ("(exp(2x) - 1)/(exp(x) - 1)", (0.0, 1e-12, 400.0)),
        ("log((1 + x)/(1 - x))", (0.0, 0.999999)),
        ("hypot(x + 1, 2) - hypot(2, x)", (-1e6, -0.5, 0.0, 1e6, 1e12)),
        ("sqrt((x + 1)^2 + 4) - sqrt(x^2 + 4)", (-1e6, 1e12)),
        ("(x - sin(x))/x^3", (1e-8, 1e-3, 3.0)),
        ("(exp(x) - 1 - x)/x^2", (-1e-8, 1e-3, 3.0)),
        ("(log(1 + x) - x)/x^2", (-1e-8, 1e-3, 3.0)),
        ("sin(x)/x^2 - cos(x)/x", (1e-8, 1e-3, 3.0)),
        ("1/sin(x) - 1/x", (1e-8, 1e-3, 3.0)),
        ("1/log(1 + x) - 1/x", (-1e-8, 1e-3, 3.0)),
        ("x - tanh(x)", (-1e-8, 1e-3, 3.0)),
        ("(1 + 1/x)^x", (1e6, 1e15)),
        ("1/(x - 1) - 2/x + 1/(x + 1)", (1.5, 1e9)),
    ],
)
def test_slopes(text: str, points: tuple[float, ...]) -> None:
    f = graphc.compile(text)
    for x in points:
        assert f.grad(x=x)["x"] == pytest.approx(float(derivatives(text, "x", {"x": x})[1]), rel=1e-14)


def test_what_learns_is_left_as_it_is() -> None:
    """Digits count, not time, in a program without parameters only."""
    assert "where" in str(graphc.simplify("input z, y; sqrt(y^2 + z) - y"))
    assert "where" not in str(graphc.simplify("input z; param y = 1; sqrt(y^2 + z) - y"))


def test_a_number_less_the_mean_of_it_and_others() -> None:
    """The mean is rounded; differences of near numbers are not."""
    f = graphc.compile("m = (x + y + z)/3; ((x - m)^2 + (y - m)^2 + (z - m)^2)/2")
    at = {"x": 10004.043372419244, "y": 10000.960736732863, "z": 10007.169037427799}
    assert f.grad(**at)["x"] == pytest.approx(-0.014343107390838365, rel=1e-15)
    assert graphc.compile("x - 2*y + z")(x=1.1, y=1.1 + 2**-52, z=1.1) == -(2**-51)


def test_a_square_of_a_difference_stays_one() -> None:
    """Multiplied out, 3*(p - q*r)^2 has no digits where p is near q*r."""
    f = graphc.compile("sqrt((p - q*r)^2*c^2 + m^2*c^4)")
    at = {"p": 5.0, "q": 1.0, "r": 5 - 2**-40, "c": 1.0, "m": 2**-38}
    found = f.hessian(**at)
    assert float(found["c"]["m"]) == pytest.approx(float(found["m"]["c"]), rel=1e-14)
    assert float(found["c"]["m"]) == pytest.approx(1.9973522061815657, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "points"), [("x/(exp(x) - 1)", (-700.0, -30.0, 1e-5, 30.0)), ("x/tanh(x)", (-300.0, 1e-5, 30.0))]
)
def test_curvatures(text: str, points: tuple[float, ...]) -> None:
    f = graphc.compile(text)
    for x in points:
        assert float(f.hessian(x=x)["x"]["x"]) == pytest.approx(
            float(derivatives(text, "x", {"x": x})[2]), rel=1e-14, abs=0
        )


def test_a_square_below_the_line_does_not_overflow() -> None:
    f = graphc.compile("x/(k + x)")
    assert f.grad(x=1.0, k=1e200)["x"] == pytest.approx(1e-200, rel=1e-15)
