"""Which memory: a place in an arena for every stored symbol.

In: a schedule, and the symbols whose memory is given from outside.  Out: `Plan`.
Always holds: two symbols share memory only if one is dead before the kernel that writes the other; a parameter's next
value is written in place where no later kernel reads the old one; sizes stay symbolic until the sizes are known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sympy import Basic, Symbol

from graphc.codegen.schedule import Kernel, Schedule, lowering_of
from graphc.graph.graph import needed, operands
from graphc.graph.types import Size, product, surely_at_most
from graphc.ops.lowering import Scalar


@dataclass
class Slot:
    """A piece of the arena of one kind."""

    kind: str
    size: Size


@dataclass
class Plan:
    """`slot` of each stored symbol that has one; `places` in place of its owner; `copies` after the last kernel."""

    slots: list[Slot] = field(default_factory=list)
    slot: dict[Symbol, int] = field(default_factory=dict)
    in_place: dict[Symbol, Symbol] = field(default_factory=dict)
    copies: list[tuple[Symbol, Basic]] = field(default_factory=list)


def reads(plan: Schedule, kernel: Kernel) -> dict[Symbol, set[int]]:
    """Stored symbols that a kernel reads, and in which of its phases: -1 stands for any read not at the reader's index."""
    found: dict[Symbol, set[int]] = {}
    if kernel.product is not None:
        p = kernel.product
        found = {s: {-1} for atom in (p.a, p.b) for s in plan.touched(atom)}
        return found if p.onto is None else {p.onto: {0}, **found}
    if kernel.routine:
        return {s: {-1} for atom in operands(kernel.equations[0].expr) for s in plan.touched(atom)}
    for place, phase in enumerate((*kernel.phases, kernel.tail)):
        for equation in phase.equations:
            for read in plan.reads(equation):
                direct = read.direct(plan.shape(read.symbol), plan.space(equation))
                found.setdefault(read.symbol, set()).add(place if direct else -1)
    return found


def plan_memory(schedule: Schedule, given: set[Symbol]) -> Plan:
    """Places for all stored symbols that are not `given`."""
    return _Planner(schedule, given).run()


class _Planner:
    def __init__(self, schedule: Schedule, given: set[Symbol]) -> None:
        self.schedule, self.given = schedule, given
        self.plan = Plan()
        self.forward = forward_targets(schedule)
        self.kernel_reads = [reads(schedule, k) for k in schedule.kernels]
        self.last: dict[Symbol, int] = {}
        for place, table in enumerate(self.kernel_reads):
            for s in table:
                self.last[s] = place

    def run(self) -> Plan:
        self._updates()
        self._accumulations()
        schedule, end = self.schedule, len(self.schedule.kernels)
        for atom in (*schedule.graph.outputs, *schedule.graph.metrics):
            self._keep(atom, end)
        for _, value in self.plan.copies:
            self._keep(value, end)
        free: list[int] = []
        dying: dict[int, list[int]] = {}
        for place, kernel in enumerate(schedule.kernels):
            free += dying.pop(place - 1, [])
            for equation in kernel.equations:
                s = equation.target
                if s not in schedule.stored or s in self.given or s in self.plan.in_place:
                    continue
                slot = self._take(s, free)
                self.plan.slot[s] = slot
                dying.setdefault(max(self.last.get(s, place), place), []).append(slot)
        return self.plan

    def _keep(self, atom: Basic, end: int) -> None:
        root = self.schedule.root(atom)
        if not isinstance(root, Symbol):
            return
        for s in self.schedule.touched(root):
            self.last[s] = end

    def _take(self, s: Symbol, free: list[int]) -> int:
        """A free slot that surely holds s, the smallest known to; else a new one."""
        type_ = self.schedule.graph.types[s]
        size, slots = product(self.schedule.memory_shape(s)), self.plan.slots
        fitting = [i for i in free if slots[i].kind == type_.kind and surely_at_most(size, slots[i].size)]
        if fitting:
            best = fitting[0]
            for i in fitting[1:]:
                if surely_at_most(slots[i].size, slots[best].size):
                    best = i
            free.remove(best)
            return best
        slots.append(Slot(type_.kind, size))
        return len(slots) - 1

    def _accumulations(self) -> None:
        """Sums of products grow in the memory of the product they begin with."""
        for place, kernel in reversed(list(enumerate(self.schedule.kernels))):
            onto = kernel.product.onto if kernel.product is not None else None
            target = kernel.equations[-1].target
            if onto is None or target in self.plan.in_place or {target, onto} & self.given or self.last[onto] > place:
                continue
            if self.kernel_reads[place][onto] == {0}:
                self.plan.in_place[target] = onto
                self.last[onto] = max(place, self.last.get(target, place))

    # --- next values of parameters -----------------------------------------------------------------------------

    def _updates(self) -> None:
        taken: set[Basic] = set()
        for owner, value in self.schedule.graph.updates:
            root = self.schedule.root(value)
            if root not in taken and isinstance(root, Symbol) and self._in_place(owner, root):
                self.plan.in_place[root] = owner
            else:
                self.plan.copies.append((owner, value))
            taken.add(root)

    def _in_place(self, owner: Symbol, root: Symbol) -> bool:
        types = self.schedule.graph.types
        if types[owner] != types[root] or root in self.schedule.virtual or root in self.schedule.graph.leaves():
            return False
        place = next(i for i, k in enumerate(self.schedule.kernels) if any(e.target == root for e in k.equations))
        kernel = self.schedule.kernels[place]
        if self.last.get(owner, -1) > place or is_forward(kernel, self.forward):
            return False
        here = self.kernel_reads[place].get(owner)
        if kernel.product is not None:
            return kernel.product.onto == owner and here == {0}
        if here is None:
            return True
        phases = (*kernel.phases, kernel.tail)
        where, equation = next((k, e) for k, phase in enumerate(phases) for e in phase.equations if e.target == root)
        return here == {where} and isinstance(lowering_of(equation), Scalar)


def forward_targets(schedule: Schedule) -> set[Symbol]:
    """Symbols that the outputs and metrics need: what is left of a step when nothing is learned."""
    graph = schedule.graph
    return {e.target for e in needed(graph, (*graph.outputs, *graph.metrics))}


def is_forward(kernel: Kernel, forward: set[Symbol]) -> bool:
    """True where a kernel computes something that is needed also when nothing is learned."""
    return any(e.target in forward for e in kernel.equations)
