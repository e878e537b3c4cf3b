"""The public calls: a program in, a function, a derivation or a trained network out.

In: programs (text, a path, a SymPy expression, a Graph).  Out: `Function`, `Graph`, `Derivation`, `Run`.
Always holds: a text that an earlier process compiled goes straight to its stored module; SymPy is imported only where a
graph is really needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphc.collector import uncollected
from graphc.errors import DataError
from graphc.language.names import by_plain_name

if TYPE_CHECKING:
    from graphc.explain.check import Report
    from graphc.explain.derivation import Derivation
    from graphc.graph.graph import Graph
    from graphc.run.function import Function
    from graphc.training.loop import Run

DTYPES = ("float32", "float64")


def parse(text: str) -> Graph:
    """Read a program's text.  Raises ParseError or ShapeError with line, column and hint."""
    from graphc.language.reader import parse

    return parse(text)


def from_sympy(expr: Any) -> Graph:
    """A SymPy expression as a program; GraphcError names what is not supported."""
    from graphc.language.sympy_reader import from_sympy

    return from_sympy(expr)


def grad(program: Any, wrt: Any = None) -> Graph:
    """The graph whose outputs are the gradients of a program's value, not simplified; DerivativeError if there are none."""
    from graphc.compiler import derivative_graph, read
    from graphc.differentiate.program import gradient

    return derivative_graph(read(program), gradient, wrt)


def jvp(program: Any, wrt: Any = None) -> Graph:
    """The graph of the derivative of each output y along directions: y_dot = sum(dy/dx * x_dot), by forward mode.

    The directions are further inputs, x_dot of the shape of x; `wrt` and errors as for `grad`; not simplified.
    """
    from graphc.compiler import derivative_graph, read
    from graphc.differentiate.program import jvp

    return derivative_graph(read(program), jvp, wrt)


def vjp(program: Any, wrt: Any = None) -> Graph:
    """The graph of cotangents times the Jacobian: x_bar = sum(y_bar * dy/dx) for each x, by reverse mode.

    The cotangents are further inputs, y_bar of the shape of output y; `wrt` and errors as for `grad`; not simplified.
    """
    from graphc.compiler import derivative_graph, read
    from graphc.differentiate.program import vjp

    return derivative_graph(read(program), vjp, wrt)


def jacobian(program: Any, wrt: Any = None) -> Graph:
    """The graph of dy_dx, of the shape of y followed by that of x, for each output y and each x; not simplified.

    Forward or reverse mode, whichever has fewer directions, all of them in one batch.  DerivativeError if there is none.
    """
    from graphc.compiler import derivative_graph, read
    from graphc.differentiate.program import jacobian

    return derivative_graph(read(program), jacobian, wrt)


def hessian(program: Any, wrt: Any = None) -> Graph:
    """The graph of the second derivatives of a program's value, d2J_dx_dz for each x and z of `wrt`; not simplified."""
    from graphc.compiler import derivative_graph, read
    from graphc.differentiate.program import hessian

    return derivative_graph(read(program), hessian, wrt)


def hvp(program: Any, wrt: Any = None) -> Graph:
    """The graph of the Hessian of a program's value times directions x_dot, which are further inputs; not simplified."""
    from graphc.compiler import derivative_graph, read
    from graphc.differentiate.program import hvp

    return derivative_graph(read(program), hvp, wrt)


def simplify(program: Any) -> Graph:
    """The graph in its safe, short form."""
    from graphc.compiler import read
    from graphc.rewrite import simplify

    return simplify(read(program))


def derive(program: Any, wrt: Any = None, at: Mapping[str, Any] | None = None) -> Derivation:
    """The derivation of a program's gradient, step by step; numbers beside the symbols where `at` gives a point."""
    from graphc.compiler import read
    from graphc.explain.derivation import derive

    return derive(read(program), wrt, at)


def check(
    program: Any,
    at: Mapping[str, Any] | None = None,
    samples: int = 20,
    seed: int = 0,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Report:
    """How accurate a program's value and gradient are; the gradient is compared with finite differences too.

    At one point `at`, else at `samples` points drawn at random, of the inputs in `ranges` between their two bounds.
    Programs of numbers and of small arrays are compared with 50-digit arithmetic and more: `.accuracy` of the value and
    `.inputs` of each gradient have the worst relative `.error` (of an array, to its largest element), the `.bits` that
    agree and those `.lost`, the `.worst` point and, of numbers, the `.condition` there; `.ok` is False where a gradient is
    wrong or an error is more than the condition explains.
    Raises DataError where a range fits no input or nothing is finite.
    """
    from graphc.compiler import read
    from graphc.explain.check import check

    return check(read(program), at, samples, seed, ranges)


def compile(program: Any, dtype: str = "float64", threads: int | None = None) -> Function:
    """Compile a program to value and gradient.

    dtype: float64 or float32; threads: how many may share a call of a program of numbers over many points, None for the
    cores that the process may run on.  The results do not depend on it.  Raises ParseError, ShapeError, DataError.
    """
    text = _text(program)
    return _function(program if text is None else text, _width(dtype), _threads(threads))


def _function(
    program: Any, dtype: str, threads: int, what: str = "function", wrt: tuple[str, ...] | None = None
) -> Function:
    """A program, or derivatives of it, as a function; from the cache where its text was seen before."""
    from graphc.codegen.cache import store_program, stored_program
    from graphc.run.function import Function

    key = f"{what}\0{dtype}\0{wrt}\0{program}" if isinstance(program, str) else None
    artifact, work = (None if key is None else stored_program(key)), None
    if artifact is None:
        artifact, work = _compiled(program, dtype, what, wrt)
        if key is not None:
            store_program(key, artifact)
    again = partial(_function, program, dtype, threads)
    return Function(artifact, lambda: _compiled(program, dtype, what, wrt)[1], again, (what, wrt), work, threads)


@uncollected()
def _compiled(program: Any, dtype: str, what: str, wrt: tuple[str, ...] | None) -> tuple[Any, Any]:
    from graphc.compiler import Compilation, called_derivative, compile_function, read

    graph = read(program)
    graph = graph if what == "function" else called_derivative(graph, what, wrt)
    work = Compilation(graph)
    return compile_function(graph, dtype, work), work


def train(
    program: Any,
    data: Mapping[str, Any],
    *,
    optimizer: str | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    dtype: str = "float32",
    shuffle: bool = True,
    params: Mapping[str, Any] | None = None,
    order: Any = None,
    validation: Any = None,
    stop: Any = None,
    callback: Any = None,
    threads: int | None = None,
) -> Run:
    """Train a program's parameters on data.

    optimizer: "adam(lr=1e-3)" instead of the program's; batch_size: None is the program's, else the whole set;
    epochs: None is the program's, else 1; params: first values by name; order: indices (epochs, examples);
    validation: a fraction to hold out, or data; stop: a loss, or {"loss": ..., "change": ...};
    callback(epoch, history) may return True to stop; threads: how many may share a step, None for the cores that the
    process may run on: sums over a batch are rounded differently for another number, for the same one the bits are the
    same, and short steps take one thread anyway.  Raises DataError, ShapeError, TrainingError.
    """
    from graphc.training.loop import Settings, Trainer, read_stop

    for what, values in (("data", data), ("params", params or {})):
        if not isinstance(values, Mapping):
            kind = type(values).__name__
            raise DataError(f"{what} are a dictionary of arrays by name, not {kind}", hint='{"x": X, "t": T}')
    text = _text(program)
    source, width = (program if text is None else text), _width(dtype)
    artifact, work = _training(source, optimizer, width)
    said = dict(artifact.training)
    chosen = batch_size if batch_size is not None else said.get("batch")
    loss, change = read_stop(stop)
    settings = Settings(
        batch_size=None if chosen is None else _whole("batch_size", chosen, 1),
        epochs=_whole("epochs", epochs if epochs is not None else said.get("epochs", 1), 0),
        seed=_whole("seed", seed if seed is not None else said.get("seed", 0), 0),
        shuffle=shuffle,
        order=order,
        stop_loss=loss,
        stop_change=change,
        threads=_threads(threads),
    )
    held = validation if validation is not None else said.get("holdout")

    def complete(leaves: Any, sizes: dict[str, int]) -> Any:
        from graphc.compiler import complete_leaves, read
        from graphc.language.step import training_graph

        return complete_leaves(training_graph(read(program), optimizer), leaves, sizes)

    def share() -> Any:
        return _shared_training(source, optimizer, artifact, work)

    run = Trainer(artifact, data, settings, params, held, complete, share).run(callback)
    run.predictor = lambda name, values: predict(program, name, values, dtype, threads)
    return run


def training_artifact(program: Any, optimizer: str | None, dtype: str) -> Any:
    """The generated training loop of a program."""
    return _training(program, optimizer, dtype)[0]


def _training(program: Any, optimizer: str | None, dtype: str) -> tuple[Any, Any]:
    """The same, from the cache where its text was seen before; else also what the compiler left."""
    from graphc.codegen.cache import store_program, stored_program

    key = _training_key("train", program, optimizer, dtype)
    if key is not None and (found := stored_program(key)) is not None:
        return found, None
    artifact, work = _compiled_training(program, optimizer, dtype)
    if key is not None:
        store_program(key, artifact)
    return artifact, work


def _shared_training(program: Any, optimizer: str | None, artifact: Any, work: Any) -> Any:
    """The loop of an artifact for several threads; `work`: what the compiler left if it ran, else None."""
    from graphc.codegen.cache import store_program, stored_program

    key = _training_key("train together", program, optimizer, artifact.dtype)
    if key is not None and (found := stored_program(key)) is not None:
        return found
    from graphc.compiler import share_training

    shared = share_training(artifact, work or _compiled_training(program, optimizer, artifact.dtype)[1])
    if key is not None:
        store_program(key, shared)
    return shared


def _training_key(what: str, program: Any, optimizer: str | None, dtype: str) -> str | None:
    return f"{what}\0{dtype}\0{optimizer}\0{program}" if isinstance(program, str) else None


@uncollected()
def _compiled_training(program: Any, optimizer: str | None, dtype: str) -> tuple[Any, Any]:
    from graphc.compiler import Compilation, compile_training, read

    work = Compilation(read(program))
    return compile_training(work.graph, dtype, optimizer, work), work


def predict(
    program: Any, name: str, values: Mapping[str, Any], dtype: str = "float32", threads: int | None = None
) -> Any:
    """Value of one equation of a program, from the inputs and parameters it needs; the rest may be missing or extra."""
    from graphc.compiler import part_for, read

    part = part_for(read(program), name)
    needed = {s.name for s in part.leaves()}
    return compile(part, dtype, threads)(**{k: v for k, v in by_plain_name(values).items() if k in needed})


def _text(program: Any) -> str | None:
    """The program's text, where it is one."""
    if isinstance(program, Path):
        from graphc.program_file import read_file

        return read_file(program)
    return program if isinstance(program, str) else None


def _whole(name: str, value: Any, least: int) -> int:
    """A setting that counts something; DataError where it is no whole number from `least` on."""
    if isinstance(value, (str, bytes)) or (not hasattr(value, "__index__") and value != value // 1) or value < least:
        raise DataError(f"{name} is a whole number from {least} on, not {value!r}")
    return int(value)


def _threads(asked: Any) -> int:
    """Threads that may share the work: as many as asked for, else the cores that the process may run on."""
    from graphc.codegen.team import cores
    from graphc.codegen.threads import MOST

    return min(cores() if asked is None else _whole("threads", asked, 1), MOST)


def _width(dtype: Any) -> str:
    name = getattr(dtype, "__name__", None) or str(dtype)
    if name not in DTYPES:
        raise DataError(f"dtype is float32 or float64, not {name}")
    return name
