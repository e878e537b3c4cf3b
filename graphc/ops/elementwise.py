"""Elementwise operations: arithmetic, comparison and choice, exponentials, trigonometry.

In: nothing.  Out: the records, in `OPERATIONS`.
Always holds: partial derivatives are exact formulas of result and operands; at kinks they follow the kinks' table of
the documentation; `exact` is the same function in mpmath.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from sympy import Function, Symbol

from graphc.graph.operation import Linearization, Operation, Parameter, Value
from graphc.ops import fold
from graphc.ops.lowering import Scalar
from graphc.ops.shape import elementwise as shaped


def head(name: str) -> type[sympy.Basic]:
    """A head of our own, which SymPy never evaluates."""
    return type(name, (Function,), {})


def elementwise(
    name: str,
    arguments: str,
    doc: str,
    template: str,
    *,
    kind: str = "real",
    cast: str = "real",
    own: type[sympy.Basic] | None = None,
    helpers: tuple[str, ...] = (),
    special_code: Callable[[tuple[Any, ...], tuple[Any, ...]], str | None] | None = None,
    cost: int = 1,
    whole: str | None = None,
    weights: tuple[int, ...] = (),
    scales: bool = False,
    traced: str | None = "",
    **fields: Any,
) -> Operation:
    """A record of an elementwise operation of the arguments named in `arguments`."""
    fields.setdefault("fold", fold.known(fields.get("special", ())))
    return Operation(
        name=name,
        head=own or head(name),
        parameters=tuple(Parameter(a) for a in arguments.split()),
        infer=shaped(kind),
        doc=doc,
        lowering=Scalar(
            template,
            cast=cast,
            helpers=helpers,
            special=special_code,
            cost=cost,
            whole=whole,
            weights=weights,
            scales=scales,
            traced=traced,
        ),
        elementwise=True,
        **fields,
    )


def _numpy(name: str) -> Callable[..., Any]:
    def reference(*arguments: Any) -> Any:
        import numpy

        return getattr(numpy, name)(*arguments)

    return reference


# --- arithmetic ----------------------------------------------------------------------------------------------------

add: Operation = elementwise(
    "add", "a b", "Sum, elementwise with broadcasting.", "{0} + {1}", weights=(1, 1),
    kind="same", cast="same", own=sympy.Add, syntax="a + b", binding=10, commutative=True, hidden=True,
    partials=lambda y, a, b: (1, 1), fold=fold.add, reference=_numpy("add"), exact=lambda mp, a, b: a + b,
    latex="{0} + {1}", special=(((1, 2), 3),),
)  # fmt: skip
subtract: Operation = elementwise(
    "subtract", "a b", "Difference, elementwise with broadcasting.", "{0} - {1}", weights=(1, -1),
    kind="same", cast="same", syntax="a - b", binding=10, hidden=True, partials=lambda y, a, b: (1, -1),
    fold=fold.subtract, reference=lambda a, b: _signed(a) - _signed(b), exact=lambda mp, a, b: a - b,
    latex="{0} - {1}", special=(((1, 2), -1),),
)  # fmt: skip
multiply: Operation = elementwise(
    "multiply", "a b", "Product, elementwise with broadcasting.", "{0} * {1}", scales=True,
    kind="same", cast="same", own=sympy.Mul, syntax="a * b", binding=20, commutative=True, hidden=True,
    partials=lambda y, a, b: (b, a), fold=fold.multiply, reference=_numpy("multiply"), exact=lambda mp, a, b: a * b,
    latex="{0} \\cdot {1}", special=(((3, 2), 6),),
)  # fmt: skip
divide: Operation = elementwise(
    "divide", "a b", "Quotient, elementwise with broadcasting.", "{0} / {1}",
    syntax="a / b", binding=20, hidden=True, partials=lambda y, a, b: (1 / b, -a / (b * b)), fold=fold.divide,
    reference=_numpy("true_divide"), exact=lambda mp, a, b: a / b, latex="\\frac{{{0}}}{{{1}}}",
    domain=((-3, 3), (0.5, 3)), cost=4, special=(((1, 0), float("inf")), ((3, 2), 1.5)),
)  # fmt: skip
negate: Operation = elementwise(
    "negate", "a", "Negation.", "-{0}", weights=(-1,),
    kind="same", cast="same", syntax="-a", binding=25, hidden=True, partials=lambda y, a: (-1,), fold=fold.negate,
    reference=lambda a: -_signed(a), exact=lambda mp, a: -a, latex="-{0}", special=(((2,), -2),),
)  # fmt: skip


def _signed(a: Any) -> Any:
    import numpy

    return a.astype(numpy.int64) if getattr(a, "dtype", None) == numpy.bool_ else a


def _power_partials(y: Value, a: Value, b: Value) -> tuple[Any, Any]:
    """n*x^(n-1) and y*log(a), 0 where the power is 0."""
    if not isinstance(b.atom, Symbol):
        n = b.atom
        lower = n - 1 if n.is_Rational else None
        if lower == 0:
            return 1, None
        return (b * a if lower == 1 else b * a ** (b - 1)), None
    if not isinstance(a.atom, Symbol) and a.atom > 0:  # the base is a number: its logarithm is no question of 0
        return None, y if a.atom == sympy.E else y * log(a)
    return b * a ** (b - 1), xlogy(y, a)


def _power_code(atoms: tuple[Any, ...], statics: tuple[Any, ...]) -> str | None:
    """Small whole powers are products, halves are roots."""
    b = atoms[1]
    if isinstance(b, Symbol) or not b.is_Rational:
        return None
    if b.is_Integer and 0 < abs(int(b)) <= 4:
        repeated = " * ".join(["{0}"] * abs(int(b)))
        return repeated if b > 0 else f"real(1) / ({repeated})"
    return {sympy.Rational(1, 2): "sqrt_({0})", sympy.Rational(-1, 2): "real(1) / sqrt_({0})"}.get(b)


power: Operation = elementwise(
    "power", "a b", "Power a^b; right-associative.", "power_({0}, {1})", helpers=("power_", "sqrt_"),
    own=sympy.Pow, syntax="a ^ b", binding=30, others=("pow",), hidden=True, partials=_power_partials, fold=fold.power,
    special_code=_power_code, reference=lambda a, b: _float_power(a, b), exact=lambda mp, a, b: mp.power(a, b),
    latex="{{{0}}}^{{{1}}}", domain=((0.2, 3), (-2, 2)), cost=20, special=(((0, 0), 1), ((2, -1), 0.5), ((-2, 2), 4)),
)  # fmt: skip


def _float_power(a: Any, b: Any) -> Any:
    import numpy

    kinds = [numpy.asarray(v).dtype for v in (a, b) if numpy.asarray(v).dtype.kind == "f"]
    kind = numpy.result_type(*kinds or [numpy.dtype(float)])
    return numpy.power(numpy.asarray(a, kind), numpy.asarray(b, kind))


# --- comparison and choice -----------------------------------------------------------------------------------------


def _comparison(name: str, sign: str, ufunc: str, doc: str, latex: str) -> Operation:
    python = {"equal": lambda mp, a, b: a == b, "not_equal": lambda mp, a, b: a != b, "less": lambda mp, a, b: a < b,
              "less_equal": lambda mp, a, b: a <= b, "greater": lambda mp, a, b: a > b,
              "greater_equal": lambda mp, a, b: a >= b}[name]  # fmt: skip
    return elementwise(
        name, "a b", doc, f"{{0}} {sign} {{1}}", kind="bool", cast="same", syntax=f"a {sign} b", binding=5, hidden=True,
        reference=_numpy(ufunc), exact=python, latex=f"{{0}} {latex} {{1}}",
    )  # fmt: skip


less: Operation = _comparison("less", "<", "less", "True where a < b.", "<")
less_equal: Operation = _comparison("less_equal", "<=", "less_equal", "True where a <= b.", "\\le")
greater: Operation = _comparison("greater", ">", "greater", "True where a > b.", ">")
greater_equal: Operation = _comparison("greater_equal", ">=", "greater_equal", "True where a >= b.", "\\ge")
equal: Operation = _comparison("equal", "==", "equal", "True where a equals b.", "=")
not_equal: Operation = _comparison("not_equal", "!=", "not_equal", "True where a differs from b.", "\\ne")


def _truth(template: str, binding: int, name: str, syntax: str, arguments: str, doc: str, **fields: Any) -> Operation:
    return elementwise(
        name, arguments, doc, template, kind="bool", cast="bool", syntax=syntax, binding=binding, hidden=True, **fields
    )


logical_and: Operation = _truth(
    "({0} & {1})", 3, "and", "a and b", "a b", "Both.", reference=_numpy("logical_and"),
    exact=lambda mp, a, b: bool(a) and bool(b), latex="{0} \\land {1}",
)  # fmt: skip
logical_or: Operation = _truth(
    "({0} | {1})", 2, "or", "a or b", "a b", "One or both.", reference=_numpy("logical_or"),
    exact=lambda mp, a, b: bool(a) or bool(b), latex="{0} \\lor {1}",
)  # fmt: skip
logical_not: Operation = _truth(
    "(not {0})", 4, "not", "not a", "a", "The opposite.", traced="(~{0})", reference=_numpy("logical_not"),
    exact=lambda mp, a: not a, latex="\\lnot {0}",
)  # fmt: skip


def _where_infer(types: tuple[Any, ...], statics: tuple[Any, ...], require: Any) -> Any:
    from graphc.errors import ShapeError
    from graphc.graph.types import Type, promote
    from graphc.ops.shape import broadcast_shapes

    if types[0].kind != "bool":
        raise ShapeError(f"the condition is {types[0].kind}, not bool", hint="write a comparison: where(x > 0, a, b)")
    return Type(broadcast_shapes((t.shape for t in types), require), promote(t.kind for t in types[1:])), statics


def _where_pullback(at: Linearization) -> tuple[Any, ...]:
    c = at.operands[0]
    return None, where(c, at.cotangent, 0), where(c, 0, at.cotangent)


where: Operation = Operation(
    name="where", head=head("where"), parameters=(Parameter("condition"), Parameter("a"), Parameter("b")),
    infer=_where_infer, doc="a where the condition holds, else b; the untaken one never reaches a gradient.",
    lowering=Scalar("({1} if {0} else {2})", cast="choice", traced="choose({0}, {1}, {2})"), elementwise=True, pullback=_where_pullback,
    reference=_numpy("where"), exact=lambda mp, c, a, b: a if c else b,
    latex="\\begin{{cases}} {1} & {0} \\\\ {2} & \\text{{else}} \\end{{cases}}",
    domain=((-1, 1), (-3, 3), (-3, 3)), special=(((True, 1, 2), 1), ((False, 1, 2), 2)),
)  # fmt: skip


def _extremum_pullback(wins: Operation) -> Callable[[Linearization], tuple[Any, ...]]:
    """All for the winner; at a tie half each, but nothing where the other operand depends on no input."""

    def share(g: Value, mine: Value, other: Value, other_varies: bool) -> Any:
        at_tie = where(equal(mine, other), g / 2, 0) if other_varies else 0
        return where(wins(mine, other), g, at_tie)

    def pullback(at: Linearization) -> tuple[Any, ...]:
        (a, b), (a_varies, b_varies) = at.operands, at.varies
        return share(at.cotangent, a, b, b_varies), share(at.cotangent, b, a, a_varies)

    return pullback


maximum: Operation = elementwise(
    "maximum", "a b", "The larger; with one argument a reduction. NaN wins.",
    "({0} if ({0} >= {1} or {0} != {0}) else {1})",
    traced="larger({0}, {1})",
    kind="same", cast="same", spelling="max", associative=True, commutative=True, pullback=_extremum_pullback(greater),
    reference=_numpy("maximum"), exact=lambda mp, a, b: a if a >= b else b, latex="\\max\\left({0}, {1}\\right)",
    special=(((2, 2), 2), ((float("nan"), 1), float("nan")), ((1, float("nan")), float("nan"))),
)  # fmt: skip
minimum: Operation = elementwise(
    "minimum", "a b", "The smaller; with one argument a reduction. NaN wins.",
    "({0} if ({0} <= {1} or {0} != {0}) else {1})",
    traced="smaller({0}, {1})",
    kind="same", cast="same", spelling="min", associative=True, commutative=True, pullback=_extremum_pullback(less),
    reference=_numpy("minimum"), exact=lambda mp, a, b: a if a <= b else b, latex="\\min\\left({0}, {1}\\right)",
    special=(((2, 2), 2), ((float("nan"), 1), float("nan"))),
)  # fmt: skip

# --- parts of a number ---------------------------------------------------------------------------------------------

absolute: Operation = elementwise(
    "abs", "x", "Absolute value; |x| is read too. Its derivative at 0 is 0.", "abs({0})",
    kind="same", cast="same", own=sympy.Abs, partials=lambda y, x: (sign(x),), reference=_numpy("abs"),
    exact=lambda mp, x: mp.fabs(x), latex="\\left|{0}\\right|", special=(((0,), 0), ((-2,), 2)),
)  # fmt: skip
sign: Operation = elementwise(
    "sign", "x", "-1, 0 or 1; derivative 0.",
    "(real(1) if {0} > real(0) else (real(-1) if {0} < real(0) else {0}))",
    traced="signum({0})",
    own=sympy.sign, partials=lambda y, x: (0,), reference=_numpy("sign"), exact=lambda mp, x: mp.sign(x),
    latex="\\operatorname{{sign}}\\left({0}\\right)", special=(((0,), 0), ((-2,), -1)),
)  # fmt: skip
floor: Operation = elementwise(
    "floor", "x", "Largest whole number at most x; derivative 0.", "np.floor({0})",
    traced="floor({0})",
    own=sympy.floor, partials=lambda y, x: (0,), reference=_numpy("floor"), exact=lambda mp, x: mp.floor(x),
    latex="\\left\\lfloor {0} \\right\\rfloor", special=(((-0.5,), -1), ((2,), 2)),
)  # fmt: skip
ceil: Operation = elementwise(
    "ceil", "x", "Smallest whole number at least x; derivative 0.", "np.ceil({0})",
    traced="ceil({0})",
    own=sympy.ceiling, partials=lambda y, x: (0,), reference=_numpy("ceil"), exact=lambda mp, x: mp.ceil(x),
    latex="\\left\\lceil {0} \\right\\rceil", special=(((0.5,), 1),),
)  # fmt: skip
round_: Operation = elementwise(
    "round", "x", "Nearest whole number, halves to even; derivative 0.", "np.rint({0})",
    traced="nearest({0})",
    partials=lambda y, x: (0,), reference=_numpy("rint"), exact=lambda mp, x: mp.nint(x),
    latex="\\operatorname{{round}}\\left({0}\\right)", special=(((0.5,), 0), ((1.5,), 2)),
)  # fmt: skip
mod: Operation = elementwise(
    "mod", "a b", "Remainder of a/b with the sign of b.", "{0} % {1}", traced=None, whole="({0} % {1} if {1} != 0 else 0)",
    kind="same", cast="same", partials=lambda y, a, b: (1, -floor(a / b)), reference=_numpy("mod"),
    exact=lambda mp, a, b: a - b * mp.floor(a / b), latex="{0} \\bmod {1}", domain=((-3, 3), (0.5, 3)),
    special=(((-1, 3), 2), ((1, -3), -2)), cost=10,
)  # fmt: skip
threshold: Operation = elementwise(
    "threshold", "x", "1 where x >= 0, else 0; derivative 0.", "(real(1) if {0} >= real(0) else ({0} if {0} != {0} else real(0)))",
    traced="unit_step({0})",
    partials=lambda y, x: (0,), reference=lambda x: _heaviside(x), exact=lambda mp, x: mp.mpf(1 if x >= 0 else 0),
    latex="\\theta\\left({0}\\right)", special=(((0,), 1), ((-1,), 0)),
)  # fmt: skip


def _heaviside(x: Any) -> Any:
    import numpy

    return numpy.heaviside(x, 1)


# --- exponentials and logarithms -----------------------------------------------------------------------------------


def _function(name: str, doc: str, partial: Callable[[Value, Value], Any], **fields: Any) -> Operation:
    """A function of one argument that Python's math, NumPy and mpmath know by the same name."""
    fields.setdefault("reference", _numpy(name))
    fields.setdefault("exact", lambda mp, x: getattr(mp, name)(x))
    fields.setdefault("latex", f"\\{name}\\left({{0}}\\right)")
    fields.setdefault("cost", 20)
    template = fields.pop("template", f"{name}_({{0}})")
    return elementwise(
        name, "x", doc, template, partials=lambda y, x: (partial(y, x),), helpers=(f"{name}_",), **fields
    )


def _named(name: str) -> str:
    return f"\\operatorname{{{{{name}}}}}\\left({{0}}\\right)"


exp: Operation = _function("exp", "e^x.", lambda y, x: y, own=sympy.exp, special=(((0,), 1), ((1000,), float("inf"))))
expm1: Operation = _function(
    "expm1", "e^x - 1, accurate near 0.", lambda y, x: y + 1, latex="e^{{{0}}} - 1", special=(((0,), 0),)
)
log: Operation = _function(
    "log", "Natural logarithm.", lambda y, x: 1 / x, own=sympy.log, others=("ln",), domain=((0.1, 5),),
    special=(((1,), 0), ((0,), float("-inf"))), fold=fold.logarithm,
)  # fmt: skip
xlogx: Operation = elementwise(
    "xlogx", "x", "x*log(x), 0 at 0, where its derivative is -inf; x*log(x) becomes it.",
    "xlogx_({0})", helpers=("xlogx_",), partials=lambda y, x: (log(x) + 1,),
    reference=lambda x: _xlogx(x), exact=lambda mp, x: x * mp.log(x) if x else x, latex="{0} \\log\\left({0}\\right)",
    domain=((0.1, 5),), cost=25, special=(((0,), 0), ((1,), 0)),
)  # fmt: skip


def _xlogx(x: Any) -> Any:
    import numpy

    with numpy.errstate(divide="ignore", invalid="ignore"):
        return numpy.where(numpy.equal(x, 0), 0 * x, x * numpy.log(x))


xlogy: Operation = elementwise(
    "xlogy", "a b", "a*log(b), 0 where a is 0: the derivative of a power in its exponent.",
    "xlogy_({0}, {1})", helpers=("xlogy_",), partials=lambda y, a, b: _xlogy_partials(a, b),
    reference=lambda a, b: _xlogy(a, b), exact=lambda mp, a, b: a * mp.log(b) if a else a,
    latex="{0} \\log\\left({1}\\right)", domain=((-3, 3), (0.1, 5)), cost=25, special=(((0, 0), 0), ((2, 1), 0)),
)  # fmt: skip


def _xlogy_partials(a: Value, b: Value) -> tuple[Any, Any]:
    """log(b) and a/b; where both are 0, as in a power of 0, neither counts."""
    safe = where(logical_and(equal(a, 0), equal(b, 0)), 1, b)
    return log(safe), a / safe


def _xlogy(a: Any, b: Any) -> Any:
    import numpy

    with numpy.errstate(divide="ignore", invalid="ignore"):
        return numpy.where(numpy.equal(a, 0), 0 * a, a * numpy.log(b))


multiply_no_nan: Operation = elementwise(
    "multiply_no_nan", "a b", "a*b, 0 where a is 0, though b be infinite: (1 - x)*log(1 - x) and its like become it.",
    "({0} if {0} == real(0) else {0} * {1})", traced="choose({0} == 0.0, {0}, {0} * {1})",
    partials=lambda y, a, b: (b, a), reference=lambda a, b: _multiply_no_nan(a, b),
    exact=lambda mp, a, b: a * b if a else a, latex="{0} \\cdot {1}",
    special=(((0, float("-inf")), 0), ((2, 3), 6)),
)  # fmt: skip


def _multiply_no_nan(a: Any, b: Any) -> Any:
    import numpy

    with numpy.errstate(invalid="ignore"):
        return numpy.where(numpy.equal(a, 0), a, a * b)


log1p: Operation = _function(
    "log1p", "log(1 + x), accurate near 0.", lambda y, x: 1 / (1 + x), domain=((-0.9, 5),),
    latex="\\log\\left(1 + {0}\\right)", special=(((0,), 0),),
)  # fmt: skip
log2: Operation = _function(
    "log2", "Logarithm to base 2.", lambda y, x: 1 / (x * log(_like(x, 2))), domain=((0.1, 5),),
    exact=lambda mp, x: mp.log(x, 2), latex="\\log_2\\left({0}\\right)", special=(((8,), 3),),
)  # fmt: skip
log10: Operation = _function(
    "log10", "Logarithm to base 10.", lambda y, x: 1 / (x * log(_like(x, 10))), domain=((0.1, 5),),
    latex="\\log_{{10}}\\left({0}\\right)", special=(((1000,), 3),),
)  # fmt: skip
sqrt: Operation = _function(
    "sqrt", "Square root.", lambda y, x: 1 / (2 * y), domain=((0.1, 5),), latex="\\sqrt{{{0}}}", cost=6,
    special=(((4,), 2), ((0,), 0)), fold=fold.root(2),
)  # fmt: skip
cbrt: Operation = _function(
    "cbrt", "Cube root, also of negative numbers.", lambda y, x: 1 / (3 * y * y),
    domain=((0.1, 5),), exact=lambda mp, x: mp.sign(x) * mp.cbrt(mp.fabs(x)), latex="\\sqrt[3]{{{0}}}",
    special=(((-8,), -2),), fold=fold.root(3),
)  # fmt: skip


def _like(x: Value, n: int) -> Value:
    return x.builder.value(sympy.Integer(n))


sigmoid: Operation = elementwise(
    "sigmoid", "x", "Logistic function 1/(1 + exp(-x)).", "sigmoid_({0})", helpers=("sigmoid_",), others=("logistic",),
    partials=lambda y, x: (y * (1 - y),), reference=lambda x: _expit(x), exact=lambda mp, x: 1 / (1 + mp.exp(-x)),
    latex="\\sigma\\left({0}\\right)", cost=25, special=(((0,), 0.5), ((-1000,), 0), ((1000,), 1)),
)  # fmt: skip
softplus: Operation = elementwise(
    "softplus", "x", "log(1 + exp(x)) without overflow; its derivative is the logistic function.",
    "softplus_({0})", helpers=("softplus_",), partials=lambda y, x: (sigmoid(x),),
    reference=lambda x: _logaddexp(x, 0), exact=lambda mp, x: mp.log1p(mp.exp(x)), latex=_named("softplus"), cost=45,
    special=(((1000,), 1000), ((-1000,), 0)),
)  # fmt: skip
logaddexp: Operation = elementwise(
    "logaddexp", "a b", "log(exp(a) + exp(b)) without overflow.",
    "logaddexp_({0}, {1})", helpers=("logaddexp_",), commutative=True,
    partials=lambda y, a, b: (sigmoid(a - b), sigmoid(b - a)), reference=_numpy("logaddexp"),
    exact=lambda mp, a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b))), latex="\\log\\left(e^{{{0}}} + e^{{{1}}}\\right)", cost=50,
)  # fmt: skip


def _expit(x: Any) -> Any:
    import numpy

    with numpy.errstate(over="ignore"):
        return 1 / (1 + numpy.exp(-x))


def _logaddexp(a: Any, b: Any) -> Any:
    import numpy

    return numpy.logaddexp(a, numpy.asarray(b, numpy.asarray(a).dtype))


# --- trigonometry and hyperbolic functions -------------------------------------------------------------------------

sin: Operation = _function("sin", "Sine.", lambda y, x: cos(x), own=sympy.sin, special=(((0,), 0),))
cos: Operation = _function("cos", "Cosine.", lambda y, x: -sin(x), own=sympy.cos, special=(((0,), 1),))
tan: Operation = _function(
    "tan", "Tangent.", lambda y, x: 1 + y * y, own=sympy.tan, domain=((-1.2, 1.2),), special=(((0,), 0),)
)
asin: Operation = _function(
    "asin", "Inverse sine.", lambda y, x: 1 / sqrt(1 - x * x), own=sympy.asin, others=("arcsin",),
    domain=((-0.9, 0.9),), reference=_numpy("arcsin"), latex="\\arcsin\\left({0}\\right)",
)  # fmt: skip
acos: Operation = _function(
    "acos", "Inverse cosine.", lambda y, x: -1 / sqrt(1 - x * x), own=sympy.acos, others=("arccos",),
    domain=((-0.9, 0.9),), reference=_numpy("arccos"), latex="\\arccos\\left({0}\\right)",
)  # fmt: skip
atan: Operation = _function(
    "atan", "Inverse tangent.", lambda y, x: 1 / (1 + x * x), own=sympy.atan, others=("arctan",),
    reference=_numpy("arctan"), latex="\\arctan\\left({0}\\right)",
)  # fmt: skip
sinh: Operation = _function("sinh", "Hyperbolic sine.", lambda y, x: cosh(x), own=sympy.sinh)
cosh: Operation = _function("cosh", "Hyperbolic cosine.", lambda y, x: sinh(x), own=sympy.cosh)
tanh: Operation = _function(
    "tanh", "Hyperbolic tangent.", lambda y, x: 1 - y * y, own=sympy.tanh, special=(((1000,), 1),)
)
asinh: Operation = _function(
    "asinh", "Inverse hyperbolic sine.", lambda y, x: 1 / sqrt(x * x + 1), own=sympy.asinh, others=("arcsinh",),
    reference=_numpy("arcsinh"), latex=_named("asinh"),
)  # fmt: skip
acosh: Operation = _function(
    "acosh", "Inverse hyperbolic cosine.", lambda y, x: 1 / sqrt(x * x - 1), own=sympy.acosh, others=("arccosh",),
    domain=((1.1, 5),), reference=_numpy("arccosh"), latex=_named("acosh"),
)  # fmt: skip
atanh: Operation = _function(
    "atanh", "Inverse hyperbolic tangent.", lambda y, x: 1 / (1 - x * x), own=sympy.atanh, others=("arctanh",),
    domain=((-0.9, 0.9),), reference=_numpy("arctanh"), latex=_named("atanh"),
)  # fmt: skip


def _angle_partials(y: Value, x: Value) -> tuple[Any, Any]:
    """x/r^2 and -y/r^2; 0 at the origin."""
    square = x * x + y * y
    never_0 = any(leg.atom.is_Number and leg.atom != 0 for leg in (x, y))
    safe = square if never_0 else where(equal(square, 0), 1, square)
    return x / safe, -y / safe


atan2: Operation = elementwise(
    "atan2", "y x", "Angle of the point (x, y), between -pi and pi; derivative 0 at the origin.", "atan2_({0}, {1})",
    helpers=("atan2_",), own=sympy.atan2, others=("arctan2",), partials=lambda z, y, x: _angle_partials(y, x),
    reference=_numpy("arctan2"), exact=lambda mp, y, x: mp.atan2(y, x), latex=_named("atan2").replace("{0}", "{0}, {1}"),
    domain=((0.2, 3), (0.2, 3)), cost=40,
)  # fmt: skip


def _hypot_partials(y: Value, a: Value, b: Value) -> tuple[Any, Any]:
    if any(leg.atom.is_Number and leg.atom != 0 for leg in (a, b)):  # never 0
        return a / y, b / y
    at_origin = equal(y, 0)
    return where(at_origin, 0, a / y), where(at_origin, 0, b / y)


hypot: Operation = elementwise(
    "hypot", "a b", "sqrt(a^2 + b^2) without overflow; derivative 0 at the origin.", "hypot_({0}, {1})", helpers=("hypot_",),
    partials=_hypot_partials, reference=_numpy("hypot"), exact=lambda mp, a, b: mp.hypot(a, b), commutative=True,
    latex="\\sqrt{{{0}^2 + {1}^2}}", cost=15, special=(((3, 4), 5), ((0, 0), 0)),
)  # fmt: skip

OPERATIONS = (
    add, subtract, multiply, divide, negate, power,
    less, less_equal, greater, greater_equal, equal, not_equal, logical_and, logical_or, logical_not, where,
    maximum, minimum, absolute, sign, floor, ceil, round_, mod, threshold,
    exp, expm1, log, xlogx, xlogy, multiply_no_nan, log1p, log2, log10, sqrt, cbrt, sigmoid, softplus, logaddexp,
    sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, atan2, hypot,
)  # fmt: skip
