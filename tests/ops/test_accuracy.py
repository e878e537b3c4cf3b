"""Vector math against 50-digit arithmetic, and at special values against the references.

In: the operations whose code is vector math.  Out: nothing, or a failed assertion that names function and argument;
with `pytest --update` the table in `docs/accuracy.md`.
Always holds: each function is measured twice, as generated code (with fused products where the processor has them) and
as plain Python (without), through the public calls; an error is counted in units of the last place of the exact result.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import graphc
from graphc.codegen import plain_number
from graphc.graph.operation import Operation
from graphc.ops import OPERATIONS
from graphc.ops.helpers import HELPERS
from graphc.ops.safe import sinc
from graphc.ops.vector_math import FUNCTIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"
LIMIT = 2.0  # units of the last place
TRACED = [
    o
    for o in OPERATIONS
    if set(getattr(o.lowering, "helpers", ())) - HELPERS.keys() and o.parameters[-1].role == "operand"
]
WIDTHS = {"float32": np.float32, "float64": np.float64}
# Sums of two terms that may cancel: an error is counted in units of the larger term.
TERMS = {"logaddexp": lambda a, b: (max(a, b), mpmath.log1p(mpmath.exp(-abs(a - b))))}


def arity(operation: Operation) -> int:
    return len(operation.parameters)


def compiled(operation: Operation, dtype: str) -> Callable[..., Any]:
    """The operation as generated code, over arrays."""
    names = "ab"[: arity(operation)]
    text = "a ^ b" if operation.name == "power" else f"{operation.written}({', '.join(names)})"
    return graphc.compile(f"input {', '.join(names)}; {text}", dtype=dtype)


def plain(operation: Operation) -> Callable[..., Any]:
    """The operation as plain Python, over arrays."""
    return plain_number.vector(FUNCTIONS[operation.lowering.helpers[0][:-1]])


# --- against 50 digits ---------------------------------------------------------------------------------------------


@cache
def grid(dtype: str) -> Any:
    """Numbers of all sizes but 0, both signs, near 1, near multiples of pi/2, and where exponentials leave the range."""
    real = WIDTHS[dtype]
    info = np.finfo(real)
    rng = np.random.default_rng(1)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp, 1 if dtype == "float32" else 5)
    sizes = np.ldexp(rng.uniform(0.5, 1, exponents.size), exponents)
    near_1 = 1 + np.ldexp(np.resize((1.0, -1.0), 48), -np.arange(48) // 2 - 1)
    turns = np.pi / 2 * np.concatenate([np.arange(1, 60), rng.integers(60, 10**9, 60)])
    edges = np.log([float(info.max), float(info.smallest_normal), float(info.smallest_subnormal)])
    edges = (edges[:, None] * np.linspace(0.99, 1.01, 21)).reshape(-1)
    hard = [
        6381956970095103.0 * 2.0**797,
        16367173.0 * 2.0**72,
    ]  # nearest to multiples of pi/2 (Muller 2016, table 11.1)
    with np.errstate(over="ignore"):
        positive = np.concatenate(
            [sizes, near_1, turns, np.abs(edges), hard, np.linspace(0, 1, 600), np.linspace(1, 12, 600)]
        )
        points = np.concatenate([positive, -positive]).astype(real)
    return points[np.isfinite(points) & (points != 0)]


def arguments(operation: Operation, dtype: str) -> tuple[Any, ...]:
    points = grid(dtype)
    if arity(operation) == 1:
        return (points,)
    rng = np.random.default_rng(2)
    a, b = rng.permutation(points), rng.permutation(points)
    with np.errstate(all="ignore"):  # half of the second operands near the first, half of the powers in range
        near = rng.uniform(-1, 1, a.size) * (edge(dtype) / np.log(np.abs(a)) if operation.name == "power" else a)
    half = np.arange(a.size) % 2 == 0
    b = np.where(half & np.isfinite(near), near, b).astype(points.dtype)
    return a, b


def edge(dtype: str) -> float:
    return float(np.log(np.finfo(WIDTHS[dtype]).max))


def exact(operation: Operation, at: list[Any]) -> Any:
    """In 50 digits; NaN where there is no real value, None where mpmath's numbers get too large."""
    assert operation.exact is not None
    try:
        value = operation.exact(mpmath.mp, *at)
    except OverflowError:
        return None
    except (ValueError, ZeroDivisionError):
        return mpmath.nan
    return value if isinstance(value, mpmath.mpf) else mpmath.nan


def error(want: Any, got: Any, dtype: str, scale: Any) -> float:
    """Distance in units of the last place of `scale`; 0 where both overflow or are NaN."""
    info = np.finfo(WIDTHS[dtype])
    overflow = mpmath.ldexp(1, info.maxexp) - mpmath.ldexp(1, info.maxexp - info.nmant - 2)
    if mpmath.isnan(want) or abs(want) >= overflow:
        agree = np.isnan(got) if mpmath.isnan(want) else float(got) == float(mpmath.sign(want)) * np.inf
        return 0.0 if agree else np.inf
    if not np.isfinite(got):
        return np.inf
    _, exponent = mpmath.frexp(scale)
    unit = mpmath.ldexp(1, max(exponent - 1, info.minexp) - info.nmant)
    return float(abs(mpmath.mpf(float(got)) - want) / unit)


def measured(operation: Operation, dtype: str) -> float:
    """The largest error on the grid, of both ways to compute."""
    points = arguments(operation, dtype)
    worst = 0.0
    results = [compiled(operation, dtype)(*points), plain(operation)(*points)]
    assert all(r.dtype == WIDTHS[dtype] for r in results)
    with mpmath.workdps(50):
        for at, *got in zip(zip(*points, strict=True), *results, strict=True):
            numbers = [mpmath.mpf(float(v)) for v in at]
            want = exact(operation, numbers)
            if want is None:
                continue
            terms = TERMS.get(operation.name, lambda *_: ())(*numbers)
            for value in got:
                found = error(want, value, dtype, max(map(abs, (want, *terms))))
                assert found <= LIMIT, f"{operation.name}({', '.join(map(repr, at))}) is {value!r}, {found} units off"
                worst = max(worst, found)
    return worst


def row(operation: Operation) -> str:
    shown = [f"{np.ceil(measured(operation, dtype) * 100) / 100:.2f}" for dtype in WIDTHS]
    return f"| `{operation.name}` | {' | '.join(shown)} |"


@pytest.mark.parametrize("operation", TRACED, ids=lambda o: o.name)
def test_error_in_units_of_the_last_place(operation: Operation, request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text("utf-8")
    documented = re.search(rf"^\| `{operation.name}` \| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    found = row(operation)
    if request.config.getoption("--update"):
        line = documented.group(0) if documented else "<!-- rows -->"
        DOCUMENT.write_text(text.replace(line, found if documented else f"{found}\n{line}"), "utf-8")
        return
    assert documented, f"{operation.name} is not in docs/accuracy.md; pytest --update writes it"
    for now, then in zip(re.findall(r"\d+\.\d+", found), documented.groups(), strict=True):
        assert float(now) <= float(then) + 0.1, f"{operation.name}: {now} units, docs/accuracy.md says {then}"


@pytest.mark.parametrize("dtype", WIDTHS)
def test_terms_of_the_first_spherical_bessel_function_cancel(dtype: str) -> None:
    middle = (np.arange(1, 200) + 0.5) * np.pi
    zeros = middle - 1 / middle
    points = np.concatenate([grid(dtype), (0.999 * zeros).astype(WIDTHS[dtype])])
    got = graphc.compile("sinc(x, 1)", dtype=dtype)(points)
    with mpmath.workdps(50):
        for x, value in zip(points, got, strict=True):
            want = sinc.exact(mpmath.mp, 1, mpmath.mpf(float(x)))
            assert error(want, value, dtype, abs(want)) <= LIMIT, f"sinc({x!r}, 1) is {value!r}"


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("text", [
    "5", "6", "7", "8", "9", "12", "33", "64", "-5", "-12", "3/2", "5/2", "15/2", "-3/2",
    "1/3", "2/3", "4/3", "-1/3", "-2/3", "-4/3",
])  # fmt: skip
def test_powers_known_to_the_code(text: str, dtype: str) -> None:
    points, exponent = grid(dtype), Fraction(text)
    got, tiny = graphc.compile(f"x^({text})", dtype=dtype)(points), float(np.finfo(WIDTHS[dtype]).tiny)
    with mpmath.workdps(50):
        for x, value in zip(points, got, strict=True):
            power = mpmath.mpf(float(x)) ** (mpmath.mpf(exponent.numerator) / exponent.denominator)
            want = power if isinstance(power, mpmath.mpf) else mpmath.nan
            if exponent < 0 and not tiny < abs(want) < 0.25 / tiny:
                continue  # the reciprocal of a subnormal number or an overflow
            assert error(want, value, dtype, abs(want)) <= LIMIT, f"{x}^{exponent} is {value!r}"
    if exponent.denominator != 2:
        special = np.array(special_values(dtype), WIDTHS[dtype])
        with np.errstate(all="ignore"):
            want = special ** float(exponent)
        value = graphc.compile(f"x^({text})", dtype=dtype)(special)
        units = 8 if exponent.denominator == 1 else 256  # NumPy's third is the float next to it
        np.testing.assert_allclose(value, want, rtol=units * np.finfo(special.dtype).eps, atol=tiny)


def test_a_power_known_to_be_infinite_is_no_product() -> None:
    np.testing.assert_array_equal(graphc.compile("x^inf")(np.array([0.5, 1.0, 2.0])), [0, 1, np.inf])


# --- special values ------------------------------------------------------------------------------------------------


def special_values(dtype: str) -> list[float]:
    info = np.finfo(WIDTHS[dtype])
    sizes = [0.0, float(info.smallest_subnormal), float(info.tiny), 0.5, 1.0, 2.0, 3.0, 1e6, float(info.max), np.inf]
    return [*sizes, *(-v for v in sizes), np.nan]


@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("operation", TRACED, ids=lambda o: o.name)
def test_special_values(operation: Operation, dtype: str) -> None:
    assert operation.reference is not None
    real = WIDTHS[dtype]
    rows = itertools.product(special_values(dtype), repeat=arity(operation))
    points = [np.array(column, real) for column in zip(*rows, strict=True)]
    with np.errstate(all="ignore"):
        want = operation.reference(*points)
    for got in (compiled(operation, dtype)(*points), plain(operation)(*points)):
        np.testing.assert_allclose(got, want, rtol=8 * np.finfo(real).eps, atol=0)
        zero = want == 0
        wrong = zero & (np.signbit(got) != np.signbit(want))
        assert not wrong.any(), f"the sign of zero at {[p[wrong] for p in points]}"
