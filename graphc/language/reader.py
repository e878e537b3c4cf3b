"""Statements to a graph.

In: a program's text.  Out: `Graph`.
Always holds: time linear in the text; a name means one thing; what a statement says is checked where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sympy import Basic, Integer, Rational, Symbol

from graphc.errors import ParseError, ShapeError
from graphc.graph.builder import Builder
from graphc.graph.graph import Data, Graph, Initial, Optimizer, focus
from graphc.graph.types import MOST_AXES, Dim, Type, shape_text, size_named
from graphc.language.expression import Code
from graphc.language.machine import DISTRIBUTIONS, LITERALS, Draw, Frame, Machine, near
from graphc.language.macros import prelude
from graphc.language.parser import Definition, Statement, parse_statements
from graphc.ops import INFIX, PREFIX, SIZE

TRAINING = ("batch", "epochs", "holdout", "seed")
LEAST = {"batch": 1, "epochs": 0, "seed": 0}  # of settings that count something


def parse(text: str) -> Graph:
    """Read a program.  Raises ParseError or ShapeError, with line, column and hint."""
    return Reader(text).graph()


class Reader(Machine):
    """Reads one program; `builder` and `macros` may carry on from an earlier one."""

    def __init__(self, text: str, builder: Builder | None = None) -> None:
        statements, source = parse_statements(text)
        super().__init__(source, builder or Builder())
        self.statements = tuple(statements)
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
        self.declared = any(s.kind in ("input", "param", "state") for s in statements)
        self.builder.reserve(_all_names(self.statements))

    def graph(self) -> Graph:
        """The program's graph."""
        if not self.statements:
            raise ParseError(
                "there is no program in this text", hint="an expression is one: cos(x^2)", line=1, column=1
            )
        self.run(Frame(self.statements, self.source, self.env))
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
            hint = near(name, self.env) or f"{name} = ... defines it"
            raise self.source.error(position, f"output {name} is not in the program", hint)
        return self._symbol(value)

    def _symbol(self, value: Any) -> Symbol:
        atom = self.atom(value)
        if isinstance(atom, Symbol):
            return atom
        return self.builder.bind(self.builder.fresh(), atom)

    # --- statements --------------------------------------------------------------------------------------------

    def _do_assign(self, frame: Frame, s: Statement) -> None:
        _free_name(s.name)
        if s.name in frame.env and not frame.macro:
            what = "a declaration" if frame.env[s.name] in (*self.inputs, *self.params, *self.states) else "an equation"
            raise ParseError(
                f"{s.name} is defined twice: it is {what} already",
                hint=f"give it another name, or write {s.name}' = for the next value",
            )
        if s.name in self.sizes and not frame.macro:
            raise ParseError(f"{s.name} is a size already", hint="give the equation another name")
        self.evaluate(frame, s.code, lambda f, v: self._assigned(f, s, v), None if frame.macro else s.name)

    def _assigned(self, frame: Frame, s: Statement, value: Any) -> None:
        if frame.macro:
            frame.env[s.name] = value
            return
        if isinstance(value, tuple) or value is None or isinstance(value, (bool, str, Draw)):
            self.atom(value)
        atom = self.atom(value) if not isinstance(value, Dim) else SIZE(self.builder, value, s.name)
        if not (isinstance(atom, Symbol) and atom.name == s.name):
            atom = self.builder.bind(s.name, atom)
        frame.env[s.name] = self.last = atom

    def _do_expression(self, frame: Frame, s: Statement) -> None:
        def then(f: Frame, value: Any) -> None:
            self.last = self._symbol(value)

        self.evaluate(frame, s.code, then)

    def _do_return(self, frame: Frame, s: Statement) -> None:
        if not frame.macro:
            raise ParseError("return outside of a def", hint="output y names a result")

        def then(f: Frame, value: Any) -> None:
            f.env["return "] = value
            f.at = len(f.statements)

        self.evaluate(frame, s.code, then, frame.target)

    def _do_prime(self, frame: Frame, s: Statement) -> None:
        owner = frame.env.get(s.name)
        if not isinstance(owner, Symbol) or owner not in (*self.params, *self.states):
            raise ParseError(
                f"{s.name} is no parameter or state: only those have a next value",
                hint=near(s.name, [p.name for p in (*self.params, *self.states)]) or f"param {s.name} = 0",
            )
        if owner in self.updates:
            raise ParseError(f"{s.name}' is defined twice")

        def then(f: Frame, value: Any) -> None:
            atom = self.atom(value)
            self._position = s.position
            have, want = self.builder.type_of(atom).shape, self.builder.type_of(owner).shape
            if have != want and have != ():
                raise ShapeError(f"{s.name}' has shape {shape_text(have)}, {s.name} has {shape_text(want)}")
            self.updates[owner] = atom

        self.evaluate(frame, s.code, then)

    def _do_output(self, frame: Frame, s: Statement) -> None:
        self.outputs += [(name, s.position) for name in s.data]

    def _do_metric(self, frame: Frame, s: Statement) -> None:
        symbol, self._position = frame.env[s.name], s.position
        if s.name == "loss" or s.name.startswith("validation_"):
            raise ParseError(f"{s.name} is a name that the history uses itself", hint="give the metric another name")
        if self.builder.type_of(symbol).shape != ():
            raise ShapeError(f"metric {s.name} is an array", hint="mean(...) makes a number of it")
        self.metrics.append(symbol)
        self.last = self.objective

    def _do_minimize(self, frame: Frame, s: Statement) -> None:
        if self.objective is not None:
            raise ParseError("minimize is said twice", hint="add the two: minimize J1 + J2")

        def then(f: Frame, value: Any) -> None:
            objective = self._symbol(value)
            if self.builder.type_of(objective).shape != ():
                raise ShapeError(f"{objective} is an array; only a number is minimised", hint="minimize mean(...)")
            self.objective = objective
            if s.data is not None:
                self.optimizer = self._optimizer(*s.data)

        self.evaluate(frame, s.code, then)

    def _optimizer(self, name: str, arguments: list[tuple[str, Code]], position: int) -> Optimizer:
        self._position = position
        definition = self.macros.own.get(name)
        values = tuple((key, self._number(self.constant(code, self.source, key), key)) for key, code in arguments)
        return checked_optimizer(name, values, definition)

    def _number(self, value: Any, what: str) -> Any:
        if not isinstance(value, Basic) or not value.is_number:
            raise ParseError(f"{what} is not a number")
        return value

    def _do_def(self, frame: Frame, s: Statement) -> None:
        if s.name in frame.env:
            raise ParseError(f"{s.name} is defined twice")
        self.macros.define(s.data)
        self._returned.clear()

    def _do_data(self, frame: Frame, s: Statement) -> None:
        file, columns = s.data
        self.data = Data(file, columns)

    def _do_train(self, frame: Frame, s: Statement) -> None:
        for key, code in s.data:
            if key not in TRAINING:
                raise ParseError(
                    f"train has no {key}", hint=near(key, TRAINING) or f"train takes {', '.join(TRAINING)}"
                )
            value = self._number(self.constant(code, frame.source, key), key)
            least = LEAST.get(key)
            if (value < 0 or value >= 1) if least is None else (not value.is_Integer or value < least):
                what = "a share from 0 to below 1" if least is None else f"a whole number from {least} on"
                raise ParseError(f"{key} is {what}, not {value}", hint="train batch=32, epochs=30, holdout=0.2")
            self.training.append((key, value))

    # --- declarations ------------------------------------------------------------------------------------------

    def _do_input(self, frame: Frame, s: Statement) -> None:
        if frame.macro:
            raise ParseError("an input inside a def", hint="pass it as an argument")
        self._declare(frame, s, self.inputs)

    def _do_param(self, frame: Frame, s: Statement) -> None:
        self._declare(frame, s, self.params)

    def _do_state(self, frame: Frame, s: Statement) -> None:
        self._declare(frame, s, self.states)

    def _declare(self, frame: Frame, s: Statement, into: list[Symbol]) -> None:
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

    def _dimension(self, frame: Frame, code: Code, kind: str) -> Any:
        if len(code) == 1 and code[0][0] == "name" and code[0][1] not in frame.env:
            self._position = code[0][2]
            name = code[0][1]
            if kind != "input" and name not in self.sizes:
                raise ParseError(
                    f"{name} is no size that an input has", hint=near(name, self.sizes) or "give the size a number"
                )
            self.sizes.setdefault(name)
            return size_named(name)
        for what, name, position in code:
            if what == "name" and name not in frame.env and name not in self.sizes and not frame.macro:
                self._position = position
                raise ParseError(
                    f"the size {name} is not known yet",
                    hint=near(name, self.sizes) or f"an input before has it by itself: input a[{name}]",
                )
        frame_copy = Frame((), frame.source, frame.env, macro=frame.macro)
        result: list[Any] = []
        self.evaluate(frame_copy, code, lambda f, v: result.append(v))
        self.run(frame_copy)
        value = result[0]
        if isinstance(value, Integer) and int(value) > 0:
            return int(value)
        if isinstance(value, Dim):
            return value
        shown = value if isinstance(value, Basic) else "that"
        raise ShapeError(f"a size is a positive whole number, not {shown}", hint="input x[n, 784]: n may be any size")

    def _initial(self, frame: Frame, s: Statement, shape: tuple[Any, ...]) -> Initial:
        """The initial value, as a program of its own without inputs."""
        builder = Builder()
        inner = Reader("", builder)
        inner.macros, inner.sizes, inner.declared = self.macros, self.sizes, True
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
        takes_shape = called is not None and _wants_shape(self.macros.get(called))
        if s.data.get("random") and called is not None and not takes_shape and called not in self.macros.own:
            self._position = code[-1][2]
            self._check_distribution(called)
        if takes_shape and s.data.get("random"):
            _, (function, positional, names), position = code[-1]
            code = [("name", "shape", position), *code[:-1], ("call", (function, positional + 1, names), position)]
        inner_frame = Frame((), frame.source, env, macro=frame.macro or "an initial value")
        result: list[Any] = []
        inner.evaluate(inner_frame, code, lambda f, v: result.append(v))
        inner.run(inner_frame)
        value, self._position = result[0], s.position
        if s.data.get("random") and not isinstance(value, Draw):
            raise ParseError(
                f"{s.name} ~ needs a distribution", hint="param W[3] ~ normal(0, 1), or W[3] = 0 for a number"
            )
        if not s.data.get("random"):
            value = Draw("constant", (inner.atom(value),))
        atoms = tuple(inner.atom(a) for a in value.arguments)
        symbols = tuple(a if isinstance(a, Symbol) else builder.bind(builder.fresh(), a) for a in atoms)
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

    def _check_distribution(self, name: str) -> None:
        known = [*DISTRIBUTIONS, *(n for n, d in {**prelude(), **self.macros.own}.items() if _wants_shape(d))]
        if name not in DISTRIBUTIONS:
            raise ParseError(
                f"{name} is no distribution", hint=near(name, known) or f"there are {', '.join(sorted(known))}"
            )

    def _initial_spelling(self, s: Statement, called: str | None, values: Graph, distribution: str) -> str:
        from graphc.language.writer import inline_text, number_text

        plain = s.code if len(s.code) > 1 or s.code[0][0] != "name" else []
        literal = all(what == "number" for what, _, _ in plain[:-1])
        if called in prelude() and called not in self.macros.own and literal:
            _, (function, positional, names), _ = plain[-1] if plain else ("", (called, 0, ()), 0)
            texts = [number_text(c[1]) for c in plain[:-1]]
            shown = texts[:positional] + [f"{k}={t}" for k, t in zip(names, texts[positional:], strict=True)]
            return f"~ {function}" + (f"({', '.join(shown)})" if shown else "")
        texts = [inline_text(values, output) for output in values.outputs]
        return f"= {texts[0]}" if distribution == "constant" else f"~ {distribution}({', '.join(texts)})"


def checked_optimizer(
    name: str, arguments: tuple[tuple[str, Any], ...], definition: Definition | None = None
) -> Optimizer:
    """An optimizer by name; ParseError where there is none or an argument is not its."""
    known = definition or prelude().get(name)
    if known is None or [p for p, _ in known.parameters[:2]] != ["w", "g"]:
        names = [n for n, d in prelude().items() if [p for p, _ in d.parameters[:2]] == ["w", "g"]]
        raise ParseError(f"there is no optimizer {name}", hint=near(name, names) or f"there are {', '.join(names)}")
    takes = [p for p, _ in known.parameters[2:]]
    for key, _ in arguments:
        if key not in takes:
            raise ParseError(f"{name} has no argument {key}", hint=near(key, takes) or f"it has {', '.join(takes)}")
    return Optimizer(name, arguments, definition.source if definition else None)


def _free_name(name: str) -> None:
    """Names that mean a value or an operator everywhere are nobody's."""
    if name in LITERALS or name in INFIX or name in PREFIX or name == "return":
        raise ParseError(f"{name} is a word of the language", hint="choose another name")


def _all_names(statements: tuple[Statement, ...]) -> Iterator[str]:
    for s in statements:
        if s.name:
            yield s.name
        for code in (s.code, *(s.dims or ())):
            for what, argument, _ in code:
                if what == "name" and "." not in argument:
                    yield argument


def _wants_shape(definition: Definition | None) -> bool:
    return definition is not None and bool(definition.parameters) and definition.parameters[0][0] == "shape"
