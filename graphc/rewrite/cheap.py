"""Cheap rules: the same value with fewer operations.

In: nothing.  Out: `CHEAP`.
Always holds: a rule fires only where the number of operations falls.
"""

from __future__ import annotations

from graphc.rewrite.arrange import CANCEL, SUM
from graphc.rewrite.rule import Rewriting

CHEAP: tuple[Rewriting, ...] = (CANCEL, SUM)
