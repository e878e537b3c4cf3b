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
TILE = 24  # vectors of sums of an outer product that are kept in registers
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
        in_tile = tile and depth < 2
        if (in_tile and depth == 1) or (not in_tile and times.isdigit() and _is_short(int(times), lines)):
            lines = [line for turn in range(int(times)) for line in (f"i{loop.axis} = {turn}", *lines)]
        else:
            turns = _vectors(int(times)) if in_tile else _turns(times, lines)
            lines = [part for each in turns for part in _loop(f"for i{loop.axis} in {each}:", lines)]
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


def _vectors(times: int) -> list[str]:
    """The turns of an innermost loop as loops of one vector each."""
    starts = range(0, times, WHOLE_VECTORS)
    return [f"range({start}, {min(start + WHOLE_VECTORS, times)})" for start in starts]


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
    if len(sizes) != 2 or sizes[1] % 4 != 0 or not _are_sums(body):
        return False
    vectors = sizes[1] // WHOLE_VECTORS + (sizes[1] % WHOLE_VECTORS).bit_count()
    if sizes[0] * vectors > TILE:
        return False
    return all(f"i{axes[0]}*" in m[1] for m in map(_SUM.match, body) if m)


def _are_sums(lines: list[str]) -> bool:
    """Whether these are sums in memory of plain products."""
    plain = not any(line.startswith(("for", "if")) or "_(" in line for line in lines)
    return plain and any(map(_SUM.match, lines))
