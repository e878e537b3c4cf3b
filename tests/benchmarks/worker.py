"""The process of one (peer, case): pinned, it compiles, answers, warms up and times itself.

In: messages (name of a function here, arguments) over a pipe.  Out: its result, or the text of what went wrong.
Always holds: a process serves one peer and one case; it runs only while it is asked something.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from . import peers
from .cases import ELEMENTWISE, Net, scalar_lines

STABLE, WARM_SECONDS = 0.05, 1.0
_CALLS: dict[str, Callable[[], Any]] = {}
_REPEATS: dict[str, int] = {}
_TRAIN: Callable[[Any], Any]
_clock = time.perf_counter


def serve(connection: Connection, cores: set[int]) -> None:
    """Answer until the other end closes.

    On one core the clock is that of the processor time: what other programs take of the core is not in it.
    """
    global _clock
    if len(cores) == 1:
        _clock = time.process_time
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            name, arguments = connection.recv()
            try:
                connection.send((globals()[name](*arguments), None))
            except Exception:
                connection.send((None, traceback.format_exc(limit=-3)))


def flat(result: Any) -> list[Any]:
    """All arrays of a result, as NumPy's, in one list."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, (tuple, list)):
        return [a for r in result for a in flat(r)]
    return [np.asarray(result)]


def every(result: Any) -> list[Any]:
    """About a thousand values of each array over points."""
    return [a[:: max(1, a.size // 1000)] for a in flat(result)]


def learned(result: Any) -> list[Any]:
    """All weights of a training, and the losses as one array."""
    layers, losses = result
    return [*flat(layers), np.asarray(losses, float)]


def elementwise(label: str, peer: str, formula: int, dtype: str, count: int) -> Any:
    """Prepare a call over points; its answer, None where the peer has nothing for this case."""
    points = ELEMENTWISE[formula].points(count, dtype)
    call = peers.load(peer).elementwise(ELEMENTWISE[formula], points)
    if call is None:
        return None
    _CALLS[label] = call
    return every(call())


def point(label: str, peer: str, formula: int, numbers: tuple[float, ...]) -> Any:
    """Prepare calls at one point; their answer."""
    call = _CALLS[label] = peers.load(peer).point(ELEMENTWISE[formula], numbers)
    return [a.reshape(()) for a in flat(call())]


def loop(label: str, peer: str, formula: int, count: int) -> Any:
    """Prepare a jitted loop over points; its sum."""
    function = peers.load(peer).loop(ELEMENTWISE[formula])
    arrays = ELEMENTWISE[formula].points(count, "float64").values()
    _CALLS[label] = lambda: function(*arrays)
    return float(function(*arrays))


def training(label: str, peer: str, net: Net, epochs: int) -> Any:
    """Prepare training; the answer of so many epochs."""
    global _TRAIN
    _TRAIN = peers.load(peer).training(net)
    return learned(_TRAIN(net.order(epochs)))


def prepare_epochs(net: Net, seconds: float) -> tuple[int, int]:
    """Prepare a short and a long run, the long one of about so many seconds; their numbers of epochs."""
    many, spent = 1, 0.0
    while spent < seconds / 2:
        many = min(3 * many if spent == 0 else int(many * seconds / spent) + 1, 30 * many)
        order = net.order(many)
        _TRAIN(order)
        spent = _seconds(lambda order=order: _TRAIN(order), 1)
    few = max(1, many // 4)
    for label, epochs in (("short run", few), ("long run", many)):
        order = net.order(epochs)
        _CALLS[label], _REPEATS[label] = lambda order=order: _TRAIN(order), 1
        measure(label)
    return few, many


def products(net: Net) -> None:
    """Prepare the bare matrix products of a step, named "products"."""
    from .peers.numpy_peer import products

    _CALLS["products"] = products(net)


def warm_up(name: str, seconds: float) -> int:
    """Call until the time is stable; how many calls then fill so many seconds."""
    call, repeats, start = _CALLS[name], 1, time.perf_counter()
    last = [_seconds(call, 1)]
    while time.perf_counter() - start < WARM_SECONDS:
        repeats = max(1, int(seconds / max(min(last), 1e-7)))
        last = [*last[-2:], _seconds(call, repeats)]
        if len(last) == 3 and max(last) < (1 + STABLE) * min(last):
            break
    _REPEATS[name] = repeats
    return repeats


def measure(name: str) -> float:
    """Seconds of one call, the mean over a run of calls."""
    return _seconds(_CALLS[name], _REPEATS[name])


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = _clock()
    for _ in range(repeats):
        call()
    return (_clock() - start) / repeats


def _ready(peer: str) -> Any:
    """A peer's module after what the peer imports or starts only where it is used."""
    module = peers.load(peer)
    if hasattr(module, "ready"):
        module.ready()
    return module


def first_scalar(peer: str, function: str, operations: int, numbers: tuple[float, ...]) -> tuple[float, Any]:
    """Seconds from a long scalar program to its first gradient, the library ready; and the answer at a point."""
    module, lines = _ready(peer), scalar_lines(operations)
    values = numbers if function == "scalar" else [np.full(1000, v) for v in numbers]
    start = time.perf_counter()
    answer = flat(getattr(module, function)(lines)(*values))
    return time.perf_counter() - start, [a.reshape(-1)[0] for a in answer]


def first_training(peer: str, net: Net) -> tuple[float, Any]:
    """Seconds from a net to the end of its first epoch, the library ready; and the answer."""
    module, order = _ready(peer), net.order(1)
    start = time.perf_counter()
    answer = learned(module.training(net)(order))
    return time.perf_counter() - start, answer


def memory() -> int:
    """Peak resident bytes of this process."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts the parent's pages of before the exec as well
        return next(int(s.split()[1]) for s in status.read_text().splitlines() if s.startswith("VmHWM")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
