"""Long programs of numbers as data: a table of steps, each over a strip of points.

In: a graph of numbers that is too long for one straight-line function.  Out: functions of a `ModuleWriter`.
Always holds: a step is one elementwise operation over at most `STRIP` points, by a loop that all steps of its kind
share, so that the time to compile grows with the kinds of operations and not with the length of the program; strips
live from liveness in memory that stays in cache; a step never writes what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sympy import Basic, Symbol

from graphc.codegen.artifact import Entry
from graphc.codegen.kinds import number_code
from graphc.codegen.loops import Body, LoopWriter
from graphc.codegen.module import DTYPES, ModuleWriter
from graphc.codegen.schedule import Kernel, Phase, lowering_of, unscheduled
from graphc.codegen.sections import cost_of_point
from graphc.graph.graph import Equation, Graph, atom_type, operands, statics
from graphc.graph.types import Type, size_named
from graphc.ops.lowering import Scalar

STRIP = 256  # points of a step: 2 KiB a strip, some dozens of which fit the nearest cache


@dataclass
class _Memory:
    """Constants first, then strips, of one kind."""

    constants: dict[str, int] = field(default_factory=dict)
    strips: int = 0
    free: list[int] = field(default_factory=list)

    def constant(self, code: str) -> int:
        return self.constants.setdefault(code, len(self.constants))

    def strip(self) -> int:
        if self.free:
            return self.free.pop()
        self.strips += 1
        return self.strips - 1


class StripWriter:
    """The table of a graph, and the functions that run it."""

    def __init__(self, writer: ModuleWriter, name: str, graph: Graph, leaves: tuple[Symbol, ...]) -> None:
        self.writer, self.name, self.leaves, self.outputs = writer, name, leaves, graph.outputs
        space = (size_named("points"),)
        self.graph = graph.replace(types={s: Type(space, t.kind) for s, t in graph.types.items()})
        self.plan = unscheduled(self.graph)
        self.memory = {kind: _Memory() for kind in DTYPES}
        self.place: dict[Basic, int] = {}  # the strip of a symbol
        self.kinds: dict[
            tuple[str, tuple[str, ...]], int
        ] = {}  # a kernel and the kinds of its arguments: a kind of step
        self.bodies: dict[tuple[object, ...], tuple[Body, str, list[str]]] = {}
        self.steps: list[tuple[int, list[tuple[str, str, int]]]] = []  # kind; (memory, constant or strip, place)

    def write(self) -> Entry:
        """`name_points`, a function of arrays of points, of the arrays of the results and of working memory."""
        last = self._last_reads()
        for s in self.leaves:
            self.place[s] = self.memory[self._kind(s)].strip()
        for position, equation in enumerate(self.graph.equations):
            if isinstance(lowering_of(equation), Scalar):
                self._step(equation, last, position)
        return self._text()

    def _kind(self, s: Basic) -> str:
        return self.graph.types[s].kind if isinstance(s, Symbol) else "real"

    def _last_reads(self) -> dict[Basic, int]:
        """The last equation that reads a symbol; results are read at the end."""
        last: dict[Basic, int] = {}
        for position, equation in enumerate(self.graph.equations):
            for atom in operands(equation.expr):
                last[self.plan.root(atom)] = position
        return last | {self.plan.root(o): len(self.graph.equations) for o in self.outputs}

    def _step(self, equation: Equation, last: dict[Basic, int], position: int) -> None:
        target, roots = equation.target, [self.plan.root(a) for a in operands(equation.expr)]
        symbols = list(dict.fromkeys(s for s in (*roots, target) if isinstance(s, Symbol)))
        self.place[target] = self.memory[self._kind(target)].strip()
        body, kernel_name, numbers = self._body(equation, roots, symbols)
        codes = iter(number_code(r, kind) for r, kind in zip((r for r in roots if not isinstance(r, Symbol)), numbers))  # noqa: B905
        arguments = []
        for key in body.memory:
            what, name = key.split()
            if what != "symbol":
                arguments.append((name, "constant", self.memory[name].constant(next(codes))))
            else:
                s = symbols[int(name)]
                arguments.append((self._kind(s), "strip", self.place[s]))
        kinds = tuple(kind for kind, _, _ in arguments)
        kind_of_step = self.kinds.setdefault((kernel_name, kinds), len(self.kinds))
        self.steps.append((kind_of_step, arguments))
        for s in symbols:
            if last.get(s, position) <= position:
                self.memory[self._kind(s)].free.append(self.place[s])

    def _body(self, equation: Equation, roots: list[Basic], symbols: list[Symbol]) -> tuple[Body, str, list[str]]:
        """The loop of an equation, whose memory is named by place, its name and the kinds of its numbers; equal forms
        share it."""
        lowering, types = lowering_of(equation), self.graph.types
        special = isinstance(lowering, Scalar) and lowering.special is not None
        shown = tuple(
            (symbols.index(r), types[r].kind) if isinstance(r, Symbol) else r if special else atom_type(r, types).kind
            for r in roots
        )
        form = (equation.expr.func, statics(equation.expr), shown, types[equation.target].kind)
        if form not in self.bodies:
            numbers: list[str] = []

            def number(code: str, kind: str) -> str:
                numbers.append(kind)
                return f"number{len(numbers)} {kind}"

            kernel = Kernel(phases=[Phase(self.plan.space(equation), [equation])])
            body = LoopWriter(
                self.plan, kernel, lambda s: f"symbol {symbols.index(s)}", self.writer.block_name, number
            ).write()  # fmt: skip
            self.bodies[form] = body, self.writer.kernel_name(body), numbers
            self.writer.helpers |= body.helpers
        return self.bodies[form]

    # --- text --------------------------------------------------------------------------------------------------

    def _offset(self, memory: str, what: str, place: int) -> int:
        return place if what == "constant" else len(self.memory[memory].constants) + place * STRIP

    def _text(self) -> Entry:
        width = 1 + max((len(arguments) for _, arguments in self.steps), default=0)
        rows = [[k, *(self._offset(*a) for a in arguments)] for k, arguments in self.steps]
        table = "\n".join(" ".join(map(str, row + [0] * (width - len(row)))) for row in rows)
        name, memories = self.name, ", ".join(f"{kind}_memory" for kind in DTYPES)
        self.writer.equations += len(rows)
        self.writer.functions.append(
            f'# kind of step, then where its arguments are\n{name}_steps = np.array("""\n{table}\n""".split(), np.int64)'
        )
        lines = [f"for step in range({len(rows)}):", f"    at = step * {width}", f"    kind = {name}_steps[at]"]
        for (kernel, kinds), k in self.kinds.items():
            views = "".join(f", view({kind}_memory, {name}_steps[at + {j + 1}])" for j, kind in enumerate(kinds))
            lines += [f"    {'el' * (k > 0)}if kind == {k}:", f"        {kernel}(count{views})"]
        body = "\n".join(f"    {line}" for line in lines)
        self.writer.functions.append(f"@kernel\ndef {name}_steps_of(count, {memories}):\n{body}")
        return self._points(memories)

    def _points(self, memories: str) -> Entry:
        names = [self.writer.names("a", s.name) for s in self.leaves]
        results = [f"o{k}" for k in range(len(self.outputs))]
        lines = []
        for kind, memory in self.memory.items():
            lines += [f"{kind}_memory[{k}] = {code}" for code, k in memory.constants.items()]
        lines += [f"for start in range(0, points, {STRIP}):"]
        inside = [f"count = min({STRIP}, points - start)", "for i in range(count):"]
        for s, given in zip(self.leaves, names, strict=True):
            kind = self._kind(s)
            inside.append(f"    {kind}_memory[{self._offset(kind, 'strip', self.place[s])} + i] = {given}[start + i]")
        inside += [f"{self.name}_steps_of(count, {memories})", "for i in range(count):"]
        for o, result in zip(self.outputs, results, strict=True):
            inside.append(f"    {result}[start + i] = {self._result(o)}")
        arenas = tuple((k, len(m.constants) + m.strips * STRIP) for k, m in self.memory.items())
        found = tuple((self._kind(o), ()) for o in self.outputs)
        kinds = (*map(self._kind, self.leaves), *(kind for kind, _ in (*found, *arenas)))
        types = ("int", *(f"{kind}[1]" for kind in kinds))
        entry = Entry(f"{self.name}_points", types, (), found, arenas, cost=cost_of_point(self.graph))
        arguments = ["points", *names, *results, *(f"{kind}_memory" for kind in self.memory)]
        self.writer.add_native(entry, arguments, lines + [f"    {line}" for line in inside])
        return entry

    def _result(self, output: Symbol) -> str:
        root, kind = self.plan.root(output), self._kind(output)
        if not isinstance(root, Symbol):
            return number_code(root, kind)
        have = self._kind(root)
        place = f"{have}_memory[{self._offset(have, 'strip', self.place[root])} + i]"
        return place if have == kind else f"{DTYPES[kind]}({place})"
