"""Vector math as LLVM IR: a function over numbers is run once over traced ones, and what it does is the code.

In: functions written with the operators and methods of `Traced`.  Out: the instructions, where the numbers' builder
stands.
Always holds: straight-line code without calls to a library, of numbers or of vectors, so that LLVM vectorises the loop
around it; no operation may be reassociated, whatever the fast-math flags of the caller; equal methods of `codegen.plain_number.Plain` give the same
results in plain Python.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir

from graphc.codegen.plain_number import two_over_pi

_INT, _LONG = ir.IntType(32), ir.IntType(64)
# Numba, where it compiles the caller, adds the caller's flags to every instruction that has none.  `contract` lets a
# product and a sum be one fused operation; `arcp` says nothing about products and sums: it keeps them as they are written.
_FUSED, _ALONE = ("contract",), ("arcp",)
# A quotient by a constant is a product; by a number it is not: the reciprocal of a subnormal number overflows.
_RECIPROCAL = ("contract", "arcp")


@cache
def has_fused_product() -> bool:
    """Whether the processor has a fused product and sum; else `llvm.fma` would be a call."""
    if platform.machine().lower() in ("x86_64", "amd64", "i686"):
        return bool(binding.get_host_cpu_features().get("fma"))
    return platform.machine().lower() in ("aarch64", "arm64")


class _Flags(ir.instructions.FastMathFlags):  # type: ignore[misc]
    """Flags of a call, closed: with `reassoc` a fused product that gives the error of a rounded one would be 0."""

    def __init__(self, flags: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.update(flags)

    def add(self, flag: str) -> None:
        """Nothing is added."""


def constant_of(type_: Any, number: float) -> Any:
    """A constant of a type, in every element of a vector."""
    if isinstance(type_, ir.VectorType):
        return ir.Constant(type_, [ir.Constant(type_.element, number)] * type_.count)
    return ir.Constant(type_, number)


def element_of(type_: Any) -> Any:
    """The type of a vector's elements; of a number, its own."""
    return type_.element if isinstance(type_, ir.VectorType) else type_


class Truth:
    """A comparison's result; `like` is one of the numbers compared."""

    def __init__(self, value: Any, like: Traced) -> None:
        self.value, self.like, self.builder = value, like, like.builder

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.builder.and_(self.value, other.value), self.like)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.builder.or_(self.value, other.value), self.like)

    def __xor__(self, other: Truth) -> Truth:
        return Truth(self.builder.xor(self.value, other.value), self.like)

    def __invert__(self) -> Truth:
        return Truth(self.builder.not_(self.value), self.like)

    def real(self, number: float) -> Traced:
        """A constant of the type of the numbers compared."""
        return self.like.real(number)

    def number(self) -> Traced:
        """1 where true, else 0."""
        return self.select(1.0, 0.0)

    def select(self, a: Traced | float, b: Traced | float) -> Traced:
        """a where true, else b."""
        like = a if isinstance(a, Traced) else b if isinstance(b, Traced) else self.like
        return like._with(self.builder.select(self.value, like._operand(a), like._operand(b)))


class Traced:
    """A floating-point number that is known when the code runs, or a vector of such."""

    __array_ufunc__ = None  # NumPy's numbers leave operations with it to it

    def __init__(self, builder: Any, value: Any, fused: bool) -> None:
        self.builder, self.value, self.fused = builder, value, fused

    @property
    def single(self) -> bool:
        """Whether it has 24 bits, else 53."""
        return isinstance(element_of(self.value.type), ir.FloatType)

    @property
    def known(self) -> float | None:
        """The number, where it is known when the code is written."""
        if not isinstance(self.value, ir.Constant):
            return None
        return float(self.value.constant[0].constant if self.lanes else self.value.constant)

    @property
    def lanes(self) -> int:
        """How many numbers a vector has; 0 for a number."""
        return self.value.type.count if isinstance(self.value.type, ir.VectorType) else 0

    def _with(self, value: Any) -> Traced:
        return Traced(self.builder, value, self.fused)

    def _operand(self, other: Traced | float) -> Any:
        if isinstance(other, Traced):
            return other.value
        return constant_of(self.value.type, float(np.float32(other)) if self.single else float(other))

    def real(self, number: float) -> Traced:
        """A constant of the same type."""
        return self._with(self._operand(number))

    def _call(self, name: str, *others: Traced | float, flags: tuple[str, ...] = ()) -> Traced:
        """An intrinsic of LLVM, of numbers of one type."""
        values = [self.value, *(self._operand(o) for o in others)]
        name = f"{name}.{f'v{self.lanes}' if self.lanes else ''}{element_of(self.value.type).intrinsic_name}"
        function = self.builder.module.globals.get(name)
        if function is None:
            type_ = ir.FunctionType(self.value.type, [v.type for v in values])
            function = ir.Function(self.builder.module, type_, name)
        result = self.builder.call(function, values)
        result.fastmath = _Flags(flags)
        return self._with(result)

    # --- arithmetic and comparison -----------------------------------------------------------------------------

    def _arithmetic(self, name: str, a: Any, b: Any, flags: tuple[str, ...] = _FUSED) -> Traced:
        return self._with(getattr(self.builder, name)(a, b, flags=flags))

    def __add__(self, other: Traced | float) -> Traced:
        return self._arithmetic("fadd", self.value, self._operand(other))

    def __radd__(self, other: float) -> Traced:
        return self._arithmetic("fadd", self._operand(other), self.value)

    def __sub__(self, other: Traced | float) -> Traced:
        return self._arithmetic("fsub", self.value, self._operand(other))

    def __rsub__(self, other: float) -> Traced:
        return self._arithmetic("fsub", self._operand(other), self.value)

    def __mul__(self, other: Traced | float) -> Traced:
        return self._arithmetic("fmul", self.value, self._operand(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Traced | float) -> Traced:
        flags = _FUSED if isinstance(other, Traced) else _RECIPROCAL
        return self._arithmetic("fdiv", self.value, self._operand(other), flags)

    def __rtruediv__(self, other: float) -> Traced:
        return self._arithmetic("fdiv", self._operand(other), self.value)

    def __neg__(self) -> Traced:
        return self._with(self.builder.fneg(self.value, flags=_FUSED))

    def _compare(self, sign: str, other: Traced | float) -> Truth:
        compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return Truth(compare(sign, self.value, self._operand(other), flags=_FUSED), self)

    def __lt__(self, other: Traced | float) -> Truth:
        return self._compare("<", other)

    def __le__(self, other: Traced | float) -> Truth:
        return self._compare("<=", other)

    def __gt__(self, other: Traced | float) -> Truth:
        return self._compare(">", other)

    def __ge__(self, other: Traced | float) -> Truth:
        return self._compare(">=", other)

    def __eq__(self, other: Traced | float) -> Truth:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Traced | float) -> Truth:  # type: ignore[override]
        return self._compare("!=", other)

    def __abs__(self) -> Traced:
        digits = (1 << (31 if self.single else 63)) - 1
        return self._real(self.builder.and_(self._bits(), self._constant(digits)))

    def rint(self) -> Traced:
        """The nearest whole number, halves to even."""
        return self._call("llvm.rint")

    def maximum(self, other: Traced | float) -> Traced:
        """The larger, NaN if one is; LLVM vectorises it also where it finds the largest of many."""
        return self._call("llvm.maximum", other, flags=("nsz",))

    def minimum(self, other: Traced | float) -> Traced:
        """The smaller, NaN if one is."""
        return self._call("llvm.minimum", other, flags=("nsz",))

    def square_root(self) -> Traced:
        """Square root, correctly rounded."""
        return self._call("llvm.sqrt")

    # --- sums and products without error -----------------------------------------------------------------------

    def sum(self, other: Traced | float) -> tuple[Traced, Traced]:
        """Rounded sum and its error, where |self| >= |other| or self is 0 (Dekker 1971)."""
        b = self._operand(other)
        total = self._arithmetic("fadd", self.value, b, _ALONE)
        moved = self._arithmetic("fsub", total.value, self.value, _ALONE)
        return total, self._arithmetic("fsub", b, moved.value, _ALONE)

    def difference(self, other: Traced) -> tuple[Traced, Traced]:
        """Rounded difference and its error, for numbers of any size (Knuth 1969)."""

        def minus(a: Traced, b: Traced) -> Traced:
            return self._arithmetic("fsub", a.value, b.value, _ALONE)

        total = minus(self, other)
        moved = minus(self, total)
        return total, minus(
            minus(self, self._arithmetic("fadd", total.value, moved.value, _ALONE)), minus(other, moved)
        )

    def product(self, other: Traced | float) -> tuple[Traced, Traced]:
        """Rounded product and its error; without a fused operation by halves (Dekker 1971)."""
        b = self._with(self._operand(other))
        rounded = self._arithmetic("fmul", self.value, b.value, _ALONE)
        if self.fused:
            return rounded, self._times_plus(b, -rounded)
        (a1, a2), (b1, b2) = self.halves(), b.halves()
        return rounded, ((a1 * b1 - rounded) + a1 * b2 + a2 * b1) + a2 * b2

    def _times_plus(self, factor: Traced | float, summand: Traced) -> Traced:
        """The fused product and sum, rounded once."""
        return self._call("llvm.fma", factor, summand)

    def less_product(self, other: Traced, factor: float) -> Traced:
        """self - other * factor, rounded once, in single precision."""
        if self.fused:
            return (-other)._times_plus(factor, self)
        return (self.wide() - other.wide() * float(np.float32(factor))).like(self)

    def halves(self) -> tuple[Traced, Traced]:
        """Upper half of the digits, and the rest: products of such halves are exact."""
        kept = -(1 << 12) if self.single else -(1 << 27)
        upper = self._real(self.builder.and_(self._bits(), self._constant(kept)))
        return upper, self - upper

    # --- digits, exponents, signs ------------------------------------------------------------------------------

    @property
    def _whole(self) -> Any:
        return self._of(_INT if self.single else _LONG)

    def _bits(self) -> Any:
        return self.builder.bitcast(self.value, self._whole)

    def _real(self, bits: Any) -> Traced:
        return self._with(self.builder.bitcast(bits, self.value.type))

    @property
    def _place(self) -> int:
        """Where the exponent begins."""
        return 23 if self.single else 52

    @property
    def _bias(self) -> int:
        return 127 if self.single else 1023

    def _constant(self, whole: int) -> Any:
        return constant_of(self._whole, whole)

    def _last_bits(self, offset: float = 0.0) -> Any:
        """A whole number whose last bits are those of self + offset: 1.5 2^52 added moves a unit to the last place."""
        return (self + (1.5 * 2.0**self._place + offset))._bits()

    def copysign(self, other: Traced) -> Traced:
        """|self| with the other's sign."""
        sign = self._constant(1 << (31 if self.single else 63))
        magnitude = abs(self)._bits()
        return self._real(self.builder.or_(magnitude, self.builder.and_(other._bits(), sign)))

    def bit(self, k: int) -> Truth:
        """Bit k of a whole number below 2^22 (2^51), in two's complement."""
        kept = self.builder.and_(self._last_bits(), self._constant(1 << k))
        return Truth(self.builder.icmp_signed("!=", kept, self._constant(0)), self)

    def negated(self, n: Traced) -> Traced:
        """-self where bit 1 of n is 1, for n as in `bit`."""
        sign = 31 if self.single else 63
        moved = self.builder.shl(n._last_bits(), self._constant(sign - 1))
        return self._real(self.builder.xor(self._bits(), self.builder.and_(moved, self._constant(1 << sign))))

    def ldexp(self, n: Traced) -> Traced:
        """self * 2^n for whole n from -1150 to 1039 (-190 to 135) and self that is near 1.

        By 2^(n/2) twice, so that overflow and subnormal results are rounded once.
        """
        b, place = self.builder, self._constant(self._place)
        whole = n._last_bits(2 * self._bias)
        half = b.lshr(whole, self._constant(1))
        return self * self._real(b.shl(half, place)) * self._real(b.shl(b.sub(whole, half), place))

    def exp2(self, offset: float = 0.0) -> Traced:
        """2^(self + offset) for a whole number that is a normal number's exponent; 0 for one less, infinity for one more."""
        return self._real(self.builder.shl(self._last_bits(self._bias + offset), self._constant(self._place)))

    def frexp(self, normal: bool = False) -> tuple[Traced, Traced]:
        """m from sqrt(1/2) to sqrt(2) and whole k with self = m * 2^k, for finite self > 0, which may be `normal`."""
        b, place, bias = self.builder, self._place, self._bias
        root = 0x3F3504F3 if self.single else 0x3FE6A09E667F3BCD  # the digits of sqrt(1/2)
        small = self < 2.0 ** (1 - bias)
        lift = 0.0 if normal else place + 2.0
        bits = (self if normal else small.select(self * 2.0**lift, self))._bits()
        moved = b.add(bits, self._constant((bias << place) - root))
        m = self._real(b.add(b.and_(moved, self._constant((1 << place) - 1)), self._constant(root)))
        # the exponent as the last bits of a number that is 2^52 larger
        large = self._real(b.or_(b.lshr(moved, self._constant(place)), self.real(2.0**place)._bits()))
        offset = self.real(2.0**place + bias)
        return m, large - (offset if normal else small.select(offset + lift, offset))

    # --- what is seldom needed ---------------------------------------------------------------------------------

    def rarely(self, result: Traced, bound: float, function: Callable[[Traced], Traced]) -> Traced:
        """The result where |self| <= bound, else function(self), which costs time only where it is needed.

        There the result may be anything, also what LLVM calls poison (a conversion out of range): it is not chosen.
        A branch would keep LLVM from vectorising the loop, a call to a function that has vector variants does not:
        they test all elements at once.
        """
        rare = rare_function(self.builder.module, self.value.type, self.fused, bound, function)
        call = self.builder.call(rare, [self.value, result.value])
        call.fastmath = _Flags()
        return self._with(call)

    def large_angle(self) -> tuple[Traced, Traced, Traced]:
        """Whole n from -3 to 3, r and its error with self = (n + 4 j) pi/2 + r (Payne and Hanek 1983).

        The digits of 2/pi that matter are 192 bits of a table; the product with the 53 digits of self is exact, and
        right to 2^-137 quarter turns.
        """
        b, wide = self.builder, ir.IntType(192)
        bits = self._bits()
        exponent = b.and_(b.lshr(bits, ir.Constant(_LONG, 52)), ir.Constant(_LONG, 0x7FF))
        digits = b.or_(b.and_(bits, ir.Constant(_LONG, (1 << 52) - 1)), ir.Constant(_LONG, 1 << 52))
        # self = digits 2^(exponent - 1075); the table is 2/pi 2^1200, little end first
        low = b.sub(ir.Constant(_LONG, 1200 - 190 + 1075), exponent)
        table = _table(b.module)
        place = b.gep(table, [ir.Constant(_LONG, 0), b.lshr(low, ir.Constant(_LONG, 3))])
        window = b.load(b.bitcast(place, ir.IntType(200).as_pointer()), align=1)
        shift = b.zext(b.and_(low, ir.Constant(_LONG, 7)), ir.IntType(200))
        product = b.mul(b.trunc(b.lshr(window, shift), wide), b.zext(digits, wide))  # quarter turns 2^190, modulo 4
        n = b.lshr(b.add(product, ir.Constant(wide, 1 << 189)), ir.Constant(wide, 190))
        rest = b.sub(product, b.shl(n, ir.Constant(wide, 190)))
        first = b.trunc(b.ashr(rest, ir.Constant(wide, 127)), _LONG)
        second = b.and_(b.trunc(b.lshr(rest, ir.Constant(wide, 64)), _LONG), ir.Constant(_LONG, (1 << 63) - 1))
        upper = b.sitofp(first, ir.DoubleType())
        lower = b.sitofp(b.sub(first, b.fptosi(upper, _LONG)), ir.DoubleType())
        t = self._with(upper) * 2.0**-63
        t, dt = t.sum(self._with(lower) * 2.0**-63 + self._with(b.sitofp(second, ir.DoubleType())) * 2.0**-126)
        r, dr = t.product(1.5707963267948966)
        r, dr = r.sum(dr + (t * 6.123233995736766e-17 + dt * 1.5707963267948966))
        turns = self._with(b.uitofp(b.trunc(n, _INT), ir.DoubleType()))
        negative = self < 0.0
        return negative.select(-turns, turns), negative.select(-r, r), negative.select(-dr, dr)

    # --- widths ------------------------------------------------------------------------------------------------

    def wide(self) -> Traced:
        """The number with 53 bits."""
        return self._with(self.builder.fpext(self.value, self._of(ir.DoubleType()))) if self.single else self

    def like(self, other: Traced) -> Traced:
        """The number rounded to the other's type."""
        if not other.single or self.single:
            return self
        return self._with(self.builder.fptrunc(self.value, self._of(ir.FloatType())))

    def _of(self, real: Any) -> Any:
        """A type, as many as the numbers here."""
        return ir.VectorType(real, self.lanes) if self.lanes else real


# --- functions beside the code -------------------------------------------------------------------------------------

_REGISTERS = (128, 256, 512)  # bits of the vectors that processors have


def rare_function(module: Any, type_: Any, fused: bool, bound: float, function: Callable[[Traced], Traced]) -> Any:
    """`rare(x, result)`, a function of a module, of numbers or of vectors.

    That of numbers has variants over vectors, which LLVM's vectoriser finds by name.
    """
    real = element_of(type_)
    name = f"graphc_{function.__name__}_{real}"
    slow = module.globals.get(f"{name}_slow") or _slow(module, f"{name}_slow", real, fused, function)
    if isinstance(type_, ir.VectorType):
        return module.globals.get(f"{name}_{type_.count}") or _variant(module, name, type_, slow, bound)
    if name in module.globals:
        return module.globals[name]
    rare = _function(module, name, real, [real, real])
    builder = ir.IRBuilder(rare.append_basic_block())
    with builder.if_then(_beyond(builder, rare.args[0], bound), likely=False):
        builder.ret(builder.call(slow, [rare.args[0]]))
    builder.ret(rare.args[1])
    rare.attributes.add("noinline")
    size = 32 if isinstance(real, ir.FloatType) else 64
    vectors = [ir.VectorType(real, bits // size) for bits in _REGISTERS]
    variants = [rare_function(module, v, fused, bound, function) for v in vectors]
    listed = ",".join(f"_ZGV_LLVM_N{v.args[0].type.count}vv_{name}({v.name})" for v in variants)
    set.add(rare.attributes, f'"vector-function-abi-variant"="{listed}"')
    for variant in variants:  # nothing calls these before the vectoriser does: they must not be dropped as unused
        variant.linkage = "weak_odr"
    return rare


def _slow(module: Any, name: str, real: Any, fused: bool, function: Callable[[Traced], Traced]) -> Any:
    """The function of a number alone."""
    slow = _function(module, name, real, [real])
    builder = ir.IRBuilder(slow.append_basic_block())
    builder.ret(function(Traced(builder, slow.args[0], fused)).value)
    slow.attributes.add("noinline")
    return slow


def _table(module: Any) -> Any:
    """The digits of 2/pi in memory, little end first."""
    name = "graphc_two_over_pi"
    if name not in module.globals:
        digits = bytearray(two_over_pi().to_bytes(160, "little"))
        table = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(8), len(digits)), name)
        table.linkage, table.global_constant = "linkonce_odr", True
        table.initializer = ir.Constant(table.value_type, digits)
    return module.globals[name]


def _function(module: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    function.linkage = "linkonce_odr"
    for attribute in ("nounwind", "readnone"):
        function.attributes.add(attribute)
    return function


def _beyond(builder: Any, x: Any, bound: float) -> Any:
    """Whether |x| > bound or x is NaN, for a number or a vector."""

    def compared(sign: str, limit: float) -> Any:
        return builder.fcmp_unordered(sign, x, constant_of(x.type, limit), flags=_FUSED)

    return builder.or_(compared(">", bound), compared("<", -bound))


def _variant(module: Any, name: str, vector: Any, slow: Any, bound: float) -> Any:
    """Over a vector: a test, and a call where an element is beyond the bound."""
    name = f"{name}_{vector.count}"
    each = _function(module, f"{name}_each", vector, [vector, vector])
    _write_each(each, slow, bound)
    each.attributes.add("noinline")
    function = _function(module, name, vector, [vector, vector])
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block())
    mask = ir.IntType(vector.count)
    any_beyond = builder.icmp_unsigned(
        "!=", builder.bitcast(_beyond(builder, function.args[0], bound), mask), ir.Constant(mask, 0)
    )
    with builder.if_then(any_beyond, likely=False):
        builder.ret(builder.call(each, function.args))
    builder.ret(function.args[1])
    return function


def _write_each(function: Any, slow: Any, bound: float) -> None:
    """A loop over the elements: the slow function of those beyond the bound, the result of the others."""
    x, result = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    beyond, entry, each = _beyond(builder, x, bound), builder.block, function.append_basic_block()
    builder.branch(each)
    builder.position_at_end(each)
    lane, values = builder.phi(_INT), builder.phi(result.type)
    after = builder.add(lane, ir.Constant(_INT, 1))
    slowly = builder.call(slow, [builder.extract_element(x, lane)])
    chosen = builder.select(builder.extract_element(beyond, lane), slowly, builder.extract_element(result, lane))
    filled = builder.insert_element(values, chosen, lane)
    for phi, start, step in ((lane, ir.Constant(_INT, 0), after), (values, result, filled)):
        phi.add_incoming(start, entry)
        phi.add_incoming(step, each)
    done = function.append_basic_block()
    builder.cbranch(builder.icmp_unsigned("==", after, ir.Constant(_INT, result.type.count)), done, each)
    ir.IRBuilder(done).ret(filled)
