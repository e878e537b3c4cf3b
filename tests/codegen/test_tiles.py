"""Products by tiles of registers give what NumPy gives, and touch nothing but their result.

In: layouts, sizes around those of tiles and blocks, factors.  Out: nothing, or a failed assertion.
Always holds: the functions are compiled from the text of a module, as a program's are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.api import training_artifact
from graphc.codegen.artifact import Entry
from graphc.codegen.cache import native
from graphc.codegen.plain import gemm as plain_gemm
from graphc.codegen.tiles import BLOCK

MODULE = '''"""A product."""
from __future__ import annotations

import numpy as np
from graphc.codegen.support import entry, view

real = np.{dtype}
zero = real(0)
missing = real(np.nan)


@entry
def product(m, k, a, b, c, places):
    gemm({ta}, {tb}, {m}, {n}, {k}, real({alpha}), a, 0, {lda}, b, 0, real({beta}), c, {guard}{listed})
'''
GUARD = 40  # elements around a result that nobody may write
SIZES = [
    (8, 32, 64), (1, 1, 1), (13, 37, 70), (64, 128, BLOCK), (7, 10, BLOCK + 1), (30, 100, 2 * BLOCK + 6), (9, 512, 20),
    (3, 16, 0), (0, 16, 3), (12, 5, 33), (16, 65, 17),
]  # fmt: skip


def _computed(
    ta: bool, tb: bool, m: int, n: int, k: int, alpha: float, beta: float, dtype: str, places: Any, known: str = ""
) -> tuple[Any, Any, Any]:
    """Compiled code's result, the plain function's, and the guards around the first."""
    numbers = np.random.default_rng(m + 7 * n + 31 * k)
    rows, columns = (k, m) if ta else (m, k)
    a = numbers.normal(size=(rows if places is None else 50 + rows, columns)).astype(dtype)
    b = numbers.normal(size=(n, k) if tb else (k, n)).astype(dtype)
    onto = numbers.normal(size=m * n).astype(dtype) if beta else np.full(m * n, np.nan, dtype)
    memory = np.concatenate([np.full(GUARD, 7, dtype), onto, np.full(GUARD, 7, dtype)])
    listed = np.zeros(1, np.int64) if places is None else places(rows).astype(np.int64)
    lda = max(columns, 1)
    source = MODULE.format(
        dtype=dtype, ta=ta, tb=tb, m=m if "m" in known else "m", n=n, k=k if "k" in known else "k",
        alpha=alpha, beta=beta, lda=lda, guard=GUARD, listed="" if places is None else ", view(places, 0)",
    )  # fmt: skip
    if tb:
        source = source.replace(f"{n}, k,", f"{n}, {k},")  # rows of b have a known length
    arrays = ("real[1]",) * 3
    run = native(source, Entry("product", ("int", "int", *arrays, "int[1]")), dtype).call
    run(m, k, a.reshape(-1), b.reshape(-1), memory, listed)
    wide = [x.reshape(-1).astype(np.float64) for x in (a, b, onto if beta else np.zeros(m * n))]
    plain_gemm(
        ta, tb, m, n, k, float(np.dtype(dtype).type(alpha)), wide[0], 0, lda, wide[1], 0,
        float(np.dtype(dtype).type(beta)), wide[2], 0, None if places is None else listed,
    )  # fmt: skip
    guards = np.concatenate([memory[:GUARD], memory[GUARD + m * n :]])
    return memory[GUARD : GUARD + m * n], wide[2], guards


def _last_first(count: int) -> Any:
    return np.arange(count)[::-1] + 50 * (np.arange(count) % 2 == 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("ta", "tb"), [(False, False), (True, False), (False, True), (True, True)])
def test_products_are_right_and_write_nothing_else(ta: bool, tb: bool, dtype: str) -> None:
    for k, (m, n, terms) in enumerate(SIZES):
        alpha, beta = [(1.0, 0.0), (-0.5, 1.0), (1.0, 0.9), (0.25, 0.0)][k % 4]
        for known in ("mk", ""):
            found, wanted, guards = _computed(ta, tb, m, n, terms, alpha, beta, dtype, None, known)
            tolerance = {"float32": 3e-6, "float64": 3e-15}[dtype] * (terms + 10)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance, err_msg=f"{m} {n} {terms} {known}")
            assert (guards == 7).all()


@pytest.mark.parametrize("ta", [False, True])
def test_rows_that_a_list_names_are_read_where_they_are(ta: bool) -> None:
    for m, n, k in ((13, 37, 70), (64, 100, BLOCK + 3), (8, 16, 8), (1, 100, 30)):
        found, wanted, _ = _computed(ta, False, m, n, k, 1.0, 0.0, "float64", _last_first)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_an_element_does_not_depend_on_how_many_rows_there_are() -> None:
    source = MODULE.format(
        dtype="float32", ta=False, tb=False, m="m", n=20, k=700, alpha=1.0, beta=0.0, lda=700, guard=0, listed=""
    )
    run = native(source, Entry("product", ("int", "int", *("real[1]",) * 3, "int[1]")), "float32").call
    numbers = np.random.default_rng(0)
    a, b = numbers.normal(size=(29, 700)).astype("f4"), numbers.normal(size=700 * 20).astype("f4")
    whole, part, none = np.empty((29, 20), "f4"), np.empty((29, 20), "f4"), np.zeros(1, np.int64)
    run(29, 700, a.reshape(-1), b, whole.reshape(-1), none)
    for first, last in ((0, 3), (3, 16), (16, 29)):
        rows = np.ascontiguousarray(a[first:last])
        run(last - first, 700, rows.reshape(-1), b, part[first:last].reshape(-1), none)
    assert (whole == part).all()


def _source(text: str) -> str:
    return training_artifact(text, None, "float32").source


def test_a_step_gathers_no_examples_that_only_products_read() -> None:
    net = "input x[n, 64], t[n, 10]; J = mean((dense(tanh(dense({x}, 32)), 10) - t)^2); minimize J with sgd(lr=0.1)"
    source = _source(net.format(x="x"))
    assert source.count("view(listed, 0)") == 2  # with the weights, and in their gradient
    assert "f_x" not in source
    assert "f_t[place + j]" in source
    assert "f_x[place + j]" in _source(net.format(x="2*x^2"))
    wide = "input x[n, 64], t[n, 600]; J = mean((dense(x, 600) - t)^2); minimize J with sgd(lr=0.1)"
    assert "f_x[place + j]" in _source(wide)  # each of many panels would look for the rows again
