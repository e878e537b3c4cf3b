"""The training loop of several threads as text.

In: the graph of one step.  Out: functions of a module: `train`, as `codegen.training` writes it but for a team, and
what each of its threads runs.
Always holds: every thread goes through the same epochs, batches and sections; what a section does is done once for each
of its parts, by whoever claims it, so that the numbers depend on how many parts there are and on nothing else.
"""

from __future__ import annotations

import re
from itertools import groupby

from sympy import Symbol

from graphc.codegen.artifact import Entry
from graphc.codegen.memory import Plan, forward_targets, is_forward, plan_pieces
from graphc.codegen.module import ModuleWriter, Rows, memory_key
from graphc.codegen.placement import Piece
from graphc.codegen.sections import Item, combination, cut, divide
from graphc.codegen.training import KINDS, LoopText, RowInputs, batch_size_name
from graphc.graph.graph import Graph
from graphc.graph.types import Size, product, size_named
from graphc.ops.movement import size_code


def write_shared_training(writer: ModuleWriter, step: Graph) -> None:
    """Add `train` for a team to the module, of a program about batches."""
    _SharedLoop(writer, step, RowInputs(step, batch_size_name(step))).write("train")


class _SharedLoop(LoopText):
    """The text of `train` for a team."""

    def _planned(self) -> tuple[Plan, list[Piece]]:
        assert self.rows.batch is not None
        cut(self.plan)
        given = set(self.graph.leaves())
        in_place, _ = plan_pieces(self.plan, given)
        self.sections = divide(self.plan, in_place, size_named(self.rows.batch))
        self.forward = forward_targets(self.plan)
        return plan_pieces(self.plan, given, in_place)

    def write(self, name: str) -> None:
        """Add the functions to the module."""
        arguments, types = self._arguments()
        arguments += [*(f"{kind}_own" for kind in KINDS), *(f"{kind}_apart" for kind in KINDS)]
        types += [*(f"{kind}[1]" for kind in KINDS), *("int" for _ in KINDS)]
        body = "\n".join(f"    {line}" for line in ["section = begun", *self._lines()])
        self.writer.functions.append(
            f"@kernel\ndef {name}_parts(team, thread, begun, {', '.join(arguments)}, parts):\n{body}"
        )
        call = [
            f"work, closure = job(team, {name}_parts, {', '.join(arguments)}, parts)",
            "together(team, work, closure)",
        ]
        entry = Entry(name, (*types, "int[1]", "int"), self._sizes(), pieces=tuple(self.pieces))
        self.writer.add_native(entry, [*arguments, "team", "parts"], call)

    # --- a step ------------------------------------------------------------------------------------------------

    def _shuffle(self) -> list[str]:
        return self._section(super()._shuffle(), "1")

    def _batch(self) -> list[str]:
        """Sections one after the other; those where something is learned only where it is asked for."""
        lines = ["if learning:", "    pace(team, thread)"]
        for items in self.sections:
            section = self._section(self._items(items))
            learning = all(self._learns(item) for item in items)
            lines += ["if learning:", *(f"    {line}" for line in section)] if learning else section
        return lines

    def _section(self, lines: list[str], parts: str = "parts") -> list[str]:
        """Lines that are run once for each part, by whoever claims it."""
        return [
            f"part = claim(team, thread, section, {parts})", "while part >= 0:", *(f"    {line}" for line in lines),
            f"    done(team, section + {parts})", f"    part = claim(team, thread, section, {parts})",
            f"section += {parts}",
        ]  # fmt: skip

    def _items(self, items: list[Item]) -> list[str]:
        """What a part of a section does: its own rows, and what is not divided where it is the first."""
        sizes = list(dict.fromkeys(item.rows for item in items if item.rows is not None))
        bounds: dict[Size | None, Rows] = {rows: (f"first_{k}", f"last_{k}") for k, rows in enumerate(sizes)}
        lines, work = [], []
        for rows in sizes:
            first, last = bounds[rows]
            lines += [
                f"{first} = part * {size_code(rows)} // parts",
                f"{last} = (part + 1) * {size_code(rows)} // parts",
            ]
        for guards, together in groupby(items, self._guards):
            work += [f"{'    ' * k}{guard}:" for k, guard in enumerate(guards)]
            for item in together:
                work += [f"{'    ' * len(guards)}{line}" for line in self._item(item, bounds.get(item.rows, ("", "")))]
        return [*lines, *self._own_views(items, work), *work]

    def _guards(self, item: Item) -> list[str]:
        return [*(["if learning"] * self._learns(item)), *(["if part == 0"] * (item.rows is None))]

    def _learns(self, item: Item) -> bool:
        """True for what is needed only where something is learned."""
        if item.kernel is not None:
            return not is_forward(self.plan.kernels[item.kernel], self.forward)
        return item.sums is not None and item.sums not in self.forward

    def _own_views(self, items: list[Item], lines: list[str]) -> list[str]:
        """The part's own memory, as far as these lines use it; of sums of earlier sections the first part's."""
        used = set(re.findall(r"\bm\d+\b", "\n".join(lines)))
        kernels = [self.plan.kernels[item.kernel] for item in items if item.kernel is not None]
        here = {self.memory_plan.slot[e.target] for k in kernels for e in k.equations if e.target in self.plan.private}
        views = []
        for k, (kind, *_) in enumerate(self.pieces):
            if kind not in KINDS and f"m{k}" in used:
                kind = kind.removeprefix("own ")
                place = f"part * {kind}_apart + places[{k}]" if k in here else f"places[{k}]"
                views.append(f"m{k} = view({kind}_own, {place})")
        return views

    def _item(self, item: Item, part: Rows) -> list[str]:
        if item.kernel is not None:
            key = memory_key(self.memory_plan)
            return self.writer.kernel_call(self.plan, self.plan.kernels[item.kernel], self.memory, key, part)
        if item.gathered:
            return self._gather(", ".join(part))
        return self._end() if item.sums is None else [self._add_parts(item.sums)]

    def _add_parts(self, s: Symbol) -> str:
        """What the other parts have is added to what the first one has, in their order."""
        combined = combination(self.plan, s).format("p0[j]", "p0[part * apart + j]")
        name = self.writer.kernel_named(
            "(count, apart, parts, p0)",
            ["for part in range(1, parts):", "    for j in range(count):", f"        p0[j] = {combined}"],
        )
        type_, memory = self.graph.types[s], self.memory[memory_key(self.memory_plan)(s)]
        return f"{name}({size_code(product(type_.shape))}, {type_.kind}_apart, parts, {memory})"
