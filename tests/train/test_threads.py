"""Threads: the same numbers for the same count, whoever does the work; ends, interruptions, forks; nothing is timed."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.codegen import sections, team
from graphc.training import loop

MLP = """
input x[n,5], t[n,3]
h = tanh(dense(x, 6))
y = softmax(dense(h, 3))
metric accuracy = mean(argmax(y, axis=1) == argmax(t, axis=1))
minimize cross_entropy(y, t) with {0}
"""
PROGRAMS = {
    "sgd": MLP.format("sgd(lr=0.1)"),
    "adam": MLP.format("adam(lr=0.01)"),
    "momentum": MLP.format("momentum(lr=0.1)"),
    "mean over the batch in every row": """
input x[n,5], t[n,3]
param W[5,4] ~ glorot, V[4,3] ~ glorot, s[4] = 1
state r[4] = 0
a = x @ W
m = mean(a, axis=0)
h = tanh(s * (a - m) / sqrt(var(a, axis=0) + 0.01))
r' = 0.9 * r + 0.1 * m
minimize mean((h @ V - t)^2) + 0.01 * sum(r^2) with sgd(lr=0.1)
""",
    "rows by index": """
input k[n]: int, t[n,3]
param E[7,5] ~ glorot, W[5,3] ~ glorot
minimize mean((E[k] @ W - t)^2) with sgd(lr=0.5)
""",
    "products over the batch in every row": """
input x[n,5], t[n,3]
param W[5,3] ~ glorot
h = tanh(x @ W)
G = h.T @ h
minimize mean((h @ G / 5 - t)^2) with sgd(lr=0.1)
""",
    "every row with every row": """
input x[n,5], t[n,3]
param W[5,3] ~ glorot
h = tanh(x @ W)
minimize mean((softmax(h @ h.T) @ h - t)^2) with sgd(lr=0.1)
""",
    "the largest of the batch": """
input x[n,5], t[n,3]
param W[5,3] ~ glorot
h = x @ W
metric where_largest = mean(argmax(h, axis=0))
minimize mean((exp(h - max(h, axis=0)) - t)^2) + mean(softmax(h, axis=0)^2) with sgd(lr=0.1)
""",
    "neighbouring rows": """
input x[n,5], t[n,3]
param W[5,3] ~ glorot
h = tanh(x @ W)
minimize mean((h - t)^2) + sum((h[1:] - h[:-1])^2) / 50 + mean(concat(h, h[::-1], axis=1)^2) with sgd(lr=0.1)
""",
    "a whole array, a routine": """
input x[n,5], t[n,3], A[3,3]
param W[5,3] ~ glorot, b[3] = 0
S = A @ A.T + W.T @ W + eye(3)
minimize mean((x @ W @ inverse(S) + b - t)^2) with adam(lr=0.01)
""",
    "next values of each other": """
input x[n,5], t[n,3]
param W[5,3] ~ glorot, V[5,3] ~ glorot
J = mean((x @ W * (x @ V) - t)^2)
W' = V - 0.1 * grad(J, V)
V' = W - 0.1 * grad(J, W)
minimize J
""",
    "three axes": """
input x[n,2,5], t[n,3]
param W[5,4] ~ glorot, V[2,4,3] ~ glorot
h = tanh(x @ W)
minimize mean((einsum("abc,bcd->ad", h, V) - t)^2) with sgd(lr=0.1)
""",
}


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a program is, its work is divided."""
    monkeypatch.setattr(sections, "UNDIVIDED", 0)
    monkeypatch.setattr(loop, "GRAIN", 1e-15)


def _data(program: str, count: int = 23) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    data = {
        "t": rng.uniform(size=(count, 3)), "k": rng.integers(0, 7, count), "A": rng.normal(size=(3, 3)),
        "x": rng.normal(size=(count, 2, 5) if "x[n,2,5]" in program else (count, 5)),
    }  # fmt: skip
    return {name: a for name, a in data.items() if f"{name}[" in program.splitlines()[1]}


def _train(program: str, threads: int, **settings: Any) -> Any:
    """Trained as a graph: nothing comes from a cache that knows other limits."""
    given = {"batch_size": 7, "epochs": 3, "dtype": "float64", "validation": 0.2, **settings}
    return graphc.train(graphc.parse(program), _data(program), threads=threads, **given)


def _bits(run: Any) -> list[bytes]:
    return [np.asarray(a).tobytes() for a in (*run.params.values(), *run.states.values(), *run.history.values())]


@pytest.mark.usefixtures("divided")
@pytest.mark.parametrize("name", PROGRAMS)
def test_any_number_of_threads_learns_the_same_to_rounding(name: str) -> None:
    alone = _train(PROGRAMS[name], 1)
    for threads in (2, 3, 4):
        run = _train(PROGRAMS[name], threads)
        for kind in ("params", "states", "history"):
            found, expected = getattr(run, kind), getattr(alone, kind)
            for key, value in expected.items():
                np.testing.assert_allclose(found[key], value, rtol=1e-9, atol=1e-12, err_msg=f"{threads} {key}")


@pytest.fixture
def busy() -> Iterator[None]:
    """Other processes that leave no core idle."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.usefixtures("divided")
@pytest.mark.parametrize("name", ["adam", "mean over the batch in every row"])
def test_the_same_number_gives_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    runs = [_bits(_train(PROGRAMS[name], 3)) for _ in range(4)]
    request.getfixturevalue("busy")
    runs += [_bits(_train(PROGRAMS[name], 3)) for _ in range(2)]
    monkeypatch.setattr(loop, "Team", lambda threads: team.Team(threads, helpers=0))
    runs.append(_bits(_train(PROGRAMS[name], 3)))
    assert all(run == runs[0] for run in runs)


def _helpers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("graphc")]


@pytest.mark.usefixtures("divided")
def test_the_threads_end_with_the_training() -> None:
    before = set(_helpers())
    seen: list[int] = []

    def stop(epoch: int, history: Any) -> None:
        seen.append(len(set(_helpers()) - before))
        raise RuntimeError

    _train(PROGRAMS["sgd"], 3)
    with pytest.raises(RuntimeError):
        _train(PROGRAMS["sgd"], 3, callback=stop)
    with pytest.raises(graphc.TrainingError, match="epoch"):
        _train(PROGRAMS["three axes"].replace("lr=0.1", "lr=1e200"), 3)
    assert seen == [2]
    assert set(_helpers()) == before


@pytest.mark.usefixtures("divided")
def test_an_interruption_keeps_what_was_learned() -> None:
    before = set(_helpers())

    def interrupt(epoch: int, history: Any) -> None:
        if epoch == 2:
            gc.disable()  # an interruption that falls into what a test tool does at a collection is lost
            signal.raise_signal(signal.SIGINT)

    try:
        run = _train(PROGRAMS["sgd"], 2, epochs=50, callback=interrupt)
    finally:
        gc.enable()
    assert run.stopped == "interrupted"
    assert len(run.history["loss"]) == 2
    assert set(_helpers()) == before


def test_short_steps_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(threads: int) -> None:
        raise AssertionError("a team for a short step")

    monkeypatch.setattr(loop, "Team", refuse)
    _train(PROGRAMS["sgd"], 2)


POINTS = [
    "cos(sin(x^2) + 3x^2)",
    "input x, k: int, b: bool; where(b, x^k, exp(-x))",
    "input x; y = x > 0; output y",
    "x; 3",
]
LONG = "input x\nv0 = x\n" + "\n".join(f"v{k + 1} = sin(v{k}) + {k + 1} * v{k} / 500" for k in range(250))


@pytest.mark.parametrize("program", [*POINTS, LONG])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_points_have_the_same_bits_for_any_number_of_threads(
    program: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphc.run.function.WORTH_SHARING", 0)
    monkeypatch.setattr("graphc.run.function.WORTH_WAKING", 0)
    rng = np.random.default_rng(1)
    for count in (1, 4095, 20_000):
        points = {"x": rng.uniform(-2, 2, count), "k": rng.integers(0, 4, count), "b": rng.uniform(size=count) < 0.5}
        found = []
        for threads in (1, 2, 3):
            f = graphc.compile(program, dtype, threads=threads)
            given = {name: points[name] for name in f.inputs}
            values = [f(**given)]
            if f.artifact.gradients:
                values += [f.value_and_grad(**given)[0], *f.grad(**given).values()]
            found.append([np.asarray(v).tobytes() for v in values])
        assert found[0] == found[1] == found[2]


def _in_the_child(results: Any) -> None:
    f = graphc.compile(POINTS[0], threads=2)
    x = np.linspace(-1, 1, 100_000)
    results.put((float(f(x=x).sum()), _bits(_train(PROGRAMS["sgd"], 2))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.usefixtures("divided")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_works_as_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.run.function.WORTH_SHARING", 0)
    monkeypatch.setattr("graphc.run.function.WORTH_WAKING", 0)
    context = multiprocessing.get_context("fork")
    results: Any = context.SimpleQueue()
    _in_the_child(results)
    expected = results.get()
    child = context.Process(target=_in_the_child, args=(results,))
    child.start()
    assert results.get() == expected
    child.join()


def test_calls_from_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.run.function.WORTH_SHARING", 0)
    monkeypatch.setattr("graphc.run.function.WORTH_WAKING", 0)
    f = graphc.compile(POINTS[0], threads=2)
    x = np.linspace(-2, 2, 50_000)
    expected, found = f(x=x), []
    callers = [threading.Thread(target=lambda: found.extend(f(x=x) for _ in range(20))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 80
    assert all(np.array_equal(y, expected) for y in found)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two", float("nan")])
def test_nonsense_is_refused(threads: Any) -> None:
    with pytest.raises(graphc.DataError, match="threads is a whole number from 1 on"):
        graphc.compile("x^2", threads=threads)
    with pytest.raises(graphc.DataError, match="threads is a whole number from 1 on"):
        graphc.train(PROGRAMS["sgd"], _data(PROGRAMS["sgd"]), threads=threads)
