"""Types of symbols: a shape of dimensions and a kind.

In: integers and names of sizes.  Out: `Type`, frozen and hashable.
Always holds: a dimension is an `int` where it is known, else a `Dim`, a polynomial with integer coefficients in the
names of sizes and in quotients rounded down, in one normal form, so that equal polynomials are equal objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias, Union

KINDS = ("bool", "int", "real")  # in the order of promotion
MOST_AXES = 32  # what every NumPy can hold


@dataclass(frozen=True)
class Quotient:
    """A dimension by a number, rounded down, where that is no polynomial; a factor like the name of a size.

    In normal form: no coefficient of the dividend is negative or as large as the divisor.
    """

    dividend: Dim
    divisor: int

    def __str__(self) -> str:
        text = str(self.dividend)
        return f"{text if is_name(self.dividend) else f'({text})'}//{self.divisor}"


Factor: TypeAlias = Union[str, Quotient]
Term: TypeAlias = tuple[tuple[Factor, ...], int]


@dataclass(frozen=True)
class Dim:
    """A polynomial in sizes and quotients: ((("n",), 1), ((), -1)) is n - 1.  Never constant: constants are `int`."""

    terms: tuple[Term, ...]

    def __add__(self, other: Size) -> Size:
        return _normal([*self.terms, *_terms(other)])

    __radd__ = __add__

    def __mul__(self, other: Size) -> Size:
        return _normal(
            [(tuple(sorted(a + b, key=str)), x * y) for a, x in self.terms for b, y in _terms(other)],
        )

    __rmul__ = __mul__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __rsub__(self, other: Size) -> Size:
        return -self + other

    def __floordiv__(self, divisor: int) -> Size:
        return _quotient(self, divisor)

    def __str__(self) -> str:
        (first, coefficient), *others = self.terms
        if coefficient == len(first) == 1 and not others:
            return str(first[0])
        text = ""
        for factors, coefficient in self.terms:
            shown = "*".join(f if isinstance(f, str) else f"({f})" for f in factors)
            size = abs(coefficient)
            term = str(size) if not shown else shown if size == 1 else f"{size}*{shown}"
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {term}" if text else f"-{term}" if coefficient < 0 else term
        return text


Size: TypeAlias = Union[int, Dim]


def _terms(size: Size) -> tuple[Term, ...]:
    return size.terms if isinstance(size, Dim) else (((), size),)


def _normal(terms: Iterable[Term]) -> Size:
    total: dict[tuple[Factor, ...], int] = {}
    for factors, coefficient in terms:
        total[factors] = total.get(factors, 0) + coefficient
    left = {factors: c for factors, c in total.items() if c}
    if not left:
        return 0
    if set(left) == {()}:
        return left[()]
    return Dim(tuple(sorted(left.items(), key=lambda item: (-len(item[0]), tuple(map(str, item[0]))))))


def _quotient(size: Size, divisor: int) -> Size:
    """size // divisor: what divides goes before the quotient, common factors go out of it, quotients in it are one."""
    whole = _normal((factors, c // divisor) for factors, c in _terms(size))
    rest = _normal((factors, c % divisor) for factors, c in _terms(size))
    if isinstance(rest, int):
        return whole
    common = gcd(divisor, *(c for factors, c in rest.terms if factors))
    rest, divisor = _normal((factors, c // common) for factors, c in rest.terms), divisor // common
    assert isinstance(rest, Dim)
    (factors, c), *constant = rest.terms
    if not (c == 1 and len(factors) == 1 and isinstance(factors[0], Quotient) and not any(f for f, _ in constant)):
        return whole + Dim((((Quotient(rest, divisor),), 1),))
    inner = factors[0]
    return whole + _quotient(inner.dividend + inner.divisor * sum(c for _, c in constant), inner.divisor * divisor)


def size_named(name: str) -> Dim:
    """The dimension that is the size `name` itself."""
    return Dim((((name,), 1),))


def the_name(size: Size) -> str | None:
    """The name of a dimension that is a size by itself."""
    if isinstance(size, int) or len(size.terms) > 1 or size.terms[0][1] != 1 or len(size.terms[0][0]) > 1:
        return None
    (factor,) = size.terms[0][0]
    return factor if isinstance(factor, str) else None


def is_name(size: Size) -> bool:
    """True for a size by itself, and for a number."""
    return isinstance(size, int) or the_name(size) is not None


def sizes_of(size: Size) -> set[str]:
    """Names of sizes that occur in a dimension."""
    if isinstance(size, int):
        return set()
    factors = {f for term, _ in size.terms for f in term}
    inner = (sizes_of(f.dividend) for f in factors if isinstance(f, Quotient))
    return {f for f in factors if isinstance(f, str)}.union(*inner)


def size_value(size: Size, sizes: Mapping[str, int]) -> int:
    """The number a dimension has when its sizes are known."""
    total = 0
    for factors, coefficient in _terms(size):
        for f in factors:
            coefficient *= sizes[f] if isinstance(f, str) else size_value(f.dividend, sizes) // f.divisor
        total += coefficient
    return total


def surely_different(a: Size, b: Size) -> bool:
    """True where two dimensions differ whatever the sizes are."""
    difference = a - b
    return isinstance(difference, int) and difference != 0


def surely_at_most(a: Size, b: Size) -> bool:
    """True where a <= b whatever the sizes are: no negative coefficient in b - a, where quotients that b - a has less of
    are as large as they may be, dividend/divisor."""
    left = b - a
    while (found := next(filter(_is_less_of_a_quotient, _terms(left)), None)) is not None:
        factors, c = found
        (q,) = factors
        assert isinstance(q, Quotient)
        left = left * q.divisor + (q.dividend - Dim(((factors, q.divisor),))) * c
    return all(c >= 0 for _, c in _terms(left))


def _is_less_of_a_quotient(term: Term) -> bool:
    factors, c = term
    return c < 0 and len(factors) == 1 and isinstance(factors[0], Quotient)


def product(sizes: Iterable[Size]) -> Size:
    """Product of dimensions; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def shape_text(shape: tuple[Size, ...]) -> str:
    """A shape as Python writes a tuple: (n, 784)."""
    inside = ", ".join(str(d) for d in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


@dataclass(frozen=True)
class Type:
    """Shape and kind of a symbol.  Kinds are bool, int and real; `compile` and `train` choose their width."""

    shape: tuple[Size, ...] = ()
    kind: str = "real"

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.kind}[{', '.join(str(d) for d in self.shape)}]"


def promote(kinds: Iterable[str]) -> str:
    """The widest of some kinds: bool < int < real."""
    found = set(kinds)
    return next(kind for kind in reversed(KINDS) if kind in found)
