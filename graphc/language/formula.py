"""Formulas of any notation, from equations.

In: a table of equations and a spelling of atoms and operations.  Out: the text of one symbol, everything put in.
Always holds: no recursion; each equation is spelled once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sympy import Basic, Symbol

from graphc.graph.graph import atom_type, operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Type

Text = tuple[str, int]  # a text and how tightly it binds
SpellAtom = Callable[[Basic], Text]
SpellOperation = Callable[[Operation, tuple[Text, ...], tuple[Type, ...], tuple[Any, ...]], Text]


def arguments_of(expr: Basic) -> tuple[Basic, ...]:
    """Operands of an operation; none for an operation of static arguments alone."""
    return tuple(a for a in operands(expr) if a is not expr)


def spell_expression(expr: Basic, types: Mapping[Symbol, Type], atom: SpellAtom, operation: SpellOperation) -> Text:
    """One right-hand side."""
    record = operation_of(expr)
    if record is None:
        return atom(expr)
    arguments = arguments_of(expr)
    texts = tuple(atom(a) for a in arguments)
    return operation(record, texts, tuple(atom_type(a, types) for a in arguments), statics(expr))


def spell(
    target: Basic,
    definitions: Mapping[Symbol, Basic],
    types: Mapping[Symbol, Type],
    atom: SpellAtom,
    operation: SpellOperation,
    named: Collection[Basic] = (),
) -> Text:
    """The formula of a symbol; symbols in `named` are shown by their names."""
    texts: dict[Basic, Text] = {}
    todo = [target]
    while todo:
        top = todo[-1]
        expr = definitions.get(top) if isinstance(top, Symbol) and top not in named else None
        if top in texts or expr is None:
            texts.setdefault(top, atom(top))
            todo.pop()
            continue
        record = operation_of(expr)
        arguments = (expr,) if record is None else arguments_of(expr)
        missing = [a for a in arguments if a not in texts]
        if missing:
            todo += reversed(missing)
            continue
        todo.pop()
        if record is None:
            texts[top] = texts[expr]
            continue
        shown = tuple(texts[a] for a in arguments)
        texts[top] = operation(record, shown, tuple(atom_type(a, types) for a in arguments), statics(expr))
    return texts[target]
