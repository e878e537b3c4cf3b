"""SymPy expressions to a graph.

In: a SymPy expression of real symbols and matrix symbols.  Out: `Graph`.
Always holds: no recursion and no evaluation by SymPy; an object that is shared in the expression is read once; nothing
is made of text; what has no meaning here is refused by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from sympy import Basic, Float, Integer, Lambda, Rational, S, Symbol
from sympy.matrices.expressions import MatrixSymbol
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.matrixbase import MatrixBase

from graphc.errors import GraphcError
from graphc.graph.builder import Builder
from graphc.graph.graph import Graph, Origin
from graphc.graph.operation import Value
from graphc.graph.types import Type, size_named, sizes_of
from graphc.language.reader import parse
from graphc.ops import SIZE
from graphc.ops.sympy_table import Plan, dimension, plan_of

_CONSTANTS = (S.Pi, S.Exp1, S.Infinity, S.NegativeInfinity)
_COMPLEX = {S.ImaginaryUnit: "I", S.ComplexInfinity: "zoo", S.NaN: "nan"}
_BITS = 53  # a Float of this precision is read as the shortest decimal that gives it


def from_sympy(expr: Any) -> Graph:
    """Read a SymPy expression.  GraphcError, with the head's name, where something in it is not supported."""
    if isinstance(expr, MatrixBase):
        expr = expr.as_immutable()
    if isinstance(expr, (int, float)) and not isinstance(expr, bool):
        expr = Integer(expr) if isinstance(expr, int) else Float(expr)
    if not isinstance(expr, Basic):
        raise GraphcError(f"{type(expr).__name__} is no SymPy expression", hint="text is read by graphc.parse")
    return _Reader(expr).graph()


class _Reader:
    def __init__(self, root: Basic) -> None:
        self.root = root
        self.builder = Builder()
        self.builder.origin = Origin("sympy")
        self.symbols: dict[str, Basic] = {}
        self.inputs: dict[Symbol, None] = {}
        self.sizes: dict[str, None] = {}
        self._survey()

    def graph(self) -> Graph:
        value = self.value(self.root, {})
        if not isinstance(value.atom, Symbol):
            value = Value(self.builder, self.builder.bind(self.builder.fresh(), value.atom))
        builder = self.builder
        return Graph(
            inputs=tuple(self.inputs),
            params=(),
            equations=tuple(builder.equations),
            outputs=(value.atom,),
            types=dict(builder.types),
            sizes=tuple(self.sizes),
            declared=any(t.shape for t in builder.types.values()),
        )

    def _survey(self) -> None:
        """Names of symbols, which generated names step aside of, and sizes of matrices."""
        seen: set[int] = set()
        todo = [self.root]
        while todo:
            node = todo.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, (Symbol, MatrixSymbol)):
                self.builder.reserve([node.name])
            if isinstance(node, MatrixSymbol):
                self.sizes.update((n, None) for d in node.shape for n in sorted(sizes_of(dimension(d))))
            todo += reversed([a for a in node.args if isinstance(a, Basic)])

    # --- the machine -------------------------------------------------------------------------------------------

    def value(self, root: Basic, bound: Mapping[Basic, Value]) -> Value:
        """The value of a node; `bound` holds the variables of a function that is applied to elements."""
        values: dict[int, Value] = {}
        plans: dict[int, Plan] = {}
        todo = [root]
        while todo:
            node = todo[-1]
            if id(node) in values:
                todo.pop()
                continue
            atom = bound.get(node) or self._atom(node) if not node.args or node.is_Symbol else self._named(node)
            if atom is not None:
                values[id(node)] = atom
                continue
            if id(node) not in plans:
                plans[id(node)] = self._plan(node)
            children, combine = plans[id(node)]
            missing = [c for c in children if id(c) not in values]
            if missing:
                todo += reversed(missing)
                continue
            values[id(node)] = combine(self.builder, tuple(values[id(c)] for c in children))
        return values[id(root)]

    def _plan(self, node: Basic) -> Plan:
        if isinstance(node, ElementwiseApplyFunction):
            function: Lambda = node.function
            (variable,) = function.variables
            return (node.expr,), lambda b, x: self.value(function.expr, {variable: x[0]})
        return plan_of(node)

    # --- atoms -------------------------------------------------------------------------------------------------

    def _named(self, node: Basic) -> Value | None:
        if not isinstance(node, MatrixSymbol):
            return None
        return self._input(node, node.name, Type(tuple(dimension(d) for d in node.shape)))

    def _atom(self, node: Basic) -> Value | None:
        if isinstance(node, Symbol):
            if node.name in self.sizes:
                return Value(self.builder, SIZE(self.builder, size_named(node.name)))
            if node.is_real is False or node.is_commutative is False:
                raise GraphcError(f"the symbol {node.name} is not real", hint="symbols are real numbers")
            return self._input(node, node.name, Type())
        if node in _COMPLEX:
            raise GraphcError(f"{_COMPLEX[node]} is no real number", hint="programs compute with real numbers")
        if node in _CONSTANTS or node.is_Rational:
            return Value(self.builder, node)
        if node.is_Float:
            return Value(self.builder, exact_decimal(node))
        return None

    def _input(self, node: Basic, name: str, type_: Type) -> Value:
        plain = _checked_name(name)
        known = self.symbols.setdefault(plain, node)
        if known != node:
            raise GraphcError(f"two different symbols have the name {plain}", hint="rename one of them")
        s = self.builder.declare(plain, type_)
        self.inputs[s] = None
        return Value(self.builder, s)


def exact_decimal(value: Any) -> Basic:
    """A Float as the decimal number it was written as."""
    text = repr(float(value)) if value._prec <= _BITS else str(value)
    fraction = Fraction(text)
    return Rational(fraction.numerator, fraction.denominator)


@cache
def _checked_name(name: str) -> str:
    """The name as the language spells it; GraphcError where it cannot be written."""
    try:
        (s,) = parse(f"input {name}\n{name} + 0").inputs
    except (GraphcError, ValueError):
        raise GraphcError(
            f"the symbol {name!r} has no name that can be written in a program", hint="rename it: x1, w_in"
        ) from None
    return str(s.name)
