"""From a program to one step of its training.

In: a program's graph.  Out: the graph of a step: loss, metrics, next values of parameters and states.
Always holds: parameters that have a prime keep it; the optimizer of the program (or the one asked for, or plain sgd)
takes the others; a program of numbers becomes one about a batch, its objective a mean.
"""

from __future__ import annotations

from sympy import Basic, Symbol

from graphc.errors import GraphcError, ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Graph, Optimizer, focus, operands, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Type, size_named
from graphc.language.expand import with_optimizer
from graphc.language.reader import checked_optimizer, parse
from graphc.ops import AVERAGE


def batched(graph: Graph, size: str = "n") -> Graph:
    """A program of scalars as one of a batch: inputs get an axis of examples, the objective becomes its mean."""
    value = graph.objective or graph.outputs[0]
    while size in {s.name for s in graph.types} | set(graph.sizes):
        size += "_"
    builder = Builder()
    builder.reserve(s.name for s in graph.types)
    builder.reserve([size])
    mapped: dict[Basic, Basic] = {}
    for s in graph.inputs:
        builder.types[s] = Type((size_named(size),), graph.types[s].kind)
    for s in (*graph.params, *graph.states):
        builder.types[s] = graph.types[s]
    summary = {value, *graph.metrics}
    for equation in graph.equations:
        builder.origin = equation.origin
        _lift(builder, equation, mapped, equation.target in summary)
    return builder.graph(
        graph,
        sizes=(*graph.sizes, size),
        outputs=tuple(mapped.get(o, o) for o in graph.outputs),
        objective=mapped.get(value, value),
        updates=tuple((owner, mapped.get(v, v)) for owner, v in graph.updates),
        metrics=tuple(mapped.get(m, m) for m in graph.metrics),
    )


def _lift(builder: Builder, equation: Equation, mapped: dict[Basic, Basic], mean: bool) -> None:
    """One equation over examples; a value that is minimised or measured is averaged, under its own name."""
    operation = operation_of(equation.expr)
    atoms = tuple(mapped.get(a, a) for a in operands(equation.expr) if a is not equation.expr or operation is None)
    name = builder.fresh() if mean else equation.target.name
    if operation is None:
        result = builder.bind(name, atoms[0])
    else:
        result = builder.apply(operation, atoms, statics(equation.expr), name)
    if mean:
        result = AVERAGE(builder, result, equation.target.name)
    mapped[equation.target] = result


def training_graph(graph: Graph, optimizer: str | None = None) -> Graph:
    """The graph of one step: loss, metrics, next values."""
    if not graph.params:
        raise GraphcError("the program has no parameters to train", hint="param W[784, 10] ~ glorot")
    value = graph.objective or graph.outputs[0]
    if graph.types[value].shape != ():
        raise ShapeError(f"{value.name} is an array; only a number is minimised", hint=f"minimize mean({value.name})")
    if graph.inputs and all(graph.types[s].shape == () for s in graph.inputs):
        graph = batched(graph)
        value = graph.objective or graph.outputs[0]
    graph = graph.replace(objective=value, outputs=(value,))
    primed = {owner for owner, _ in graph.updates}
    if optimizer is not None or not primed >= set(graph.params):
        chosen = parse_optimizer(optimizer) if optimizer is not None else graph.optimizer
        if chosen is None and primed:
            return graph  # primes alone: the other parameters stay as they are
        graph = with_optimizer(graph, chosen or Optimizer("sgd"))
    return graph


def parse_optimizer(text: str) -> Optimizer:
    """sgd, or adam(lr=1e-3)."""
    try:
        found = parse(f"param w = 0; minimize w^2 with {text}").optimizer
    except ParseError as error:
        raise ParseError(f"optimizer {text!r}: {error.message}", hint=error.hint or "adam(lr=1e-3)") from None
    assert found is not None
    return checked_optimizer(found.name, found.arguments)


def focus_updates(step: Graph) -> Graph:
    """The part of a step that its loss, metrics and next values need."""
    values = tuple(v for _, v in step.updates if isinstance(v, Symbol))
    owners = {owner for owner, _ in step.updates}
    part = focus(step, tuple(dict.fromkeys((*step.outputs, *step.metrics, *values))))
    keep_params = tuple(s for s in step.params if s in part.params or s in owners)
    keep_states = tuple(s for s in step.states if s in part.states or s in owners)
    types = {**part.types, **{s: step.types[s] for s in (*keep_params, *keep_states)}}
    return part.replace(
        params=keep_params, states=keep_states, types=types, outputs=step.outputs[:1], updates=step.updates,
        metrics=step.metrics, initial=step.initial, objective=step.outputs[0],
    )  # fmt: skip
