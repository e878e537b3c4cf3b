"""The gradient that a derivation ends with, and other derivatives: simplified, as formulas where they can be read.

In: a graph, its value, what to differentiate for.  Out: `Gradient`.
Always holds: formulas are complete, but for values that have a line and a name of their own: the user's, and what is long and
used again; where any line would be longer than `LONGEST` (`WIDEST`) characters the program is shown, whose names mean
nothing else than in the program that was differentiated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
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
from graphc.rewrite.names import is_named

Derive = Callable[[Graph, tuple[Symbol, ...], Stabilise], Graph]
LONGEST, WIDEST, SHORT = (
    200,
    100,
    72,
)  # characters of a formula; of arrays, which is read with less ease, and without names
MOST = 100  # equations of what is read as formulas


@dataclass(frozen=True)
class Gradient:
    """The gradient's program; its outputs are the derivatives for `variables`.  `shown` is the same for readers, as formulas of
    the outputs and of `named` values; None where only the program can be read."""

    graph: Graph
    variables: tuple[Symbol, ...]
    shown: Graph | None = None
    named: frozenset[Symbol] = frozenset()

    @property
    def inlined(self) -> bool:
        """True where there are formulas."""
        return self.shown is not None

    @property
    def parts(self) -> tuple[Symbol, ...]:
        """The named values that are no derivatives, in their order."""
        equations = () if self.shown is None else self.shown.equations
        return tuple(e.target for e in equations if e.target in self.named and e.target not in self.graph.outputs)

    def formula(self, s: Symbol, pen: Pen | None = None) -> str:
        """A derivative or a named value with all put in that has no name; products of matrices as they are read."""
        assert self.shown is not None
        return _Formulas(self.shown, pen or Pen({}), self.named - {s}).of(s)


def simplified_gradient(graph: Graph, variables: tuple[Symbol, ...], value: Symbol) -> Gradient:
    """Stabilise, differentiate and simplify, as the compiler does."""
    return simplified_derivatives(graph, variables, lambda g, wrt, stabilise: gradient(g, wrt, value, stabilise))


def simplified_derivatives(graph: Graph, variables: tuple[Symbol, ...], derive: Derive) -> Gradient:
    """The same with `jacobian` or `hessian`, whose outputs are more than one for a variable."""
    found = simplify(derive(graph, variables, stabilise))
    found = _apart(focus(found, found.outputs), expand_gradients(graph))
    return _for_readers(Gradient(found, variables), {e.target for e in graph.equations if is_named(e)})


def _for_readers(found: Gradient, known: AbstractSet[Symbol]) -> Gradient:
    """As formulas with everything put in; where these are long, or the user's own names save a quarter of them, with names."""
    arrays = has_arrays(found.graph)
    plain = _shown(found, frozenset(), SHORT if arrays else LONGEST)
    names = _worth_a_name(found.graph, known, plain is None)
    named = _shown(found, names, WIDEST if arrays else LONGEST) if names or plain is None else None
    if plain is None or (named is not None and 4 * _characters(named) < 3 * _characters(plain)):
        return named or found
    return plain


def _shown(found: Gradient, names: frozenset[Symbol], longest: int) -> Gradient | None:
    """With the formulas of derivatives and named values, if none is longer."""
    graph = found.graph
    if len(graph.equations) > MOST or _length(graph, names) > 4 * LONGEST:
        return None
    shown = readable(graph, names)
    made = replace(found, shown=shown, named=names & {e.target for e in shown.equations})
    if any(reads_as_part(operation_of(e.expr)) for e in shown.equations) or _length(shown, made.named) > longest:
        return None
    lengths = [len(made.formula(s)) for s in (*made.parts, *shown.outputs)]
    return None if max(lengths, default=0) > longest or (not names and sum(lengths) > 3 * longest) else made


def _characters(found: Gradient) -> int:
    return sum(len(s.name) + len(found.formula(s)) for s in (*found.parts, *found.graph.outputs))


def _worth_a_name(graph: Graph, known: AbstractSet[Symbol], long: bool) -> frozenset[Symbol]:
    """The user's values that are shorter to write once; where formulas are long all that the user named, and all that are
    shorter to write once."""
    uses = Counter(s for e in graph.equations for s in {*symbols_of(e.expr)})
    size: dict[Basic, int] = {}
    found = set()
    for e in graph.equations:
        s, record = e.target, operation_of(e.expr)
        atoms = (e.expr,) if record is None else arguments_of(e.expr)
        size[s] = sum(size.get(a, len(str(a))) for a in atoms) + 3 * (record is not None)
        shorter = (uses[s] - 1) * (size[s] - len(s.name)) > len(s.name) + 3
        if record is None or s in graph.outputs or _form(e, graph.types) == "same":
            continue
        if (shorter and (long or s in known)) or (long and s in known):
            found.add(s)
            size[s] = len(s.name)
    return frozenset(found)


def _form(e: Equation, types: Mapping[Symbol, Type]) -> str | None:
    """How an operation is read, where that differs from how it is written."""
    record = operation_of(e.expr)
    found = (
        None
        if record is None
        else reading(record, tuple(atom_type(a, types) for a in arguments_of(e.expr)), statics(e.expr))
    )
    return None if found is None else found.form


def _apart(found: Graph, graph: Graph) -> Graph:
    """The gradient's program, where a name never means something else than in the program itself."""
    known = {e.target: e.expr for e in graph.equations}
    named = {e.target for e in graph.equations if is_named(e)}  # which keep their values
    taken = {s.name for s in (*graph.types, *found.types)}
    fresh = (symbol(f"v{k}") for k in count(len(graph.equations) + 1) if f"v{k}" not in taken)
    new: dict[Basic, Symbol] = {}
    equations = []
    for e in found.equations:
        arguments = tuple(new.get(a, a) for a in e.expr.args)
        expr = Basic.__new__(type(e.expr), *arguments) if arguments else new.get(e.expr, e.expr)
        if e.target in known and known[e.target] != expr and e.target not in (*found.outputs, *named):
            new[e.target] = next(fresh)
        equations.append(Equation(new.get(e.target, e.target), expr, e.origin))
    types = {new.get(s, s): t for s, t in found.types.items()}
    return found.replace(equations=tuple(equations), types=types)


class _Formulas:
    """Formulas of a graph.  A number that is repeated stands for the array where elements are read, which broadcasts;
    where the array's shape is read, `whole` is its text."""

    def __init__(self, graph: Graph, pen: Pen, named: AbstractSet[Symbol]) -> None:
        self.graph, self.pen, self.named = graph, pen, named
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
            self.named | self.whole.keys(),
        )

    def _see(self, e: Equation) -> None:
        record, atoms = operation_of(e.expr), arguments_of(e.expr)
        types = tuple(atom_type(a, self.graph.types) for a in atoms)
        shapes = [self.shown.get(a, t.shape) for a, t in zip(atoms, types, strict=True)]
        if record is None or _form(e, self.graph.types) == "same":
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


def _length(graph: Graph, named: AbstractSet[Symbol]) -> int:
    """At least how many characters the longest formula has, as far as it is not very long."""
    size: dict[Basic, int] = {}
    longest = 0
    for e in graph.equations:
        length = min(8 * LONGEST, 1 + sum(size.get(s, len(s.name)) for s in symbols_of(e.expr)))
        size[e.target] = len(e.target.name) if e.target in named else length
        if e.target in named or e.target in graph.outputs:
            longest = max(longest, length)
    return longest
