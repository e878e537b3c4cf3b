"""The compiler: the stages in order.

    stage          takes -> gives                                    where
    read           text, file, SymPy, Graph -> Graph                 language
    optimize       Graph -> Graph with next values of parameters     language.step      (training only)
    order          Graph -> Graph, chains of products by cost        rewrite
    stabilise      Graph -> Graph, safe at the extremes              rewrite
    differentiate  Graph -> Graph with gradients                     differentiate
    simplify       Graph -> shorter Graph                            rewrite
    expand         Graph -> Graph of primitive operations            language.expand
    tidy           Graph -> shorter Graph of primitive operations    rewrite
    generate       Graphs -> source text                             codegen
    run            source text -> compiled functions                 codegen.cache, run, training

In: a program.  Out: an `Artifact`, and the history of how it came about.
Always holds: every stage leaves (name, graph, seconds, steps) in the history; the artifact alone is enough to run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Union

from sympy import Basic, Symbol

from graphc.codegen.artifact import Artifact, Check, Leaf, Range
from graphc.codegen.constants import with_numbers
from graphc.codegen.function import write_entry
from graphc.codegen.module import ModuleWriter, argument_type
from graphc.codegen.shared_training import write_shared_training
from graphc.codegen.training import write_training
from graphc.collector import uncollected
from graphc.differentiate.program import (
    expand_gradients,
    gradient,
    hessian,
    hvp,
    jacobian,
    safe_to_differentiate,
    the_value,
)
from graphc.errors import DataError, DerivativeError, ParseError, ShapeError
from graphc.graph.graph import Equation, Graph, Origin, atom_type, focus, operands, prune, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Dim, Size, Type, shape_text, sizes_of, surely_at_most
from graphc.language.expand import expand
from graphc.language.names import plain_name
from graphc.language.reader import parse
from graphc.language.step import focus_updates, training_graph
from graphc.ops import DERIVATIVES
from graphc.ops.algebra import known_size, permuted, shifted, surely_read, taken_from
from graphc.program_file import read_file
from graphc.rewrite import order_products, simplify, simplify_steps, stabilise, stabilise_steps, tidy
from graphc.run.evaluate import evaluate

Pass = Callable[[Graph], Union[Graph, tuple[Graph, tuple[Any, ...]]]]


@dataclass(frozen=True)
class Stage:
    """One arrow of the pipeline: its name, the graph it left, its seconds, and the steps it took."""

    name: str
    graph: Graph
    seconds: float
    steps: tuple[Any, ...] = ()


@dataclass
class Compilation:
    """A program on its way: the graph as read, and what the stages left."""

    graph: Graph
    history: list[Stage] = field(default_factory=list)

    def run(self, name: str, stage: Pass, graph: Graph) -> Graph:
        """Run one stage and note it, with its steps where it tells them."""
        start = time.perf_counter()
        found = stage(graph)
        result, steps = found if isinstance(found, tuple) else (found, ())
        self.history.append(Stage(name, result, time.perf_counter() - start, steps))
        return result

    def stabilised(self, graph: Graph) -> Graph:
        """A program that is safe at the extremes, its products in their cheapest order."""
        return self.run("stabilise", stabilise_steps, self.run("order", order_products, graph))

    def lower(self, safe: Graph) -> Graph:
        """A stabilised program without derivatives inside, down to primitive operations."""
        return self.shorten(self.run("differentiate", lambda g: expand_gradients(g, stabilise), safe))

    def shorten(self, graph: Graph) -> Graph:
        """A program of primitive operations, as short as it gets."""
        simple = self.run("simplify", simplify_steps, graph)
        primitive = self.run("expand", expand, simple)
        return prune(with_numbers(self.run("tidy", lambda g: tidy(g, simple), primitive)))


@uncollected()
def read(program: Any) -> Graph:
    """A program as a graph: text, a path to a .gc file, a SymPy expression, or a graph."""
    if isinstance(program, Graph):
        return program
    if isinstance(program, str):
        return parse(program)
    if isinstance(program, Path):
        return parse(read_file(program))
    if isinstance(program, Basic) or hasattr(program, "free_symbols"):
        from graphc.language.sympy_reader import from_sympy

        return from_sympy(program)
    raise ParseError(
        f"a program is text, a path, a SymPy expression or a Graph, not {type(program).__name__}",
        hint='graphc.compile("cos(x^2)")',
    )


# --- functions -------------------------------------------------------------------------------------------------------


def wrt_symbols(graph: Graph, wrt: Any = None) -> tuple[Symbol, ...]:
    """What is differentiated for: the names asked, else the parameters, else all real inputs."""
    if wrt is not None:
        names = [wrt] if isinstance(wrt, (str, Symbol)) or not hasattr(wrt, "__iter__") else list(wrt)
        return tuple(_named(graph, plain_name(str(getattr(n, "name", n)))) for n in names)
    chosen = graph.params or tuple(s for s in graph.inputs if graph.types[s].kind == "real")
    if not chosen:
        raise DerivativeError("the program has no parameters or real inputs to differentiate for", hint="input x; x^2")
    return chosen


def _named(graph: Graph, name: str) -> Symbol:
    for s in graph.types:
        if s.name == name:
            return s
    names = ", ".join(s.name for s in graph.leaves())
    raise DerivativeError(f"{name} is not in the program", hint=f"it has {names}" if names else None)


@uncollected()
def gradient_graph(graph: Graph, wrt: Any = None) -> Graph:
    """The simplified graph of the gradients of a program's value."""
    value = the_value(graph)
    symbols = wrt_symbols(focus(graph, (value,)) if wrt is None and not graph.params else graph, wrt)
    part = focus(graph, (value,)) if all(s in graph.leaves() for s in symbols) else graph
    part = part.replace(
        inputs=tuple(s for s in graph.inputs if s in part.inputs or s in symbols),
        params=tuple(s for s in graph.params if s in part.params or s in symbols),
        types={**{s: graph.types[s] for s in symbols}, **part.types},
    )
    return prune(simplify(gradient(part, symbols, value, stabilise)))


def derivative_graph(graph: Graph, derive: Callable[..., Graph], wrt: Any = None) -> Graph:
    """The graph of some derivative (`gradient`, `hessian` ... of `differentiate`) as differentiation leaves it: of a
    stabilised program at each level, but not simplified."""
    return prune(derive(graph, wrt_symbols(graph, wrt), stabilise=stabilise))


def called_derivative(graph: Graph, what: str, wrt: Any = None) -> Graph:
    """The graph of what a function's call gives: "jacobian", "hessian", "hvp", or "objective": values and Jacobians."""
    value = called_graph(graph)
    derive = {"hessian": hessian, "hvp": hvp, "jacobian": jacobian, "objective": jacobian}[what]
    found = derive(value, wrt_symbols(value, wrt), stabilise=stabilise)
    found = with_types(found, {o: Type(found.types[o].shape) for o in found.outputs})
    return prune(found.replace(outputs=(*value.outputs, *found.outputs)) if what == "objective" else found)


def part_for(graph: Graph, name: str) -> Graph:
    """The part of a program that computes one of its equations."""
    name = plain_name(name)
    found = next((s for s in graph.types if s.name == name), None)
    if found is None:
        names = ", ".join(e.target.name for e in graph.equations if e.origin.span is not None)
        raise DataError(f"{name} is not in the program", hint=f"it computes {names}"[:300])
    return focus(graph, (found,))


def is_pointwise(graph: Graph) -> bool:
    """True where all that is given is scalar: the program is then a function of arrays, elementwise."""
    leaves = graph.leaves()
    return (
        bool(leaves)
        and all(graph.types[s].shape == () for s in leaves)
        and all(graph.types[o].shape == () for o in graph.outputs)
    )


def called_graph(graph: Graph) -> Graph:
    """What a call computes and asks for: only what the outputs need; of a program of numbers, all that is declared."""
    value = focus(graph, graph.outputs)
    if not is_pointwise(graph):
        return value
    given = {s: graph.types[s] for s in graph.leaves()}
    return value.replace(inputs=graph.inputs, params=graph.params, states=graph.states, types={**given, **value.types})


@uncollected()
def compile_function(graph: Graph, dtype: str, work: Compilation) -> Artifact:
    """Generate code for a program's value and gradient."""
    value = called_graph(graph)
    leaves = value.leaves()
    safe = work.stabilised(value)
    forward = with_types(work.lower(safe), {o: value.types[o] for o in value.outputs})
    both, gradients, refusal = _both(value, safe, work)
    pointwise = is_pointwise(value)
    start = time.perf_counter()
    writer = ModuleWriter(dtype, graph.sizes)
    types = [argument_type(value.types[s]) for s in leaves]
    write_entry(writer, "forward", forward, leaves, types, pointwise)
    if both is not None:
        real = {o: Type(both.types[o].shape) for o in both.outputs[1:]}
        both = with_types(both, {both.outputs[0]: value.types[value.outputs[0]], **real})
        backward = prune(both.replace(outputs=both.outputs[1:]))
        write_entry(writer, "backward", backward, leaves, types, pointwise)
        write_entry(writer, "value_and_grad", both, leaves, types, pointwise)
    source = writer.text(_title(value))
    work.history.append(Stage("generate", both or forward, time.perf_counter() - start))
    return Artifact(
        source=source,
        dtype=dtype,
        entries=tuple(writer.entries),
        leaves=tuple(_leaf(value, s) for s in leaves),
        outputs=tuple(o.name for o in value.outputs),
        output_kinds=tuple(value.types[o].kind for o in value.outputs),
        gradients=gradients,
        pointwise=pointwise,
        differentiable=refusal,
        sizes=graph.sizes,
        checks=_checks(value),
        ranges=_ranges(value, value.outputs),
    )


def _both(value: Graph, safe: Graph, work: Compilation) -> tuple[Graph | None, tuple[str, ...], str | None]:
    """Value and gradients in one graph of primitive operations; why not, where there are none."""
    try:
        target = the_value(value)
        symbols = wrt_symbols(value)
        again = any(operation_of(e.expr) in DERIVATIVES for e in safe.equations)
        whole = safe_to_differentiate(safe, symbols, stabilise) if again else safe
        derived = work.run("differentiate", lambda g: gradient(g, symbols, target), whole)
        return work.shorten(derived.replace(outputs=(target, *derived.outputs))), tuple(s.name for s in symbols), None
    except DerivativeError as error:
        return None, (), str(error)


def with_types(graph: Graph, types: dict[Symbol, Type]) -> Graph:
    """Outputs in the types they are given in, whatever they are computed in: a gradient that is 0 or 1 is real."""
    return graph.replace(types={**graph.types, **types})


def _title(graph: Graph) -> str:
    names = ", ".join(o.name for o in graph.outputs).encode("ascii", "replace").decode()
    return f"{names[:80]} and gradients."


def _leaf(graph: Graph, s: Symbol) -> Leaf:
    role = "input" if s in graph.inputs else "param" if s in graph.params else "state"
    type_ = graph.types[s]
    return Leaf(s.name, type_.shape, type_.kind, role, _known_initial(graph, s))


def _known_initial(graph: Graph, s: Symbol) -> tuple[str, tuple[Any, ...]] | None:
    """The distribution and its arguments, where they need no sizes."""
    initial = graph.initial.get(s)
    if initial is None or any(sizes_of(d) for t in initial.values.types.values() for d in t.shape):
        return None
    if any(isinstance(v, Dim) for e in initial.values.equations for v in statics(e.expr)):
        return None
    return initial.distribution, initial_arguments(graph, s, {})


def initial_arguments(graph: Graph, s: Symbol, sizes: dict[str, int]) -> tuple[Any, ...]:
    """Arguments of the distribution of a parameter's initial value."""
    values = graph.initial[s].values
    primitive = expand(values)
    found = evaluate(primitive, {}, primitive.outputs, sizes)
    return tuple(found[o].tolist() for o in primitive.outputs)


def _checks(graph: Graph) -> tuple[Check, ...]:
    """Relations of dimensions that only the data can decide."""
    found: dict[tuple[Any, ...], Check] = {}

    def note(origin: Origin) -> Callable[..., None]:
        def require(a: Any, b: Any, relation: str = "==") -> None:
            if a == b or (relation == "<=" and surely_at_most(a, b)):
                return
            found.setdefault((a, b, relation), Check(a, b, relation, *_where(origin)))

        return require

    for equation in graph.equations:
        operation = operation_of(equation.expr)
        if operation is not None:
            types = tuple(atom_type(a, graph.types) for a in operands(equation.expr) if a is not equation.expr)
            operation.infer(types, statics(equation.expr), note(equation.origin))
    for equation, value, first, last in _constant_places(graph):
        for a, b in ((first, value), (value, last)):
            if isinstance(a, int) and isinstance(b, int) and a > b:
                line, column, text = _where(equation.origin)
                x = operands(equation.expr)[0]
                raise ShapeError(
                    f"index {value} is outside of {first} to {last}; operands: {x} {shape_text(atom_type(x, graph.types).shape)}",
                    line=line, column=column, source_line=text, hint="the first element is x[0], the last x[-1]",
                )  # fmt: skip
            note(equation.origin)(a, b, "<=")
    return tuple(found.values())


def _ranges(step: Graph, results: Iterable[Symbol], batch: str | None = None) -> tuple[Range, ...]:
    """Inputs that hold indices, where results need what they pick; not of arrays whose size is that of the batch."""
    needed: set[Basic] = {*results}
    definitions = step.definitions()
    found: list[Range] = []
    for equation in reversed(step.equations):
        if equation.target not in needed:
            continue
        needed.update(surely_read(equation.expr))
        operation = operation_of(equation.expr)
        if operation is None or operation.indices is None:
            continue
        atoms = operands(equation.expr)
        k, first, last = operation.indices(tuple(atom_type(a, step.types) for a in atoms), statics(equation.expr))
        source, part, sign, offset = _source(definitions, atoms[k])
        if source in step.inputs and batch not in sizes_of(last) | sizes_of(offset):
            found.append(Range(source.name, part, sign, offset, first, last, *_where(equation.origin)))
    return tuple(reversed(found))


def _source(definitions: dict[Symbol, Equation], atom: Basic) -> tuple[Basic, tuple[Any, ...], int, Size]:
    """What an atom's elements are taken from, the part of it that they are, and the sign and offset they get."""
    part: tuple[Any, ...] = ()
    sign: int = 1
    offset: Size = 0

    def known(a: Basic) -> Size | None:
        return known_size(a, definitions[a].expr if a in definitions else None)

    while isinstance(atom, Symbol) and atom in definitions:
        expr = definitions[atom].expr
        moved = shifted(expr, known)
        if moved is not None:
            atom, sign, offset = moved[0], sign * moved[1], offset + sign * moved[2]
            continue
        found, axes = taken_from(expr), permuted(expr)
        if found is None or (part and axes is None):
            break
        if part and axes is not None:
            part = tuple(part[axes.index(k)] for k in range(len(axes)))
        atom, part = found[0], part or found[1]
    return atom, part, sign, offset


def _constant_places(graph: Graph) -> Iterator[tuple[Equation, int, Size, Size]]:
    """Indices that no input decides: where they stand, the index, the first and the last that there is."""
    for equation in graph.equations:
        operation = operation_of(equation.expr)
        if operation is None or operation.indices is None:
            continue
        atoms = operands(equation.expr)
        k, first, last = operation.indices(tuple(atom_type(a, graph.types) for a in atoms), statics(equation.expr))
        for value in _constant_values(graph, atoms[k]):
            yield equation, value, first, last


def _constant_values(graph: Graph, atom: Basic) -> list[int]:
    """The least and the largest element of what depends on no input and no size."""
    if not isinstance(atom, Symbol):
        return [int(atom)]
    part = focus(graph, (atom,)) if atom not in graph.leaves() else graph
    if part.leaves() or any(sizes_of(d) for t in part.types.values() for d in t.shape):
        return []
    primitive = expand(part)
    found = evaluate(primitive, {}, primitive.outputs)[primitive.outputs[0]]
    return [int(found.min()), int(found.max())] if found.size else []


def _where(origin: Origin) -> tuple[int | None, int | None, str | None]:
    """Line, column and text of what an equation was read from."""
    span = origin.at or origin.span
    return (span.line, span.column, span.source_line) if span else (None, None, None)


# --- training --------------------------------------------------------------------------------------------------------


@uncollected()
def compile_training(graph: Graph, dtype: str, optimizer: Any, work: Compilation) -> Artifact:
    """Generate the training loop of a program."""
    step = work.run("optimize", lambda g: training_graph(g, optimizer), graph)
    kept = (step.outputs[0], *step.metrics)
    learning = focus_updates(step)
    lowered = work.lower(work.stabilised(learning))
    leaves = (*learning.inputs, *learning.params, *learning.states)
    start = time.perf_counter()
    writer = ModuleWriter(dtype, step.sizes)
    layout = write_training(writer, lowered.replace(outputs=kept[:1]))
    source = writer.text(_title(step).replace("gradients", "its training"))
    work.history.append(Stage("generate", lowered, time.perf_counter() - start))
    return Artifact(
        source=source, dtype=dtype, entries=tuple(writer.entries), leaves=tuple(_leaf(step, s) for s in leaves),
        outputs=tuple(s.name for s in kept), output_kinds=("real",) * len(kept),
        sizes=step.sizes, checks=_checks(focus(step, kept)), ranges=_ranges(step, kept, layout.batch), layout=layout,
        training=tuple((k, float(v)) for k, v in graph.training),
        data=(graph.data.file, graph.data.columns) if graph.data is not None else None,
    )  # fmt: skip


def share_training(artifact: Artifact, work: Compilation) -> Artifact:
    """The same loop for several threads: of what `compile_training` made in this compilation, a program about batches."""
    lowered = work.history[-1].graph
    writer = ModuleWriter(artifact.dtype, lowered.sizes)
    write_shared_training(writer, lowered.replace(outputs=lowered.outputs[:1]))
    source = writer.text(_title(work.graph).replace("gradients", "its training"))
    return replace(artifact, source=source, entries=tuple(writer.entries))


def complete_leaves(graph: Graph, leaves: tuple[Leaf, ...], sizes: dict[str, int]) -> tuple[Leaf, ...]:
    """Leaves with the initial values that only the sizes could tell."""
    by_name = {s.name: s for s in graph.types}
    found = []
    for leaf in leaves:
        if leaf.initial is None and by_name.get(leaf.name) in graph.initial:
            s = by_name[leaf.name]
            leaf = replace(leaf, initial=(graph.initial[s].distribution, initial_arguments(graph, s, sizes)))
        found.append(leaf)
    return tuple(found)
