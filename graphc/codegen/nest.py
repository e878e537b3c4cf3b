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
WHOLE_VECTORS = 16  # elements of the longest vectors; a multiple of those of all others
_MANY = re.compile(rf"i\d+ = {SHORT_LOOP}")
_SUM = re.compile(r"(p\d+\[.*\]) = \1 \+ ")


@dataclass
class Loop:
    """A loop (the outermost level is none), and what stands before and after the loop inside it."""

    axis: int | None
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def nest(loops: list[Loop], body: list[str], count: Callable[[int], str]) -> list[str]:
    """Loops inside each other, with what stands before and after them; short ones are written out."""
    lines = body
    for loop in reversed(loops):
        lines = [*loop.before, *lines, *loop.after]
        if loop.axis is None:
            continue
        times = count(loop.axis)
        if times.isdigit() and _is_short(int(times), lines):
            lines = [line for turn in range(int(times)) for line in (f"i{loop.axis} = {turn}", *lines)]
        else:
            lines = [part for each in _turns(times, lines) for part in _loop(f"for i{loop.axis} in {each}:", lines)]
    return lines


def _loop(head: str, lines: list[str]) -> list[str]:
    return [head, *(f"    {line}" for line in lines)]


def _turns(times: str, lines: list[str]) -> list[str]:
    """The turns of a loop: of an innermost one those that fill whole vectors and the rest apart, as LLVM would make all
    vectors so short that nothing is left.  A loop of more than a few turns that is written out is a vector itself:
    of several turns together the elements would be gathered."""
    if any(map(_MANY.fullmatch, lines)):
        return [f"one_by_one({times})"]
    rest = int(times) % WHOLE_VECTORS if times.isdigit() else 0
    if not rest or int(times) < WHOLE_VECTORS or any(line.startswith("for ") for line in lines):
        return [f"range({times})"]
    return [f"range({int(times) - rest})", f"range({int(times) - rest}, {times})"]


def _is_short(times: int, lines: list[str]) -> bool:
    """Few turns, or sums in memory that fill no vectors: with a mask, a vector that has been stored is not yet there for
    the next turn to load; written out they stay in registers."""
    sums = SHORT_LOOP < times < SHORT_SUMS and times % 4 != 0 and _are_sums(lines)
    return times * len(lines) <= SHORT_TEXT and (times <= SHORT_LOOP or sums)


def _are_sums(lines: list[str]) -> bool:
    """Whether these are sums in memory of plain products."""
    plain = not any(line.startswith(("for", "if")) or "_(" in line for line in lines)
    return plain and any(map(_SUM.match, lines))
