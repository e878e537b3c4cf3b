"""The one table of folding: what an operation on known atoms is, without an equation.

In: a builder, operands, static arguments and the result's type.  Out: an atom, or None.
Always holds: arithmetic is exact and bounded (no number longer than `LIMIT` bits is ever computed); identities are
used only where the builder simplifies, and only if the result has the operand's shape (the builder checks).
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer, Number, Rational, S, integer_nthroot

from graphc.errors import ParseError
from graphc.graph.builder import Builder
from graphc.graph.types import Type

LIMIT = 2048
Operands = tuple[Basic, ...]


def _exact(b: Builder, value: Any) -> Basic | None:
    """The number, if it is a fraction of bounded length; ParseError if it fits no floating-point number."""
    if value.p.bit_length() - value.q.bit_length() > 1024:
        if b.simplify:
            return None
        raise ParseError(
            "this number is too large for a floating-point number", hint="the largest is about 1.8e308; inf is infinity"
        )
    return value if value.p.bit_length() <= LIMIT and value.q.bit_length() <= LIMIT else None


def _rational(*atoms: Basic) -> bool:
    return all(a.is_Rational for a in atoms)


def add(b: Builder, x: Operands, _s: Any, t: Type) -> Basic | None:
    if _rational(*x):
        return _exact(b, x[0] + x[1])
    if b.simplify:
        if x[0] is S.Zero:
            return x[1]
        if x[1] is S.Zero:
            return x[0]
        if t.shape:
            from graphc.ops.written import added_rows

            return added_rows(b, *x)
    return None


def subtract(b: Builder, x: Operands, _s: Any, _t: Type) -> Basic | None:
    if _rational(*x):
        return _exact(b, x[0] - x[1])
    if b.simplify:
        if x[1] is S.Zero:
            return x[0]
        if x[0] == x[1] and x[0].is_Symbol and b.type_of(x[0]).shape == ():
            return Integer(0)
    return None


def multiply(b: Builder, x: Operands, _s: Any, t: Type) -> Basic | None:
    if _rational(*x):
        return _exact(b, x[0] * x[1])
    if b.simplify:
        if x[0] is S.One and b.type_of(x[1]) == t:
            return x[1]
        if x[1] is S.One and b.type_of(x[0]) == t:
            return x[0]
        if S.Zero in x and not any(a.is_infinite for a in x if not a.is_Symbol):
            return Integer(0)
        if t.shape:
            from graphc.ops.written import scaled_rows

            return scaled_rows(b, *x) or scaled_rows(b, *reversed(x))
    return None


def divide(b: Builder, x: Operands, _s: Any, t: Type) -> Basic | None:
    if _rational(*x) and x[1] is not S.Zero:
        return _exact(b, x[0] / x[1])
    if b.simplify:
        if x[1] is S.One and b.type_of(x[0]) == t:
            return x[0]
        if x[0] is S.Zero and x[1] is not S.Zero:
            return Integer(0)
    return None


def negate(b: Builder, x: Operands, _s: Any, _t: Type) -> Basic | None:
    if _rational(*x) or x[0] in (S.Infinity, S.NegativeInfinity):
        return -x[0]
    return None


def power(b: Builder, x: Operands, _s: Any, t: Type) -> Basic | None:
    base, exponent = x
    if _rational(base) and exponent.is_Integer and not (base == 0 and exponent < 0):
        bits = max(base.p.bit_length(), base.q.bit_length()) * abs(int(exponent))
        if base in (0, 1, -1) or bits <= LIMIT:
            return _exact(b, Rational(base.p, base.q) ** int(exponent))
        raise ParseError(
            f"{_short(base)}^{_short(exponent)} is a number of more than {LIMIT} bits",
            hint="a program's numbers must fit a floating-point number",
        )
    if b.simplify and exponent is S.One and b.type_of(base) == t:
        return base
    return None


def _short(value: Number) -> str:
    return str(value) if value.p.bit_length() + value.q.bit_length() < 200 else "(a long number)"


def known(special: tuple[tuple[tuple[Any, ...], Any], ...]) -> Any:
    """Folding of a function by its special points, where these are whole numbers: exp(0) is 1."""
    values = {arguments: value for arguments, value in special if all(_is_whole(v) for v in (*arguments, value))}

    def fold(b: Builder, x: Operands, s: Any, _t: Type) -> Basic | None:
        if not b.simplify or s not in ((), (0,)) or not all(a.is_Integer for a in x):
            return None
        found = values.get(tuple(int(a) for a in x))
        return None if found is None else Integer(int(found))

    return fold if values else None


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and abs(value) < 1e15 and value == int(value)


def root(n: int) -> Any:
    """Folding of the n-th root of a rational number, where that is rational."""

    def fold(b: Builder, x: Operands, _s: Any, _t: Type) -> Basic | None:
        (a,) = x
        if not b.simplify or not a.is_Rational or a < 0:
            return None
        above, below = (integer_nthroot(int(v), n) for v in (a.p, a.q))
        return Rational(above[0], below[0]) if above[1] and below[1] else None

    return fold


def logarithm(b: Builder, x: Operands, _s: Any, _t: Type) -> Basic | None:
    """log(1) = 0, log(e) = 1."""
    return {S.One: S.Zero, S.Exp1: S.One}.get(x[0]) if b.simplify else None
