"""The stack machine that runs postfix code.

In: statements, and what each kind of statement does (`language.reader`).  Out: equations in a builder.
Always holds: no recursion: a macro call is a frame; a macro that only computes is run once for the same arguments; nothing of
the text is ever executed; every error has a place.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Basic, Integer, S, Symbol

from graphc.errors import GraphcError, ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Origin, Span
from graphc.graph.operation import Operation
from graphc.graph.types import Dim, Type, size_named
from graphc.language.expression import Code
from graphc.language.lexer import Source
from graphc.language.macros import Macros, usage
from graphc.language.parser import Definition, Statement
from graphc.ops import ABSOLUTE, ARRAY, CALLS, GATHER, INFIX, PREFIX, RESHAPE, SIZE, SUBSCRIPT, TRANSPOSE

CONSTANTS: dict[str, Any] = {"pi": S.Pi, "e": S.Exp1, "inf": S.Infinity}
ESCAPE = "math."  # before a function or constant whose name the program has given to something else: math.sum(x)
LITERALS: dict[str, Any] = {"none": None, "None": None, "true": True, "True": True, "false": False, "False": False}
_GREEK = frozenset({
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "omicron", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
})  # fmt: skip
DISTRIBUTIONS = {"uniform": 2, "normal": 2}


@dataclass(frozen=True)
class Draw:
    """A value drawn from a distribution; only `~` takes one."""

    distribution: str
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class Frame:
    """A macro being expanded: its statements, where it is, its names; the program itself is the outermost one."""

    statements: tuple[Statement, ...]
    source: Source
    env: dict[str, Any]
    prefix: str = ""
    target: str | None = None  # the user's name for what it returns
    macro: str = ""
    at: int = 0
    code: Code = field(default_factory=list)
    pc: int = 0
    stack: list[Any] = field(default_factory=list)
    name: str | None = None  # the user's name for the statement's value
    call: int = 0  # calls of layers so far in this statement
    several: bool = False
    then: Any = None
    key: Hashable = None  # of a macro that only computes: its name and arguments


class Machine:
    """Runs code.  A subclass has a method `_do_KIND(frame, statement)` for each kind of statement."""

    def __init__(self, source: Source, builder: Builder) -> None:
        self.source, self.builder = source, builder
        self.macros = Macros()
        self.sizes: dict[str, None] = {}
        self.inputs: list[Symbol] = []
        self.env: dict[str, Any] = {}
        self.declared = True  # False where an unknown name becomes an input
        self._position = 0
        self._frames: list[Frame] = []
        self._open: set[str] = set()  # macros that are being expanded
        self._returned: dict[Hashable, Any] = {}  # what macros that only compute gave

    # --- statements and code -------------------------------------------------------------------------------------------

    def run(self, frame: Frame) -> Any:
        """Run statements until the outermost frame is done; what it returned."""
        outside, self._frames = self._frames, [frame]
        try:
            return self._run(self._frames)
        finally:
            self._frames = outside

    def _run(self, frames: list[Frame]) -> Any:
        result = None
        while frames:
            frame = frames[-1]
            try:
                if frame.pc < len(frame.code):
                    called = self._step(frame)
                    if called is not None:
                        frames.append(called)
                        self._open.add(called.macro)
                    continue
                if frame.then is not None:
                    then, frame.then = frame.then, None
                    then(frame, frame.stack.pop() if frame.stack else None)
                    frame.code, frame.pc = [], 0
                    continue
                if frame.at < len(frame.statements):
                    statement = frame.statements[frame.at]
                    frame.at += 1
                    self._begin(frame, statement)
                    continue
            except GraphcError as error:
                if frame.macro and frames[0] is not frame and error.line is None:
                    error.message += f" (inside {frame.macro})"
                span = self._place()
                raise error.located(span.line, span.column, span.source_line) from None
            frames.pop()
            result = frame.env.get("return ")
            if frames:
                self._open.discard(frame.macro)
                if "return " not in frame.env:
                    outer = frames[-1]
                    span = outer.source.span(outer.code[outer.pc - 1][2])
                    empty = ParseError(f"{frame.macro} returns nothing", hint=f"end def {frame.macro} with: return ...")
                    raise empty.located(span.line, span.column, span.source_line)
                if frame.key is not None:
                    self._returned[frame.key] = result
                frames[-1].stack.append(result)
        return result

    def _place(self) -> Span:
        """The place of what is computed; inside a macro that of its call in the program."""
        outer, frame = self._frames[0], self._frames[-1]
        if outer is frame or not frame.macro:
            return frame.source.span(self._position)
        return outer.source.span(outer.code[outer.pc - 1][2] if outer.code else self._position)

    def _begin(self, frame: Frame, statement: Statement) -> None:
        self._position = statement.position
        self.builder.origin = Origin("text", (), frame.source.span(statement.position))
        getattr(self, f"_do_{statement.kind}")(frame, statement)
        if frame.code:
            layers = sum(1 for what, argument, _ in frame.code if what == "call" and self.macros.is_layer(argument[0]))
            frame.several, frame.call = layers > 1, 0

    def evaluate(self, frame: Frame, code: Code, then: Any, name: str | None = None) -> None:
        frame.code, frame.pc, frame.then, frame.name = code, 0, then, name

    def _step(self, frame: Frame) -> Frame | None:
        what, argument, position = frame.code[frame.pc]
        frame.pc += 1
        self._position = position
        name = frame.name if frame.pc == len(frame.code) else None
        stack = frame.stack
        if what == "number":
            stack.append(argument)
        elif what == "name":
            stack.append(self._lookup(frame, argument, position))
        elif what == "string":
            stack.append(argument)
        elif what == "binary":
            b, a = stack.pop(), stack.pop()
            stack.append(self._binary(argument, a, b, name))
        elif what == "prefix":
            stack.append(self._prefix(argument, stack.pop(), name))
        elif what == "call":
            return self._call(frame, argument, name)
        elif what == "attribute":
            stack.append(self._attribute(argument, stack.pop(), name))
        elif what == "tuple":
            stack.append(_popped(stack, argument))
        elif what == "array":
            items = _popped(stack, argument)
            stack.append(self.apply(ARRAY, tuple(self.atom(i) for i in items), (0,), name))
        elif what == "fence":
            stack.append(self.apply(ABSOLUTE, (self.atom(stack.pop()),), (), name))
        else:
            stack.append(self._index(argument, stack, name))
        return None

    def apply(
        self, operation: Operation, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None
    ) -> Any:
        builder, start = self.builder, len(self.builder.equations)
        builder.undecided = False
        result = builder.apply(operation, operands, statics, name)
        if builder.undecided or operation.indices is not None:
            at = self._place()
            made = builder.equations[start:]
            builder.equations[start:] = [replace(e, origin=replace(e.origin, at=at)) for e in made]
        return result

    def atom(self, value: Any) -> Basic:
        """An operand: a symbol or number; a size becomes one, a tuple an array."""
        if isinstance(value, Basic):
            return value
        if isinstance(value, Dim):
            return SIZE(self.builder, value)
        if isinstance(value, Draw):
            raise ParseError(f"{value.distribution} is no value", hint=f"param W[3] ~ {value.distribution}(...)")
        what = (
            "a list in ( )"
            if isinstance(value, tuple)
            else {None: "none", True: "true", False: "false"}.get(value, f'"{value}"')
        )
        raise ParseError(
            f"{what} cannot be computed with", hint="[1, 2, 3] is an array" if isinstance(value, tuple) else None
        )

    def _lookup(self, frame: Frame, name: str, position: int) -> Any:
        if name in frame.env:
            return frame.env[name]
        if name in self.sizes:
            return size_named(name)
        plain = name.removeprefix(ESCAPE)
        if plain in CONSTANTS:
            return CONSTANTS[plain]
        if plain in LITERALS:
            return LITERALS[plain]
        function = name in CALLS or name in DISTRIBUTIONS or self.macros.get(name) is not None
        if function and name not in _GREEK:
            raise ParseError(
                f"{name} is a function and needs ( after it", hint=_function_hint(frame.source, name, position)
            )
        if frame.macro:
            known = "a def knows its parameters and its own names"
            if self.macros.get(frame.macro) is None:
                known = "numbers, sizes and x.shape may be used"
            raise ParseError(f"{name} is not known inside {frame.macro}", hint=known)
        if self.declared or "." in name:
            raise ParseError(
                f"{name} is not declared",
                hint=near(name, {**self.env, **self.sizes}) or f"input {name}, or param {name} = 0",
            )
        s = self.builder.declare(name, Type())
        self.inputs.append(s)
        self.env[name] = s
        return s

    def _binary(self, sign: str, a: Any, b: Any, name: str | None) -> Any:
        if isinstance(a, Dim) or isinstance(b, Dim):
            whole = [int(v) if isinstance(v, Integer) else v for v in (a, b)]
            if all(isinstance(v, (int, Dim)) for v in whole) and sign in "+-*":
                x, y = whole
                total = x + y if sign == "+" else x - y if sign == "-" else x * y
                return Integer(total) if isinstance(total, int) else total
            if sign == "//":
                if not isinstance(whole[0], Dim) or not isinstance(whole[1], int) or whole[1] < 1:
                    raise ParseError(f"{a} // {b} is no size: a size is divided by a number", hint="n // 2")
                return whole[0] // whole[1]
        return self.apply(INFIX[sign], (self.atom(a), self.atom(b)), (), name)

    def _prefix(self, sign: str, a: Any, name: str | None) -> Any:
        if isinstance(a, Dim) and sign == "-":
            return -a
        return self.apply(PREFIX[sign], (self.atom(a),), (), name)

    def _attribute(self, what: str, value: Any, name: str | None) -> Any:
        atom = self.atom(value)
        if what == "shape":
            return tuple(Integer(d) if isinstance(d, int) else d for d in self.builder.type_of(atom).shape)
        return self.apply(TRANSPOSE, (atom,), (None,), name)

    # --- indices -----------------------------------------------------------------------------------------------

    def _index(self, slices: tuple[Any, ...], stack: list[Any], name: str | None) -> Any:
        count = sum(1 if s is None else sum(s) for s in slices)
        values = list(_popped(stack, count))
        base = stack.pop()
        if isinstance(base, tuple):
            return self._tuple_item(base, slices, values)
        bounds: list[Any] = []
        gathers: list[tuple[int, Basic]] = []
        added: list[int] = []  # new axes, each by how many indices stand before it
        for parts in slices:
            if parts is not None:
                bounds.append(("slice", *(_bound(values.pop(0)) if given else None for given in parts)))
                continue
            value = values.pop(0)
            if value is None:
                added.append(len(bounds))
            elif isinstance(value, Symbol) and value not in (S.Pi, S.Exp1):
                gathers.append((len(bounds), value))
                bounds.append(("slice", None, None, None))
            else:
                bounds.append("..." if value == "..." else _bound(value))
        atom = self.atom(base)
        if not added:
            return self._part(atom, bounds, gathers, name)
        part = self._part(atom, bounds, gathers, None) if bounds else atom
        return self.apply(RESHAPE, (part,), (self._with_axes(atom, part, bounds, gathers, added),), name)

    def _part(self, atom: Basic, bounds: list[Any], gathers: list[tuple[int, Basic]], name: str | None) -> Any:
        """What is read by bounds, and by an array where there is one."""
        if not gathers:
            return self.apply(SUBSCRIPT, (atom,), (tuple(bounds),), name)
        if len(gathers) > 1:
            raise ParseError(
                "only one index can be an array", hint="gather(x, k, axis=0) takes elements along one axis"
            )
        axis, k = gathers[0]
        if all(b == ("slice", None, None, None) for b in bounds):
            return self.apply(GATHER, (atom, k), (axis,), name)
        if "..." in bounds[:axis] or any(not isinstance(b, tuple) for b in bounds[:axis]):
            raise ParseError("an array index after other indices", hint="slice first: y = x[0]; y[k]")
        part = self.apply(SUBSCRIPT, (atom,), (tuple(bounds),), None)
        return self.apply(GATHER, (part, k), (axis,), name)

    def _with_axes(
        self, atom: Basic, part: Basic, bounds: list[Any], gathers: list[tuple[int, Basic]], added: list[int]
    ) -> tuple[Any, ...]:
        """The shape of a part with axes of size 1 where `none` stands."""
        ranks = [1 if isinstance(b, tuple) else 0 for b in bounds]  # axes of the part that an index leaves
        for place, k in gathers:
            ranks[place] = self.builder.type_of(k).rank
        if "..." in bounds:
            ranks[bounds.index("...")] = self.builder.type_of(atom).rank - len(bounds) + 1
        shape = list(self.builder.type_of(part).shape)
        for place in reversed(added):
            shape.insert(sum(ranks[:place]), 1)
        return tuple(shape)

    def _tuple_item(self, base: tuple[Any, ...], slices: tuple[Any, ...], values: list[Any]) -> Any:
        place = values[0] if slices == (None,) else None
        if not isinstance(place, Integer) or not -len(base) <= int(place) < len(base):
            raise ShapeError(f"a shape of {len(base)} sizes has no such element", hint="x.shape[0], x.shape[-1]")
        return base[int(place)]

    # --- calls -------------------------------------------------------------------------------------------------

    def _call(self, frame: Frame, argument: tuple[str, int, tuple[str, ...]], name: str | None) -> Frame | None:
        function, positional, names = argument
        if function not in frame.env:
            function = function.removeprefix(ESCAPE)
        named = dict(zip(names, _popped(frame.stack, len(names)), strict=True))
        arguments = _popped(frame.stack, positional)
        shadowed = function == argument[0] and (function in frame.env or function in self.sizes)
        if shadowed or (not frame.macro and function in CONSTANTS):
            raise ParseError(f"{function} is no function", hint=f"for a product write {function}*(...)")
        own = function in self.macros.own
        if not own and function in CALLS:
            frame.stack.append(self._operation(function, arguments, named, name))
            return None
        if not own and function in DISTRIBUTIONS:
            frame.stack.append(_draw(function, arguments, named))
            return None
        definition = self.macros.get(function)
        if definition is None:
            hint = near(function, [*CALLS, *self.macros.names()]) or f"for a product write {function}*(...)"
            raise ParseError(f"there is no function {function}", hint=hint)
        if function in self._open:
            raise ParseError(f"{function} calls itself without end", hint="a def is put in where it is called")
        env = self._arguments(definition, arguments, named)
        if not self.macros.only_computes(function):  # its parameters are others in each call
            return self._enter(frame, definition, env, name)
        key = (function, len(self.sizes), *((type(v), v) for v in env.values()))
        if key not in self._returned:
            return replace(self._enter(frame, definition, env, name), key=key)
        known = self._returned[key]
        frame.stack.append(self.builder.bind(name, known) if isinstance(known, Basic) else known)
        return None

    def _operation(self, function: str, arguments: tuple[Any, ...], named: dict[str, Any], name: str | None) -> Any:
        choices = CALLS[function]
        operation = next((o for o in choices if o.accepts(len(arguments))), choices[0])
        if len(choices) > 1 and named and len(arguments) == 1:
            operation = next(o for o in choices if not o.associative)
        if operation.associative and len(arguments) > 2 and not named:
            first = self.apply(operation, (self.atom(arguments[0]), self.atom(arguments[1])), (), None)
            for k, extra in enumerate(arguments[2:], 3):
                first = self.apply(operation, (first, self.atom(extra)), (), name if k == len(arguments) else None)
            return first
        call = operation.bind(tuple(a if isinstance(a, (Basic, str)) else _Static(a) for a in arguments), named)
        operands = tuple(self.atom(a.value if isinstance(a, _Static) else a) for a in call.operands)
        return self.apply(operation, operands, tuple(_static(s) for s in call.statics), name)

    def _arguments(self, definition: Definition, arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """What the parameters of a macro stand for in a call."""
        env, left, given = {}, list(arguments), dict(named)
        for parameter, default in definition.parameters:
            if left:
                if parameter in given:
                    raise ParseError(f"{definition.name} got its argument {parameter} twice", hint=usage(definition))
                env[parameter] = left.pop(0)
            elif parameter in given:
                env[parameter] = given.pop(parameter)
            elif default is not None:
                self._open.add(definition.name)
                env[parameter] = self.constant(default, definition.origin)
                self._open.discard(definition.name)
            else:
                raise ParseError(f"{definition.name} needs its argument {parameter}", hint=usage(definition))
        if left or given:
            extra = f"no argument {next(iter(given))}" if given else f"fewer arguments than {len(arguments)}"
            raise ParseError(f"{definition.name} takes {extra}", hint=usage(definition))
        return env

    def _enter(self, frame: Frame, definition: Definition, env: dict[str, Any], name: str | None) -> Frame:
        prefix = frame.prefix
        if self.macros.is_layer(definition.name):
            frame.call += 1
            statement = frame.statements[frame.at - 1]
            own = statement.name if statement.kind == "assign" else ""
            parts = [frame.prefix, own, str(frame.call) if frame.several or not (own or frame.prefix) else ""]
            prefix = ".".join(p for p in parts if p)
        if prefix and prefix[0].isdigit():
            prefix = f"{definition.name}.{prefix}"
        return Frame(definition.body, definition.origin, env, prefix, name, definition.name)

    def constant(self, code: Code, source: Source, what: str = "a default value") -> Any:
        """Value of code that uses no names of the program: a default, a number."""
        position = self._position
        frame = Frame((), source, {}, macro=what)
        self.evaluate(frame, code, lambda f, v: f.env.__setitem__("return ", v))
        value = self.run(frame)
        self._position = position
        return value


@dataclass(frozen=True, slots=True)
class _Static:
    """Marks a value that cannot be an operand of a variadic operation."""

    value: Any


def _popped(stack: list[Any], count: int) -> tuple[Any, ...]:
    if not count:
        return ()
    items = tuple(stack[-count:])
    del stack[-count:]
    return items


def _static(value: Any) -> Any:
    """A static argument in Python's terms."""
    if isinstance(value, _Static):
        value = value.value
    if isinstance(value, Integer):
        return int(value)
    if isinstance(value, tuple):
        return tuple(_static(v) for v in value)
    if isinstance(value, Symbol):
        raise ParseError(f"{value} is computed, but a number that is known now is needed here")
    return value


def _bound(value: Any) -> Any:
    value = _static(value)
    if not isinstance(value, (int, Dim)) or isinstance(value, bool):
        raise ParseError(f"an index is a whole number, not {value}", hint="x[0], x[:, 1:3], or an int array")
    return value


def _draw(function: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Draw:
    if named or len(arguments) != DISTRIBUTIONS[function]:
        hint = {"uniform": "uniform(low, high)", "normal": "normal(mean, deviation)"}[function]
        raise ParseError(f"{function} takes {DISTRIBUTIONS[function]} numbers", hint=hint)
    return Draw(function, arguments)


def near(name: str, known: Any) -> str | None:
    close = difflib.get_close_matches(name, [str(k) for k in list(known)[:2000]], 1) if len(name) < 60 else []
    return f"did you mean {close[0]}?" if close else None


def _function_hint(source: Source, name: str, position: int) -> str:
    after = source.text[position + len(name) : position + len(name) + 12].lstrip()
    if after.replace("**", "^").startswith(("^-1", "^(-1)", "⁻¹")):
        inverse = f"a{name}" if f"a{name}" in CALLS else None
        return f"the inverse function is {inverse}(x), the reciprocal 1/{name}(x)" if inverse else f"write 1/{name}(x)"
    if after.startswith(("^", "**", "²", "³")):
        return f"write {name}(x)^2"
    return f"write {name}(x)"
