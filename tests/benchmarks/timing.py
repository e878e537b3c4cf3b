"""Processes that take turns.

In: peers and what to ask them.  Out: answers and seconds.
Always holds: at most one process computes at a time, on the cores it is pinned to, with as many threads as cores;
the contenders are measured in turn, round after round, so that what disturbs one disturbs all; of the rounds the
shortest counts, as a disturbance only ever adds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .worker import serve

ROOT = Path(__file__).parents[2]
SPAWN = multiprocessing.get_context("spawn")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class PeerError(Exception):
    """A peer could not do what it was asked."""


class TooLongError(PeerError):
    """A peer took longer than it was given."""


def environment(cores: int) -> dict[str, str]:
    """So many threads for everybody, and everybody's modules as bytecode."""
    threads = {**dict.fromkeys(THREADS, str(cores)), "PYTHONDONTWRITEBYTECODE": ""}
    if cores == 1:
        threads["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return threads


def caches(folder: str, jax: bool = True) -> dict[str, str]:
    """Everybody's compiled code in one folder; JAX keeps nothing unless it is told to."""
    keep = {
        "GRAPHC_CACHE": folder,
        "NUMBA_CACHE_DIR": folder,
        "TORCHINDUCTOR_CACHE_DIR": folder,
        "PYTENSOR_FLAGS": f"base_compiledir={folder}",
    }
    if jax:
        keep["JAX_COMPILATION_CACHE_DIR"] = folder
        keep["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        keep["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    return keep


@contextmanager
def new_folder() -> Iterator[str]:
    """A folder for one cold start."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as folder:
        yield folder


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes started within."""
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for k, v in before.items():
            if v is None:
                del os.environ[k]
            else:
                os.environ[k] = v


class Worker:
    """A peer's process."""

    def __init__(self, peer: str, cores: set[int], folder: str | None = None) -> None:
        self.peer = peer
        self._end, other = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve, args=(other, cores), daemon=True)
        with variables({**environment(len(cores)), **(caches(folder, jax=False) if folder else {})}):
            self._process.start()
        other.close()

    def ask(self, name: str, *arguments: Any, seconds: float = 120) -> Any:
        """The result of a function of `worker.py`; PeerError if it fails, TooLongError if it takes so many seconds."""
        try:
            self._end.send((name, arguments))
            if not self._end.poll(seconds):
                self.close()
                raise TooLongError(f"more than {seconds:.0f} s")
            result, error = self._end.recv()
        except (EOFError, OSError):
            raise PeerError("its process died") from None
        if error:
            raise PeerError(error)
        return result

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return not self._end.closed and self._process.is_alive()

    def close(self) -> None:
        """End the process."""
        self._end.close()
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take_turns(workers: Sequence[Worker], label: str, rounds: int, seconds: float) -> dict[str, float]:
    """Shortest seconds of a call that each worker has prepared under this label."""
    for worker in workers:
        worker.ask("warm_up", label, seconds)
    return shortest([{w.peer: w.ask("measure", label) for w in workers} for _ in range(rounds)])


def shortest(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The least of each."""
    return {name: min(r[name] for r in rounds) for name in rounds[-1]}


def process_seconds(peer: str, task: str, cores: set[int], cache: Mapping[str, str]) -> tuple[float, Any]:
    """Seconds from the start of a process to its answer, and the answer; PeerError if there is none."""
    command = [sys.executable, "-m", f"{__package__}.start", peer, task, ",".join(map(str, cores))]
    environment_ = {**os.environ, **environment(len(cores)), **cache}
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
        _, errors = process.communicate()
    if not line:
        raise PeerError(errors[-2000:])
    return seconds, json.loads(line)
