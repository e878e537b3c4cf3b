"""Rules as data: what they find, what they put in its place, why that is right.

In: patterns, `Term`s over `variable`s, written with the records of operations.  Out: `Rule`, the matcher, `Made`.
Always holds: matching reads definitions only as deep as the pattern is, through the user's aliases, and never alters
the builder; a number in a pattern matches the same number, a string in a static place is a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, Union

from sympy import Basic, Number, Symbol

from graphc.graph.builder import Builder
from graphc.graph.graph import Equation
from graphc.graph.graph import operands as operands_of
from graphc.graph.graph import statics as statics_of
from graphc.graph.operation import Operation, Term, Value, number, operation_of
from graphc.graph.types import Type


class Rebuilder(Builder):
    """A builder that knows the graph it replaces: how often each symbol is used, which names must not be looked into.

    `wanted` is the name that the next new equation gets; `current` the old symbol that is being rebuilt (`as_written`: from the program's text).  `opaque`
    symbols have no definition for the rules.  `consumer` is the operation that uses a symbol used once; `written`
    holds the symbols that the program's text defines, `place` the order of definition.  `present` are the operations
    of the old graph; `roots` remembers definitions that are arithmetic.  `learns`: the program has parameters.
    """

    def __init__(self, uses: dict[Basic, int], kept: frozenset[Symbol], opaque: frozenset[Symbol]) -> None:
        super().__init__(simplify=True)
        self.uses, self.kept, self.opaque = uses, kept, opaque
        self.wanted: str | None = None
        self.written: set[Symbol] = set()
        self.place: dict[Basic, int] = {}
        self.current: Symbol | None = None
        self.as_written = False
        self.consumer: dict[Basic, Operation] = {}
        self.present: set[Operation] = set()
        self.roots: dict[Basic, Root | None] = {}
        self.learns = False

    def fresh(self, stem: str | None = None) -> str:
        name, self.wanted = self.wanted, None
        return name if name is not None and stem is None else super().fresh(stem)

    def _new(self, name: str | None, type_: Type, expr: Basic) -> Symbol:
        target = super()._new(name, type_, expr)
        self.place[target] = len(self.place)
        if self.origin.span is not None:
            self.written.add(target)
        return target

    def take_over(self, equation: Equation, type_: Type) -> Basic:
        """An equation as it is; the symbol that has its right-hand side already, if there is one."""
        key = (self._key(equation.expr), type_)
        known = self._consed.get(key)
        if known is None:
            known = self._consed[key] = self._new(equation.target.name, type_, equation.expr)
        return known

    def look(self, atom: Basic) -> Basic:
        """What an atom stands for, through aliases: the atom itself where it is no alias."""
        definition = self._definitions.get(atom)
        while isinstance(definition, (Symbol, Number)) and atom not in self.opaque:
            atom = definition
            definition = self._definitions.get(atom)
        return atom

    def inside(self, atom: Basic) -> Basic | None:
        """The operation that defines an atom; None for what is given, a number, or opaque."""
        atom = self.look(atom)
        return None if atom in self.opaque else self._definitions.get(atom)

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

    @property
    def roots(self) -> tuple[Operation, ...]:
        """The operations it can start at."""
        assert self.before.operation is not None
        return (self.before.operation,)

    @cached_property
    def needs(self) -> frozenset[Operation]:
        """Operations without which it cannot fire."""
        found, todo = set(), [self.before]
        while todo:
            term = todo.pop()
            if term.operation is not None:
                found.add(term.operation)
                todo += [a for a in term.arguments if isinstance(a, Term)]
        return frozenset(found)

    def apply(self, builder: Rebuilder, root: Root) -> Made | None:
        """What takes the place of `root`; None where the rule does not apply."""
        for match in _matches(builder, self.before, root):
            if self.condition is None or self.condition(match):
                after = self.after if isinstance(self.after, Term) else self.after(match)
                return None if after is None else made(match, after)
        return None


@dataclass(frozen=True, eq=False)
class Form:
    """A rule that is a computation, not a pattern: a normal form of sums or products, of any length."""

    name: str
    roots: tuple[Operation, ...]
    apply: Callable[[Rebuilder, Root], Made | None]
    why: str = ""
    example: str = ""
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
