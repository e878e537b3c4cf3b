"""Teams: the threads behind shared work, and how many there may be.

In: how many threads are asked for.  Out: `Team`, whose memory generated code takes; `cores()`.
Always holds: the other threads sleep unless they are given work; a process that was forked works with the one thread
that it has; a team that ends ends its threads.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from graphc.codegen.artifact import Entry
from graphc.codegen.threads import LINE, LOCK, THREADS, WISH

SERVICE = '''"""What the threads of a team do whatever the program is."""


@entry
def attend(team, thread):
    serve(team, thread)


@entry
def send_home(team):
    dismiss(team)


@entry
def share(team, count, address, arrays):
    work, closure = job(team, slices, count, address, arrays)
    together(team, work, closure)
'''
_ENTRIES = {
    "attend": Entry("attend", ("int[1]", "int")),
    "send_home": Entry("send_home", ("int[1]",)),
    "share": Entry("share", ("int[1]", "int", "int", "int")),
}


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def service(name: str) -> Callable[..., None]:
    """A function that teams need."""
    from graphc.codegen.cache import native

    return native(SERVICE, _ENTRIES[name], "float64").call


class Team:
    """So many threads, the caller's own among them; `memory` is what generated code takes.

    `helpers`: threads that are there besides the caller's; with fewer than threads - 1 the work is the same.
    """

    def __init__(self, threads: int, helpers: int | None = None) -> None:
        self.threads, self._process = threads, os.getpid()
        self.memory = np.zeros(WISH + LINE * threads, np.int64)
        self.memory[THREADS] = threads
        self._locks = [_new_lock() for _ in range(threads)]
        self.memory[LOCK::LINE][:threads] = self._locks
        self._send_home = service("send_home")
        attend = service("attend")
        self._helpers: list[threading.Thread] = []
        with suppress(RuntimeError):  # the system has no more threads: those that are there do the work
            for k in range(1, threads if helpers is None else helpers + 1):
                helper = threading.Thread(target=attend, args=(self.memory, k), name=f"graphc {k}", daemon=True)
                helper.start()
                self._helpers.append(helper)

    def end(self) -> None:
        """End the other threads; they are gone when this returns."""
        if self._process != os.getpid():
            return
        self._send_home(self.memory)
        for helper in self._helpers:
            helper.join()
        for lock in self._locks:
            _free_lock(lock)

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: Any) -> None:
        self.end()


def _new_lock() -> int:
    """A lock of the interpreter's, taken."""
    allocate, take = ctypes.pythonapi.PyThread_allocate_lock, ctypes.pythonapi.PyThread_acquire_lock
    allocate.restype, take.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
    lock = allocate()
    if lock is None:
        raise MemoryError("the system has no more locks")
    take(lock, 0)
    return int(lock)


def _free_lock(lock: int) -> None:
    free = ctypes.pythonapi.PyThread_free_lock
    free.argtypes = [ctypes.c_void_p]
    free(lock)


# --- a team that waits for calls -------------------------------------------------------------------------------------

_idle: dict[int, list[Team]] = {}


@contextmanager
def lent_team(threads: int) -> Iterator[Team]:
    """A team that no other call uses meanwhile; its threads sleep until the next call."""
    idle = _idle.setdefault(threads, [])
    try:
        team = idle.pop()
    except IndexError:
        team = Team(threads)
    try:
        yield team
    finally:
        idle.append(team)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
