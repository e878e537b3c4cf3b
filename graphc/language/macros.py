"""Macros: their definitions, and what a call of one does.

In: the program's definitions; behind them stand the prelude's.  Out: a definition by its name, and what a
call of it runs.
Always holds: no recursion; a program's own definition comes before the prelude's.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from graphc.language.parser import Definition, parse_statements
from graphc.ops import CALLS

_DECLARES = frozenset({"param", "state"})
_COMPUTES = frozenset({"assign", "return"})  # what leaves nothing behind but values


@cache
def prelude() -> dict[str, Definition]:
    """The macros of the prelude, by name."""
    definitions: dict[str, Definition] = {}
    for file in sorted(resources.files("graphc.prelude").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".gc"):
            statements, _ = parse_statements(file.read_text("utf-8"))
            definitions.update({s.name: s.data for s in statements})
    return definitions


class Macros:
    """The macros that a program knows; `own` are those it defines itself."""

    def __init__(self) -> None:
        self.own: dict[str, Definition] = {}
        self._kinds: dict[str, frozenset[str]] = {}

    def define(self, definition: Definition) -> None:
        """A definition takes the place of one by the same name."""
        self.own[definition.name] = definition
        self._kinds.clear()

    def get(self, name: str | None) -> Definition | None:
        """The program's own definition, or the prelude's."""
        return None if name is None else self.own.get(name) or prelude().get(name)

    def names(self) -> list[str]:
        """All names that may be called."""
        return [*self.own, *prelude()]

    def is_layer(self, name: str) -> bool:
        """True for a macro that declares parameters, itself or through the macros it calls."""
        return not _DECLARES.isdisjoint(self._kinds_of(name))

    def only_computes(self, name: str) -> bool:
        """True for a macro that gives the same for the same arguments, and does nothing else."""
        return self._kinds_of(name) <= _COMPUTES

    def _kinds_of(self, name: str) -> frozenset[str]:
        """The kinds of statements of a macro and of those it calls."""
        known, todo, begun = self._kinds, [name], set[str]()
        while todo:
            current = todo[-1]
            definition = None if current in CALLS and current not in self.own else self.get(current)
            body = () if definition is None else definition.body
            calls = [argument[0] for s in body for what, argument, _ in s.code if what == "call"]
            missing = [c for c in calls if c not in known and c not in begun]
            if missing and current not in begun:
                begun.add(current)
                todo += missing
                continue
            known[current] = frozenset(s.kind for s in body).union(*(known.get(c, ()) for c in calls))
            todo.pop()
        return known[name]


def usage(definition: Definition) -> str:
    """How a macro is called."""
    return f"{definition.name}({', '.join(p if d is None else f'{p}=...' for p, d in definition.parameters)})"
