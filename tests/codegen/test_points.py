"""Loops over points, which are loops over vectors: every length, every place in a vector."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc.codegen.native import llvm_texts

PROGRAM = "x*sin(1/x) + exp(-y)*tanh(x*y)"
MOST = 35  # points: two of the longest vectors and a few more


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_point_is_the_same_wherever_it_stands(dtype: str) -> None:
    f = graphc.compile(PROGRAM, dtype, threads=1)
    x, y = np.linspace(0.1, 3, MOST).astype(dtype), np.linspace(-1, 1, MOST).astype(dtype)
    value, gradients = f.value_and_grad(x=x, y=y)
    for start in range(4):
        for stop in range(start + 1, MOST + 1):
            part = slice(start, stop)
            some, of_some = f.value_and_grad(x=x[part].copy(), y=y[part].copy())
            assert np.array_equal(some, value[part])
            assert all(np.array_equal(of_some[name], gradients[name][part]) for name in "xy")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_is_written_behind_the_last_point(dtype: str) -> None:
    function = graphc.compile(PROGRAM, dtype).jit.native("forward_points")
    x = np.linspace(0.1, 3, MOST).astype(dtype)
    for count in range(MOST):
        result = np.full(MOST, 7.0, dtype)
        function(count, x, x, result)
        assert np.all(result[count:] == 7)
        assert np.all(result[:count] != 7)


def test_what_is_rare_in_one_place_of_a_vector() -> None:
    f = graphc.compile("cos(x)")
    x = np.linspace(0, 3, MOST)
    expected = np.cos(x)
    for k in range(MOST):
        far = np.where(np.arange(MOST) == k, 1e9, x)
        assert np.allclose(f(x=far), np.where(np.arange(MOST) == k, np.cos(1e9), expected), rtol=1e-14, atol=1e-16)


def test_points_that_come_later_are_asked_for() -> None:
    artifact = graphc.compile("x*y").artifact
    loops, _ = llvm_texts(artifact.source, artifact.entry("forward_points"), "float64")
    assert loops.count('call void @"llvm.prefetch') == 2
