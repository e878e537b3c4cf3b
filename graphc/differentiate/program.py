"""Derivatives of programs, to any order.

In: a graph, the symbols to differentiate for, and a pass that makes programs safe at the extremes.  Out: a graph whose
outputs are the derivatives, or, of a program with derivatives inside, the same program without.
Always holds: the result is a graph as any other: it can be differentiated again; derivatives have names of their own:
x_bar for a gradient, x_dot for a direction, dy_dx for a Jacobian, d2y_dx_dz for a block of a Hessian; where `stabilise`
is given, each level of differentiation is of a stabilised program, so that derivatives of all orders are as safe as the
first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Basic, Integer, Symbol

from graphc.differentiate.forward import push_forward
from graphc.differentiate.jacobian import Jacobians
from graphc.differentiate.reverse import Adjoints, pull_back, reverse
from graphc.errors import DerivativeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Graph, Origin, needed, operands, symbols_of
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Type, shape_text
from graphc.ops import DERIVATIVES, GRADIENT, JACOBIAN, PULLED, PUSHED
from graphc.ops.algebra import along, real

Stabilise = Callable[[Graph, frozenset[Symbol]], Graph]  # the symbols are those that are differentiated for


def gradient(
    graph: Graph, wrt: tuple[Symbol, ...], value: Symbol | None = None, stabilise: Stabilise | None = None
) -> Graph:
    """The graph whose outputs are the gradients of its value; DerivativeError where it has none."""
    graph, builder = _started(graph, wrt, stabilise)
    adjoints = reverse(builder, graph.equations, value or the_value(graph), wrt)
    return _derived(builder, graph, _gradients(builder, adjoints, wrt))


def vjp(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise | None = None) -> Graph:
    """The graph of sum(y_bar * dy/dx) for each x: the outputs' cotangents y_bar are inputs of theirs shapes."""
    graph, builder = _started(graph, wrt, stabilise)
    cotangents = {s: builder.declare(builder.fresh(f"{s.name}_bar"), Type(graph.types[s].shape)) for s in graph.outputs}
    adjoints = pull_back(builder, graph.equations, cotangents, wrt)
    inputs = (*graph.inputs, *cotangents.values())
    return _derived(builder, graph, _gradients(builder, adjoints, wrt), inputs)


def jvp(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise | None = None) -> Graph:
    """The graph of sum(dy/dx * x_dot) over all x, for each output y: the directions x_dot are inputs of x's shape."""
    graph, builder = _started(graph, wrt, stabilise)
    directions = {s: builder.declare(builder.fresh(f"{s.name}_dot"), builder.types[s]) for s in wrt}
    tangents = push_forward(builder, tuple(builder.equations), directions)
    outputs = tuple(
        _named(builder, f"{y.name}_dot", tangents.get(y), Origin("tangent", (y,)), y) for y in graph.outputs
    )
    return _derived(builder, graph, outputs, (*graph.inputs, *directions.values()))


def hvp(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise | None = None) -> Graph:
    """The graph of the Hessian's product with a direction, for each x: forward mode over reverse mode."""
    return jvp(gradient(graph, wrt, None, stabilise), wrt, stabilise)


def jacobian(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise | None = None) -> Graph:
    """The graph of dy/dx, of y's shape followed by x's, for each output y and each x in turn."""
    names = [f"d{y.name}" for y in graph.outputs]
    return _blocks(graph, wrt, names, stabilise)


def hessian(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise | None = None) -> Graph:
    """The graph of the second derivatives, a block of shape x's followed by z's for each x and z in turn."""
    names = [f"d2{the_value(graph).name}_d{x.name}" for x in wrt]
    return _blocks(gradient(graph, wrt, None, stabilise), wrt, names, stabilise)


def the_value(graph: Graph) -> Symbol:
    """What is differentiated: what is minimised, else the single output; DerivativeError if that is no number."""
    value = graph.objective or graph.outputs[0]
    if graph.objective is None and len(graph.outputs) > 1:
        names = ", ".join(s.name for s in graph.outputs)
        raise DerivativeError(
            f"the program has several outputs ({names})", hint="say which to differentiate: minimize J"
        )
    if graph.types[value].shape != ():
        raise DerivativeError(
            f"{value.name} has shape {shape_text(graph.types[value].shape)}; only a number has a gradient",
            hint=f"sum({value.name}) or mean({value.name}) makes a number of it; an array has a jacobian",
        )
    return value


# --- parts -----------------------------------------------------------------------------------------------------------


def _started(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise | None) -> tuple[Graph, Builder]:
    """The program without derivatives inside, and a builder to go on with."""
    graph = expand_gradients(graph) if stabilise is None else safe_to_differentiate(graph, wrt, stabilise)
    builder = Builder(simplify=True)
    builder.adopt(graph)
    return graph, builder


def safe_to_differentiate(graph: Graph, wrt: tuple[Symbol, ...], stabilise: Stabilise) -> Graph:
    """Stabilised, and without derivatives inside, each level of which is stabilised too."""
    opaque = frozenset(wrt)
    safe = stabilise(graph, opaque)
    whole = expand_gradients(safe, lambda g: stabilise(g, opaque))
    return safe if whole is safe else stabilise(whole, opaque)


def _blocks(graph: Graph, wrt: tuple[Symbol, ...], names: list[str], stabilise: Stabilise | None) -> Graph:
    """The graph of the Jacobians of all outputs, a block for each output and each x in turn."""
    graph, builder = _started(graph, wrt, stabilise)
    found = Jacobians(builder, wrt)
    outputs = tuple(
        _named(builder, f"{name}_d{x.name}", found.of(y, x), Origin("jacobian", (y, x)))
        for y, name in zip(graph.outputs, names, strict=True)
        for x in wrt
    )
    return _derived(builder, graph, outputs)


def _gradients(builder: Builder, adjoints: Adjoints, wrt: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
    """Gradients in the shapes of their symbols; zeros where nothing depends on them."""
    found = adjoints.adjoint
    return tuple(_named(builder, f"{s.name}_bar", found.get(s), Origin("gradient", (s,)), s) for s in wrt)


def _named(builder: Builder, stem: str, atom: Basic | None, origin: Origin, like: Symbol | None = None) -> Symbol:
    """The atom (0 for None) under a name of its own, in the shape of `like`."""
    builder.origin = origin
    atom = Integer(0) if atom is None else atom
    if like is not None:
        atom = along(builder, atom, Type(builder.types[like].shape))
    if isinstance(atom, Symbol) and atom.name.startswith(stem):
        return atom
    bound = builder.bind(builder.fresh(stem), atom)
    assert isinstance(bound, Symbol)
    return bound


def _derived(
    builder: Builder, graph: Graph, outputs: tuple[Symbol, ...], inputs: tuple[Symbol, ...] | None = None
) -> Graph:
    """The graph of the derivatives: what a program says of training is no part of it."""
    found = builder.graph(
        graph,
        inputs=graph.inputs if inputs is None else inputs,
        outputs=outputs,
        updates=(),
        objective=None,
        optimizer=None,
        metrics=(),
        data=None,
        training=(),
    )
    return _without_unused(found, (*outputs, *(e.target for e in graph.equations)))


def _without_unused(graph: Graph, kept: tuple[Symbol, ...]) -> Graph:
    """Without factors that were made for operands that depend on nothing that is differentiated for."""
    equations = needed(graph, kept)
    types = {s: graph.types[s] for s in (*graph.leaves(), *(e.target for e in equations))}
    return graph.replace(equations=equations, types=types)


# --- derivatives inside a program ------------------------------------------------------------------------------------


def expand_gradients(graph: Graph, between: Callable[[Graph], Graph] | None = None) -> Graph:
    """Without `grad(J, W)` and its kin inside: each is replaced by its equations, the first ones first.

    Derivatives of derivatives are taken level by level, each of what `between` makes of the program so far.
    """
    while any(operation_of(e.expr) in DERIVATIVES for e in graph.equations):
        later = _later(graph) if between is not None else frozenset()
        graph = _Expansion(graph, later).run()
        if between is not None and later:
            graph = between(graph)
    return graph


def _later(graph: Graph) -> frozenset[Symbol]:
    """The derivatives that depend on others."""
    depend: set[Symbol] = set()
    later: set[Symbol] = set()
    for equation in graph.equations:
        derivative = operation_of(equation.expr) in DERIVATIVES
        after = any(s in depend for s in symbols_of(equation.expr))
        if derivative and after:
            later.add(equation.target)
        if derivative or after:
            depend.add(equation.target)
    return frozenset(later)


class _Expansion:
    """One pass over a program's equations, but for the derivatives `later`; a reverse sweep is made once for each value
    and cotangent."""

    def __init__(self, graph: Graph, later: frozenset[Symbol]) -> None:
        self.graph, self.later = graph, later
        self.builder = builder = Builder(simplify=True)
        builder.take_leaves(graph)
        self.swept: dict[tuple[Basic, Basic], Adjoints] = {}
        self.variables: dict[tuple[Basic, Basic], tuple[Symbol, ...]] = {}
        for equation in graph.equations:
            operation = operation_of(equation.expr)
            if operation in (GRADIENT, PULLED) and equation.target not in later:
                key, x = _reverse_key(equation), _variable(equation)
                self.variables[key] = (*self.variables.get(key, ()), x)

    def run(self) -> Graph:
        builder, graph = self.builder, self.graph
        for equation in graph.equations:
            operation = operation_of(equation.expr)
            if operation not in DERIVATIVES or equation.target in self.later:
                builder.add(equation, graph.types[equation.target])
                continue
            builder.origin = Origin(operation.name, tuple(a for a in operands(equation.expr) if isinstance(a, Symbol)))
            found = self._derivative(operation, equation)
            found = real(builder, Integer(0) if found is None else found)  # it was read as a real one
            found = along(builder, found, graph.types[equation.target])
            builder.add(Equation(equation.target, found, equation.origin), graph.types[equation.target])
        return _without_unused(builder.graph(graph), tuple(e.target for e in graph.equations))

    def _derivative(self, operation: Operation, equation: Equation) -> Basic | None:
        value, x = operands(equation.expr)[0], _variable(equation)
        if not isinstance(value, Symbol):
            return None
        so_far = tuple(self.builder.equations)
        if operation is JACOBIAN:
            return Jacobians(self.builder, (x,)).of(value, x)
        if operation is PUSHED:
            return push_forward(self.builder, so_far, {x: operands(equation.expr)[2]}).get(value)
        key = _reverse_key(equation)
        if key not in self.swept:
            self.swept[key] = pull_back(self.builder, so_far, {value: key[1]}, self.variables[key])
        return self.swept[key].adjoint.get(x)


def _reverse_key(equation: Equation) -> tuple[Basic, Basic]:
    """Value and cotangent of a reverse sweep."""
    value, _, *cotangent = operands(equation.expr)
    return value, cotangent[0] if cotangent else Integer(1)


def _variable(equation: Equation) -> Symbol:
    x: Any = operands(equation.expr)[1]
    if not isinstance(x, Symbol):
        operation = operation_of(equation.expr)
        assert operation is not None
        raise DerivativeError(
            f"{operation.written} differentiates for a name, not for {x}", hint="J = ...; W' = W - 0.1*grad(J, W)"
        )
    return x
