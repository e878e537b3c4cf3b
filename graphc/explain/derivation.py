"""The derivation of a gradient: what reverse mode did, in the order it did it.

In: a graph, what to differentiate for, optionally numbers.  Out: `Derivation`, printed as text, Markdown, LaTeX, HTML.
Always holds: every contribution that reverse mode recorded is one step, before anything is folded; time and size are
linear in the equations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Basic, Integer, Symbol

from graphc.differentiate.program import expand_gradients, the_value
from graphc.differentiate.reverse import Adjoints, Contribution, constants, reverse, varying
from graphc.errors import GraphcError
from graphc.explain.gradient import Gradient, simplified_gradient
from graphc.explain.numbers import Numbers, number_text, numbers_at
from graphc.explain.pen import Derivative
from graphc.graph.builder import Builder, symbol
from graphc.graph.graph import Equation, Graph, focus, operands, statics
from graphc.graph.operation import Linearization, operation_of
from graphc.graph.types import Type
from graphc.language.names import plain_name
from graphc.ops.algebra import along, unbroadcast


@dataclass(frozen=True)
class Step:
    """`d value/d target += cotangent * factor`, or `+= term` where the rule is no product.

    The term is written for a cotangent of the name dJ/dv (in `Derivation.cotangents`), the number 1 at the seed.
    `full` is the type before the sum that undoes broadcasting, `number` the contribution's value.
    """

    target: Symbol
    cotangent: Derivative | None
    factor: Basic | None
    term: Basic | None
    full: Type
    number: str = ""


@dataclass(frozen=True)
class Derivation:
    """A derivation, ready to be printed in any notation."""

    graph: Graph
    value: Symbol
    steps: tuple[Step, ...]
    types: Mapping[Symbol, Type]
    definitions: Mapping[Symbol, Basic]
    cotangents: Mapping[Symbol, Derivative]
    gradient: Gradient
    numbers: Numbers | None = None

    def text(self) -> str:
        """As plain text: forward and backward side by side, the simplified gradient below."""
        from graphc.explain.text import as_text

        return as_text(self)

    __str__ = text

    def markdown(self) -> str:
        """As Markdown tables."""
        from graphc.explain.markdown import as_markdown

        return as_markdown(self)

    def latex(self) -> str:
        """As LaTeX, for a document that uses amsmath."""
        from graphc.explain.latex import as_latex

        return as_latex(self)

    def html(self) -> str:
        """As an HTML page of its own, without scripts."""
        from graphc.explain.html import as_html

        return as_html(self)


def derive(
    program: Graph, wrt: Iterable[str | Symbol] | str | None = None, at: Mapping[str, Any] | None = None
) -> Derivation:
    """Derive the gradient of a program's value; `at` gives numbers to put beside the symbols."""
    whole = expand_gradients(program)
    value, variables = the_value(whole), differentiated(whole, wrt)
    graph = focus(whole, (value,))
    builder = Builder()
    builder.adopt(graph)
    builder.types.update({s: whole.types[s] for s in variables})
    adjoints = reverse(builder, graph.equations, value, variables)
    replay = _Replay(builder, graph, value, variables)
    steps = tuple(replay.step(c) for c in adjoints.contributions)
    gradient = simplified_gradient(program, variables, value)
    numbers = None
    if at is not None:
        numbers = numbers_at(graph, gradient, at)
        steps = _with_numbers(builder, graph, numbers, adjoints, steps)
    definitions = {e.target: e.expr for e in builder.equations[len(graph.equations) :]}
    return Derivation(graph, value, steps, builder.types, definitions, replay.cotangents, gradient, numbers)


def differentiated(graph: Graph, wrt: Iterable[str | Symbol] | str | None) -> tuple[Symbol, ...]:
    """What to differentiate for: what is named, else the parameters, else the real inputs; GraphcError for none."""
    if wrt is None:
        chosen = graph.params or tuple(s for s in graph.inputs if graph.types[s].kind == "real")
        if not chosen:
            raise GraphcError("the program has no parameters or real inputs to differentiate for", hint="input x; x^2")
        return chosen
    named = [wrt] if isinstance(wrt, (str, Symbol)) or not hasattr(wrt, "__iter__") else list(wrt)
    known = {s.name: s for s in graph.leaves()}
    found = []
    for name in (plain_name(str(s)) for s in named):
        if name not in known:
            raise GraphcError(
                f"{name} is no input or parameter of the program", hint=f"there are {', '.join(known) or 'none'}"
            )
        found.append(known[name])
    return tuple(found)


class _Replay:
    """Turns contributions into steps; rules of operations on arrays are run again, for a cotangent with a name."""

    def __init__(self, builder: Builder, graph: Graph, value: Symbol, variables: tuple[Symbol, ...]) -> None:
        self.builder = builder
        self.value = value
        self.cotangents: dict[Symbol, Derivative] = {}
        self.constants = constants(graph.equations, variables)
        self.terms: dict[Symbol, tuple[Any, ...]] = {}

    def step(self, c: Contribution) -> Step:
        owner = c.equation.target
        cotangent = Derivative(self.value, owner) if owner != self.value else None
        operation = operation_of(c.equation.expr)
        full = self.builder.types[owner]
        if c.factor is not None:
            return Step(c.target, cotangent, c.factor, None, full)
        term = self._terms(c.equation)[c.operand].atom
        if operation is not None and not operation.elementwise:
            full = self.builder.type_of(term)
        return Step(c.target, cotangent, None, term, full)

    def _terms(self, equation: Equation) -> tuple[Any, ...]:
        if equation.target not in self.terms:
            builder, operation = self.builder, operation_of(equation.expr)
            assert operation is not None
            assert operation.pullback is not None
            atoms = operands(equation.expr)
            at = Linearization(
                builder.value(equation.target),
                tuple(builder.value(a) for a in atoms),
                builder.value(self._cotangent(equation.target)),
                statics(equation.expr),
                varying(atoms, self.constants),
            )
            self.terms[equation.target] = tuple(operation.pullback(at))
        return self.terms[equation.target]

    def _cotangent(self, owner: Symbol) -> Basic:
        if owner == self.value:
            return Integer(1)
        s = symbol(self.builder.fresh(f"d{self.value.name}/d{owner.name}"))
        self.builder.types[s] = Type(self.builder.types[owner].shape, "real")
        self.cotangents[s] = Derivative(self.value, owner)
        return s


def _with_numbers(
    builder: Builder, graph: Graph, numbers: Numbers, adjoints: Adjoints, steps: tuple[Step, ...]
) -> tuple[Step, ...]:
    """The steps with the value of each contribution, in the shape of its target."""
    atoms = [
        unbroadcast(builder, along(builder, c.term, step.full), builder.types[c.target].shape)
        for c, step in zip(adjoints.contributions, steps, strict=True)
    ]
    whole = builder.graph(graph)
    values = numbers.evaluated(whole, tuple(a for a in atoms if isinstance(a, Symbol)))
    shown = (number_text(values[a] if isinstance(a, Symbol) else float(a)) for a in atoms)
    return tuple(
        Step(s.target, s.cotangent, s.factor, s.term, s.full, text) for s, text in zip(steps, shown, strict=True)
    )
