"""What is measured, one function a group.

In: what to run.  Out: tables.
Always holds: a peer whose answer differs from the reference is reported and not timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from . import peers
from .cases import DIGITS_NET, ELEMENTWISE, NETS, SCALAR_POINT, Formula, Net, deep_net, scalar_lines
from .peers import numpy_peer
from .timing import PeerError, TooLongError, Worker, caches, new_folder, process_seconds, shortest, take_turns
from .worker import every, flat, learned

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}
TRAINING_TOLERANCE = 5e-3  # float32, some hundred steps; scikit-learn's Adam has its eps elsewhere
CHECKED_EPOCHS = 2
LOOP = 10_000  # points of the user's loop
BARE, BARE_FROM = "products", 784  # the time of the bare matrix products, and the inputs from which it is given
COMPILE_LIMIT = 400  # seconds
SLOW_START = 4  # seconds from which a start is timed once


@dataclass(frozen=True)
class Settings:
    """What to run, and how long."""

    peers: Sequence[str]
    cores: set[int]
    rounds: int
    seconds: float
    counts: Sequence[int]
    dtypes: Sequence[str]
    starts: int
    scalar_sizes: Sequence[int]
    depths: Sequence[int]
    only: str


@dataclass
class Table:
    """Seconds, or bytes, of each case and peer, shown in units of `scale`; the ratio is `against` / graphc."""

    title: str
    unit: str
    scale: float
    against: str | None = "best peer"
    rows: list[tuple[str, dict[str, float]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ratio(self, times: Mapping[str, float]) -> float | None:
        """`against` / graphc, where both are there."""
        if self.against is None:
            return None
        names = [n for n in times if n != "graphc"] if self.against == "best peer" else [self.against]
        others = [times[n] for n in names if n in times and n != BARE]
        return min(others) / times["graphc"] if others and "graphc" in times else None


# --- the groups ------------------------------------------------------------------------------------------------------


def elementwise(settings: Settings) -> list[Table]:
    """Value and gradient over arrays."""
    table = Table("Value and gradient over arrays", "us", 1e-6)
    for k, formula in enumerate(ELEMENTWISE):
        cases = {
            f"{formula.name}, {dtype}, {count:,}": ((k, dtype, count), _checker(formula, dtype, count))
            for dtype in settings.dtypes
            for count in settings.counts
        }
        with contest(settings, "elementwise", cases) as ready:
            for label, workers in ready.items():
                table.rows.append((label, take_turns(workers, label, settings.rounds, settings.seconds)))
    return [table]


def _checker(formula: Formula, dtype: str, count: int) -> Callable[[Any], str | None]:
    """Compare with NumPy in float64 at the same points."""
    points = {n: a.astype("float64") for n, a in formula.points(count, dtype).items()}
    reference = every(numpy_peer.elementwise(formula, points)())
    return lambda answer: differs(answer, reference, TOLERANCE[dtype])


def point(settings: Settings) -> list[Table]:
    """One point: the public call, and the bare jitted function in a user's own jitted loop."""
    calls = Table("One point, the public call", "us", 1e-6, "numba")
    loops = Table("The jitted function in a user's jitted loop, a point", "ns", 1e-9, "numba")
    for k, formula in enumerate(ELEMENTWISE):
        if len(formula.ranges) not in (1, 5):
            continue
        numbers = {n: (lo + 3 * hi) / 4 for n, (lo, hi) in formula.ranges.items()}
        reference = [
            a[0] for a in flat(numpy_peer.elementwise(formula, {n: np.array([v]) for n, v in numbers.items()})())
        ]
        cases = {formula.name: ((k, tuple(numbers.values())), lambda a, r=reference: differs(a, r, 1e-11))}
        with contest(settings, "point", cases) as ready:
            for label, workers in ready.items():
                calls.rows.append((label, take_turns(workers, label, settings.rounds, settings.seconds)))
        total = sum(a.sum() for a in flat(numpy_peer.elementwise(formula, formula.points(LOOP, "float64"))()))
        cases = {formula.name: ((k, LOOP), lambda a, r=total: differs([a], [r], 1e-9))}
        with contest(settings, "loop", cases) as ready:
            for label, workers in ready.items():
                times = take_turns(workers, label, settings.rounds, settings.seconds)
                loops.rows.append((label, {peer: seconds / LOOP for peer, seconds in times.items()}))
    return [calls, loops]


def training(settings: Settings) -> list[Table]:
    """A step of training: the difference of a long and a short run, so that what a run costs once is left out."""
    table = Table("Training, a step", "us", 1e-6)
    calls = Table("Training, what a call costs besides its steps", "ms", 1e-3, None)
    for net in NETS:
        cases = {net.name: ((net, CHECKED_EPOCHS), net_checker(net, CHECKED_EPOCHS))}
        with contest(settings, "training", cases) as ready:
            for label, workers in ready.items():
                say("  measuring")
                epochs = {w.peer: w.ask("prepare_epochs", net, 10 * settings.seconds) for w in workers}
                long, short = (
                    shortest(
                        [{w.peer: w.ask("measure", f"{name} run") for w in workers} for _ in range(settings.rounds)]
                    )
                    for name in ("long", "short")
                )
                slopes = {p: (long[p] - short[p]) / (many - few) for p, (few, many) in epochs.items()}
                times = {p: slope / net.steps for p, slope in slopes.items()}
                calls.rows.append((label, {p: max(short[p] - epochs[p][0] * slope, 0) for p, slope in slopes.items()}))
                if net.sizes[0] >= BARE_FROM and len(settings.cores) == 1:
                    times[BARE] = bare_products(net, settings)
                    if "graphc" in times:
                        table.notes.append(
                            f"{label}: graphc takes {times['graphc'] / times[BARE]:.2f} of the time of its products"
                        )
                table.rows.append((label, times))
    return [table, calls]


def net_checker(net: Net, epochs: int) -> Callable[[Any], str | None]:
    """Compare weights and losses with NumPy in float64."""
    reference = learned(numpy_peer.training(net, "float64")(net.order(epochs)))
    return lambda answer: differs(answer, reference, TRAINING_TOLERANCE)


def bare_products(net: Net, settings: Settings) -> float:
    """Seconds of the matrix products of a step."""
    with Worker("numpy", settings.cores) as worker:
        worker.ask("products", net)
        return take_turns([worker], BARE, settings.rounds, settings.seconds)["numpy"]


def start(settings: Settings) -> list[Table]:
    """From the start of a process to its first answer; cold, and with what an earlier process left."""
    table = Table("From process start", "s", 1, "jax")
    formula = ELEMENTWISE[0]
    one = flat(numpy_peer.elementwise(formula, {"x": np.array(0.5)})())
    tasks = {
        "gradient": (
            "first gradient at a point",
            "point",
            lambda a: differs([np.reshape(r, ()) for r in a], one, 1e-11),
        ),
        "arrays": ("first gradient at 1,000 points", "elementwise", _checker(formula, "float64", 1000)),
        "epoch": ("end of a first digits epoch", "training", net_checker(DIGITS_NET, 1)),
    }
    for task, (label, function, check) in tasks.items():
        names = [p for p in settings.peers if has(p, function)]
        cold, warm = _starts(task, names, check, settings)
        table.rows += [(f"{label}, cold", cold), (f"{label}, warm", warm)]
    return [table]


def _starts(
    task: str, names: list[str], check: Callable[[Any], str | None], settings: Settings
) -> tuple[dict[str, float], dict[str, float]]:
    """Shortest seconds, cold and warm.  JAX keeps compiled code only where it is told to, so cold it does not."""
    say(f"process start to {task}")
    cold: dict[str, float] = {}
    warm: dict[str, float] = {}
    with new_folder() as kept:
        for k in range(settings.starts + 1):
            for peer in list(names):
                try:
                    with new_folder() as fresh:
                        seconds, answer = process_seconds(peer, task, settings.cores, caches(fresh, jax=False))
                    cold[peer] = min(seconds, cold.get(peer, seconds))
                    if wrong := check(answer):
                        raise PeerError(f"wrong answer, {wrong}")
                    seconds, _ = process_seconds(peer, task, settings.cores, caches(kept))
                    if k > 0:  # the first one fills the folder
                        warm[peer] = min(seconds, warm.get(peer, seconds))
                        if cold[peer] > SLOW_START:
                            names.remove(peer)
                except PeerError as error:
                    say(f"  {peer} is left out: {error}")
                    names.remove(peer)
    return cold, warm


def compile_time(settings: Settings) -> list[Table]:
    """From a program's text, or what a peer has instead, to its first gradient; libraries imported, nothing kept."""
    tables = []
    for function, where in (("scalar", "at a point"), ("scalar_arrays", "over arrays")):
        table = Table(f"From text to first gradient {where}, a scalar program", "s", 1, "jax")
        names = [p for p in settings.peers if has(p, function)]
        for size in settings.scalar_sizes:
            reference = flat(numpy_peer.scalar_reference(scalar_lines(size), SCALAR_POINT))
            check = partial(differs, reference=reference, tolerance=1e-9)
            arguments = (function, size, SCALAR_POINT)
            times = _first(table, f"{size:,} operations", names, settings.cores, "first_scalar", arguments, check)
            names = [p for p in names if 10 * times.get(p, COMPILE_LIMIT) < COMPILE_LIMIT]  # the next size takes longer
        table.notes += _growth(settings.scalar_sizes, table.rows)
        tables.append(table)
    nets = Table("From text to the end of a first step, a net of equal layers", "s", 1, "jax")
    names = [p for p in settings.peers if has(p, "training")]
    for depth in settings.depths:
        net = deep_net(depth)
        _first(nets, net.name, names, settings.cores, "first_training", (net,), net_checker(net, 1))
    return [*tables, nets]


def _first(
    table: Table, label: str, names: Sequence[str], cores: set[int],
    function: str, arguments: tuple[Any, ...], check: Callable[[Any], str | None],
) -> dict[str, float]:  # fmt: skip
    """A row of seconds to a first answer, in a new process with an empty cache; twice, where that is quick."""
    say(label)
    times: dict[str, float] = {}
    for peer in names:
        try:
            while peer not in times or times[peer] < SLOW_START:
                with new_folder() as folder, Worker(peer, cores, folder) as worker:
                    seconds, answer = worker.ask(function, peer, *arguments, seconds=COMPILE_LIMIT)
                if wrong := check(answer):
                    raise PeerError(f"wrong answer, {wrong}")
                if peer in times:
                    times[peer] = min(seconds, times[peer])
                    break
                times[peer] = seconds
        except TooLongError as error:
            table.notes.append(f"{label}: {peer} took {error}")
        except PeerError as error:
            say(f"  {peer} is left out: {error}")
    table.rows.append((label, times))
    return times


def _growth(sizes: Sequence[int], rows: list[tuple[str, dict[str, float]]]) -> list[str]:
    """Exponents p of time ~ size^p between the two largest sizes."""
    if len(sizes) < 2:
        return []
    (_, before), (_, last) = rows[-2:]
    exponents = {p: log(last[p] / before[p]) / log(sizes[-1] / sizes[-2]) for p in last if p in before}
    listed = ", ".join(f"{p} {e:.2f}" for p, e in exponents.items())
    return [f"growth exponent from {sizes[-2]:,} to {sizes[-1]:,} operations: {listed}"]


def memory(settings: Settings) -> list[Table]:
    """Peak resident memory of a process that does one thing."""
    table = Table("Peak memory of a process", "MB", 1e6)
    big = NETS[-1]
    tasks: dict[str, tuple[str, tuple[Any, ...]]] = {
        "chain at a point": ("point", (0, (0.5,))),
        "chain over 1,000,000 points": ("elementwise", (0, "float64", 1_000_000)),
        f"training {DIGITS_NET.name}": ("training", (DIGITS_NET, 2)),
        f"training {big.name}": ("training", (big, 2)),
    }
    for label, (function, arguments) in tasks.items():
        say(label)
        peaks: dict[str, float] = {}
        for peer in [p for p in settings.peers if has(p, function)]:
            with Worker(peer, settings.cores) as worker:
                try:
                    worker.ask(function, label, peer, *arguments)
                    peaks[peer] = worker.ask("memory")
                except PeerError as error:
                    say(f"  {peer} is left out: {error}")
        table.rows.append((label, peaks))
    return [table]


GROUPS: dict[str, Callable[[Settings], list[Table]]] = {
    "elementwise": elementwise,
    "point": point,
    "training": training,
    "start": start,
    "compile": compile_time,
    "memory": memory,
}

# --- comparing and preparing -----------------------------------------------------------------------------------------


def differs(answer: Sequence[Any], reference: Sequence[Any], tolerance: float) -> str | None:
    """What is wrong with the arrays of an answer, relative to the largest value of each; None if nothing is."""
    if len(answer) != len(reference):
        return f"{len(answer)} results instead of {len(reference)}"
    for k, (found, expected) in enumerate(zip(answer, reference, strict=True), 1):
        if np.shape(found) != np.shape(expected):
            return f"result {k} has shape {np.shape(found)} instead of {np.shape(expected)}"
        error = np.max(np.abs(np.subtract(found, expected))) / max(np.max(np.abs(expected)), 1e-300)
        if not error <= tolerance:
            return f"result {k} is off by {error:.1e} of its largest value"
    return None


@contextmanager
def contest(
    settings: Settings, function: str, cases: Mapping[str, tuple[tuple[Any, ...], Callable[[Any], str | None]]]
) -> Iterator[dict[str, list[Worker]]]:
    """For each wanted case of the arguments and the check, the workers that are prepared and gave the right answer."""
    wanted = {label: case for label, case in cases.items() if settings.only.lower() in label.lower()}
    ready: dict[str, list[Worker]] = {label: [] for label in wanted}
    workers = [Worker(p, settings.cores) for p in settings.peers if has(p, function)] if wanted else []
    try:
        for label, (arguments, check) in wanted.items():
            say(label)
            for worker in workers:
                try:
                    answer = worker.ask(function, label, worker.peer, *arguments)
                    if answer is not None and (wrong := check(answer)):
                        raise PeerError(f"wrong answer, {wrong}")
                    if answer is not None:
                        ready[label].append(worker)
                except PeerError as error:
                    say(f"  {worker.peer} is left out: {error}")
        yield {label: [w for w in able if w.alive] for label, able in ready.items()}
    finally:
        for worker in workers:
            worker.close()


def has(peer: str, function: str) -> bool:
    """Whether a peer's file defines a function; the peer is not imported here."""
    file = Path(peers.__file__).with_name(f"{peer}_peer.py")
    return f"\ndef {function}(" in file.read_text("utf-8")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
