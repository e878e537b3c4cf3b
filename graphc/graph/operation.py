"""What an operation is: one record, and expressions written with records.

In: the fields of a record.  Out: `Operation`; `Value`, an atom in a builder, and `Term`, a pattern, on which the
records act by calls and by the operators of Python.
Always holds: a record is the only place that knows an operation; whoever needs something of it asks the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sympy import Basic

from graphc.errors import GraphcError, ParseError
from graphc.graph.graph import Static
from graphc.graph.types import Size, Type

if TYPE_CHECKING:
    from graphc.graph.builder import Builder

REQUIRED = object()  # the default of a static argument that has none


class Require(Protocol):
    """Told of two dimensions that must be equal, or of which the first must be at most the second."""

    def __call__(self, a: Size, b: Size, relation: str = "==") -> None: ...


Infer = Callable[[tuple[Type, ...], tuple[Any, ...], Require], tuple[Type, tuple[Any, ...]]]


@dataclass(frozen=True)
class Parameter:
    """An argument of an operation: an operand, all further operands ("operands"), or a static argument."""

    name: str
    role: str = "operand"
    default: Any = REQUIRED


@dataclass(frozen=True)
class Linearization:
    """Where an operation is differentiated: result, operands, cotangent of the result, static arguments.

    `varies` says for each operand whether it depends on an input or a parameter; the kinks' table needs it.
    """

    result: Value
    operands: tuple[Value, ...]
    cotangent: Value
    statics: tuple[Any, ...]
    varies: tuple[bool, ...]


@dataclass(frozen=True)
class Batching:
    """Where an operation is applied to many arrays at once: those of `batched` have a new leading axis of `size`."""

    operands: tuple[Value, ...]
    batched: tuple[bool, ...]
    size: Size
    statics: tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """Arguments of a call, sorted into operands and static arguments."""

    operands: tuple[Any, ...]
    statics: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: its name and arguments, type, derivative, code, slow reference, spelling and doc.

    `partials(y, *xs)` gives local factors of an elementwise operation, None where there is no derivative;
    `pullback(at)` gives contributions to the operands instead.  `exact` is the same function in mpmath.
    `batch(at)` is the operation on many arrays at once, where it is linear in some operand and not elementwise.
    `indices(types, statics)` says which operand holds indices, and the first and the last that there is.
    `syntax` is how it is written where not as a call: "a + b".  `name` is unique; `spelling` is what is written.
    `define(builder, operands, statics, name)` makes it of other operations at once, so that it is in no graph.
    `show(texts, types, statics)` is its text where neither syntax nor a plain call is: None to fall back.
    An operation without `lowering` is replaced before code is generated: by what `expand(*operands, *statics)` makes of
    other operations, or by the prelude's definition of its name.
    """

    name: str
    head: type[Basic]
    parameters: tuple[Parameter, ...]
    infer: Infer
    doc: str
    reference: Callable[..., Any] | None = None
    exact: Callable[..., Any] | None = None
    lowering: Any = None
    partials: Callable[..., Any] | None = None
    pullback: Callable[[Linearization], Any] | None = None
    batch: Callable[[Batching], Value] | None = None
    indices: Callable[[tuple[Type, ...], tuple[Any, ...]], tuple[int, Size, Size]] | None = None
    spelling: str = ""
    others: tuple[str, ...] = ()
    syntax: str | None = None
    binding: int = 100
    latex: str | None = None
    domain: tuple[tuple[float, float], ...] = ()
    special: tuple[tuple[tuple[Any, ...], Any], ...] = ()
    commutative: bool = False
    associative: bool = False
    fold: Callable[..., Any] | None = None
    define: Callable[..., Any] | None = None
    expand: Callable[..., Any] | None = None
    show: Callable[..., str] | None = None
    elementwise: bool = False
    hidden: bool = False

    @property
    def written(self) -> str:
        """The name it has in the language."""
        return self.spelling or self.name

    @property
    def differentiable(self) -> bool:
        return self.partials is not None or self.pullback is not None

    def accepts(self, count: int) -> bool:
        """True where `count` positional arguments can be meant for this operation."""
        if any(p.role == "operands" for p in self.parameters) or self.associative:
            return count >= sum(p.role == "operand" for p in self.parameters)
        return sum(p.default is REQUIRED for p in self.parameters) <= count <= len(self.parameters)

    def bind(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Call:
        """Sort a call's arguments; ParseError where they do not fit the parameters."""
        left, given = list(arguments), dict(named)
        ops: list[Any] = []
        stats: list[Any] = []
        for p in self.parameters:
            if p.role == "operands":
                while left and _is_operand(left[0]):
                    ops.append(left.pop(0))
                continue
            if left:
                if p.name in given:
                    raise ParseError(f"{self.written} got its argument {p.name} twice", hint=self.usage())
                value = left.pop(0)
            elif p.name in given:
                value = given.pop(p.name)
            elif p.default is not REQUIRED:
                value = p.default
            else:
                raise ParseError(f"{self.written} needs its argument {p.name}", hint=self.usage())
            (ops if p.role == "operand" else stats).append(value)
        if left or given:
            extra = f"no argument {next(iter(given))}" if given else f"fewer arguments than {len(arguments)}"
            raise ParseError(f"{self.written} takes {extra}", hint=self.usage())
        return Call(tuple(ops), tuple(stats))

    def usage(self) -> str:
        """How it is called: clip(x, lo, hi), sum(x, axis=none, keepdims=false)."""
        shown = []
        for p in self.parameters:
            star = "*" if p.role == "operands" else ""
            default = "" if p.default is REQUIRED else f"={_literal(p.default)}"
            shown.append(f"{star}{p.name}{default}")
        return f"{self.written}({', '.join(shown)})"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Apply it to values of one builder, or, where a term is among the arguments, make a term."""
        call = self.bind(arguments, named)
        if any(isinstance(a, Term) for a in call.operands):
            return Term(self, call.operands, call.statics)
        builder = next(a.builder for a in call.operands if isinstance(a, Value))
        return Value(builder, builder.apply(self, tuple(_atom(a) for a in call.operands), call.statics))


def _is_operand(value: Any) -> bool:
    return isinstance(value, (Expression, Basic, int, float)) and not isinstance(value, bool)


def _literal(value: Any) -> str:
    return (
        {None: "none", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, int) or isinstance(value, bool)
        else str(value)
    )


def _atom(value: Any) -> Basic:
    return value.atom if isinstance(value, Value) else number(value)


def number(value: Any) -> Basic:
    """A Python number, a fraction or a SymPy atom as an exact SymPy number."""
    from sympy import Integer, Rational

    if isinstance(value, Basic):
        return value
    if isinstance(value, int):
        return Integer(value)
    return Rational(*value.as_integer_ratio())


_SYNTAX: dict[str, Operation] = {}
_HEADS: dict[type[Basic], Operation] = {}


def bind_table(operations: tuple[Operation, ...]) -> None:
    """Give Python's operators and SymPy's heads their records; called once, by the table of operations."""
    _SYNTAX.update({o.syntax: o for o in operations if o.syntax})
    _HEADS.update({o.head: o for o in operations})


def operation_of(expr: Basic) -> Operation | None:
    """The record of a right-hand side; None for an atom."""
    return _HEADS.get(type(expr))


def _infix(form: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return _SYNTAX[form](self, other)

    return method


def _reflected(form: str) -> Any:
    def method(self: Any, other: Any) -> Any:
        return _SYNTAX[form](other, self)

    return method


class Expression:
    """Python's operators, for values and terms alike.  Comparisons other than `<` and `>` are called by name."""

    __slots__ = ()
    __add__, __radd__ = _infix("a + b"), _reflected("a + b")
    __sub__, __rsub__ = _infix("a - b"), _reflected("a - b")
    __mul__, __rmul__ = _infix("a * b"), _reflected("a * b")
    __truediv__, __rtruediv__ = _infix("a / b"), _reflected("a / b")
    __pow__, __rpow__ = _infix("a ^ b"), _reflected("a ^ b")
    __lt__, __gt__ = _infix("a < b"), _infix("a > b")

    def __neg__(self) -> Any:
        return _SYNTAX["-a"](self)


@dataclass(frozen=True, eq=False, slots=True)
class Value(Expression):
    """An atom (symbol or number) in a builder."""

    builder: Builder
    atom: Basic

    @property
    def type(self) -> Type:
        return self.builder.type_of(self.atom)

    @property
    def shape(self) -> tuple[Size, ...]:
        return self.type.shape


@dataclass(frozen=True, eq=False, slots=True)
class Term(Expression):
    """A pattern: an operation over variables, numbers and terms; without operation, the variable `name`."""

    operation: Operation | None
    arguments: tuple[Any, ...] = ()
    statics: tuple[Any, ...] = ()
    name: str = ""


def variable(name: str) -> Term:
    """A pattern's variable; it matches any symbol or number.  In a static place a string is a variable."""
    return Term(None, name=name)


def node(operation: Operation, operands: tuple[Basic, ...], statics: tuple[Any, ...]) -> Basic:
    """The raw SymPy node of one operation; nothing is evaluated."""
    return Basic.__new__(operation.head, *operands, *(Static(s) for s in statics))


@dataclass(frozen=True)
class Lowering:
    """How code is generated for an operation; the kinds are in `ops.lowering`."""

    cost: int = field(default=1, kw_only=True)


__all__ = [
    "REQUIRED", "Batching", "Call", "Expression", "GraphcError", "Linearization", "Lowering", "Operation", "Parameter", "Require",
    "Term", "Value", "bind_table", "node", "number", "operation_of", "variable",
]  # fmt: skip
