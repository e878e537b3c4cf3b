"""Types of symbols: a shape of dimensions and a kind.

In: integers and names of sizes.  Out: `Type`, frozen and hashable.
Always holds: a dimension is an `int` where it is known, else a `Dim`, a polynomial with integer coefficients in the
names of sizes, in one normal form, so that equal dimensions are equal objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, Union

KINDS = ("bool", "int", "real")  # in the order of promotion


@dataclass(frozen=True)
class Dim:
    """A polynomial in sizes: ((("n",), 1), ((), -1)) is n - 1.  Never constant: constants are `int`."""

    terms: tuple[tuple[tuple[str, ...], int], ...]

    def __add__(self, other: Size) -> Size:
        return _normal([*self.terms, *_terms(other)])

    __radd__ = __add__

    def __mul__(self, other: Size) -> Size:
        return _normal(
            [(tuple(sorted(a + b)), x * y) for a, x in self.terms for b, y in _terms(other)],
        )

    __rmul__ = __mul__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __rsub__(self, other: Size) -> Size:
        return -self + other

    def __str__(self) -> str:
        text = ""
        for names, coefficient in self.terms:
            factors = "*".join(names)
            size = abs(coefficient)
            term = str(size) if not factors else factors if size == 1 else f"{size}*{factors}"
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {term}" if text else f"-{term}" if coefficient < 0 else term
        return text


Size: TypeAlias = Union[int, Dim]


def _terms(size: Size) -> tuple[tuple[tuple[str, ...], int], ...]:
    return size.terms if isinstance(size, Dim) else (((), size),)


def _normal(terms: Iterable[tuple[tuple[str, ...], int]]) -> Size:
    total: dict[tuple[str, ...], int] = {}
    for names, coefficient in terms:
        total[names] = total.get(names, 0) + coefficient
    left = {names: c for names, c in total.items() if c}
    if not left:
        return 0
    if set(left) == {()}:
        return left[()]
    return Dim(tuple(sorted(left.items(), key=lambda item: (-len(item[0]), item[0]))))


def size_named(name: str) -> Dim:
    """The dimension that is the size `name` itself."""
    return Dim((((name,), 1),))


def is_name(size: Size) -> bool:
    """True for a size by itself, and for a number."""
    return isinstance(size, int) or (len(size.terms) == 1 and size.terms[0][1] == 1 and len(size.terms[0][0]) == 1)


def sizes_of(size: Size) -> set[str]:
    """Names of sizes that occur in a dimension."""
    return set() if isinstance(size, int) else {name for names, _ in size.terms for name in names}


def size_value(size: Size, sizes: Mapping[str, int]) -> int:
    """The number a dimension has when its sizes are known."""
    total = 0
    for names, coefficient in _terms(size):
        for name in names:
            coefficient *= sizes[name]
        total += coefficient
    return total


def quotient_up(size: Size, divisor: int) -> Size | None:
    """size/divisor, rounded up, for a positive divisor; None where that is no polynomial: of 2*n + 1 and 2 it is n + 1."""
    constant = sum(c for names, c in _terms(size) if not names)
    others = [(names, c) for names, c in _terms(size) if names]
    if any(c % divisor for _, c in others):
        return None
    return _normal([*((names, c // divisor) for names, c in others), ((), -(-constant // divisor))])


def surely_different(a: Size, b: Size) -> bool:
    """True where two dimensions differ whatever the sizes are."""
    difference = a - b
    return isinstance(difference, int) and difference != 0


def surely_at_most(a: Size, b: Size) -> bool:
    """True where a <= b whatever the sizes (each at least 1) are: no negative coefficient in b - a."""
    return all(c >= 0 for _, c in _terms(b - a))


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
