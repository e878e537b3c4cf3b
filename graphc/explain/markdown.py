"""A derivation as Markdown.

In: a derivation.  Out: a table of two columns and the gradient below, formulas as code.
Always holds: any Markdown reader shows it; nothing in it needs LaTeX.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from graphc.explain.derivation import Derivation
from graphc.explain.pen import Pen
from graphc.explain.table import Line, table


def as_markdown(derivation: Derivation) -> str:
    """The derivation as Markdown."""
    found = table(derivation, Pen(derivation.cotangents))
    rows = zip_longest(_cells(found.forward), _cells(found.backward), fillvalue="")
    body = [f"| {a} | {b} |" for a, b in rows]
    gradient = [f"- {cell}" for cell in _cells(found.gradient)]
    return "\n".join(["| forward | backward |", "|---|---|", *body, "", "**gradient**", "", *gradient])


def _cells(lines: Sequence[Line]) -> list[str]:
    return [_cell(line) for line in lines]


def _cell(line: Line) -> str:
    shape = f" &nbsp; {line.shape}" * bool(line.shape)
    number = f" &nbsp; = {line.number}" * bool(line.number)
    formula = f"{line.left} {line.sign} {line.right}".replace("|", "\\|")
    return f"`{formula}`{shape}{number}"
