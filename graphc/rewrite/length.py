"""How long formulas are, with all that they are made of put in.

In: an operation in a builder.  Out: its `Size`; terms in the order in which they are read.
Always holds: of two formulas of as many characters that with fewer operations is the shorter; a polynomial in one name, its
powers in order, counts as if it had none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sympy import Basic, Symbol

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.ops.contraction import contract
from graphc.ops.elementwise import add, divide, multiply, negate, power, subtract
from graphc.ops.movement import transpose
from graphc.rewrite.polynomial import SUMS, Monomial, Region, terms
from graphc.rewrite.rule import Rebuilder, Root

# How tightly texts bind, and how many characters their sign has; a right operand that binds no tighter stands in brackets.
_BINDING = {add: 1, subtract: 1, divide: 2, contract: 2, negate: 2, multiply: 3, power: 5}
_SIGN = {add: 3, subtract: 3, multiply: 1, divide: 1, contract: 3, negate: 1, power: 1}
_ATOM = 6
Size = tuple[int, int, int]  # characters, what is read less easily, operations


@dataclass(frozen=True)
class _Text:
    """Characters, what is read less easily (a/b/c, a/b*c, -(a/b), a*(b*c), -a + b, a/(b/c + d)), operations; how tightly it binds, the
    last operation, whether it begins with a sign, whether it is a fraction or a sum of some."""

    length: int
    faults: int = 0
    count: int = 0
    binding: int = _ATOM
    operation: Operation | None = None
    negative: bool = False
    fraction: bool = False


def size_of(builder: Rebuilder, root: Root) -> Size:
    """The size of an operation's formula."""
    known: dict[Basic, _Text] = {}
    todo: list[Basic] = [*root.operands]
    while todo:
        atom = todo[-1]
        expr = builder.inside(atom) if isinstance(atom, Symbol) else None
        operation = None if expr is None else operation_of(expr)
        if atom in known or expr is None or operation is None:
            known.setdefault(atom, _atom(atom))
            todo.pop()
            continue
        parts = [a for a in operands(expr) if a is not expr]
        if missing := [a for a in parts if a not in known]:
            todo += missing
            continue
        known[atom] = _written(builder, Root(operation, tuple(parts), statics(expr)), known)
        todo.pop()
    text = _written(builder, root, known)
    return text.length, text.faults, text.count


def _written(builder: Rebuilder, root: Root, known: dict[Basic, _Text]) -> _Text:
    text = _text(root.operation, [known[a] for a in root.operands], root.statics)
    return replace(text, count=0) if _is_polynomial(builder, root) else text


def _atom(atom: Basic) -> _Text:
    if isinstance(atom, Symbol):
        return _Text(len(atom.name))
    text = str(atom)
    return _Text(len(text), binding=2 if text[0] == "-" or "/" in text else _ATOM, negative=text[0] == "-")


def _text(operation: Operation, parts: list[_Text], fixed: tuple[Any, ...]) -> _Text:
    """The text of an operation on texts."""
    length, faults, count = sum(t.length for t in parts), sum(t.faults for t in parts), 1 + sum(t.count for t in parts)
    binding = _BINDING.get(operation)
    if operation is transpose:
        return _Text(length + (2 if parts[0].binding == _ATOM else 4), faults, count)
    if binding is None:
        return _Text(length + len(operation.name) + 2 * len(parts) + 4 * len(fixed), faults, count)
    for k, t in enumerate(parts):
        flat = operation is multiply and t.operation is multiply and not parts[0].negative
        if t.binding < (_ATOM if operation is power else min(binding, 2)) or (k and t.binding <= binding and not flat):
            length += 2
        faults += flat if k else t.operation is divide and operation in (multiply, divide, negate)
        faults += k == 1 and operation is divide and t.fraction
    negative = operation is negate or (parts[0].negative and operation is not power)
    faults += negative and operation in (add, subtract)
    fraction = operation is divide or (
        operation in (add, subtract, negate, multiply) and any(t.fraction for t in parts)
    )
    return _Text(length + _SIGN[operation], faults, count, binding, operation, negative, fraction)


def in_order(value: list[Monomial]) -> list[Monomial]:
    """Terms by descending powers of what they are polynomials in, a number last; ascending where the highest is negative."""
    varying = {a for m in value for a in m.powers if len({n.powers.get(a, 0) for n in value}) > 1}
    if len(varying) == 1:
        (x,) = varying
        found = sorted(value, key=lambda m: -m.powers.get(x, 0))
        return found if found[0].coefficient > 0 or found[-1].coefficient < 0 else found[::-1]
    return sorted(value, key=lambda m: not m.powers)


def _is_polynomial(builder: Rebuilder, root: Root) -> bool:
    """True for a polynomial in one name with numbers as coefficients, in order."""
    found = terms(builder, root, Region(), shared=True) if root.operation in SUMS else None
    names = {a for m in found or () for a in m.powers}
    if not found or len(names) != 1 or builder.inside(*names) is not None:
        return False
    return all(e > 0 for m in found for e in m.powers.values()) and [m.key for m in found] == [
        m.key for m in in_order(found)
    ]


__all__ = ["Size", "in_order", "size_of"]
