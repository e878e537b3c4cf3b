"""Memory of results over points.

In: a shape and the types of what a call gives.  Out: new arrays.
Always holds: an array that somebody holds shares its memory with no later one.
"""

from __future__ import annotations

import math
import sys
from threading import Lock
from typing import Any

import numpy as np

from graphc.codegen.artifact import LARGE, SMALL

# Blocks from LARGE to this many bytes are kept for the next call: pages that are new cost more than most programs' points
# (Planck's law in float64 over a million points 8 to 10 ms instead of 3.7).  What is larger is given back to the system.
LARGEST_KEPT = 1 << 28
BLOCKS = 2  # a loop over calls still holds the results of the last one when it asks for new ones
_FREE = 3  # references to a block that no array has: of the list, of the loop over it, of the count itself
_blocks: list[Any] = []
_lock = Lock()


def new_arrays(shape: tuple[int, ...], types: list[Any]) -> list[Any]:
    """Arrays of one shape, their elements not set; in one block where that is worth it and they have one type."""
    size = types[0].itemsize * math.prod(shape)
    together = size * len(types)
    if size <= SMALL or together > LARGEST_KEPT or len(set(types)) > 1:
        return [np.empty(shape, dtype) for dtype in types]
    rows = (len(types), *shape)
    if together < LARGE:
        return list(np.empty(rows, types[0]))
    with _lock:
        return list(_block(together)[:together].view(types[0]).reshape(rows))


def _block(size: int) -> Any:
    """At least so many bytes that no array has."""
    for block in _blocks:
        if block.size >= size and sys.getrefcount(block) <= _FREE:
            return block
    _blocks.append(np.empty(size, np.uint8))
    del _blocks[:-BLOCKS]
    return _blocks[-1]
