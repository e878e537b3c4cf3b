"""The engine: sweeps of rules over a graph until nothing changes.

In: a graph and rules.  Out: the graph rewritten, and the steps: which rule fired on which symbol.
Always holds: a sweep visits each equation once, in order, and rebuilds it on what its operands have become; time is
linear in the equations, sweeps are bounded; a target keeps its name where its value stays an equation, and always
where the user, an output, an update or a metric named it; what nothing needs any more is dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sympy import Basic, Symbol

from graphc.errors import GraphcError
from graphc.graph.graph import Equation, Graph, Origin, needed, operands, statics, symbols_of
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Type
from graphc.ops import DERIVATIVES
from graphc.rewrite.polynomial import ARITHMETIC
from graphc.rewrite.rule import Made, Rebuilder, Rewriting, Root

SWEEPS = 24
FULL_SWEEPS = 6  # after these a sweep must still be worth its time
REACH = 4  # a pattern is no deeper than this: what changed further away does not make it fire
_GENERATED = re.compile(r"v\d+")
_DEFINITION = re.compile(r"\s*(\w+)\s*=")


@dataclass(frozen=True)
class Step:
    """One firing: the rule, the symbol it was on, its right-hand side before and after."""

    rule: Rewriting
    target: Symbol
    before: Basic
    after: Basic


def rewrite(graph: Graph, *rules: tuple[Rewriting, ...]) -> Graph:
    """The graph after all rules, to a fixpoint."""
    return rewrite_steps(graph, *rules)[0]


def rewrite_steps(
    graph: Graph, *rules: tuple[Rewriting, ...], opaque: frozenset[Symbol] = frozenset()
) -> tuple[Graph, tuple[Step, ...]]:
    """The same with its steps; `opaque` symbols are not looked into."""
    index = index_of(rules)
    steps: list[Step] = []
    active: frozenset[Symbol] | None = None
    for count in range(SWEEPS):
        old = graph
        graph, fired = sweep(old, index, opaque, active)
        steps += fired
        few = count > FULL_SWEEPS and len(fired) * 100 < len(graph.equations)
        if few or not fired:
            graph = claim_names(swept := graph)
            if few or graph is swept:
                break
        active = affected(old, graph)
    return claim_names(graph), tuple(steps)


def index_of(rules: tuple[tuple[Rewriting, ...], ...]) -> dict[Operation, tuple[Rewriting, ...]]:
    """Rules by the operation they start at, in their order."""
    index: dict[Operation, tuple[Rewriting, ...]] = {}
    for rule in (r for group in rules for r in group):
        for root in rule.roots:
            index[root] = (*index.get(root, ()), rule)
    return index


def sweep(
    graph: Graph,
    index: dict[Operation, tuple[Rewriting, ...]],
    opaque: frozenset[Symbol] = frozenset(),
    active: frozenset[Symbol] | None = None,
) -> tuple[Graph, list[Step]]:
    """One pass over the equations; the rules are tried on `active` symbols, None for all."""
    return _Sweep(graph, index, opaque, active).run()


def affected(old: Graph, new: Graph) -> frozenset[Symbol]:
    """Symbols of `new` on which a rule may fire that did not in `old`: near to what has another definition or use."""
    before, now = {e.target: e.expr for e in old.equations}, _uses(new)
    uses = _uses(old)
    distance: dict[Basic, int] = {}
    for equation in new.equations:
        target = equation.target
        if before.get(target) != equation.expr or uses.get(target) != now.get(target):
            distance[target] = 0
            continue
        region = operation_of(equation.expr) in ARITHMETIC
        near = [distance[s] + (not region) for s in symbols_of(equation.expr) if s in distance]
        if near and min(near) <= REACH:
            distance[target] = min(near)
    return frozenset(distance)


def _uses(graph: Graph) -> dict[Basic, int]:
    uses: dict[Basic, int] = {}
    for equation in graph.equations:
        for s in symbols_of(equation.expr):
            uses[s] = uses.get(s, 0) + 1
    return uses


def is_named(equation: Equation) -> bool:
    """True where the user named the equation's target: its text starts with the name, or no generated name is like it."""
    span, name = equation.origin.span, equation.target.name
    if span is None:
        return False
    if _GENERATED.fullmatch(name) is None:
        return True
    found = _DEFINITION.match(span.source_line, span.column - 1)
    return found is not None and found[1] == name


def kept_symbols(graph: Graph) -> frozenset[Symbol]:
    """Symbols that must keep their names: the user's, outputs, metrics, the objective, values of updates, of `grad`."""
    kept = {*graph.outputs, *graph.metrics, *(v for _, v in graph.updates if isinstance(v, Symbol))}
    if graph.objective is not None:
        kept.add(graph.objective)
    for equation in graph.equations:
        if is_named(equation):
            kept.add(equation.target)
        if operation_of(equation.expr) in DERIVATIVES:
            kept.update(symbols_of(equation.expr))
    return frozenset(kept)


def _watched(graph: Graph) -> frozenset[Symbol]:
    """What the program differentiates for: a derivative for y is lost where y is looked through."""
    return frozenset(
        a
        for e in graph.equations
        if operation_of(e.expr) in DERIVATIVES
        for a in operands(e.expr)[1:]
        if isinstance(a, Symbol)
    )


def _count_uses(builder: Rebuilder, graph: Graph) -> None:
    for equation in graph.equations:
        operation = operation_of(equation.expr)
        if operation is not None:
            builder.present.add(operation)
        for s in symbols_of(equation.expr):
            builder.uses[s] = builder.uses.get(s, 0) + 1
            if operation is not None:
                builder.consumer[s] = operation


class _Sweep:
    """One pass: `image` is what each old symbol has become."""

    def __init__(
        self,
        graph: Graph,
        index: dict[Operation, tuple[Rewriting, ...]],
        opaque: frozenset[Symbol],
        active: frozenset[Symbol] | None,
    ) -> None:
        self.graph, self.active = graph, active
        self.kept = kept_symbols(graph)
        self.builder = Rebuilder({}, self.kept, opaque | _watched(graph))
        self.builder.learns = bool(graph.params)
        _count_uses(self.builder, graph)
        present = self.builder.present
        self.index = {o: tuple(r for r in index[o] if r.needs <= present) for o in present if o in index}
        self.builder.reserve(s.name for s in graph.types)
        for leaf in graph.leaves():
            self.builder.types[leaf] = graph.types[leaf]
            self.builder.place[leaf] = len(self.builder.place)
        self.image: dict[Basic, Basic] = {}
        self.steps: list[Step] = []

    def run(self) -> tuple[Graph, list[Step]]:
        for equation in self.graph.equations:
            self._visit(equation)
        updates = tuple((owner, self.image.get(v, v)) for owner, v in self.graph.updates)
        graph = self.builder.graph(self.graph, updates=updates)
        return drop_dead(graph, self.kept), self.steps

    def _visit(self, equation: Equation) -> None:
        builder, operation = self.builder, operation_of(equation.expr)
        builder.origin, builder.current = equation.origin, equation.target
        builder.as_written = equation.origin.span is not None
        if operation is None:
            self._finish(equation, self.image.get(equation.expr, equation.expr))
            return
        active = self.active is None or equation.target in self.active
        old = operands(equation.expr) if equation.expr.args else ()
        atoms = tuple(self.image.get(a, a) for a in old)
        if atoms == old and not active:
            self._take_over(equation)
            return
        root = Root(operation, atoms, statics(equation.expr))
        type_ = self.graph.types[equation.target]
        for rule in self.index.get(operation, ()) if active else ():
            builder.origin = Origin(rule.name, (equation.target,), equation.origin.span)
            result = rule.apply(builder, root)
            if result is not None and _fits(builder, result, type_):
                atom = self._finish(equation, result)
                self.steps.append(Step(rule, equation.target, equation.expr, builder.definition(atom) or atom))
                return
        builder.origin = equation.origin
        self._finish(equation, root)

    def _take_over(self, equation: Equation) -> None:
        """An equation that nothing has changed: as it is, unless another is the same by now."""
        atom = self.builder.take_over(equation, self.graph.types[equation.target])
        if atom != equation.target:
            self._finish(equation, atom)

    def _finish(self, equation: Equation, result: Made) -> Basic:
        """Make the last operation, under the old name where there is anything to name."""
        builder, target = self.builder, equation.target
        if isinstance(result, Root):
            builder.wanted = target.name
            atom = builder.apply(result.operation, result.operands, result.statics)
            builder.wanted = None
        else:
            atom = result
        if target in self.kept and atom != target:
            atom = builder.bind(target.name, atom)
        self.image[target] = atom
        return atom


def _fits(builder: Rebuilder, result: Made, type_: Type) -> bool:
    """True where what a rule made has the type it must have; a whole number may stand for a real one."""
    if not isinstance(result, Root):
        return builder.type_of(result) == type_ or (result.is_Integer and type_ == Type((), "real"))
    types = tuple(builder.type_of(a) for a in result.operands)
    try:
        return result.operation.infer(types, result.statics, builder.require)[0] == type_
    except GraphcError:
        return False


def drop_dead(graph: Graph, kept: frozenset[Symbol] = frozenset()) -> Graph:
    """Without the equations that neither the program's results nor the symbols `kept` need."""
    roots = (*graph.outputs, *(v for _, v in graph.updates), *graph.metrics, *kept)
    equations = needed(graph, roots if graph.objective is None else (*roots, graph.objective))
    alive = {e.target for e in equations}.union(graph.leaves())
    return graph.replace(equations=equations, types={s: t for s, t in graph.types.items() if s in alive})


def claim_names(graph: Graph) -> Graph:
    """`v3 = sin(x); y = v3` becomes `y = sin(x)`: a name that only stands for a generated one takes its place."""
    kept = kept_symbols(graph)
    mine = {e.target for e in graph.equations} - kept
    owner: dict[Basic, Symbol] = {}
    for equation in graph.equations:
        if isinstance(equation.expr, Symbol) and equation.expr in mine:
            owner.setdefault(equation.expr, equation.target)
    if not owner:
        return graph
    claimed = set(owner.values())
    spans = {e.target: e.origin.span for e in graph.equations if e.target in claimed}
    equations = []
    for equation in graph.equations:
        if equation.target in claimed and owner.get(equation.expr) == equation.target:
            continue
        target = owner.get(equation.target, equation.target)
        origin = equation.origin if target is equation.target else replace(equation.origin, span=spans[target])
        equations.append(Equation(target, _renamed(equation.expr, owner), origin))
    updates = tuple((s, owner.get(v, v)) for s, v in graph.updates)
    types = {s: t for s, t in graph.types.items() if s not in owner}
    return graph.replace(equations=tuple(equations), updates=updates, types=types)


def _renamed(expr: Basic, names: dict[Basic, Symbol]) -> Basic:
    if operation_of(expr) is None:
        return names.get(expr, expr)
    if not any(a in names for a in expr.args):
        return expr
    return Basic.__new__(type(expr), *(names.get(a, a) for a in expr.args))
