"""Rules of hyperbolic functions, of exponentials that are such, and of their logarithmic derivatives.

In: nothing, or a sum or product in a builder.  Out: `HYPERBOLIC`, stable rules; `LATE`, for values alone.
Always holds: both sides are equal wherever the left one is finite.
"""

from __future__ import annotations

from sympy import Basic, Number, Rational

from graphc.graph.graph import operands
from graphc.graph.operation import Term, operation_of, variable
from graphc.ops.elementwise import (
    absolute,
    acosh,
    add,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    log,
    log1p,
    multiply,
    sigmoid,
    sinh,
    subtract,
    tanh,
    where,
)  # fmt: skip
from graphc.ops.safe import dlogexprel, dlogtanhc, exprel, langevin, log1mexp, logcosh, sinhc, tanhc
from graphc.rewrite.arrange import consumed_by
from graphc.rewrite.build import build
from graphc.rewrite.compare import are_opposite, factors, multiple
from graphc.rewrite.polynomial import PRODUCTS, Monomial, Plan
from graphc.rewrite.products import argument, divided, is_one_of, multiplied, times_number
from graphc.rewrite.rule import Form, Made, Match, Rebuilder, Rewriting, Root, Rule

x, y, z = variable("x"), variable("y"), variable("z")
HALF, QUARTER = Rational(1, 2), Rational(1, 4)
LOG2 = Term(log, (2,))
FACTORS = 8  # of a product, that are looked at for a tanh


def opposite(match: Match) -> bool:
    """y is -x, however that is spelled."""
    return are_opposite(match.builder, match.atom("x"), match.atom("y"))


def half(match: Match) -> bool:
    """y is x/2, however that is spelled."""
    return bool(multiple(match.builder, match.atom("y"), match.atom("x")) == HALF)


def _twice(match: Match) -> bool:
    """y is 2*x, however that is spelled."""
    return bool(multiple(match.builder, match.atom("y"), match.atom("x")) == 2)


def not_chosen(match: Match) -> bool:
    """The result is no branch of a choice, as it is once the rule has fired."""
    return not consumed_by(match.builder, where)


def exact(match: Match) -> bool:
    """Digits count, not time: the program has no parameters to learn.

    What is learned is known to a few digits only; there 1 - y is made of a y that is there already, for nothing.
    """
    return not match.builder.learns


def written(match: Match) -> bool:
    """The program has it, not a derivative, which is to stay short."""
    return match.builder.as_written


def logistic(builder: Rebuilder, root: Root) -> Made | None:
    """y + y*tanh(x) = 2*y*sigmoid(2*x), y - y*tanh(x) = 2*y*sigmoid(-2*x), y*tanh(x) - y = -2*y*sigmoid(-2*x)."""
    if tanh not in builder.present:
        return None
    first, second = root.operands
    minus = -1 if root.operation is subtract else 1
    for atom, other, s, t in ((first, second, 1, minus), (second, first, minus, 1)):
        product = factors(builder, atom) if _has_tanh(builder, atom) else None
        places = {a: argument(builder, a, tanh) for a, e in product.powers.items() if e == 1} if product else {}
        y = factors(builder, other) if any(places.values()) else None
        if product is None or y is None or not y.coefficient:
            continue
        share, ratio = divided(product.powers, y.powers), s * t * product.coefficient / y.coefficient
        x = places.get(next(iter(share))) if len(share) == 1 else None
        if x is not None and abs(ratio) == 1:
            whole = multiplied(y.powers, (builder.apply(sigmoid, (times_number(builder, x, 2 * ratio),)), 1))
            return build(builder, Plan([Monomial(2 * t * y.coefficient, whole)]))
    return None


def _has_tanh(builder: Rebuilder, atom: Basic) -> bool:
    """True where a tanh is among a product's first factors."""
    todo = [atom]
    for _ in range(FACTORS):
        expr = builder.inside(todo.pop()) if todo else None
        operation = None if expr is None else operation_of(expr)
        if operation is tanh:
            return True
        if expr is not None and operation in PRODUCTS:
            todo += operands(expr)
    return False


def whole_logistic(builder: Rebuilder, root: Root) -> Made | None:
    """(2*sigmoid(x))/2 = sigmoid(x): its own rules then see it."""
    numbers = [a for a in root.operands if isinstance(a, Number)]
    if (
        sigmoid not in builder.present
        or len(numbers) != 1
        or not any(is_one_of(builder, a, *PRODUCTS) for a in root.operands)
    ):
        return None
    a, b = (factors(builder, atom) for atom in root.operands)
    if a is None or b is None or not b.coefficient:
        return None
    n = -1 if root.operation is divide else 1
    powers = multiplied(a.powers, *((atom, n * e) for atom, e in b.powers.items()))
    if a.coefficient * b.coefficient**n != 1 or [*powers.values()] != [1]:
        return None
    (atom,) = powers
    return atom if is_one_of(builder, atom, sigmoid) else None


HYPERBOLIC: tuple[Rewriting, ...] = (
    Form("logistic from tanh", (add, subtract), logistic, "the difference of equal numbers for x << 0 or x >> 0", "1/2 + tanh(x/2)/2"),
    Form("half of twice a logistic", (multiply, divide), whole_logistic, "its own rules then see it", "2*sigmoid(x)/2"),
    Rule("hyperbolic sine", exp(x) - exp(y), 2 * sinh(x), opposite,
         "the difference of equal numbers near 0", "exp(x) - exp(-x)"),
    Rule("hyperbolic cosine", exp(x) + exp(y), 2 * cosh(x), opposite,
         "its own rules then see it", "exp(x) + exp(-x)"),
    Rule("cosh + sinh", cosh(x) + sinh(x), exp(x), None,
         "the difference of equal numbers for x << 0", "cosh(x) + sinh(x)"),
    Rule("cosh - sinh", cosh(x) - sinh(x), exp(-x), None,
         "the difference of equal numbers for x >> 0", "cosh(x) - sinh(x)"),
    Rule("cosh - 1", cosh(x) - 1, 2 * sinh(HALF * x) ** 2, None,
         "the difference of equal numbers near 0", "cosh(x) - 1"),
    Rule("1 + cosh", 1 + cosh(x), 2 * cosh(HALF * x) ** 2, written,
         "its square overflows in derivatives, where they are numbers", "1 + cosh(x)"),
    Rule("multiple of cosh - 1", y * cosh(x) - y, 2 * y * sinh(HALF * x) ** 2, None,
         "the difference of equal numbers near 0", "y*cosh(x) - y"),
    Rule("exponentials and 2", exp(x) + 2 + exp(y), 4 * cosh(HALF * x) ** 2, opposite,
         "its own rules then see it", "exp(x) + 2 + exp(-x)"),
    Rule("exponentials less 2", exp(x) - 2 + exp(y), 4 * sinh(HALF * x) ** 2, opposite,
         "the difference of equal numbers near 0", "exp(x) - 2 + exp(-x)"),
    *(Rule(f"1 + sinh squared{k}", before, cosh(x) ** 2, None, "sinh(x)^2 overflows where its root does not", text)
      for before, k, text in ((1 + sinh(x) ** 2, "", "1 + sinh(x)^2"), (1 + sinh(x) * sinh(x), " by product", "1 + sinh(x)*sinh(x)"))),
    *(Rule(f"cosh squared - 1{k}", before, sinh(x) ** 2, None, "the difference of equal numbers near 0", text)
      for before, k, text in ((cosh(x) ** 2 - 1, "", "cosh(x)^2 - 1"), (cosh(x) * cosh(x) - 1, " by product", "cosh(x)*cosh(x) - 1"))),
    Rule("inverse of cosh", acosh(cosh(x)), absolute(x), None, "cosh(x) overflows", "acosh(cosh(x))"),
    *(Rule(f"1 - tanh squared{k}", before, 1 / cosh(x) ** 2, exact, "the difference of equal numbers for |x| >> 0", text)
      for before, k, text in ((1 - tanh(x) ** 2, "", "1 - tanh(x)^2"),
                              (1 - tanh(x) * tanh(x), " by product", "1 - tanh(x)*tanh(x)"))),
    *(Rule(name, before, after, None, "the difference of equal numbers near 0", text)
      for name, before, after, text in (
          ("1 - reciprocal of cosh squared", 1 - 1 / cosh(x) ** 2, tanh(x) ** 2, "1 - 1/cosh(x)^2"),
          ("reciprocal of cosh squared - 1", 1 / cosh(x) ** 2 - 1, -(tanh(x) ** 2), "1/cosh(x)^2 - 1"),
          ("1 - reciprocal of cosh", 1 - 1 / cosh(x), tanh(x) * tanh(HALF * x), "1 - 1/cosh(x)"),
          ("reciprocal of cosh - 1", 1 / cosh(x) - 1, -(tanh(x) * tanh(HALF * x)), "1/cosh(x) - 1"))),
    Rule("coth - 1/x", 1 / tanh(x) - 1 / x, langevin(x, 0), None,
         "the difference of equal numbers near 0", "1/tanh(x) - 1/x"),
    *(Rule(f"reciprocal of -expm1 less reciprocal{k}", before, dlogexprel(x), opposite,
           "the difference of equal numbers near 0, and for x << 0", text)
      for before, k, text in ((-1 / expm1(y) - 1 / x, "", "-1/expm1(-x) - 1/x"),
                              (1 / -expm1(y) - 1 / x, " of a negative", "1/(-expm1(-x)) - 1/x"))),
    Rule("reciprocal less reciprocal of expm1", 1 / x - 1 / expm1(x), dlogexprel(-x), None,
         "the difference of equal numbers near 0", "1/x - 1/expm1(x)"),
    Rule("reciprocal of expm1 less reciprocal", 1 / expm1(x) - 1 / x, -dlogexprel(-x), None,
         "the difference of equal numbers near 0", "1/expm1(x) - 1/x"),
    Rule("1 + langevin", 1 + langevin(x, 0), 2 * dlogexprel(2 * x), None,
         "the difference of equal numbers for x << 0", "1 + langevin(x)"),
    Rule("1 - langevin", 1 - langevin(x, 0), 2 * dlogexprel(-2 * x), None,
         "the difference of equal numbers for x >> 0", "1 - langevin(x)"),
    Rule("dlogexprel less its mirror image", dlogexprel(x) - dlogexprel(y), langevin(HALF * x, 0), opposite,
         "the difference of equal numbers near 0", "dlogexprel(x) - dlogexprel(-x)"),
    Rule("1 - dlogexprel", 1 - dlogexprel(x), dlogexprel(-x), None,
         "the difference of equal numbers for x >> 0", "1 - dlogexprel(x)"),
    Rule("1 + 1 over expm1", 1 + 1 / expm1(x), -1 / expm1(-x), None,
         "the difference of equal numbers for x << 0", "1 + 1/expm1(x)"),
    Rule("log of sinh", log(sinh(x)), x + log1mexp(-2 * x) - LOG2, None, "sinh(x) overflows", "log(sinh(x))"),
    Rule("log of cosh", log(cosh(x)), logcosh(x), None, "cosh(x) overflows", "log(cosh(x))"),
)  # fmt: skip

# The second derivatives of x/(e^x - 1) and x/tanh(x), over the functions themselves.
_OF_EXPREL = where(equal(x, 0), Rational(1, 6), langevin(HALF * x, 0) / -expm1(-x))
_OF_TANHC = where(equal(x, 0), Rational(2, 3), 4 * langevin(x, 0) / sinh(2 * x))

LATE: tuple[Rewriting, ...] = (
    Rule("log of sinh(x) over x", log(sinhc(x)), logcosh(x) - log1p(x * langevin(x, 0)), None,
         "sinh(x) overflows, and sinhc(x) rounds to 1 near 0", "log(sinhc(x))"),
    Rule("log of tanh(x) over x", log(tanhc(x)), -log1p(x * langevin(x, 0)), None, "tanhc(x) rounds to 1 near 0", "log(tanhc(x))"),
    Rule("log of expm1(x) over x", log(exprel(x)),
         where(absolute(x) < 1, HALF * x + logcosh(HALF * x) - log1p(HALF * x * langevin(HALF * x, 0)),
               where(x < 0, log(exprel(x)), x + log1mexp(-x) - log(x))), not_chosen,
         "expm1(x) overflows, and exprel(x) rounds to 1 near 0", "log(exprel(x))"),
    Rule("square of dlogexprel less its slope", dlogexprel(x) ** 2 - QUARTER * langevin(y, 1), _OF_EXPREL, half,
         "the difference of equal numbers for x << 0", "dlogexprel(x)^2 - 0.25*langevin(x/2, 1)"),
    *(Rule(f"square of dlogtanhc less its slope{k}", before, _OF_TANHC, _twice, "the difference of equal numbers for |x| >> 0", text)
      for before, k, text in (
          (dlogtanhc(x) ** 2 - (2 * langevin(x, 1) - 4 * langevin(y, 1)), "", "dlogtanhc(x)^2 - (2*langevin(x, 1) - 4*langevin(2*x, 1))"),
          (4 * langevin(y, 1) - 2 * langevin(x, 1) + dlogtanhc(x) ** 2, " in a sum", "4*langevin(2*x, 1) - 2*langevin(x, 1) + dlogtanhc(x)^2"),
      )),
)  # fmt: skip
