"""Calls that go straight to machine code give what the slow way gives, and leave to it what is not theirs.

In: programs of numbers, arguments of every sort.  Out: nothing, or a failed assertion.
Always holds: the function is called often enough to be compiled first.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.codegen import call as by_name
from graphc.codegen.artifact import LARGE, SMALL
from graphc.codegen.call import is_possible, layout_is_known
from graphc.errors import DataError
from graphc.run.function import PLAIN_CALLS, Function

TEXT = "sin(x)*y + x/y"


@pytest.fixture(params=["float64", "float32"])
def function(request: pytest.FixtureRequest) -> Function:
    f = graphc.compile(TEXT, dtype=request.param)
    one = np.ones(3, request.param)
    for call in (f, f.grad, f.value_and_grad):
        call(x=one, y=one)
    for _ in range(PLAIN_CALLS):
        f._any_call("forward")(x=1, y=1)  # those that are answered without compiling
    return f


def expected(f: Function, x: Any, y: Any) -> tuple[Any, dict[str, Any]]:
    """By the general way."""
    return f._any_call("value_and_grad")(x=x, y=y)  # type: ignore[no-any-return]


def same(found: Any, wanted: Any) -> None:
    assert type(found[0]) is type(wanted[0])
    np.testing.assert_array_equal(found[0], wanted[0])
    assert list(found[1]) == list(wanted[1])
    for name, value in wanted[1].items():
        assert type(found[1][name]) is type(value)
        assert getattr(found[1][name], "dtype", None) == getattr(value, "dtype", None)
        np.testing.assert_array_equal(found[1][name], value)


def test_it_is_machine_code(function: Function) -> None:
    assert layout_is_known()
    assert is_possible() == (sys.version_info >= (3, 11))
    assert (type(function.value_and_grad) is type(function.grad) is type(len)) == is_possible()
    assert function.grad.__doc__ == Function.grad.__doc__


def test_where_it_cannot_be_the_general_way_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path))
    monkeypatch.setattr(by_name, "is_possible", lambda: False)
    f = graphc.compile(TEXT + " + 0.125")
    x = np.ones(3)
    for _ in range(PLAIN_CALLS):
        f._any_call("forward")(x=1, y=1)
    for _ in range(2):
        same(f.value_and_grad(x=x, y=x), expected(f, x, x))
        same(f.value_and_grad(x=0.5, y=2), expected(f, 0.5, 2))
    assert type(f.value_and_grad) is not type(len)


@pytest.mark.parametrize(
    "x", [0.5, 2, -0.0, float("inf"), float("nan"), np.float64(0.25), np.float32(0.25), True, 2**60]
)
def test_numbers(function: Function, x: Any) -> None:
    wanted = expected(function, x, 2.0)
    same(function.value_and_grad(x=x, y=2.0), wanted)
    same(function.value_and_grad(y=2.0, x=x), wanted)
    same(function.value_and_grad(x, 2.0), wanted)
    same(function.value_and_grad(x, y=2.0), wanted)
    same((function(x=x, y=2.0), function.grad(x=x, y=2.0)), wanted)


@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3), (0,), (3, 0), (1, 1, 5), (5000,), (100_000,)])
def test_arrays(function: Function, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(5)
    x, y = (generator.uniform(1, 2, shape).astype(function.artifact.dtype) for _ in range(2))
    wanted = expected(function, x, y)
    same(function.value_and_grad(x=x, y=y), wanted)
    same(function.value_and_grad(x, y), wanted)
    same((function(x=x, y=y), function.grad(y=y, x=x)), wanted)


def test_arrays_that_are_not_plain(function: Function) -> None:
    dtype = np.dtype(function.artifact.dtype)
    full = np.linspace(1, 2, 24).astype(dtype)
    packed = np.zeros(6, np.dtype([("a", "i1"), ("b", dtype)]))
    packed["b"] = full[:6]
    read_only = full[:6].copy()
    read_only.flags.writeable = False
    odd = [full[::4], full[:6].astype(dtype.newbyteorder()), packed["b"], read_only, full[:6].astype("f2"), full.reshape(4, 6).T[:, 0],
           list(full[:6]), np.arange(1, 7), full[:1], full[0], np.asarray(full[0])]  # fmt: skip
    for x in odd:
        wanted = expected(function, x, full[:6])
        same(function.value_and_grad(x=x, y=full[:6]), wanted)
        same(function.value_and_grad(x, full[:6]), wanted)


@pytest.mark.parametrize("size", [SMALL, LARGE // 3])  # of a value and two gradients
def test_where_results_begin_and_end_to_lie_in_one_block(function: Function, size: int) -> None:
    limit = size // np.dtype(function.artifact.dtype).itemsize
    for shape in ((limit - 1,), (limit,), (2, limit // 2), (limit + 1,)):
        x = np.full(shape, 1.5, function.artifact.dtype)
        found = function.value_and_grad(x=x, y=x)
        same(found, expected(function, x, x))
        assert all(
            a.flags.c_contiguous and a.flags.aligned and a.flags.writeable for a in (found[0], *found[1].values())
        )


def test_results_are_new(function: Function) -> None:
    x = np.ones(4, function.artifact.dtype)
    value, gradients = function.value_and_grad(x=x, y=x)
    again, _ = function.value_and_grad(x=x, y=x)
    again += 1
    assert value[0] + 1 == again[0]
    assert all(a.base is None and a.flags.owndata for a in (value, *gradients.values()))


@pytest.mark.parametrize(
    ("given", "message"),
    [({"x": 1}, "y is missing"), ({"x": 1, "z": 2}, "z is no input"), ({"x": "a", "y": 1}, "text"),
     ({"x": 10**400, "y": 1}, "too large"), ({"x": None, "y": 1}, "None"), ({}, "x is missing"),
     ({"x": np.ones(2), "y": np.ones(3)}, "broadcast"), ({"x": 1, "y": 2, "z": 3}, "z is no input")],
)  # fmt: skip
def test_errors_are_those_of_the_general_way(function: Function, given: dict[str, Any], message: str) -> None:
    for call in (function, function.grad, function.value_and_grad):
        with pytest.raises(DataError, match=message):
            call(**given)  # type: ignore[operator]


def test_names_that_are_equal_and_not_identical(function: Function) -> None:
    names = ["".join(["x"]), "".join(["y", ""])]
    given = {bytes(n, "ascii").decode(): v for n, v in zip(names, (0.5, 2.0), strict=True)}
    same(function.value_and_grad(**given), expected(function, 0.5, 2.0))


def test_several_outputs() -> None:
    f = graphc.compile("input speed, wx\noutput s, p\ns = speed + wx\np = speed*wx")
    for _ in range(6):
        assert f(speed=2, wx=3) == {"s": 5.0, "p": 6.0}
    assert {k: v.tolist() for k, v in f(wx=np.ones(2), speed=np.ones(2)).items()} == {"s": [2, 2], "p": [1, 1]}


@pytest.mark.skipif(not is_possible(), reason="the general way answers, and what it keeps is Python's")
def test_nothing_is_kept(function: Function) -> None:
    x, numbers = np.ones(50, function.artifact.dtype), (0.123456789, 7.25)
    many = np.ones(SMALL, function.artifact.dtype)

    def calls() -> None:
        for _ in range(200):
            function.value_and_grad(x=x, y=x)
            function.value_and_grad(x=many, y=many)
            function.value_and_grad(x=numbers[0], y=numbers[1])
            function(x=10, y=numbers[1])
            with pytest.raises(DataError):
                function.grad(x=x)

    calls()
    gc.collect()
    before, references = sys.getallocatedblocks(), sys.getrefcount(x.dtype)
    calls()
    gc.collect()
    assert sys.getallocatedblocks() - before < 50
    assert abs(sys.getrefcount(x.dtype) - references) < 10


def test_greek_letters_are_their_names() -> None:
    f = graphc.compile("cos(θ)*x_1")
    for _ in range(6):
        assert f(θ=0.0, x_1=3.0) == f(theta=0.0, x_1=3.0) == f(0.0, 3.0) == 3.0
    with pytest.raises(DataError, match="theta is given twice"):
        f(θ=1, theta=1)
    with pytest.raises(DataError, match="phi is no input"):
        f(φ=1, x_1=1)
