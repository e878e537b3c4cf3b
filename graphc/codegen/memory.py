"""Which memory: a place in an arena for every stored symbol.

In: a schedule, and the symbols whose memory is given from outside.  Out: `Plan`.
Always holds: two symbols share memory only if one is dead before the kernel that writes the other; a parameter's next
value is written in place where no later kernel reads the old one; sizes stay symbolic until the sizes are known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from sympy import Basic, Symbol

from graphc.codegen.placement import Piece
from graphc.codegen.schedule import Kernel, Schedule, lowering_of
from graphc.graph.graph import needed, operands
from graphc.graph.types import Size, product, size_value, sizes_of, surely_at_most
from graphc.ops.lowering import Scalar

USUAL_SIZE = 100  # what a size that is not known counts as where sizes are put in order


@dataclass
class Slot:
    """A piece of the arena of one kind; of "own real" (int, bool) each part of shared work has one."""

    kind: str
    size: Size


@dataclass
class Plan:
    """`slot` of each stored symbol that has one, and the kernels between which it is `alive`; `in_place` of its owner;
    `copies` after the last kernel."""

    slots: list[Slot] = field(default_factory=list)
    slot: dict[Symbol, int] = field(default_factory=dict)
    alive: dict[Symbol, tuple[int, int]] = field(default_factory=dict)
    in_place: dict[Symbol, Symbol] = field(default_factory=dict)
    copies: list[tuple[Symbol, Basic]] = field(default_factory=list)


def reads(plan: Schedule, kernel: Kernel) -> dict[Symbol, set[int]]:
    """Stored symbols that a kernel reads, and in which of its phases: -1 stands for any read not at the reader's index."""
    if kernel.product is not None:
        p = kernel.product
        onto = {p.onto: {0}} if p.onto is not None else {}
        return {**onto, **{s: {-1} for atom in (p.a, p.b) for s in plan.touched(atom)}}
    if kernel.routine:
        return {s: {-1} for atom in operands(kernel.equations[0].expr) for s in plan.touched(atom)}
    found: dict[Symbol, set[int]] = {}
    for place, phase in enumerate((*kernel.phases, kernel.tail)):
        for equation in phase.equations:
            for read in plan.reads(equation):
                direct = read.direct(plan.shape(read.symbol), plan.space(equation))
                found.setdefault(read.symbol, set()).add(place if direct else -1)
    return found


def plan_memory(schedule: Schedule, given: set[Symbol]) -> Plan:
    """Slots for all stored symbols that are not `given`, for sizes that are not known."""
    planner = _Planner(schedule, given, None)
    planner.run()
    planner.share_slots()
    return planner.plan


def plan_pieces(schedule: Schedule, given: set[Symbol], like: Plan | None = None) -> tuple[Plan, list[Piece]]:
    """The same with a slot for each symbol, and what `placed` needs to let them share memory when sizes are known; in
    place of each other only as in the plan `like`."""
    planner = _Planner(schedule, given, like)
    planner.run()
    return planner.plan, planner.own_slots()


class _Planner:
    def __init__(self, schedule: Schedule, given: set[Symbol], like: Plan | None) -> None:
        self.schedule, self.given, self.like = schedule, given, like
        self.plan = Plan()
        self.forward = forward_targets(schedule)
        self.kernel_reads = [reads(schedule, k) for k in schedule.kernels]
        self.last: dict[Symbol, int] = {}
        for place, table in enumerate(self.kernel_reads):
            for s in table:
                self.last[s] = place

    def run(self) -> None:
        """When each symbol is alive, and who is written in place."""
        self._updates()
        self._accumulations()
        schedule, end = self.schedule, len(self.schedule.kernels)
        for atom in (*schedule.graph.outputs, *schedule.graph.metrics):
            self._keep(atom, end)
        for _, value in self.plan.copies:
            self._keep(value, end)
        for place, kernel in enumerate(schedule.kernels):
            for s in (e.target for e in kernel.equations):
                if s in schedule.stored and s not in self.given and s not in self.plan.in_place:
                    self.plan.alive[s] = (place, max(self.last.get(s, place), place))

    def own_slots(self) -> list[Piece]:
        """A slot for each symbol; in a section, one for those of the same rows that are alive one after the other."""
        schedule, pieces, until = self.schedule, list[Piece](), dict[tuple[object, ...], dict[int, int]]()
        for s, (start, last) in self.plan.alive.items():
            own, shape = s in schedule.private, schedule.memory_shape(s)
            kind, inside = ("own " * own) + schedule.graph.types[s].kind, self._in_one_section(start, last)
            sharing: dict[int, int] = {}
            if inside and not own:
                where = (schedule.sections[start], schedule.kernels[start].divided, kind, shape)
                sharing = until.setdefault(where, {})
            free = next((k for k, end in sharing.items() if end < start), None)
            if free is None:
                free = len(pieces)
                self.plan.slots.append(Slot(kind, product(shape)))
                span = (start, last) if own and inside else self._whole_sections(start, last)
                pieces.append((kind, product(shape), *span))
            self.plan.slot[s] = free
            sharing[free] = last
        return pieces

    def _in_one_section(self, start: int, last: int) -> bool:
        sections = self.schedule.sections
        return last < len(sections) and sections[start] == sections[last]

    def _whole_sections(self, start: int, last: int) -> tuple[int, int]:
        """From the first kernel of a section on to the last one of another: nobody knows which thread is where between."""
        sections = self.schedule.sections
        if not sections:
            return start, last
        end = bisect_right(sections, sections[last]) - 1 if last < len(sections) else last
        return bisect_left(sections, sections[start]), end

    def share_slots(self) -> None:
        """Slots, the largest symbols first (Pisarchyk and Lee 2020): a slot's first symbol says how large it is."""
        sizes = {s: product(self.schedule.memory_shape(s)) for s in self.plan.alive}
        usual = {s: size_value(size, dict.fromkeys(sizes_of(size), USUAL_SIZE)) for s, size in sizes.items()}
        taken: list[list[tuple[int, int]]] = []
        for s in sorted(self.plan.alive, key=lambda s: -usual[s]):
            kind, (start, last) = self.schedule.graph.types[s].kind, self.plan.alive[s]
            fitting = [
                k
                for k, slot in enumerate(self.plan.slots)
                if slot.kind == kind
                and surely_at_most(sizes[s], slot.size)
                and all(b < start or last < a for a, b in taken[k])
            ]
            if not fitting:
                fitting = [len(self.plan.slots)]
                self.plan.slots.append(Slot(kind, sizes[s]))
                taken.append([])
            self.plan.slot[s] = fitting[-1]  # the smallest, as slots come in order of size
            taken[fitting[-1]].append((start, last))

    def _keep(self, atom: Basic, end: int) -> None:
        root = self.schedule.root(atom)
        if not isinstance(root, Symbol):
            return
        for s in self.schedule.touched(root):
            self.last[s] = end

    def _accumulations(self) -> None:
        """Sums of products grow in the memory of the product they begin with."""
        for place, kernel in reversed(list(enumerate(self.schedule.kernels))):
            onto = kernel.product.onto if kernel.product is not None else None
            target = kernel.equations[-1].target
            if onto is None or target in self.plan.in_place or {target, onto} & self.given or self.last[onto] > place:
                continue
            if self.kernel_reads[place][onto] == {0} and self._allowed(target, onto):
                self.plan.in_place[target] = onto
                self.last[onto] = max(place, self.last.get(target, place))

    def _allowed(self, s: Symbol, owner: Symbol) -> bool:
        return self.like is None or self.like.in_place.get(s) == owner

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
        if root in self.schedule.private or not self._allowed(root, owner):
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
