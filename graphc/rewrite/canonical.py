"""Canonical rules: one spelling for what is spelled in many ways.

In: nothing.  Out: `CANONICAL`.
Always holds: no rule adds an operation; a sum's terms keep their written order.
"""

from __future__ import annotations

from sympy import Integer, S

from graphc.graph.operation import variable
from graphc.ops.elementwise import absolute, exp, log, negate, where
from graphc.rewrite.arrange import PRODUCT
from graphc.rewrite.rule import Match, Rewriting, Rule
from graphc.rewrite.structure import STRUCTURE

x, y, z, c = variable("x"), variable("y"), variable("z"), variable("c")


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

_CONSTANTS = (
    Rule("log of e", log(c), lambda m: m.number(Integer(1)), lambda m: m.atom("c") is S.Exp1,
         "known exactly", "log(e)*x"),
    Rule("log of 1", log(c), lambda m: m.number(Integer(0)), lambda m: m.atom("c") is S.One,
         "known exactly", "log(1) + x"),
    Rule("exp of 0", exp(c), lambda m: m.number(Integer(1)), lambda m: m.atom("c") is S.Zero,
         "known exactly", "exp(0)*x"),
)  # fmt: skip

_CHOICES = (
    Rule("choice of equals", where(c, x, x), x, None, "either way the same", "where(c > 0, x, x)"),
    Rule("choice within a choice", where(c, where(c, x, y), z), where(c, x, z), None,
         "the condition holds there", "where(c > 0, where(c > 0, x, y), z)"),
    Rule("choice within the other choice", where(c, x, where(c, y, z)), where(c, x, z), None,
         "the condition fails there", "where(c > 0, x, where(c > 0, y, z))"),
)  # fmt: skip

CANONICAL: tuple[Rewriting, ...] = (*_SIGNS, *_CONSTANTS, *_CHOICES, *STRUCTURE, PRODUCT)
