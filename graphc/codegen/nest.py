"""Loops inside each other, as text.

In: loops from the outside inwards, and what is inside them.  Out: lines.
Always holds: short loops are written out: LLVM leaves the others as they are until it has looked for vectors in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

SHORT_LOOP, SHORT_TEXT = 4, 64  # turns and lines of a loop that is written out; LLVM looks for vectors in the others
SHORT_SUMS = 16  # turns below which sums in memory are written out: numbers that LLVM keeps in registers
_SUM = re.compile(r"(p\d+\[.*\]) = \1 \+ ")


@dataclass
class Loop:
    """A loop (the outermost level is none), and what stands before and after the loop inside it."""

    axis: int | None
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def nest(loops: list[Loop], body: list[str], count: Callable[[int], str]) -> list[str]:
    """Loops inside each other, with what stands before and after them; short ones are written out."""
    lines, turns = body, "range"
    for loop in reversed(loops):
        lines = [*loop.before, *lines, *loop.after]
        if loop.axis is None:
            continue
        times = count(loop.axis)
        written_out = times.isdigit() and int(times) * len(lines) <= SHORT_TEXT
        sums = written_out and _are_short_sums(int(times), lines)
        if sums or (written_out and int(times) <= SHORT_LOOP):
            lines = [line for k in range(int(times)) for line in (f"i{loop.axis} = {k}", *lines)]
            turns = "one_by_one" if sums else turns
        else:
            lines, turns = [f"for i{loop.axis} in {turns}({times}):", *(f"    {line}" for line in lines)], "range"
    return lines


def _are_short_sums(times: int, lines: list[str]) -> bool:
    """Whether these are sums in memory of plain products that fill no vectors: with a mask, a vector that has been stored
    is not yet there for the next turn to load.  Written out they stay in registers."""
    plain = not any(line.startswith(("for", "if")) or "_(" in line for line in lines)
    return SHORT_LOOP < times < SHORT_SUMS and times % 4 != 0 and plain and any(map(_SUM.match, lines))
