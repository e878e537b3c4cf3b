"""Tokens to postfix code: the grammar of expressions.

In: a parser that stands at an expression.  Out: its code; the parser stands behind it.
Always holds: no recursion (an operator-precedence parser with its own stack) and linear time.  Binding from loose to
tight:

    or < and < not < comparison < + - < * / // @ < juxtaposition < unary - < ^ (right) < call, index, .T

Postfix code is a list of (what, argument, position): number, name, string, binary, prefix, call, attribute, index,
array, tuple, fence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sympy import Integer, Rational

from graphc.language.lexer import Token
from graphc.ops import CALLS, INFIX, PREFIX

if TYPE_CHECKING:
    from graphc.language.parser import Parser

Code = list[tuple[str, Any, int]]
_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
_RIGHT = {"^"}


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


class ExpressionReader:
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
            source = self.parser.source
            place = source.text.index(sign, opened.start)  # a call starts with its name
            raise source.error(place, f"this {sign} is never closed", hint="close it on the same statement")
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
        if isinstance(top, tuple) and top[1] in ("/", "//"):
            over = f"{self._text_before(top[3])}{top[1]}"
            raise parser.error(
                token,
                f"{over}{left} {right} has two readings",
                hint=f"write {over}({left}*{right}) or {over}{left} * {right}",
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
