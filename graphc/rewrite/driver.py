"""The engine: rules tried where something may fire, until nothing changes.

In: a graph and rules.  Out: the graph rewritten, and the steps: which rule fired on which symbol.
Always holds: a round visits equations in their order, each at most once; after the first round only those for which
something has changed that was looked at when rules were last tried on them, so that time is linear in the equations
and in the firings; rounds are bounded; a target keeps its name where its value stays an equation, and always where the
user, an output, an update or a metric named it; what nothing needs any more is dropped.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TypeAlias

from sympy import Basic, Number, Symbol

from graphc.errors import GraphcError
from graphc.graph.graph import Equation, Graph, Origin, operands, statics, symbols_of
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Type
from graphc.ops.algebra import real
from graphc.ops.movement import broadcast
from graphc.rewrite.arrange import outer_product
from graphc.rewrite.names import kept_symbols, watched_symbols
from graphc.rewrite.rule import Made, Rebuilder, Rewriting, Root

ROUNDS = 24
MANY = 64  # uses: no rule looks at so many
READABLE = 400  # equations beyond which nothing is tried: it takes as long as all other rules, and finds one operation in a hundred
REACH = 1  # shared symbols between a change and what may see it, where nothing is known of what was looked at
Index: TypeAlias = dict[Operation, tuple[Rewriting, ...]]


@dataclass(frozen=True)
class Step:
    """One firing: the rule, the symbol it was on, its right-hand side before and after."""

    rule: Rewriting
    target: Symbol
    before: Basic
    after: Basic


def rewrite_steps(
    graph: Graph, *rules: tuple[Rewriting, ...], opaque: frozenset[Symbol] = frozenset()
) -> tuple[Graph, tuple[Step, ...]]:
    """The same with its steps; `opaque` symbols are not looked into."""
    work = Worklist(graph, opaque)
    steps = work.run(index_of(*rules), work.everything())
    return work.graph(), steps


def changed(old: Graph, new: Graph) -> frozenset[Basic]:
    """Symbols of a graph that are defined or used otherwise than in another."""
    before, now = ({e.target: e.expr for e in g.equations} for g in (old, new))
    different = [s for s in {**before, **now} if before.get(s) != now.get(s)]
    used = (a for s in different for e in (before.get(s), now.get(s)) if e is not None for a in symbols_of(e))
    return frozenset(different).union(used)


def index_of(*rules: tuple[Rewriting, ...]) -> Index:
    """Rules by the operation they start at, in their order."""
    index: dict[Operation, list[Rewriting]] = {}
    for rule in (r for group in rules for r in group):
        for root in rule.roots:
            index.setdefault(root, []).append(rule)
    return {operation: tuple(found) for operation, found in index.items()}


class Worklist:
    """A graph that is being rewritten.

    `equations` are those alive; `users` tells which use a symbol, and how often; `seen` what was looked at when rules
    were last tried on a symbol, which may have been `before` in another graph; `image` what a symbol that is no more has
    become.
    """

    def __init__(self, graph: Graph, opaque: frozenset[Symbol] = frozenset(), before: Worklist | None = None) -> None:
        self.like = graph
        self.kept = kept_symbols(graph)
        self.builder = builder = Rebuilder(self.kept, opaque | watched_symbols(graph))
        builder.learns = bool(graph.params)
        builder.tries = len(graph.equations) <= READABLE
        builder.reserve(s.name for s in graph.types)
        for leaf in graph.leaves():
            builder.given(leaf, graph.types[leaf])
        self.equations: dict[Symbol, Equation] = {}
        self.users = builder.users
        self.seen: dict[Symbol, set[Basic]] = {} if before is None else dict(before.seen)
        self.image: dict[Basic, Basic] = {}
        self.twins: list[Symbol] = []
        self.changed: set[Basic] = set()
        self.touched: set[Basic] = set()
        self._fitting: dict[Operation, tuple[Rewriting, ...]] = {}
        for equation in graph.equations:
            target = equation.target
            if builder.take_over(equation, graph.types[target]) is not target:
                self.twins.append(target)
            self._put(equation)
        for s in self.users:
            self._count(s)

    def everything(self) -> list[Symbol]:
        return list(self.equations)

    def graph(self) -> Graph:
        """What there is now."""
        builder, equations = self.builder, tuple(self.equations.values())
        types = {s: builder.types[s] for s in (*self.like.leaves(), *self.equations)}
        updates = tuple((owner, self._now(v)) for owner, v in self.like.updates)
        return self.like.replace(equations=equations, types=types, updates=updates)

    # --- rounds ----------------------------------------------------------------------------------------------------

    def run(self, index: Index, active: Iterable[Symbol], first: Index | None = None) -> tuple[Step, ...]:
        """Rounds until nothing changes.  `first` are the rules that the active symbols have not met."""
        steps: list[Step] = []
        if first is not None:
            active = [s for s in active if operation_of(self.equations[s].expr) in first]
        for k in range(ROUNDS):
            fired, active = self.round(first if first is not None and not k else index, active)
            steps += fired
            if not active:
                active = self.claim_names()
                if not active:
                    break
        return tuple(steps)

    def round(self, index: Index, active: Iterable[Symbol]) -> tuple[list[Step], list[Symbol]]:
        """Try the rules on symbols and on what uses those that vanish; the steps, and where to go on."""
        place = self.builder.place
        steps: list[Step] = []
        self.index, self.steps = index, steps
        self._fitting = {}
        self.queue = [(place[s], s.name, s) for s in {*active, *self.twins}]
        self.queued = {s for _, _, s in self.queue}
        self.twins = []
        self.changed, self.touched = set(), set()
        heapq.heapify(self.queue)
        while self.queue:
            s = heapq.heappop(self.queue)[2]
            if s in self.equations:
                self._visit(self.equations[s])
        return steps, self.near(self.changed, self._settle())

    def near(self, changed: AbstractSet[Basic], recounted: AbstractSet[Basic] | None = None) -> list[Symbol]:
        """Symbols that have changed or for which something that has was looked at.

        After a round: those that it visited have seen all that it changed, as that was defined before them; but not how
        often it is used now, where that is another number (`recounted`).
        """
        if not changed:
            return []
        found, distance = [], dict.fromkeys(changed, 0)
        for s, equation in self.equations.items():
            seen = self.seen.get(s)
            unseen = changed if recounted is None or s not in self.queued else recounted
            if s in changed or (seen is not None and not unseen.isdisjoint(seen)):
                found.append(s)
            elif seen is None and (near := [distance[a] for a in symbols_of(equation.expr) if a in distance]):
                distance[s] = min(near) + (self.builder.uses.get(s, 0) > 1)
                if distance[s] <= REACH:
                    found.append(s)
        return found

    def _push(self, s: Symbol) -> None:
        if s not in self.queued:
            self.queued.add(s)
            heapq.heappush(self.queue, (self.builder.place[s], s.name, s))

    def _visit(self, equation: Equation) -> None:
        builder, target, expr = self.builder, equation.target, equation.expr
        builder.begin(equation)
        operation = operation_of(expr)
        if operation is None:
            self._finish(equation, self._now(expr))
        else:
            old = operands(expr) if expr.args else ()
            atoms = tuple(map(self._now, old)) if self.image else old
            root = Root(operation, atoms, statics(expr))
            rule, made = self._rewritten(target, root)
            if made is not None:
                self._finish(equation, made, rule)
            elif atoms != old or not builder.as_it_is(equation):
                self._finish(equation, root)
        self.seen[target] = builder.seen

    def _rewritten(self, target: Symbol, root: Root) -> tuple[Rewriting | None, Made | None]:
        """The first rule that fires on an operation, and what it makes of it."""
        builder = self.builder
        rules = self._rules(root.operation)
        if not rules:
            return None, None
        type_ = builder.types[target]
        near = {operation_of(e) for a in root.operands if (e := builder.inside(a)) is not None}
        factors: AbstractSet[Operation] | None = None
        for rule in rules:
            if not rule.near <= near:
                continue
            if rule.among:
                if factors is None:
                    product = outer_product(builder, root)
                    factors = frozenset() if product is None else product.made_by
                if rule.among.isdisjoint(factors):
                    continue
            result = rule.apply(builder, root)
            if isinstance(result, Number) and type_.shape:
                result = Root(broadcast, (real(builder, result),), (type_.shape,))
            if result is not None and _fits(builder, result, type_):
                return rule, result
        return None, None

    def _rules(self, operation: Operation) -> tuple[Rewriting, ...]:
        """Rules that start at an operation and for which the graph has all operations they need."""
        found = self._fitting.get(operation)
        if found is None:
            present = self.builder.present
            found = tuple(rule for rule in self.index.get(operation, ()) if rule.needs <= present)
            self._fitting[operation] = found
        return found

    def _finish(self, equation: Equation, made: Made, rule: Rewriting | None = None) -> None:
        """Define the target anew; keep what this needs of the equations that were made for it."""
        builder, target, origin = self.builder, equation.target, equation.origin
        if isinstance(made, Root):
            builder.apply(made.operation, made.operands, made.statics, target.name)
        else:
            builder.bind(target.name, made)
        if rule is not None:
            origin = Origin(rule.name, (target,), origin.span)
        *parts, whole = builder.end(origin)
        if rule is not None:
            after = builder.resolve(whole.expr)
            self.steps.append(Step(rule, target, equation.expr, builder.definition(after) or after))
        for twin in builder.twins:
            self._push(twin)
        builder.twins.clear()
        for part in parts:
            self._insert(part)
        if whole.expr == equation.expr:
            return
        self._remove(equation)
        if operation_of(whole.expr) is not None or target in self.kept:
            self._insert(whole)
            return
        self.image[target] = whole.expr
        for user in self.users.get(target, ()):
            self._push(user)

    def _insert(self, equation: Equation) -> None:
        self._put(equation)
        self.changed.add(equation.target)
        self.touched.update(symbols_of(equation.expr))

    def _put(self, equation: Equation) -> None:
        target, users = equation.target, self.users
        self.equations[target] = equation
        for s in symbols_of(equation.expr):
            found = users.get(s)
            if found is None:
                found = users[s] = {}
            found[target] = found.get(target, 0) + 1
        operation = operation_of(equation.expr)
        if operation is not None and operation not in self.builder.present:
            self.builder.present.add(operation)
            self._fitting = {}

    def _remove(self, equation: Equation) -> None:
        target = equation.target
        del self.equations[target]
        self.changed.add(target)
        for s in symbols_of(equation.expr):
            found = self.users[s]
            found[target] -= 1
            if not found[target]:
                del found[target]
            self.touched.add(s)

    def _now(self, atom: Basic) -> Basic:
        """What an atom has become."""
        if not isinstance(atom, Symbol):
            return atom
        while (new := self.image.get(atom)) is not None:
            atom = new
        return atom

    # --- after a round ---------------------------------------------------------------------------------------------

    def _settle(self) -> set[Basic]:
        """Drop what is dead, count uses anew, put new equations in their places; the symbols with another number of uses."""
        builder, users = self.builder, self.users
        todo = [*self.touched, *self.changed]
        while todo:
            s = todo.pop()
            equation = self.equations.get(s)
            if equation is not None and not users.get(s) and s not in self.kept:
                self._remove(equation)
                self._forget(s)
                todo += symbols_of(equation.expr)
        for s in self.image:
            self._forget(s)
        self.image = {}
        recounted = {s for s in self.touched if s in users and self._count(s)}
        self.changed |= recounted
        if self.changed:
            place = builder.place
            self.equations = dict(sorted(self.equations.items(), key=lambda item: place[item[0]]))
            builder.renumber(self.equations)
        return recounted

    def _forget(self, s: Basic) -> None:
        assert isinstance(s, Symbol)
        self.builder.forget(s)
        self.users.pop(s, None)
        self.seen.pop(s, None)

    def _count(self, s: Basic) -> bool:
        """Tell the builder how often a symbol is used, and by which operation if once; True where rules can see that."""
        builder, users = self.builder, self.users[s]
        count = sum(users.values())
        consumer = operation_of(self.equations[next(iter(users))].expr) if count == 1 else None
        old, before = builder.uses.get(s, 0), builder.consumer.get(s)
        builder.uses[s], builder.consumer[s] = count, consumer
        return s in self.equations and ((old != count and min(old, count) < MANY) or before is not consumer)

    # --- names -----------------------------------------------------------------------------------------------------

    def claim_names(self) -> list[Symbol]:
        """`v3 = sin(x); y = v3` becomes `y = sin(x)`: a name that only stands for a generated one takes its place.

        Gives the symbols for which that is a change.
        """
        self.changed, self.touched = set(), set()
        for y, alias in list(self.equations.items()):
            v = alias.expr
            equation = self.equations.get(v) if isinstance(v, Symbol) and v not in self.kept else None
            if equation is None:
                continue
            self._remove(equation)
            self.image[v] = y
            self.builder.place[y] = self.builder.place[equation.target]
            self._redefine(alias, equation.expr, replace(equation.origin, span=alias.origin.span))
            for user in list(self.users[v]):
                old = self.equations[user]
                self._redefine(old, self._renamed(old.expr), old.origin)
        self._settle()
        return self.near(self.changed)

    def _redefine(self, old: Equation, expr: Basic, origin: Origin) -> None:
        self._remove(old)
        self._insert(Equation(old.target, expr, origin))
        self.builder.define(old.target, expr)

    def _renamed(self, expr: Basic) -> Basic:
        if operation_of(expr) is None:
            return self._now(expr)
        return Basic.__new__(type(expr), *map(self._now, expr.args))


def _fits(builder: Rebuilder, result: Made, type_: Type) -> bool:
    """True where what a rule made has the type it must have; a whole number may stand for a real one."""
    if not isinstance(result, Root):
        return builder.type_of(result) == type_ or (result.is_Integer and type_ == Type((), "real"))
    types = tuple(builder.type_of(a) for a in result.operands)
    try:
        return result.operation.infer(types, result.statics, builder.require)[0] == type_
    except GraphcError:
        return False
