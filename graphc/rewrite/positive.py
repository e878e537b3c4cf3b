"""Logarithms and shares of what is made of exponentials, without the exponentials.

In: a logarithm, or a product, in a builder.  Out: what takes its place, or None.
Always holds: only what is positive whatever its inputs are is taken apart; elements may have been moved on the way
(slices, transposes, reshapes), and are moved in the logarithm then.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sympy import Basic, Integer, Rational, S, Symbol

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Operation, Value, operation_of
from graphc.ops.composite import log_softmax, logaddexp_of_several, logsumexp, softmax
from graphc.ops.elementwise import (
    absolute,
    add,
    cosh,
    divide,
    exp,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    multiply,
    negate,
    power,
    sigmoid,
    sinh,
    softplus,
    sqrt,
    subtract,
    where,
)  # fmt: skip
from graphc.ops.indexing import gather
from graphc.ops.joining import concat, stack
from graphc.ops.movement import broadcast, reshape, transpose
from graphc.ops.program import size_
from graphc.ops.reduction import prod, sum_
from graphc.ops.safe import log1mexp, logcosh
from graphc.ops.slices import slice_
from graphc.rewrite.build import minus, summed
from graphc.rewrite.compare import summands
from graphc.rewrite.polynomial import Monomial, collect
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

MOVES = (slice_, transpose, reshape, broadcast, gather)
_SUMS = (logaddexp, logaddexp_of_several)
DEEPEST = 8
HALF = Rational(1, 2)
_SEEN_THROUGH = (
    add,
    subtract,
    multiply,
    divide,
    negate,
    power,
    sqrt,
    absolute,
    sum_,
    prod,
    where,
    stack,
    concat,
    *MOVES,
)
MOST_POWERS = 8  # operands of logaddexp: each has a derivative, which takes them all


def log_of_exponentials(builder: Rebuilder, root: Root) -> Made | None:
    """log of a positive sum or product of exponentials, in any base."""
    (atom,) = root.operands
    if builder.inside(atom) is None or not _rests_on_exponentials(builder, atom):
        return None
    found = _log(builder, atom, DEEPEST, loose=True)
    if found is None or root.operation is log:
        return None if found is None else found.atom
    return (found / log(builder.value(Integer(2 if root.operation is log2 else 10)))).atom


def log1p_of_exponentials(builder: Rebuilder, root: Root) -> Made | None:
    """log(1 + p) for a positive p is softplus(log(p)); log(1 - p) of a probability, too, that has been moved."""
    (atom,) = root.operands
    expr = builder.inside(atom)
    if expr is None or not _rests_on_exponentials(builder, atom):
        return None
    if operation_of(expr) is negate:
        complement = _log_of_complement(builder, operands(expr)[0], DEEPEST)
        return None if complement is None else complement.atom
    found = _log(builder, atom, DEEPEST)
    return None if found is None else Root(softplus, (found.atom,))


def _rests_on_exponentials(builder: Rebuilder, atom: Basic) -> bool:
    """True where an exponential, or what is made of them, is within reach."""
    todo = [(atom, DEEPEST)]
    for _ in range(4 * DEEPEST):
        if not todo:
            return False
        item, depth = todo.pop()
        expr = builder.inside(item)
        operation = None if expr is None else operation_of(expr)
        if operation in (exp, expm1, sigmoid, softmax, cosh, sinh) or (
            expr is not None and base_of_power(builder, expr)
        ):
            return True
        if expr is not None and depth and operation in _SEEN_THROUGH:
            todo += [(a, depth - 1) for a in operands(expr)]
    return False


def base_of_power(builder: Rebuilder, expr: Basic) -> Basic | None:
    """c of c^x, for a positive number c and an x that is none."""
    if operation_of(expr) is not power:
        return None
    c, x = map(builder.look, operands(expr))
    return c if isinstance(x, Symbol) and not isinstance(c, Symbol) and c.is_positive else None


def positive_log(builder: Rebuilder, atom: Basic) -> Value | None:
    """log(atom) of the same shape, where it is made of exponentials."""
    found = _log(builder, atom, DEEPEST) if _rests_on_exponentials(builder, atom) else None
    return found if found is not None and found.type == builder.type_of(atom) else None


def _log(builder: Rebuilder, atom: Basic, depth: int, loose: bool = False) -> Value | None:
    """log(atom), where atom is positive; `loose`: one factor may be anything.  As deep as `DEEPEST`."""
    atom = builder.look(atom)
    if not isinstance(atom, Symbol):
        return builder.value(Integer(0) if atom == 1 else builder.apply(log, (atom,))) if atom.is_positive else None
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or depth == 0:
        return None
    inner = [builder.value(a) for a in operands(expr)]
    if operation is exp:
        return inner[0]
    if operation is size_:
        return builder.value(builder.apply(log, (atom,)))
    if operation is sigmoid:
        return -softplus(-inner[0])  # type: ignore[no-any-return]
    if operation is softmax:
        return log_softmax(inner[0], *statics(expr))  # type: ignore[no-any-return]
    if operation is cosh:
        return logcosh(inner[0])  # type: ignore[no-any-return]
    if operation is subtract and builder.look(operands(expr)[0]) == 1:
        return _log_of_complement(builder, operands(expr)[1], depth)
    if operation is absolute:
        return _log(builder, operands(expr)[0], depth - 1)
    if operation in (stack, concat):
        return _log_of_each(builder, expr, depth)
    if operation is where:
        return _log_of_choice(builder, expr, depth, loose)
    if operation in (sqrt, sum_, prod, *MOVES):
        return _log_of_one(builder, expr, depth)
    if operation in (add, multiply, divide, power):
        return _log_of_two(builder, expr, depth, loose)
    return None


def _log_of_one(builder: Rebuilder, expr: Basic, depth: int) -> Value | None:
    first, *others = operands(expr)
    operation, inner = operation_of(expr), _log(builder, first, depth - 1)
    if inner is None or operation is None or inner.shape != builder.type_of(first).shape:
        return None
    if operation is sqrt:
        return inner / 2  # type: ignore[no-any-return]
    if operation is sum_:
        return logsumexp(inner, *statics(expr))  # type: ignore[no-any-return]
    if operation is prod:
        return sum_(inner, *statics(expr))  # type: ignore[no-any-return]
    return builder.value(builder.apply(operation, (inner.atom, *others), statics(expr)))


def _log_of_each(builder: Rebuilder, expr: Basic, depth: int) -> Value | None:
    operation, parts = operation_of(expr), []
    assert operation is not None
    for atom in operands(expr):
        inner = _log(builder, atom, depth - 1)
        if inner is None or inner.shape != builder.type_of(atom).shape:
            return None
        parts.append(inner.atom)
    return builder.value(builder.apply(operation, tuple(parts), statics(expr)))


def _log_of_choice(builder: Rebuilder, expr: Basic, depth: int, loose: bool) -> Value | None:
    """where(c, log(a), log(b)); one of both may be 0, `loose`: or anything."""
    condition, *branches = operands(expr)
    logs = [_log(builder, a, depth - 1) for a in branches]
    if not any(logs):
        return None
    for k, atom in enumerate(map(builder.look, branches)):
        if logs[k] is None and atom == 0:
            logs[k] = builder.value(-S.Infinity)
        elif logs[k] is None and loose:
            logs[k] = builder.value(builder.apply(log, (atom,)))
    a, b = logs
    return None if a is None or b is None else where(builder.value(condition), a, b)


def _log_of_two(builder: Rebuilder, expr: Basic, depth: int, loose: bool) -> Value | None:
    operation, (a, b) = operation_of(expr), operands(expr)
    if operation is power:
        base = _log(builder, a, depth - 1)
        return None if base is None else builder.value(b) * base
    x, y = _log(builder, a, depth - 1), _log(builder, b, depth - 1)
    if operation is not add and loose and (x is None) != (y is None):
        x = x or builder.value(builder.apply(log, (a,)))
        y = y or builder.value(builder.apply(log, (b,)))
    if x is None or y is None:
        return None
    if operation is add:
        return softplus(y) if x.atom == 0 else softplus(x) if y.atom == 0 else logaddexp(x, y)  # type: ignore[no-any-return]
    return x + y if operation is multiply else x - y  # type: ignore[no-any-return]


def _log_of_complement(builder: Rebuilder, atom: Basic, depth: int) -> Value | None:
    """log(1 - p) of a probability p = sigmoid(x), or of exp(x)."""
    expr = builder.inside(atom)
    operation = None if expr is None else operation_of(expr)
    if expr is None or depth == 0:
        return None
    if operation is sigmoid:
        return -softplus(builder.value(operands(expr)[0]))  # type: ignore[no-any-return]
    if operation is exp:
        return log1mexp(builder.value(operands(expr)[0]))  # type: ignore[no-any-return]
    if operation is softmax:
        return log_of_the_others(builder.value(operands(expr)[0]), *statics(expr))
    if operation is not None and operation in MOVES:
        inner = _log_of_complement(builder, operands(expr)[0], depth - 1)
        if inner is not None:
            return builder.value(builder.apply(operation, (inner.atom, *operands(expr)[1:]), statics(expr)))
    return None


def log_of_the_others(x: Value, axis: tuple[int, ...]) -> Value:
    """log(1 - softmax(x)): the logarithm of the sum of the others, where p is more than they are; none else can be, then."""
    p, logs = softmax(x, axis), log_softmax(x, axis)
    most = p > HALF
    others = logsumexp(where(most, -S.Infinity, logs), axis, True)
    return where(most, others, log1p(-where(most, 0, p)))  # type: ignore[no-any-return]


# --- shares --------------------------------------------------------------------------------------------------------


def shares(builder: Rebuilder, m: Monomial) -> Monomial:
    """exp(x)/(exp(x) + p) as sigmoid(x - log(p)), and 1/(c + p) as sigmoid(log(c) - log(p))/c, for positive p.

    exp(x)*(exp(x) + p)^a is sigmoid(x - log(p))*(exp(x) + p)^(a + 1).
    """
    result = Monomial(m.coefficient, dict(m.powers), m.extra)
    for total, e in m.powers.items():
        for _ in range(-e):
            found = _share(builder, total, result.powers)
            if found is None:
                break
            share, scale, used = found
            result.coefficient *= scale
            for atom, change in ((total, 1), (share, 1), *(((used, -1),) if used is not None else ())):
                _change(result.powers, atom, change)
    for raised in m.powers:
        total, a = _raised(builder, raised)
        found = _share(builder, total, result.powers) if total is not None and result.powers.get(raised) == 1 else None
        if found is not None and found[2] is not None and total is not None:
            share, scale, used = found
            result.coefficient *= scale
            for atom, change in (raised, -1), (used, -1), (share, 1), (_next_power(builder, total, a), 1):
                _change(result.powers, atom, change)
    return result


def _raised(builder: Rebuilder, atom: Basic) -> tuple[Basic | None, Basic]:
    """x and a of x^a, where a is no positive number."""
    expr = builder.inside(atom)
    if expr is None or operation_of(expr) is not power:
        return None, atom
    x, a = map(builder.look, operands(expr))
    return (x if isinstance(x, Symbol) and not a.is_positive else None), a


def _next_power(builder: Rebuilder, x: Basic, a: Basic) -> Basic:
    """x^(a + 1)."""
    above = summands(builder, a)
    exponent = a + 1 if above is None or not isinstance(a, Symbol) else summed(builder, collect([*above, Monomial()]))
    return builder.apply(power, (x, exponent))


def _change(powers: dict[Basic, int], atom: Basic, by: int) -> None:
    powers[atom] = powers.get(atom, 0) + by
    if not powers[atom]:
        del powers[atom]


def _share(builder: Rebuilder, total: Basic, powers: dict[Basic, int]) -> tuple[Basic, Fraction, Basic | None] | None:
    """The share of one term in a sum, a coefficient, and the numerator's exponential that goes into it."""
    parts = _terms(builder, total)
    if len(parts) < 2 or not _rests_on_exponentials(builder, total):
        return None
    met = [p for p in parts if powers.get(p[0], 0) > 0 and _is_exponential(builder, p[0])]
    for atom, c in met or [p for p in parts if p[0] == 1]:
        rest = _log_of_sum(builder, [p for p in parts if p != (atom, c)])
        mine = _log_of_sum(builder, [(atom, c)])
        if rest is not None and mine is not None:
            share = sigmoid(_less(mine, rest))
            return share.atom, 1 / c, None if atom == 1 else atom
    return None


def _less(a: Value, b: Value) -> Value:
    """a - b; -b for a = 0."""
    assert isinstance(b.builder, Rebuilder)
    return a - b if a.atom != 0 else b.builder.value(minus(b.builder, b.atom))


def _is_exponential(builder: Rebuilder, atom: Basic) -> bool:
    """exp(x) or c^x, or elements of it."""
    expr = builder.inside(atom)
    for _ in range(DEEPEST):
        if expr is None or operation_of(expr) not in MOVES:
            break
        expr = builder.inside(operands(expr)[0])
    return expr is not None and (operation_of(expr) is exp or base_of_power(builder, expr) is not None)


def _terms(builder: Rebuilder, total: Basic) -> list[tuple[Basic, Fraction]]:
    """Terms of a sum with positive coefficients; none where a term is negative."""
    found: list[tuple[Basic, Fraction]] = []
    todo = [total]
    for _ in range(4 * DEEPEST):
        if not todo:
            return found
        atom = builder.look(todo.pop())
        expr = builder.inside(atom)
        operation = None if expr is None else operation_of(expr)
        if expr is not None and operation is add:
            todo += reversed(operands(expr))
            continue
        if not isinstance(atom, Symbol):
            if not atom.is_Rational or not atom > 0:
                return []
            found.append((Integer(1), Fraction(int(atom.p), int(atom.q))))
            continue
        if expr is not None and operation is multiply:
            c, x = map(builder.look, operands(expr))
            if not isinstance(c, Symbol) and c.is_Rational and c > 0:
                found.append((x, Fraction(int(c.p), int(c.q))))
                continue
        found.append((atom, Fraction(1)))
    return []


def _log_of_sum(builder: Rebuilder, parts: list[tuple[Basic, Fraction]]) -> Value | None:
    total: Value | None = None
    for atom, c in parts:
        x = _log(builder, atom, DEEPEST)
        if x is None:
            return None
        if c != 1:
            scale = log(builder.value(Rational(c.numerator, c.denominator)))
            x = scale if x.atom == 0 else x + scale
        total = x if total is None else softplus(x) if total.atom == 0 else logaddexp(total, x)
    return total


def longer(among: tuple[Operation, ...], several: Operation, most: int) -> Callable[[Rebuilder, Root], Made | None]:
    """A form: an operation of one that nothing else uses, as one of all operands."""

    def apply(builder: Rebuilder, root: Root) -> Made | None:
        for k, atom in enumerate(root.operands):
            expr = builder.inside(atom)
            if expr is None or operation_of(expr) not in among or not builder.lonely(atom):
                continue
            atoms = (*root.operands[:k], *operands(expr), *root.operands[k + 1 :])
            if len(atoms) <= most:
                return Root(several, atoms)
        return None

    return apply


LOG = Form(
    "log of exponentials", (log, log2, log10), log_of_exponentials, "exp(x) overflows or vanishes, its logarithm does not",
    "log(2*exp(x) + exp(y)/3)",
)  # fmt: skip
LOG1P = Form(
    "log(1 + exponentials)", (log1p,), log1p_of_exponentials, "exp(x) overflows", "log1p(exp(x) + exp(y))",
)  # fmt: skip
LONGER = Form(
    "log of a longer sum of exponentials", _SUMS, longer(_SUMS, logaddexp_of_several, MOST_POWERS), "one exponential an operand, one logarithm for all",
    "logaddexp(logaddexp(x, y), z)",
)  # fmt: skip
