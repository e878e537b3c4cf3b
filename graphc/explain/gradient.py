"""The gradient that a derivation ends with, and other derivatives: simplified, as formulas where they are short.

In: a graph, its value, what to differentiate for.  Out: `Gradient`.
Always holds: a formula is shown only if it is complete and at most `LONGEST` (`SHORT`) characters; else the program is,
whose names mean nothing else than in the program that was differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from sympy import Basic, Symbol

from graphc.differentiate.program import Stabilise, expand_gradients, gradient
from graphc.explain.pen import Pen
from graphc.graph.builder import symbol
from graphc.graph.graph import Equation, Graph, atom_type, focus, statics, symbols_of
from graphc.graph.operation import operation_of
from graphc.graph.types import Size, Type
from graphc.language.formula import Text, arguments_of, spell
from graphc.ops.readable import REPEATED, RESHAPED, reading, reads_as_part
from graphc.ops.shape import broadcast_shapes
from graphc.rewrite import readable, simplify, stabilise

Derive = Callable[[Graph, tuple[Symbol, ...], Stabilise], Graph]
LONGEST, SHORT = 200, 72  # characters of a formula; of arrays it is read with less ease


@dataclass(frozen=True)
class Gradient:
    """The gradient's program; its outputs are the derivatives for `variables`.  `inlined`: shown as formulas, those of
    `shown`, which is the same for readers."""

    graph: Graph
    variables: tuple[Symbol, ...]
    shown: Graph

    @cached_property
    def inlined(self) -> bool:
        return _short(self.shown)


def simplified_gradient(graph: Graph, variables: tuple[Symbol, ...], value: Symbol) -> Gradient:
    """Stabilise, differentiate and simplify, as the compiler does."""
    return simplified_derivatives(graph, variables, lambda g, wrt, stabilise: gradient(g, wrt, value, stabilise))


def simplified_derivatives(graph: Graph, variables: tuple[Symbol, ...], derive: Derive) -> Gradient:
    """The same with `jacobian` or `hessian`, whose outputs are more than one for a variable."""
    found = simplify(derive(graph, variables, stabilise))
    found = _apart(focus(found, found.outputs), expand_gradients(graph))
    return Gradient(found, variables, readable(found) if _length(found) <= 4 * LONGEST else found)


def _apart(found: Graph, graph: Graph) -> Graph:
    """The gradient's program, where a name never means something else than in the program itself."""
    known = {e.target: e.expr for e in graph.equations}
    taken = {s.name for s in (*graph.types, *found.types)}
    fresh = (symbol(f"v{k}") for k in count(len(graph.equations) + 1) if f"v{k}" not in taken)
    new: dict[Basic, Symbol] = {}
    equations = []
    for e in found.equations:
        arguments = tuple(new.get(a, a) for a in e.expr.args)
        expr = Basic.__new__(type(e.expr), *arguments) if arguments else new.get(e.expr, e.expr)
        if e.target in known and known[e.target] != expr and e.target not in found.outputs:
            new[e.target] = next(fresh)
        equations.append(Equation(new.get(e.target, e.target), expr, e.origin))
    types = {new.get(s, s): t for s, t in found.types.items()}
    return found.replace(equations=tuple(equations), types=types)


def formula(found: Graph, output: Symbol, pen: Pen | None = None) -> str:
    """A derivative with everything put in; products of matrices as they are read."""
    return _Formulas(found, pen or Pen({})).of(output)


class _Formulas:
    """Formulas of a graph.  A number that is repeated stands for the array where elements are read, which broadcasts;
    where the array's shape is read, `whole` is its text."""

    def __init__(self, graph: Graph, pen: Pen) -> None:
        self.graph, self.pen = graph, pen
        self.definitions = {e.target: e.expr for e in graph.equations}
        self.shown: dict[Basic, tuple[Size, ...]] = {}
        self.whole: dict[Basic, Text] = {}
        for e in graph.equations:
            self._see(e)

    def of(self, s: Basic) -> str:
        return self._spelled(s)[0]

    def _spelled(self, s: Basic) -> Text:
        return spell(
            s,
            self.definitions,
            self.graph.types,
            lambda a: self.whole.get(a) or self.pen.atom(a),
            self.pen.operation,
            self.whole,
        )

    def _see(self, e: Equation) -> None:
        record, atoms = operation_of(e.expr), arguments_of(e.expr)
        types = tuple(atom_type(a, self.graph.types) for a in atoms)
        shapes = [self.shown.get(a, t.shape) for a, t in zip(atoms, types, strict=True)]
        found = reading(record, types, statics(e.expr)) if record is not None else None
        if record is None or (found is not None and found.form == "same"):
            self.shown[e.target] = shapes[0] if shapes else ()
        elif record.elementwise:
            self.shown[e.target] = broadcast_shapes(shapes, lambda *_: None)
        else:
            for a, type_, shape in zip(atoms, types, shapes, strict=True):
                if shape != type_.shape:
                    self._write_whole(a, type_, shape)

    def _write_whole(self, a: Basic, type_: Type, shape: tuple[Size, ...]) -> None:
        operation = REPEATED if len(shape) <= type_.rank else RESHAPED
        self.whole[a] = self.pen.written(operation, (self._spelled(a),), (Type(shape),), (type_.shape,))
        self.shown[a] = type_.shape


def has_arrays(graph: Graph) -> bool:
    """True where a symbol is no number."""
    return any(t.shape for t in graph.types.values())


def _short(graph: Graph) -> bool:
    """True where every formula is short; sizes first, for a graph may be exponential as a tree."""
    longest = SHORT if has_arrays(graph) else LONGEST
    if any(reads_as_part(operation_of(e.expr)) for e in graph.equations):
        return False
    if _length(graph) > longest:
        return False
    lengths = [len(formula(graph, s)) for s in graph.outputs]
    return max(lengths, default=0) <= longest and sum(lengths) <= 3 * longest


def _length(graph: Graph) -> int:
    """At least how many characters the longest formula has, as far as it is not very long."""
    size: dict[Basic, int] = {}
    for e in graph.equations:
        size[e.target] = min(8 * LONGEST, 1 + sum(size.get(s, len(s.name)) for s in symbols_of(e.expr)))
    return max((size.get(s, 0) for s in graph.outputs), default=0)
