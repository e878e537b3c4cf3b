"""Formulas for readers: the shortest text, where all that is shared is written again and again.

In: a graph in normal form whose outputs are to be shown as formulas.  Out: one of the same values that is shorter to write.
Always holds: what the program's text defines stays; every firing makes the text of what it is tried on shorter, takes
brackets away or brings a polynomial in the order of its powers.  What is computed is another graph: a polynomial that is
multiplied out has fewer digits near its roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sympy import Basic, Symbol

from graphc.graph.graph import Graph, operands, statics
from graphc.graph.operation import Operation, operation_of, variable
from graphc.ops.contraction import canonical, contract, contracted, matrix_form, split
from graphc.ops.elementwise import add, divide, log, multiply, multiply_no_nan, negate, power, subtract, xlogy
from graphc.ops.indexing import diagonal, diagonal_matrix
from graphc.ops.linear_algebra import solve, solve_triangular, tril
from graphc.ops.movement import reshape, transpose
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import applied, build
from graphc.rewrite.contractions import JOINED_AS_WRITTEN
from graphc.rewrite.driver import Step, Worklist, index_of
from graphc.rewrite.expansion import readings
from graphc.rewrite.names import drop_dead
from graphc.rewrite.polynomial import PRODUCTS, SUMS, Monomial, Plan, Region, monomial, plan, terms
from graphc.rewrite.rule import Form, Made, Rebuilder, Rewriting, Root, Rule
from graphc.rewrite.symmetry import TURNED
from graphc.rewrite.trials import ALL

x, y = variable("x"), variable("y")
# Operations that are linear in the operands at these places.
_LINEAR = {
    contract: (0, 1), solve: (1,), solve_triangular: (1,), transpose: (0,), reshape: (0,), diagonal: (0,), diagonal_matrix: (0,), tril: (0,),
}  # fmt: skip


def number_outside(builder: Rebuilder, root: Root) -> Made | None:
    """A @ (c*x) = c*A @ x for a number c."""
    for k in _LINEAR[root.operation]:
        atom = root.operands[k]
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if expr is None or operation not in (multiply, divide, negate):
            continue
        found = monomial(builder, atom, Region(), shared=True)
        outside = {a: e for a, e in found.powers.items() if not builder.type_of(a).rank} if found is not None else {}
        inside = {a: e for a, e in found.powers.items() if a not in outside} if found is not None else {}
        if found is None or not inside or (not outside and found.coefficient == 1):
            continue
        rest = applied(builder, build(builder, Plan([Monomial(powers=inside)])))
        if builder.type_of(rest) == builder.type_of(atom):
            atoms = (*root.operands[:k], rest, *root.operands[k + 1 :])
            whole = builder.apply(root.operation, atoms, root.statics)
            return build(builder, Plan([Monomial(found.coefficient, {**outside, whole: 1})]))
    return None


def transposed_product(builder: Rebuilder, root: Root) -> Made | None:
    """(A @ B).T = B.T @ A.T, also where another product reads it so; (A @ x) @ B = B.T @ (A @ x)."""
    if root.operation is transpose:
        expr = builder.inside(root.operands[0])
        if root.statics != (TURNED,) or expr is None or operation_of(expr) is not contract:
            return None
        return Root(contract, *_swapped(expr))
    a, b, result = split(root.statics[0])
    form = matrix_form(root.statics[0])
    for k, turned in ((form[0], form[1]), (form[2], form[3])) if form is not None else ():
        expr = builder.inside(root.operands[k])
        if turned and expr is not None and operation_of(expr) is contract:
            atoms, sides = list(root.operands), [a, b]
            atoms[k], sides[k] = builder.apply(contract, *_swapped(expr)), sides[k][::-1]
            return Root(contract, tuple(atoms), (canonical(sides[0], sides[1], result),))
    if len(a) == 1 and len(b) == 2 and form is not None and not builder.as_written:
        expr = builder.inside(root.operands[0])
        inner = matrix_form(statics(expr)[0]) if expr is not None and operation_of(expr) is contract else None
        if expr is not None and inner is not None and builder.type_of(operands(expr)[inner[0]]).rank == 2:
            return Root(contract, root.operands[::-1], (canonical(b, a, result),))
    return None


def _swapped(expr: Basic) -> tuple[tuple[Basic, ...], tuple[str]]:
    """Operands and labels of the transpose of a contraction."""
    (x, y), (a, b, result) = operands(expr), split(statics(expr)[0])
    return (y, x), (canonical(b, a, result[::-1]),)


def outer_outside(builder: Rebuilder, root: Root) -> Made | None:
    """A @ outer(x, y) = outer(A @ x, y)."""
    labels = split(root.statics[0])
    for k in (0, 1):
        expr = builder.inside(root.operands[k])
        if expr is None or operation_of(expr) is not contract or len(labels[2]) != 2 or len(labels[1 - k]) != 2:
            continue
        own, other, result = labels[k], labels[1 - k], labels[2]
        x, y, both = split(statics(expr)[0])
        summed = [c for c in own if c in other and c not in result]
        if len(x) != 1 or len(y) != 1 or len(summed) != 1:
            continue
        names = dict(zip(both, own, strict=True))
        vectors = {names[x]: operands(expr)[0], names[y]: operands(expr)[1]}
        (c,) = summed
        left = next(d for d in own if d != c)
        free = next(d for d in other if d != c)
        matrix = builder.value(root.operands[1 - k])
        product = contracted(matrix, builder.value(vectors[c]), other, c, free).atom
        pair = (product, vectors[left]) if result == free + left else (vectors[left], product)
        return Root(contract, pair, ("a,b->ab",))
    return None


def shortest(builder: Rebuilder, root: Root) -> Made | None:
    """A sum or product multiplied out, over one denominator or with common factors, if that is shorter to write."""
    sums = root.operation in SUMS
    if builder.as_written or is_inner(builder, SUMS if sums else (*SUMS, *PRODUCTS)):
        return None
    best: Made | None = None
    least = _written(builder, root)
    for value in readings(builder, root):
        for candidate in map(_number_outside, (in_order(value), plan(value).terms)):
            made = build(builder, Plan(candidate))
            if isinstance(made, Root) and (size := _written(builder, made)) < least:
                best, least = made, size
    return best


def _number_outside(value: list[Monomial]) -> list[Monomial]:
    """2*x - 2*y as 2*(x - y)."""
    sizes = {abs(m.coefficient) for m in value}
    if len(value) < 2 or len(sizes) > 1 or 1 in sizes:
        return value
    (c,) = sizes
    return [Monomial(c, {}, [Plan([Monomial(m.coefficient / c, m.powers, m.extra) for m in value])])]


def in_order(value: list[Monomial]) -> list[Monomial]:
    """Terms by descending powers of what they are polynomials in, a number last; ascending where the highest is negative."""
    varying = {a for m in value for a in m.powers if len({n.powers.get(a, 0) for n in value}) > 1}
    if len(varying) == 1:
        (x,) = varying
        found = sorted(value, key=lambda m: -m.powers.get(x, 0))
        return found if found[0].coefficient > 0 or found[-1].coefficient < 0 else found[::-1]
    return sorted(value, key=lambda m: not m.powers)


def _is_in_order(builder: Rebuilder, root: Root) -> bool:
    """False for polynomials in a name whose powers are in another order."""
    found = terms(builder, root, Region(), shared=True) if root.operation in SUMS else None
    if found is None or any(builder.inside(a) is not None for m in found for a in m.powers):
        return True
    return [m.key for m in found] == [m.key for m in in_order(found)]


# --- how long a formula is ---------------------------------------------------------------------------------------------

# How tightly texts bind, and how many characters their sign has; a right operand that binds no tighter stands in brackets.
_BINDING = {add: 1, subtract: 1, divide: 2, contract: 2, negate: 2, multiply: 3, power: 5}
_SIGN = {add: 3, subtract: 3, multiply: 1, divide: 1, contract: 3, negate: 1, power: 1}
_ATOM = 6
Size = tuple[int, int, bool]  # characters, pairs of brackets, out of order


@dataclass(frozen=True)
class _Text:
    """Characters, brackets and what else could be written with less, how tightly it binds, the operation, whether it begins
    with a sign."""

    length: int
    brackets: int = 0
    binding: int = _ATOM
    operation: Operation | None = None
    negative: bool = False


def _written(builder: Rebuilder, root: Root) -> Size:
    """The length of an operation's text, and how many brackets it has; everything is put in."""
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
        known[atom] = _text(operation, [known[a] for a in parts], statics(expr))
        todo.pop()
    text = _text(root.operation, [known[a] for a in root.operands], root.statics)
    return text.length, text.brackets, not _is_in_order(builder, root)


def _atom(atom: Basic) -> _Text:
    if isinstance(atom, Symbol):
        return _Text(len(atom.name))
    text = str(atom)
    return _Text(len(text), 0, 2 if text[0] == "-" or "/" in text else _ATOM, None, text[0] == "-")


def _text(operation: Operation, parts: list[_Text], fixed: tuple[Any, ...]) -> _Text:
    """The text of an operation on texts."""
    length, brackets = sum(t.length for t in parts), sum(t.brackets for t in parts)
    binding = _BINDING.get(operation)
    if operation is transpose:
        open_ = parts[0].binding < _ATOM
        return _Text(length + 2 + 2 * open_, brackets + open_)
    if binding is None:
        return _Text(length + len(operation.name) + 2 * len(parts) + 4 * len(fixed), brackets)
    for k, t in enumerate(parts):
        flat = operation is multiply and t.operation is multiply and not parts[0].negative
        if t.binding < (_ATOM if operation is power else min(binding, 2)) or (k and t.binding <= binding and not flat):
            length += 2
            brackets += 1
        brackets += (k == 1 and flat) or (k == 0 and operation is t.operation is divide)
    negative = operation is negate or (parts[0].negative and operation is not power)
    brackets += negative and operation in (add, subtract)
    return _Text(length + _SIGN[operation], brackets, binding, operation, negative)


TRANSPOSED = Form(
    "transpose of a product", (transpose, contract), transposed_product, "transposes stand at names", "input A[m, n], B[n, k], C[m, k]; (A @ B).T @ C",
    frozenset({contract}),
)  # fmt: skip
OUTER = Form(
    "outer product in a product", (contract,), outer_outside, "one outer product", "input A[m, n], x[n], y[k]; A @ outer(x, y)",
    frozenset({contract}),
)  # fmt: skip
OUTSIDE = Form(
    "number out of a linear operation", tuple(_LINEAR), number_outside, "numbers are read first",
    "input A[m, n], x[n], c; A @ (c*x)",
)  # fmt: skip
SHORTEST = Form(
    "shortest to write", (add, subtract, multiply, divide), shortest, "shorter, or without brackets, or in order", "grad(x^3 - 4*x^2 + 7*x, x)",
)  # fmt: skip
PLAIN = (
    Rule("logarithm times a factor", xlogy(x, y), x * log(y), None, "the product is what is meant", "grad(x^y, y)"),
    Rule("product that is 0 where a factor is", multiply_no_nan(x, y), x * y, None, "the product is what is meant", "multiply_no_nan(x, y)"),
)  # fmt: skip
_MOVED = (OUTSIDE, TRANSPOSED, OUTER, JOINED_AS_WRITTEN)
READING: tuple[Rewriting, ...] = (*_MOVED, *PLAIN, SHORTEST)


def readable(graph: Graph) -> Graph:
    """The graph as formulas are written."""
    return readable_steps(graph)[0]


def readable_steps(graph: Graph) -> tuple[Graph, tuple[Step, ...]]:
    """The same with its steps: numbers stand outside first, all that is shared is written out last."""
    work = Worklist(graph)
    moved = index_of(_MOVED)
    steps = work.run({o: (*ALL.get(o, ()), *moved.get(o, ())) for o in {*ALL, *moved}}, work.everything())
    steps += work.run(index_of(PLAIN, (SHORTEST,)), work.everything())
    return drop_dead(work.graph()), steps


__all__ = ["READING", "readable", "readable_steps"]
