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
TILE = 384  # sums of an outer product that are kept in registers
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
    lines, tile = body, _is_tile(loops[-2:], body, count)
    for depth, loop in enumerate(reversed(loops)):
        lines = [*loop.before, *lines, *loop.after]
        if loop.axis is None:
            continue
        times = count(loop.axis)
        if depth == 1 if tile and depth < 2 else times.isdigit() and _is_short(int(times), lines):
            lines = [line for turn in range(int(times)) for line in (f"i{loop.axis} = {turn}", *lines)]
        else:
            # a loop of more than a few turns that is written out is a vector: several turns together would gather
            turns = "one_by_one" if any(map(_MANY.fullmatch, lines)) else "range"
            lines = [f"for i{loop.axis} in {turns}({times}):", *(f"    {line}" for line in lines)]
    return lines


def _is_short(times: int, lines: list[str]) -> bool:
    """Few turns, or sums in memory that fill no vectors: with a mask, a vector that has been stored is not yet there for
    the next turn to load; written out they stay in registers."""
    sums = SHORT_LOOP < times < SHORT_SUMS and times % 4 != 0 and _are_sums(lines)
    return times * len(lines) <= SHORT_TEXT and (times <= SHORT_LOOP or sums)


def _is_tile(loops: list[Loop], body: list[str], count: Callable[[int], str]) -> bool:
    """Whether the two innermost loops are an outer product that is added to sums in memory, few enough for the registers:
    with the outer one written out, they stay there while a loop around goes over the summed axis."""
    axes = [loop.axis for loop in loops if loop.axis is not None]
    sizes = [int(times) for times in map(count, axes) if times.isdigit()]
    if len(sizes) != 2 or sizes[1] % 4 != 0 or sizes[0] * sizes[1] > TILE or not _are_sums(body):
        return False
    return all(f"i{axes[0]}*" in m[1] for m in map(_SUM.match, body) if m)


def _are_sums(lines: list[str]) -> bool:
    """Whether these are sums in memory of plain products."""
    plain = not any(line.startswith(("for", "if")) or "_(" in line for line in lines)
    return plain and any(map(_SUM.match, lines))
