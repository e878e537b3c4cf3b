"""The harness compares answers as it says, and the cases are the same mathematics for everybody; nothing is timed."""

from __future__ import annotations

import numpy as np
import pytest

from . import peers
from .cases import ELEMENTWISE, SCALAR_POINT, Net, scalar_lines
from .groups import GROUPS, Settings, Table, differs, net_checker
from .peers import numpy_peer
from .report import markdown
from .worker import flat, learned

QUICK_PEERS = ("graphc", "jax", "casadi", "sympy", "numba", "gcc")  # the others take seconds to compile
TINY = (
    Net("softmax", (5, 4, 3), 4, 8, "softmax", "adam", 0.01),
    Net("sigmoid", (2, 4, 1), 4, 4, "sigmoid", data="xor"),
    Net("linear", (4, 5, 1), 4, 8, "linear"),
)


def peer(name):
    if name not in peers.installed():
        pytest.skip(f"{name} is not installed")
    return peers.load(name)


@pytest.mark.parametrize("name", QUICK_PEERS)
@pytest.mark.parametrize("formula", ELEMENTWISE, ids=lambda f: f.name)
def test_point(name, formula):
    module = peer(name)
    if not hasattr(module, "point"):
        pytest.skip(f"{name} has no calls at a point")
    numbers = tuple((lo + 2 * hi) / 3 for lo, hi in formula.ranges.values())
    reference = numpy_peer.elementwise(formula, dict(zip(formula.ranges, map(np.asarray, numbers), strict=True)))()
    assert differs(flat(module.point(formula, numbers)()), flat(reference), 1e-11) is None


@pytest.mark.parametrize("name", ["graphc", "casadi", "sympy", "gcc", "gcc_native"])
def test_elementwise(name):
    formula = ELEMENTWISE[0]
    points = formula.points(50, "float64")
    assert (
        differs(flat(peer(name).elementwise(formula, points)()), flat(numpy_peer.elementwise(formula, points)()), 1e-11)
        is None
    )


@pytest.mark.parametrize("net", TINY, ids=lambda n: n.name)
@pytest.mark.parametrize("name", ["graphc", "numpy", "gcc", "gcc_native", "sklearn"])
def test_training(name, net):
    assert net_checker(net, 3)(learned(peer(name).training(net)(net.order(3)))) is None


@pytest.mark.parametrize("name", ["graphc", "casadi"])
def test_scalar_program(name):
    lines = scalar_lines(100)
    answer = flat(peer(name).scalar(lines)(*SCALAR_POINT))
    assert differs(answer, flat(numpy_peer.scalar_reference(lines, SCALAR_POINT)), 1e-9) is None


def test_wrong_answers_are_found():
    right = [np.array(2.0), np.array([1.0, -4.0])]
    assert differs(right, right, 1e-12) is None
    assert differs([np.array(2.0), np.array([1.0, -4.001])], right, 1e-2) is None
    assert (
        differs([np.array(2.0), np.array([1.0, -4.001])], right, 1e-5)
        == "result 2 is off by 2.5e-04 of its largest value"
    )
    assert differs([np.array(np.nan), right[1]], right, 1e-2) is not None
    assert differs([right[0]], right, 1e-2) == "1 results instead of 2"
    assert differs([right[0], np.zeros(3)], right, 1e-2) == "result 2 has shape (3,) instead of (2,)"


def test_ratio_is_of_the_best_peer():
    table = Table(
        "Calls",
        "us",
        1e-6,
        rows=[("a", {"graphc": 1e-6, "jax": 4e-6, "numpy": 2e-6}), ("b", {"graphc": 1e-6, "jax": 8e-6})],
    )
    text = markdown(table)
    assert "| a | 1      | 4   | 2     | 2.00               |" in text
    assert "worst 2.00, geometric mean 4.00" in text


def test_the_compiler_for_this_processor_is_counted_apart():
    rows = [("a", {"graphc": 1e-6, "gcc": 4e-6, "gcc_native": 2e-6})]
    text = markdown(Table("Calls", "us", 1e-6, rows=rows))
    assert "best peer / graphc: worst 2.00, geometric mean 2.00" in text
    assert "best peer / graphc, without gcc_native: worst 4.00, geometric mean 4.00" in text


def test_groups_run_in_processes_of_their_own():
    settings = Settings(
        peers=["graphc", "numpy"], cores={0}, rounds=1, seconds=1e-4, counts=[10], dtypes=["float64"], starts=1,
        scalar_sizes=[], depths=[], only="chain",
    )  # fmt: skip
    (table,) = GROUPS["elementwise"](settings)
    ((label, times),) = table.rows
    assert label == "trigonometric chain, float64, 10"
    assert set(times) == {"graphc", "numpy"}
