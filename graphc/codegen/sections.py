"""Which kernels several threads share: a step as sections of parts.

In: the schedule of a training step.  Out: its kernels, cut where their sums over rows are complete, in sections.
Always holds: a kernel that is divided has rows of its own in every part; kernels of one section read of each other only
the rows of their own part, so that no part waits for another before the section ends; a sum over the rows has private
memory in each part, added up in the order of the parts.

Rows are the leading axis of whatever a kernel computes: the examples of a batch from the gathering to the gradients of
the hidden layers, then the rows of the weights where they are updated.  What is small is not divided: the first part does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Symbol

from graphc.codegen.memory import Plan
from graphc.codegen.schedule import Kernel, Phase, Schedule, kept_axes, lowering_of
from graphc.graph.graph import Equation, Graph, operands, statics
from graphc.graph.types import Size, product, surely_at_most
from graphc.ops.lowering import Access, Contract, Reduce, Scalar, Scatter

UNDIVIDED = 4096  # operations of known number that are not worth dividing
PRIVATE = 1 << 16  # elements of a sum over the rows that a part may have memory for
# ps of one core: a multiplication of a matrix product; of elements an operation that calls a function, any other, and
# what is summed, read at another place and the like, without vectors
PRODUCT_COST, CALL_COST, PLAIN_COST, LOOP_COST = 25, 600, 60, 300


@dataclass
class Item:
    """Something a section does: a kernel, or (`sums`) the adding up of a symbol's parts; or the gathering of inputs
    (`gathered`), or what is left at the end of a step.

    `rows`: the number of rows that are divided; None where the first part does all.  `reads` and `writes` say of each
    symbol whether it is touched only in the rows of the part."""

    rows: Size | None
    reads: dict[Symbol, bool] = field(default_factory=dict)
    writes: set[Symbol] = field(default_factory=set)
    kernel: int | None = None
    sums: Symbol | None = None
    gathered: bool = False

    def may_follow(self, other: Item) -> bool:
        """True where nothing that either writes is touched by the other outside of common rows."""
        same = self.rows == other.rows
        for s in self.writes & (set(other.reads) | other.writes):
            if not (same and other.reads.get(s, True)):
                return False
        return all(same and self.reads[s] for s in other.writes & set(self.reads))


def cut(plan: Schedule) -> None:
    """Say which kernels are divided; what one of them computes after all its rows becomes a kernel of its own."""
    kernels: list[Kernel] = []
    for kernel in plan.kernels:
        kernel.divided = divisible(plan, kernel)
        kernels.append(kernel)
        if kernel.divided is None or kernel.called:
            continue
        _keep_private(plan, kernel)
        if kernel.tail.equations:
            kernels.append(Kernel(tail=kernel.tail))
            kernel.tail = Phase(())
    plan.kernels = kernels


def _keep_private(plan: Schedule, kernel: Kernel) -> None:
    """Memory in each part for sums over the rows, and for what lives only while a row does."""
    inside = [e for phase in kernel.phases for e in phase.equations]
    after = {r.symbol for e in kernel.tail.equations for r in plan.reads(e)} & {e.target for e in inside}
    plan.stored |= after
    for equation in inside:
        s = equation.target
        if s in after:
            plan.row_local.pop(s, None)
        if s in plan.stored and (s in plan.row_local or kept_axes(equation, plan) == 0):
            plan.private.add(s)


def divide(plan: Schedule, memory: Plan, batch: Size) -> list[list[Item]]:
    """The sections of a step, whose kernels are `cut`, and are put in their order; inputs with this leading size are
    gathered first.  `memory`: what is written in place."""
    return _Divider(plan, memory, batch).run()


class _Divider:
    def __init__(self, plan: Schedule, memory: Plan, batch: Size) -> None:
        self.plan, self.graph, self.memory, self.batch = plan, plan.graph, memory, batch
        self.sections: list[list[Item]] = []
        self.waiting: list[Item] = []
        self.sums = {s for s in plan.private if s not in plan.row_local}  # that are not added up yet

    def run(self) -> list[list[Item]]:
        inputs = {s for s in self.graph.inputs if self.graph.types[s].shape[:1] == (self.batch,)} - self.plan.listed
        self._add(Item(self.batch, {}, inputs, gathered=True))
        for place, kernel in enumerate(self.plan.kernels):
            self._add(self._item(place, kernel))
        copied = [value for _, value in self.memory.copies]
        results = (*self.graph.outputs, *self.graph.metrics, *copied)
        read = {s: True for r in results if isinstance(self.plan.root(r), Symbol) for s in self.plan.touched(r)}
        self._add(Item(None, read, {owner for owner, _ in self.memory.copies}))
        self._place_waiting()
        kernels = [item for items in self.sections for item in items if item.kernel is not None]
        self.plan.kernels = [self.plan.kernels[item.kernel] for item in kernels if item.kernel is not None]
        for place, item in enumerate(kernels):
            item.kernel = place
        self.plan.sections = [k for k, items in enumerate(self.sections) for i in items if i.kernel is not None]
        return self.sections

    def _add(self, item: Item) -> None:
        """What is not divided waits until something else needs it, so that it does not end a section."""
        for s in [s for s in item.reads if s in self.sums]:
            self.sums.remove(s)
            self.waiting.append(Item(None, {s: True}, {s}, sums=s))
        if item.rows is None:
            self.waiting.append(item)
            return
        if not all(item.may_follow(other) for other in self.waiting):
            self._place_waiting()
        self._place(item)

    def _place_waiting(self) -> None:
        for item in self.waiting:
            self._place(item)
        self.waiting = []

    def _place(self, item: Item) -> None:
        """Into the last section, or into a new one where it must wait for what others do."""
        if not self.sections or not all(item.may_follow(other) for other in self.sections[-1]):
            self.sections.append([])
        self.sections[-1].append(item)

    # --- what is touched ---------------------------------------------------------------------------------------

    def _item(self, place: int, kernel: Kernel) -> Item:
        rows, computed = kernel.divided, {e.target for e in kernel.equations}
        item = Item(rows, {}, {self._owner(s) for s in computed & self.plan.stored}, kernel=place)
        for s, own in self._reads(kernel):
            if s not in computed:
                item.reads[self._owner(s)] = item.reads.get(self._owner(s), True) and (own or rows is None)
        return item

    def _owner(self, s: Symbol) -> Symbol:
        """The symbol in whose memory another one is."""
        while s in self.memory.in_place:
            s = self.memory.in_place[s]
        return s

    def _reads(self, kernel: Kernel) -> Iterator[tuple[Symbol, bool]]:
        """Symbols that a kernel reads, and whether in its own rows."""
        p = kernel.product
        if p is not None:
            for atom, own in ((p.a, not p.transpose_a or p.batch != 1), (p.b, p.batch != 1), (p.onto, True)):
                if atom is not None:
                    yield from ((s, own and self._has_rows(s, kernel)) for s in self.plan.touched(atom))
            return
        if kernel.routine:
            yield from ((s, False) for atom in operands(kernel.equations[0].expr) for s in self.plan.touched(atom))
            return
        for equation in kernel.equations:
            for read in self.plan.reads(equation):
                yield read.symbol, self._has_rows(read.symbol, kernel) and read.at[0] == "i0"

    def _has_rows(self, s: Symbol, kernel: Kernel) -> bool:
        return kernel.divided is not None and self.plan.shape(s)[:1] == (kernel.divided,)


# --- which kernels can be divided ------------------------------------------------------------------------------------


def divisible(plan: Schedule, kernel: Kernel) -> Size | None:
    """The number of rows of a kernel whose rows can be computed apart; None where they cannot, or are not worth it."""
    if kernel.routine or (kernel.product is None and not kernel.phases):
        return None
    space = plan.shape(kernel.equations[-1].target) if kernel.product is not None else kernel.phases[0].space
    if not space or space[0] == 1 or surely_at_most(_operations(kernel), UNDIVIDED):
        return None
    if kernel.product is not None:
        p = kernel.product
        return space[0] if space[0] == (p.m if p.batch == 1 else p.batch) else None
    if (kernel.rows == 0 and len(kernel.phases) > 1) or any(phase.space[:1] != space[:1] for phase in kernel.phases):
        return None
    return space[0] if all(_has_own_rows(plan, e) for phase in kernel.phases for e in phase.equations) else None


def _has_own_rows(plan: Schedule, equation: Equation) -> bool:
    """True where a result has the rows of its loops, or is a sum (or the like) over them that has room in each part."""
    lowering, s = lowering_of(equation), equation.target
    if kept_axes(equation, plan) >= 1:
        return True
    if not surely_at_most(product(plan.shape(s)), PRIVATE) or isinstance(lowering, (Scalar, Access)):
        return False
    if isinstance(lowering, Reduce):
        return 0 in statics(equation.expr)[0] and not lowering.arguments
    if isinstance(lowering, Contract):
        p = plan.labels[s]
        return bool(p.order) and p.order[0] not in p.result
    return isinstance(lowering, Scatter)


def _operations(kernel: Kernel) -> Size:
    p = kernel.product
    if p is not None:
        return p.batch * p.m * p.n * p.k
    return sum((product(phase.space) * len(phase.equations) for phase in kernel.phases), start=0)


def work(plan: Schedule) -> Size:
    """About how many picoseconds of one core a step takes."""
    return sum((_work(kernel) for kernel in plan.kernels), start=0)


def _work(kernel: Kernel) -> Size:
    if kernel.product is not None:
        return _operations(kernel) * PRODUCT_COST
    return sum((product(phase.space) * sum(map(_cost, phase.equations)) for phase in kernel.phases), start=0)


def cost_of_point(graph: Graph) -> int:
    """About how many picoseconds of one core a point of a program of numbers takes, where many are computed at once."""
    return sum(_cost(e) for e in graph.equations if lowering_of(e) is not None)


def _cost(equation: Equation) -> int:
    lowering = lowering_of(equation)
    if not isinstance(lowering, Scalar):
        return LOOP_COST
    if not lowering.helpers:
        return PLAIN_COST
    special = lowering.special and lowering.special(operands(equation.expr), statics(equation.expr))
    return CALL_COST if special is None else PLAIN_COST  # a whole power is a few products


def combination(plan: Schedule, s: Symbol) -> str:
    """How two parts of a sum are put together, a template of both."""
    equation = next(e for kernel in plan.kernels for e in kernel.equations if e.target == s)
    lowering = lowering_of(equation)
    kind = plan.graph.types[s].kind
    return lowering.combination(kind) if isinstance(lowering, Reduce) else "{0} + {1}"
