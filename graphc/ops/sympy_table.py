"""SymPy's functions in terms of operations, and back.

In: a SymPy node, or a record.  Out: `plan_of(node)`, the nodes to be read first and what is made of them;
`expression_of(record)`, the record's SymPy expression.
Always holds: nothing is evaluated by SymPy in reading; what has no plan is not supported; every number is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import sympy
from sympy import Basic, Integer, Rational, S
from sympy.codegen import cfunctions
from sympy.core.relational import Equality, GreaterThan, LessThan, StrictGreaterThan, StrictLessThan, Unequality
from sympy.functions.elementary.piecewise import Piecewise
from sympy.logic.boolalg import And, Not, Or, Xor
from sympy.matrices import expressions as matrices
from sympy.matrices.expressions.hadamard import HadamardPower
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.slice import MatrixSlice
from sympy.matrices.expressions.special import OneMatrix
from sympy.matrices.immutable import ImmutableDenseMatrix, ImmutableSparseMatrix

from graphc.errors import GraphcError
from graphc.graph.builder import Builder
from graphc.graph.operation import Operation, Value
from graphc.graph.types import Factor, Size, size_named
from graphc.ops import contraction, indexing, joining, movement, program, safe, slices
from graphc.ops import elementwise as e
from graphc.ops import error_function as ef
from graphc.ops import special as sp
from graphc.ops.reduction import sum_

Combine = Callable[[Builder, tuple[Value, ...]], Value]
Plan = tuple[tuple[Basic, ...], Combine]  # the nodes to be read first; what is made of their values


def plan_of(node: Basic) -> Plan:
    """How a node is read; GraphcError where it is not supported."""
    for cls in type(node).__mro__:
        if cls in PLANS:
            return PLANS[cls](node)
    name = type(node).__name__
    raise GraphcError(
        f"SymPy's {name} is not supported", hint="write it with sums, products, powers and elementary functions"
    )


def dimension(node: Any) -> Size:
    """A size or an index: a polynomial in symbols with whole coefficients."""
    if isinstance(node, (int, Integer)):
        return int(node)
    if node.is_Symbol:
        return size_named(node.name)
    if node.is_Add or node.is_Mul:
        parts = [dimension(a) for a in node.args]
        return reduce((lambda a, b: a + b) if node.is_Add else (lambda a, b: a * b), parts)
    raise GraphcError(f"{node} is no size", hint="sizes are whole numbers, symbols, their sums and products")


# --- sums, products, powers ----------------------------------------------------------------------------------------


def _sum(node: Basic) -> Plan:
    """a - b where SymPy has a + (-1)*b."""
    signs, plans = [], []
    for term in node.args:
        negative = term.is_Mul and term.args[0].is_Rational and term.args[0] < 0
        signs.append(negative)
        plans.append(_product(term, sign=-1) if negative else ((term,), _first))

    def combine(b: Builder, values: tuple[Value, ...]) -> Value:
        total, place = None, 0
        for negative, (children, make) in zip(signs, plans, strict=True):
            term = make(b, values[place : place + len(children)])
            place += len(children)
            if total is None:
                total = -term if negative else term
            else:
                total = total - term if negative else total + term
        assert total is not None
        return total

    return tuple(c for children, _ in plans for c in children), combine


def _first(b: Builder, values: tuple[Value, ...]) -> Value:
    return values[0]


def _product(node: Basic, sign: int = 1) -> Plan:
    """A quotient where SymPy has negative powers and fractions."""
    over: list[tuple[Basic, Basic]] = []
    under: list[tuple[Basic, Basic]] = []
    coefficient = Integer(sign)
    for factor in node.args:
        if factor.is_Rational and factor is node.args[0]:
            coefficient = factor * sign
        elif factor.is_Pow and factor.args[1].is_Rational and factor.args[1] < 0:
            under.append((factor.args[0], -factor.args[1]))
        else:
            over.append((factor, S.One))
    children = tuple(base for base, _ in over + under)

    def combine(b: Builder, values: tuple[Value, ...]) -> Value:
        raised = [_raised(v, power) for v, (_, power) in zip(values, over + under, strict=True)]
        top, bottom = raised[: len(over)], raised[len(over) :]
        p, q = abs(int(coefficient.p)), int(coefficient.q)
        top = ([b.value(Integer(p))] if p != 1 or not top else []) + top
        bottom = ([b.value(Integer(q))] if q != 1 else []) + bottom
        result = reduce(lambda x, y: x * y, top)
        if bottom:
            result = result / reduce(lambda x, y: x * y, bottom)
        return -result if coefficient < 0 else result

    return children, combine


def _raised(value: Value, power: Basic) -> Value:
    if power == 1:
        return value
    result: Value = e.sqrt(value) if power == S.Half else value**power
    return result


def _power(node: Basic) -> Plan:
    base, power = node.args
    if base is S.Exp1:
        return (power,), lambda b, x: e.exp(*x)
    if power.is_Rational:
        if power < 0:
            return (base,), lambda b, x: 1 / _raised(x[0], -power)
        return (base,), lambda b, x: _raised(x[0], power)
    return (base, power), lambda b, x: x[0] ** x[1]


# --- functions -----------------------------------------------------------------------------------------------------


def _of(make: Callable[..., Any]) -> Callable[[Basic], Plan]:
    """A function of all arguments."""
    return lambda node: (node.args, lambda b, values: make(*values))


def _many(make: Callable[[Any, Any], Any]) -> Callable[[Basic], Plan]:
    """Any number of arguments, two at a time."""
    return lambda node: (node.args, lambda b, values: reduce(make, values))


def _threshold(node: Basic) -> Plan:
    """Heaviside's value at 0 is its second argument, 1/2 by default."""
    if node.args[1] == 1:
        return (node.args[0],), lambda b, x: e.threshold(*x)
    return node.args, lambda b, x: e.where(e.equal(x[0], 0), x[1], e.threshold(x[0]))


def _choice(node: Basic) -> Plan:
    if node.args[-1].args[1] is not S.true:
        raise GraphcError(
            "a Piecewise has no value where none of its conditions holds", hint="end it with (value, True)"
        )
    children = tuple(part for pair in node.args for part in pair.args)[:-1]

    def combine(b: Builder, values: tuple[Value, ...]) -> Value:
        result = values[-1]
        for k in range(len(values) - 3, -1, -2):
            result = e.where(values[k + 1], values[k], result)
        return result

    return children, combine


def _polygamma(node: Basic) -> Plan:
    order, x = node.args
    if not order.is_Integer:
        raise GraphcError(f"polygamma of order {order} is not supported", hint="the order is a whole number")
    if order == 0:
        return (x,), lambda b, v: sp.digamma(*v)
    return (x,), lambda b, v: sp.polygamma(int(order), *v)


def _exclusive(a: Any, b: Any) -> Any:
    return e.logical_and(e.logical_or(a, b), e.logical_not(e.logical_and(a, b)))


def _acot(x: Value) -> Any:
    half = x.builder.value(S.Pi) / 2
    return e.where(e.equal(x, 0), half, e.atan(1 / x))


# --- matrices ------------------------------------------------------------------------------------------------------


def _constant_matrix(entry: int) -> Callable[[Basic], Plan]:
    def plan(node: Any) -> Plan:
        shape = tuple(dimension(d) for d in node.shape)
        return (), lambda b, _: movement.broadcast(b.value(Integer(entry)), shape)

    return plan


def _identity(node: Any) -> Plan:
    size = (dimension(node.shape[0]),)
    return (), lambda b, _: indexing.diagonal_matrix(movement.broadcast(b.value(Integer(1)), size))


def _matrix_product(node: Basic) -> Plan:
    scalars = tuple(a for a in node.args if not a.is_Matrix)
    factors = tuple(a for a in node.args if a.is_Matrix)

    def combine(b: Builder, values: tuple[Value, ...]) -> Value:
        product = reduce(contraction.matmul, values[len(scalars) :])
        return reduce(lambda x, y: x * y, (*values[: len(scalars)], product))

    return scalars + factors, combine


def _matrix_power(node: Basic) -> Plan:
    base, power = node.args
    if not power.is_Integer or not 1 <= power <= 16:
        raise GraphcError(f"a matrix to the power {power} is not supported", hint="powers go from 1 to 16")
    return (base,), lambda b, x: reduce(contraction.matmul, x * int(power))


def _element(node: Basic) -> Plan:
    matrix, i, j = node.args
    place = (dimension(i), dimension(j))
    return (matrix,), lambda b, x: slices.slice_(x[0], place)


def _part(node: Any) -> Plan:
    bounds = tuple(("slice", *(dimension(d) for d in part)) for part in (node.rowslice, node.colslice))
    return (node.parent,), lambda b, x: slices.slice_(x[0], bounds)


def _explicit(node: Any) -> Plan:
    rows, columns = node.shape

    def combine(b: Builder, values: tuple[Value, ...]) -> Value:
        made = [joining.stack(*values[i * columns : (i + 1) * columns]) for i in range(rows)]
        result: Value = joining.stack(*made)
        return result

    return tuple(node.flat()), combine


PLANS: dict[type, Callable[[Any], Plan]] = {
    sympy.Add: _sum, sympy.Mul: _product, sympy.Pow: _power,
    sympy.exp: _of(e.exp), sympy.log: _of(e.log), sympy.sin: _of(e.sin), sympy.cos: _of(e.cos), sympy.tan: _of(e.tan),
    sympy.asin: _of(e.asin), sympy.acos: _of(e.acos), sympy.atan: _of(e.atan), sympy.atan2: _of(e.atan2),
    sympy.sinh: _of(e.sinh), sympy.cosh: _of(e.cosh), sympy.tanh: _of(e.tanh), sympy.asinh: _of(e.asinh),
    sympy.acosh: _of(e.acosh), sympy.atanh: _of(e.atanh),
    sympy.sec: _of(lambda x: 1 / e.cos(x)), sympy.csc: _of(lambda x: 1 / e.sin(x)),
    sympy.cot: _of(lambda x: 1 / e.tan(x)), sympy.sech: _of(lambda x: 1 / e.cosh(x)),
    sympy.csch: _of(lambda x: 1 / e.sinh(x)), sympy.coth: _of(lambda x: 1 / e.tanh(x)),
    sympy.asec: _of(lambda x: e.acos(1 / x)), sympy.acsc: _of(lambda x: e.asin(1 / x)), sympy.acot: _of(_acot),
    sympy.asech: _of(lambda x: e.acosh(1 / x)), sympy.acsch: _of(lambda x: e.asinh(1 / x)),
    sympy.acoth: _of(lambda x: e.atanh(1 / x)),
    sympy.sinc: _of(safe.sinc),
    sympy.Abs: _of(e.absolute), sympy.sign: _of(e.sign), sympy.floor: _of(e.floor), sympy.ceiling: _of(e.ceil),
    sympy.frac: _of(lambda x: x - e.floor(x)), sympy.Mod: _of(e.mod), sympy.Max: _many(e.maximum),
    sympy.Min: _many(e.minimum), sympy.Heaviside: _threshold, Piecewise: _choice,
    sympy.erf: _of(ef.erf), sympy.erfc: _of(ef.erfc), sympy.gamma: _of(sp.gamma), sympy.loggamma: _of(sp.loggamma),
    sympy.factorial: _of(lambda x: sp.gamma(x + 1)), sympy.digamma: _of(sp.digamma), sympy.polygamma: _polygamma,
    cfunctions.expm1: _of(e.expm1), cfunctions.log1p: _of(e.log1p), cfunctions.log2: _of(e.log2),
    cfunctions.log10: _of(e.log10), cfunctions.exp2: _of(lambda x: 2**x), cfunctions.Sqrt: _of(e.sqrt),
    cfunctions.Cbrt: _of(e.cbrt), cfunctions.hypot: _of(e.hypot), cfunctions.fma: _of(lambda a, b, c: a * b + c),
    StrictLessThan: _of(e.less), LessThan: _of(e.less_equal), StrictGreaterThan: _of(e.greater),
    GreaterThan: _of(e.greater_equal), Equality: _of(e.equal), Unequality: _of(e.not_equal),
    And: _many(e.logical_and), Or: _many(e.logical_or), Not: _of(e.logical_not), Xor: _many(_exclusive),
    matrices.MatMul: _matrix_product, matrices.MatAdd: _many(e.add), matrices.HadamardProduct: _many(e.multiply),
    HadamardPower: _of(lambda x, n: x**n), matrices.Transpose: _of(movement.transpose),
    matrices.Trace: _of(lambda x: sum_(indexing.diagonal(x))), matrices.MatPow: _matrix_power,
    matrices.Identity: _identity, matrices.ZeroMatrix: _constant_matrix(0), OneMatrix: _constant_matrix(1),
    MatrixElement: _element, MatrixSlice: _part, ImmutableDenseMatrix: _explicit, ImmutableSparseMatrix: _explicit,
}  # fmt: skip

# --- back ----------------------------------------------------------------------------------------------------------


def expression_of(operation: Operation) -> Callable[..., Any] | None:
    """What a scalar operation is in SymPy, as a function of its static arguments and operands; None for none."""
    return _EXPRESSIONS.get(operation)


def _quiet(head: Any) -> Callable[..., Any]:
    """A head that does not compute numbers: 9^9^9 is left as it is."""
    return lambda *args: head(*args, evaluate=not all(a.is_number for a in args))


def _branches(condition: Any, a: Any, b: Any) -> Any:
    """One Piecewise for a chain of choices."""
    return Piecewise((a, condition), *(b.args if isinstance(b, Piecewise) else [(b, True)]))


def _rounded(x: Any) -> Any:
    """Halves to even: with k = floor(x + 1/2), a half goes to 2*floor(k/2)."""
    k = sympy.floor(x + S.Half)
    return Piecewise((2 * sympy.floor(k / 2), sympy.Eq(sympy.Mod(x, 1), S.Half)), (k, True))


def _cube_root(x: Any) -> Any:
    return sympy.sign(x) * sympy.Abs(x) ** Rational(1, 3)


def _sinc(n: int, x: Any) -> Any:
    return sympy.jn(n, x) / x**n if n else sympy.sin(x) / x


def _erfrel(n: int, x: Any) -> Any:
    u = sympy.Dummy()
    found = sympy.erf(u) / u
    for _ in range(n):
        found = -sympy.diff(found, u) / u
    return found.subs(u, x)


def _langevin(n: int, x: Any) -> Any:
    u = sympy.Dummy()
    return sympy.diff(sympy.coth(u) - 1 / u, u, n).subs(u, x)


def _dlogerfcx(x: Any) -> Any:
    return 2 * x - 2 / (sympy.sqrt(sympy.pi) * sympy.exp(x**2) * sympy.erfc(x))


def _size(size: Size) -> Any:
    """A dimension in positive whole symbols."""
    if isinstance(size, int):
        return sympy.Integer(size)
    return sympy.Add(*(c * sympy.Mul(*map(_factor, factors)) for factors, c in size.terms))


def _factor(factor: Factor) -> Any:
    if isinstance(factor, str):
        return sympy.Symbol(factor, integer=True, positive=True)
    return sympy.floor(_size(factor.dividend) / factor.divisor)


_EXPRESSIONS: dict[Operation, Callable[..., Any]] = {
    e.add: lambda a, b: a + b, e.subtract: lambda a, b: a - b, e.multiply: lambda a, b: a * b,
    e.divide: lambda a, b: a / b, e.negate: lambda a: -a, e.power: _quiet(sympy.Pow),
    e.less: sympy.Lt, e.less_equal: sympy.Le, e.greater: sympy.Gt, e.greater_equal: sympy.Ge, e.equal: sympy.Eq,
    e.not_equal: sympy.Ne, e.logical_and: And, e.logical_or: Or, e.logical_not: Not,
    e.where: _branches,
    e.maximum: sympy.Max, e.minimum: sympy.Min, e.absolute: sympy.Abs, e.sign: sympy.sign, e.floor: sympy.floor,
    e.ceil: sympy.ceiling, e.round_: _rounded, e.mod: sympy.Mod, e.threshold: lambda x: sympy.Heaviside(x, 1),
    e.exp: _quiet(sympy.exp), e.expm1: lambda x: _quiet(sympy.exp)(x) - 1, e.log: _quiet(sympy.log),
    e.log1p: lambda x: sympy.log(1 + x), e.xlogy: lambda a, b: a * sympy.log(b), e.multiply_no_nan: lambda a, b: a * b, e.log2: lambda x: sympy.log(x, 2), e.log10: lambda x: sympy.log(x, 10),
    e.sqrt: lambda x: _quiet(sympy.Pow)(x, S.Half), e.cbrt: _cube_root,
    e.sigmoid: lambda x: 1 / (1 + sympy.exp(-x)), e.softplus: lambda x: sympy.log(1 + sympy.exp(x)),
    e.logaddexp: lambda a, b: sympy.log(sympy.exp(a) + sympy.exp(b)), e.hypot: lambda a, b: sympy.sqrt(a**2 + b**2),
    e.sin: sympy.sin, e.cos: sympy.cos, e.tan: sympy.tan, e.asin: sympy.asin, e.acos: sympy.acos, e.atan: sympy.atan,
    e.sinh: sympy.sinh, e.cosh: sympy.cosh, e.tanh: sympy.tanh, e.asinh: sympy.asinh, e.acosh: sympy.acosh,
    e.atanh: sympy.atanh, e.atan2: sympy.atan2,
    ef.erf: sympy.erf, ef.erfc: sympy.erfc, ef.erfcx: lambda x: sympy.exp(x**2) * sympy.erfc(x),
    ef.dlogerfcx: _dlogerfcx, ef.d2logerfcx: lambda x: 2 - (2 * x - _dlogerfcx(x)) * _dlogerfcx(x),
    ef.logerfc: lambda x: sympy.log(sympy.erfc(x)), ef.log_ndtr: lambda z: sympy.log((1 + sympy.erf(z / sympy.sqrt(2))) / 2),
    sp.gamma: _quiet(sympy.gamma), sp.loggamma: _quiet(sympy.loggamma),
    sp.digamma: sympy.digamma, sp.polygamma: lambda n, x: sympy.polygamma(n, x),
    safe.sinc: _sinc, safe.erfrel: _erfrel, safe.langevin: _langevin, safe.exprel: lambda x: (_quiet(sympy.exp)(x) - 1) / x,
    safe.dlogexprel: lambda x: 1 / (1 - sympy.exp(-x)) - 1 / x, safe.dlogtanhc: lambda x: 2 / sympy.sinh(2 * x) - 1 / x,
    safe.sinhc: lambda x: sympy.sinh(x) / x, safe.tanhc: lambda x: sympy.tanh(x) / x,
    safe.log1prel: lambda x: sympy.log(1 + x) / x, safe.logrel: lambda x: sympy.log(x) / (x - 1), safe.log1mexp: lambda x: sympy.log(1 - sympy.exp(x)),
    safe.logcosh: lambda x: sympy.log(sympy.cosh(x)), safe.logsoftplus: lambda x: sympy.log(sympy.log(1 + sympy.exp(x))),
    program.stop_gradient: lambda x: x, program.size_: _size,
}  # fmt: skip
