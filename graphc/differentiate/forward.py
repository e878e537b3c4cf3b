"""Forward mode: tangents flow from what is varied to what depends on it.

In: equations, and the tangents of some symbols.  Out: the tangent of every symbol that depends on them.
Always holds: an equation is visited once, in order; a tangent has the shape of its symbol; what is no real number has
none.  No record says how tangents are pushed forward: a record's pullback is linear in the cotangent, so that its
transpose, which reverse mode gives, is the push-forward.

The rule (Griewank and Walther 2008, section 3.1): for v = f(u, ...), v_dot = sum of df/du * u_dot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Basic, Symbol

from graphc.differentiate.reverse import constants, local_factor, no_derivative, pull_back, varying
from graphc.graph.builder import Builder
from graphc.graph.graph import Equation, Origin, operands, statics
from graphc.graph.operation import Linearization, Operation, operation_of
from graphc.graph.types import Type
from graphc.ops.algebra import accumulate, along


def push_forward(builder: Builder, equations: tuple[Equation, ...], tangents: Mapping[Symbol, Basic]) -> Tangents:
    """Add the tangents' equations to the builder."""
    found = Tangents(builder, dict(tangents), constants(equations, tangents.keys()))
    for equation in equations:
        if equation.target not in tangents:
            found.visit(equation)
    return found


@dataclass
class Tangents:
    """What forward mode found so far; `broken`: what depends on the varied through an equation without derivative;
    `constants`: what depends on nothing."""

    builder: Builder
    tangent: dict[Basic, Basic]
    constants: set[Basic]
    broken: dict[Basic, Equation] = field(default_factory=dict)

    def get(self, s: Symbol) -> Basic | None:
        """The tangent of a symbol, None for 0; DerivativeError where an operation on the way has no derivative."""
        if s in self.broken:
            raise no_derivative(self.broken[s])
        return self.tangent.get(s)

    def visit(self, equation: Equation) -> None:
        """Push the operands' tangents through an equation."""
        atoms, builder, target = operands(equation.expr), self.builder, equation.target
        if not any(a in self.tangent or a in self.broken for a in atoms):
            return
        builder.origin = Origin("tangent", (target,))
        operation = operation_of(equation.expr)
        terms: list[Basic] = []
        for atom, term in self._terms(equation, operation):
            if atom in self.broken:
                self.broken[target] = self.broken[atom]
                return
            terms.append(term)
        if operation is not None and not operation.differentiable:
            self.broken[target] = equation
        if terms:
            total = terms[0]
            for term in terms[1:]:
                total = accumulate(builder, total, term)
            self.tangent[target] = along(builder, total, Type(builder.types[target].shape))

    def _terms(self, equation: Equation, operation: Operation | None) -> Iterator[tuple[Basic, Basic]]:
        """Operands that a derivative is for, each with what it adds to the target's tangent (anything if it is broken)."""
        if operation is None:
            (atom,) = operands(equation.expr)
            yield atom, self.tangent.get(atom, atom)
        elif operation.partials is not None:
            yield from self._by_factors(equation, operation.partials)
        elif operation.pullback is not None:
            yield from self._by_transpose(equation, operation.pullback)

    def _by_factors(self, equation: Equation, partials: Callable[..., Any]) -> Iterator[tuple[Basic, Basic]]:
        """Elementwise: local factor times tangent."""
        builder, atoms = self.builder, operands(equation.expr)
        factors = partials(builder.value(equation.target), *(builder.value(a) for a in atoms))
        for atom, found in zip(atoms, factors, strict=True):
            factor = local_factor(found)
            if factor is None or factor == 0:
                continue
            if atom in self.tangent:
                yield atom, (builder.value(factor) * builder.value(self.tangent[atom])).atom
            elif atom in self.broken:
                yield atom, atom

    def _by_transpose(
        self, equation: Equation, pullback: Callable[[Linearization], Any]
    ) -> Iterator[tuple[Basic, Basic]]:
        """The pullback's own pullback: for P(g) linear in g, the gradient of <P(g), u_dot> for g, whatever g is."""
        builder, atoms = self.builder, operands(equation.expr)
        cotangent = builder.declare(builder.fresh(), Type(builder.types[equation.target].shape))
        start = len(builder.equations)
        at = Linearization(
            builder.value(equation.target),
            tuple(builder.value(a) for a in atoms),
            builder.value(cotangent),
            statics(equation.expr),
            varying(atoms, self.constants),
        )
        terms = pullback(at)
        made = tuple(builder.equations[start:])
        for atom, term in zip(atoms, terms, strict=True):
            if term is None or not isinstance(term.atom, Symbol):
                continue
            if atom in self.tangent:
                tangent = along(builder, self.tangent[atom], term.type)
                pulled = pull_back(builder, made, {term.atom: tangent}, (cotangent,)).adjoint
                if cotangent in pulled:
                    yield atom, pulled[cotangent]
            elif atom in self.broken:
                yield atom, atom
