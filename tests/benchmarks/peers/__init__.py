"""One file a peer, each the program an expert in that library would write.

In: cases.  Out: of every function a callable, ready to be timed.  A peer leaves out the functions it is no good for.

    elementwise(formula, points)  points: arrays by name; call() -> (value, [derivatives]), fresh arrays of the points' dtype
    point(formula, numbers)       call() -> (value, derivatives), float64, as its users get them
    loop(formula)                 call(points) -> sum of value and derivatives: the bare compiled function in a compiled loop
    training(net)                 call(order) -> (layers [(W, b)], losses): from net.initial(), losses the mean of each epoch
    scalar(lines)                 call(*numbers) -> (value, [derivatives]) of a long scalar program
    scalar_arrays(lines)          the same, call(*arrays)

Always holds: compilation, conversion of data to the peer's own arrays and first calls happen outside what is timed; a
call returns only when its results are there.  Everything outside these files is the same for all peers.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from types import ModuleType

NAMES = ("graphc", "jax", "torch", "pytensor", "sklearn", "casadi", "sympy", "numba", "numpy", "gcc", "gcc_native")


def load(name: str) -> ModuleType:
    """The file of a peer; ImportError if the peer is not installed."""
    return importlib.import_module(f".{name}_peer", __name__)


def installed() -> list[str]:
    """Peers that can be run here."""
    compiler = shutil.which("gcc") and importlib.util.find_spec("sympy")
    return [n for n in NAMES if (compiler if n.startswith("gcc") else importlib.util.find_spec(n))]
