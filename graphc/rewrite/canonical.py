"""Canonical rules: one spelling for what is spelled in many ways.

In: nothing.  Out: `CANONICAL`.
Always holds: no rule adds an operation; a sum's terms keep their written order.
"""

from __future__ import annotations

from sympy import Basic, Integer, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import operation_of, variable
from graphc.ops.elementwise import absolute, add, divide, logical_not, negate, subtract, where
from graphc.rewrite.arrange import PRODUCT, is_inner
from graphc.rewrite.build import build, summed
from graphc.rewrite.compare import summands
from graphc.rewrite.polynomial import SUMS, Monomial, Plan, fraction
from graphc.rewrite.reductions import REDUCED
from graphc.rewrite.rule import Form, Made, Match, Rebuilder, Rewriting, Root, Rule
from graphc.rewrite.structure import STRUCTURE

x, y, z, c = (variable(name) for name in "xyzc")


def _negative(match: Match) -> bool:
    """c is a number below 0."""
    atom = match.atom("c")
    return bool(atom.is_Rational and atom < 0)


def plus_negative_quotient(builder: Rebuilder, root: Root) -> Made | None:
    """x + (-1)/y as x - 1/y: the rules of differences see it."""
    for k, atom in enumerate(root.operands):
        expr = builder.inside(atom)
        if expr is None or operation_of(expr) is not divide or not builder.lonely(atom):
            continue
        above, below = operands(expr)
        value = fraction(above)
        if value is not None and value < 0:
            return Root(subtract, (root.operands[1 - k], builder.apply(divide, (-above, below))))
    return None


def known_choice(builder: Rebuilder, root: Root) -> Made | None:
    """A choice by a condition, in a sum of products that is itself a branch of a choice by that condition."""
    condition, *branches = map(builder.look, root.operands)
    for k, atom in enumerate(branches):
        terms = summands(builder, atom) if isinstance(atom, Symbol) else None
        known = [_known(builder, t, condition, 1 + k) for t in terms or ()]
        if terms is None or known == terms:
            continue
        branches[k] = summed(builder, known)
        if builder.type_of(branches[k]) == builder.type_of(atom):
            return Root(where, (condition, *branches))
    return None


def _known(builder: Rebuilder, m: Monomial, condition: Basic, k: int) -> Monomial:
    """A product in which what one condition chooses is chosen."""
    result = Monomial(m.coefficient)
    for a, e in m.powers.items():
        expr = builder.inside(a)
        if expr is not None and operation_of(expr) is where and builder.look(operands(expr)[0]) == condition:
            a = builder.look(operands(expr)[k])
        value = fraction(a)
        if value is None:
            result.powers[a] = result.powers.get(a, 0) + e
        elif value or e > 0:
            result.coefficient *= value**e
        else:
            return m
    return result


def merged_choices(builder: Rebuilder, root: Root) -> Made | None:
    """where(c, 0, x) + u + where(c, 0, y) = where(c, 0, x + y) + u: what cancels is then in one sum."""
    if where not in builder.present or is_inner(builder, SUMS):
        return None
    sign = -1 if root.operation is subtract else 1
    sides = [summands(builder, atom, s) for atom, s in zip(root.operands, (1, sign), strict=True)]
    terms = [m for side in sides for m in side or ()]
    found: dict[tuple[Basic, int], list[Monomial]] = {}
    for m in terms if None not in sides else ():
        key = _one_branch(builder, m)
        if key is not None:
            found.setdefault(key, []).append(m)
    for (condition, k), same in found.items():
        if len(same) > 1:
            inner = [Monomial(m.coefficient, {operands(builder.inside(a))[k]: 1}) for m in same for a in m.powers]
            branches = (Integer(0), summed(builder, inner))[:: 2 * k - 3]
            one = Monomial(powers={builder.apply(where, (condition, *branches)): 1})
            return build(builder, Plan([one if m is same[0] else m for m in terms if m is same[0] or m not in same]))
    return None


def _one_branch(builder: Rebuilder, m: Monomial) -> tuple[Basic, int] | None:
    """c and 2 of a multiple of where(c, 0, x), c and 1 of where(c, x, 0)."""
    ((atom, e),) = m.powers.items() if len(m.powers) == 1 else ((None, 0),)
    expr = builder.inside(atom) if atom is not None and e == 1 else None
    if expr is None or operation_of(expr) is not where:
        return None
    condition, *branches = map(builder.look, operands(expr))
    return (condition, 2 - branches.index(0)) if branches.count(0) == 1 else None


_SIGNS = (
    Rule("double negation", negate(-x), x, None, "two signs are none", "-(-x)"),
    Rule("plus a negative", x + (-y), x - y, None, "one operation less", "x + -y"),
    Rule("minus a negative", x - (-y), x + y, None, "one operation less", "x - -y"),
    Rule("plus a negative number", x + c, lambda m: x - m.number(-m.atom("c")), _negative, "a difference reads better", "x + -3"),
    Rule("minus a negative number", x - c, lambda m: x + m.number(-m.atom("c")), _negative, "a sum reads better", "x - -3"),
    Rule("twice", x + x, 2 * x, None, "coefficients meet in products", "x + x"),
    Rule("absolute value of a negative", absolute(-x), absolute(x), None, "the sign does not count", "abs(-x)"),
    Rule("absolute value twice", absolute(absolute(x)), absolute(x), None, "it is positive already", "abs(abs(x))"),
)  # fmt: skip

_CHOICES = (
    Rule("choice of equals", where(c, x, x), x, None, "either way the same", "where(c > 0, x, x)"),
    Rule("choice within a choice", where(c, where(c, x, y), z), where(c, x, z), None,
         "the condition holds there", "where(c > 0, where(c > 0, x, y), z)"),
    Rule("choice by the opposite", where(logical_not(c), x, y), where(c, y, x), None,
         "one operation less", "where(not c > 0, x, y)"),
    Rule("choices that fill each other", where(c, x, 0) + where(c, 0, y), where(c, x, y), None,
         "one choice instead of two", "where(c > 0, x, 0) + where(c > 0, 0, y)"),
    Rule("choice within the other choice", where(c, x, where(c, y, z)), where(c, x, z), None,
         "the condition fails there", "where(c > 0, x, where(c > 0, y, z))"),
)  # fmt: skip

CHOICES = Form(
    "choices by one condition", (add, subtract), merged_choices, "one choice instead of two, and what cancels in one sum",
    "z + where(c > 0, 0, x) - where(c > 0, 0, y)", frozenset(),
)  # fmt: skip
QUOTIENT = Form(
    "plus a negative quotient", (add,), plus_negative_quotient, "the rules of differences see it", "x + -1/y", frozenset((divide,)),
)  # fmt: skip
KNOWN = Form(
    "choice within a sum or product", (where,), known_choice, "the condition holds, or fails, there",
    "where(c > 0, x*where(c > 0, y, z), 1)", frozenset(),
)  # fmt: skip

CANONICAL: tuple[Rewriting, ...] = (
    *_SIGNS,
    QUOTIENT,
    *_CHOICES,
    CHOICES,
    KNOWN,
    *STRUCTURE,
    *REDUCED,
    PRODUCT,
)
