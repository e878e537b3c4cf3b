"""Reverse mode: adjoints flow from the value to what it depends on.

In: a graph, the value, and the symbols to differentiate for.  Out: the graph with the gradients' equations added,
and the list of contributions, each recorded before anything is folded: that list is the derivation.
Always holds: an equation is visited once, after all that use its target (breadth-first from the value, operands left
to right); a gradient has the shape of its symbol; time and size are linear in the equations visited.

The rule (Griewank and Walther 2008, section 3.2): for v = f(u, ...), u_bar += v_bar * df/du.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sympy import Basic, Integer, Symbol

from graphc.errors import DerivativeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Graph, Origin, needed, operands, statics, symbols_of
from graphc.graph.operation import Linearization, Operation, Value, operation_of
from graphc.graph.types import Type, shape_text
from graphc.ops import GRADIENT
from graphc.ops.algebra import (
    accumulate,
    along,
    branch_condition,
    mask_intersection,
    mask_union,
    real,
    select,
    unbroadcast,
)


@dataclass(frozen=True)
class Contribution:
    """`d value/d target += cotangent * factor`; `factor` is None where the rule is no product (a matrix product).

    `equation` is what was differentiated, `operand` which of its operands; `term` is the contribution itself,
    recorded unfolded as (symbol or number) in `Adjoints.record`.
    """

    target: Symbol
    equation: Equation
    operand: int
    cotangent: Basic
    factor: Basic | None
    term: Basic


@dataclass
class Adjoints:
    """What reverse mode found: the adjoint of each symbol, and the contributions in order."""

    value: Symbol
    adjoint: dict[Symbol, Basic] = field(default_factory=dict)
    contributions: list[Contribution] = field(default_factory=list)


def gradient(graph: Graph, wrt: tuple[Symbol, ...], value: Symbol | None = None) -> Graph:
    """The graph whose outputs are the gradients of its value; DerivativeError where it has none."""
    graph = expand_gradients(graph)
    builder = Builder(simplify=True)
    builder.adopt(graph)
    value = value or the_value(graph)
    adjoints = reverse(builder, graph.equations, value, wrt)
    outputs = tuple(gradient_symbol(builder, adjoints, s) for s in wrt)
    found = builder.graph(
        graph, outputs=outputs, updates=(), objective=None, optimizer=None, metrics=(), data=None, training=()
    )
    return _without_unused(found, (*outputs, *(e.target for e in graph.equations)))


def the_value(graph: Graph) -> Symbol:
    """What is differentiated: what is minimised, else the single output; DerivativeError if that is no number."""
    value = graph.objective or graph.outputs[0]
    if graph.objective is None and len(graph.outputs) > 1:
        names = ", ".join(s.name for s in graph.outputs)
        raise DerivativeError(
            f"the program has several outputs ({names})", hint="say which to differentiate: minimize J"
        )
    if graph.types[value].shape != ():
        raise DerivativeError(
            f"{value.name} has shape {shape_text(graph.types[value].shape)}; only a number has a gradient",
            hint=f"sum({value.name}) or mean({value.name}) makes a number of it",
        )
    return value


def gradient_symbol(builder: Builder, adjoints: Adjoints, s: Symbol) -> Symbol:
    """The gradient for s as a symbol of its own name, s_bar, in the shape of s; zeros where nothing depends on s."""
    builder.origin = Origin("gradient", (adjoints.value, s))
    type_ = builder.types[s]
    found = adjoints.adjoint.get(s, Integer(0))
    shaped = along(builder, found, Type(type_.shape, "real"))
    name = builder.fresh(f"{s.name}_bar")
    if isinstance(shaped, Symbol) and shaped.name.startswith(f"{s.name}_bar"):
        return shaped
    return builder.bind(name, shaped)


def expand_gradients(graph: Graph) -> Graph:
    """Without `grad(J, W)` inside the program: each is replaced by its equations, the first ones first."""
    if not any(operation_of(e.expr) is GRADIENT for e in graph.equations):
        return graph
    builder = Builder(simplify=True)
    builder.reserve(s.name for s in graph.types)
    builder.reserve(graph.sizes)
    for leaf in graph.leaves():
        builder.types[leaf] = graph.types[leaf]
    memo: dict[Symbol, Adjoints] = {}
    groups = _gradients_by_value(graph)
    for equation in graph.equations:
        if operation_of(equation.expr) is not GRADIENT:
            builder.add(equation, graph.types[equation.target])
            continue
        value, variable = operands(equation.expr)
        if not isinstance(value, Symbol) or not isinstance(variable, Symbol):
            raise DerivativeError("grad(J, W) takes two names", hint="J = ...; W' = W - 0.1*grad(J, W)")
        if value not in memo:
            memo[value] = reverse(builder, tuple(builder.equations), value, groups[value])
        builder.origin = Origin("gradient", (value, variable))
        found = real(builder, memo[value].adjoint.get(variable, Integer(0)))  # it was read as a real one
        found = along(builder, found, graph.types[equation.target])
        builder.add(Equation(equation.target, found, equation.origin), graph.types[equation.target])
    return _without_unused(builder.graph(graph), tuple(e.target for e in graph.equations))


def _without_unused(graph: Graph, kept: tuple[Symbol, ...]) -> Graph:
    """Without factors that were made for operands that depend on nothing that is differentiated for."""
    equations = needed(graph, kept)
    types = {s: graph.types[s] for s in (*graph.leaves(), *(e.target for e in equations))}
    return graph.replace(equations=equations, types=types)


def _gradients_by_value(graph: Graph) -> dict[Basic, tuple[Symbol, ...]]:
    groups: dict[Basic, tuple[Symbol, ...]] = {}
    for equation in graph.equations:
        if operation_of(equation.expr) is GRADIENT:
            value, variable = operands(equation.expr)
            if isinstance(variable, Symbol):
                groups[value] = (*groups.get(value, ()), variable)
    return groups


def reverse(builder: Builder, equations: tuple[Equation, ...], value: Symbol, wrt: tuple[Symbol, ...]) -> Adjoints:
    """Add the adjoints' equations to the builder."""
    return _Reverse(builder, equations, value, wrt).run()


class _Reverse:
    """One backward sweep."""

    def __init__(
        self, builder: Builder, equations: tuple[Equation, ...], value: Symbol, wrt: tuple[Symbol, ...]
    ) -> None:
        self.builder = builder
        self.definitions = {e.target: e for e in equations}
        self.active = _active(equations, wrt)
        self.result = Adjoints(value)
        self.terms: dict[Symbol, list[tuple[Basic, Basic | None]]] = {}
        self.masks: dict[Symbol, Basic | None] = {}
        self.waiting = self._uses(value)
        self.ready: deque[Symbol] = deque()

    def _uses(self, value: Symbol) -> dict[Symbol, int]:
        """How many visited equations use each active symbol (an equation that uses it twice counts twice)."""
        uses: dict[Symbol, int] = {}
        seen, todo = {value}, [value]
        while todo:
            equation = self.definitions.get(todo.pop())
            if equation is None:
                continue
            for s in symbols_of(equation.expr):
                if s in self.active:
                    uses[s] = uses.get(s, 0) + 1
                    if s not in seen:
                        seen.add(s)
                        todo.append(s)
        return uses

    def run(self) -> Adjoints:
        value = self.result.value
        if value in self.active:
            self.result.adjoint[value] = Integer(1)
            self.masks[value] = None
            self.ready.append(value)
        while self.ready:
            s = self.ready.popleft()
            if s in self.terms:
                self._sum(s)
            equation = self.definitions.get(s)
            if equation is not None:
                self._visit(equation)
        return self.result

    def _sum(self, s: Symbol) -> None:
        """Add up the contributions to the adjoint of s."""
        terms = self.terms.pop(s)
        self.builder.origin = Origin("adjoint", (s,))
        total, mask = terms[0]
        for term, other in terms[1:]:
            mask = mask_union(self.builder, mask, other)
            total = accumulate(self.builder, total, term)
        self.result.adjoint[s] = total
        self.masks[s] = mask

    def _arrived(self, s: Symbol) -> None:
        self.waiting[s] -= 1
        if self.waiting[s] == 0:
            if s in self.terms:
                self.ready.append(s)
            else:
                self._nothing(s)

    def _nothing(self, s: Symbol) -> None:
        """No contribution reached s: what it depends on is told so too."""
        todo = [s]
        while todo:
            equation = self.definitions.get(todo.pop())
            for u in symbols_of(equation.expr) if equation is not None else ():
                if u in self.active:
                    self.waiting[u] -= 1
                    if self.waiting[u] == 0:
                        if u in self.terms:
                            self.ready.append(u)
                        else:
                            todo.append(u)

    def _visit(self, equation: Equation) -> None:
        builder, atoms = self.builder, operands(equation.expr)
        operation = operation_of(equation.expr)
        cotangent = self.result.adjoint[equation.target]
        builder.origin = Origin("adjoint", (equation.target,))
        if operation is None:
            self._contribute(equation, 0, atoms[0], cotangent, Integer(1), cotangent)  # an alias
            self._arrived(atoms[0])
            return
        if not operation.differentiable:
            raise _no_derivative(equation, operation)
        values = tuple(builder.value(a) for a in atoms)
        result = builder.value(equation.target)
        if operation.partials is not None:
            self._by_factors(equation, operation.partials(result, *values), cotangent)
        else:
            assert operation.pullback is not None
            active = tuple(a in self.active for a in atoms)
            at = Linearization(
                result, values, builder.value(_shaped(builder, cotangent, result)), statics(equation.expr), active
            )
            self._by_terms(equation, operation.pullback(at))
        for atom in atoms:
            if atom in self.active:
                self._arrived(atom)

    def _by_factors(self, equation: Equation, factors: tuple[object, ...], cotangent: Basic) -> None:
        """Elementwise: cotangent times local factor, summed over what was broadcast."""
        builder, mask = self.builder, self.masks[equation.target]
        for k, (atom, factor) in enumerate(zip(operands(equation.expr), factors, strict=True)):
            if atom not in self.active or factor is None:
                continue
            local = factor.atom if isinstance(factor, Value) else Integer(factor) if isinstance(factor, int) else factor
            assert isinstance(local, Basic)
            if local == 0:
                continue
            term = (builder.value(cotangent) * builder.value(local)).atom
            if mask is not None:
                term = select(builder, mask, term)
            self._contribute(equation, k, atom, cotangent, local, term)

    def _by_terms(self, equation: Equation, terms: tuple[Value | None, ...]) -> None:
        mask = self.masks[equation.target]
        for k, (atom, term) in enumerate(zip(operands(equation.expr), terms, strict=True)):
            if atom in self.active and term is not None:
                shown = term.atom
                if mask is not None and self.builder.type_of(mask).shape == term.shape:
                    shown = select(self.builder, mask, shown)
                self._contribute(equation, k, atom, self.result.adjoint[equation.target], None, shown)

    def _contribute(
        self, equation: Equation, k: int, atom: Basic, cotangent: Basic, factor: Basic | None, term: Basic
    ) -> None:
        if not isinstance(atom, Symbol):
            return
        builder = self.builder
        self.result.contributions.append(Contribution(atom, equation, k, cotangent, factor, term))
        own = self._branch_mask(equation, k) or self.masks[equation.target]
        full = _broadcast_shape(builder, equation, term)
        if full is not None:
            term = full
        shaped = unbroadcast(builder, term, builder.types[atom].shape)
        if own is not None and builder.type_of(own).shape != builder.types[atom].shape:
            own = None
        self.terms.setdefault(atom, []).append((shaped, own))

    def _branch_mask(self, equation: Equation, k: int) -> Basic | None:
        """Where the operand of a choice is taken: elsewhere its cotangent is 0 and stays 0, whatever it meets."""
        condition = branch_condition(self.builder, equation.expr, k)
        if condition is None:
            return None
        return mask_intersection(self.builder, self.masks[equation.target], condition)


def _active(equations: tuple[Equation, ...], wrt: tuple[Symbol, ...]) -> set[Basic]:
    """Symbols that depend on what is differentiated for."""
    active: set[Basic] = set(wrt)
    for equation in equations:
        if any(s in active for s in symbols_of(equation.expr)):
            active.add(equation.target)
    return active


def _shaped(builder: Builder, cotangent: Basic, result: Value) -> Basic:
    """The cotangent as a symbol of the result's shape: structural rules need one."""
    return (
        along(builder, cotangent, Type(result.shape, "real"))
        if builder.type_of(cotangent).shape != result.shape
        else cotangent
    )


def _broadcast_shape(builder: Builder, equation: Equation, term: Basic) -> Basic | None:
    """A contribution that is a plain number stands for an array of the target's shape: sum it as one."""
    shape = builder.types[equation.target].shape
    mine = builder.type_of(term).shape
    operation = operation_of(equation.expr)
    if operation is None or not operation.elementwise or mine == shape:
        return None
    return along(builder, term, Type(shape, "real"))


def _no_derivative(equation: Equation, operation: Operation) -> DerivativeError:
    span = equation.origin.span
    return DerivativeError(
        f"{operation.syntax or operation.written} has no derivative (in {equation.target.name})",
        hint="what is minimised must not depend on a parameter through it; stop_gradient(x) makes a constant of x",
        line=span.line if span else None,
        column=span.column if span else None,
        source_line=span.source_line if span else None,
    )
