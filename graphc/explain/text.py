"""A derivation as plain text.

In: a derivation.  Out: forward and backward side by side, the gradient below; one above the other where lines are long.
Always holds: signs stand under each other; no trailing blanks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from graphc.explain.derivation import Derivation
from graphc.explain.pen import Pen
from graphc.explain.table import Line, table

WIDEST = 78  # a left column that is wider stands above the right one
FAR = 24  # names longer than this do not push the signs of all others


def as_text(derivation: Derivation) -> str:
    """The derivation as text."""
    found = table(derivation, Pen(derivation.cotangents))
    left, right = aligned(found.forward), aligned(found.backward)
    width = max((len(line) for line in left), default=0)
    if width > WIDEST:
        parts = ["forward", *left, "", "backward", *right]
    else:
        width = max(width, len("forward")) + 4
        rows = zip_longest(["forward", *left], ["backward", *right], fillvalue="")
        parts = [f"{a:<{width}}{b}".rstrip() for a, b in rows]
    return "\n".join([*parts, "", "gradient", *aligned(found.gradient)])


def aligned(lines: Sequence[Line]) -> list[str]:
    """Lines with their signs, shapes and numbers under each other."""
    names = _width(line.left for line in lines)
    signs = max((len(line.sign) for line in lines), default=0)
    starts = [f"{line.left:<{names}} {line.sign:<{signs}} {line.right}" for line in lines]
    columns = [starts, [line.shape for line in lines], [f"= {line.number}" * bool(line.number) for line in lines]]
    columns = [c for c in columns if any(c)]
    widths = [max((len(t) for t in c if len(t) <= WIDEST), default=0) for c in columns]
    return [
        "   ".join(f"{t:<{w}}" for t, w in zip(row, widths, strict=True)).rstrip() for row in zip(*columns, strict=True)
    ]


def _width(names: object) -> int:
    return max((len(n) for n in names if len(n) <= FAR), default=0)  # type: ignore[attr-defined]
