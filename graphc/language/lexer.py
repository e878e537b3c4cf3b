"""Text to tokens.

In: a program's text.  Out: a list of `Token`, ended by one of kind "end".
Always holds: linear in the text's length; every token knows its place; Greek letters, superscripts and mathematical
signs are already spelled the plain way; line ends inside brackets are gone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import takewhile
from typing import NamedTuple

from graphc.errors import ParseError
from graphc.graph.graph import Span
from graphc.language.names import plain_name

LIMIT = 4_000_000
LONG = 100_000
_SIGNS = {"**": "^", "·": "*", "×": "*", "⊙": "*", "∗": "*", "−": "-", "≤": "<=", "≥": ">=", "≠": "!="}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PLAIN_NAME = r"[^\W\d]\w*"
_ANY_NAME = r"(?:(?![⁰¹²³⁴-⁹⁻])[^\W\d])(?:(?![⁰¹²³⁴-⁹⁻])\w)*"


def _pattern(name: str) -> re.Pattern[str]:
    dotted = rf"{name}(?:(?:\.\d+)+(?=\.[^\W\d])|\.(?!T\b|shape\b){name})*"
    return re.compile(
        r"(?P<space>[ \t\r\f\ufeff\u00a0]+)|(?P<comment>\#[^\n]*)|(?P<newline>\n|;)"
        r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
        rf"|(?P<name>{dotted})"
        r"|(?P<attribute>\.(?:T|shape)\b)"
        r'|(?P<string>"[^"\n]*")'
        r"|(?P<superscript>⁻?[⁰¹²³⁴-⁹]+)"
        r"|(?P<sign>\*\*|//|<=|>=|==|!=|\.\.\.|[-+*/^@<>=()\[\],:|~']|[·×⊙∗−≤≥≠])"
    )


_PLAIN, _ANY = _pattern(_PLAIN_NAME), _pattern(_ANY_NAME)


class Token(NamedTuple):
    """`kind` is number, name, string, superscript, attribute, newline, end, or the sign itself."""

    kind: str
    text: str
    start: int
    end: int
    spaced: bool  # white space before it


class Source:
    """The text, and places in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]

    def span(self, position: int) -> Span:
        row = bisect_right(self._starts, position) - 1
        start = self._starts[row]
        stop = self.text.find("\n", start)
        line = self.text[start : stop if stop >= 0 else None].rstrip("\r")
        return Span(row + 1, position - start + 1, line)

    def error(self, position: int, message: str, hint: str | None = None) -> ParseError:
        span = self.span(position)
        return ParseError(message, hint=hint, line=span.line, column=span.column, source_line=span.source_line)


def tokenize(source: Source) -> list[Token]:
    """All tokens; ParseError at the first character that begins none."""
    text = source.text
    if len(text) > LIMIT:
        raise ParseError(f"the text has {len(text)} characters, more than {LIMIT}", hint="put data into files")
    if len(text) > LONG:
        _check_brackets(source)
    pattern = _PLAIN if text.isascii() else _ANY
    tokens: list[Token] = []
    position, depth, spaced = 0, 0, False
    for match in iter(pattern.scanner(text).match, None):  # type: ignore[attr-defined]
        kind, word, start = match.lastgroup, match.group(), position
        position = match.end()
        if kind == "space" or kind == "comment" or (word == "\n" and depth):
            spaced = True
            continue
        if kind == "sign":
            kind = word = _SIGNS.get(word, word)
            if word == "(" or word == "[":
                depth += 1
            elif depth and (word == ")" or word == "]"):
                depth -= 1
        elif kind == "name":
            word = plain_name(word)
        elif kind == "superscript":
            word = word.translate(_SUPERSCRIPTS)
        elif kind == "number":
            _check_number(source, start, word, text[position : position + 20])
        tokens.append(Token(kind, word, start, position, spaced))
        spaced = False
    if position < len(text):
        raise _unreadable(source, position)
    tokens.append(Token("end", "", len(text), len(text), False))
    return tokens


def _check_brackets(source: Source) -> None:
    """A long text whose brackets do not match is refused before anything is made of it."""
    opened: list[re.Match[str]] = []
    for match in re.finditer(r'\#[^\n]*|"[^"\n]*"|[()\[\]]', source.text):
        sign = match.group()
        if sign in ("(", "["):
            opened.append(match)
        elif sign in (")", "]") and (not opened or opened.pop().group() != {")": "(", "]": "["}[sign]):
            raise source.error(match.start(), f"unexpected {sign!r}", hint="close brackets in the order they open")
    if opened:
        raise source.error(opened[-1].start(), f"this {opened[-1].group()} is never closed", hint="close it")


def _check_number(source: Source, start: int, word: str, after: str) -> None:
    name = "".join(takewhile(str.isalnum, after))
    if word.endswith(".") and after[:1].isalpha():
        raise source.error(start, f"{word}{name} is not clear", hint=f"write {word[:-1]}*{name}, or {word}0*{name}")
    if word == "0" and after[:1] in tuple("xXbBoO") and after[1:2].isdigit():
        raise source.error(start, "numbers are written in decimal", hint=f"for a product write 0*{name}")
    if after[:1] == "_":
        raise source.error(start, "digits are not grouped by _", hint="write 1000 or 1e3")
    _, _, exponent = word.lower().partition("e")
    if len(word) > 1000 or (exponent and (abs(int(exponent)) > 400 or float(word) == float("inf"))):
        raise source.error(
            start, "this number does not fit a floating-point number", hint="sizes go from 1e-400 to 1.8e308"
        )


def _unreadable(source: Source, position: int) -> ParseError:
    c = source.text[position]
    if c == "!":
        return source.error(position, "! is not read", hint="the factorial of n is gamma(n + 1); not equal is !=")
    if c == '"':
        return source.error(position, 'this " is never closed on its line', hint='"name" is a string')
    hints = {
        "&": "write: a and b",
        "%": "write mod(a, b)",
        "{": "brackets are ( and [",
        "\\": "formulas are plain text",
    }
    return source.error(position, f"{c!r} is not read", hint=hints.get(c, "see docs/language.md for what is"))
