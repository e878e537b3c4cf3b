"""Compiling without the collector of cycles.

In: work that makes many objects and hardly any cycles.  Out: the same work, in less time.
Always holds: the collector is on again afterwards where it was on before, whatever happened.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: it would walk all of SymPy's objects and all equations again and again (a third
    of the time of long programs), and equations form no cycles."""
    if not gc.isenabled():  # another thread's compilation may have switched it off, and switches it on again
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
