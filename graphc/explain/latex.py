"""A derivation as LaTeX.

In: a derivation.  Out: aligned equations, forward beside backward, the gradient below; for amsmath.
Always holds: it may be pasted into a document as it is, page breaks allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from graphc.explain.derivation import Derivation
from graphc.explain.pen import LatexPen
from graphc.explain.table import Line, table


def as_latex(derivation: Derivation) -> str:
    """The derivation as LaTeX."""
    found = table(derivation, LatexPen(derivation.cotangents))
    heads = "& \\text{forward} & & \\text{backward}"
    rows = [f"{a} & {b}" for a, b in zip_longest(_sides(found.forward), _sides(found.backward), fillvalue="&")]
    return "\n".join([_aligned([heads, *rows]), _aligned(_sides(found.gradient))])


def _aligned(rows: Sequence[str]) -> str:
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def _sides(lines: Sequence[Line]) -> list[str]:
    return [_side(line) for line in lines]


def _side(line: Line) -> str:
    sign = "\\mathrel{+}=" if line.sign == "+=" else line.sign
    shape = f" \\quad {line.shape}" * bool(line.shape)
    number = f" = {line.number}" * bool(line.number)
    return f"{line.left} &{sign} {line.right}{number}{shape}"
