"""Sums of exponentials with weights, as a masked softmax by products: m*exp(x)/sum(m*exp(x)), m of 0 and 1.

In: nothing, or a logarithm in a builder.  Out: `WEIGHTED`, stable rules, and `MIXTURE`, tried after those of positive sums.
Always holds: the largest exponent that has a weight is subtracted, a constant for derivatives, as the quotient does not
depend on it; what has no weight may be larger, and is kept from overflowing.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from sympy import Integer, S, Symbol

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Term, Value, operation_of, variable
from graphc.ops.composite import log_softmax, softmax
from graphc.ops.contraction import contract, split
from graphc.ops.elementwise import (
    add,
    exp,
    log,
    maximum,
    minimum,
    multiply_no_nan,
    not_equal,
    sigmoid,
    subtract,
    where,
)  # fmt: skip
from graphc.ops.movement import reshape, transpose
from graphc.ops.program import stop_gradient
from graphc.ops.reduction import largest, sum_
from graphc.rewrite.build import applied, summed
from graphc.rewrite.compare import factors, summands
from graphc.rewrite.polynomial import Monomial
from graphc.rewrite.positive import MOST_POWERS, positive_log
from graphc.rewrite.products import apart, argument, is_one_of, multiplied, product_form
from graphc.rewrite.rule import Form, Made, Match, Rebuilder, Rewriting, Root, Rule, made

MOST = Integer(80)  # exp(80) is a number in float32, too

x, y, z = (variable(name) for name in "xyz")
_RAW = sum_(y * exp(x), "axis", "keepdims")


def _largest(x: Term, keepdims: Any) -> Term:
    """The largest exponent that has a weight, a constant for derivatives."""
    return stop_gradient(largest(where(not_equal(y, 0), x, -S.Infinity), "axis", keepdims))  # type: ignore[no-any-return]


def _less(x: Term) -> Term:
    return minimum(x - _largest(x, True), MOST)  # type: ignore[no-any-return]


def _safe_log(x: Term) -> Term:
    """log(sum(y*exp(x))) without overflow."""
    return _largest(x, "keepdims") + log(sum_(y * exp(_less(x)), "axis", "keepdims"))  # type: ignore[no-any-return]


_LESS, _SAFE = _less(x), sum_(y * exp(_less(x)), "axis", "keepdims")


def _weights(match: Match) -> bool:
    """y are weights of the elements of x, from which nothing has been subtracted yet."""
    a, b = match["x"].type, match["y"].type
    inside = match.builder.inside(match.atom("x"))
    done = inside is not None and operation_of(inside) is minimum
    return not done and 0 < b.rank <= a.rank and bool((match["y"] * match["x"]).type == a)


def _log_of_share(match: Match) -> Term:
    less, total = (_LESS, _SAFE) if _weights(match) else (x, _RAW)
    return log(y / total) + less  # type: ignore[no-any-return]


def weighted_shares(builder: Rebuilder, m: Monomial) -> Monomial | None:
    """exp(x)/sum(y*exp(x)) = exp(x - c)/sum(y*exp(x - c)) with the largest c that has a weight y."""
    whole = m if sum_ not in builder.present else apart(builder, m)
    for total, e in m.powers.items():
        expr = builder.inside(total) if e == -1 else None
        p = factors(builder, operands(expr)[0]) if expr is not None and operation_of(expr) is sum_ else None
        for atom, k in p.powers.items() if p is not None and len(p.powers) > 1 else ():
            exponent = argument(builder, atom, exp) if k == 1 and whole.powers.get(atom) == 1 else None
            if expr is None or p is None or exponent is None:
                continue
            axis, keepdims = statics(expr)
            weights = Monomial(p.coefficient, multiplied(p.powers, (atom, -1)))
            y = builder.value(summed(builder, [weights]))
            match = Match(builder, {"x": exponent, "y": y.atom, "axis": axis, "keepdims": keepdims})
            if not _weights(match) or not (keepdims or axis == tuple(range(match["x"].type.rank))):
                continue
            above, below = (applied(builder, made(match, t)) for t in (exp(_LESS), _SAFE))
            powers = multiplied(whole.powers, (atom, -1), (total, 1), (above, 1), (below, -1))
            return Monomial(whole.coefficient, powers, whole.extra)
    return None


def log_of_mixture(builder: Rebuilder, root: Root) -> Made | None:
    """log(u*p + v*q + ...) = c + log(u*exp(log(p) - c) + v*exp(log(q) - c) + ...) with the largest c that has a weight."""
    (atom,) = root.operands
    terms = summands(builder, atom) if is_one_of(builder, atom, add, subtract) else None
    parts = [part for m in terms or () if (part := _weighted_share(builder, m)) is not None]
    if terms is None or not 1 < len(parts) == len(terms) <= MOST_POWERS:
        return None
    if not any(isinstance(w.atom, Symbol) for w, _ in parts):
        return None
    top = stop_gradient(reduce(maximum, (where(not_equal(w, 0), x, -S.Infinity) for w, x in parts)))
    whole = top + log(reduce(add, (w * exp(minimum(x - top, MOST)) for w, x in parts)))
    return whole.atom if whole.type == builder.type_of(atom) else None


def log_of_contraction(builder: Rebuilder, root: Root) -> Made | None:
    """log(t @ p) = log(sum(t*p)) of exponentials p, where there are no more products than exponentials."""
    expr = builder.inside(root.operands[0])
    if expr is None or operation_of(expr) is not contract:
        return None
    *labels, result = split(statics(expr)[0])
    for k, p in enumerate(operands(expr)):
        own, other = labels[k], labels[1 - k]
        inside = builder.inside(p)
        if inside is not None and operation_of(inside) is transpose:
            (p,), (axes,) = operands(inside), statics(inside)
            own = "".join(own[axes.index(i)] for i in range(len(own)))
            inside = builder.inside(p)
        kept = "".join(c for c in own if c in result)
        if inside is None or operation_of(inside) not in (exp, softmax) or not set(other) <= set(own) or kept != result:
            continue
        order = "".join(c for c in own if c in other)
        weights = builder.value(operands(expr)[1 - k])
        if order != other:
            weights = transpose(weights, tuple(other.index(c) for c in order))
        sizes = dict(zip(order, weights.shape, strict=True))
        weights = reshape(weights, tuple(sizes.get(c, 1) for c in own))
        axes = tuple(i for i, c in enumerate(own) if c not in result)
        return Root(log, (sum_(weights * builder.value(p), axes, False).atom,))
    return None


def _weighted_share(builder: Rebuilder, m: Monomial) -> tuple[Value, Value] | None:
    """u and log(p) of a product u*p, where p is a probability or an exponential from which nothing has been subtracted."""
    for share, e in m.powers.items():
        x = argument(builder, share, exp)
        if e == 1 and (is_one_of(builder, share, sigmoid) or (x is not None and not is_one_of(builder, x, minimum))):
            weight = Monomial(m.coefficient, multiplied(m.powers, (share, -1)))
            logarithm = positive_log(builder, share)
            return None if logarithm is None else (builder.value(summed(builder, [weight])), logarithm)
    return None


MIXTURE = Form(
    "log of a mixture", (log,), log_of_mixture, "log(0) where what counts is small, and exp(x) overflows",
    "log(t*sigmoid(x) + (1 - t)*sigmoid(-x))",
)  # fmt: skip
CONTRACTED = Form(
    "log of a contraction of exponentials", (log,), log_of_contraction, "log(0) where what counts is small, and exp(x) overflows",
    "input x[n, 3], w[3]; log(softmax(x) @ w)", needs=frozenset({contract}),
)  # fmt: skip
WEIGHTED: tuple[Rewriting, ...] = (
    product_form(
    "softmax with weights", weighted_shares, (sum_,),
         "inf/inf where an x is large, 0/0 where all that count are small",
         "input m[n, 3], x[n, 3]; m*exp(x)/sum(m*exp(x), axis=1, keepdims=true)"),
    Rule("log of a softmax with weights", log((y * exp(x)) / _RAW), _log_of_share, None,
         "log(0) where an x is far below the largest", "input k[n], x[n]; m = where(k > 0, 1, 0); log(m*exp(x)/sum(m*exp(x)))"),
    *(Rule(f"cross-entropy of a softmax with weights{k}", z * (log(share) + x), multiply_no_nan(z, log(share) + x), None,
           "0 times -inf where there is no weight", f"input m[n], u[n], t[n]; x = clip(u, -1, 1); t*(log({text}) + x)")
      for share, k, text in ((y / _RAW, "", "m/sum(m*exp(x))"), ((1 / _RAW) * y, ", by a reciprocal", "1/sum(m*exp(x))*m"))),
    Rule("log of a weighted sum of exponentials", log(_RAW), _safe_log(x), _weights,
         "exp(x) overflows", "input x[n, 3], y[3]; log(sum(y*exp(x), axis=1))"),
    Rule("log of a weighted sum of softmax", log(sum_(y * softmax(x, "of"), "axis", "keepdims")),
         _safe_log(log_softmax(x, "of")), _weights,
         "log(0) where what counts is small", "input x[n, 3], y[3]; log(sum(y*softmax(x), axis=1))"),
    CONTRACTED,
)  # fmt: skip
