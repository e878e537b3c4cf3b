"""The commands.

In: a program as text or as the path of a `.gc` file, and options.  Out: text on standard output.
Always holds: each command imports only what it needs; an error that the user can mend is printed without a traceback,
on standard error, and the exit code is 2; a check that fails gives 1, Ctrl-C 130.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from graphc.cli.about import about_installation, about_program, print_operation, print_table, sign_of
from graphc.cli.arguments import columns_given, data_of, names, point, program_graph, program_text, ranges
from graphc.cli.progress import Progress, print_summary
from graphc.cli.values import needed_part, primitive, shown, values_at
from graphc.errors import DataError, GraphcError
from graphc.language.names import plain_name

if TYPE_CHECKING:
    from sympy import Symbol

    from graphc.explain.gradient import Derive, Gradient
    from graphc.explain.pen import Pen
    from graphc.graph.graph import Graph
    from graphc.graph.types import Type

Command = TypeVar("Command", bound=Callable[..., None])
FORMATS = ("text", "markdown", "latex", "html")

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


@command
def grad(
    program: ProgramText,
    at: At = None,
    wrt: Wrt = None,
    steps: Annotated[bool, typer.Option("--steps", help="Show the steps of the simplification.")] = False,
) -> None:
    """Print the simplified gradient, as formulas or as a program; at a point its numbers too."""
    from graphc.differentiate.program import the_value
    from graphc.explain.derivation import differentiated
    from graphc.explain.gradient import simplified_gradient
    from graphc.explain.pen import Derivative, Pen

    graph = program_graph(program)
    given = point(at, graph)
    value, variables = the_value(graph), differentiated(graph, names(wrt))
    found = simplified_gradient(graph, variables, value)
    if steps:
        print_steps(graph, value, variables, found)
    labels = {o: Derivative(value, s) for o, s in zip(found.graph.outputs, variables, strict=True)}
    print_derivatives(found, Pen(labels), graph, given)


@command
def jacobian(program: ProgramText, at: At = None, wrt: Wrt = None) -> None:
    """Print the simplified derivatives dy_dx of each output y for each x, of the shape of y followed by that of x."""
    from graphc.differentiate.program import jacobian

    all_derivatives(program, at, wrt, jacobian)


@command
def hessian(program: ProgramText, at: At = None, wrt: Wrt = None) -> None:
    """Print the simplified second derivatives d2J_dx_dz of a value J for each x and z."""
    from graphc.differentiate.program import hessian

    all_derivatives(program, at, wrt, hessian)


def all_derivatives(program: str, at: list[str] | None, wrt: str | None, derive: Derive) -> None:
    """What `jacobian` and `hessian` print."""
    from graphc.compiler import wrt_symbols
    from graphc.explain.gradient import simplified_derivatives
    from graphc.explain.pen import Pen
    from graphc.graph.graph import focus

    graph = program_graph(program)
    given = point(at, graph)
    whole = focus(graph, graph.outputs)
    found = simplified_derivatives(whole, wrt_symbols(whole, names(wrt)), derive)
    print_derivatives(found, Pen({}), graph, given)


def print_derivatives(found: Gradient, pen: Pen, graph: Graph, given: Mapping[str, Any] | None) -> None:
    """A formula a line, or the program where they are long; at a point the numbers too."""
    outputs = found.graph.outputs
    numbers = [""] * len(outputs)
    if given is not None:
        values = values_at(found.graph, only(found.graph, graph, given), outputs)
        numbers = [f" = {shown(v)}" for v in values]
    labels = [pen.atom(s)[0] for s in outputs]
    if not found.inlined:
        print(found.graph)
        print("".join(f"\n{a}{b}" for a, b in zip(labels, numbers, strict=True) if b), end="\n" * (given is not None))
        return
    width = max(map(len, [*labels, *(s.name for s in found.parts)]), default=0)
    for s in found.parts:
        print(f"{s.name:<{width}} = {found.formula(s, pen)}")
    for s, label, number in zip(outputs, labels, numbers, strict=True):
        print(f"{label:<{width}} = {found.formula(s, pen)}{number}")


def only(part: Graph, whole: Graph, at: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a part of a program needs; what the whole does not know is kept, to be complained of."""
    needed, known = {s.name for s in part.leaves()}, {s.name for s in whole.leaves()}
    return {name: v for name, v in at.items() if name in needed or name not in known}


def print_steps(graph: Graph, value: Symbol, variables: tuple[Symbol, ...], found: Gradient) -> None:
    """The gradient as reverse mode leaves it, and each rule that fired, with the equation before and after."""
    from collections import defaultdict

    from graphc.differentiate.program import gradient
    from graphc.graph.types import Type
    from graphc.language.writer import equation_expression
    from graphc.rewrite import readable_steps, simplify_steps

    raw = gradient(graph, variables, value)
    simple, fired = simplify_steps(raw)
    if found.inlined:
        simple, more = readable_steps(simple, found.named)
        fired += more
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
    range_: Annotated[
        list[str] | None, typer.Option("--range", help="Where to draw inputs: x=0.1:5,y=-1:1", metavar="NAME=LOW:HIGH")
    ] = None,
) -> None:
    """Compare value and gradient with 50-digit arithmetic, and the gradient with finite differences."""
    from graphc import api

    graph = program_graph(program)
    report = api.check(graph, point(at, graph), samples, seed, ranges(range_))
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
    threads: Annotated[
        int | None, typer.Option("--threads", help="That share a step; the cores there are.", min=1)
    ] = None,
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
            threads=threads,
        )
    print_summary(run)
    if save is not None:
        run.save(save)
    if run.stopped == "interrupted":
        print("stopped before the last epoch", file=sys.stderr)
        raise typer.Exit(130)


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

    from graphc.compiler import is_pointwise, part_for
    from graphc.training.data import as_arrays, bind_sizes, read_npz

    graph = program_graph(program)
    name = plain_name(output) if output is not None else predicted(graph)
    part = part_for(graph, name)
    stated = (graph.data.file, graph.data.columns) if graph.data is not None else None
    kept = {s.name: graph.types[s] for s in (*part.params, *part.states)}
    numbers = is_pointwise(part)
    given = {s.name: rows_of(part.types[s]) if numbers else part.types[s] for s in part.inputs}
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


def rows_of(type_: Type) -> Type:
    """What a number of the program is in a table: a column of them."""
    from graphc.graph.types import Type, size_named

    return Type((size_named("n"),), type_.kind)


def predicted(graph: Graph) -> str:
    """What is meant where no output is named: what the program says, else y."""
    outputs = [s.name for s in graph.outputs if s != graph.objective]
    if len(outputs) == 1:
        return str(outputs[0])
    if any(e.target.name == "y" for e in graph.equations):
        return "y"
    raise DataError("it is not clear what to predict", hint="--output NAME, or in the program: output NAME")


@command
def ops(name: Annotated[str | None, typer.Argument(help="One operation, to see all of it.")] = None) -> None:
    """List the operations of the language, or show one."""
    from graphc.language.macros import prelude
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


@command
def info(program: Annotated[str | None, typer.Argument(metavar="[PROGRAM]")] = None) -> None:
    """Show versions, cache folder and processor; for a program its parts and the time of each stage."""
    print_table(about_program(program) if program is not None else about_installation())
