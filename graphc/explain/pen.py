"""Notations a derivation is written in.

In: atoms, operations with the texts of their operands, names of derivatives.  Out: texts with their bindings.
Always holds: both pens spell the same things in the same order; only the notation differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sympy import Basic, Symbol

from graphc.graph.operation import Operation
from graphc.graph.types import Type, shape_text
from graphc.language.formula import Text
from graphc.language.latex_writer import atom_latex, name_latex, operation_latex
from graphc.language.writer import ATOM, atom_text, expression_text, loosest
from graphc.ops.readable import (
    DIAGONAL,
    DIFFERENCE,
    LOWER,
    NEGATIVE,
    PART,
    POWER,
    QUOTIENT,
    SQUARED,
    SUM,
    TOTAL,
    TRACE,
    UPPER,
    Reading,
    reading,
    summed_axes,
)

PRODUCT = SQUARED.binding
_FACTOR = re.compile(r"(-?\d+(?:\.\d+)?\*|-)(.+)")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([*/])(.+)")
_RECIPROCAL = re.compile(r"(-?)1/(.+)")
Types = tuple[Type, ...]


@dataclass(frozen=True)
class Derivative:
    """The derivative of the value for a symbol, as a name."""

    value: Symbol
    variable: Symbol


@dataclass(frozen=True)
class Pen:
    """Plain text.  `derivatives` are symbols that stand for a derivative of the value."""

    derivatives: Mapping[Symbol, Derivative]
    times = " * "
    turned = "{}.T"

    @cached_property
    def _cotangents(self) -> frozenset[str]:
        return frozenset(self.derivative(d) for d in self.derivatives.values())

    def atom(self, atom: Basic) -> Text:
        found = self.derivatives.get(atom) if isinstance(atom, Symbol) else None
        return (self.derivative(found), ATOM) if found is not None else self.plain_atom(atom)

    def plain_atom(self, atom: Basic) -> Text:
        return atom_text(atom)

    def derivative(self, d: Derivative) -> str:
        return f"d{d.value.name}/d{d.variable.name}"

    def name(self, s: Symbol) -> str:
        return str(s.name)

    def shape(self, type_: Type) -> str:
        return shape_text(type_.shape)

    def written(self, operation: Operation, texts: tuple[Text, ...], types: Types, statics: tuple[Any, ...]) -> Text:
        """One operation as the language writes it."""
        return expression_text(operation, texts, types, statics)

    def operation(self, operation: Operation, texts: tuple[Text, ...], types: Types, statics: tuple[Any, ...]) -> Text:
        """One operation as people read it."""
        if operation is SQUARED and texts[0] == texts[1] and texts[0][1] == ATOM:
            return self.written(POWER, (texts[0], ("2", ATOM)), types, ())
        if operation is SQUARED and texts[0][0] in self._cotangents:
            return self.product(*texts)
        if operation is SUM and texts[1][0].startswith("-") and texts[1][1] >= PRODUCT:
            return self.written(DIFFERENCE, (texts[0], (texts[1][0][1:], PRODUCT)), types, ())
        if operation is NEGATIVE and texts[0][1] == PRODUCT and not texts[0][0].startswith("-"):
            return f"-{texts[0][0]}", PRODUCT
        if operation is SQUARED and (
            flat := self._quotient(*texts) or self._quotient(*texts[::-1]) or self._flat(*texts)
        ):
            return flat
        if operation in (SQUARED, QUOTIENT) and types[0].rank < types[1].rank and (chain := self._scaled_chain(*texts)):
            return chain
        if (
            operation is TOTAL
            and types[0].rank == 1
            and (inner := _argument(texts[0][0], DIAGONAL.written)) is not None
        ):
            return f"{TRACE.written}({inner})", ATOM
        found = reading(operation, types, statics)
        return self._read(found, texts, types) if found is not None else self.written(operation, texts, types, statics)

    def _quotient(self, reciprocal: Text, other: Text) -> Text | None:
        """x/y for 1/y times x."""
        found = _RECIPROCAL.fullmatch(reciprocal[0])
        if reciprocal[1] != PRODUCT or found is None or loosest(found[2]) < ATOM or other[0].startswith("-"):
            return None
        text, binding = self.written(QUOTIENT, (other, (found[2], POWER.binding)), (), ())
        return found[1] + text, binding

    def _flat(self, a: Text, b: Text) -> Text | None:
        """x*y*z for x*(y*z), 2*x*y for x*(2*y), 2*x/y for x*(2/y)."""
        if b[1] != PRODUCT or a[1] < PRODUCT or "-" in (a[0][0], b[0][0]) or not self.is_product(a[0]):
            return None
        number = _NUMBER.fullmatch(b[0])
        if number is None or not self.is_product(number[3]):
            return (f"{a[0]}*{b[0]}", PRODUCT) if self.is_product(b[0]) else None
        return (f"{number[1]}*{a[0]}{number[2]}{number[3]}", PRODUCT) if not a[0][0].isdigit() else None

    def _scaled_chain(self, number: Text, product: Text) -> Text | None:
        """2*A @ x for 2*(A @ x)."""
        plain = number[1] >= PRODUCT and " @ " not in _outside(number[0])
        return (
            (f"{number[0]}*{product[0]}", PRODUCT)
            if plain and product[1] == PRODUCT and self.is_chain(product[0])
            else None
        )

    def _read(self, found: Reading, texts: tuple[Text, ...], types: Types) -> Text:
        if found.form == "same":
            return texts[0]
        if found.form == "turned":
            return self._turned(texts[0]), ATOM
        if found.form == "axes":
            return f"{self.closed(texts[0])}[{', '.join('none' if new else ':' for new in found.axes)}]", ATOM
        if found.form == "part":
            zeros = (Type(tuple(0 for _ in found.bounds)),)
            return self.written(PART, ((f"{self.closed(texts[0])} at ", ATOM),), zeros, (found.bounds,))[0], ATOM
        if found.form == "scaled":
            return self._scaled(*sorted(texts, key=lambda t: t[0] not in self._cotangents))
        if found.form == "inner product":
            product = self.operation(SQUARED, texts, types, ())
            return self.written(TOTAL, (product,), types[:1], (found.summed, False))
        first, second = texts[found.first], texts[found.second]
        number, first = self.apart(first)
        if not number:
            number, second = self.apart(second)
        if found.form == "outer product":
            text, binding = self.outer(first, second)
        else:
            left, right = (
                self._turned(t) if turned else self.closed(t)
                for t, turned in zip((first, second), found.turned, strict=True)
            )
            chains = [not turned and t[1] == PRODUCT and self.is_chain(t[0])
                      for t, turned in zip((first, second), found.turned, strict=True)]  # fmt: skip
            if chains[1] and types[found.second].rank == 2:  # then no vector stands between
                right = second[0]
            text, binding = self.matrix_product(first[0] if chains[0] else left, right)
        return number + text, PRODUCT if number else binding

    def _scaled(self, a: Text, b: Text) -> Text:
        """A product with a number; 1 is the seed and is not written."""
        if a[0] == "1" or b[0] == "1":
            return b if a[0] == "1" else a
        return self.product(a, b)

    def apart(self, text: Text) -> tuple[str, Text]:
        """A numeric factor, with its sign of multiplication, and the rest: 2*A.T @ x is read easier than A.T @ (2*x)."""
        found = _FACTOR.fullmatch(text[0])
        if not PRODUCT <= text[1] < ATOM or found is None or not self.is_product(found[2]):
            return "", text
        rest, depth, lowest = found[2], 0, ATOM
        for c in rest:
            depth += (c in "([") - (c in ")]")
            lowest = PRODUCT if depth == 0 and c == "*" else lowest
        return found[1], (rest[1:-1], 0) if _enclosed(rest) else (rest, lowest)

    def _turned(self, text: Text) -> str:
        """The transpose; of a transpose, what that is of."""
        closed, sign = self.closed(text), self.turned.format("")
        lower = _argument(text[0], LOWER.written)
        if lower is not None and lower.endswith(sign) and loosest(lower) >= ATOM:
            inner = lower.removesuffix(sign)
            return f"{UPPER.written}({inner[1:-1] if _enclosed(inner) else inner})"
        return closed.removesuffix(sign) if closed.endswith(sign) else self.turned.format(closed)

    def matrix_product(self, a: str, b: str) -> Text:
        return f"{a} @ {b}", PRODUCT

    def outer(self, a: Text, b: Text) -> Text:
        return f"outer({a[0]}, {b[0]})", ATOM

    def closed(self, text: Text) -> str:
        """A text that binds as an atom."""
        return text[0] if text[1] >= ATOM else self.bracketed(text[0])

    def bracketed(self, text: str) -> str:
        return f"({text})"

    def product(self, a: Text, b: Text) -> Text:
        """Cotangent times local factor; a factor that is a sum, a quotient or negative stands in brackets."""
        left = a[0] if a[1] >= PRODUCT else self.bracketed(a[0])
        whole = b[1] > PRODUCT or (b[1] == PRODUCT and self.is_product(b[0]))
        right = b[0] if whole and not b[0].startswith("-") else self.bracketed(b[0])
        return f"{left}{self.times}{right}", PRODUCT

    def is_product(self, text: str) -> bool:
        """True for a product that needs no brackets after a product sign: no quotient outside of brackets."""
        return not set("/@") & set(_outside(text))

    def is_chain(self, text: str) -> bool:
        """True for a product of matrices alone, which goes on to the right without brackets."""
        return " @ " in text and loosest(re.sub(" @ ", "", text)) >= ATOM

    def total(self, text: Text, type_: Type, to: Type) -> Text:
        """The sum over what was broadcast from `to`."""
        if type_.shape == to.shape:
            return text
        return self.written(TOTAL, (text,), (type_,), summed_axes(type_.shape, to.shape))


def _outside(text: str) -> str:
    """A text without what stands in brackets."""
    depth, found = 0, []
    for c in text:
        depth -= c in ")]"
        found += [c] * (depth == 0)
        depth += c in "(["
    return "".join(found)


def _argument(text: str, name: str) -> str | None:
    """x of name(x)."""
    inner = text.removeprefix(name)
    return inner[1:-1] if inner != text and inner.startswith("(") and _enclosed(inner) else None


def _enclosed(text: str) -> bool:
    """True where one pair of brackets holds all of a text."""
    depth = 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return text[0] == "(" and k == len(text) - 1
    return False


class LatexPen(Pen):
    """LaTeX, without the dollar signs."""

    times = " \\cdot "
    turned = "{}^{{T}}"

    def plain_atom(self, atom: Basic) -> Text:
        return atom_latex(atom)

    def derivative(self, d: Derivative) -> str:
        return f"\\frac{{\\partial {name_latex(d.value.name)}}}{{\\partial {name_latex(d.variable.name)}}}"

    def name(self, s: Symbol) -> str:
        return name_latex(s.name)

    def written(self, operation: Operation, texts: tuple[Text, ...], types: Types, statics: tuple[Any, ...]) -> Text:
        return operation_latex(operation, texts, types, statics)

    def matrix_product(self, a: str, b: str) -> Text:
        return f"{a} \\, {b}", PRODUCT

    def outer(self, a: Text, b: Text) -> Text:
        return f"{self.closed(a)} \\otimes {self.closed(b)}", PRODUCT

    def bracketed(self, text: str) -> str:
        return f"\\left({text}\\right)"

    def is_product(self, text: str) -> bool:
        return True

    def _flat(self, a: Text, b: Text) -> Text | None:
        return None

    def _quotient(self, reciprocal: Text, other: Text) -> Text | None:
        return None

    def apart(self, text: Text) -> tuple[str, Text]:
        return "", text

    def is_chain(self, text: str) -> bool:
        return False
