"""Dimensions are polynomials in sizes, in one normal form.

In: sizes.  Out: nothing, or a failed assertion.
Always holds: equal dimensions are equal objects, and a constant one is an int.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphc.graph.types import (
    Size,
    Type,
    is_name,
    product,
    promote,
    shape_text,
    size_named,
    size_value,
    sizes_of,
    surely_at_most,
    surely_different,
)

n, m = size_named("n"), size_named("m")
SIZES = st.recursive(
    st.one_of(st.integers(-3, 3), st.sampled_from([n, m])),
    lambda inner: st.one_of(
        st.builds(lambda f, a, b: f(a, b), st.sampled_from([lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b]), inner, inner),
        st.builds(lambda a, k: a // k, inner, st.integers(1, 4)),
    ),
    max_leaves=6,
)  # fmt: skip


@given(SIZES, SIZES, st.integers(1, 9), st.integers(1, 9))
def test_arithmetic_is_that_of_numbers(a: Size, b: Size, x: int, y: int) -> None:
    at = {"n": x, "m": y}
    for mine, theirs in ((a + b, b + a), (a * b, b * a), (a - b, -(b - a))):
        assert mine == theirs
        assert hash(mine) == hash(theirs)
    assert size_value(a + b, at) == size_value(a, at) + size_value(b, at)
    assert size_value(a * b - a, at) == size_value(a, at) * size_value(b, at) - size_value(a, at)
    assert isinstance(a - a, int)
    assert not (surely_different(a, b) and size_value(a, at) == size_value(b, at))
    assert not surely_at_most(a, b) or size_value(a, at) <= size_value(b, at)


@given(SIZES, st.integers(1, 5), st.integers(0, 9), st.integers(0, 9))
def test_quotients_are_rounded_down(a: Size, k: int, x: int, y: int) -> None:
    at = {"n": x, "m": y}
    assert size_value(a // k, at) == size_value(a, at) // k
    assert (a + 3 * k) // k == a // k + 3
    assert (a * 2) // (k * 2) == a // k
    assert eval(str(a // k), at) == size_value(a // k, at)
    assert surely_at_most((a // k) * k, a) or isinstance(a, int) or size_value((a // k) * k, at) <= size_value(a, at)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (n - 1, "n - 1"),
        (n * m + 2, "m*n + 2"),
        (-n, "-n"),
        (2 * n, "2*n"),
        (n * n - 3 * m, "n*n - 3*m"),
        (n - n + 4, "4"),
        (n // 2, "n//2"),
        ((n - 1) // 2, "((n + 1)//2) - 1"),
        (2 * (n // 2) * m, "2*m*(n//2)"),
        ((n // 2) // 2, "n//4"),
        (((n + 1) // 2 + 1) // 2, "(n + 3)//4"),
        ((4 * n + 6) // 8, "(n + 1)//2"),
    ],
)
def test_text(size: Size, text: str) -> None:
    assert str(size) == text


def test_names() -> None:
    assert is_name(n)
    assert is_name(3)
    assert not is_name(2 * n)
    assert not is_name(n * m)
    assert not is_name(n + 1)
    assert not is_name(n // 2)
    assert sizes_of(n * m - 1) == sizes_of((n + m) // 2) == {"n", "m"}
    assert sizes_of(7) == set()


def test_shapes_and_kinds() -> None:
    assert shape_text(()) == "()"
    assert shape_text((n,)) == "(n,)"
    assert shape_text((n, 784)) == "(n, 784)"
    assert str(Type((n - 1, 2), "int")) == "int[n - 1, 2]"
    assert product([]) == 1
    assert product([n, 2, m]) == 2 * m * n
    assert promote(["bool", "int"]) == "int"
    assert promote(["real", "bool"]) == "real"
