"""Reverse mode: adjoints flow from values to what they depend on.

In: equations, the value (or several, with their adjoints), and the symbols to differentiate for.  Out: the adjoints, and
the list of contributions, each recorded before anything is folded: that list is the derivation.
Always holds: an equation is visited once, after all that use its target (breadth-first from the value, operands left
to right); a gradient has the shape of its symbol; time and size are linear in the equations visited.

The rule (Griewank and Walther 2008, section 3.2): for v = f(u, ...), u_bar += v_bar * df/du.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sympy import Basic, Integer, Symbol

from graphc.errors import DerivativeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Origin, operands, statics, symbols_of
from graphc.graph.operation import Linearization, Value, operation_of
from graphc.graph.types import Type
from graphc.ops.algebra import (
    accumulate,
    along,
    carried,
    fitting,
    mask_intersection,
    mask_union,
    select,
    taken,
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

    adjoint: dict[Symbol, Basic] = field(default_factory=dict)
    contributions: list[Contribution] = field(default_factory=list)


def reverse(builder: Builder, equations: tuple[Equation, ...], value: Symbol, wrt: tuple[Symbol, ...]) -> Adjoints:
    """Add the adjoints' equations of one value to the builder."""
    return pull_back(builder, equations, {value: Integer(1)}, wrt)


def pull_back(
    builder: Builder, equations: tuple[Equation, ...], cotangents: Mapping[Symbol, Basic], wrt: tuple[Symbol, ...]
) -> Adjoints:
    """The adjoints where those of some symbols are given: sums of cotangent times derivative."""
    return _Reverse(builder, equations, cotangents, wrt).run()


class _Reverse:
    """One backward sweep."""

    def __init__(
        self,
        builder: Builder,
        equations: tuple[Equation, ...],
        cotangents: Mapping[Symbol, Basic],
        wrt: tuple[Symbol, ...],
    ) -> None:
        self.builder = builder
        self.definitions = {e.target: e for e in equations}
        self.active = _active(equations, wrt)
        self.constants = constants(equations, wrt)
        self.result = Adjoints()
        roots = [s for s in cotangents if s in self.active]
        self.terms: dict[Symbol, list[tuple[Basic, Basic | None]]] = {s: [(cotangents[s], None)] for s in roots}
        self.masks: dict[Symbol, Basic | None] = {}
        self.waiting = self._uses(roots)
        self.ready: deque[Symbol] = deque(s for s in roots if s not in self.waiting)

    def _uses(self, roots: list[Symbol]) -> dict[Symbol, int]:
        """How many visited equations use each active symbol (an equation that uses it twice counts twice)."""
        uses: dict[Symbol, int] = {}
        seen, todo = set(roots), list(roots)
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
        while self.ready:
            s = self.ready.popleft()
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
            mask = self.masks[equation.target]
            self._contribute(equation, 0, atoms[0], cotangent, Integer(1), cotangent, mask)  # an alias
            self._arrived(atoms[0])
            return
        if not operation.differentiable:
            raise no_derivative(equation)
        values = tuple(builder.value(a) for a in atoms)
        result = builder.value(equation.target)
        if operation.partials is not None:
            self._by_factors(equation, operation.partials(result, *values), cotangent)
        else:
            assert operation.pullback is not None
            varies = varying(atoms, self.constants)
            at = Linearization(
                result, values, builder.value(_shaped(builder, cotangent, result)), statics(equation.expr), varies
            )
            self._by_terms(equation, operation.pullback(at))
        for atom in atoms:
            if atom in self.active:
                self._arrived(atom)

    def _by_factors(self, equation: Equation, factors: tuple[object, ...], cotangent: Basic) -> None:
        """Elementwise: cotangent times local factor, summed over what was broadcast."""
        builder, mask = self.builder, self.masks[equation.target]
        for k, (atom, factor) in enumerate(zip(operands(equation.expr), factors, strict=True)):
            if atom not in self.active:
                continue
            local = local_factor(factor)
            if local is None or local == 0:
                continue
            term = (builder.value(cotangent) * builder.value(local)).atom
            if mask is not None and not local.is_Number:
                term = select(builder, mask, term)
            self._contribute(equation, k, atom, cotangent, local, term, mask)

    def _by_terms(self, equation: Equation, terms: tuple[Value | None, ...]) -> None:
        builder = self.builder
        for k, (atom, term) in enumerate(zip(operands(equation.expr), terms, strict=True)):
            if atom in self.active and term is not None:
                mask = self._mask(equation, k)
                shown, own = term.atom, mask_intersection(builder, mask, taken(builder, term.atom))
                fit = None if mask is None else fitting(builder, mask, term.shape)
                if fit is not None:
                    shown = select(builder, fit, shown)
                self._contribute(equation, k, atom, self.result.adjoint[equation.target], None, shown, own)

    def _contribute(
        self, equation: Equation, k: int, atom: Basic, cotangent: Basic, factor: Basic | None, term: Basic,
        mask: Basic | None,
    ) -> None:  # fmt: skip
        if not isinstance(atom, Symbol):
            return
        builder = self.builder
        self.result.contributions.append(Contribution(atom, equation, k, cotangent, factor, term))
        full = _broadcast_shape(builder, equation, term)
        if full is not None:
            term = full
        shaped = unbroadcast(builder, term, builder.types[atom].shape)
        mask = None if mask is None else fitting(builder, mask, builder.types[atom].shape)
        self.terms.setdefault(atom, []).append((shaped, mask))

    def _mask(self, equation: Equation, k: int) -> Basic | None:
        """Where what operand k gets can be anything but 0, element by element; one condition for all goes everywhere."""
        operation, mask = operation_of(equation.expr), self.masks[equation.target]
        if mask is None or operation is None or operation.elementwise or self.builder.type_of(mask).rank == 0:
            return mask
        return carried(self.builder, equation.expr, self.builder.types[equation.target].rank, mask, k)


def local_factor(found: object) -> Basic | None:
    """What a record's `partials` gives for an operand, as an atom; None where there is no derivative."""
    factor = found.atom if isinstance(found, Value) else Integer(found) if isinstance(found, int) else found
    assert factor is None or isinstance(factor, Basic)
    return factor


def varying(atoms: Iterable[Basic], constants: Collection[Basic]) -> tuple[bool, ...]:
    """Which operands depend on an input or a parameter."""
    return tuple(isinstance(a, Symbol) and a not in constants for a in atoms)


def constants(equations: tuple[Equation, ...], wrt: Collection[Basic]) -> set[Basic]:
    """Symbols that depend on nothing that is given, nor on what is differentiated for."""
    found: set[Basic] = set()
    for equation in equations:
        if equation.target not in wrt and found.issuperset(symbols_of(equation.expr)):
            found.add(equation.target)
    return found


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


def no_derivative(equation: Equation) -> DerivativeError:
    """The error that says which operation has none, and where it stands."""
    span, operation = equation.origin.span, operation_of(equation.expr)
    assert operation is not None
    return DerivativeError(
        f"{operation.syntax or operation.written} has no derivative (in {equation.target.name})",
        hint="what is minimised must not depend on a parameter through it; stop_gradient(x) makes a constant of x",
        line=span.line if span else None,
        column=span.column if span else None,
        source_line=span.source_line if span else None,
    )
