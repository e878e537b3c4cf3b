"""Products of matrices whose rows have known lengths, by tiles of registers.

In: how a product's operands lie in memory.  Out: a function of LLVM, `(m, k, alpha, beta, a, b, c, places)`, that computes
c = alpha op(a) op(b) + beta c for row-major matrices; a's rows may be those at `places` of a longer matrix.
Always holds: nothing outside of the matrices is read or written, nor c where beta is 0; the terms of an element are summed
in the order of k, whatever the number of rows and their division.

A tile is some rows by some vectors of c, whose sums stay in registers while k goes on: in each step a row of b is
loaded, and an element of each row of a is multiplied with it (Goto and van de Geijn 2008; Van Zee and van de Geijn
2015).  The copies that they make of both operands are left out where they are not needed: a's elements are read one by
one at distances that are part of the code, and columns of b are copied only where b is transposed or where its rows
would meet in a few sets of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from llvmlite import binding, ir

from graphc.codegen.arithmetic import TYPES, Value
from graphc.codegen.artifact import SHORT_ROW
from graphc.codegen.vectors import (
    LONG,
    alignment,
    everywhere,
    first_lanes,
    fused,
    lanes_mask,
    load,
    merged,
    nothing,
    place_of,
    register_bits,
    shortest,
    store,
    turn,
    vector_of,
)

WIDTH = 2  # vectors of a tile
BLOCK = 512  # terms that are summed at once: so many rows of a panel must fit in the second cache, beside some of a
SHORT_BLOCK = 128  # the same where neighbours are read across rows of a, which should stay in the first cache
CONFLICT = 2048  # bytes: rows at multiples of this distance share a few sets of the first cache
CACHE_LINE = 64  # bytes
_ZERO = LONG(0)


@dataclass(frozen=True)
class Layout:
    """A product with `n` columns, and how its operands lie in memory.

    Rows of a and b, or of the matrices whose transposes they are, are `row_of_a` and `row_of_b` elements apart;
    `gathered`: a list tells which rows of a are meant.  `known_rows` and `known_terms` are m and k where they are known;
    `scales`: alpha is not 1; `adds`: beta is not 0.
    """

    n: int
    row_of_a: int
    row_of_b: int
    transpose_a: bool
    transpose_b: bool
    gathered: bool
    known_rows: int | None
    known_terms: int | None
    scales: bool
    adds: bool

    @property
    def a_row(self) -> int:
        """How far neighbours along m are apart in a."""
        return 1 if self.transpose_a else self.row_of_a

    @property
    def a_step(self) -> int:
        """The same along k."""
        return self.row_of_a if self.transpose_a else 1


@dataclass(frozen=True)
class Panel:
    """Columns that are computed together, `count` times side by side: so many vectors, of the last one `lanes` elements."""

    first: int
    count: int
    vectors: int
    lanes: int


def tile_rows() -> int:
    """Rows of a tile: sums that registers have room for, beside a row of b and an element of a, and that are more than a
    processor computes at once."""
    many = register_bits() == 512 or binding.get_host_cpu_features().get("neon", False)
    return 8 if many else 6


def panels(n: int, lanes: int) -> list[Panel]:
    """The columns of a result; those that fill no panel are one of its own."""
    count, rest = divmod(n, WIDTH * lanes)
    whole = [Panel(0, count, WIDTH, lanes)] if count else []
    vectors = -(-rest // lanes)
    return whole + ([Panel(n - rest, 1, vectors, rest - (vectors - 1) * lanes)] if rest else [])


def product_call(builder: Any, vectors: Any, arguments: Sequence[Value], prefix: str) -> Any:
    """The call of a product (`blas.product_call`) whose numbers of columns and distances of rows are known; its function is
    written into the module `vectors`.  A last argument lists the rows of a."""
    ta, tb, m, n, k, alpha, a, ao, lda, b, bo, beta, c, co, *rows = arguments
    columns, row, terms = (int(v.known or 0) for v in (n, lda, k))
    layout = Layout(
        columns,
        row,
        terms if tb.known else columns,
        transpose_a=bool(ta.known),
        transpose_b=bool(tb.known),
        gathered=bool(rows),
        known_rows=None if m.known is None else int(m.known),
        known_terms=None if k.known is None else terms,
        scales=alpha.known != 1,
        adds=beta.known != 0,
    )
    made = Product(vectors, layout, TYPES[c.kind], prefix).function()
    function = builder.module.globals.get(made.name) or ir.Function(builder.module, made.ftype, made.name)
    places = [builder.gep(array.value, [offset.value]) for array, offset in ((a, ao), (b, bo), (c, co))]
    listed = rows[0].value if rows else ir.Constant(LONG.as_pointer(), None)
    return builder.call(function, [m.value, k.value, alpha.value, beta.value, *places, listed])


class Product:
    """Writes the function of a layout into a module, and those that it calls."""

    def __init__(self, module: Any, layout: Layout, real: Any, prefix: str) -> None:
        self.module, self.layout, self.real, self.prefix = module, layout, real, prefix
        self.vector, self.pointer = vector_of(real), real.as_pointer()
        self.lanes, self.bytes = self.vector.count, alignment(self.vector)
        self.arguments = [LONG, LONG, *[real] * 2, *[self.pointer] * 3, LONG.as_pointer()]  # of a product
        self.copies = layout.transpose_b or layout.row_of_b * self.bytes % CONFLICT == 0
        self.rows_first = layout.n <= SHORT_ROW and not self.copies
        self.block = SHORT_BLOCK if self.rows_first and layout.transpose_a else BLOCK
        self.adds = layout.adds or layout.known_terms is None or layout.known_terms > self.block

    def function(self) -> Any:
        """The product, which other modules may call."""
        function = self._kept("product", self.layout, self.arguments, self._write)
        function.linkage = "external"
        return function

    def _write(self, builder: Any, m: Any, k: Any, alpha: Any, beta: Any, a: Any, b: Any, c: Any, places: Any) -> None:
        layout = self.layout
        if self.adds and not layout.adds:
            self._clear(builder, c, self._times(builder, m, layout.n))
        working = self._working(builder) if self.copies else None
        with self._counted(builder, k, self.block, at_least_once=True) as first:
            left, whole = builder.sub(k, first), LONG(self.block)
            terms = builder.select(builder.icmp_signed("<", left, whole), left, whole)
            later = not layout.adds or builder.icmp_signed("!=", first, _ZERO)
            onto = self.real(1.0) if later is True else builder.select(later, self.real(1.0), beta)
            moved = self._moved(builder, a, places, first, along_rows=False)

            def tile(rows: int, row: Any, panel: Panel, column: Any, panel_of_b: Any) -> None:
                of_a, listed = self._moved(builder, *moved, row, along_rows=True)
                of_c = builder.gep(c, [builder.add(self._times(builder, row, layout.n), column)])
                builder.call(self._tile(rows, panel), [terms, alpha, onto, of_a, panel_of_b, of_c, listed])

            if self.rows_first:
                for rows, row in self._rows(builder, m):
                    for panel, column in self._columns(builder):
                        tile(rows, row, panel, column, self._of_b(builder, b, first, column))
                return
            for panel, column in self._columns(builder):
                of_b = self._of_b(builder, b, first, column)
                if working is not None:
                    builder.call(self._copy(panel), [terms, of_b, working])
                for rows, row in self._rows(builder, m):
                    tile(rows, row, panel, column, working or of_b)

    def _rows(self, builder: Any, m: Any) -> Iterator[tuple[int, Any]]:
        """Loops over the rows: as many tiles as there are, and those of fewer rows at the end."""
        known, done = self.layout.known_rows, _ZERO
        for rows in (tile_rows(), 4, 1):
            if known is None or known >= rows:
                until = builder.add(done, self._times(builder, builder.sdiv(builder.sub(m, done), LONG(rows)), rows))
                with self._counted(builder, until, rows, start=done) as row:
                    yield rows, row
                known, done = known and known % rows, until

    def _columns(self, builder: Any) -> Iterator[tuple[Panel, Any]]:
        """Loops over the panels."""
        for panel in panels(self.layout.n, self.lanes):
            width = panel.vectors * self.lanes
            with self._counted(builder, LONG(panel.count * width), width) as at:
                yield panel, builder.add(at, LONG(panel.first))

    def _of_b(self, builder: Any, b: Any, term: Any, column: Any) -> Any:
        """Where b's elements for a term and the columns from one on begin."""
        row, aside = (column, term) if self.layout.transpose_b else (term, column)
        return builder.gep(b, [builder.add(self._times(builder, row, self.layout.row_of_b), aside)])

    def _clear(self, builder: Any, c: Any, count: Any) -> None:
        """Zeros, where several blocks of terms are added."""
        byte = ir.IntType(8)
        function = self.module.declare_intrinsic("llvm.memset", [byte.as_pointer(), LONG])
        size = self._times(builder, count, self.bytes)
        builder.call(function, [builder.bitcast(c, byte.as_pointer()), byte(0), size, ir.IntType(1)(0)])

    def _working(self, builder: Any) -> Any:
        """Memory for columns of b: a transposed matrix is copied in squares of a vector's length."""
        widest = max(panel.vectors for panel in panels(self.layout.n, self.lanes))
        memory = builder.alloca(self.vector, (BLOCK + self.lanes) * widest)
        memory.align = CACHE_LINE
        return builder.bitcast(memory, self.pointer)

    def _moved(self, builder: Any, a: Any, places: Any, count: Any, along_rows: bool) -> tuple[Any, Any]:
        """Where a, or the list of its rows, begins after so many steps along m, else along k."""
        if self.layout.gathered and along_rows != self.layout.transpose_a:
            return a, builder.gep(places, [count])
        length = self.layout.a_row if along_rows else self.layout.a_step
        return builder.gep(a, [self._times(builder, count, length)]), places

    # --- a tile ------------------------------------------------------------------------------------------------

    def _tile(self, rows: int, panel: Panel) -> Any:
        """`(terms, alpha, beta, a, b, c, places)`: some rows of a panel."""
        layout, b_row = self.layout, panel.vectors * self.lanes if self.copies else self.layout.row_of_b

        def write(builder: Any, terms: Any, alpha: Any, beta: Any, a: Any, b: Any, c: Any, places: Any) -> None:
            sums = self._sums(builder, rows, panel, b_row, terms, a, b, places)
            for r, row in enumerate(sums):
                for v, total in enumerate(row):
                    mask = lanes_mask(total.type, panel.lanes) if v == panel.vectors - 1 else None
                    place = place_of(builder, total.type, c, LONG(r * layout.n + v * self.lanes))
                    value = builder.fmul(total, everywhere(builder, total.type, alpha)) if layout.scales else total
                    if self.adds:
                        onto = everywhere(builder, total.type, beta)
                        value = fused(builder, onto, load(builder, total.type, place, mask), value)
                    store(builder, value, place, mask)

        key = (
            rows,
            panel.vectors,
            panel.lanes,
            layout.row_of_a,
            layout.transpose_a,
            b_row,
            layout.n,
            layout.scales,
            self.adds,
        )
        return self._kept("tile", (*key, layout.gathered), [*self.arguments[1:]], write)

    def _sums(
        self, builder: Any, rows: int, panel: Panel, b_row: int, terms: Any, a: Any, b: Any, places: Any
    ) -> list[list[Any]]:
        """Sums over k of the products of a's elements with vectors of b, of which the last one is as short as can be."""
        vectors = [self.vector] * (panel.vectors - 1) + [shortest(self.vector, panel.lanes)]
        starts = [self._start(builder, r, places) for r in range(rows)]
        before, body, after = builder.block, *(builder.append_basic_block() for _ in range(2))
        builder.cbranch(builder.icmp_signed("<", _ZERO, terms), body, after)
        builder.position_at_end(body)
        at = builder.phi(LONG)
        begun = [[builder.phi(vector) for vector in vectors] for _ in starts]
        of_a, of_b = self._step(builder, at, places), self._times(builder, at, b_row)
        wide = []
        for v, vector in enumerate(vectors):
            mask = lanes_mask(vector, panel.lanes) if v == panel.vectors - 1 and not self.copies else None
            place = place_of(builder, vector, b, builder.add(of_b, LONG(v * self.lanes)))
            wide.append(load(builder, vector, place, mask))
        sums = []
        for start, row in zip(starts, begun, strict=True):
            one = builder.load(builder.gep(a, [builder.add(of_a, start)], inbounds=True))
            pairs = zip(wide, row, strict=True)
            sums.append([fused(builder, everywhere(builder, w.type, one), w, so_far) for w, so_far in pairs])
        for phi, value in zip(chain(*begun), chain(*sums), strict=True):
            phi.add_incoming(nothing(phi.type), before)
            phi.add_incoming(value, body)
        turn(builder, at, _ZERO, terms, 1, before, after)
        return [[self._either(builder, value, body, before) for value in row] for row in sums]

    def _start(self, builder: Any, row: int, places: Any) -> Any:
        """Where a row of the tile begins in a."""
        if self.layout.gathered and not self.layout.transpose_a:
            return self._times(builder, builder.load(builder.gep(places, [LONG(row)])), self.layout.a_row)
        return LONG(row * self.layout.a_row)

    def _step(self, builder: Any, at: Any, places: Any) -> Any:
        """Where a term's elements begin in a."""
        if self.layout.gathered and self.layout.transpose_a:
            at = builder.load(builder.gep(places, [at]))
        return self._times(builder, at, self.layout.a_step)

    def _either(self, builder: Any, value: Any, block: Any, before: Any) -> Any:
        """A value from this block; 0 from the one before."""
        phi = builder.phi(value.type)
        phi.add_incoming(value, block)
        phi.add_incoming(nothing(value.type), before)
        return phi

    # --- copies of b -------------------------------------------------------------------------------------------

    def _copy(self, panel: Panel) -> Any:
        """`(terms, b, working)`: a panel's columns, row after row."""
        turned = self.layout.transpose_b
        key = (turned, panel.vectors, panel.lanes, self.layout.row_of_b)
        write = self._turned if turned else self._copied
        return self._kept("copy", key, [LONG, *[self.pointer] * 2], lambda *given: write(panel, *given))

    def _copied(self, panel: Panel, builder: Any, terms: Any, b: Any, working: Any) -> None:
        with self._counted(builder, terms, 1) as row:
            of_b = self._times(builder, row, self.layout.row_of_b)
            to = self._times(builder, row, panel.vectors * self.lanes)
            for v in range(panel.vectors):
                mask = lanes_mask(self.vector, panel.lanes) if v == panel.vectors - 1 else None
                column = LONG(v * self.lanes)
                value = load(builder, self.vector, self._at(builder, b, builder.add(of_b, column)), mask)
                store(builder, value, self._at(builder, working, builder.add(to, column)))

    def _turned(self, panel: Panel, builder: Any, terms: Any, b: Any, working: Any) -> None:
        """Squares as long as a vector: merging the first half of the rows with the second, row by row, as often as the
        length has bits, transposes them."""
        with self._counted(builder, terms, self.lanes) as at:
            there = first_lanes(builder, self.vector, builder.sub(terms, at))
            to = self._times(builder, at, panel.vectors * self.lanes)
            for v in range(panel.vectors):
                known = panel.lanes if v == panel.vectors - 1 else self.lanes
                starts = [builder.add(at, LONG((v * self.lanes + r) * self.layout.row_of_b)) for r in range(known)]
                rows = [load(builder, self.vector, self._at(builder, b, start), there) for start in starts]
                rows += [nothing(self.vector)] * (self.lanes - known)
                for _ in range(self.lanes.bit_length() - 1):
                    pairs = zip(rows[: self.lanes // 2], rows[self.lanes // 2 :], strict=True)
                    rows = [part for pair in pairs for part in merged(builder, *pair)]
                for r, row in enumerate(rows):
                    place = builder.add(to, LONG((r * panel.vectors + v) * self.lanes))
                    store(builder, row, self._at(builder, working, place))

    # --- parts of functions ------------------------------------------------------------------------------------

    def _kept(self, stem: str, key: Any, arguments: list[Any], write: Callable[..., None]) -> Any:
        """A function of the module, written once; `write` takes a builder and the arguments."""
        shown = f"{self.prefix}{stem}_{self.bytes}_{key}"
        function = self.module.globals.get(shown)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), shown)
            function.linkage = "internal"
            function.attributes.add("noinline")
            function.attributes.add("nounwind")
            for argument in function.args:
                if argument.type == self.pointer:
                    argument.add_attribute("noalias")
            builder = ir.IRBuilder(function.append_basic_block())
            write(builder, *function.args)
            builder.ret_void()
        return function

    def _times(self, builder: Any, count: Any, length: int) -> Any:
        return builder.mul(count, LONG(length), flags=("nsw",))

    def _at(self, builder: Any, array: Any, at: Any) -> Any:
        return place_of(builder, self.vector, array, at)

    @contextmanager
    def _counted(
        self, builder: Any, stop: Any, step: int, start: Any = _ZERO, at_least_once: bool = False
    ) -> Iterator[Any]:
        """A loop's body, and its count."""
        before, body, after = builder.block, *(builder.append_basic_block() for _ in range(2))
        if at_least_once:
            builder.branch(body)
        else:
            builder.cbranch(builder.icmp_signed("<", start, stop), body, after)
        builder.position_at_end(body)
        at = builder.phi(LONG)
        yield at
        turn(builder, at, start, stop, step, before, after)
