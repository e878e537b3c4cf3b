"""Operations about the program itself: gradients inside it, sizes as numbers.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: `grad` is replaced by `differentiate`, `count` by a size as soon as it is read.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer

from graphc.errors import ShapeError
from graphc.graph.builder import Builder
from graphc.graph.operation import Operation, Parameter, Require
from graphc.graph.types import Size, Type, product
from graphc.ops.elementwise import elementwise, head
from graphc.ops.lowering import Measure
from graphc.ops.shape import Inferred, axes_tuple


def _grad_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    value, variable = types
    if value.shape != ():
        raise ShapeError("only a scalar has a gradient", hint="sum(...) or mean(...) makes one of an array")
    if variable.kind != "real":
        raise ShapeError(f"the variable is {variable.kind}; only real values have gradients")
    return Type(variable.shape, "real"), ()


def _size_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    return Type((), "int"), statics


def size_atom(builder: Builder, size: Size, name: str | None = None) -> Basic:
    """A dimension as a number of the program."""
    if isinstance(size, int):
        return builder.bind(name, Integer(size))
    return builder.apply(size_, (), (size,), name)


def _count(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    shape = builder.type_of(operands[0]).shape
    axes = axes_tuple(statics[0], len(shape))
    return size_atom(builder, product(shape[i] for i in axes), name)


grad: Operation = Operation(
    name="grad", head=head("grad"), parameters=(Parameter("value"), Parameter("variable")), infer=_grad_infer,
    doc="Gradient of a scalar, in the shape of the variable.", latex="\\nabla_{{{1}}} {0}",
)  # fmt: skip
stop_gradient: Operation = elementwise(
    "stop_gradient", "x", "x itself, as a constant for derivatives.", "{0}", kind="same", cast="same",
    partials=lambda y, x: (None,), reference=lambda x: x, exact=lambda mp, x: x,
)  # fmt: skip
as_real: Operation = elementwise(
    "as_real", "x", "The same number as a real one, of an int or a bool.", "{0}",
    partials=lambda y, x: (1,), reference=lambda x: _to_float(x), exact=lambda mp, x: mp.mpf(x), latex="{0}",
)  # fmt: skip


def _to_float(x: Any) -> Any:
    import numpy

    return x if getattr(x, "dtype", None) is not None and x.dtype.kind == "f" else numpy.asarray(x, float)


size_: Operation = Operation(
    name="size", head=head("size"), parameters=(Parameter("dimension", "static"),), infer=_size_infer, hidden=True,
    doc="A symbolic size as a number.", lowering=Measure(), reference=lambda size: size,
    show=lambda texts, types, s: str(s[0]), latex="{s0}",
)  # fmt: skip
count: Operation = Operation(
    name="count", head=head("count"), parameters=(Parameter("x"), Parameter("axis", "static", None)),
    infer=_size_infer, doc="Number of elements along axes.", define=_count,
)  # fmt: skip

OPERATIONS = (grad, stop_gradient, as_real, size_, count)
