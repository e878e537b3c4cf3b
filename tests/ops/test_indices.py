"""New axes, diagonals by repeated labels, steps through symbolic sizes: as NumPy has them.

In: programs.  Out: nothing, or a failed assertion.
Always holds: compiled code is compared with NumPy's result, the text with what it reads back as, gradients with
differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checks import check_gradient, read

import graphc
from graphc.errors import ShapeError

RNG = np.random.default_rng(0)
X, Y, C = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 4)), RNG.normal(size=(4, 3, 3))
K = np.array([0, 2])
V = RNG.normal(size=12)
PARTS = ["::2", "1::3", "::-1", "::-2", "5::-2", "5:1:-2", "-2::-1", "2:-1:2", ":-1:3", "1:n:2", "n - 1:0:-1", "-1:0:-4",
         "::2][::2", "::2][::-1", "n//2:", ":n//2:2"]  # fmt: skip
LIKE_NUMPY: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
    ("x[n, 3]; x[:, none]", lambda x: x[:, None], {"x": X}),
    ("x[n, 3]; x[none]", lambda x: x[None], {"x": X}),
    ("x[n, 3]; x[:, none, 1:3]", lambda x: x[:, None, 1:3], {"x": X}),
    ("x[n, 3]; x[0, none]", lambda x: x[0, None], {"x": X}),
    ("x[n, 3]; x[none, ..., none, 0]", lambda x: x[None, ..., None, 0], {"x": X}),
    ("c[n, 3, 3]; c[1:, none, :, none, 0]", lambda c: c[1:, None, :, None, 0], {"c": C}),
    ("x[n, 3], k[m]: int; x[none, k, none, 1:]", lambda x, k: x[k][None, :, None, 1:], {"x": X, "k": K}),
    ('y[n, n]; einsum("ii->", y)', np.trace, {"y": Y}),
    ('y[n, n]; einsum("ii->i", y)', np.diag, {"y": Y}),
    ('c[3, 3, 3]; einsum("iii->", c)', lambda c: np.einsum("iii->", c), {"c": C[:3]}),
    ('c[n, 3, 3], x[n, 3]; einsum("aii,ai->a", c, x)', lambda c, x: np.einsum("aii,ai->a", c, x), {"c": C, "x": X}),
    ('y[n, n], w[n, n]; einsum("ii,jj->ij", y, w)', lambda y, w: np.outer(np.diag(y), np.diag(w)), {"y": Y, "w": -Y}),
    ("x[n, 3]; concat(x, x)[::2]", lambda x: np.concatenate([x, x])[::2], {"x": X}),
    ("x[n, 3]; reshape(x, (-1,))[1::3]", lambda x: x.reshape(-1)[1::3], {"x": X}),
    *(
        (f"v[n]; v[{part}]", lambda v, part=part: eval(f"v[{part}]", {"v": v, "n": len(v)}), {"v": V[:size]})
        for part in PARTS
        for size in (6, 7, 9, 12)
    ),
    *(
        (f"v[n]; reshape(v, {shape})", lambda v, shape=shape: v.reshape(eval(shape, {"n": 12})), {"v": V})
        for shape in ("(2, -1)", "(-1, 4)", "(n//3, 3)")
    ),
    ("v[n], w[n//2]; v[:n//2]*w + v[n//2 + 1:]", lambda v, w: v[:4] * w + v[5:], {"v": V[:9], "w": V[:4]}),
    (
        "x[n, m]; max(reshape(x, (n//2, 2, m//2, 2)), axis=(1, 3))",
        lambda x: x.reshape(2, 2, 2, 2).max(axis=(1, 3)),
        {"x": Y},
    ),
    ("v[n]; v // 2 + 7 // 2", lambda v: v // 2 + 3, {"v": 5 * V}),
    ("x[n, 3]; reshape(x, (-1,))[2:3*n - 1:3]", lambda x: x.reshape(-1)[2:11:3], {"x": X}),
]


@pytest.mark.parametrize(("text", "numpy", "values"), LIKE_NUMPY, ids=[t for t, _, _ in LIKE_NUMPY])
def test_like_numpy(text: str, numpy: Callable[..., Any], values: dict[str, Any]) -> None:
    declared, body = text.split("; ")
    program = f"input {declared}; output z; z = {body}"
    read(program)
    found, want = graphc.compile(program)(**values), numpy(*values.values())
    assert np.shape(found) == np.shape(want)
    np.testing.assert_allclose(found, want, rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "input x[n, 3]; sum((x[:, none]*x[none])^3)",
        'input y[n, n]; einsum("ii->", y @ y) + sum(einsum("ii->i", y)^3)',
        "input x[n]; sum(x[::2]^3) + sum(x[::-2]^2) + sum(x[1::3]) + sum(reshape(x, (2, -1))[0]^3)",
        "input x[n, 3]; sum(reshape(x, (-1,))[1::3]^3) + sum(concat(x, x)[::2]^2)",
    ],
)
def test_gradients(text: str) -> None:
    check_gradient(text)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("reshape(v, (2, -1))", r"n must be equal to 2\*\(n//2\), but the data say n = 5"),
        ("reshape(v, (n//2, 2))", r"n must be equal to 2\*\(n//2\)"),
        ("v[::2] + v[1::2]", r"\(n \+ 1\)//2 must be equal to n//2"),
        ("v[:7]", "7 must be at most n"),
    ],
)
def test_sizes_that_do_not_divide(body: str, words: str) -> None:
    f = graphc.compile(f"input v[n]; output z; z = {body}")
    with pytest.raises(ShapeError, match=words):
        f(v=V[:5])
    f(v=V[:8])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input x[n]; sum(x[:, none, :])", "2 indices for 1 dimension"),
    ],
)
def test_errors(text: str, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        read(text)
