"""A derivation as HTML.

In: a derivation.  Out: one page, without scripts and without anything from elsewhere.
Always holds: every text of the program is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import zip_longest

from graphc.explain.derivation import Derivation
from graphc.explain.pen import Pen
from graphc.explain.table import Line, table

STYLE = """body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th { text-align: left; border-bottom: 1px solid; }
th, td { padding: 0.15em 0.6em; white-space: nowrap; }
td { font-family: monospace; }
td.shape, td.number { color: #666; }
td.left { border-left: 2em solid transparent; text-align: right; }"""
EMPTY = '<td class="left"></td><td></td><td></td><td class="shape"></td><td class="number"></td>'


def as_html(derivation: Derivation) -> str:
    """The derivation as a page."""
    found = table(derivation, Pen(derivation.cotangents))
    title = escape(f"Gradient of {derivation.value.name}")
    rows = zip_longest(_cells(found.forward), _cells(found.backward), fillvalue=EMPTY)
    both = _table(("forward", "backward"), [a + b for a, b in rows])
    return "\n".join([
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f"<style>\n{STYLE}\n</style></head><body>",
        f"<h1>{title}</h1>",
        both,
        _table(("gradient",), _cells(found.gradient)),
        "</body></html>",
    ])  # fmt: skip


def _table(heads: tuple[str, ...], rows: Sequence[str]) -> str:
    head = "".join(f'<th colspan="5">{h}</th>' for h in heads)
    return "\n".join(["<table>", f"<tr>{head}</tr>", *(f"<tr>{row}</tr>" for row in rows), "</table>"])


def _cells(lines: Sequence[Line]) -> list[str]:
    return [_cell(line) for line in lines]


def _cell(line: Line) -> str:
    number = f"= {line.number}" * bool(line.number)
    return (
        f'<td class="left">{escape(line.left)}</td><td>{line.sign}</td><td>{escape(line.right)}</td>'
        f'<td class="shape">{escape(line.shape)}</td><td class="number">{escape(number)}</td>'
    )
