"""The command line: `graphc derive | grad | eval | check | code | train | predict | ops | info`.

In: a program as text or as the path of a `.gc` file, and options.  Out: text on standard output.
Always holds: each command imports only what it needs; an error that the user can mend is printed without a traceback,
on standard error, and the exit code is 2; a check that fails gives 1, Ctrl-C 130.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from graphc.errors import DataError, GraphcError, ParseError

if TYPE_CHECKING:
    from sympy import Symbol

    from graphc.graph.graph import Graph

Command = TypeVar("Command", bound=Callable[..., None])
FORMATS = ("text", "markdown", "latex", "html")
LINES = 50  # of progress, where it is not drawn on a terminal

app = typer.Typer(
    name="graphc",
    help="Expressions and networks to derivations, gradient functions and training runs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
ProgramText = Annotated[str, typer.Argument(metavar="PROGRAM", help="A program: text, a .gc file, or - to read it.")]
At = Annotated[list[str] | None, typer.Option("--at", help="Values of inputs: x=0.5,y=[1,2]", metavar="NAME=VALUE")]
Wrt = Annotated[str | None, typer.Option("--wrt", help="Names to differentiate for: x,y", metavar="NAMES")]
DataFile = Annotated[Path | None, typer.Option("--data", help="A .csv or .npz file instead of the program's.")]
ColumnText = Annotated[str | None, typer.Option("--columns", help="What inputs are made of: x=0:64,k=64")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="float64 or float32.")]


def main() -> None:
    """Entry point of the `graphc` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


def command(function: Command) -> Command:
    """Make a command of a function, with its errors reported."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except GraphcError as error:
            program = kwargs.get("program", "")
            inside = f"{program}, " if program.endswith(".gc") and error.line is not None else ""
            print(f"{inside}{error}", file=sys.stderr)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    # a program may begin with a minus sign
    app.command(function.__name__.rstrip("_"), context_settings={"ignore_unknown_options": True})(run)
    return function


# --- what is given ---------------------------------------------------------------------------------------------------


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
    values: dict[str, Any] = {}
    kinds = {s.name: graph.types[s].kind for s in graph.leaves()}
    for part in (p for text in texts for p in split_outside(text)):
        name, sign, value = part.partition("=")
        if not sign or not value.strip():
            raise DataError(f"--at {part.strip()} is no value of a name", hint="--at x=0.5,y=2")
        key = plain_name(name.strip())
        if key in values:
            raise DataError(f"--at gives {key} twice")
        values[key] = constant(part, value, kinds.get(key, "real"))
    return values


def plain_name(name: str) -> str:
    """A name as the language spells it: θ is theta."""
    from graphc.language.lexer import Source, tokenize

    tokens = tokenize(Source(name))
    return tokens[0].text if len(tokens) == 2 else name


def constant(part: str, text: str, kind: str) -> Any:
    """The value of a text without names."""
    import numpy as np

    from graphc.api import parse
    from graphc.run.evaluate import evaluate

    try:
        graph = parse(text)
    except GraphcError as error:
        raise DataError(f"--at {part.strip()}: {error.message}", hint=error.hint) from None
    if graph.leaves():
        raise DataError(f"--at {part.strip()}: {graph.leaves()[0]} has no value", hint="--at x=0.5,y=pi/2")
    value = evaluate(primitive(graph), {}, graph.outputs)[graph.outputs[0]]
    whole = kind != "real" and bool(np.all(value == np.floor(value)))
    return value.astype(np.int64 if kind == "int" else np.bool_) if whole else value.astype(np.float64)


def columns_given(text: str | None) -> dict[str, tuple[int | str, ...]] | None:
    """Columns by input from `x=0:64,k=64`."""
    if text is None:
        return None
    from graphc.training.data import parse_columns

    return parse_columns(text)


# --- values ----------------------------------------------------------------------------------------------------------


def primitive(graph: Graph) -> Graph:
    """The graph in its safe form, without gradients that are still to be taken."""
    from graphc.differentiate.reverse import expand_gradients
    from graphc.rewrite import stabilise

    return stabilise(expand_gradients(stabilise(graph)))


def values_at(graph: Graph, at: Mapping[str, Any], targets: Sequence[Symbol]) -> list[Any]:
    """Values of symbols at one point, by the slow evaluator; arrays broadcast in a program of numbers."""
    from graphc.compiler import is_pointwise
    from graphc.explain.numbers import arguments
    from graphc.run.evaluate import evaluate

    numbers = is_pointwise(graph)
    one = {name: v.flat[0] if numbers and v.size else v for name, v in at.items()}
    leaves, sizes = arguments(graph, one)
    if numbers:
        leaves.update({s: at[s.name] for s in leaves if s.name in at})
    try:
        found = evaluate(graph, leaves, tuple(targets), sizes)
    except (ValueError, IndexError) as error:
        if not (numbers or graph.sizes):
            raise
        raise DataError(f"the values do not fit each other: {error}") from None
    return [found[t] for t in targets]


def shown(value: Any) -> str:
    """A value as text: all digits of a number, an array as NumPy shows it."""
    import numpy as np

    array = np.asarray(value)
    if array.shape:
        return np.array2string(array, separator=", ")
    return str(array.item()).lower() if array.dtype == np.bool_ else repr(array.item())


def needed_part(graph: Graph) -> Graph:
    """The program without what its outputs do not need."""
    from graphc.graph.graph import focus

    return focus(graph, graph.outputs)


# --- commands --------------------------------------------------------------------------------------------------------


@command
def derive(
    program: ProgramText,
    at: At = None,
    wrt: Wrt = None,
    format_: Annotated[str, typer.Option("--format", help="text, markdown, latex or html.")] = "text",
) -> None:
    """Show the derivation of the gradient: forward, backward, simplified."""
    from graphc import api

    if format_ not in FORMATS:
        raise DataError(f"there is no format {format_}", hint=f"formats are {', '.join(FORMATS)}")
    graph = program_graph(program)
    found = api.derive(graph, names(wrt), point(at, graph))
    print(getattr(found, format_)())


def names(text: str | None) -> list[str] | None:
    """Names between commas."""
    return None if text is None else [plain_name(n.strip()) for n in text.split(",") if n.strip()]


@command
def grad(
    program: ProgramText,
    at: At = None,
    wrt: Wrt = None,
    steps: Annotated[bool, typer.Option("--steps", help="Show the steps of the simplification.")] = False,
) -> None:
    """Print the simplified gradient, as formulas or as a program; at a point its numbers too."""
    from graphc.differentiate.reverse import expand_gradients, the_value
    from graphc.explain.derivation import differentiated
    from graphc.explain.gradient import simplified_gradient
    from graphc.language.writer import inline_text

    graph = program_graph(program)
    given = point(at, graph)
    whole = expand_gradients(graph)
    value, variables = the_value(whole), differentiated(whole, names(wrt))
    found = simplified_gradient(whole, variables, value)
    if steps:
        print_steps(whole, value, variables)
    labels = [f"d{value.name}/d{s.name}" for s in variables]
    formulas = [inline_text(found.graph, s) for s in found.graph.outputs] if found.inlined else []
    numbers: list[str] = []
    if given is not None:
        numbers = [shown(v) for v in values_at(found.graph, only(found.graph, graph, given), found.graph.outputs)]
    if not found.inlined:
        print(found.graph)
        print("".join(f"\n{a} = {b}" for a, b in zip(labels, numbers, strict=False)), end="\n" * bool(numbers))
        return
    width = max(map(len, labels), default=0)
    for k, label in enumerate(labels):
        print(f"{label:<{width}} = {formulas[k]}" + (f" = {numbers[k]}" if numbers else ""))


def only(part: Graph, whole: Graph, at: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a part of a program needs; what the whole does not know is kept, to be complained of."""
    needed, known = {s.name for s in part.leaves()}, {s.name for s in whole.leaves()}
    return {name: v for name, v in at.items() if name in needed or name not in known}


def print_steps(graph: Graph, value: Symbol, variables: tuple[Symbol, ...]) -> None:
    """The gradient as reverse mode leaves it, and each rule that fired, with the equation before and after."""
    from collections import defaultdict

    from graphc.differentiate.reverse import gradient
    from graphc.graph.types import Type
    from graphc.language.writer import equation_expression
    from graphc.rewrite import simplify_steps

    raw = gradient(graph, variables, value)
    simple, fired = simplify_steps(raw)
    types = defaultdict(Type, {**raw.types, **simple.types})  # some symbols come and go on the way
    print(raw, end="\n\n")
    for step in fired:
        before, after = (equation_expression(e, types) for e in (step.before, step.after))
        print(f"{step.target.name}: {before}  ->  {after}    ({step.rule.name})")
    print()


@command
def eval_(program: ProgramText, at: At = None) -> None:
    """Print the value at one point."""
    graph = program_graph(program)
    part = needed_part(primitive(graph))
    found = values_at(part, only(part, graph, point(at, graph) or {}), part.outputs)
    if len(found) == 1:
        print(shown(found[0]))
        return
    for output, value in zip(part.outputs, found, strict=True):
        print(f"{output.name} = {shown(value)}")


@command
def check(
    program: ProgramText,
    at: At = None,
    samples: Annotated[int, typer.Option("--samples", help="Random points where none is given.", min=1)] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of the random points.", min=0)] = 0,
) -> None:
    """Compare the gradient with finite differences and with 50-digit arithmetic."""
    from graphc import api

    graph = program_graph(program)
    report = api.check(graph, point(at, graph), samples, seed)
    print(report.text())
    if not report.ok:
        raise typer.Exit(1)


@command
def code(program: ProgramText, dtype: Dtype = None) -> None:
    """Print the generated source of value and gradient."""
    from graphc import api

    print(api.compile(program_text(program), dtype or "float64").source.rstrip("\n"))


@command
def train(
    program: ProgramText,
    data: DataFile = None,
    columns: ColumnText = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the data.", min=1)] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Examples a step.", min=1)] = None,
    holdout: Annotated[float | None, typer.Option("--holdout", help="Part of the data held out, 0 for none.")] = None,
    optimizer: Annotated[str | None, typer.Option("--optimizer", help="For example adam(lr=1e-3).")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of initial values, shuffling and holdout.", min=0)] = None,
    dtype: Dtype = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write the parameters to this .npz file.")] = None,
) -> None:
    """Train the parameters on data, by the program's data and train statements or these options."""
    from graphc import api

    text, width = program_text(program), dtype or "float32"
    if save is not None and not save.absolute().parent.is_dir():
        raise DataError(f"there is no folder {save.parent} to save in")
    artifact = api.training_artifact(text, optimizer, width)
    inputs = [leaf.name for leaf in artifact.leaves if leaf.role == "input"]
    arrays = data_of(program, artifact.data, inputs, data, columns_given(columns))
    said = dict(artifact.training)
    total = int(epochs if epochs is not None else said.get("epochs", 1))
    held = holdout if holdout is not None else said.get("holdout")
    with Progress(total) as progress:
        run = api.train(
            text,
            arrays,
            optimizer=optimizer,
            batch_size=batch,
            epochs=total,
            seed=seed,
            dtype=width,
            validation=held,
            callback=progress.epoch,
        )
    print_summary(run)
    if save is not None:
        run.save(save)
    if run.stopped == "interrupted":
        print("stopped before the last epoch", file=sys.stderr)
        raise typer.Exit(130)


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


class Progress:
    """Loss and metrics as they come: a bar on a terminal, else lines, `LINES` of them at most."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> Progress:
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            parts = ("epoch {task.completed}/{task.total}", "{task.fields[now]}")
            self.bar = Progress(
                TextColumn(parts[0]), BarColumn(), TextColumn(parts[1], markup=False), TimeRemainingColumn(),
                console=Console(highlight=False),
            )  # fmt: skip
            self.bar.start()
            self.task = self.bar.add_task("train", total=self.total, now="")
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def epoch(self, number: int, history: Mapping[str, Sequence[float]]) -> bool:
        """After an epoch."""
        now = "  ".join(f"{label(name)} {figure(values[-1], 4)}" for name, values in history.items() if values)
        if self.bar is not None:
            self.bar.update(self.task, completed=number, now=now)
        elif number in (1, self.total) or number % max(1, -(-self.total // LINES)) == 0:
            print(f"epoch {number:>{len(str(self.total))}}/{self.total}  {now}", flush=True)
        return False


def label(name: str) -> str:
    """Name of a column of the history as it is shown."""
    return name.replace("validation_", "held-out ", 1) if name.startswith("validation_") else name


def print_summary(run: Any) -> None:
    """The last figures: those of the held-out examples, else of the training."""
    last = {name: values[-1] for name, values in run.history.items() if values}
    held = {n: v for n, v in last.items() if n.startswith("validation_")} or last
    for name, value in held.items():
        print(f"{label(name)} {figure(value, 3)}")


def figure(value: float, places: int) -> str:
    """A number with some places after the point; very large and small ones with an exponent."""
    return f"{value:.{places}f}" if not value or 0.1**places <= abs(value) < 1e6 else f"{value:.{places}g}"


@command
def predict(
    program: ProgramText,
    params: Annotated[Path, typer.Option("--params", help="The .npz file that train --save wrote.")],
    data: DataFile = None,
    columns: ColumnText = None,
    output: Annotated[str | None, typer.Option("--output", help="Name of what to compute.")] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write an .npz file instead of printing rows.")] = None,
) -> None:
    """Compute an equation of the program for data, with trained parameters."""
    import numpy as np

    from graphc.compiler import part_for
    from graphc.training.data import as_arrays, bind_sizes, read_npz

    graph = program_graph(program)
    name = plain_name(output) if output is not None else predicted(graph)
    part = part_for(graph, name)
    stated = (graph.data.file, graph.data.columns) if graph.data is not None else None
    kept = {s.name: graph.types[s] for s in (*part.params, *part.states)}
    given = {s.name: part.types[s] for s in part.inputs}
    arrays = as_arrays(data_of(program, stated, list(given), data, columns_given(columns)), given)
    arrays.update(as_arrays(read_npz(params), kept))
    bind_sizes(arrays, {**given, **kept})
    (value,) = values_at(primitive(part), arrays, part.outputs)
    if save is not None:
        try:
            np.savez(save, **{name: value})
        except OSError as error:
            raise DataError(f"{save} cannot be written: {error.strerror}") from None
        return
    for row in value.reshape(len(value), -1) if value.ndim else value.reshape(1, 1):
        print(",".join(f"{v:.6g}" for v in row.tolist()))


def predicted(graph: Graph) -> str:
    """What is meant where no output is named: what the program says, else y."""
    outputs = [s.name for s in graph.outputs if s != graph.objective]
    if len(outputs) == 1:
        return outputs[0]
    if any(e.target.name == "y" for e in graph.equations):
        return "y"
    raise DataError("it is not clear what to predict", hint="--output NAME, or in the program: output NAME")


@command
def ops(name: Annotated[str | None, typer.Argument(help="One operation, to see all of it.")] = None) -> None:
    """List the operations of the language, or show one."""
    from graphc.language.reader import prelude
    from graphc.ops import OPERATIONS

    if name is None:
        rows = [(o.syntax or o.usage(), o.doc) for o in OPERATIONS if not o.hidden or o.syntax]
        rows += [(d.source.partition("\n")[0][4:].partition(":")[0], "(prelude)") for d in prelude().values()]
        print_table(rows)
        return
    found = [o for o in OPERATIONS if name in (o.written, o.name, *o.others) or sign_of(o.syntax) == name]
    for o in found:
        print_operation(o)
    if name in prelude():
        print(prelude()[name].source)
    elif not found:
        import difflib

        known = [*(n for o in OPERATIONS for n in (o.written, *o.others)), *prelude()]
        close = difflib.get_close_matches(name, known, 1)
        raise DataError(f"there is no operation {name}", hint=f"did you mean {close[0]}?" if close else "graphc ops")


def sign_of(syntax: str | None) -> str | None:
    """The operator of "a + b" or "-a"."""
    return next((p for p in syntax.replace("a", " ").replace("b", " ").split()), None) if syntax else None


def print_operation(operation: Any) -> None:
    """All that a record tells a reader."""
    from graphc.explain.operations import _derivative

    rows = [("written", operation.syntax or operation.usage())]
    rows += [("also", ", ".join(operation.others))] if operation.others else []
    rows += [("meaning", operation.doc), ("derivative", _derivative(operation))]
    rows += [("domain", ", ".join(f"{a} to {b}" for a, b in operation.domain))] if operation.domain else []
    print_table(rows)


def print_table(rows: Sequence[tuple[str, str]]) -> None:
    """Two columns, aligned; cut to the terminal where there is one."""
    import shutil

    left = min(max((len(a) for a, _ in rows), default=0), 48)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for a, b in rows:
        line = f"{a:<{left}}  {b}".rstrip()
        print(line if len(line) <= width else line[: width - 1] + "…")


@command
def info(program: Annotated[str | None, typer.Argument(metavar="[PROGRAM]")] = None) -> None:
    """Show versions, cache folder and processor; for a program its parts and the time of each stage."""
    print_table(about_program(program) if program is not None else about_installation())


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

    from graphc.compiler import Compilation, compile_function
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
    compile_function(graph, "float64", work)
    for stage in work.history:
        rows.append((stage.name, f"{1e3 * stage.seconds:.1f} ms, {len(stage.graph.equations)} equations"))
    return rows
