"""Sums of contractions that share an operand, A @ x + A @ y = A @ (x + y), and contractions of outer products.

In: a sum or a contraction in a builder.  Out: what takes its place, or None.
Always holds: a contraction less, at the price of an operation on elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from sympy import Basic

from graphc.graph.graph import operands, statics
from graphc.graph.operation import operation_of
from graphc.ops.contraction import canonical, contract, contracted, split
from graphc.ops.elementwise import add, multiply, subtract
from graphc.ops.movement import transpose
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import build, summed
from graphc.rewrite.polynomial import ONE, SUMS, Monomial, Plan, Region, terms
from graphc.rewrite.products import multiplied
from graphc.rewrite.rule import Form, Made, Rebuilder, Root


def shared_operands(written: bool) -> Callable[[Rebuilder, Root], Made | None]:
    """A form that joins contractions; `written`: wherever that is shorter to write, else where it is less to compute."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        if contract not in builder.present or is_inner(builder, SUMS):
            return None
        found = terms(builder, root, Region(), shared=written) or []
        for p, q in combinations(range(len(found)), 2):
            joined = _joined(builder, found[p], found[q], written)
            if joined is not None:
                left = [m for k, m in enumerate(found) if k not in (p, q)]
                return build(builder, Plan([*left[:p], joined, *left[p:]]))
        return None

    return apply


def _joined(builder: Rebuilder, m: Monomial, n: Monomial, written: bool) -> Monomial | None:
    """c*A @ x + d*A @ y as one term."""
    for x, labels, rest in _contractions(builder, m, written):
        for y, other, others in _contractions(builder, n, written):
            if rest != others:
                continue
            for s, first, form in _sides(x, labels):
                for t, second, form_ in _sides(y, other):
                    axes = _axes(form, form_) if builder.look(s) == builder.look(t) else None
                    if axes is None or not (written or builder.type_of(s).rank >= builder.type_of(first).rank):
                        continue
                    if axes != tuple(range(len(axes))):
                        second = builder.apply(transpose, (second,), (axes,))
                    scale = m.coefficient if (n.coefficient / m.coefficient).denominator == 1 else ONE
                    parts = [Monomial(c.coefficient / scale, {a: 1}) for c, a in ((m, first), (n, second))]
                    whole = builder.apply(contract, (s, summed(builder, parts)), (form,))
                    return Monomial(scale, multiplied(rest, (whole, 1)))
    return None


def _contractions(
    builder: Rebuilder, m: Monomial, written: bool
) -> Iterator[tuple[tuple[Basic, ...], str, dict[Basic, int]]]:
    """Operands and labels of the contractions that are factors of a product, with its other factors."""
    for atom, e in m.powers.items():
        expr = builder.inside(atom) if e == 1 and m.coefficient else None
        if expr is not None and operation_of(expr) is contract and (written or builder.lonely(atom)):
            yield operands(expr), statics(expr)[0], multiplied(m.powers, (atom, -1))


def _sides(atoms: tuple[Basic, ...], labels: str) -> Iterator[tuple[Basic, Basic, str]]:
    """Each operand, the other one, and the labels in this order."""
    a, b, result = split(labels)
    yield atoms[0], atoms[1], canonical(a, b, result)
    yield atoms[1], atoms[0], canonical(b, a, result)


def _axes(labels: str, others: str) -> tuple[int, ...] | None:
    """The axes of the second operand of `others` in the order in which `labels` reads those of its own."""
    (s, a, result), (t, b, into) = split(labels), split(others)
    if len(s) != len(t) or len(a) != len(b) or len(result) != len(into):
        return None
    names = dict(zip(t + into, s + result, strict=True))
    same = all(names[x] == y for x, y in zip(t + into, s + result, strict=True))
    renamed = "".join(names.get(c, "?") for c in b)
    if not same or len({*names.values()}) != len(names) or sorted(renamed) != sorted(a):
        return None
    return tuple(renamed.index(c) for c in a)


def outer_outside(written: bool) -> Callable[[Rebuilder, Root], Made | None]:
    """A form that takes outer products out; `written`: also those that others use."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        found = (_with_outer(builder, root, k) for k in (0, 1) if written or builder.lonely(root.operands[k]))
        return next((made for made in found if made is not None), None)

    return apply


def _with_outer(builder: Rebuilder, root: Root, k: int) -> Made | None:
    """A @ outer(x, y) = outer(A @ x, y), a @ outer(x, y) = (a @ x)*y, where operand k is the outer product."""
    labels = split(root.statics[0])
    own, other, result = labels[k], labels[1 - k], labels[2]
    expr = builder.inside(root.operands[k])
    if expr is None or operation_of(expr) is not contract or not len(other) == len(result) < len(own) + 1 == 3:
        return None
    x, y, both = split(statics(expr)[0])
    within = [c for c in own if c in other and c not in result]
    if len(x) != 1 or len(y) != 1 or len(within) != 1:
        return None
    names = dict(zip(both, own, strict=True))
    vectors = {names[x]: operands(expr)[0], names[y]: operands(expr)[1]}
    (c,) = within
    left, free = own.replace(c, ""), other.replace(c, "")
    array, vector = builder.value(root.operands[1 - k]), builder.value(vectors[c])
    product = contracted(array, vector, other, c, free).atom
    if not free:
        return Root(multiply, (product, vectors[left]))
    pair = (product, vectors[left]) if result == free + left else (vectors[left], product)
    return Root(contract, pair, ("a,b->ab",))


OUTER = Form(
    "outer product in a product", (contract,), outer_outside(written=False), "no matrix is made and multiplied",
    "input A[m, n], x[n], y[k]; A @ outer(x, y)", frozenset({contract}),
)  # fmt: skip
OUTER_AS_WRITTEN = Form(
    "outer product in a product, as written", (contract,), outer_outside(written=True), "shorter to write",
    "input A[n, n], x[n], y[n]; B = outer(x, y); A @ B + B", frozenset({contract}),
)  # fmt: skip
JOINED = Form(
    "contractions with a common operand", (add, subtract), shared_operands(written=False), "one contraction instead of two",
    "input A[m, n], x[n], y[n]; 2*(A @ x) - A @ y", frozenset({contract}),
)  # fmt: skip
JOINED_AS_WRITTEN = Form(
    "contractions with a common operand, as written", (add, subtract), shared_operands(written=True), "shorter to write",
    "input A[n, n], x[n]; x @ A + x @ A.T",
)  # fmt: skip

__all__ = ["JOINED", "JOINED_AS_WRITTEN", "OUTER", "OUTER_AS_WRITTEN"]
