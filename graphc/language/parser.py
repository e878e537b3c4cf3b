"""Tokens to statements.

In: a program's text.  Out: a list of statements, their expressions as postfix code.
Always holds: linear time; names are not looked up here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphc.errors import ParseError
from graphc.language.expression import Code, ExpressionReader
from graphc.language.lexer import Source, Token, tokenize

KINDS = ("real", "int", "bool")
_KEYWORDS = {"input", "param", "state", "random", "output", "metric", "minimize", "train", "data", "def"}


@dataclass(frozen=True)
class Statement:
    """One statement.  `kind`: assign, prime, expression, input, param, state, output, minimize, def, return, data, train."""

    kind: str
    position: int
    name: str = ""
    code: Code = field(default_factory=list)
    dims: tuple[Code, ...] | None = None
    data: Any = None


@dataclass(frozen=True)
class Definition:
    """A macro: its parameters (with default code or None), its statements, and the text it was written in."""

    name: str
    parameters: tuple[tuple[str, Code | None], ...]
    body: tuple[Statement, ...]
    source: str
    origin: Source


class Parser:
    """One pass over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self.source = Source(text)
        self.tokens = tokenize(self.source)
        self.at = 0

    def error(self, token: Token, message: str, hint: str | None = None) -> ParseError:
        return self.source.error(token.start, message, hint)

    # --- statements --------------------------------------------------------------------------------------------

    def program(self) -> list[Statement]:
        """All statements of the text."""
        statements: list[Statement] = []
        while True:
            while self.tokens[self.at].kind == "newline":
                self.at += 1
            if self.tokens[self.at].kind == "end":
                return statements
            self._statement(statements)
            self._end_of_statement()

    def _end_of_statement(self) -> None:
        token = self.tokens[self.at]
        if token.kind not in ("newline", "end"):
            hint = None
            if token.kind in (")", "]"):
                hint = f"no bracket is open here; delete {token.text}"
            elif token.kind == "=":
                hint = "an equation is: name = expression; equality is =="
            elif self.at and self.tokens[self.at - 1].kind == "name" and token.kind == "name":
                hint = "names are separated by commas"
            raise self.error(token, f"unexpected {token.text!r}", hint)

    def _statement(self, out: list[Statement]) -> None:
        token, following = self.tokens[self.at], self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind == "name" and following.kind in ("name", "string"):
            reader = getattr(self, f"_read_{token.text}", None) if token.text in _KEYWORDS else None
            if reader is not None:
                self.at += 1
                reader(token, out)
                return
        if token.kind == "name" and token.text == "minimize" and self._begins_operand(following):
            self.at += 1
            self._read_minimize(token, out)
        elif token.kind == "name" and token.text == "return" and following.kind != "=":
            self.at += 1
            out.append(Statement("return", token.start, code=self.expression()))
        elif token.kind == "name" and following.kind == "=":
            self.at += 2
            out.append(Statement("assign", token.start, token.text, self.expression()))
        elif token.kind == "name" and following.kind == "'":
            self.at += 2
            self._expect("=", "a prime is the next value: W' = W - 0.1*grad(J, W)")
            out.append(Statement("prime", token.start, token.text, self.expression()))
        else:
            out.append(Statement("expression", token.start, code=self.expression()))

    def _begins_operand(self, token: Token) -> bool:
        """True for a token that begins an expression of its own: after `minimize` and a space, `(a + b)`, `2x`, `-J`."""
        if not token.spaced:
            return False
        if token.kind in ("-", "+"):
            return not self.tokens[self.at + 2].spaced
        return token.kind in ("number", "(", "|")

    def _expect(self, kind: str, hint: str) -> Token:
        token = self.tokens[self.at]
        if token.kind != kind:
            kind = {"name": "a name", "string": "a file's name in quotes", "number": "a number"}.get(kind, repr(kind))
            found = "the end of the line" if token.kind in ("newline", "end") else repr(token.text)
            raise self.error(token, f"expected {kind}, found {found}", hint)
        self.at += 1
        return token

    def _accept(self, kind: str, text: str | None = None) -> bool:
        token = self.tokens[self.at]
        if token.kind == kind and (text is None or token.text == text):
            self.at += 1
            return True
        return False

    def _dims(self) -> tuple[Code, ...]:
        """[n, 784]"""
        dims: list[Code] = []
        if self.tokens[self.at].kind == "[":
            self.at += 1
            while not self._accept("]"):
                dims.append(self.expression(stop=(",", "]")))
                if not self._accept(","):
                    self._expect("]", "a shape is written x[n, 784]")
                    break
        return tuple(dims)

    def _declarations(self, kind: str, out: list[Statement]) -> None:
        while True:
            name = self._expect("name", f"{kind} x[n, 10], y")
            like, dims = None, self._dims()
            data: dict[str, Any] = {}
            code: Code = []
            if self._accept("name", "like"):
                like = self._expect("name", "state m like W = 0").text
            if self._accept(":"):
                token = self._expect("name", "input k[n]: int")
                if token.text not in KINDS:
                    raise self.error(token, f"there is no kind {token.text}", hint="kinds are real, int and bool")
                data["kind"] = token.text
            if kind != "input":
                if self._accept("~"):
                    data["random"] = True
                    code = self.expression(stop=(",",))
                elif self._accept("="):
                    code = self.expression(stop=(",",))
            data["like"] = like
            out.append(Statement(kind, name.start, name.text, code, dims, data))
            if not self._accept(","):
                return

    def _read_input(self, token: Token, out: list[Statement]) -> None:
        self._declarations("input", out)

    def _read_param(self, token: Token, out: list[Statement]) -> None:
        self._declarations("param", out)

    def _read_state(self, token: Token, out: list[Statement]) -> None:
        self._declarations("state", out)

    def _read_random(self, token: Token, out: list[Statement]) -> None:
        raise self.error(token, "random values inside a step are not supported yet", hint="param W[3] ~ normal(0, 1)")

    def _read_output(self, token: Token, out: list[Statement]) -> None:
        while True:
            name = self._expect("name", "output a, b")
            out.append(Statement("output", name.start, data=(name.text,)))
            if not self._accept(","):
                return

    def _read_metric(self, token: Token, out: list[Statement]) -> None:
        name = self._expect("name", "metric accuracy = mean(argmax(y, axis=1) == k)")
        self._expect("=", "metric accuracy = mean(argmax(y, axis=1) == k)")
        out.append(Statement("assign", name.start, name.text, self.expression()))
        out.append(Statement("metric", name.start, name.text))

    def _read_minimize(self, token: Token, out: list[Statement]) -> None:
        code = self.expression(stop=("with",))
        optimizer: tuple[str, list[tuple[str, Code]], int] | None = None
        if self._accept("name", "with"):
            name = self._expect("name", "minimize J with adam(lr=1e-3)")
            optimizer = (name.text, self._named_arguments() if self._accept("(") else [], name.start)
        out.append(Statement("minimize", token.start, code=code, data=optimizer))

    def _named_arguments(self) -> list[tuple[str, Code]]:
        """lr=0.1, beta=0.9) after the opening bracket."""
        arguments: list[tuple[str, Code]] = []
        while not self._accept(")"):
            name = self._expect("name", "arguments of an optimizer are named: sgd(lr=0.1)")
            self._expect("=", "arguments of an optimizer are named: sgd(lr=0.1)")
            arguments.append((name.text, self.expression(stop=(",", ")"))))
            if not self._accept(","):
                self._expect(")", "arguments of an optimizer are named: sgd(lr=0.1)")
                break
        return arguments

    def _read_train(self, token: Token, out: list[Statement]) -> None:
        arguments: list[tuple[str, Code]] = []
        while True:
            name = self._expect("name", "train batch=32, epochs=30, holdout=0.2")
            self._expect("=", "train batch=32, epochs=30, holdout=0.2")
            arguments.append((name.text, self.expression(stop=(",",))))
            if not self._accept(","):
                break
        out.append(Statement("train", token.start, data=arguments))

    def _read_data(self, token: Token, out: list[Statement]) -> None:
        hint = 'data "digits.csv" x=0:64, k=64'
        file = self._expect("string", hint).text[1:-1]
        columns: list[tuple[str, tuple[int | str, ...]]] = []
        while self.tokens[self.at].kind == "name":
            name = self._expect("name", hint).text
            self._expect("=", hint)
            places: list[int | str] = list(self._columns(hint))
            while self._accept("+"):
                places += self._columns(hint)
            columns.append((name, tuple(places)))
            if not self._accept(","):
                break
        out.append(Statement("data", token.start, data=(file, tuple(columns))))

    def _columns(self, hint: str) -> list[int | str]:
        """0:64, 64, or a column's name."""
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "string":
            return [token.text[1:-1]]
        if token.kind == "name":
            return [token.text]
        if token.kind != "number" or not token.text.isdigit():
            raise self.error(token, "expected a column: a number, a range, a name", hint)
        start = int(token.text)
        if not self._accept(":"):
            return [start]
        stop = self._expect("number", hint)
        if not stop.text.isdigit():
            raise self.error(stop, "columns are counted by whole numbers", hint)
        return list(range(start, int(stop.text)))

    def _read_def(self, token: Token, out: list[Statement]) -> None:
        name = self._expect("name", "def dense(x, units): ...")
        self._expect("(", "def dense(x, units): ...")
        parameters: list[tuple[str, Code | None]] = []
        while not self._accept(")"):
            parameter = self._expect("name", "def dense(x, units): ...").text
            default = self.expression(stop=(",", ")")) if self._accept("=") else None
            parameters.append((parameter, default))
            if not self._accept(","):
                self._expect(")", "def dense(x, units): ...")
                break
        self._expect(":", "def dense(x, units): ...")
        body = self._body(token)
        text = self.source.text[token.start : self.tokens[self.at].start].rstrip()
        definition = Definition(name.text, tuple(parameters), tuple(body), text, self.source)
        out.append(Statement("def", token.start, name.text, data=definition))

    def _body(self, token: Token) -> list[Statement]:
        """The indented lines after the colon, or the statements on its line."""
        body: list[Statement] = []
        own_line = self.tokens[self.at].kind == "newline" and self.tokens[self.at].text == "\n"
        column = self.source.span(token.start).column
        while True:
            ended = False
            while self.tokens[self.at].kind == "newline":
                ended |= self.tokens[self.at].text == "\n"
                self.at += 1
            here = self.tokens[self.at]
            outside = self.source.span(here.start).column <= column if own_line else ended
            if here.kind == "end" or (outside and (not own_line or ended or body)):
                self.at -= self.tokens[self.at - 1].kind == "newline"
                if not body:
                    raise self.error(token, "a def without statements", hint="indent its lines")
                return body
            if here.text == "def":
                raise self.error(here, "a def inside a def", hint="put it before, at the line's start")
            self._statement(body)
            self._end_of_statement()

    # --- expressions -------------------------------------------------------------------------------------------

    def expression(self, stop: tuple[str, ...] = ()) -> Code:
        """Postfix code of the expression that begins here; it ends before a token of `stop` outside of brackets."""
        return ExpressionReader(self, stop).read()


def parse_statements(text: str) -> tuple[list[Statement], Source]:
    """The statements of a text and the text's places."""
    parser = Parser(text)
    return parser.program(), parser.source
