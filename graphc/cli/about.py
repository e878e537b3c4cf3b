"""Tables about the installation, a program, an operation.

In: nothing, a program, a record.  Out: rows of two columns, printed.
Always holds: what is told of an operation is what its record says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphc.cli.arguments import program_graph

if TYPE_CHECKING:
    from sympy import Symbol

    from graphc.graph.types import Size


def print_table(rows: Sequence[tuple[str, str]]) -> None:
    """Two columns, aligned; cut to the terminal where there is one."""
    import shutil

    left = min(max((len(a) for a, _ in rows), default=0), 48)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for a, b in rows:
        line = f"{a:<{left}}  {b}".rstrip()
        print(line if len(line) <= width else line[: width - 1] + "…")


def sign_of(syntax: str | None) -> str | None:
    """The operator of "a + b" or "-a"."""
    return next((p for p in syntax.replace("a", " ").replace("b", " ").split()), None) if syntax else None


def print_operation(operation: Any) -> None:
    """All that a record tells a reader."""
    from graphc.explain.operations import derivative_text

    rows = [("written", operation.syntax or operation.usage())]
    rows += [("also", ", ".join(operation.others))] if operation.others else []
    rows += [("meaning", operation.doc), ("derivative", derivative_text(operation))]
    rows += [("domain", ", ".join(f"{a} to {b}" for a, b in operation.domain))] if operation.domain else []
    print_table(rows)


def about_installation() -> list[tuple[str, str]]:
    """Versions, without importing anything large."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from graphc import __version__
    from graphc.config import cache_folder

    rows = [("graphc", __version__), ("python", platform.python_version())]
    for package in ("sympy", "numpy", "scipy", "numba", "llvmlite"):
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    folder = cache_folder()
    count, size = 0, 0
    for file in folder.rglob("*"):
        if file.is_file():
            count, size = count + 1, size + file.stat().st_size
    rows.append(("cache", f"{folder} ({count} files, {size / 1e6:.1f} MB)"))
    return [*rows, ("system", platform.platform()), ("processor", f"{processor()}, {os.cpu_count()} cores")]


def processor() -> str:
    """The processor's name, as far as it is told."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def about_program(program: str) -> list[tuple[str, str]]:
    """Inputs, parameters, sizes, equations, and seconds of each stage."""
    import math
    import time

    from graphc.codegen.placement import live_at_once, placed
    from graphc.compiler import Compilation, compile_function, compile_training
    from graphc.graph.types import size_value, sizes_of

    start = time.perf_counter()
    graph = program_graph(program)
    seconds = time.perf_counter() - start

    def declared(symbols: Sequence[Symbol]) -> str:
        return ", ".join(f"{s.name}: {graph.types[s]}" for s in symbols) or "none"

    known = [s for s in graph.params if not any(sizes_of(d) for d in graph.types[s].shape)]
    count = sum(math.prod(size_value(d, {}) for d in graph.types[s].shape) for s in known)
    rows = [("inputs", declared(graph.inputs)), ("parameters", declared(graph.params))]
    rows += [("", f"{count:,} numbers")] if graph.params else []
    rows += [("states", declared(graph.states))] if graph.states else []
    rows += [("sizes", ", ".join(graph.sizes))] if graph.sizes else []
    rows += [("outputs", declared(graph.outputs)), ("equations", str(len(graph.equations)))]
    rows.append(("read", f"{1e3 * seconds:.1f} ms"))
    work = Compilation(graph)
    working = next((e.arenas for e in reversed(compile_function(graph, "float64", work).entries) if e.arenas), ())
    for stage in work.history:
        rows.append((stage.name, f"{1e3 * stage.seconds:.1f} ms, {len(stage.graph.equations)} equations"))
    rows.append(("working memory", f"{bytes_text(working, 8)} for value and gradient in float64"))
    if graph.optimizer is not None:
        training = compile_training(graph, "float32", None, Compilation(graph))
        layout, pieces = training.layout, training.entry("train").pieces
        assert layout is not None
        batch = dict(graph.training).get("batch")
        if layout.batch is not None and batch is not None and not training.entry("train").sizes:
            size = {layout.batch: int(batch)}
            taken, live = bytes_text([*placed(pieces, size)[1].items()], 4), live_at_once(pieces, size, 4)
            rows.append(("", f"{taken} where {layout.batch} is {batch}; at most {live:,} are needed at once"))
    return rows


def bytes_text(lengths: Sequence[tuple[str, Size]], width: int) -> str:
    """Bytes of arrays of these lengths by kind, a polynomial where the sizes are not known."""
    from graphc.codegen.placement import bytes_each

    total: Size = 0
    for kind, length in lengths:
        total = total + length * bytes_each(kind, width)
    return f"{total:,} bytes" if isinstance(total, int) else f"{total} bytes"
