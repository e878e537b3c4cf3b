"""Which loops there are: kernels, their phases, and what memory each of them touches.

In: nothing.  Out: the classes that `fusion` fills in and that the memory plan and the writer of loops read.
Always holds: the equations of a phase share one iteration space and read each other only at the same index; the phases
of a kernel run one after the other for each of its rows, and read each other only at the same row; the tail runs once,
after all rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from sympy import Basic, S, Symbol

from graphc.graph.graph import Equation, Graph, operands, statics
from graphc.graph.operation import Lowering, operation_of
from graphc.graph.types import Size
from graphc.ops.lowering import Access, Contract, Element, Reduce, Scatter

Index = tuple[str, ...]


@dataclass(frozen=True)
class LabelledProduct:
    """A contraction with its transposes taken into the labels.

    `order` are the labels of its loops, from the outside inwards; a label of size 1 has none, and those of `unrolled`
    are written out term by term.  `runs`: the summed loops are the innermost, so that each element is a running sum.
    """

    a: Basic
    b: Basic
    part_a: str
    part_b: str
    result: str
    order: str
    sizes: Mapping[str, Size]
    unrolled: str = ""
    runs: bool = True

    @property
    def space(self) -> tuple[Size, ...]:
        return tuple(self.sizes[label] for label in self.order)

    @property
    def kept(self) -> int:
        """How many leading loops the result keeps."""
        result = [c for c in self.result if c in self.order]
        same = (own == loop for own, loop in zip(result, self.order, strict=False))
        return sum(takewhile(bool, same))

    @property
    def sums(self) -> bool:
        """True where some loop is summed over."""
        return any(label not in self.result for label in self.order)

    def terms(self) -> list[dict[str, str]]:
        """An index for each label, one table a term."""
        loops = dict(zip(self.order, loop_index(self.space), strict=True))
        ranges = [[str(k) for k in range(int(str(self.sizes[label])))] for label in self.unrolled]
        return [{**loops, **dict(zip(self.unrolled, values, strict=True))} for values in itertools.product(*ranges)]


def index_of(part: str, term: Mapping[str, str]) -> Index:
    """Where an array with these labels is read in a term of a contraction."""
    return tuple(term.get(label, "0") for label in part)


@dataclass(frozen=True)
class MatrixProduct:
    """C[m, n] = alpha op(A)[m, k] @ op(B)[k, n] + beta onto, repeated over leading axes; all in row-major memory.

    `tiled`: by `codegen.tiles`, else by BLAS.
    """

    a: Symbol
    b: Symbol
    transpose_a: bool
    transpose_b: bool
    batch: Size
    m: Size
    n: Size
    k: Size
    tiled: bool
    alpha: Basic = S.One
    beta: Basic = S.Zero
    onto: Symbol | None = None


@dataclass
class Phase:
    """Equations of one iteration space; a search for a place has a phase of its own."""

    space: tuple[Size, ...]
    equations: list[Equation] = field(default_factory=list)
    alone: bool = False


@dataclass
class Kernel:
    """One loop nest: `rows` leading axes are loops around all phases; or one call: a matrix product, or a routine.

    `divided`: the size of the leading axis, of which a call computes only a part.
    """

    rows: int = 0
    phases: list[Phase] = field(default_factory=list)
    tail: Phase = field(default_factory=lambda: Phase(()))
    product: MatrixProduct | None = None
    routine: bool = False
    divided: Size | None = None

    @property
    def called(self) -> bool:
        """True for one call on whole arrays, which nothing joins."""
        return self.product is not None or self.routine

    @property
    def equations(self) -> list[Equation]:
        return [e for phase in (*self.phases, self.tail) for e in phase.equations]

    @property
    def row_shape(self) -> tuple[Size, ...]:
        """Sizes of the loops around all phases."""
        return self.phases[0].space[: self.rows] if self.phases else ()


@dataclass(frozen=True)
class Read:
    """A symbol with memory that an equation reads, at an index in the names of the reader's loops."""

    symbol: Symbol
    at: Index

    def direct(self, shape: tuple[Size, ...], space: tuple[Size, ...]) -> bool:
        """True where the reader reads the element that its own loops stand at."""
        return shape == space and self.at == loop_index(space)

    def rows(self, shape: tuple[Size, ...], space: tuple[Size, ...]) -> int:
        """How many leading axes of the symbol are the reader's own."""
        own, count = loop_index(space), 0
        while count < min(len(shape), len(space)) and shape[count] == space[count] and self.at[count] == own[count]:
            count += 1
        return count


@dataclass
class Schedule:
    """Kernels in order.  `stored` symbols have memory; `roots` says whose memory an alias reads; `virtual` is computed
    by whoever reads it: rearrangements, and arithmetic with sizes; `row_local` are those
    that only their own kernel reads, with the number of its rows: memory for one row is enough.

    `one_thread`: BLAS has no threads of its own.  `listed` are inputs whose rows the products find by a list, in the array
    of all examples.

    Where threads share the work, `sections` has the section of each kernel, and each part its own memory of `private`."""

    graph: Graph
    kernels: list[Kernel]
    stored: set[Symbol]
    roots: dict[Symbol, Basic]
    virtual: dict[Symbol, Equation]
    row_local: dict[Symbol, int] = field(default_factory=dict)
    labels: dict[Symbol, LabelledProduct] = field(default_factory=dict)
    one_thread: bool = False
    listed: frozenset[Symbol] = frozenset()
    sections: list[int] = field(default_factory=list)
    private: set[Symbol] = field(default_factory=set)

    def root(self, atom: Basic) -> Basic:
        """Whose memory (or which number) an atom stands for."""
        return self.roots.get(atom, atom) if isinstance(atom, Symbol) else atom

    def shape(self, atom: Basic) -> tuple[Size, ...]:
        return self.graph.types[atom].shape if isinstance(atom, Symbol) else ()

    def memory_shape(self, s: Symbol) -> tuple[Size, ...]:
        """The shape that a symbol's memory has room for."""
        return self.shape(s)[self.row_local.get(s, 0) :]

    def space(self, equation: Equation) -> tuple[Size, ...]:
        """The loops of an equation: over its operand where it reduces, else over its result."""
        if equation.target in self.labels:
            return self.labels[equation.target].space
        over_operand = isinstance(lowering_of(equation), (Reduce, Scatter))
        return self.shape(operands(equation.expr)[0] if over_operand else equation.target)

    def reads(self, equation: Equation) -> list[Read]:
        """What an equation reads, at which index of its loops."""
        lowering, index = lowering_of(equation), loop_index(self.space(equation))
        p = self.labels.get(equation.target)
        if p is not None:
            parts = ((p.a, p.part_a), (p.b, p.part_b))
            return [r for t in p.terms() for atom, part in parts for r in self.memory_behind(atom, index_of(part, t))]
        if isinstance(lowering, Access):
            return list(self._through(equation, index))
        atoms = [a for a in operands(equation.expr) if a is not equation.expr]
        if isinstance(lowering, Scatter):
            found = list(self.memory_behind(atoms[0], index))
            lowering.place(index, self._recorder(atoms, found), tuple(map(self.shape, atoms)), statics(equation.expr))
            return found
        return [r for atom in atoms for r in self.memory_behind(atom, index)]

    def memory_behind(self, atom: Basic, index: Index) -> Iterator[Read]:
        """The memory that reading an atom at an index (right-aligned, as broadcasting is) touches."""
        root = self.root(atom)
        if not isinstance(root, Symbol):
            return
        shape = self.shape(atom)
        own = tuple("0" if d == 1 else i for d, i in zip(shape, index[len(index) - len(shape) :], strict=True))
        if root in self.virtual:
            yield from self._through(self.virtual[root], own)
        else:
            yield Read(root, reshaped(own, shape, self.shape(root)))

    def touched(self, atom: Basic) -> list[Symbol]:
        """The symbols with memory behind an atom, wherever it is read."""
        return [r.symbol for r in self.memory_behind(atom, ("?",) * len(self.shape(atom)))]

    def _through(self, equation: Equation, index: Index) -> Iterator[Read]:
        """What one element of a rearrangement reads; sizes are no memory."""
        lowering = lowering_of(equation)
        if not isinstance(lowering, Access):
            return
        atoms, found = operands(equation.expr), list[Read]()
        lowering.read(index, self._recorder(atoms, found), tuple(map(self.shape, atoms)), statics(equation.expr))
        yield from found

    def _recorder(self, atoms: tuple[Basic, ...] | list[Basic], found: list[Read]) -> Element:
        def element(k: int, at: Index) -> str:
            found.extend(self.memory_behind(atoms[k], at))
            return "?"

        return element


def loop_index(space: tuple[Size, ...]) -> Index:
    """Names of the loops of a space; an axis of size 1 has none."""
    return tuple("0" if d == 1 else f"i{k}" for k, d in enumerate(space))


def is_number(space: tuple[Size, ...]) -> bool:
    """True for a space of one element."""
    return all(d == 1 for d in space)


def reshaped(index: Index, shape: tuple[Size, ...], root: tuple[Size, ...]) -> Index:
    """An index of a reshaped array as one of its memory; what cannot be told is "?"."""
    if shape == root:
        return index
    slim = [(d, i) for d, i in zip(shape, index, strict=True) if d != 1]
    if [d for d, _ in slim] == [d for d in root if d != 1]:
        left = iter(i for _, i in slim)
        return tuple("0" if d == 1 else next(left) for d in root)
    same = 0
    while same < min(len(shape), len(root)) and shape[same] == root[same]:
        same += 1
    return index[:same] + ("?",) * (len(root) - same)


def unscheduled(graph: Graph) -> Schedule:
    """A schedule without kernels, for programs of numbers: everything has a place, aliases are known."""
    plan = Schedule(graph, [], set(graph.types), {}, {})
    for equation in graph.equations:
        if lowering_of(equation) is None:
            plan.roots[equation.target] = plan.root(operands(equation.expr)[0])
    return plan


def lowering_of(equation: Equation) -> Lowering | None:
    """How an equation is lowered; None for an alias."""
    operation = operation_of(equation.expr)
    if operation is None:
        return None
    assert operation.lowering is not None, f"{operation.name} is not primitive"
    return operation.lowering  # type: ignore[no-any-return]


def kept_axes(equation: Equation, plan: Schedule) -> int:
    """How many leading loops a result keeps: it is complete when the loops inside them have ended."""
    lowering = lowering_of(equation)
    if isinstance(lowering, Contract):
        return plan.labels[equation.target].kept
    space = plan.space(equation)
    if isinstance(lowering, Reduce):
        return min((k for k in statics(equation.expr)[0] if space[k] != 1), default=len(space))
    return 0 if isinstance(lowering, Scatter) else len(space)


def accumulates(equation: Equation, plan: Schedule) -> bool:
    """True where a result grows in memory: it is summed over loops that are not the innermost."""
    lowering, space = lowering_of(equation), plan.space(equation)
    if isinstance(lowering, Contract):
        p = plan.labels[equation.target]
        return p.sums and not p.runs
    if isinstance(lowering, Reduce) and not lowering.arguments:
        loops = [k for k, d in enumerate(space) if d != 1]
        axes = [k for k in statics(equation.expr)[0] if space[k] != 1]
        return bool(axes) and loops[-len(axes) :] != axes
    return isinstance(lowering, Scatter)
