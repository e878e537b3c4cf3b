"""Compiling without the collector of cycles.

In: work that makes many objects and hardly any cycles.  Out: the same work, in less time.
Always holds: the collector is on again afterwards where it was on before, whatever happened; what is left by then is
not young any more.
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
        if not gc.get_freeze_count():  # else the program keeps objects of its own out of all collections
            gc.freeze()  # what is there now counts as old: the next collection of the young would walk all of it
            gc.unfreeze()
        gc.enable()
