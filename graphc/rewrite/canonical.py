"""Canonical rules: one spelling for what is spelled in many ways.

In: nothing.  Out: `CANONICAL`.
Always holds: no rule adds an operation; a sum's terms keep their written order.
"""

from __future__ import annotations

from graphc.graph.operation import variable
from graphc.ops.elementwise import absolute, logical_not, negate, where
from graphc.rewrite.arrange import PRODUCT
from graphc.rewrite.rule import Match, Rewriting, Rule
from graphc.rewrite.structure import STRUCTURE

w, x, y, z, c = (variable(name) for name in "wxyzc")


def _negative(match: Match) -> bool:
    """c is a number below 0."""
    atom = match.atom("c")
    return bool(atom.is_Rational and atom < 0)


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
    Rule("choice within a factor", where(c, x * where(c, y, z), w), where(c, x * y, w), None,
         "the condition holds there", "where(c > 0, x*where(c > 0, y, z), 1)"),
    Rule("choice within the other factor", where(c, w, x * where(c, y, z)), where(c, w, x * z), None,
         "the condition fails there", "where(c > 0, 1, x*where(c > 0, y, z))"),
    Rule("choice by the opposite", where(logical_not(c), x, y), where(c, y, x), None,
         "one operation less", "where(not c > 0, x, y)"),
    Rule("choices that fill each other", where(c, x, 0) + where(c, 0, y), where(c, x, y), None,
         "one choice instead of two", "where(c > 0, x, 0) + where(c > 0, 0, y)"),
    Rule("choice within the other choice", where(c, x, where(c, y, z)), where(c, x, z), None,
         "the condition fails there", "where(c > 0, x, where(c > 0, y, z))"),
)  # fmt: skip

CANONICAL: tuple[Rewriting, ...] = (*_SIGNS, *_CHOICES, *STRUCTURE, PRODUCT)
