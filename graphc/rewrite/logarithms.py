"""Logarithms at the ends of their ranges: 0 times an infinite one, infinite ones of two signs.

In: a product or a sum in a builder.  Out: what takes its place, or None.
Always holds: both sides are equal wherever the left one is finite; where it is not, what takes its place is the limit.
"""

from __future__ import annotations

from sympy import Basic, Symbol

from graphc.graph.graph import operands
from graphc.graph.operation import Operation, operation_of
from graphc.ops.elementwise import (
    absolute,
    add,
    asin,
    asinh,
    atan,
    atanh,
    expm1,
    log,
    log1p,
    log2,
    log10,
    multiply_no_nan,
    power,
    sin,
    sinh,
    sqrt,
    subtract,
    tan,
    tanh,
    xlogx,
    xlogy,
)  # fmt: skip
from graphc.ops.error_function import erf
from graphc.rewrite.build import build, summed
from graphc.rewrite.compare import factors, summands
from graphc.rewrite.polynomial import PRODUCTS, Monomial, Plan, Powers, collect
from graphc.rewrite.positive import DEEPEST, MOVES
from graphc.rewrite.products import argument, divided, is_one_of, multiplied, powers_of_one_base, product_form
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

LOGARITHMS = (log, log1p, log2, log10)
# What is 0 where its first operand is.
_ZERO_AT_ZERO = (
    absolute, sqrt, xlogx, xlogy, multiply_no_nan, log1p, expm1, sin, tan, asin, atan, sinh, tanh, asinh, atanh, erf,
)  # fmt: skip


def entropies(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """x^2*log(x) = x*xlogx(x), x^2*log|x| = |x|*xlogx(|x|); (1 - x)*log1p(-x), x*(log(x) - log(y)) are 0 where x is."""
    if builder.present.isdisjoint(LOGARITHMS):
        return None
    powers = (powers_of_one_base(builder, m) or m).powers
    for atom, e in powers.items():
        x = argument(builder, atom, log)
        if x is None or e != 1:
            continue
        inner = argument(builder, x, absolute)
        if powers.get(x, 0) > 0:
            powers = multiplied(powers, (atom, -1), (x, -1), (builder.apply(xlogx, (x,)), 1))
        elif inner is not None and powers.get(inner, 0) > 1:
            powers = multiplied(powers, (atom, -1), (inner, -2), (x, 1), (builder.apply(xlogx, (x,)), 1))
    powers = _annihilated(builder, powers)
    return Monomial(m.coefficient, powers, m.extra) if powers != m.powers else None


def _annihilated(builder: Rebuilder, powers: Powers) -> Powers:
    """Logarithms that are infinite only where another factor is 0, with that factor as one."""
    infinite: Powers = {}
    zero: Powers = {}
    for atom, e in powers.items():
        places = _logarithms(builder, atom) if e > 0 else []
        found = {a: n for a, n in powers.items() if n > 0 and any(_vanishes(builder, a, f, x) for f, x in places)}
        if found:
            infinite[atom] = e
            zero |= found
    for atom in infinite:
        zero.pop(atom, None)
    if not zero:
        return powers
    a, b = (summed(builder, [Monomial(powers=p)]) for p in (zero, infinite))
    gone = [(atom, -e) for atom, e in (*zero.items(), *infinite.items())]
    return multiplied(powers, *gone, (builder.apply(multiply_no_nan, (a, b)), 1))


def _logarithms(builder: Rebuilder, atom: Basic) -> list[tuple[Operation, Basic]]:
    """Logarithms of which an atom is a polynomial, and their arguments; none where anything else might be infinite."""
    found = []
    for m in summands(builder, atom) or ():
        for factor, e in m.powers.items():
            expr = builder.inside(factor)
            operation = None if expr is None else operation_of(expr)
            if expr is not None and not any(isinstance(a, Symbol) for a in operands(expr)):
                continue  # a number, as log(2)
            if e < 0 or operation not in (None, xlogx, multiply_no_nan, *LOGARITHMS, *MOVES):
                return []
            if expr is not None and operation in LOGARITHMS:
                found.append((operation, builder.look(operands(expr)[0])))
    return found


def _vanishes(builder: Rebuilder, atom: Basic, logarithm: Operation, x: Basic) -> bool:
    """True where a factor is 0 where the logarithm is infinite."""
    expr = builder.inside(atom)
    for _ in range(DEEPEST):  # roots and powers of something, and its product with a logarithm
        if expr is None or not (operation_of(expr) in _ZERO_AT_ZERO or _positive_power(builder, expr)):
            break
        atom = builder.look(operands(expr)[0])
        expr = builder.inside(atom)
    if logarithm is log1p:
        outer_terms, terms = summands(builder, atom), summands(builder, x)
        if outer_terms is None or terms is None:
            return False
        return _proportional(collect(outer_terms), collect([Monomial(), *terms]))
    x = argument(builder, x, absolute) or x
    inner, outer = factors(builder, x), factors(builder, atom)
    if inner is None or outer is None:
        return False
    return any(outer.powers.get(a, 0) > 0 for a in inner.powers)


def _positive_power(builder: Rebuilder, expr: Basic) -> bool:
    """True for x^n; of an n that is not known, too: the power is 0 at 0 for a positive one alone."""
    exponent = builder.look(operands(expr)[1]) if operation_of(expr) is power else None
    return exponent is not None and (isinstance(exponent, Symbol) or bool(exponent.is_positive))


def _proportional(a: list[Monomial], b: list[Monomial]) -> bool:
    """True where one sum is a multiple of the other."""
    x, y = ({m.key: m.coefficient for m in terms} for terms in (a, b))
    return x.keys() == y.keys() and len({c / y[key] for key, c in x.items()}) == 1


def one_logarithm(builder: Rebuilder, root: Root) -> Made | None:
    """log(x)^2 + 2*log(x) = log(x)*(log(x) + 2), log(x)/y + 1/y = (log(x) + 1)/y: one infinity, not two of both signs."""
    if builder.present.isdisjoint(LOGARITHMS) or not all(
        is_one_of(builder, atom, *PRODUCTS, *LOGARITHMS) for atom in root.operands
    ):
        return None
    a, b = (factors(builder, atom) for atom in root.operands)
    if a is None or b is None or not a.coefficient or not b.coefficient:
        return None
    if len({builder.type_of(atom).shape for atom in (*a.powers, *b.powers)}) > 1:
        return None
    common = {s: min(e, b.powers.get(s, 0), key=abs) for s, e in a.powers.items() if e * b.powers.get(s, 0) > 0}
    infinite = [s for s in {**a.powers, **b.powers} if is_one_of(builder, s, *LOGARITHMS)]
    if not any(s in common or any(e < 0 for e in common.values()) for s in infinite):
        return None
    sign = -1 if root.operation is subtract else 1
    parts = [Monomial(m.coefficient * c, divided(m.powers, common)) for m, c in ((a, 1), (b, sign))]
    return build(builder, Plan([Monomial(powers=common, extra=[Plan(parts)])]))


ENTROPY = product_form(
    "logarithm times its argument", entropies, (*LOGARITHMS, add, subtract, power), "0 times -inf at 0", "y*x^2*log(x)",
)  # fmt: skip
POWERS_OF_LOGARITHM = Form(
    "sum of powers of a logarithm", (add, subtract), one_logarithm, "inf - inf where the logarithm is infinite",
    "log(x)^2 + 2*log(x)",
)  # fmt: skip
