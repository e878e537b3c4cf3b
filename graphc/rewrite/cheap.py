"""Cheap rules: the same value with fewer operations.

In: nothing.  Out: `CHEAP`.
Always holds: a rule fires only where the number of operations falls.
"""

from __future__ import annotations

from sympy import Integer

from graphc.graph.operation import variable
from graphc.ops.elementwise import cos, cosh, sin, sinh
from graphc.rewrite.arrange import CANCEL, SUM
from graphc.rewrite.contractions import JOINED, OUTER
from graphc.rewrite.exponents import MET
from graphc.rewrite.products import BASE, DOUBLE
from graphc.rewrite.rule import Rewriting, Rule

x = variable("x")

_IDENTITIES = (
    Rule("cosine of the double", cos(x) ** 2 - sin(x) ** 2, cos(2 * x), None, "one function instead of two", "cos(x)^2 - sin(x)^2"),
    Rule("Pythagoras", sin(x) ** 2 + cos(x) ** 2, lambda m: m.number(Integer(1)), None, "known exactly", "sin(x)^2 + cos(x)^2 + x"),
    Rule("hyperbolic Pythagoras", cosh(x) ** 2 - sinh(x) ** 2, lambda m: m.number(Integer(1)), None,
         "known exactly", "cosh(x)^2 - sinh(x)^2 + x"),
)  # fmt: skip

CHEAP: tuple[Rewriting, ...] = (*_IDENTITIES, DOUBLE, BASE, MET, OUTER, JOINED, CANCEL, SUM)
