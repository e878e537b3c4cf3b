"""Tables as text.

In: tables of `groups.py`.  Out: Markdown, on the terminal and in docs/performance.md.
Always holds: a group that was not run keeps its section in the document, with the machine and versions it was measured on.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from math import exp, log
from pathlib import Path

from . import peers
from .groups import BARE, Table
from .timing import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
PACKAGES = {"sklearn": "scikit-learn"}
NATIVE = "gcc_native"

HEAD = """# Performance

Written by `python -m tests.benchmarks --write`; how it is measured stands at the end.  A time is the shortest of
several rounds.  A ratio above 1 says that graphc is faster.
"""

METHOD = """## How to run it

```text
pip install -e ".[bench]"                 # the peers; those that are missing are left out
python -m tests.benchmarks                # everything, an hour; a group's tables are printed as it ends
python -m tests.benchmarks --quick        # few sizes, short rounds, only peers that compile quickly
python -m tests.benchmarks training --only digits --peers graphc,jax
python -m tests.benchmarks elementwise --counts 1000 --dtypes float32
python -m tests.benchmarks elementwise training --cores 0,1      # two cores, two threads for everybody
python -m tests.benchmarks --write        # and into this document
```

The groups are `elementwise`, `point`, `training`, `start`, `compile` and `memory`.

- Everybody has the same numbers (`tests/benchmarks/cases.py`) and gives an answer first, which is compared with NumPy in
  float64; a wrong answer is reported and not timed.
- Each peer has a process of its own for each case, pinned to one core, with one thread.  It compiles, is warmed up until its
  time is stable, and then the peers take turns, so that a disturbance meets all of them.  On one core, calls and steps are
  timed in processor time, which other programs do not add to; on several, and from process start, in wall time.
- Over arrays, a call takes arrays of the peer's own kind and returns new ones.
- A training step is the difference of a long run and a short one, divided by the steps between: gather of the batch by a
  given order, loss, gradient, update.  What a call costs besides is a table of its own.  All of it is float32.
- `products` is the time of the step's matrix products alone on one core, by NumPy into arrays that are there.
- Start-up counts from the start of the process to the answer.  Cold, nothing is kept from earlier processes; warm, what each
  library can keep on disk, JAX with its persistent cache.
- Compile time counts from a program's text to the answer, libraries imported and ready, nothing kept from earlier processes.  At a point
  graphc answers its first calls without compiling; over arrays it compiles.
- Each peer is written as its experts would: `tests/benchmarks/peers/`.  JAX trains in one jitted `lax.scan`; PyTorch has
  `torch.compile` over arrays and fused optimizers in training; Numba and NumPy have derivatives by hand; `gcc` compiles
  derivatives by hand with `-O3 -ffast-math` (sine beside cosine kept apart, so that both are vectorised), in training a
  loop of constant sizes with SciPy's BLAS; `gcc_native` is the same with `-march=native`.
"""


def markdown(table: Table) -> str:
    """A table with its ratios."""
    names = [n for n in (*peers.NAMES, BARE) if any(n in times for _, times in table.rows)]
    ratios = [table.ratio(times) for _, times in table.rows]
    head = ["", *names]
    body = [
        [label, *(_number(times[n] / table.scale) if n in times else "" for n in names)] for label, times in table.rows
    ]
    if table.against:
        head.append(f"{table.against} / graphc")
        for row, r in zip(body, ratios, strict=True):
            row.append("" if r is None else f"{r:.2f}")
    widths = [max(len(row[k]) for row in (head, *body)) for k in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in (head, *body)
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 1) + (":" if k else "-") for k, w in enumerate(widths)) + "|")
    notes = [*table.notes, *_summary(f"{table.against} / graphc", ratios)]
    if table.against and NATIVE in names:
        others = [{n: t for n, t in times.items() if n != NATIVE} for _, times in table.rows]
        notes += _summary(f"{table.against} / graphc, without {NATIVE}", [table.ratio(times) for times in others])
    return "\n".join([f"### {table.title}, {table.unit}", "", *lines, "", *(f"- {n}" for n in notes)]).rstrip() + "\n"


def _summary(label: str, ratios: Sequence[float | None]) -> list[str]:
    known = [r for r in ratios if r is not None]
    if not known:
        return []
    return [f"{label}: worst {min(known):.2f}, geometric mean {exp(sum(map(log, known)) / len(known)):.2f}"]


def _number(value: float) -> str:
    """Three figures."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}"


def machine(names: Sequence[str], cores: int) -> str:
    """What it was measured on."""
    found = [f"{n} {_version(n)}" for n in (*names, "llvmlite")]
    threads = "one core, one thread" if cores == 1 else f"{cores} cores, {cores} threads"
    return f"*{_processor()}, {threads}; Python {platform.python_version()}, {', '.join(found)}.*"


def _version(name: str) -> str:
    if name.startswith("gcc"):
        return str(peers.load(name).version())
    try:
        return version(PACKAGES.get(name, name))
    except PackageNotFoundError:
        return str(import_module(name).__version__)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.*)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return f"{found[1]}, {platform.system()}"
    return f"{platform.processor() or platform.machine()}, {platform.system()}"


def section(name: str, tables: Sequence[Table], where: str) -> str:
    """A group's part of the document."""
    return "\n".join([f"## {name}", "", where, "", *(markdown(t) for t in tables if t.rows)])


def write(sections: Mapping[str, str]) -> None:
    """Put these sections into the document, by heading, and leave the others."""
    kept: dict[str, str] = {}
    if DOCUMENT.exists():
        parts = re.split(r"^(?=## )", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)[1:-1]
        kept = {p.splitlines()[0][3:]: p.rstrip() + "\n" for p in parts}
    kept |= sections
    DOCUMENT.write_text("\n".join([HEAD, *kept.values(), METHOD]), "utf-8")
