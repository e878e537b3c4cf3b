"""Naive spellings at bad points: value, first and second derivative are the mathematical function's.

In: `golden/probes.txt`, whose numbers mpmath computed of the formula as it stands, in a thousand digits.
Out: nothing, or a failed assertion that names spelling, point and order.
Always holds: float64 agrees in ten digits, float32 is finite and near.
"""

from __future__ import annotations

from pathlib import Path

import mpmath
import numpy as np
import pytest

from graphc.compiler import gradient_graph
from graphc.graph.graph import Graph, prune
from graphc.language.expand import expand
from graphc.language.reader import parse
from graphc.rewrite import simplify, tidy
from graphc.run.evaluate import evaluate
from tests.exact import derivatives

FILE = Path(__file__).parent / "golden" / "probes.txt"
Point = tuple[dict[str, float], list[float]]


def read_probes(text: str) -> dict[str, list[Point]]:
    """Points with the numbers wanted, by program."""
    found: dict[str, list[Point]] = {}
    program = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            program = line
            found[program] = []
            continue
        point, _, wanted = line.partition("->")
        at = {name.strip(): float(v) for name, _, v in (part.partition("=") for part in point.split(","))}
        found[program].append((at, [float(v) for v in wanted.split()]))
    return found


def probes() -> dict[str, list[Point]]:
    return read_probes(FILE.read_text("utf-8").partition("---\n")[2])


def computed_again(text: str) -> str:
    lines = []
    for program, points in read_probes(text).items():
        lines.append(program)
        for at, _ in points:
            wanted = " ".join(map(_digits, derivatives(program, next(iter(at)), at)))
            place = ", ".join(f"{k}={v:g}" if float(f"{v:g}") == v else f"{k}={v}" for k, v in at.items())
            lines.append(f"    {place} -> {wanted}")
    return "\n".join(lines) + "\n"


def _digits(v: mpmath.mpf) -> str:
    return "0.0" if abs(v) < mpmath.mpf("1e-9999") else str(mpmath.nstr(v, 17))


def test_the_numbers_are_mpmaths(request: pytest.FixtureRequest) -> None:
    given, _, body = FILE.read_text("utf-8").partition("---\n")
    if request.config.getoption("--update"):
        FILE.write_text(f"{given}---\n{computed_again(body)}", "utf-8")
    programs = probes()
    assert len(programs) > 100
    for program in list(programs)[::20]:
        for at, wanted in programs[program][:1]:
            exact = derivatives(program, next(iter(at)), at)
            assert [float(v) for v in exact] == pytest.approx(wanted, rel=1e-15, abs=1e-300)


def primitive(graph: Graph) -> Graph:
    return prune(tidy(expand(simplify(graph))))


@pytest.mark.parametrize("program", probes())
def test_probe(program: str) -> None:
    graph = parse(program)
    for order in range(3):
        lowered = primitive(graph)
        for at, wanted in probes()[program]:
            _check(lowered, at, wanted[order], f"{program} at {at}, order {order}:\n{graph}")
        if order < 2:
            name = next(iter(probes()[program][0][0]))
            graph = gradient_graph(graph, name)


def _check(graph: Graph, at: dict[str, float], want: float, message: str) -> None:
    given = {s: np.asarray(at[s.name]) for s in graph.leaves()}
    (found,) = evaluate(graph, given, graph.outputs).values()
    gone = abs(want) < 1e-50  # the derivative of what is straight: terms cancel, in floating point up to a rounding
    assert found == pytest.approx(want, rel=1e-10, abs=1e-14 if gone else 1e-300), message
    if "1e8" not in message and all(v == 0 or 1e-30 < abs(v) < 1e30 for v in (*at.values(), want)):
        (single,) = evaluate(graph, given, graph.outputs, dtype=np.float32).values()
        assert single == pytest.approx(want, rel=2e-3, abs=1e-3), f"float32, {message}"
