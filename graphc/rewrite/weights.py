"""Sums of exponentials with weights, as a masked softmax by products: m*exp(x)/sum(m*exp(x)), m of 0 and 1.

In: nothing.  Out: `WEIGHTED`, stable rules.
Always holds: the largest exponent that has a weight is subtracted, a constant for derivatives, as the quotient does not
depend on it; what has no weight may be larger, and is kept from overflowing.
"""

from __future__ import annotations

from sympy import Integer, S

from graphc.graph.graph import operands, statics
from graphc.graph.operation import Term, operation_of, variable
from graphc.ops.elementwise import exp, log, minimum, multiply_no_nan, not_equal, where
from graphc.ops.program import stop_gradient
from graphc.ops.reduction import largest, sum_
from graphc.rewrite.build import applied, summed
from graphc.rewrite.compare import factors
from graphc.rewrite.polynomial import Monomial
from graphc.rewrite.products import apart, argument, multiplied, product_form
from graphc.rewrite.rule import Match, Rebuilder, Rewriting, Rule, made

MOST = Integer(80)  # exp(80) is a number in float32, too

x, y, z = (variable(name) for name in "xyz")
_WEIGHTED = where(not_equal(y, 0), x, -S.Infinity)
_LESS = minimum(x - stop_gradient(largest(_WEIGHTED, "axis", True)), MOST)
_RAW, _SAFE = (sum_(y * exp(e), "axis", "keepdims") for e in (x, _LESS))


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
    Rule("log of a weighted sum of exponentials", log(_RAW),
         stop_gradient(largest(_WEIGHTED, "axis", "keepdims")) + log(_SAFE), _weights,
         "exp(x) overflows", "input x[n, 3], y[3]; log(sum(y*exp(x), axis=1))"),
)  # fmt: skip
