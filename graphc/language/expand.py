"""Prelude definitions put into graphs: composite operations, and optimizers.

In: a graph.  Out: a graph without composite operations, or with the primes of its optimizer.
Always holds: the definitions are the prelude's (or the program's own) text; targets keep their names.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer, Symbol

from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Graph, Optimizer, Origin, operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.language.machine import Frame
from graphc.language.macros import prelude
from graphc.language.parser import Definition, parse_statements
from graphc.language.reader import Reader
from graphc.ops import GRADIENT


def is_composite(operation: Operation | None) -> bool:
    """True for an operation whose meaning is other operations: the prelude's definition, or the record's own."""
    return operation is not None and (
        operation.expand is not None or (operation.lowering is None and operation.name in prelude())
    )


def expand(graph: Graph) -> Graph:
    """Every composite operation replaced by the equations of its definition."""
    if not any(is_composite(operation_of(e.expr)) for e in graph.equations):
        return graph
    builder = Builder(simplify=True)
    builder.take_leaves(graph)
    for equation in graph.equations:
        operation = operation_of(equation.expr)
        if is_composite(operation):
            assert operation is not None
            _instantiate(builder, operation, equation)
        else:
            builder.add(equation, graph.types[equation.target])
    return builder.graph(graph)


def _instantiate(builder: Builder, operation: Operation, equation: Equation) -> None:
    builder.origin = Origin(operation.name, (equation.target,))
    if operation.expand is not None:
        given = [builder.value(a) for a in operands(equation.expr)]
        made = operation.expand(*given, *statics(equation.expr))
        builder.add(Equation(equation.target, made.atom, builder.origin), made.type)
        return
    definition = prelude()[operation.name]
    values = list(operands(equation.expr)) + [_value(s) for s in statics(equation.expr)]
    env = {name: value for (name, _), value in zip(definition.parameters, values, strict=True)}
    reader = Reader("", builder)
    result = reader.run(Frame(definition.body, definition.origin, env, "", equation.target.name, operation.name))
    if result != equation.target:
        builder.add(Equation(equation.target, result, builder.origin), builder.type_of(result))


def _value(static: Any) -> Any:
    """A static argument as the reader has values."""
    if isinstance(static, tuple):
        return tuple(_value(s) for s in static)
    if isinstance(static, int) and not isinstance(static, bool):
        return Integer(static)
    return static


def with_optimizer(graph: Graph, optimizer: Optimizer) -> Graph:
    """The graph with a prime for each parameter that has none, by the optimizer's definition."""
    assert graph.objective is not None
    builder = Builder()
    builder.adopt(graph)
    reader = Reader("", builder)
    reader.sizes = dict.fromkeys(graph.sizes)
    reader.params, reader.states = list(graph.params), list(graph.states)
    definition = _definition(optimizer)
    primed = {owner for owner, _ in graph.updates}
    for param in graph.params:
        if param in primed:
            continue
        builder.origin = Origin(optimizer.name, (param,))
        gradient = builder.apply(GRADIENT, (graph.objective, param))
        env: dict[str, Any] = {"w": param, "g": gradient}
        for name, default in definition.parameters[2:]:
            given = dict(optimizer.arguments).get(name)
            env[name] = given if given is not None else reader.constant(default or [], definition.origin)
        reader.run(Frame(definition.body, definition.origin, env, param.name, None, optimizer.name))
    updates: dict[Symbol, Basic] = {**dict(graph.updates), **reader.updates}
    return builder.graph(
        graph,
        states=tuple(reader.states),
        initial={**graph.initial, **reader.initial},
        updates=tuple(updates.items()),
        optimizer=None,
    )


def _definition(optimizer: Optimizer) -> Definition:
    if optimizer.source is None:
        return prelude()[optimizer.name]
    statements, _ = parse_statements(optimizer.source)
    definition: Definition = statements[0].data
    return definition
