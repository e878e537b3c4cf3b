"""The lines of a derivation, in one notation.

In: a derivation and a pen.  Out: `Table`: lines of forward, backward and gradient.
Always holds: the seed 1 is not written; every other contribution is cotangent times factor, a factor 1 written out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Basic, Symbol

from graphc.explain.derivation import Derivation, Step
from graphc.explain.pen import Derivative, Pen
from graphc.graph.graph import Graph, symbols_of
from graphc.graph.types import Type
from graphc.language.formula import Text, spell, spell_expression
from graphc.language.writer import ATOM


@dataclass(frozen=True)
class Line:
    """`left = right` or `left += right`, with its shape and its number where they are shown."""

    left: str
    sign: str
    right: str
    shape: str = ""
    number: str = ""


@dataclass(frozen=True)
class Table:
    """A derivation's three parts."""

    forward: tuple[Line, ...]
    backward: tuple[Line, ...]
    gradient: tuple[Line, ...]


def table(derivation: Derivation, pen: Pen) -> Table:
    """All lines."""
    writer = _Writer(derivation, pen)
    return Table(tuple(writer.forward()), tuple(writer.backward()), tuple(writer.gradient()))


class _Writer:
    def __init__(self, derivation: Derivation, pen: Pen) -> None:
        self.of = derivation
        self.pen = pen
        self.arrays = any(t.shape for t in derivation.graph.types.values())

    def forward(self) -> list[Line]:
        """What is given, where numbers are shown, and the equations."""
        pen, numbers, lines = self.pen, self.of.numbers, []
        if numbers is not None:
            for s in self.of.graph.leaves():
                lines.append(Line(pen.name(s), "=", numbers.symbols[s] or "...", self._shape(self.of.types[s])))
        for e in self.of.graph.equations:
            right = spell_expression(e.expr, self.of.types, pen.atom, pen.written)[0]
            number = numbers.symbols[e.target] if numbers is not None else ""
            lines.append(Line(pen.name(e.target), "=", right, self._shape(self.of.types[e.target]), number))
        return lines

    def backward(self) -> list[Line]:
        """The contributions, in the order they were recorded."""
        lines = []
        for step in self.of.steps:
            left = self.pen.derivative(Derivative(self.of.value, step.target))
            to = self.of.types[step.target]
            right = self.pen.total(self._contribution(step, to), step.full, to)[0]
            lines.append(Line(left, "+=", right, self._shape(to), step.number))
        return lines

    def _contribution(self, step: Step, to: Type) -> Text:
        pen, of = self.pen, self.of
        atom = step.factor if step.term is None else step.term
        assert atom is not None
        text = spell(atom, of.definitions, of.types, pen.atom, pen.operation)
        if step.term is not None or step.cotangent is None:
            return text
        cotangent = (pen.derivative(step.cotangent), ATOM)
        if atom == 1 and step.full.shape != to.shape:
            return cotangent
        return pen.product(cotangent, text)

    def gradient(self) -> list[Line]:
        """Formulas of named values and of each derivative, or the equations of the gradient's program."""
        pen, found, numbers = self.pen, self.of.gradient, self.of.numbers
        hidden = {} if found.inlined else _at_the_end(found.graph)
        lines = self._named() if found.inlined else self._program(hidden)
        for output, s in zip(found.graph.outputs, found.variables, strict=True):
            left = pen.derivative(Derivative(self.of.value, s))
            if found.inlined:
                right = found.formula(output, pen)
            else:
                right = self._expression(hidden.get(output, output))
            number = numbers.gradients[s] if numbers is not None else ""
            lines.append(Line(left, "=", right, self._shape(self.of.types[s]), number))
        return lines

    def _named(self) -> list[Line]:
        found, pen = self.of.gradient, self.pen
        return [Line(pen.name(s), "=", found.formula(s, pen), self._shape(found.graph.types[s])) for s in found.parts]

    def _program(self, hidden: Mapping[Symbol, Basic]) -> list[Line]:
        graph = self.of.gradient.graph
        left_out = {*hidden, *hidden.values()}
        return [
            Line(self.pen.name(e.target), "=", self._expression(e.expr), self._shape(graph.types[e.target]))
            for e in graph.equations
            if e.target not in left_out and e.expr not in left_out
        ]

    def _expression(self, expr: Basic) -> str:
        return spell_expression(expr, self.of.gradient.graph.types, self.pen.atom, self.pen.operation)[0]

    def _shape(self, type_: Type) -> str:
        return self.pen.shape(type_) if self.arrays else ""


def _at_the_end(graph: Graph) -> dict[Symbol, Basic]:
    """Outputs that no equation uses, with their right-hand sides; behind an alias that of what only it uses."""
    uses = Counter(s for e in graph.equations for s in symbols_of(e.expr))
    definitions = {e.target: e.expr for e in graph.equations}
    found: dict[Symbol, Basic] = {}
    for output in graph.outputs:
        expr = definitions.get(output)
        if expr is None or uses[output]:
            continue
        if uses[expr] == 1 and expr in definitions and expr not in graph.outputs:
            expr = definitions[expr]
        found[output] = expr
    return found
