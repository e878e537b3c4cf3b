"""Operations about the program itself: derivatives inside it, sizes as numbers.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: derivatives are replaced by `differentiate`, `count` by a size as soon as it is read.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Integer

from graphc.errors import ShapeError
from graphc.graph.builder import Builder
from graphc.graph.operation import Operation, Parameter, Require
from graphc.graph.types import Size, Type, product, shape_text
from graphc.ops.elementwise import divide, elementwise, floor, head
from graphc.ops.lowering import Measure
from graphc.ops.shape import Inferred, axes_tuple
from graphc.ops.shape import elementwise as shaped


def _grad_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    value, variable = types
    if value.shape != ():
        hint = "sum(...) or mean(...) makes one of an array; an array has a jacobian(y, x)"
        raise ShapeError("only a scalar has a gradient", hint=hint)
    return Type(_real(variable).shape, "real"), ()


def _jacobian_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    value, variable = types
    return Type((*value.shape, *_real(variable).shape), "real"), ()


def _jvp_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    value, variable, direction = types
    _same_shape("direction", direction, "variable", _real(variable), require)
    return Type(value.shape, "real"), ()


def _vjp_infer(types: tuple[Type, ...], statics: tuple[Any, ...], require: Require) -> Inferred:
    value, variable, cotangent = types
    _same_shape("cotangent", cotangent, "value", value, require)
    return Type(_real(variable).shape, "real"), ()


def _real(variable: Type) -> Type:
    if variable.kind != "real":
        raise ShapeError(f"the variable is {variable.kind}; only real values have derivatives")
    return variable


def _same_shape(name: str, given: Type, owner: str, wanted: Type, require: Require) -> None:
    if given.rank != wanted.rank:
        raise ShapeError(
            f"the {name} has shape {shape_text(given.shape)}, the {owner} {shape_text(wanted.shape)}",
            hint=f"the {name} has the {owner}'s shape",
        )
    for a, b in zip(given.shape, wanted.shape, strict=True):
        require(a, b)


def _hessian(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    return builder.apply(jacobian, (builder.apply(grad, operands), operands[1]), (), name)


def _hvp(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    value, variable, direction = operands
    return builder.apply(jvp, (builder.apply(grad, (value, variable)), variable, direction), (), name)


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


def _floor_divide(builder: Builder, operands: tuple[Basic, ...], statics: tuple[Any, ...], name: str | None) -> Basic:
    return builder.apply(floor, (builder.apply(divide, operands),), (), name)


grad: Operation = Operation(
    name="grad", head=head("grad"), parameters=(Parameter("value"), Parameter("variable")), infer=_grad_infer,
    doc="Gradient of a scalar, in the shape of the variable.", latex="\\nabla_{{{1}}} {0}",
)  # fmt: skip
jacobian: Operation = Operation(
    name="jacobian", head=head("jacobian"), parameters=(Parameter("value"), Parameter("variable")),
    infer=_jacobian_infer, doc="All derivatives of an array, in the shape of the value followed by the variable's.",
    latex="\\frac{{\\partial {0}}}{{\\partial {1}}}",
)  # fmt: skip
jvp: Operation = Operation(
    name="jvp", head=head("jvp"), parameters=(Parameter("value"), Parameter("variable"), Parameter("direction")),
    infer=_jvp_infer, doc="Derivative of a value along a direction of the variable: the Jacobian times it, by forward mode.",
    latex="\\frac{{\\partial {0}}}{{\\partial {1}}} {2}",
)  # fmt: skip
vjp: Operation = Operation(
    name="vjp", head=head("vjp"), parameters=(Parameter("value"), Parameter("variable"), Parameter("cotangent")),
    infer=_vjp_infer, doc="A cotangent of the value times the Jacobian, in the shape of the variable, by reverse mode.",
    latex="{2}^T \\frac{{\\partial {0}}}{{\\partial {1}}}",
)  # fmt: skip
hessian: Operation = Operation(
    name="hessian", head=head("hessian"), parameters=(Parameter("value"), Parameter("variable")), infer=_grad_infer,
    doc="Second derivatives of a scalar, in the shape of the variable twice.", define=_hessian,
)  # fmt: skip
hvp: Operation = Operation(
    name="hvp", head=head("hvp"), parameters=(Parameter("value"), Parameter("variable"), Parameter("direction")),
    infer=_grad_infer, doc="The Hessian times a direction, in the shape of the variable.", define=_hvp,
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
floor_divide: Operation = Operation(
    name="floor_divide", head=head("floor_divide"), parameters=(Parameter("a"), Parameter("b")), infer=shaped("real"),
    doc="a/b rounded down; of a size and a number a size.", syntax="a // b", binding=divide.binding, hidden=True,
    define=_floor_divide,
)  # fmt: skip
count: Operation = Operation(
    name="count", head=head("count"), parameters=(Parameter("x"), Parameter("axis", "static", None)),
    infer=_size_infer, doc="Number of elements along axes.", define=_count,
)  # fmt: skip

DERIVATIVES = frozenset((grad, jacobian, jvp, vjp))  # what `differentiate` replaces
OPERATIONS = (grad, jacobian, hessian, jvp, vjp, hvp, stop_gradient, as_real, size_, floor_divide, count)
