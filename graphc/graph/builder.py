"""The one constructor of equations.

In: operations and atoms.  Out: a `Graph`, with the type of every symbol inferred.
Always holds: the same operation on the same atoms is the same symbol (hash-consing, up to the order of operands of
commutative operations); the user's own names stay, as aliases; generated names step aside of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeAlias

from sympy import Basic, Number, Symbol

from graphc.errors import GraphcError, ShapeError
from graphc.graph.graph import Equation, Graph, Origin, atom_type
from graphc.graph.operation import Operation, Value, node, operation_of
from graphc.graph.types import MOST_AXES, Size, Type, shape_text, sizes_of, surely_at_most, surely_different

Key: TypeAlias = tuple[Hashable, ...]  # head, arguments, shape and kind

_SYMBOLS: dict[str, Symbol] = {}


class _Name(Symbol):  # type: ignore[misc]
    """A graph's symbol: one object a name, so that it is equal to itself alone and hashed without a Python call."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__
    __ne__ = object.__ne__

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return symbol, (self.name,)


def symbol(name: str) -> Symbol:
    """The real symbol of a name; one object a name."""
    found = _SYMBOLS.get(name)
    if found is None:
        found = _SYMBOLS[name] = _Name(name, real=True)
    return found


class Builder:
    """Collects equations.  `simplify` lets the fold table use identities (x*1, x + 0), not only exact arithmetic.

    `undecided` is set where dimensions must be equal and could not be proved so: that is checked when data arrive.
    """

    def __init__(self, *, simplify: bool = False, prefix: str = "v", reserved: Iterable[str] = ()) -> None:
        self.simplify = simplify
        self.types: dict[Symbol, Type] = {}
        self.equations: list[Equation] = []
        self.undecided = False
        self.origin = Origin("given")
        self._consed: dict[Key, Symbol] = {}
        self._definitions: dict[Symbol, Basic] = {}
        self._aliases: dict[Symbol, Basic] = {}  # the definitions that are atoms
        self._reserved = set(reserved)
        self._prefix = prefix
        self._count = 0
        self._knows_sizes = False

    # --- symbols -----------------------------------------------------------------------------------------------

    def declare(self, name: str, type_: Type) -> Symbol:
        """A symbol that is given from outside."""
        s = symbol(name)
        self.types[s] = type_
        self._reserved.add(name)
        return s

    def reserve(self, names: Iterable[str]) -> None:
        """Names that generated names must not take."""
        self._reserved.update(names)

    def take_leaves(self, graph: Graph) -> None:
        """Start from what a graph is given; all its names are taken."""
        self.reserve(s.name for s in graph.types)
        self.reserve(graph.sizes)
        for leaf in graph.leaves():
            self.types[leaf] = graph.types[leaf]

    def adopt(self, graph: Graph) -> None:
        """Start from the symbols and equations of a graph."""
        self.take_leaves(graph)
        for equation in graph.equations:
            self.add(equation, graph.types[equation.target])

    def add(self, equation: Equation, type_: Type) -> None:
        """Take over an equation; where another computes the same, as an alias of that."""
        if operation_of(equation.expr) is not None:
            known = self._consed.setdefault(self._key(equation.expr, type_), equation.target)
            if known is not equation.target:
                equation = Equation(equation.target, known, equation.origin)
        self.types[equation.target] = type_
        self._define(equation.target, equation.expr)
        self.equations.append(equation)
        self._reserved.add(equation.target.name)

    def fresh(self, stem: str | None = None) -> str:
        """A name nobody has: the stem itself, or numbered."""
        if not self._knows_sizes:
            self._reserve_sizes()
        if stem is not None and stem not in self._reserved:
            return stem
        while True:
            self._count += 1
            name = f"{stem}_{self._count}" if stem else f"{self._prefix}{self._count}"
            if name not in self._reserved:
                return name

    def _reserve_sizes(self) -> None:
        """No symbol is called as a size is."""
        self._knows_sizes = True
        for type_ in self.types.values():
            for d in type_.shape:
                self._reserved |= sizes_of(d)

    def type_of(self, atom: Basic) -> Type:
        """Type of a symbol or number; a number is a scalar, int where it is an integer of 64 bits."""
        return atom_type(atom, self.types)

    def definition(self, atom: Basic) -> Basic | None:
        """The right-hand side of a symbol, None for what is given."""
        return self._definitions.get(atom)

    def value(self, atom: Any) -> Value:
        return Value(self, atom)

    # --- equations ---------------------------------------------------------------------------------------------

    def apply(
        self, operation: Operation, operands: tuple[Basic, ...], statics: tuple[Any, ...] = (), name: str | None = None
    ) -> Basic:
        """One operation: the symbol that has it already, a folded atom, or a new equation's target.

        `name` is the user's own name for it.  Raises ShapeError, with the operands' names and shapes.
        """
        types = tuple(self.type_of(a) for a in operands)
        try:
            if operation.define is not None:  # its errors name the operation that was written
                return operation.define(self, operands, statics, name)
            type_, statics = operation.infer(types, statics, self.require)
        except GraphcError as error:
            raise self._explained(error, operation, operands, types) from None
        if type_.rank > MOST_AXES:
            raise ShapeError(f"{operation.written} would give {type_.rank} axes; {MOST_AXES} is the most")
        if operation.fold is not None:
            folded = operation.fold(self, operands, statics, type_)
            if folded is not None and self.type_of(folded).shape == type_.shape:
                return self.bind(name, folded)
        expr = node(operation, operands, statics)
        key = self._key(expr, type_)
        known = self._known(key)
        if known is not None:
            return self.bind(name, known)
        target = self._new(name, type_, expr)
        self._remember(key, target)
        return target

    def bind(self, name: str | None, atom: Basic) -> Basic:
        """The atom itself, or, where the user names it, an alias."""
        if name is None:
            return atom
        return self._new(name, self.type_of(atom), atom)

    def _new(self, name: str | None, type_: Type, expr: Basic) -> Symbol:
        target = symbol(name if name is not None else self.fresh())
        self.types[target] = type_
        self._reserved.add(target.name)
        self._define(target, expr)
        self.equations.append(Equation(target, expr, self.origin))
        return target

    def _define(self, s: Symbol, expr: Basic) -> None:
        self._definitions[s] = expr
        if isinstance(expr, (Symbol, Number)):
            self._aliases[s] = expr
        else:
            self._aliases.pop(s, None)

    def _known(self, key: Key) -> Symbol | None:
        """The symbol that has an expression already."""
        return self._consed.get(key)

    def _remember(self, key: Key, target: Symbol) -> None:
        self._consed[key] = target

    def require(self, a: Size, b: Size, relation: str = "==") -> None:
        """Dimensions must be equal (or a <= b): ShapeError where they cannot be, `undecided` where it is not known."""
        if relation == "<=":
            if isinstance(difference := b - a, int) and difference < 0:
                raise ShapeError(f"{a} is more than {b}")
            self.undecided |= not surely_at_most(a, b)
            return
        if surely_different(a, b):
            raise ShapeError(f"size {a} does not fit size {b}")
        if a != b:
            self.undecided = True

    def _explained(
        self, error: GraphcError, operation: Operation, operands: tuple[Basic, ...], types: tuple[Type, ...]
    ) -> GraphcError:
        if not operands:
            error.message = f"{operation.syntax or operation.written}: {error.reason}"
            return error
        shown = ", ".join(
            f"{a.name if isinstance(a, Symbol) else a} {shape_text(t.shape)}"
            for a, t in zip(operands, types, strict=True)
        )
        error.message = f"{operation.syntax or operation.written}: {error.reason}; operands: {shown}"
        return error

    def _key(self, expr: Basic, type_: Type) -> Key:
        """What equal operations have in common: aliases resolved, operands of a commutative one in one order."""
        arguments, aliases = expr.args, self._aliases
        if aliases and any(isinstance(a, Symbol) and a in aliases for a in arguments):
            arguments = tuple(map(self.resolve, arguments))
        operation = operation_of(expr)
        if operation is not None and operation.commutative and hash(arguments[1]) < hash(arguments[0]):
            arguments = (arguments[1], arguments[0], *arguments[2:])
        return (type(expr), *arguments, type_.shape, type_.kind)

    # --- the result --------------------------------------------------------------------------------------------

    def resolve(self, atom: Basic) -> Basic:
        """What an alias stands for."""
        while isinstance(atom, Symbol) and atom in self._aliases:
            atom = self._aliases[atom]
        return atom

    def graph(self, like: Graph, **changes: Any) -> Graph:
        """The graph collected so far, with the declarations of `like`."""
        return like.replace(equations=tuple(self.equations), types=dict(self.types), **changes)


def replaced(graph: Graph, made: Callable[[Builder, Equation], Basic | None]) -> Graph:
    """The graph with other equations: `made` gives what takes the place of one, None where it stays as it is."""
    builder = Builder()
    builder.take_leaves(graph)
    for equation in graph.equations:
        builder.origin = equation.origin
        atom = made(builder, equation)
        kept = equation if atom is None else Equation(equation.target, atom, equation.origin)
        builder.add(kept, graph.types[equation.target])
    return builder.graph(graph)
