"""Tokens to statements, their expressions as postfix code.

In: a program's text.  Out: a list of statements.
Always holds: no recursion (an operator-precedence parser with its own stack) and linear time; names are not looked up
here.  The grammar, binding from loose to tight:

    or < and < not < comparison < + - < * / @ juxtaposition < unary - < ^ (right) < call, index, .T

Postfix code is a list of (what, argument, position): number, name, string, binary, prefix, call, attribute, index,
array, tuple, fence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sympy import Integer, Rational

from graphc.errors import ParseError
from graphc.language.lexer import Source, Token, tokenize
from graphc.ops import CALLS, INFIX, PREFIX

Code = list[tuple[str, Any, int]]
KINDS = ("real", "int", "bool")
_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
_RIGHT = {"^"}


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


@dataclass(slots=True)
class _Open:
    """An open bracket on the operator stack."""

    kind: str  # group, call, array, index, fence
    start: int
    name: str = ""
    items: int = 0
    names: list[str] = field(default_factory=list)
    slices: list[tuple[bool, bool, bool] | None] = field(default_factory=list)
    parts: list[bool] | None = None  # of the slice being read
    before: int = 0  # positional arguments before the first named one
    empty: bool = True
    comma: bool = False


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
        return _Expression(self, stop).read()


_CHOICE = "a choice is where(condition, a, b)"
_PROGRAMMING = "a program is a list of equations: y = sin(x)"
_WORDS = {  # of programming languages; no names where a product would be read
    "if": _CHOICE, "else": _CHOICE, "elif": _CHOICE, "then": _CHOICE,
    "is": "equality is ==", "in": _PROGRAMMING, "for": _PROGRAMMING, "while": _PROGRAMMING, "import": _PROGRAMMING,
    "from": _PROGRAMMING, "let": _PROGRAMMING, "print": _PROGRAMMING, "return": "output y names a result",
    "class": _PROGRAMMING, "def": "def f(x): return x^2 is a line of its own", "del": _PROGRAMMING,
    "try": _PROGRAMMING, "raise": _PROGRAMMING, "with": "minimize J with adam(lr=1e-3)", "mod": "write mod(a, b)",
    "xor": "write a != b", "minimise": "write minimize J",
}  # fmt: skip
_KEYWORDS = {"input", "param", "state", "random", "output", "metric", "minimize", "train", "data", "def"}


class _Expression:
    """Reads one expression: a stack of operators and open brackets, and the code written so far."""

    def __init__(self, parser: Parser, stop: tuple[str, ...]) -> None:
        self.parser, self.stop = parser, stop
        self.code: Code = []
        self.stack: list[tuple[str, str, int, int] | _Open] = []  # (binary or prefix, sign, binding, position)
        self.brackets: list[_Open] = []  # those of the stack
        self.fences = 0
        self.last = ""  # what the last operand ended with: number, name, group, superscript
        self.last_token = parser.tokens[parser.at]

    def read(self) -> Code:
        expecting, tokens = True, self.parser.tokens
        while True:
            token = tokens[self.parser.at]
            if token.kind in ("newline", "end") or (not self._open() and not expecting and self._stops(token)):
                break
            if token.kind == "newline":
                self.parser.at += 1
                continue
            expecting = self._operand(token) if expecting else self._operator(token)
            self.last_token = token
            if expecting is None:
                break
        opened = self._open()
        if opened is not None:
            sign = {"index": "[", "array": "[", "fence": "|"}.get(opened.kind, "(")
            raise self.parser.source.error(
                opened.start, f"this {sign} is never closed", hint="close it on the same statement"
            )
        if expecting:
            where = tokens[self.parser.at]
            found = "the statement ends" if where.kind in ("newline", "end") else f"found {where.text!r}"
            raise self.parser.error(where, f"expected a number, a name or a bracket; {found}")
        self._reduce(-1)
        return self.code

    def _stops(self, token: Token) -> bool:
        return token.kind in self.stop or (token.kind == "name" and token.text in self.stop) or token.kind in (
            ",", ")", "]", "=", ":", "~", "'", "string",
        )  # fmt: skip

    def _open(self) -> _Open | None:
        """The innermost open bracket."""
        return self.brackets[-1] if self.brackets else None

    def _push(self, opened: _Open) -> bool:
        self.stack.append(opened)
        self.brackets.append(opened)
        return True

    def _reduce(self, binding: int, right: bool = False) -> None:
        """Write out the operators that bind tighter than `binding` (or as tight, if it groups to the left)."""
        while self.stack and not isinstance(self.stack[-1], _Open):
            kind, sign, mine, position = self.stack[-1]
            if mine < binding or (mine == binding and right):
                return
            self.stack.pop()
            self.code.append((kind, sign, position))

    def _ended(self, last: str) -> bool:
        self.last = last
        return False

    # --- where an operand is expected --------------------------------------------------------------------------

    def _operand(self, token: Token) -> Any:
        parser, kind = self.parser, token.kind
        parser.at += 1
        top = self.stack[-1] if self.stack else None
        if isinstance(top, _Open):
            if kind in (")", "]") and (top.empty or top.comma or top.kind == "index"):
                parser.at -= 1
                return self._close(token, with_operand=False)
            if kind == ":" and top.kind == "index":
                return self._colon(top, False)
            if kind == "," and top.kind == "index" and top.parts is not None:
                return self._comma(token, top, False)
            top.empty = top.comma = False
        if kind == "number":
            self.code.append(("number", exact(token.text), token.start))
            return self._ended("number")
        if kind == "name":
            return self._name(token)
        if kind == "(":
            return self._push(_Open("group", token.start))
        if kind == "[":
            return self._push(_Open("array", token.start))
        if kind == "|":
            self.fences += 1
            return self._push(_Open("fence", token.start, empty=False))
        if kind == "string":
            self.code.append(("string", token.text[1:-1], token.start))
            return self._ended("group")
        if kind == "..." and isinstance(top, _Open) and top.kind == "index":
            self.code.append(("string", "...", token.start))
            return self._ended("group")
        if kind in PREFIX:
            self.stack.append(("prefix", kind, PREFIX[kind].binding, token.start))
            return True
        if kind == "+":
            return True
        if kind == "superscript":
            raise parser.error(token, "a superscript without a base", hint="x² is x^2")
        hint = {"^": "write x^2, x**2 or x²", "=": "= defines a name, == compares"}.get(kind)
        raise parser.error(token, f"expected a number, a name or a bracket; found {token.text!r}", hint)

    def _name(self, token: Token) -> Any:
        parser, following = self.parser, self.parser.tokens[self.parser.at]
        if token.text in PREFIX:
            self.stack.append(("prefix", token.text, PREFIX[token.text].binding, token.start))
            return True
        if token.text in INFIX:
            raise parser.error(token, f"{token.text!r} needs a value on its left", hint=f"write: a {token.text} b")
        top = self.stack[-1] if self.stack else None
        if isinstance(top, _Open) and top.kind == "call" and following.kind == "=":
            if token.text in top.names:
                raise parser.error(token, f"argument {token.text} is given twice")
            top.before = top.before if top.names else top.items
            top.names.append(token.text)
            parser.at += 1
            return True
        if following.kind == "(":
            parser.at += 1
            return self._push(_Open("call", token.start, token.text))
        self.code.append(("name", token.text, token.start))
        return self._ended("name")

    # --- where an operator is expected -------------------------------------------------------------------------

    def _operator(self, token: Token) -> Any:
        parser, kind = self.parser, token.kind
        sign = token.text if kind == "name" else kind
        if sign in INFIX:
            parser.at += 1
            return self._binary(sign, token)
        if kind == "superscript":
            parser.at += 1
            self.code.append(("number", Integer(token.text), token.start))
            self.code.append(("binary", "^", token.start))
            return self._ended("superscript")
        if kind == "attribute":
            if self.last == "number":
                raise parser.error(token, f"a number has no {token.text}")
            parser.at += 1
            self.code.append(("attribute", token.text[1:], token.start))
            return self._ended("name")
        if kind in (")", "]"):
            return self._close(token, with_operand=True)
        if kind == "," and (opened := self._open()) is not None:
            parser.at += 1
            self._reduce(-1)
            return self._comma(token, opened, True)
        if kind == ":" and (opened := self._open()) is not None and opened.kind == "index":
            parser.at += 1
            self._reduce(-1)
            return self._colon(opened, True)
        if kind == "|" and self.fences:
            parser.at += 1
            return self._close_fence(token)
        if kind == "[" and self.last in ("name", "group") and not token.spaced:
            parser.at += 1
            return self._push(_Open("index", token.start))
        if kind in ("number", "name", "(", "[", "|", "string"):
            self._juxtapose(token)
            return True
        hint = "equality is ==" if kind == "=" else None
        raise parser.error(token, f"unexpected {token.text!r}", hint)

    def _binary(self, sign: str, token: Token) -> bool:
        binding = INFIX[sign].binding
        self._reduce(binding, sign in _RIGHT)
        if (
            sign in _COMPARISONS
            and self.code[-1][0] == "binary"
            and self.code[-1][1] in _COMPARISONS
            and self.last != "group"
        ):
            raise self.parser.error(token, "comparisons do not chain", hint="write a < b and b < c")
        self.stack.append(("binary", sign, binding, token.start))
        return True

    def _juxtapose(self, token: Token) -> None:
        """Two operands side by side: a product where it is unmistakable, else an error that shows the readings."""
        parser, left, right = self.parser, self._left_text(), self._right_text(token)
        exponent = self.stack and not isinstance(self.stack[-1], _Open) and self._in_exponent()
        for word in (self.last_token, token):
            if word.kind == "name" and word.text in _WORDS:
                raise parser.error(word, f"{word.text!r} is not read", hint=_WORDS[word.text])
        if token.kind in ("[", "string") or (token.kind == "|" and self.last != "number"):
            raise parser.error(
                token,
                f"{left} {right} is not clear",
                hint="write * for a product; an index stands directly after its array: x[0]",
            )
        if token.kind == "number":
            raise parser.error(
                token,
                f"{left} {right} is not clear",
                hint=f"write {left}*{right}, or {left}{right} for a name"
                if self.last == "name"
                else f"write {left}*{right}",
            )
        if exponent and self.last in ("number", "name"):
            base = self._base_text()
            if base in CALLS and token.kind == "(":
                sign = self.stack[-1]
                minus = isinstance(sign, tuple) and sign[1] == "-"
                hint = f"write {base}(x)^{left}"
                if minus:
                    inverse = f"the inverse function is a{base}(x), " if f"a{base}" in CALLS else ""
                    hint = f"{inverse}the reciprocal 1/{base}(x)" if left == "1" else f"write {base}(x)^(-{left})"
                raise parser.error(token, f"{base} is a function and needs ( after it", hint=hint)
            raise parser.error(
                token,
                f"{base}^{left} {right} has two readings",
                hint=f"write {base}^{left} * {right} or {base}^({left}*{right})",
            )
        if token.kind == "name" and self.last == "name" and not token.spaced:
            raise parser.error(token, f"unexpected {token.text!r}", hint=f"write {left}*{right}")
        binding = INFIX["*"].binding + 1  # 2x*3y is (2x)*(3y)
        self._reduce(binding + 1)
        top = self.stack[-1] if self.stack else None
        if isinstance(top, tuple) and top[1] == "/":
            above = self._text_before(top[3])
            raise parser.error(
                token,
                f"{above}/{left} {right} has two readings",
                hint=f"write {above}/({left}*{right}) or {above}/{left} * {right}",
            )
        self._reduce(binding)
        self.stack.append(("binary", "*", binding, token.start))

    def _in_exponent(self) -> bool:
        for entry in reversed(self.stack):
            if isinstance(entry, _Open):
                return False
            if entry[0] == "binary":
                return entry[1] == "^"
        return False

    def _left_text(self) -> str:
        return self._token_text(self.parser.at - 1)

    def _base_text(self) -> str:
        power = next(e for e in reversed(self.stack) if isinstance(e, tuple) and e[1] == "^")
        return self._text_before(power[3])

    def _text_before(self, position: int) -> str:
        """The operand that ends before an operator's position."""
        at = self.parser.at - 1
        while at >= 0 and self.parser.tokens[at].end > position:
            at -= 1
        return self._token_text(at)

    def _token_text(self, at: int) -> str:
        """The operand that ends with a token, as it is shown in an error."""
        token = self.parser.tokens[max(at, 0)]
        if token.kind == "superscript" and at > 0:
            return self._token_text(at - 1) + self.parser.source.text[token.start : token.end]
        if token.kind == "attribute" and at > 0:
            return self._token_text(at - 1) + token.text
        return {")": "(...)", "]": "[...]", "|": "|...|"}.get(token.kind, token.text)

    def _right_text(self, token: Token) -> str:
        following = self.parser.tokens[self.parser.at + 1]
        brackets = {"(": "(...)", "[": "[...]", "|": "|...|"}
        return f"{token.text}(...)" if following.kind == "(" else brackets.get(token.kind, token.text)

    # --- brackets ----------------------------------------------------------------------------------------------

    def _comma(self, token: Token, opened: _Open, with_operand: bool) -> bool:
        if opened.kind == "fence":
            raise self.parser.error(token, "a comma between | and |")
        self._end_item(opened, with_operand)
        opened.comma = True
        return True

    def _end_item(self, opened: _Open, with_operand: bool) -> None:
        opened.items += 1
        if opened.names and opened.items != opened.before + len(opened.names):
            token = self.parser.tokens[self.parser.at - 1]
            raise self.parser.error(token, "a positional argument after a named one", hint="named arguments come last")
        if opened.kind == "index":
            if opened.parts is None:
                opened.slices.append(None)
            else:
                parts = [*opened.parts, with_operand] + [False] * (2 - len(opened.parts))
                opened.slices.append((parts[0], parts[1], parts[2]))
                opened.parts = None

    def _colon(self, opened: _Open, with_operand: bool) -> bool:
        opened.parts = [*(opened.parts or []), with_operand]
        opened.empty = opened.comma = False
        if len(opened.parts) > 2:
            raise self.parser.error(
                self.parser.tokens[self.parser.at - 1], "a slice has three parts", hint="x[start:stop:step]"
            )
        return True

    def _close(self, token: Token, with_operand: bool) -> bool:
        self._reduce(-1)
        opened = self.stack[-1] if self.stack else None
        wanted = {"group": ")", "call": ")", "array": "]", "index": "]"}
        if not isinstance(opened, _Open) or wanted.get(opened.kind) != token.kind:
            other = f"; open is the {wanted.get(opened.kind, '|')} bracket" if isinstance(opened, _Open) else ""
            raise self.parser.error(
                token, f"unexpected {token.text!r}{other}", hint="close brackets in the order they open"
            )
        self.stack.pop()
        self.brackets.pop()
        self.parser.at += 1
        if with_operand or opened.parts is not None:
            self._end_item(opened, with_operand)
        elif opened.kind in ("index",) and not opened.items:
            raise self.parser.error(token, "nothing between [ and ]", hint="x[0], x[:, 1:3]")
        self._finish(opened, token)
        return self._ended("group")

    def _finish(self, opened: _Open, token: Token) -> None:
        code, start = self.code, opened.start
        if opened.kind == "call":
            code.append(("call", (opened.name, opened.items - len(opened.names), tuple(opened.names)), start))
        elif opened.kind == "array":
            code.append(("array", opened.items, start))
        elif opened.kind == "index":
            code.append(("index", tuple(opened.slices), start))
        elif opened.items != 1 or opened.comma:
            if not opened.items and not opened.comma and not opened.empty:
                raise self.parser.error(token, "nothing between ( and )")
            code.append(("tuple", opened.items, start))

    def _close_fence(self, token: Token) -> bool:
        self._reduce(-1)
        opened = self.stack.pop() if self.stack else None
        if not isinstance(opened, _Open) or opened.kind != "fence":
            raise self.parser.error(token, "unexpected |", hint="close brackets in the order they open; |x| is abs(x)")
        self.brackets.pop()
        self.fences -= 1
        self.code.append(("fence", None, opened.start))
        return self._ended("group")


def exact(text: str) -> Any:
    """A decimal number as the fraction it is."""
    return Integer(text) if text.isdigit() else Rational(text)


def parse_statements(text: str) -> tuple[list[Statement], Source]:
    """The statements of a text and the text's places."""
    parser = Parser(text)
    return parser.program(), parser.source
