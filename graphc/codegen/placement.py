"""Where in an arena each array stands, once its size is known.

In: sizes of arrays, and between which kernels each is alive.  Out: offsets, and how long the arenas must be.
Always holds: two arrays overlap only if one is dead before the other is written; no SymPy here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.graph.types import Size, size_value

Piece = tuple[str, Size, int, int]  # kind, elements, first and last kernel


def placed(pieces: Sequence[Piece], sizes: Mapping[str, int]) -> tuple[list[int], dict[str, int]]:
    """An offset for each piece in the arena of its kind, and the arenas' lengths.

    The largest first, each at the lowest place that is free while it is alive (Pisarchyk and Lee 2020).
    """
    lengths = [size_value(size, sizes) for _, size, _, _ in pieces]
    offsets, ends = [0] * len(pieces), {kind: 0 for kind, *_ in pieces}
    done: list[int] = []
    for k in sorted(range(len(pieces)), key=lambda k: -lengths[k]):
        kind, _, first, last = pieces[k]
        meeting = [j for j in done if pieces[j][0] == kind and pieces[j][2] <= last and first <= pieces[j][3]]
        place = 0
        for j in sorted(meeting, key=lambda j: offsets[j]):
            if offsets[j] >= place + lengths[k]:
                break
            place = max(place, offsets[j] + lengths[j])
        offsets[k], ends[kind] = place, max(ends[kind], place + lengths[k])
        done.append(k)
    return offsets, ends


def live_at_once(pieces: Sequence[Piece], sizes: Mapping[str, int], width: int) -> int:
    """The most bytes that are alive at one kernel; `width`: bytes of a real number."""
    found = dict.fromkeys(range(max((last for *_, last in pieces), default=0) + 1), 0)
    for kind, size, first, last in pieces:
        for kernel in range(first, last + 1):
            found[kernel] += bytes_each(kind, width) * size_value(size, sizes)
    return max(found.values())


def bytes_each(kind: str, width: int) -> int:
    """Bytes of an element of a kind; `width`: of a real number."""
    return {"int": 8, "bool": 1}.get(kind, width)
