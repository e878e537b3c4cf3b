"""The kinds of code an operation can be lowered to.

In: nothing.  Out: the classes that records fill in and the code generator reads.
Always holds: the code generator knows these kinds and no operation; `real` in a template is the program's float type,
`{0}`, `{1}` are the operands' elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.graph.operation import Lowering
from graphc.graph.types import Size

Element = Callable[[int, tuple[str, ...]], str]  # (operand, index) -> code that reads one element


@dataclass(frozen=True)
class Scalar(Lowering):
    """One element of the result from one element of each operand (right-aligned, as NumPy broadcasts).

    `cast` is the kind operands are converted to: "real", "same" (the widest of theirs), "none".
    `helpers` names functions of `ops.helpers` that the template calls; `special` may return another template for
    operands (some known to be numbers) and static arguments; `whole` is the template for whole numbers where it differs.
    `traced` is the template over the numbers of `ops.vector_math` where it differs, None where there is none;
    `weights`: the result is the sum of the operands times these; `scales`: it is the product of the operands.
    """

    template: str
    cast: str = "real"
    helpers: tuple[str, ...] = ()
    special: Callable[[tuple[Any, ...], tuple[Any, ...]], str | None] | None = None
    whole: str | None = None
    weights: tuple[int, ...] = ()
    scales: bool = False
    traced: str | None = ""


@dataclass(frozen=True)
class Access(Lowering):
    """The result is a rearrangement: `read(index, element, shapes, statics)` is code for one element of it.

    `permutes`: it only reorders axes, in the order that the first static argument says; `fills`: where it reads no
    element, its code is a real number, whatever kind the elements have.
    """

    read: Callable[[tuple[str, ...], Element, tuple[tuple[Size, ...], ...], tuple[Any, ...]], str]
    permutes: bool = False
    fills: bool = False


@dataclass(frozen=True)
class Alias(Lowering):
    """The result has the operand's elements in the operand's order: the same memory under another shape."""


@dataclass(frozen=True)
class Reduce(Lowering):
    """Elements along some axes are combined: `accumulator = combine(accumulator, element)`.

    The first static argument holds the axes.  `arguments`: the result is the place of the winner ({0} wins over {1}).
    `whole` is the template for whole numbers where it differs, `helpers` are as for `Scalar`.
    """

    identity: str
    combine: str
    arguments: bool = False
    whole: str | None = None
    helpers: tuple[str, ...] = ()

    def combination(self, kind: str) -> str:
        """The template for numbers of a kind."""
        return self.whole if kind == "int" and self.whole else self.combine


@dataclass(frozen=True)
class Contract(Lowering):
    """Products summed over the labels that the result does not have; the first static argument is the labels."""


@dataclass(frozen=True)
class Scatter(Lowering):
    """The transpose of an access: each element of operand 0 is added at `place(index, element, shapes, statics)`."""

    place: Callable[[tuple[str, ...], Element, tuple[tuple[Size, ...], ...], tuple[Any, ...]], tuple[str, ...]]


@dataclass(frozen=True)
class Routine(Lowering):
    """The result is computed by a function of the generated module's library on whole arrays in memory.

    It is called with `arguments(shapes, statics)`, whole numbers, the operands' memory and the result's.
    """

    name: str
    arguments: Callable[[tuple[tuple[Size, ...], ...], tuple[Any, ...]], tuple[Size, ...]]


@dataclass(frozen=True)
class Measure(Lowering):
    """The number a dimension has; the first static argument is the dimension."""
