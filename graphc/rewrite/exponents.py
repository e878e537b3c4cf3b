"""Exponentials whose exponents differ by logarithms: K*exp(x) is S*exp(y) where x - y is log(S/K).

In: a sum in a builder.  Out: the sum with fewer exponentials, or None.
Always holds: exponents are multiplied out, through everything they are made of; of two exponentials the one that is
defined first stays; no term gets more factors.
"""

from __future__ import annotations

from graphc.ops.elementwise import exp, log
from graphc.rewrite.arrange import is_inner
from graphc.rewrite.build import build
from graphc.rewrite.compare import factors
from graphc.rewrite.expansion import multiplied_out
from graphc.rewrite.polynomial import PRODUCTS, SUMS, Monomial, Plan, Powers, Region, collect, terms
from graphc.rewrite.products import apart, argument, divided, is_one_of, multiplied
from graphc.rewrite.rule import Form, Made, Rebuilder, Root

MANY = 4  # terms with exponentials, of more none is compared; logarithms of one kind in an exponent


def met_exponentials(builder: Rebuilder, root: Root) -> Made | None:
    """Terms that are multiples of each other once their exponents are multiplied out, by one exponential."""
    if is_inner(builder, SUMS):
        return None
    found = terms(builder, root, Region())
    if found is None or sum(any(is_one_of(builder, a, exp, *PRODUCTS) for a in m.powers) for m in found) < 2:
        return None
    wholes = [apart(builder, m) for m in found]
    first = {k: place for k, m in enumerate(wholes) if (place := _first_exponential(builder, m)) is not None}
    if not 1 < len(first) <= MANY:
        return None
    new, order = dict(enumerate(found)), sorted(first, key=first.__getitem__)
    for n, k in enumerate(order):
        for j in order[:n]:
            ratio = _ratio(builder, wholes[j], wholes[k]) if j in new else None
            if ratio is None:
                continue
            if not ratio.powers:
                scale = new[j].coefficient + found[j].coefficient * ratio.coefficient
                new[j] = Monomial(scale, new[j].powers)
                del new[k]
            else:
                powers = multiplied(wholes[j].powers, *ratio.powers.items())
                if len(powers) <= len(wholes[k].powers):
                    new[k] = Monomial(wholes[j].coefficient * ratio.coefficient, powers)
            break
    if all(new.get(k) is m for k, m in enumerate(found)):
        return None
    return build(builder, Plan([m for m in new.values() if m.coefficient]))


def _first_exponential(builder: Rebuilder, m: Monomial) -> float | None:
    """The place of the exponential among a product's factors that is defined first."""
    places = (builder.place[a] for a in m.powers if argument(builder, a, exp) is not None)
    return min(places, default=None)


def _ratio(builder: Rebuilder, a: Monomial, b: Monomial) -> Monomial | None:
    """b/a, where no exponential is left in it but others were."""
    powers: Powers = {}
    exponents: Powers = {}
    for atom, e in divided(b.powers, a.powers).items():
        x = argument(builder, atom, exp)
        if x is None:
            powers[atom] = e
        else:
            exponents[x] = e
    total: list[Monomial] = []
    for x, e in exponents.items():
        exponent = multiplied_out(builder, x)
        if exponent is None:
            return None
        total += [Monomial(m.coefficient * e, m.powers) for m in exponent]
    ratio = b.coefficient / a.coefficient
    for m in collect(total):
        atom, e = next(iter(m.powers.items()), (None, 0))
        inside = None if atom is None else argument(builder, atom, log)
        found = None if inside is None else factors(builder, inside)
        n = m.coefficient.numerator
        if found is None or e != 1 or len(m.powers) > 1 or m.coefficient.denominator > 1 or abs(n) > MANY:
            return None
        ratio *= found.coefficient**n
        powers = multiplied(powers, *((f, k * n) for f, k in found.powers.items()))
    return Monomial(ratio, powers) if exponents else None


MET = Form(
    "equal exponentials", SUMS, met_exponentials, "fewer exponentials, where exponents differ by logarithms",
    "x*exp(-y^2) - exp(log(x) - y^2)", needs=frozenset((exp, log)),
)  # fmt: skip
