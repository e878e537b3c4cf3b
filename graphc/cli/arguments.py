"""What is given on the command line: programs, values, columns, data.

In: texts of arguments.  Out: programs' texts and graphs, values and arrays by name.
Always holds: a text is never executed; what cannot be read is a GraphcError that shows how it is written.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphc.errors import DataError, GraphcError, ParseError
from graphc.language.names import plain_name

if TYPE_CHECKING:
    from graphc.graph.graph import Graph


def program_text(program: str) -> str:
    """Text of a program: of the file, of standard input, or what was given itself."""
    if program == "-":
        return sys.stdin.read()
    if program.endswith(".gc"):
        from graphc.program_file import read_file

        return read_file(Path(program))
    if program[:2] == "--" and program[2:3].isalpha():
        raise ParseError(f"there is no option {program}", hint="see graphc --help; a program may begin with -(")
    return program


def program_graph(program: str) -> Graph:
    """The graph of a program."""
    from graphc.api import parse

    return parse(program_text(program))


def split_outside(text: str) -> list[str]:
    """Parts between the commas that stand outside of brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p for p in parts if p.strip()]


def point(texts: Sequence[str] | None, graph: Graph) -> dict[str, Any] | None:
    """Values by name from `x=0.5,y=[1, 2]`; a value is whatever the language computes without names."""
    if texts is None:
        return None
    kinds = {s.name: graph.types[s].kind for s in graph.leaves()}
    given = _by_name("--at", texts, "--at x=0.5,y=2")
    return {key: constant(f"--at {part}", value, kinds.get(key, "real")) for key, (part, value) in given.items()}


def ranges(texts: Sequence[str] | None) -> dict[str, tuple[float, float]]:
    """Bounds by name from `x=0.1:5,y=-1:1`; each is a number as the language computes it."""
    found = {}
    for key, (part, value) in _by_name("--range", texts or (), "--range x=0.1:5").items():
        low, sign, high = value.partition(":")
        if not (sign and low.strip() and high.strip()):
            raise DataError(f"--range {part} has no two bounds", hint="--range x=0.1:5")
        found[key] = (float(constant(f"--range {part}", low, "real")), float(constant(f"--range {part}", high, "real")))
    return found


def _by_name(option: str, texts: Sequence[str], hint: str) -> dict[str, tuple[str, str]]:
    """What an option gives each name: the whole part, for errors, and what stands behind the sign."""
    values: dict[str, tuple[str, str]] = {}
    for part in (p.strip() for text in texts for p in split_outside(text)):
        name, sign, value = part.partition("=")
        if not sign or not value.strip():
            raise DataError(f"{option} {part} is no value of a name", hint=hint)
        key = plain_name(name.strip())
        if key in values:
            raise DataError(f"{option} gives {key} twice")
        values[key] = (part, value)
    return values


def constant(part: str, text: str, kind: str) -> Any:
    """The value of a text without names; `part` is what was given, for errors."""
    import numpy as np

    from graphc.api import parse
    from graphc.cli.values import primitive
    from graphc.run.evaluate import evaluate

    try:
        graph = parse(text)
    except GraphcError as error:
        raise DataError(f"{part}: {error.message}", hint=error.hint) from None
    if graph.leaves():
        raise DataError(f"{part}: {graph.leaves()[0]} has no value", hint="a number is pi/2, 1e-3 or -2")
    value = evaluate(primitive(graph), {}, graph.outputs)[graph.outputs[0]]
    whole = kind != "real" and bool(np.all(value == np.floor(value)))
    return value.astype(np.int64 if kind == "int" else np.bool_) if whole else value.astype(np.float64)


def names(text: str | None) -> list[str] | None:
    """Names between commas."""
    return None if text is None else [n.strip() for n in text.split(",") if n.strip()]


def columns_given(text: str | None) -> dict[str, tuple[int | str, ...]] | None:
    """Columns by input from `x=0:64,k=64`."""
    if text is None:
        return None
    from graphc.training.data import parse_columns

    return parse_columns(text)


def data_of(
    program: str,
    stated: Any,
    inputs: Sequence[str],
    file: Path | None,
    columns: Mapping[str, Sequence[int | str]] | None,
) -> dict[str, Any]:
    """Arrays for inputs, from the file given, else from the one the program states."""
    from graphc.training.data import read

    if not inputs:
        return {}
    if file is None:
        if stated is None:
            raise DataError(
                "the program does not say where its data are",
                hint='--data FILE, or in the program: data "digits.csv" x=0:64, k=64',
            )
        folder = Path(program).parent if program.endswith(".gc") else Path()
        file = folder / stated[0]
    chosen = columns if columns is not None else dict(stated[1]) if stated is not None else {}
    if chosen and (missing := [n for n in inputs if n not in chosen]):
        raise DataError(
            f"there are no columns for {', '.join(missing)}", hint=f"--columns {missing[0]}=0, or in the data statement"
        )
    return read(file, {name: parts for name, parts in chosen.items() if name in inputs})
