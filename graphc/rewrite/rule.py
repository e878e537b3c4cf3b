"""Rules as data: what they find, what they put in its place, why that is right.

In: patterns, `Term`s over `variable`s, written with the records of operations.  Out: `Rule`, the matcher, `Made`.
Always holds: matching reads definitions only as deep as the pattern is, through the user's aliases, and never alters
the builder; a number in a pattern matches the same number, a string in a static place is a variable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeAlias, Union

from sympy import Basic, Symbol

from graphc.graph.builder import Builder, Key
from graphc.graph.graph import Equation, Origin, symbols_of
from graphc.graph.graph import operands as operands_of
from graphc.graph.graph import statics as statics_of
from graphc.graph.operation import Operation, Term, Value, node, number, operation_of
from graphc.graph.types import Type


class Rebuilder(Builder):
    """A builder that changes a graph: it knows how often each symbol is used, which names must not be looked into.

    `current` is the symbol that is being rebuilt (`as_written`: from the program's text), `seen` what was looked at
    for it.  `opaque` symbols have no definition for the rules.  `consumer` is the operation that uses a symbol used
    once, `users` are the symbols whose equations use one; `written` holds the symbols that the program's text defines,
    `place` orders all by definition.  `present` are the operations of the graph; `roots` and `products` remember what was taken apart.  `promising` are the
    symbols of regions in which terms cancel, at a gain if all that share them are rewritten; `tried` are names on which that
    was tried.  `learns`: the program has
    parameters; `tries`: it is short enough for trials.
    """

    def __init__(self, kept: frozenset[Symbol], opaque: frozenset[Symbol] = frozenset()) -> None:
        super().__init__(simplify=True)
        self.kept, self.opaque = kept, opaque
        self.uses: dict[Basic, int] = {}
        self.consumer: dict[Basic, Operation | None] = {}
        self.users: dict[Basic, dict[Symbol, int]] = {}
        self.written: set[Symbol] = set()
        self.place: dict[Basic, float] = {}
        self.current: Symbol | None = None
        self.as_written = False
        self.seen: set[Basic] = set()
        self.present: set[Operation] = set()
        self.roots: dict[Basic, Root | None] = {}
        self.products: dict[bool, Any] = {}
        self.learns = False
        self.tries = False
        self.promising: set[Symbol] = set()
        self.tried: set[Symbol | None] = set()
        self.twins: list[Symbol] = []
        self._keys: dict[Symbol, Key] = {}
        self._here = math.inf

    # --- the graph that is changed ---------------------------------------------------------------------------------

    def given(self, s: Symbol, type_: Type) -> None:
        """A symbol that is given from outside."""
        self.types[s] = type_
        self.place[s] = len(self.place)

    def know(self, equation: Equation, type_: Type) -> None:
        """An equation of the graph, to look into."""
        target = equation.target
        self.types[target] = type_
        self._define(target, equation.expr)
        self.place[target] = len(self.place)
        if equation.origin.span is not None:
            self.written.add(target)

    def take_over(self, equation: Equation, type_: Type) -> Basic:
        """An equation as it is; the symbol that has its right-hand side already, or else its own."""
        target, expr = equation.target, equation.expr
        self.know(equation, type_)
        if operation_of(expr) is None:
            return target
        key = self._key(expr, type_)
        known = self._consed.get(key)
        if known is None:
            self._remember(key, target)
        return known or target

    def add(self, equation: Equation, type_: Type) -> None:
        """Take over an equation at the end; where another computes the same, as an alias of that."""
        super().add(equation, type_)
        self.place[equation.target] = len(self.place)
        if equation.origin.span is not None:
            self.written.add(equation.target)

    def begin(self, equation: Equation) -> None:
        """An equation is to be made anew: what is made until `end` stands before it, and may not need it."""
        target = self.current = equation.target
        self.origin = equation.origin
        self.as_written = equation.origin.span is not None
        self.seen, self.products, self.equations = set(), {}, []
        self._here = self.place[target]
        self.promising.discard(target)
        self._drop_key(target)

    def as_it_is(self, equation: Equation) -> bool:
        """True where the equation that was begun need not be made anew: it folds to nothing, and no other has its value."""
        target, expr = equation.target, equation.expr
        operation, type_ = operation_of(expr), self.types[target]
        assert operation is not None
        if operation.fold is not None and operation.fold(self, operands_of(expr), statics_of(expr), type_) is not None:
            return False
        key = self._key(expr, type_)
        known = self._known(key)
        if known is not None and all(known is not e.target for e in self.equations):  # what no rule made in vain
            return False
        self._remember(key, target)
        self._discard(self.equations)
        return True

    def end(self, origin: Origin) -> list[Equation]:
        """What was made, as far as the last equation needs it."""
        made = self.equations
        wanted = set(symbols_of(made[-1].expr))
        alive = [made[-1]]
        for equation in reversed(made[:-1]):
            if equation.target in wanted:
                alive.append(equation)
                wanted.update(symbols_of(equation.expr))
            else:
                self._discard([equation])
        return [Equation(e.target, e.expr, origin) for e in reversed(alive)]

    def _discard(self, made: list[Equation]) -> None:
        for equation in made:
            self.forget(equation.target)
            self.types.pop(equation.target)

    def forget(self, s: Symbol) -> None:
        """A symbol is no more; its name is free."""
        self._drop_key(s)
        self._reserved.discard(s.name)
        self.written.discard(s)
        self.promising.discard(s)
        for table in (self._definitions, self._aliases, self.roots, self.uses, self.consumer, self.place):
            table.pop(s, None)

    def define(self, s: Symbol, expr: Basic) -> None:
        """Another right-hand side of the same value for a symbol."""
        self._drop_key(s)
        self.roots.pop(s, None)
        self._define(s, expr)
        if operation_of(expr) is not None:
            self._remember(self._key(expr, self.types[s]), s)

    def renumber(self, symbols: Iterable[Symbol]) -> None:
        """Whole numbers as places again; generated names count from 1."""
        given = [s for s in self.place if s not in self._definitions]
        self.place = {s: k for k, s in enumerate((*given, *symbols))}
        self._count = 0

    def _drop_key(self, s: Symbol) -> None:
        key = self._keys.pop(s, None)
        if key is not None and self._consed.get(key) is s:
            del self._consed[key]

    def _known(self, key: Key) -> Symbol | None:
        """Only what is defined before the current symbol can be used; what is defined later becomes its twin."""
        found = self._consed.get(key)
        if found is None or self.place[found] < self._here:
            return found
        self._keys.pop(found, None)
        self.twins.append(found)
        return None

    def _remember(self, key: Key, target: Symbol) -> None:
        super()._remember(key, target)
        self._keys[target] = key

    def _new(self, name: str | None, type_: Type, expr: Basic) -> Symbol:
        target = super()._new(name, type_, expr)
        self.roots.pop(target, None)
        if target is not self.current:
            self.place[target] = (
                len(self.place) if self.current is None else self._here - 0.5 + len(self.equations) / 2**20
            )
        if self.origin.span is not None:
            self.written.add(target)
        return target

    # --- what rules ask --------------------------------------------------------------------------------------------

    def look(self, atom: Basic) -> Basic:
        """What an atom stands for, through aliases: the atom itself where it is no alias."""
        if isinstance(atom, Symbol):
            self.seen.add(atom)
            if atom in self._aliases:
                return self._look_through(atom)
        return atom

    def _look_through(self, atom: Basic) -> Basic:
        aliases = self._aliases
        while atom in aliases and atom not in self.opaque:
            atom = aliases[atom]
            self.seen.add(atom)
        return atom

    def inside(self, atom: Basic) -> Basic | None:
        """The operation that defines an atom; None for what is given, a number, or opaque."""
        if not isinstance(atom, Symbol):
            return None
        self.seen.add(atom)  # as `look` does: most questions of the rules are this one
        if atom in self._aliases:
            atom = self._look_through(atom)
        return None if atom in self.opaque else self._definitions.get(atom)

    def find(self, operation: Operation, operands: tuple[Basic, ...], statics: tuple[Any, ...] = ()) -> Symbol | None:
        """The symbol that has an operation already, defined before what is being rebuilt."""
        type_, statics = operation.infer(tuple(map(self.type_of, operands)), statics, self.require)
        found = self._consed.get(self._key(node(operation, operands, statics), type_))
        return found if found is not None and self.place[found] < self._here else None

    def lonely(self, atom: Basic) -> bool:
        """True where an atom is an intermediate value that nobody named and one equation alone uses."""
        return atom not in self.kept and self.uses.get(atom, 1) <= 1


@dataclass(frozen=True)
class Root:
    """An operation about to be made: the last step of a rewriting, so that its result can take over a name."""

    operation: Operation
    operands: tuple[Basic, ...]
    statics: tuple[Any, ...] = ()


Made: TypeAlias = Union[Root, Basic]


@dataclass
class Match:
    """What the variables of a pattern stand for."""

    builder: Rebuilder
    bound: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """A variable's value: a `Value`, or the static argument itself."""
        found = self.bound[name]
        return Value(self.builder, found) if isinstance(found, Basic) else found

    def atom(self, name: str) -> Basic:
        """What a variable stands for, through aliases."""
        return self.builder.look(self.bound[name])

    def number(self, value: Basic) -> Value:
        """A number as part of a pattern."""
        return Value(self.builder, value)


@dataclass(frozen=True, eq=False)
class Rule:
    """`before` becomes `after` where `condition` holds.

    `after` is a pattern, or a function of the match that gives one (None where the rule does not apply after all);
    `example` is a program on which the rule fires.
    """

    name: str
    before: Term
    after: Term | Callable[[Match], Term | Value | None]
    condition: Callable[[Match], bool] | None = None
    why: str = ""
    example: str = ""
    among: ClassVar[frozenset[Operation]] = frozenset()

    @property
    def roots(self) -> tuple[Operation, ...]:
        """The operations it can start at."""
        assert self.before.operation is not None
        return (self.before.operation,)

    @cached_property
    def near(self) -> frozenset[Operation]:
        """Operations that must define operands of the operation it starts at."""
        terms = (a for a in self.before.arguments if isinstance(a, Term))
        return frozenset(t.operation for t in terms if t.operation is not None)

    @cached_property
    def needs(self) -> frozenset[Operation]:
        """Operations that the graph must have."""
        found, todo = set(), [self.before]
        while todo:
            term = todo.pop()
            found.add(term.operation)
            todo += (a for a in term.arguments if isinstance(a, Term))
        return frozenset(o for o in found if o is not None)

    def apply(self, builder: Rebuilder, root: Root) -> Made | None:
        """What takes the place of `root`; None where the rule does not apply."""
        for match in _matches(builder, self.before, root):
            if self.condition is None or self.condition(match):
                after = self.after if isinstance(self.after, Term) else self.after(match)
                return None if after is None else made(match, after)
        return None


@dataclass(frozen=True, eq=False)
class Form:
    """A rule that is a computation, not a pattern: a normal form of sums or products, of any length.

    One of the operations `among` must make a factor of the product it is tried on; `near` and `needs` as of a `Rule`.
    """

    name: str
    roots: tuple[Operation, ...]
    apply: Callable[[Rebuilder, Root], Made | None]
    why: str = ""
    example: str = ""
    near: frozenset[Operation] = frozenset()
    among: frozenset[Operation] = frozenset()
    needs: frozenset[Operation] = frozenset()


Rewriting: TypeAlias = Union[Rule, Form]


def made(match: Match, after: Term | Value) -> Made:
    """A pattern with its variables put in; all but the last operation are applied."""
    if isinstance(after, Value):
        return after.atom
    if after.operation is None:
        return match.bound[after.name]
    atoms = tuple(_instance(match, a) for a in after.arguments)
    return Root(after.operation, atoms, tuple(_static(match, s) for s in after.statics))


def _instance(match: Match, pattern: Any) -> Basic:
    if isinstance(pattern, Value):
        return pattern.atom
    if not isinstance(pattern, Term):
        return number(pattern)
    result = made(match, pattern)
    return (
        match.builder.apply(result.operation, result.operands, result.statics) if isinstance(result, Root) else result
    )


def _static(match: Match, value: Any) -> Any:
    return match.bound[value] if isinstance(value, str) else value


def _matches(builder: Rebuilder, pattern: Term, root: Root) -> Iterator[Match]:
    """The ways in which an operation meets a pattern."""
    bound: dict[str, Any] = {}
    if _bind_statics(pattern.statics, root.statics, bound):
        for goals in _pairings(pattern, root.operands):
            found = _solve(builder, goals[::-1], dict(bound))
            if found is not None:
                yield Match(builder, found)


Goals: TypeAlias = list[tuple[Any, Basic]]


def _pairings(pattern: Term, atoms: tuple[Basic, ...]) -> tuple[Goals, ...]:
    """The ways in which a pattern's arguments can meet operands: two where these may be exchanged."""
    if len(atoms) != len(pattern.arguments):
        return ()
    straight = list(zip(pattern.arguments, atoms, strict=True))
    if pattern.operation is None or not pattern.operation.commutative:
        return (straight,)
    return straight, list(zip(pattern.arguments, reversed(atoms), strict=True))


def _solve_all(
    builder: Rebuilder, choices: tuple[Goals, ...], rest: Goals, bound: dict[str, Any]
) -> dict[str, Any] | None:
    for goals in choices:
        found = _solve(builder, [*rest, *reversed(goals)], dict(bound))
        if found is not None:
            return found
    return None


def _solve(builder: Rebuilder, goals: Goals, bound: dict[str, Any]) -> dict[str, Any] | None:
    """Meet all goals; calls itself once a commutative operation of the pattern, so never deeper than the pattern."""
    while goals:
        pattern, atom = goals.pop()
        if not isinstance(pattern, Term):
            if builder.look(atom) != number(pattern):
                return None
        elif pattern.operation is None:
            known = bound.setdefault(pattern.name, atom)
            if known is not atom and builder.look(known) != builder.look(atom):
                return None
        else:
            expr = builder.inside(atom)
            if expr is None or operation_of(expr) is not pattern.operation:
                return None
            if not _bind_statics(pattern.statics, statics_of(expr), bound):
                return None
            choices = _pairings(pattern, operands_of(expr))
            if len(choices) != 1:
                return _solve_all(builder, choices, goals, bound)
            goals += reversed(choices[0])
    return bound


def _bind_statics(patterns: tuple[Any, ...], values: tuple[Any, ...], bound: dict[str, Any]) -> bool:
    for pattern, value in zip(patterns, values, strict=True):
        wanted = bound.setdefault(pattern, value) if isinstance(pattern, str) else pattern
        if wanted != value:
            return False
    return True
