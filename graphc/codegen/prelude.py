"""Functions that generated modules call, in the form that `translate` reads.

In: numbers and memory.  Out: results are written to memory.
Always holds: the same text runs as plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def shuffle(order: Any, count: int, state: Any) -> None:
    """Fisher and Yates's shuffle, with the generator splitmix64 (Steele, Lea and Flood 2014); state[0] goes on."""
    seed = state[0]
    for i in range(count - 1, 0, -1):
        seed += np.uint64(0x9E3779B97F4A7C15)
        z = (seed ^ (seed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        j = np.int64((z ^ (z >> np.uint64(31))) % np.uint64(i + 1))
        kept = order[i]
        order[i] = order[j]
        order[j] = kept
    state[0] = seed
