"""The training loop as text.

In: the graph of one step (loss, metrics, next values of parameters), primitive operations only.
Out: a function of a module, `train`, and the layout of its memory.
Always holds: nothing is allocated inside a step; `train` runs whole epochs: shuffle, gather, step, update; the last,
short batch runs through the same code with a smaller size; where `learning` is false, only what loss and metrics need
is computed, and no parameter changes.
"""

from __future__ import annotations

from sympy import Symbol

from graphc.codegen.artifact import Entry, Layout
from graphc.codegen.fusion import schedule
from graphc.codegen.kinds import cast_code, number_code
from graphc.codegen.memory import Plan, forward_targets, is_forward, plan_pieces
from graphc.codegen.module import Key, ModuleWriter, memory_key, used_sizes
from graphc.codegen.placement import Piece
from graphc.codegen.products import read_by_products_alone
from graphc.codegen.schedule import Schedule, lowering_of
from graphc.codegen.sections import work
from graphc.graph.graph import Graph
from graphc.graph.types import Size, product, the_name
from graphc.ops.lowering import Measure
from graphc.ops.movement import size_code

KINDS = ("real", "int", "bool")


def batch_size_name(graph: Graph) -> str | None:
    """The size that counts examples: the leading symbolic size of the first input that has one."""
    for s in graph.inputs:
        shape = graph.types[s].shape
        if shape and (name := the_name(shape[0])) is not None:
            return name
    return None


def write_training(writer: ModuleWriter, step: Graph) -> Layout:
    """Add `train` to the module."""
    batch = batch_size_name(step)
    rows = RowInputs(step, batch)
    text = LoopText(writer, step, rows)
    text.write("train")
    return Layout(
        batch=batch,
        batched=tuple(s.name for s in rows.batched),
        whole=tuple(s.name for s in rows.whole),
        metrics=tuple(s.name for s in step.metrics),
        work=work(text.plan),
    )


class RowInputs:
    """Which inputs are given an example a row, and how long a row is."""

    def __init__(self, graph: Graph, batch: str | None) -> None:
        self.batch = batch
        self.batched: list[Symbol] = []
        self.whole: list[Symbol] = []
        self.length: dict[Symbol, Size] = {}
        for s in graph.inputs:
            shape = graph.types[s].shape
            if batch is None:
                self.batched.append(s)
                self.length[s] = product(shape)
            elif shape and str(shape[0]) == batch:
                self.batched.append(s)
                self.length[s] = product(shape[1:])
            else:
                self.whole.append(s)


class LoopText:
    """The text of `train`."""

    def __init__(self, writer: ModuleWriter, graph: Graph, rows: RowInputs) -> None:
        self.writer, self.graph, self.rows = writer, graph, rows
        self.plan: Schedule = schedule(graph, one_thread=True)
        self.plan.listed = frozenset(
            s for s in rows.batched if rows.batch is not None and read_by_products_alone(self.plan, s)
        )
        self.memory_plan, self.pieces = self._planned()
        self.memory = {f"slot {k}": f"m{k}" for k in range(len(self.pieces))}
        self.views = [self._view(f"m{k}", k) for k, (kind, *_) in enumerate(self.pieces) if kind in KINDS]

    def _planned(self) -> tuple[Plan, list[Piece]]:
        return plan_pieces(self.plan, set(self.graph.leaves()))

    def write(self, name: str) -> None:
        """Add the function to the module."""
        arguments, types = self._arguments()
        lines = self._lines()
        entry = Entry(name, tuple(types), self._sizes(), pieces=tuple(self.pieces))
        self.writer.add_native(entry, arguments, lines)

    def _sizes(self) -> tuple[str, ...]:
        return tuple(sorted(used_sizes(self.graph) - {self.rows.batch}))

    def _arguments(self) -> tuple[list[str], list[str]]:
        """Names and types."""
        names, rows, sizes = self.writer.names, self.rows, self._sizes()
        data = [names("d", s.name) for s in (*rows.batched, *rows.whole)]
        arguments = [f"s_{s}" for s in sizes] + [f"{k}_values" for k in KINDS] + [f"{k}_arena" for k in KINDS] + data
        arguments += [
            "places",
            "order",
            "given",
            "state",
            "epochs",
            "examples",
            "batch",
            "shuffled",
            "learning",
            "totals",
        ]
        types = ["int"] * len(sizes) + [f"{k}[1]" for k in KINDS] * 2
        types += [f"{self.graph.types[s].kind}[1]" for s in (*rows.batched, *rows.whole)]
        types += ["int[1]", "int[1]", "bool", "uint[1]", "int", "int", "int", "bool", "bool", "float64[2]"]
        return arguments, types

    def _lines(self) -> list[str]:
        rows = self.rows
        lines = [f"s_{rows.batch} = batch"] if rows.batch is not None else []
        lines += self._leaf_views()
        step = self._batch()
        lines += self.views
        lines += ["rows = view(order, 0)", "for epoch in range(epochs):"]
        lines += ["    if shuffled:", *(f"        {line}" for line in self._shuffle())]
        lines += ["    first = epoch * examples if given else 0", "    for start in range(0, examples, batch):"]
        lines += ["        count = batch if batch < examples - start else examples - start"]
        if rows.batch is not None:
            lines.append(f"        s_{rows.batch} = count")
        if self.plan.listed:
            lines.append("        listed = view(rows, first + start)")
        return lines + [f"        {line}" for line in step]

    def _shuffle(self) -> list[str]:
        return ["shuffle(rows, examples, view(state, 0))"]

    def _batch(self) -> list[str]:
        """A step: gather, compute, note loss and metrics, take over next values."""
        return [*self._gather("count"), *self._step(), *self._end()]

    def _end(self) -> list[str]:
        results = (self.graph.outputs[0], *self.graph.metrics)
        place = f"epoch * {len(results)}"
        lines = [f"totals[{place} + {k}] += count * {self._number(s)}" for k, s in enumerate(results)]
        updates = self._copies(memory_key(self.memory_plan))
        return [*lines, *(["if learning:"] * bool(updates)), *(f"    {line}" for line in updates)]

    def _piece(self, name: str, kind: str, size: Size, first: int) -> str:
        """More memory, from a kernel on to the end of the step; its name."""
        self.views.append(self._view(name, len(self.pieces), kind))
        self.pieces.append((kind, size, first, len(self.plan.kernels)))
        return name

    def _view(self, name: str, k: int, kind: str | None = None) -> str:
        return f"{name} = view({kind or self.pieces[k][0]}_arena, places[{k}])"

    def _leaf_views(self) -> list[str]:
        """Views of parameters and states in their flat arrays, and a place for each input's batch."""
        names, lines = self.writer.names, []
        starts: dict[str, Size] = dict.fromkeys(KINDS, 0)
        for s in (*self.graph.params, *self.graph.states):
            type_ = self.graph.types[s]
            self.memory[s.name] = names("f", s.name)
            lines.append(f"{self.memory[s.name]} = view({type_.kind}_values, {size_code(starts[type_.kind])})")
            starts[type_.kind] = starts[type_.kind] + product(type_.shape)
        for s in self.rows.batched:
            type_, examples = self.graph.types[s], names("e", s.name)
            lines.append(f"{examples} = view({names('d', s.name)}, 0)")
            self.memory[s.name] = examples if s in self.plan.listed else names("f", s.name)
            if s not in self.plan.listed:
                self._piece(self.memory[s.name], type_.kind, product(type_.shape), 0)
        for s in self.rows.whole:
            self.memory[s.name] = names("f", s.name)
            lines.append(f"{self.memory[s.name]} = view({names('d', s.name)}, 0)")
        return lines

    def _gather(self, which: str) -> list[str]:
        """Rows of the batch, in the order of the epoch, but of inputs that products read where they are; `which`: the
        arguments of a range over them."""
        lines: list[str] = []
        for s in (s for s in self.rows.batched if s not in self.plan.listed):
            size, target, source = size_code(self.rows.length[s]), self.memory[s.name], self.writer.names("e", s.name)
            lines += [
                f"for i in range({which}):",
                f"    row = rows[first + start + i] * {size}",
                f"    place = i * {size}",
                f"    for j in range({size}):",
                f"        {target}[place + j] = {source}[row + j]",
            ]
        return lines

    def _step(self) -> list[str]:
        key = memory_key(self.memory_plan)
        forward, lines, learning = forward_targets(self.plan), [], False
        for kernel in self.plan.kernels:
            call = self.writer.kernel_call(self.plan, kernel, self.memory, key)
            if is_forward(kernel, forward):
                lines += call
                learning = False
                continue
            if not learning:
                lines.append("if learning:")
                learning = True
            lines += [f"    {line}" for line in call]
        return lines

    def _number(self, s: Symbol) -> str:
        """Code for a scalar result."""
        root = self.plan.root(s)
        if not isinstance(root, Symbol):
            return number_code(root, "real")
        if root in self.plan.virtual:
            assert isinstance(lowering_of(self.plan.virtual[root]), Measure)
            return size_code(self.plan.virtual[root].expr.args[0].value)
        place = self.memory[memory_key(self.memory_plan)(root)]
        return f"np.float64({place}[0])"

    def _copies(self, key: Key) -> list[str]:
        """Next values that could not be written in place: first those that are other leaves are set aside."""
        aside, lines = [], []
        for k, (owner, value) in enumerate(self.memory_plan.copies):
            size = size_code(product(self.graph.types[owner].shape))
            target, root = self.memory[owner.name], self.plan.root(value)
            kind = self.graph.types[owner].kind
            if not isinstance(root, Symbol):
                code = number_code(root, kind)
            elif root in self.plan.virtual:
                code = cast_code(size_code(self.plan.virtual[root].expr.args[0].value), "int", kind)
            else:
                source, have = self.memory[key(root)], self.graph.types[root]
                if root in self.graph.leaves():
                    spare = self._piece(f"spare_{k}", have.kind, product(have.shape), len(self.plan.kernels))
                    aside += [f"for j in range({size_code(product(have.shape))}):", f"    {spare}[j] = {source}[j]"]
                    source = spare
                code = cast_code(
                    f"{source}[j]" if have.shape or not self.graph.types[owner].shape else f"{source}[0]",
                    have.kind,
                    kind,
                )
            lines += [f"for j in range({size}):", f"    {target}[j] = {code}"]
        return aside + lines
