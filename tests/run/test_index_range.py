"""Indices that pick no element: refused when the program is compiled, or in the call that gives them."""

from __future__ import annotations

from typing import Any

import pytest

import graphc

X = [1.0, 2.0, 3.0, 4.0, 5.0]
OUTSIDE = [
    ("input x[n], k[m]: int; y = x[k]; output y", [0, 7], r"k\[1\] is 7, outside of -5 to 4: there are 5"),
    ("input x[5], k[m]: int; y = sum(x[k]^2); minimize y", [0, -6], r"k\[1\] is -6"),
    ("input x[n], k: int; y = x[k]; output y", 9, "k is 9"),
    ("input x[n], k[m, 2]: int; y = x[k[:, 0]]; output y", [[0, 7], [9, 3]], r"k\[1, 0\] is 9"),
    ("input x[n], k[m, 2]: int; y = x[k.T]; output y", [[0, 1], [9, 3]], r"k\[1, 0\] is 9"),
    ("input x[n], k[m, 2]: int; y = x[k.T[1]]; output y", [[0, 7], [9, 3]], r"k\[0, 1\] is 7"),
    (
        "input x[n], k[m]: int; y = x[k + 1]; output y",
        [0, 4],
        r"k\[1\] is 4, the index 5, outside of -5 to 4: there are 5",
    ),
    ("input x[n], k[m]: int; y = x[2 + k - 3]; output y", [0, -5], r"k\[1\] is -5, the index -6"),
    ("input x[n], k[m]: int; y = x[n - 1 - k]; output y", [0, -1], r"k\[1\] is -1, the index 5"),
    ("input x[n], k[m]: int; y = x[-(k[1:] + 1)]; output y", [9, 0, 5], r"k\[2\] is 5, the index -6"),
    ("input x[n], k: int; y = one_hot(k - 1, 5); output y", 0, "k is 0, the index -1, outside of 0 to 4"),
]


@pytest.mark.parametrize(("program", "k", "message"), OUTSIDE, ids=[p for p, _, _ in OUTSIDE])
def test_an_index_given_is_refused_where_there_is_no_such_element(program: str, k: Any, message: str) -> None:
    f = graphc.compile(program)
    with pytest.raises(graphc.OutsideError, match=message) as error:
        f(**{name: {"x": X, "k": k}[name] for name in f.inputs})
    assert isinstance(error.value, IndexError)
    assert error.value.line == 1
    if "minimize" in program:
        with pytest.raises(IndexError):
            f.value_and_grad(x=X, k=k)
        with pytest.raises(IndexError):
            f.hessian(x=X, k=k)


@pytest.mark.parametrize("k", [9, [0, 1, 9]])
def test_tables_of_numbers(k: Any) -> None:
    table = graphc.compile("input k: int; table = [1, 2, 3]; y = table[k]; output y")
    assert table(k=[2, -3]).tolist() == [3, 1]
    with pytest.raises(graphc.OutsideError, match="is 9, outside of -3 to 2"):
        table(k=k)


def test_what_is_not_needed_may_be_anything() -> None:
    f = graphc.compile("input x[n], k[m]: int; y = where(k >= 0, x[k], 0); output y")
    assert f(x=X, k=[1, -9]).tolist() == [2, 0]
    part = graphc.compile("input x[n], k[m, 2]: int; y = x[k.T[1]]; output y")
    assert part(x=X, k=[[9, 0], [7, 1]]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("index", "found"), [("gather(x, [0, 7])", "index 7"), ("x[[0, -6]]", "index -6"), ("x[k]", "index 5")]
)
def test_constant_indices_are_refused_when_compiled(index: str, found: str) -> None:
    with pytest.raises(graphc.ShapeError, match=rf"{found} is outside of -5 to 4; operands: x \(5,\)") as error:
        graphc.compile(f"input x[5]; k = [1, 5]; y = {index}; output y")
    assert error.value.line == 1


def test_constant_indices_of_an_array_of_any_size() -> None:
    f = graphc.compile("input x[n]; y = gather(x, [-3, 2]); output y")
    assert f(x=X).tolist() == [3, 3]
    for x in (X[:2], X[:1]):
        with pytest.raises(graphc.ShapeError, match="the data say n ="):
            f(x=x)


def test_indices_that_are_moved_back_are_good() -> None:
    f = graphc.compile("input x[n], k[m]: int; y = x[n - k]; output y")
    assert f(x=X, k=[1, 5]).tolist() == [5, 1]
    assert graphc.compile("input x[n], k[m]: int; y = x[k - 1]; output y")(x=X, k=[5, 0]).tolist() == [5, 5]
