"""Numbers in LLVM: conversion, comparison and arithmetic as generated code means them.

In: values, and a builder that stands where the instructions go.  Out: values.
Always holds: a value has one kind; whole numbers are 64 bits, `//` and `%` are Python's, a whole number beside a real
one is real; real numbers have the flags of the function that is written, never nnan or ninf: NaN must stay NaN.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

# No `arcp` but for constants: the reciprocal of a subnormal number is infinite, and that of a root of 0 is not a number in
# the form that LLVM gives it.
FAST = ("reassoc", "contract", "nsz")

TYPES: dict[str, Any] = {
    "float64": ir.DoubleType(), "float32": ir.FloatType(), "int": ir.IntType(64), "uint": ir.IntType(64),
    "bool": ir.IntType(1), "byte": ir.IntType(8), "int32": ir.IntType(32),
}  # fmt: skip
FLOATS = ("float32", "float64")
BUILT_IN = ("abs", "min", "max")
_LIBRARY = {"gamma": "tgamma", "lgamma": "lgamma", "tan": "tan", "erf": "erf", "erfc": "erfc"}
_INTRINSICS = {
    "abs": "fabs",
    "floor": "floor",
    "ceil": "ceil",
    "rint": "rint",
    "sin": "sin",
    "cos": "cos",
    "exp": "exp",
    "log": "log",
}
_SIGNS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_OPERATIONS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.RShift: "lshr", ast.BitXor: "xor",
    ast.BitAnd: "and_", ast.BitOr: "or_",
}  # fmt: skip
_EXACT = ("add", "sub", "mul")  # whole numbers that generated code computes do not overflow


@dataclass(frozen=True)
class Value:
    """A number, or memory of numbers (`memory`), in LLVM; `known`: the number itself where it is a literal."""

    kind: str
    value: Any
    memory: bool = False
    known: int | float | None = None


def constant(kind: str, number: float) -> Value:
    """A literal."""
    shown = float(np.float32(number)) if kind == "float32" else float(number) if kind == "float64" else int(number)
    return Value(kind, ir.Constant(TYPES[kind], shown), known=number)


def common_kind(kinds: set[str]) -> str:
    """The kind that numbers have in common: a whole number beside a float32 is a float64."""
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds & set(FLOATS):
        return "float64"
    return "uint" if "uint" in kinds else "int"


class Arithmetic:
    """Operations of numbers, written by `builder`."""

    def __init__(self, builder: Any, flags: tuple[str, ...]) -> None:
        self.builder, self.flags = builder, flags

    def cast(self, v: Value, kind: str) -> Value:
        """A number as another kind."""
        if v.kind == kind:
            return v
        if v.known is not None and kind != "bool":
            return constant(kind, v.known)
        build, type_, value = self.builder, TYPES[kind], v.value
        if kind == "bool":
            compare = build.fcmp_unordered if v.kind in FLOATS else build.icmp_signed
            return Value(kind, compare("!=", value, constant(v.kind, 0).value))
        if kind in FLOATS:
            if v.kind in FLOATS:
                return Value(kind, build.fpext(value, type_) if kind == "float64" else build.fptrunc(value, type_))
            unsigned = v.kind in ("bool", "byte", "uint")
            return Value(kind, (build.uitofp if unsigned else build.sitofp)(value, type_))
        if v.kind in FLOATS:
            return Value(kind, build.fptosi(value, type_))
        if type_.width == value.type.width:
            return Value(kind, value)
        longer = build.sext if v.kind == "int32" else build.zext
        return Value(kind, build.trunc(value, type_) if type_.width < value.type.width else longer(value, type_))

    def compared(self, operator: ast.cmpop, left: Value, right: Value) -> Any:
        """A comparison as one bit."""
        kind, sign = common_kind({left.kind, right.kind}), _SIGNS[type(operator)]
        a, b = self.cast(left, kind).value, self.cast(right, kind).value
        if kind in FLOATS:
            compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
            return compare(sign, a, b, flags=self.flags)
        return (self.builder.icmp_unsigned if kind == "uint" else self.builder.icmp_signed)(sign, a, b)

    def negated(self, v: Value) -> Value:
        """-v."""
        if v.known is not None:
            return constant(v.kind, -v.known)
        if v.kind in FLOATS:
            return Value(v.kind, self.builder.fneg(v.value, flags=self.flags))
        return Value("int", self.builder.sub(constant("int", 0).value, self.cast(v, "int").value, flags=("nsw",)))

    def computed(self, operator: ast.operator, a: Value, b: Value) -> Value:
        """a operator b."""
        if isinstance(operator, ast.Pow):
            return self.intrinsic("pow", [self.cast(a, "float64"), self.cast(b, "float64")])
        kind = common_kind({a.kind, b.kind})
        kind = "float64" if isinstance(operator, ast.Div) and kind not in FLOATS else kind
        if isinstance(operator, ast.Div) and a.known is not None and b.known and kind == "float64":
            return constant(kind, a.known / b.known)
        x, y = self.cast(a, kind), self.cast(b, kind)
        if isinstance(operator, (ast.FloorDiv, ast.Mod)):
            return self._remainder(x, y) if kind in FLOATS else self._divided(x, y, isinstance(operator, ast.Mod))
        name = _OPERATIONS[type(operator)]
        if kind in FLOATS:
            by_constant = isinstance(operator, ast.Div) and self.flags and y.known
            fast = (*self.flags, "arcp") if by_constant else self.flags
            return Value(kind, getattr(self.builder, f"f{name}")(x.value, y.value, flags=fast))
        flags = {"flags": ("nsw",)} if kind == "int" and name in _EXACT else {}
        return Value(kind, getattr(self.builder, name)(x.value, y.value, **flags))

    def _remainder(self, a: Value, b: Value) -> Value:
        """Of real numbers, with the divisor's sign."""
        build, zero = self.builder, constant(a.kind, 0)
        rest = build.frem(a.value, b.value)
        none = build.fcmp_ordered("==", rest, zero.value)
        apart = build.xor(build.fcmp_ordered("<", rest, zero.value), build.fcmp_ordered("<", b.value, zero.value))
        moved = build.select(apart, build.fadd(rest, b.value), rest)
        return Value(a.kind, build.select(none, self.intrinsic("copysign", [zero, b]).value, moved))

    def _divided(self, a: Value, b: Value, remainder: bool) -> Value:
        """Quotient of whole numbers, rounded down, or what remains; nothing is divided by 0."""
        build, zero, one = self.builder, constant(a.kind, 0).value, constant(a.kind, 1).value
        if a.kind == "uint":
            return Value("uint", (build.urem if remainder else build.udiv)(a.value, b.value))
        divisor = build.select(build.icmp_signed("==", b.value, zero), one, b.value)
        rest = build.srem(a.value, divisor)
        apart = build.icmp_signed("<", build.xor(rest, divisor), zero)
        apart = build.and_(apart, build.icmp_signed("!=", rest, zero))
        if remainder:
            return Value("int", build.select(apart, build.add(rest, divisor), rest))
        quotient = build.sdiv(a.value, divisor)
        return Value("int", build.select(apart, build.sub(quotient, one), quotient))

    def mathematics(self, name: str, arguments: list[Value]) -> Value:
        """abs, min and max, and the functions of `math` that traced code has none for."""
        kind = common_kind({a.kind for a in arguments})
        values = [self.cast(a, kind) for a in arguments]
        compare = self.builder.fcmp_ordered if kind in FLOATS else self.builder.icmp_signed
        if name in ("min", "max"):
            a, b = (v.value for v in values)
            return Value(kind, self.builder.select(compare("<" if name == "min" else ">", b, a), b, a))
        if name == "abs" and kind not in FLOATS:
            x = values[0].value
            negative = compare("<", x, constant(kind, 0).value)
            return Value(kind, self.builder.select(negative, self.builder.neg(x), x))
        if name in _INTRINSICS:
            return self.intrinsic(_INTRINSICS[name], values)
        wide, double = self.cast(values[0], "float64").value, TYPES["float64"]
        function = self.declared(_LIBRARY[name], ir.FunctionType(double, [double]))
        return self.cast(Value("float64", self.builder.call(function, [wide])), kind)

    def intrinsic(self, name: str, arguments: list[Value]) -> Value:
        """A function that LLVM knows."""
        types = [a.value.type for a in arguments]
        function = self.builder.module.declare_intrinsic(f"llvm.{name}", types[:1], ir.FunctionType(types[0], types))
        return Value(arguments[0].kind, self.builder.call(function, [a.value for a in arguments]))

    def declared(self, name: str, type_: Any) -> Any:
        """A function of a library."""
        module = self.builder.module
        return module.globals.get(name) or ir.Function(module, type_, name)
