"""What code generation leaves behind: everything a program needs to run, without SymPy.

In: nothing.  Out: `Artifact`, and its JSON text.
Always holds: `Artifact.from_json(a.to_json()) == a`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from graphc.codegen.placement import Piece
from graphc.graph.types import Dim, Quotient, Size

# Results of points from the one size in bytes, and all together below the other, lie in one block, which the C library's
# allocator keeps for the next call (up to its largest threshold of 32 MB): several blocks it would give back to the
# system, and each call would pay for fresh pages (three times the time of a call).  Larger ones: `run.results`.
SMALL, LARGE = 1 << 15, 1 << 25
# Columns of a product up to which all its panels take a row of the first matrix at once (`codegen.tiles`): so many of
# the second matrix leave room in the second cache.
SHORT_ROW = 256


@dataclass(frozen=True)
class Leaf:
    """An array or number that is given from outside.  `initial` is (distribution, arguments) where it is known."""

    name: str
    shape: tuple[Size, ...]
    kind: str
    role: str  # input, param, state
    initial: tuple[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True)
class Check:
    """Two dimensions that the data must make equal (or a <= b), and where the program says so."""

    a: Size
    b: Size
    relation: str
    line: int | None = None
    column: int | None = None
    source_line: str | None = None


@dataclass(frozen=True)
class Range:
    """Indices among the data: sign*x + offset must be from `first` to `last` for a part of an input x (bounds, () for all
    of it), and where the program says so."""

    name: str
    part: tuple[tuple[Any, ...], ...]
    sign: int
    offset: Size
    first: Size
    last: Size
    line: int | None = None
    column: int | None = None
    source_line: str | None = None


@dataclass(frozen=True)
class Entry:
    """A function of the generated module: its name and the types of its arguments ("real", "real[2]" for a matrix).

    One that LLVM compiles takes `sizes` (or a count of points), inputs, arrays for its `results` (kind and shape) and
    working memory, an array of each kind in `arenas` with so many elements; or, where there are `pieces` of it, as many
    as `placement.placed` finds once sizes are known, and the offsets.  With a `form` (`codegen.call`) Python can call it
    by its arguments' names.  `cost`: of one over points, about how many picoseconds of one core a point takes.
    """

    name: str
    arguments: tuple[str, ...]
    sizes: tuple[str, ...] = ()
    results: tuple[tuple[str, tuple[Size, ...]], ...] = ()
    arenas: tuple[tuple[str, Size], ...] = ()
    pieces: tuple[Piece, ...] = ()
    form: str = ""
    cost: int = 0


@dataclass(frozen=True)
class Layout:
    """What the training loop takes: the size that counts examples, the inputs that have an example a row and those
    that are whole, the metrics; and about how many picoseconds of one core a step takes."""

    batch: str | None
    batched: tuple[str, ...]
    whole: tuple[str, ...]
    metrics: tuple[str, ...]
    work: Size


@dataclass(frozen=True)
class Artifact:
    """A compiled program: source text, entries, leaves, outputs, checks of the data."""

    source: str
    dtype: str
    entries: tuple[Entry, ...]
    leaves: tuple[Leaf, ...]
    outputs: tuple[str, ...]
    output_kinds: tuple[str, ...]
    gradients: tuple[str, ...] = ()
    pointwise: bool = False
    differentiable: str | None = None  # why there is no gradient
    sizes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    ranges: tuple[Range, ...] = ()
    layout: Layout | None = None
    optimizer: str = ""
    training: tuple[tuple[str, Any], ...] = field(default=())
    data: tuple[str, tuple[tuple[str, tuple[int | str, ...]], ...]] | None = None

    def entry(self, name: str) -> Entry:
        """An entry by its name."""
        return next(e for e in self.entries if e.name == name)

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=_encode)

    @staticmethod
    def from_json(text: str) -> Artifact:
        table = _decode(json.loads(text))
        layout = table["layout"]
        return Artifact(**{
            **table,
            "entries": tuple(Entry(**e) for e in table["entries"]),
            "leaves": tuple(Leaf(**e) for e in table["leaves"]),
            "checks": tuple(Check(**e) for e in table["checks"]),
            "ranges": tuple(Range(**e) for e in table["ranges"]),
            "layout": Layout(**layout) if layout is not None else None,
        })  # fmt: skip


def _encode(value: Any) -> Any:
    raise TypeError(f"{value!r} has no JSON form")


def _decode(value: Any) -> Any:
    """Lists as tuples, {"terms": ...} as a dimension, {"dividend": ...} as a quotient in one."""
    if isinstance(value, list):
        return tuple(_decode(v) for v in value)
    if isinstance(value, dict):
        if set(value) == {"terms"}:
            return Dim(_decode(value["terms"]))
        if set(value) == {"dividend", "divisor"}:
            return Quotient(_decode(value["dividend"]), value["divisor"])
        return {k: _decode(v) for k, v in value.items()}
    return value
