"""Which equations share a loop nest: equations grouped into kernels and their phases.

In: a graph of primitive operations.  Out: its `Schedule`.
Always holds: what a kernel reads is complete when it is read: computed by an earlier kernel, or by an earlier phase for
the same row, or by the same phase at the same index; rearrangements are never stored unless somebody needs them as
memory, they are read in place through their index.

Three ways to join, the first that is legal: the phase of an operand, at the same index; the kernel of the latest
operand, as a later phase of the same rows (a row-wise softmax with its loss and gradient is one pass over the row);
any later kernel that has a phase of the same space.  Phases of short rows share a kernel only where they are few
operations: in a long chain of short loops each waits for the one before, while in a kernel for each phase rows do not
wait for each other, and a function of one number of each row is computed for a vector of rows.  Afterwards an
elementwise equation that only one other phase reads moves there, unless more than one array would have to be stored
instead of its result.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from sympy import Basic, Symbol

from graphc.codegen.products import Accumulation, Users, accumulation, labelled, matrix_product
from graphc.codegen.schedule import Kernel, Phase, Read, Schedule, accumulates, is_number, kept_axes, lowering_of
from graphc.graph.graph import Equation, Graph, operands, symbols_of
from graphc.graph.types import Size, product
from graphc.ops.lowering import Access, Alias, Contract, Measure, Reduce, Routine, Scalar

LOOP_LIMIT = 80  # equations in one kernel: the values of a longer loop find no registers
LANES, FUNCTION = 16, 20  # elements of a vector; its operations for a function
# Operations on vectors.  A phase of so many takes longer than the chain of its operations; of a row of so few, processors
# take up several at once.
LONG_PHASE, FEW = 256, 12
TAIL = 1 << 30  # the place of a kernel's tail among its phases


def schedule(graph: Graph, one_thread: bool = False) -> Schedule:
    """Group a graph's equations into kernels; `one_thread`: BLAS has no threads of its own."""
    return _Scheduler(graph, one_thread).run()


class _Scheduler:
    def __init__(self, graph: Graph, one_thread: bool) -> None:
        self.graph = graph
        # filled as the equations are placed
        self.plan = Schedule(graph, [], set(graph.leaves()), {}, {}, one_thread=one_thread)
        self.results: tuple[Basic, ...] = (*graph.outputs, *graph.metrics, *(v for _, v in graph.updates))
        readers: dict[Basic, list[Equation]] = {}
        for equation in graph.equations:
            for s in symbols_of(equation.expr):
                readers.setdefault(s, []).append(equation)
        self.users = Users({e.target: e for e in graph.equations}, readers, frozenset(self.results))
        self.place: dict[Symbol, tuple[int, int]] = {}  # the kernel and phase that compute a symbol
        self.kept: dict[Symbol, int] = {}
        self.reads: dict[Symbol, list[Read]] = {}
        self.by_space: dict[tuple[Size, ...], list[int]] = {}

    def run(self) -> Schedule:
        placed = self._computed()
        together = self._accumulations(placed)
        absorbed = {e.target for a in together.values() for e in a.equations}
        for equation in placed:
            if equation.target in together:
                self._product(together[equation.target])
            elif equation.target not in absorbed:
                self._place(equation)
        for k in range(len(self.plan.kernels)):
            self._arrange_phases(k)
        self._sink()
        self._drop_empty()
        self._choose_memory()
        return self.plan

    def _computed(self) -> list[Equation]:
        """The equations that are computed; others are memory under another shape, or read in place."""
        memory, computed = self._needed_as_memory(), []
        for equation in self.graph.equations:
            lowering, target = lowering_of(equation), equation.target
            if lowering is None or isinstance(lowering, Alias):
                self.plan.roots[target] = self.plan.root(operands(equation.expr)[0])
            elif (isinstance(lowering, Access) and target not in memory) or self._measures(equation, memory):
                self.plan.virtual[target] = equation
            else:
                computed.append(equation)
        return computed

    def _measures(self, equation: Equation, memory: set[Symbol]) -> bool:
        """True for a size, and for arithmetic with sizes and numbers alone: whoever reads it computes it anew."""
        lowering, virtual = lowering_of(equation), self.plan.virtual
        if not isinstance(lowering, Scalar) or equation.target in memory or self.plan.shape(equation.target):
            return isinstance(lowering, Measure)
        symbols = symbols_of(equation.expr)
        sizes = (s in virtual and isinstance(lowering_of(virtual[s]), (Measure, Scalar)) for s in symbols)
        return bool(symbols) and all(sizes)

    def _accumulations(self, placed: list[Equation]) -> dict[Symbol, Accumulation]:
        """Products that are added to an array, by the sum they compute."""
        owners: dict[Basic, Symbol] = {value: owner for owner, value in self.graph.updates}
        found: dict[Symbol, Accumulation] = {}
        for equation in placed:
            if isinstance(lowering_of(equation), Contract):
                together = accumulation(self.plan, equation, self.users, owners)
                if together is not None and together.target not in found:
                    found[together.target] = together
        return found

    def _needed_as_memory(self) -> set[Symbol]:
        """What is rearranged or measured and needed as memory: results, operands of products and of reshapes."""
        wanted: set[Basic] = set(self.results)
        memory: set[Symbol] = set()
        for equation in reversed(self.graph.equations):
            lowering = lowering_of(equation)
            if isinstance(lowering, (Contract, Routine, Alias)) or (lowering is None and equation.target in wanted):
                wanted.update(symbols_of(equation.expr))
            if isinstance(lowering, Scalar) and equation.target in wanted:
                memory.add(equation.target)
            if isinstance(lowering, Access) and equation.target in wanted:
                if lowering.permutes and not self._read_as_memory(equation.target):
                    wanted.update(symbols_of(equation.expr))
                    continue
                memory.add(equation.target)
        return memory

    def _read_as_memory(self, target: Symbol) -> bool:
        """True unless only products read a transposed array: they take transposes as flags."""
        if target in self.results:
            return True
        users = self.users.readers.get(target, [])
        return any(not isinstance(lowering_of(e), (Contract, Scalar, Reduce)) for e in users)

    # --- placing -----------------------------------------------------------------------------------------------

    def _place(self, equation: Equation) -> None:
        if isinstance(lowering_of(equation), Routine):
            self._call(Kernel(routine=True, tail=Phase((), [equation])), operands(equation.expr))
            return
        found = matrix_product(self.plan, equation) if isinstance(lowering_of(equation), Contract) else None
        if found is not None:
            self._product(Accumulation(equation.target, found, (equation,)))
            return
        phase = self._new_phase(equation)
        reads, kept = self.plan.reads(equation), kept_axes(equation, self.plan)
        labels = self.plan.labels.get(equation.target)
        limit = 1 if labels is not None and labels.sums else kept if phase.alone else len(phase.space)
        kernel, place = self._join(phase, reads, limit)
        target = self.plan.kernels[kernel]
        if place == TAIL:
            target.tail.equations.append(equation)
        elif place < len(target.phases):
            target.phases[place].equations.append(equation)
        else:
            target.phases.append(phase)
            phase.equations.append(equation)
            if not phase.alone:
                self.by_space.setdefault(phase.space, []).append(kernel)
        self._note(equation.target, kernel, place, kept, reads)

    def _product(self, found: Accumulation) -> None:
        """A kernel for a product of matrices."""
        p = found.product
        atoms = (p.a, p.b) if p.onto is None else (p.a, p.b, p.onto)
        self._call(Kernel(product=p, tail=Phase((), list(found.equations))), atoms)

    def _call(self, kernel: Kernel, atoms: tuple[Basic, ...]) -> None:
        """A kernel that is one call: it reads whole arrays."""
        self.plan.kernels.append(kernel)
        reads = [Read(s, ("?",) * len(self.plan.shape(s))) for atom in atoms for s in self.plan.touched(atom)]
        self._note(kernel.equations[-1].target, len(self.plan.kernels) - 1, TAIL, 0, reads)

    def _note(self, s: Symbol, kernel: int, phase: int, kept: int, reads: list[Read]) -> None:
        self.place[s], self.kept[s], self.reads[s] = (kernel, phase), kept, reads

    def _new_phase(self, equation: Equation) -> Phase:
        """An empty phase of the equation's iteration space."""
        lowering = lowering_of(equation)
        if isinstance(lowering, Contract):
            self.plan.labels[equation.target] = labelled(self.plan, equation)
        return Phase(self.plan.space(equation), alone=isinstance(lowering, Reduce) and lowering.arguments)

    def _join(self, phase: Phase, reads: list[Read], limit: int) -> tuple[int, int]:
        """A kernel and the place in it for an equation; a new kernel where no other will do."""
        computed = [r for r in reads if r.symbol in self.place]
        latest = max((self.place[r.symbol][0] for r in computed), default=-1)
        if is_number(phase.space) and not phase.alone:
            return self._tail(latest), TAIL
        if latest >= 0:
            fit = self._fit(latest, phase, computed, limit)
            if fit is not None:
                rows, place = fit
                self.plan.kernels[latest].rows = rows
                return latest, place
        candidates = self.by_space.get(phase.space, [])
        for kernel in candidates[bisect_left(candidates, latest + 1) :] if not phase.alone else []:
            fit = self._fit(kernel, phase, [], limit)
            if fit is not None and fit[1] < len(self.plan.kernels[kernel].phases):
                return kernel, fit[1]
        self.plan.kernels.append(Kernel(rows=limit))
        return len(self.plan.kernels) - 1, 0

    def _tail(self, latest: int) -> int:
        """The kernel whose tail computes a single number: the one that computes its operands, else the next."""
        for kernel in range(max(latest, 0), len(self.plan.kernels)):
            found = self.plan.kernels[kernel]
            if not found.called and len(found.equations) < LOOP_LIMIT:
                return kernel
        self.plan.kernels.append(Kernel())
        return len(self.plan.kernels) - 1

    def _fit(self, kernel: int, phase: Phase, reads: list[Read], limit: int) -> tuple[int, int] | None:
        """How many rows a kernel would have with an equation of this phase in it, and at which place it would stand."""
        target = self.plan.kernels[kernel]
        if target.called or not target.phases or len(target.equations) >= LOOP_LIMIT:
            return None
        rows, first = min(_common(target.row_shape, phase.space), limit), 0
        for read in reads:
            at, place = self.place[read.symbol]
            if at != kernel:
                continue
            if place == TAIL:
                return None
            if self._same_index(read, phase, target.phases[place]):
                first = max(first, place)
                continue
            rows = min(rows, self.kept[read.symbol], read.rows(self.plan.shape(read.symbol), phase.space))
            first = max(first, place + 1)
        if not phase.alone:
            for place in range(first, len(target.phases)):
                there = target.phases[place]
                if there.space == phase.space and not there.alone and (rows or (place == 0 == len(target.phases) - 1)):
                    return min(rows, target.rows), place
        rows = min(rows, target.rows)
        return (rows, len(target.phases)) if rows and not _waits(target, rows, phase) else None

    def _same_index(self, read: Read, phase: Phase, source: Phase) -> bool:
        s = read.symbol
        return (
            not phase.alone and not source.alone and source.space == phase.space and self.kept[s] == len(phase.space)
            and read.direct(self.plan.shape(s), phase.space)
        )  # fmt: skip

    # --- arranging ---------------------------------------------------------------------------------------------

    def _arrange_phases(self, k: int) -> None:
        """As few loops as the order of a row's computations allows: even levels are loops, odd ones numbers between."""
        kernel = self.plan.kernels[k]
        if len(kernel.phases) < 3:
            return
        level: dict[Symbol, int] = {}
        found: dict[tuple[int, object], list[tuple[Equation, Phase]]] = {}
        for place, phase in enumerate(kernel.phases):
            is_loop = not is_number(phase.space[kernel.rows :])
            for equation in phase.equations:
                at = 0 if is_loop else -1
                for read in self.reads[equation.target]:
                    s = read.symbol
                    if s not in level:
                        continue
                    if self._same_index(read, phase, kernel.phases[self.place[s][1]]):
                        at = max(at, level[s])
                    else:
                        at = max(at, (level[s] // 2 + 1) * 2 if is_loop else level[s] | 1)
                level[equation.target] = at
                group = (place if phase.alone else phase.space) if is_loop else None
                found.setdefault((at, group), []).append((equation, phase))
        kernel.phases = []
        for _, members in sorted(found.items(), key=lambda item: item[0][0]):
            last: Phase | None = None
            for equation, phase in members:
                if last is None or last.space != phase.space:
                    last = Phase(phase.space, [], phase.alone)
                    kernel.phases.append(last)
                last.equations.append(equation)
                self.place[equation.target] = (k, len(kernel.phases) - 1)

    # --- moving ------------------------------------------------------------------------------------------------

    def _sink(self) -> None:
        """Compute elementwise results where they are read, if only one phase reads them."""
        readers: dict[Symbol, list[tuple[Symbol, Read]]] = {}
        for target, reads in self.reads.items():
            for read in reads:
                readers.setdefault(read.symbol, []).append((target, read))
        needed = {s for atom in self.results for s in self.plan.touched(atom)}
        for equation in reversed(self.graph.equations):
            s = equation.target
            if s in needed or s not in self.place or not isinstance(lowering_of(equation), Scalar):
                continue
            if self.plan.kernels[self.place[s][0]].called:  # the sum that a product is added to
                continue
            goals = {self.place[t] for t, _ in readers.get(s, [])}
            if len(goals) != 1 or (goal := goals.pop()) == self.place[s]:
                continue
            if self._can_sink(equation, goal, [r for _, r in readers[s]], readers):
                self._move(equation, goal)

    def _can_sink(
        self,
        equation: Equation,
        goal: tuple[int, int],
        uses: list[Read],
        readers: dict[Symbol, list[tuple[Symbol, Read]]],
    ) -> bool:
        s, kernel = equation.target, self.plan.kernels[goal[0]]
        if goal[1] == TAIL or kernel.called or len(kernel.equations) >= LOOP_LIMIT:
            return False
        phase, shape = kernel.phases[goal[1]], self.plan.shape(s)
        if phase.alone or phase.space != shape or not all(r.direct(shape, shape) for r in uses):
            return False
        fresh = 0
        for read in self.reads[s]:
            o = read.symbol
            if o in self.place and not any(self.place[t] != self.place[o] for t, _ in readers[o] if t != s):
                fresh += 1
        return fresh <= 1

    def _move(self, equation: Equation, goal: tuple[int, int]) -> None:
        s = equation.target
        kernel, place = self.place[s]
        source = self.plan.kernels[kernel]
        (source.tail if place == TAIL else source.phases[place]).equations.remove(equation)
        self.plan.kernels[goal[0]].phases[goal[1]].equations.insert(0, equation)
        self.place[s] = goal

    def _drop_empty(self) -> None:
        """Forget phases and kernels that everything has left."""
        renumbered: dict[tuple[int, int], tuple[int, int]] = {}
        kernels: list[Kernel] = []
        for k, kernel in enumerate(self.plan.kernels):
            if not kernel.equations:
                continue
            left = [p for p, phase in enumerate(kernel.phases) if phase.equations]
            renumbered |= {(k, p): (len(kernels), new) for new, p in enumerate(left)} | {
                (k, TAIL): (len(kernels), TAIL)
            }
            kernel.phases = [kernel.phases[p] for p in left]
            if len(kernel.phases) < 2:
                grown = [e.target for phase in kernel.phases for e in phase.equations if self._accumulates(e.target)]
                kernel.rows = int(bool(grown) and all(self.kept[s] for s in grown))
            kernels.append(kernel)
        self.plan.kernels = kernels
        self.place = {s: renumbered[at] for s, at in self.place.items()}

    # --- memory ------------------------------------------------------------------------------------------------

    def _choose_memory(self) -> None:
        """Which results need memory, and which of those only a row of it."""
        plan = self.plan
        outside = {s for atom in self.results for s in plan.touched(atom)}
        for target, reads in self.reads.items():
            for read in reads:
                if read.symbol in self.place:
                    self._note_reader(read.symbol, self.place[target], outside)
        plan.stored |= outside
        for s, (k, _) in self.place.items():
            kernel = plan.kernels[k]
            if kernel.called or self._accumulates(s):
                plan.stored.add(s)
            if s in plan.stored and s not in outside and kernel.rows and self.kept[s] >= kernel.rows:
                plan.row_local[s] = kernel.rows

    def _note_reader(self, s: Symbol, reader: tuple[int, int], outside: set[Symbol]) -> None:
        """Memory for what is read elsewhere, unless it is a name there: one number of its row, or of all rows."""
        kernel, place = self.place[s]
        if reader[0] != kernel:
            outside.add(s)
        elif reader[1] != place and not self._accumulates(s):
            found = self.plan.kernels[kernel]
            shape, kept = self.plan.shape(s), self.kept[s]
            if reader[1] == TAIL:
                if not (is_number(shape) and is_number(found.phases[place].space[:kept])):
                    outside.add(s)
            elif not is_number(shape[found.rows :]):
                self.plan.stored.add(s)
        elif reader[1] == TAIL != place:
            outside.add(s)

    def _accumulates(self, s: Symbol) -> bool:
        return self.place[s][1] != TAIL and accumulates(self.users.makers[s], self.plan)


def _waits(kernel: Kernel, rows: int, phase: Phase) -> bool:
    """Whether rows with one more phase would be chains of short loops."""
    work = [_work(p, rows) for p in kernel.phases]
    return max(work) < LONG_PHASE and sum(work) + _work(phase, rows) > FEW


def _work(phase: Phase, rows: int) -> float:
    """About how many operations on vectors a row of a phase takes; one for each vector before it has equations."""
    size = product(phase.space[rows:])
    if not isinstance(size, int):
        return math.inf
    calls = sum(bool(getattr(lowering_of(e), "helpers", ())) for e in phase.equations)
    return -(-size // LANES) * max(1, len(phase.equations) + FUNCTION * calls)


def _common(a: tuple[Size, ...], b: tuple[Size, ...]) -> int:
    """How many leading sizes are the same."""
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count
