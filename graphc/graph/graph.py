"""The graph: a program as data.

In: nothing but symbols, raw SymPy nodes and types, put together by `graph.builder`.  Out: `Graph`, frozen.
Always holds: (checked by `graph.validate`) an equation's right-hand side is one operation over symbols and numbers, or
one symbol or number; each target is assigned once, before it is used; every symbol has a type.

Nothing here calls `func(*args)`, `subs`, `str` or `==` on anything larger than one operation: SymPy's own
reconstruction folds and reorders, and a graph is exponential as a tree.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Basic, Number, Symbol

from graphc.graph.types import Dim, Type, is_name, sizes_of, the_name


class Static(Basic):  # type: ignore[misc]
    """An argument of an operation that is no operand: an axis, a shape, a bound, a contraction's labels."""

    __slots__ = ("value",)
    value: Any

    def __new__(cls, value: Hashable) -> Static:
        node: Static = Basic.__new__(cls)
        node.value = value
        return node

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.value,)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.value,)


@dataclass(frozen=True)
class Span:
    """A place in the program's text; line and column count from 1."""

    line: int
    column: int
    source_line: str = field(repr=False, compare=False, default="")


@dataclass(frozen=True)
class Origin:
    """Why an equation exists: a statement of the text, or a rule and the symbols it was applied to.

    `at`: the operation's own place, where only the data tell whether its operands fit.
    """

    rule: str
    parents: tuple[Symbol, ...] = ()
    span: Span | None = None
    at: Span | None = None


@dataclass(frozen=True)
class Equation:
    """`target = expr`, where `expr` is one operation over symbols and numbers."""

    target: Symbol
    expr: Basic
    origin: Origin = field(compare=False)


@dataclass(frozen=True)
class Initial:
    """Initial value of a parameter: a constant or a draw from a distribution.

    `values` is a program without inputs whose outputs are the distribution's arguments (for "constant" the value);
    `spelling` is what the program's text says after the name.
    """

    distribution: str
    values: Graph
    spelling: str


@dataclass(frozen=True)
class Optimizer:
    """`minimize J with name(arguments)`; `source` is the text of its `def` where the program defines it itself."""

    name: str
    arguments: tuple[tuple[str, Number], ...] = ()
    source: str | None = None


@dataclass(frozen=True)
class Data:
    """`data "file" x=0:64, k=64`: the file and, for each input, its columns (positions or names)."""

    file: str
    columns: tuple[tuple[str, tuple[int | str, ...]], ...]


@dataclass(frozen=True)
class Graph:
    """A program.  Two graphs are equal when inputs, parameters, equations, outputs and types are; origins do not count."""

    inputs: tuple[Symbol, ...]
    params: tuple[Symbol, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Symbol, ...]
    types: Mapping[Symbol, Type]
    initial: Mapping[Symbol, Initial] = field(default_factory=dict, compare=False)
    states: tuple[Symbol, ...] = ()
    updates: tuple[tuple[Symbol, Symbol | Number], ...] = ()
    objective: Symbol | None = None
    optimizer: Optimizer | None = None
    metrics: tuple[Symbol, ...] = ()
    sizes: tuple[str, ...] = ()
    data: Data | None = field(default=None, compare=False)
    training: tuple[tuple[str, Any], ...] = field(default=(), compare=False)
    declared: bool = field(default=True, compare=False)

    def definitions(self) -> dict[Symbol, Equation]:
        """Equation of each symbol that has one."""
        return {equation.target: equation for equation in self.equations}

    def leaves(self) -> tuple[Symbol, ...]:
        """Symbols that are given from outside: inputs, parameters, states, in this order."""
        return self.inputs + self.params + self.states

    def replace(self, **changes: Any) -> Graph:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Pickled as its text."""
        from graphc.language.reader import parse

        return parse, (str(self),)

    def __str__(self) -> str:
        from graphc.language.writer import program_text

        return program_text(self)

    __repr__ = __str__

    def to_sympy(self) -> Any:
        """The program's value as one SymPy expression; scalar programs only."""
        from graphc.language.sympy_writer import to_sympy

        return to_sympy(self)

    def latex(self) -> str:
        """The program as LaTeX, an aligned line an equation."""
        from graphc.language.latex_writer import program_latex

        return program_latex(self)

    __hash__ = None  # type: ignore[assignment]


def atom_type(atom: Basic, types: Mapping[Symbol, Type]) -> Type:
    """Type of a symbol or number; a number is a scalar, int where it is an integer of 64 bits."""
    if isinstance(atom, Symbol):
        return types[atom]
    return _WHOLE if atom.is_Integer and -(2**63) <= atom.p < 2**63 else _REAL


_WHOLE, _REAL = Type((), "int"), Type()


def operands(expr: Basic) -> tuple[Basic, ...]:
    """Operands of one operation: symbols and numbers, without its static arguments; the atom itself for an atom."""
    args: tuple[Basic, ...] = expr.args
    if not args:
        return (expr,)
    if type(args[-1]) is not Static:  # static arguments stand last
        return args
    return tuple(a for a in args if type(a) is not Static)


def statics(expr: Basic) -> tuple[Any, ...]:
    """Values of the static arguments of one operation."""
    args = expr.args
    if not args or type(args[-1]) is not Static:
        return ()
    return tuple(a.value for a in args if type(a) is Static)


def symbols_of(expr: Basic) -> list[Symbol]:
    """Symbols that one right-hand side uses, with repetitions."""
    return [a for a in operands(expr) if isinstance(a, Symbol)]


def needed(graph: Graph, targets: tuple[Basic, ...]) -> tuple[Equation, ...]:
    """The equations that `targets` depend on, in their order."""
    wanted = {t for t in targets if isinstance(t, Symbol)}
    kept = []
    for equation in reversed(graph.equations):
        if equation.target in wanted:
            wanted.update(symbols_of(equation.expr))
            kept.append(equation)
    return tuple(reversed(kept))


def prune(graph: Graph) -> Graph:
    """Without the equations that no output, update or metric depends on."""
    roots = (*graph.outputs, *(value for _, value in graph.updates), *graph.metrics)
    if graph.objective is not None:
        roots += (graph.objective,)
    equations = needed(graph, roots)
    if len(equations) == len(graph.equations):
        return graph
    kept = {e.target for e in equations} | set(graph.leaves())
    return graph.replace(equations=equations, types={s: t for s, t in graph.types.items() if s in kept})


def focus(graph: Graph, outputs: tuple[Symbol, ...]) -> Graph:
    """The part of a graph that computes `outputs`, with the inputs and parameters it needs, and nothing else."""
    equations = needed(graph, outputs)
    used = set(outputs).union(*(symbols_of(e.expr) for e in equations)) if equations else set(outputs)
    used |= _definers(graph, used, equations)
    kept = used | {e.target for e in equations}
    known = {name for s in graph.inputs if s in used for d in graph.types[s].shape for name in sizes_of(d)}
    return graph.replace(
        inputs=tuple(s for s in graph.inputs if s in used),
        params=tuple(s for s in graph.params if s in used),
        states=tuple(s for s in graph.states if s in used),
        equations=equations,
        outputs=outputs,
        types={s: t for s, t in graph.types.items() if s in kept},
        sizes=tuple(name for name in graph.sizes if name in known),
        initial={s: i for s, i in graph.initial.items() if s in used},
        updates=(),
        objective=None,
        optimizer=None,
        metrics=(),
    )


def _definers(graph: Graph, used: set[Basic], equations: tuple[Equation, ...]) -> set[Symbol]:
    """Inputs that must stay for the sizes they name, where no used input names them before they are needed."""
    first: dict[str, Symbol] = {}
    for s in graph.inputs:
        for d in graph.types[s].shape:
            if (name := the_name(d)) is not None:
                first.setdefault(name, s)
    extra: set[Symbol] = set()
    known: set[str] = set()

    def ask(names: set[str]) -> None:
        extra.update(first[name] for name in names - known if name in first)
        known.update(names)

    for s in graph.inputs:
        if s in used:
            for d in graph.types[s].shape:
                if isinstance(d, Dim) and is_name(d):
                    known.update(sizes_of(d))
                else:
                    ask(sizes_of(d))
    for s in (*graph.params, *graph.states):
        if s in used:
            for d in graph.types[s].shape:
                ask(sizes_of(d))
    for equation in equations:
        for value in statics(equation.expr):
            ask(sizes_in(value))
    return extra


def sizes_in(value: Any) -> set[str]:
    """Sizes in a static argument, however deep."""
    names: set[str] = set()
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, tuple):
            todo += item
        elif isinstance(item, Dim):
            names |= sizes_of(item)
    return names
