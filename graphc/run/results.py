"""Memory of results.

In: shapes and types of what a call gives.  Out: new arrays.
Always holds: an array that somebody holds shares its memory with none of a later call.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from graphc.codegen.artifact import LARGE, SMALL

# Blocks from LARGE to this many bytes are kept for the next call: pages that are new cost more than most programs' points
# (Planck's law in float64 over a million points 8 to 10 ms instead of 3.7).  What is larger is given back to the system.
LARGEST_KEPT = 1 << 28
BLOCKS = 2  # a loop over calls still holds the results of the last one when it asks for new ones
_LINE = 64  # bytes of a cache line
_FREE = 3  # references to a block that no array has: of the list, of the loop over it, of the count itself
_blocks: list[Any] = []
_lock = Lock()


def new_arrays(wanted: Sequence[tuple[tuple[int, ...], Any]]) -> list[Any]:
    """Arrays of these shapes and types, their elements not set; in one block where that is worth it."""
    places, total = [], 0
    for shape, dtype in wanted:
        places.append(total)
        total += -(-dtype.itemsize * math.prod(shape) // _LINE) * _LINE
    if SMALL < total < LARGE:
        return _parts(np.empty(total, np.uint8), wanted, places)
    if LARGE <= total <= LARGEST_KEPT:
        with _lock:
            return _parts(_kept(total), wanted, places)
    return [np.empty(shape, dtype) for shape, dtype in wanted]


def _parts(block: Any, wanted: Sequence[tuple[tuple[int, ...], Any]], places: list[int]) -> list[Any]:
    return [np.ndarray(shape, dtype, block, place) for (shape, dtype), place in zip(wanted, places, strict=True)]


def _kept(size: int) -> Any:
    """At least so many bytes that no array has."""
    for block in _blocks:
        if block.size >= size and sys.getrefcount(block) <= _FREE:
            return block
    _blocks.append(np.empty(size, np.uint8))
    del _blocks[:-BLOCKS]
    return _blocks[-1]
