"""Memory of results: kept for the next call, never shared with an array that somebody holds."""

from __future__ import annotations

import numpy as np

import graphc
from graphc.codegen.artifact import LARGE
from graphc.run.results import LARGEST_KEPT, new_arrays

REAL = np.dtype("float64")
COUNT = LARGE // 16 + 1  # two results of so many points are large
TWO = [((COUNT,), REAL), ((COUNT,), REAL)]


def test_large_results_take_the_memory_of_dropped_ones() -> None:
    held = new_arrays(TWO)
    other = new_arrays(TWO)
    assert not any(np.shares_memory(a, b) for a in held for b in other)
    place = other[0].ctypes.data
    del other
    assert new_arrays(TWO)[0].ctypes.data == place
    one = held[1]  # one of its arrays is enough to keep a block
    del held
    assert not any(np.shares_memory(one, a) for _ in range(3) for a in new_arrays(TWO))


def test_shapes_and_types() -> None:
    for shape in [(), (3,), (0, 5), (5, 999), (2, COUNT // 2 + 1), (LARGEST_KEPT // 16 + 1,)]:
        for other in [((7, 501), np.dtype(bool)), ((), REAL), ((COUNT,), np.dtype(np.int64))]:
            wanted = [(shape, REAL), other, ((2, 3), np.dtype("float32"))]
            results = new_arrays(wanted)
            assert [(r.shape, r.dtype) for r in results] == wanted
            assert all(r.flags.c_contiguous and r.flags.aligned and r.flags.writeable for r in results)
            assert not any(np.shares_memory(a, b) for k, a in enumerate(results) for b in results[:k])


def test_results_that_are_held_stay_as_they_are() -> None:
    f = graphc.compile("x^2")
    points = np.linspace(-1, 1, COUNT)
    held = []
    for k in range(4):
        held.append(f.value_and_grad(points + k))
        f.value_and_grad(points)
    for k, (value, gradient) in enumerate(held):
        assert np.array_equal(value, (points + k) ** 2)
        assert np.array_equal(gradient["x"], 2 * (points + k))
