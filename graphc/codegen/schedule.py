"""Which loops there are: equations grouped into kernels.

In: a graph of primitive operations.  Out: `Schedule`: kernels in order, and which symbols are stored.
Always holds: a kernel's elementwise equations share one iteration space and read each other only at the same index;
what they read otherwise was stored by an earlier kernel; rearrangements are never stored unless somebody needs them as
memory, they are read in place through their index.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from sympy import Basic, Symbol

from graphc.graph.graph import Equation, Graph, operands, statics, symbols_of
from graphc.graph.operation import Lowering, operation_of
from graphc.graph.types import Size, Type, product
from graphc.ops.contraction import label_sizes, split
from graphc.ops.lowering import Access, Alias, Contract, Measure, Reduce, Scalar, Scatter

LOOP_LIMIT = 80  # equations in one kernel: Numba's compile time grows faster than a function's length
SMALL_PRODUCT = 4096  # multiplications below which a product of known size is a loop of our own


@dataclass
class Kernel:
    """One loop nest (or one matrix product): its iteration space and the equations computed in it."""

    kind: str  # loop, contract, product
    space: tuple[Size, ...]
    equations: list[Equation] = field(default_factory=list)
    product: MatrixProduct | None = None
    labels: LabelledProduct | None = None
    alone: bool = False  # nothing may join it: a search for a place has loops in an order of its own


@dataclass(frozen=True)
class LabelledProduct:
    """A contraction with its transposes taken into the labels; `summed` are the labels that the result lacks."""

    a: Basic
    b: Basic
    part_a: str
    part_b: str
    result: str
    summed: str


@dataclass(frozen=True)
class MatrixProduct:
    """C[m, n] = op(A)[m, k] @ op(B)[k, n], repeated over leading axes; all in row-major memory."""

    a: Symbol
    b: Symbol
    transpose_a: bool
    transpose_b: bool
    batch: Size
    m: Size
    n: Size
    k: Size


@dataclass
class Schedule:
    """Kernels in order.  `stored` symbols have memory; `roots` says whose memory an alias reads."""

    graph: Graph
    kernels: list[Kernel]
    stored: set[Symbol]
    roots: dict[Symbol, Basic]
    virtual: dict[Symbol, Equation]

    def root(self, atom: Basic) -> Basic:
        """Whose memory (or which number) an atom stands for."""
        return self.roots.get(atom, atom) if isinstance(atom, Symbol) else atom

    def memory_behind(self, atom: Basic, direct: bool, space: tuple[Size, ...]) -> list[tuple[Symbol, bool]]:
        """The symbols with memory that reading an atom touches, and whether at the reader's own index.

        `direct`: the reader, whose iteration space is `space`, reads the atom itself element by element.
        """
        found: list[tuple[Symbol, bool]] = []
        todo = [(atom, direct)]
        while todo:
            current, at_index = todo.pop()
            root = self.root(current)
            if not isinstance(root, Symbol):
                continue
            if root in self.virtual:
                expr = self.virtual[root].expr
                todo += [(a, False) for a in operands(expr) if a is not expr]
            else:
                found.append((root, at_index and self.graph.types[root].shape == space))
        return found


def lowering_of(equation: Equation) -> Lowering | None:
    """How an equation is lowered; None for an alias."""
    operation = operation_of(equation.expr)
    if operation is None:
        return None
    assert operation.lowering is not None, f"{operation.name} is not primitive"
    return operation.lowering  # type: ignore[no-any-return]


def schedule(graph: Graph) -> Schedule:
    """Group a graph's equations into kernels."""
    return _Scheduler(graph).run()


class _Scheduler:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plan = Schedule(graph, [], set(graph.leaves()), {}, {})  # filled as the equations are placed
        self.users: dict[Basic, list[Equation]] = {}
        for equation in graph.equations:
            for s in symbols_of(equation.expr):
                self.users.setdefault(s, []).append(equation)
        self.place: dict[Symbol, int] = {}  # the kernel that computes a symbol
        self.reduced: set[Symbol] = set()  # results that are complete only after their kernel
        self.by_space: dict[tuple[Size, ...], list[int]] = {}

    def run(self) -> Schedule:
        memory = self._needed_as_memory()
        for equation in self.graph.equations:
            lowering, target = lowering_of(equation), equation.target
            if lowering is None:
                self.plan.roots[target] = self.plan.root(operands(equation.expr)[0])
            elif isinstance(lowering, Alias):
                source = self.plan.root(operands(equation.expr)[0])
                self.plan.roots[target] = source
            elif isinstance(lowering, Measure) or (isinstance(lowering, Access) and target not in memory):
                self.plan.virtual[target] = equation
            elif isinstance(lowering, Contract):
                self._contract(equation)
            else:
                self._loop(equation, lowering)
        for atom in (*self.graph.outputs, *self.graph.metrics, *(v for _, v in self.graph.updates)):
            self._store(atom)
        return self.plan

    def _needed_as_memory(self) -> set[Symbol]:
        """Rearranged results that somebody needs as memory: outputs, operands of products and of reshapes."""
        wanted: set[Basic] = {*self.graph.outputs, *self.graph.metrics, *(v for _, v in self.graph.updates)}
        memory: set[Symbol] = set()
        for equation in reversed(self.graph.equations):
            lowering = lowering_of(equation)
            if isinstance(lowering, (Contract, Alias)) or (lowering is None and equation.target in wanted):
                wanted.update(symbols_of(equation.expr))
            if isinstance(lowering, Access) and equation.target in wanted:
                if lowering.permutes and not self._read_as_memory(equation.target):
                    wanted.update(symbols_of(equation.expr))
                    continue
                memory.add(equation.target)
        return memory

    def _read_as_memory(self, target: Symbol) -> bool:
        """True unless only products read a transposed array: they take transposes as flags."""
        if target in self.graph.outputs or any(v == target for _, v in self.graph.updates):
            return True
        users = self.users.get(target, [])
        return any(not isinstance(lowering_of(e), (Contract, Scalar, Reduce)) for e in users)

    # --- loops -------------------------------------------------------------------------------------------------

    def _loop(self, equation: Equation, lowering: Lowering) -> None:
        space = self._space(equation, lowering)
        sources: list[tuple[Symbol, bool]] = []
        for k, atom in enumerate(operands(equation.expr)):
            if atom is equation.expr:
                continue
            direct = (
                not isinstance(lowering, Access)
                and self._type(atom).shape == space
                and not (isinstance(lowering, Scatter) and k)
            )
            sources += self.plan.memory_behind(atom, direct, space)
        lowest = max((self._earliest(s, at_index, space) for s, at_index in sources), default=0)
        alone = isinstance(lowering, Reduce) and lowering.arguments
        place = self._append(Kernel("loop", space, alone=True)) if alone else self._join(space, lowest)
        self.plan.stored.update(s for s, _ in sources if self.place.get(s, place) != place)
        self.plan.kernels[place].equations.append(equation)
        self.place[equation.target] = place
        if isinstance(lowering, (Reduce, Scatter)):
            self.reduced.add(equation.target)
            self.plan.stored.add(equation.target)

    def _space(self, equation: Equation, lowering: Lowering) -> tuple[Size, ...]:
        if isinstance(lowering, (Reduce, Scatter)):
            return self._type(operands(equation.expr)[0]).shape
        return self.graph.types[equation.target].shape

    def _type(self, atom: Basic) -> Type:
        return self.graph.types[atom] if isinstance(atom, Symbol) else Type()

    def _earliest(self, s: Symbol, at_index: bool, space: tuple[Size, ...]) -> int:
        """The first kernel that may read a symbol; what is not read at the same index is stored."""
        place = self.place.get(s)
        if place is None:
            return 0
        if (
            at_index
            and s not in self.reduced
            and self.plan.kernels[place].space == space
            and not self.plan.kernels[place].alone
        ):
            return place
        self.plan.stored.add(s)
        return place + 1

    def _join(self, space: tuple[Size, ...], lowest: int) -> int:
        """The first kernel of this space from `lowest` on that has room, or a new one."""
        candidates = self.by_space.setdefault(space, [])
        for place in candidates[bisect_left(candidates, lowest) :]:
            if len(self.plan.kernels[place].equations) < LOOP_LIMIT:
                return place
        return self._append(Kernel("loop", space))

    def _append(self, kernel: Kernel) -> int:
        self.plan.kernels.append(kernel)
        place = len(self.plan.kernels) - 1
        if kernel.kind == "loop" and not kernel.alone:
            self.by_space.setdefault(kernel.space, []).append(place)
        return place

    def _store(self, atom: Basic) -> None:
        for s, _ in self.plan.memory_behind(atom, False, ()):
            self.plan.stored.add(s)

    # --- products ----------------------------------------------------------------------------------------------

    def _contract(self, equation: Equation) -> None:
        a, b = operands(equation.expr)
        part_a, part_b, result = split(statics(equation.expr)[0])
        a, part_a = self._untransposed(a, part_a)
        b, part_b = self._untransposed(b, part_b)
        shapes = (self._type(a).shape, self._type(b).shape)
        sizes = label_sizes((part_a, part_b), shapes, lambda x, y, relation="==": None)
        for atom in (a, b):
            self._store(atom)
        matrix = self._matrix_product(a, b, part_a, part_b, result, sizes)
        summed = "".join(dict.fromkeys(c for c in part_a + part_b if c not in result))
        kind = "contract" if matrix is None else "product"
        labels = LabelledProduct(a, b, part_a, part_b, result, summed)
        kernel = Kernel(kind, tuple(sizes[c] for c in result + summed), [equation], matrix, labels)
        self.place[equation.target] = self._append(kernel)
        self.reduced.add(equation.target)
        self.plan.stored.add(equation.target)

    def _untransposed(self, atom: Basic, labels: str) -> tuple[Basic, str]:
        """An operand without the transposes around it, its labels permuted instead."""
        while isinstance(atom, Symbol) and atom in self.plan.virtual:
            equation = self.plan.virtual[atom]
            lowering = lowering_of(equation)
            if not (isinstance(lowering, Access) and lowering.permutes):
                break
            (axes,) = statics(equation.expr)
            permuted = [""] * len(axes)
            for place, axis in enumerate(axes):
                permuted[axis] = labels[place]
            atom, labels = operands(equation.expr)[0], "".join(permuted)
        return atom, labels

    def _matrix_product(
        self, a: Basic, b: Basic, part_a: str, part_b: str, result: str, sizes: dict[str, Size]
    ) -> MatrixProduct | None:
        """The contraction as a product of matrices, where its labels stand in groups and its kind is real."""
        if any(self._type(x).kind != "real" or not isinstance(x, Symbol) for x in (a, b)):
            return None
        batch = _common_prefix(part_a, part_b, result)
        a_rest, b_rest, c_rest = (p[len(batch) :] for p in (part_a, part_b, result))
        summed = [c for c in a_rest if c not in c_rest]
        if any(c in c_rest and c in a_rest for c in b_rest) or not summed:
            return None
        for left, right, left_part, right_part in ((a, b, a_rest, b_rest), (b, a, b_rest, a_rest)):
            rows = "".join(c for c in c_rest if c in left_part)
            columns = "".join(c for c in c_rest if c in right_part)
            if rows + columns != c_rest:
                continue
            turned = _orientation(left_part, rows)
            if turned is None:
                continue
            inner = left_part[len(rows) :] if not turned else left_part[: len(left_part) - len(rows)]
            turned_right = None
            if right_part == inner + columns:
                turned_right = False
            elif right_part == columns + inner:
                turned_right = True
            if turned_right is None:
                continue
            m, n, k, repeat = (product(sizes[c] for c in part) for part in (rows, columns, inner, batch))
            work = m * n * k * repeat
            if isinstance(work, int) and work <= SMALL_PRODUCT:
                return None
            if isinstance(m * n, int) and m * n == 1:
                return None
            assert isinstance(left, Symbol)
            assert isinstance(right, Symbol)
            return MatrixProduct(left, right, turned, turned_right, repeat, m, n, k)
        return None


def _common_prefix(*parts: str) -> str:
    """Leading labels that all parts share: axes that a product is repeated over."""
    count = 0
    while all(len(p) > count for p in parts) and len({p[count] for p in parts}) == 1:
        count += 1
    return parts[0][:count]


def _orientation(part: str, rows: str) -> bool | None:
    """False where the rows' labels come first, True where they come last, None where they are apart."""
    if part.startswith(rows):
        return False
    return True if part.endswith(rows) else None
