"""Trials: what may have fewer operations is made, and takes the place of what there was where it has.

In: a graph in normal form, with all that was looked at for it.  Out: a shorter one in normal form, and the steps.
Always holds: a trial is repeated only where other terms are there to cancel, and fires but once on a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from sympy import Basic, Symbol

from graphc.graph.graph import Graph, operands
from graphc.graph.operation import operation_of
from graphc.rewrite.arrange import SUM_ALL, TRIALS
from graphc.rewrite.canonical import CANONICAL
from graphc.rewrite.cheap import CHEAP
from graphc.rewrite.driver import Step, Worklist, changed, index_of
from graphc.rewrite.names import drop_dead
from graphc.rewrite.polynomial import SUMS
from graphc.rewrite.sharing import Products, operations
from graphc.rewrite.stable import STABLE

Result: TypeAlias = tuple[Graph, tuple[Step, ...]]

ALL = index_of(STABLE, CANONICAL, CHEAP)
_EVERYWHERE = {rule.name: (index_of((rule,)), index_of(STABLE, CANONICAL, (rule, *CHEAP))) for rule in TRIALS}


class Trials:
    """A graph that gets shorter, `work`; the sums that were tried so far, and what promised to cancel."""

    def __init__(self, work: Worklist) -> None:
        self.work = work
        self.tried: set[tuple[Symbol, Basic | None]] = set()

    def shorten(self) -> tuple[Step, ...]:
        """Trials until none is shorter; none of a program that nobody reads as a formula."""
        steps: tuple[Step, ...] = ()
        if not self.work.builder.tries:
            return steps
        while (more := self._shorten_once()) is not None:
            steps += more
        return steps

    def _shorten_once(self) -> tuple[Step, ...] | None:
        graph = drop_dead(self.work.graph())
        other, steps = min(self._tried(graph), key=lambda found: _length(found[0]))
        if _length(other) >= _length(graph):
            return None
        work = Worklist(other, before=self.work)
        more = work.run(ALL, work.near(changed(graph, other)))
        longer = _length(drop_dead(work.graph())) > _length(other)
        self.work = Worklist(other, before=self.work) if longer else work
        return steps if longer else steps + more

    def _tried(self, graph: Graph) -> Iterator[Result]:
        """Products shared; the same after all that share a factor have taken it out, or all that share a fraction have
        multiplied it out in one way or another, where terms may cancel."""
        yield Products(graph).shared()
        builder = self.work.builder
        promising = self._new({(s, builder.definition(s)) for s in builder.promising})
        sums = self._new({(e.target, e.expr) for e in graph.equations if operation_of(e.expr) in SUMS})
        for rule in TRIALS:
            trial, rules = _EVERYWHERE[rule.name]
            if start := sums if rule is SUM_ALL else promising:
                everywhere = Worklist(graph)
                steps = everywhere.run(rules, everywhere.near(start), first=trial)
                if steps:
                    shared, more = Products(drop_dead(everywhere.graph())).shared()
                    yield shared, steps + more

    def _new(self, found: set[tuple[Symbol, Basic | None]]) -> set[Symbol]:
        """Those that were not tried before."""
        new = {s for s, _ in found - self.tried}
        self.tried |= found
        return new


def _length(graph: Graph) -> tuple[int, int]:
    """Operations of a graph; where they are as many, what its results take to write."""
    written: dict[Basic, int] = {}
    for e in graph.equations:
        atoms = operands(e.expr) if operation_of(e.expr) is not None else (e.expr,)
        written[e.target] = 1 + sum(written.get(a, 1) for a in atoms)
    return operations(graph), sum(written.get(s, 1) for s in graph.outputs)
