"""Statements to a graph.

In: a program's text.  Out: `Graph`.
Always holds: no recursion (a stack machine over postfix code, with a frame a macro call), time linear in the text;
nothing of the text is ever executed; every error has a place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from sympy import Basic, Integer, Rational, S, Symbol

from graphc.errors import GraphcError, ParseError, ShapeError
from graphc.graph.builder import MOST_AXES, Builder
from graphc.graph.graph import Data, Graph, Initial, Optimizer, Origin, focus
from graphc.graph.operation import Operation
from graphc.graph.types import Dim, Type, shape_text, size_named
from graphc.language.lexer import Source
from graphc.language.parser import Code, Definition, Statement, parse_statements
from graphc.ops import ABSOLUTE, ARRAY, CALLS, GATHER, INFIX, PREFIX, SIZE, SUBSCRIPT, TRANSPOSE

CONSTANTS: dict[str, Any] = {"pi": S.Pi, "e": S.Exp1, "inf": S.Infinity}
ESCAPE = "math."  # before a function or constant whose name the program has given to something else: math.sum(x)
_LITERALS: dict[str, Any] = {"none": None, "None": None, "true": True, "True": True, "false": False, "False": False}
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "omicron",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
    ]
)
DISTRIBUTIONS = {"uniform": 2, "normal": 2}
TRAINING = ("batch", "epochs", "holdout", "seed")


@dataclass(frozen=True)
class Draw:
    """A value drawn from a distribution; only `~` takes one."""

    distribution: str
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class _Frame:
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


@cache
def prelude() -> dict[str, Definition]:
    """The macros of the prelude, by name."""
    definitions: dict[str, Definition] = {}
    for file in sorted(resources.files("graphc.prelude").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".gc"):
            statements, _ = parse_statements(file.read_text("utf-8"))
            definitions.update({s.name: s.data for s in statements})
    return definitions


def parse(text: str) -> Graph:
    """Read a program.  Raises ParseError or ShapeError, with line, column and hint."""
    return Reader(text).graph()


class Reader:
    """Reads one program; `builder` and `definitions` may carry on from an earlier one."""

    def __init__(self, text: str, builder: Builder | None = None) -> None:
        statements, self.source = parse_statements(text)
        self.builder = builder or Builder()
        self.statements = tuple(statements)
        self.definitions: dict[str, Definition] = {}
        self.sizes: dict[str, None] = {}
        self.inputs: list[Symbol] = []
        self.params: list[Symbol] = []
        self.states: list[Symbol] = []
        self.initial: dict[Symbol, Initial] = {}
        self.updates: dict[Symbol, Basic] = {}
        self.metrics: list[Symbol] = []
        self.outputs: list[tuple[str, int]] = []
        self.objective: Symbol | None = None
        self.optimizer: Optimizer | None = None
        self.data: Data | None = None
        self.training: list[tuple[str, Any]] = []
        self.last: Any = None
        self.env: dict[str, Any] = {}
        self.declared = any(s.kind in ("input", "param", "state") for s in statements)
        self.builder.reserve(_all_names(self.statements))
        self._source, self._position = self.source, 0

    def graph(self) -> Graph:
        """The program's graph."""
        if not self.statements:
            raise ParseError(
                "there is no program in this text", hint="an expression is one: cos(x^2)", line=1, column=1
            )
        self.run(_Frame(self.statements, self.source, self.env))
        outputs = self._outputs()
        return Graph(
            inputs=tuple(self.inputs),
            params=tuple(self.params),
            equations=tuple(self.builder.equations),
            outputs=outputs,
            types=dict(self.builder.types),
            initial=self.initial,
            states=tuple(self.states),
            updates=tuple(self.updates.items()),
            objective=self.objective,
            optimizer=self.optimizer,
            metrics=tuple(self.metrics),
            sizes=tuple(self.sizes),
            data=self.data,
            training=tuple(self.training),
            declared=self.declared,
        )

    def _outputs(self) -> tuple[Symbol, ...]:
        if self.outputs:
            return tuple(self._named_output(name, position) for name, position in self.outputs)
        if self.objective is not None:
            return (self.objective,)
        if self.last is None:
            raise ParseError("the program computes nothing", hint="end it with an equation: J = ...", line=1, column=1)
        return (self._symbol(self.last),)

    def _named_output(self, name: str, position: int) -> Symbol:
        value = self.env.get(name)
        if not isinstance(value, (Basic, Dim)):
            hint = _near(name, self.env) or f"{name} = ... defines it"
            raise self.source.error(position, f"output {name} is not in the program", hint)
        return self._symbol(value)

    def _symbol(self, value: Any) -> Symbol:
        atom = self._atom(value)
        if isinstance(atom, Symbol):
            return atom
        return self.builder.bind(self.builder.fresh(), atom)

    # --- the machine -------------------------------------------------------------------------------------------

    def run(self, frame: _Frame) -> Any:
        """Run statements until the outermost frame is done; what it returned."""
        frames, result = [frame], None
        while frames:
            frame = frames[-1]
            try:
                if frame.pc < len(frame.code):
                    called = self._step(frame, len(frames))
                    if called is not None:
                        frames.append(called)
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
                span = frame.source.span(self._position)
                if frame.macro and frames[0] is not frame:
                    outer = frames[0]
                    span = outer.source.span(outer.code[outer.pc - 1][2] if outer.code else self._position)
                    if error.line is None:
                        error.message += f" (inside {frame.macro})"
                raise error.located(span.line, span.column, span.source_line) from None
            frames.pop()
            result = frame.env.get("return ")
            if frames:
                frames[-1].stack.append(result)
        return result

    def _begin(self, frame: _Frame, statement: Statement) -> None:
        self._position = statement.position
        self.builder.origin = Origin("text", (), frame.source.span(statement.position))
        getattr(self, f"_do_{statement.kind}")(frame, statement)
        if frame.code:
            layers = sum(1 for what, argument, _ in frame.code if what == "call" and self._is_layer(argument[0]))
            frame.several, frame.call = layers > 1, 0

    def _evaluate(self, frame: _Frame, code: Code, then: Any, name: str | None = None) -> None:
        frame.code, frame.pc, frame.then, frame.name = code, 0, then, name

    def _step(self, frame: _Frame, depth: int) -> _Frame | None:
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
            return self._call(frame, argument, name, depth)
        elif what == "attribute":
            stack.append(self._attribute(argument, stack.pop(), name))
        elif what == "tuple":
            stack.append(_popped(stack, argument))
        elif what == "array":
            items = _popped(stack, argument)
            stack.append(self.apply(ARRAY, tuple(self._atom(i) for i in items), (0,), name))
        elif what == "fence":
            stack.append(self.apply(ABSOLUTE, (self._atom(stack.pop()),), (), name))
        else:
            stack.append(self._index(argument, stack, name))
        return None

    def apply(
        self, operation: Operation, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None
    ) -> Any:
        return self.builder.apply(operation, operands, statics, name)

    def _atom(self, value: Any) -> Basic:
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

    def _lookup(self, frame: _Frame, name: str, position: int) -> Any:
        if name in frame.env:
            return frame.env[name]
        if name in self.sizes:
            return size_named(name)
        plain = name.removeprefix(ESCAPE)
        if plain in CONSTANTS:
            return CONSTANTS[plain]
        if plain in _LITERALS:
            return _LITERALS[plain]
        function = name in CALLS or name in self.definitions or name in prelude() or name in DISTRIBUTIONS
        if function and name not in _GREEK:
            raise ParseError(
                f"{name} is a function and needs ( after it", hint=_function_hint(frame.source, name, position)
            )
        if frame.macro:
            known = "a def knows its parameters and its own names"
            if frame.macro not in self.definitions and frame.macro not in prelude():
                known = "numbers, sizes and x.shape may be used"
            raise ParseError(f"{name} is not known inside {frame.macro}", hint=known)
        if self.declared or "." in name:
            raise ParseError(
                f"{name} is not declared",
                hint=_near(name, {**self.env, **self.sizes}) or f"input {name}, or param {name} = 0",
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
        return self.apply(INFIX[sign], (self._atom(a), self._atom(b)), (), name)

    def _prefix(self, sign: str, a: Any, name: str | None) -> Any:
        if isinstance(a, Dim) and sign == "-":
            return -a
        return self.apply(PREFIX[sign], (self._atom(a),), (), name)

    def _attribute(self, what: str, value: Any, name: str | None) -> Any:
        atom = self._atom(value)
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
        for parts in slices:
            if parts is None:
                value = values.pop(0)
                if isinstance(value, Symbol) and value not in (S.Pi, S.Exp1):
                    gathers.append((len(bounds), value))
                    bounds.append(("slice", None, None, None))
                else:
                    bounds.append("..." if value == "..." else _bound(value))
            else:
                bounds.append(("slice", *(_bound(values.pop(0)) if given else None for given in parts)))
        atom = self._atom(base)
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

    def _tuple_item(self, base: tuple[Any, ...], slices: tuple[Any, ...], values: list[Any]) -> Any:
        place = values[0] if slices == (None,) else None
        if not isinstance(place, Integer) or not -len(base) <= int(place) < len(base):
            raise ShapeError(f"a shape of {len(base)} sizes has no such element", hint="x.shape[0], x.shape[-1]")
        return base[int(place)]

    # --- calls -------------------------------------------------------------------------------------------------

    def _call(
        self, frame: _Frame, argument: tuple[str, int, tuple[str, ...]], name: str | None, depth: int
    ) -> _Frame | None:
        function, positional, names = argument
        if function not in frame.env:
            function = function.removeprefix(ESCAPE)
        named = dict(zip(names, _popped(frame.stack, len(names)), strict=True))
        arguments = _popped(frame.stack, positional)
        shadowed = function == argument[0] and (function in frame.env or function in self.sizes)
        if shadowed or (not frame.macro and function in CONSTANTS):
            raise ParseError(f"{function} is no function", hint=f"for a product write {function}*(...)")
        definition = self.definitions.get(function)
        if definition is None and function in CALLS:
            frame.stack.append(self._operation(function, arguments, named, name))
            return None
        if definition is None and function in DISTRIBUTIONS:
            frame.stack.append(_draw(function, arguments, named))
            return None
        definition = definition or prelude().get(function)
        if definition is None:
            known = [*CALLS, *self.definitions, *prelude()]
            hint = _near(function, known) or f"for a product write {function}*(...)"
            raise ParseError(f"there is no function {function}", hint=hint)
        if depth > 200:
            raise ParseError(f"{function} calls itself without end")
        return self._enter(frame, definition, arguments, named, name)

    def _operation(self, function: str, arguments: tuple[Any, ...], named: dict[str, Any], name: str | None) -> Any:
        choices = CALLS[function]
        operation = next((o for o in choices if o.accepts(len(arguments))), choices[0])
        if len(choices) > 1 and named and len(arguments) == 1:
            operation = next(o for o in choices if not o.associative)
        if operation.associative and len(arguments) > 2 and not named:
            first = self.apply(operation, (self._atom(arguments[0]), self._atom(arguments[1])), (), None)
            for k, extra in enumerate(arguments[2:], 3):
                first = self.apply(operation, (first, self._atom(extra)), (), name if k == len(arguments) else None)
            return first
        call = operation.bind(tuple(a if isinstance(a, (Basic, str)) else _Static(a) for a in arguments), named)
        operands = tuple(self._atom(a.value if isinstance(a, _Static) else a) for a in call.operands)
        return self.apply(operation, operands, tuple(_static(s) for s in call.statics), name)

    def _enter(
        self, frame: _Frame, definition: Definition, arguments: tuple[Any, ...], named: dict[str, Any], name: str | None
    ) -> _Frame:
        env, left, given = {}, list(arguments), dict(named)
        for parameter, default in definition.parameters:
            if left:
                if parameter in given:
                    raise ParseError(f"{definition.name} got its argument {parameter} twice", hint=_usage(definition))
                env[parameter] = left.pop(0)
            elif parameter in given:
                env[parameter] = given.pop(parameter)
            elif default is not None:
                env[parameter] = self.constant(default, definition.origin)
            else:
                raise ParseError(f"{definition.name} needs its argument {parameter}", hint=_usage(definition))
        if left or given:
            extra = f"no argument {next(iter(given))}" if given else f"fewer arguments than {len(arguments)}"
            raise ParseError(f"{definition.name} takes {extra}", hint=_usage(definition))
        prefix = frame.prefix
        if self._is_layer(definition.name):
            frame.call += 1
            statement = frame.statements[frame.at - 1]
            own = statement.name if statement.kind == "assign" else ""
            parts = [frame.prefix, own, str(frame.call) if frame.several or not (own or frame.prefix) else ""]
            prefix = ".".join(p for p in parts if p)
        if prefix and prefix[0].isdigit():
            prefix = f"{definition.name}.{prefix}"
        return _Frame(definition.body, definition.origin, env, prefix, name, definition.name)

    def constant(self, code: Code, source: Source, what: str = "a default value") -> Any:
        """Value of code that uses no names of the program: a default, a number."""
        position = self._position
        frame = _Frame((), source, {}, macro=what)
        self._evaluate(frame, code, lambda f, v: f.env.__setitem__("return ", v))
        value = self.run(frame)
        self._position = position
        return value

    def _is_layer(self, name: str) -> bool:
        """True for a macro that declares parameters, itself or through the macros it calls."""
        seen, todo = set(), [name]
        while todo:
            current = todo.pop()
            definition = self.definitions.get(current) or (None if current in CALLS else prelude().get(current))
            if current in seen or definition is None:
                continue
            seen.add(current)
            if any(s.kind in ("param", "state") for s in definition.body):
                return True
            todo += [argument[0] for s in definition.body for what, argument, _ in s.code if what == "call"]
        return False

    # --- statements --------------------------------------------------------------------------------------------

    def _do_assign(self, frame: _Frame, s: Statement) -> None:
        _free_name(s.name)
        if s.name in frame.env and not frame.macro:
            what = "a declaration" if frame.env[s.name] in (*self.inputs, *self.params, *self.states) else "an equation"
            raise ParseError(
                f"{s.name} is defined twice: it is {what} already",
                hint=f"give it another name, or write {s.name}' = for the next value",
            )
        if s.name in self.sizes and not frame.macro:
            raise ParseError(f"{s.name} is a size already", hint="give the equation another name")
        self._evaluate(frame, s.code, lambda f, v: self._assigned(f, s, v), None if frame.macro else s.name)

    def _assigned(self, frame: _Frame, s: Statement, value: Any) -> None:
        if frame.macro:
            frame.env[s.name] = value
            return
        if isinstance(value, tuple) or value is None or isinstance(value, (bool, str, Draw)):
            self._atom(value)
        atom = self._atom(value) if not isinstance(value, Dim) else SIZE(self.builder, value, s.name)
        if not (isinstance(atom, Symbol) and atom.name == s.name):
            atom = self.builder.bind(s.name, atom)
        frame.env[s.name] = self.last = atom

    def _do_expression(self, frame: _Frame, s: Statement) -> None:
        def then(f: _Frame, value: Any) -> None:
            self.last = self._symbol(value)

        self._evaluate(frame, s.code, then)

    def _do_return(self, frame: _Frame, s: Statement) -> None:
        if not frame.macro:
            raise ParseError("return outside of a def", hint="output y names a result")

        def then(f: _Frame, value: Any) -> None:
            f.env["return "] = value
            f.at = len(f.statements)

        self._evaluate(frame, s.code, then, frame.target)

    def _do_prime(self, frame: _Frame, s: Statement) -> None:
        owner = frame.env.get(s.name)
        if not isinstance(owner, Symbol) or owner not in (*self.params, *self.states):
            raise ParseError(
                f"{s.name} is no parameter or state: only those have a next value",
                hint=_near(s.name, [p.name for p in (*self.params, *self.states)]) or f"param {s.name} = 0",
            )
        if owner in self.updates:
            raise ParseError(f"{s.name}' is defined twice")

        def then(f: _Frame, value: Any) -> None:
            atom = self._atom(value)
            self._position = s.position
            have, want = self.builder.type_of(atom).shape, self.builder.type_of(owner).shape
            if have != want and have != ():
                raise ShapeError(f"{s.name}' has shape {shape_text(have)}, {s.name} has {shape_text(want)}")
            self.updates[owner] = atom

        self._evaluate(frame, s.code, then)

    def _do_output(self, frame: _Frame, s: Statement) -> None:
        self.outputs += [(name, s.position) for name in s.data]

    def _do_metric(self, frame: _Frame, s: Statement) -> None:
        symbol, self._position = frame.env[s.name], s.position
        if self.builder.type_of(symbol).shape != ():
            raise ShapeError(f"metric {s.name} is an array", hint="mean(...) makes a number of it")
        self.metrics.append(symbol)
        self.last = self.objective

    def _do_minimize(self, frame: _Frame, s: Statement) -> None:
        if self.objective is not None:
            raise ParseError("minimize is said twice", hint="add the two: minimize J1 + J2")

        def then(f: _Frame, value: Any) -> None:
            objective = self._symbol(value)
            if self.builder.type_of(objective).shape != ():
                raise ShapeError(f"{objective} is an array; only a number is minimised", hint="minimize mean(...)")
            self.objective = objective
            if s.data is not None:
                self.optimizer = self._optimizer(*s.data)

        self._evaluate(frame, s.code, then)

    def _optimizer(self, name: str, arguments: list[tuple[str, Code]], position: int) -> Optimizer:
        self._position = position
        definition = self.definitions.get(name)
        values = tuple((key, self._number(self.constant(code, self.source, key), key)) for key, code in arguments)
        return checked_optimizer(name, values, definition)

    def _number(self, value: Any, what: str) -> Any:
        if not isinstance(value, Basic) or not value.is_number:
            raise ParseError(f"{what} is not a number")
        return value

    def _do_def(self, frame: _Frame, s: Statement) -> None:
        if s.name in frame.env:
            raise ParseError(f"{s.name} is defined twice")
        self.definitions[s.name] = s.data

    def _do_data(self, frame: _Frame, s: Statement) -> None:
        file, columns = s.data
        self.data = Data(file, columns)

    def _do_train(self, frame: _Frame, s: Statement) -> None:
        for key, code in s.data:
            if key not in TRAINING:
                raise ParseError(
                    f"train has no {key}", hint=_near(key, TRAINING) or f"train takes {', '.join(TRAINING)}"
                )
            self.training.append((key, self._number(self.constant(code, frame.source, key), key)))

    # --- declarations ------------------------------------------------------------------------------------------

    def _do_input(self, frame: _Frame, s: Statement) -> None:
        if frame.macro:
            raise ParseError("an input inside a def", hint="pass it as an argument")
        self._declare(frame, s, self.inputs)

    def _do_param(self, frame: _Frame, s: Statement) -> None:
        self._declare(frame, s, self.params)

    def _do_state(self, frame: _Frame, s: Statement) -> None:
        self._declare(frame, s, self.states)

    def _declare(self, frame: _Frame, s: Statement, into: list[Symbol]) -> None:
        _free_name(s.name)
        if s.name in frame.env:
            raise ParseError(f"{s.name} is declared twice")
        if s.data["like"] is not None:
            like = self._lookup(frame, s.data["like"], s.position)
            if not isinstance(like, Symbol) or like not in self.builder.types:
                raise ParseError(f"{s.data['like']} has no shape", hint="state m like W = 0, W being a parameter")
            shape = self.builder.type_of(like).shape
        else:
            shape = tuple(self._dimension(frame, code, s.kind) for code in s.dims or ())
            self._position = s.position
            if s.name in self.sizes and not frame.macro:
                raise ParseError(f"{s.name} is the name of a size", hint="give one of the two another name")
        if len(shape) > MOST_AXES:
            raise ShapeError(f"{s.name} has {len(shape)} axes; {MOST_AXES} is the most")
        name = f"{frame.prefix}.{s.name}" if frame.prefix else s.name
        symbol = self.builder.declare(
            self.builder.fresh(name) if frame.macro else name, Type(shape, s.data.get("kind", "real"))
        )
        frame.env[s.name] = symbol
        if frame.macro:
            self.env[symbol.name] = symbol
        into.append(symbol)
        if s.code:
            self.initial[symbol] = self._initial(frame, s, shape)
        elif s.kind == "state":
            raise ParseError(f"state {s.name} has no first value", hint=f"state {s.name} = 0")

    def _dimension(self, frame: _Frame, code: Code, kind: str) -> Any:
        if len(code) == 1 and code[0][0] == "name" and code[0][1] not in frame.env:
            self._position = code[0][2]
            name = code[0][1]
            if kind != "input" and name not in self.sizes:
                raise ParseError(
                    f"{name} is no size that an input has", hint=_near(name, self.sizes) or "give the size a number"
                )
            self.sizes.setdefault(name)
            return size_named(name)
        frame_copy = _Frame((), frame.source, frame.env, macro=frame.macro)
        result: list[Any] = []
        self._evaluate(frame_copy, code, lambda f, v: result.append(v))
        self.run(frame_copy)
        value = result[0]
        if isinstance(value, Integer) and int(value) > 0:
            return int(value)
        if isinstance(value, Dim):
            return value
        shown = value if isinstance(value, Basic) else "that"
        raise ShapeError(f"a size is a positive whole number, not {shown}", hint="input x[n, 784]: n may be any size")

    def _initial(self, frame: _Frame, s: Statement, shape: tuple[Any, ...]) -> Initial:
        """The initial value, as a program of its own without inputs."""
        builder = Builder()
        inner = object.__new__(Reader)
        inner.__dict__.update(self.__dict__)
        inner.builder, inner.inputs, inner.declared = builder, [], True
        env: dict[str, Any] = {"shape": tuple(Integer(d) if isinstance(d, int) else d for d in shape)}
        for key in {argument for what, argument, _ in s.code if what == "name"} & frame.env.keys():
            known = frame.env[key]
            if isinstance(known, Symbol) and known in self.builder.types:
                env[key] = builder.declare(known.name, self.builder.types[known])
            elif isinstance(known, (Dim, tuple, Integer, Rational)):
                env[key] = known
        code, called = s.code, s.code[-1][1][0] if s.code[-1][0] == "call" else None
        if s.data.get("random") and len(code) == 1 and code[0][0] == "name":
            code, called = [("call", (code[0][1], 0, ()), code[0][2])], code[0][1]
        takes_shape = called is not None and _wants_shape(self.definitions.get(called) or prelude().get(called))
        if takes_shape and s.data.get("random"):
            _, (function, positional, names), position = code[-1]
            code = [("name", "shape", position), *code[:-1], ("call", (function, positional + 1, names), position)]
        inner_frame = _Frame((), frame.source, env, macro=frame.macro or "an initial value")
        result: list[Any] = []
        inner._evaluate(inner_frame, code, lambda f, v: result.append(v))
        inner.run(inner_frame)
        value, self._position = result[0], s.position
        if s.data.get("random") and not isinstance(value, Draw):
            raise ParseError(
                f"{s.name} ~ needs a distribution", hint="param W[3] ~ normal(0, 1), or W[3] = 0 for a number"
            )
        if not s.data.get("random"):
            value = Draw("constant", (inner._atom(value),))
        atoms = tuple(inner._atom(a) for a in value.arguments)
        symbols = tuple(inner._symbol(a) for a in atoms)
        if value.distribution == "constant" and builder.type_of(symbols[0]).shape not in ((), shape):
            raise ShapeError(
                f"the initial value of {s.name} has shape {shape_text(builder.type_of(symbols[0]).shape)}, "
                f"{s.name} has {shape_text(shape)}",
                hint="a number is the value of every element",
            )
        whole = Graph((), (), tuple(builder.equations), symbols, dict(builder.types), sizes=tuple(self.sizes))
        values = focus(whole, symbols)
        if set(values.types) - {e.target for e in values.equations}:
            raise ParseError(
                f"the initial value of {s.name} depends on other values", hint="numbers, sizes and x.shape may be used"
            )
        return Initial(value.distribution, values, self._initial_spelling(s, called, values, value.distribution))

    def _initial_spelling(self, s: Statement, called: str | None, values: Graph, distribution: str) -> str:
        from graphc.language.writer import inline_text, number_text

        plain = s.code if len(s.code) > 1 or s.code[0][0] != "name" else []
        literal = all(what == "number" for what, _, _ in plain[:-1])
        if called in prelude() and called not in self.definitions and literal:
            _, (function, positional, names), _ = plain[-1] if plain else ("", (called, 0, ()), 0)
            texts = [number_text(c[1]) for c in plain[:-1]]
            shown = texts[:positional] + [f"{k}={t}" for k, t in zip(names, texts[positional:], strict=True)]
            return f"~ {function}" + (f"({', '.join(shown)})" if shown else "")
        texts = [inline_text(values, output) for output in values.outputs]
        return f"= {texts[0]}" if distribution == "constant" else f"~ {distribution}({', '.join(texts)})"


@dataclass(frozen=True, slots=True)
class _Static:
    """Marks a value that cannot be an operand of a variadic operation."""

    value: Any


def checked_optimizer(
    name: str, arguments: tuple[tuple[str, Any], ...], definition: Definition | None = None
) -> Optimizer:
    """An optimizer by name; ParseError where there is none or an argument is not its."""
    known = definition or prelude().get(name)
    if known is None or [p for p, _ in known.parameters[:2]] != ["w", "g"]:
        names = [n for n, d in prelude().items() if [p for p, _ in d.parameters[:2]] == ["w", "g"]]
        raise ParseError(f"there is no optimizer {name}", hint=_near(name, names) or f"there are {', '.join(names)}")
    takes = [p for p, _ in known.parameters[2:]]
    for key, _ in arguments:
        if key not in takes:
            raise ParseError(f"{name} has no argument {key}", hint=_near(key, takes) or f"it has {', '.join(takes)}")
    return Optimizer(name, arguments, definition.source if definition else None)


def _free_name(name: str) -> None:
    """Names that mean a value or an operator everywhere are nobody's."""
    if name in _LITERALS or name in INFIX or name in PREFIX or name == "return":
        raise ParseError(f"{name} is a word of the language", hint="choose another name")


def _all_names(statements: tuple[Statement, ...]) -> Iterator[str]:
    for s in statements:
        if s.name:
            yield s.name
        for code in (s.code, *(s.dims or ())):
            for what, argument, _ in code:
                if what == "name" and "." not in argument:
                    yield argument


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


def _wants_shape(definition: Definition | None) -> bool:
    return definition is not None and bool(definition.parameters) and definition.parameters[0][0] == "shape"


def _usage(definition: Definition) -> str:
    return f"{definition.name}({', '.join(p if d is None else f'{p}=...' for p, d in definition.parameters)})"


def _near(name: str, known: Any) -> str | None:
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
