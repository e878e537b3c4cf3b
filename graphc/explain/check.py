"""A check of a program's gradient.

In: a graph, a point or how many to draw.  Out: `Report`: how well the gradient agrees with differences of the value.
Always holds: the reference is the value alone, never a derivative; points where anything is not finite are left out.

A scalar program is computed in `DIGITS` digits as well: differences with a step of 1e-20 then agree with a right formula
in some 35 digits, and what floating point loses is told apart from what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Symbol

from graphc.differentiate.program import expand_gradients, the_value
from graphc.errors import DataError
from graphc.explain.derivation import differentiated
from graphc.explain.gradient import Gradient, simplified_gradient
from graphc.explain.numbers import arguments, number_text
from graphc.graph.graph import Graph, focus
from graphc.graph.operation import operation_of
from graphc.graph.types import size_value
from graphc.ops import HELD
from graphc.run.evaluate import evaluate, evaluate_exactly

DIGITS = 80
EXACT_STEP = "1e-20"
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # differences that straddle a kink at one step do not at a smaller one
ELEMENTS = 24  # elements of an array that are compared at a point
TRIES = 60  # draws for one point
SIZES = (3, 7, 16)  # for symbolic sizes; larger where a slice does not fit
DIFFERENCES_GOOD, FLOATS_GOOD, FORMULA_GOOD = 1e-6, 1e-6, 1e-20
Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]
DRAWS: tuple[Draw, ...] = (
    lambda r, shape: r.normal(size=shape),
    lambda r, shape: r.uniform(0.05, 0.95, size=shape),
    lambda r, shape: np.abs(r.normal(size=shape)),
    lambda r, shape: 1 + np.abs(r.normal(size=shape)),
)


@dataclass(frozen=True)
class Comparison:
    """One input: the worst relative errors over all points, and the point that was worst.

    `differences`: against differences in float64; `floats`: float64 against many digits; `formula`: the gradient
    against differences, both in many digits (None where the program has arrays).
    """

    name: str
    differences: float
    floats: float | None
    formula: float | None
    worst: str
    ok: bool

    @property
    def error(self) -> float:
        """The worst relative error of the gradient as it is computed."""
        return self.differences if self.floats is None else self.floats

    @property
    def digits(self) -> float:
        """Decimal digits that agree."""
        return min(-math.log10(max(self.error, 1e-300)), 16.0)

    @property
    def bits(self) -> float:
        """Bits that agree, 53 at most."""
        return min(-math.log2(max(self.error, 1e-300)), 53.0)


@dataclass(frozen=True)
class Report:
    """What a check found."""

    value: str
    points: int
    inputs: tuple[Comparison, ...]

    @property
    def ok(self) -> bool:
        return all(c.ok for c in self.inputs)

    def text(self) -> str:
        """A line an input."""
        rows = [("", "relative error", "digits", "bits", "formula", "worst at", "")]
        for c in self.inputs:
            formula = f"{c.formula:.1e}" if c.formula is not None else "-"
            verdict = "ok" if c.ok else "WRONG"
            rows.append((c.name, f"{c.error:.1e}", f"{c.digits:.1f}", f"{c.bits:.0f}", formula, c.worst, verdict))
        widths = [max(len(row[k]) for row in rows) for k in range(7)]
        lines = ["  ".join(f"{t:<{w}}" for t, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        points = "1 point" if self.points == 1 else f"{self.points} points"
        return "\n".join([f"gradient of {self.value}, {points}", *lines])

    __str__ = text


def check(graph: Graph, at: Mapping[str, Any] | None = None, samples: int = 20, seed: int = 0) -> Report:
    """Compare the gradient with differences of the value, at one point or at points drawn at random."""
    graph = expand_gradients(graph)
    value = the_value(graph)
    part = focus(graph, (value,))
    variables = tuple(s for s in differentiated(graph, None) if s in part.types)
    checker = _Checker(part, value, simplified_gradient(graph, variables, value), np.random.default_rng(seed))
    count = 1 if at is not None else samples
    for _ in range(count):
        leaves, sizes = arguments(part, at) if at is not None else checker.drawn()
        held = tuple(s for s in checker.graph.states if s not in part.states)
        checker.point({**leaves, **evaluate(part, leaves, held, sizes)}, sizes)
    return Report(value.name, count, tuple(checker.comparison(s) for s in variables))


class _Checker:
    def __init__(self, part: Graph, value: Symbol, gradient: Gradient, random: np.random.Generator) -> None:
        self.part, self.graph = part, _held(part)
        graph = self.graph
        self.value, self.gradient, self.random = value, gradient, random
        self.scalar = _is_scalar(graph) and _is_scalar(gradient.graph)
        self.errors: dict[Symbol, list[tuple[float, float, float]]] = {s: [] for s in gradient.variables}
        self.places: dict[Symbol, list[str]] = {s: [] for s in gradient.variables}
        self.size = 0

    # --- points ------------------------------------------------------------------------------------------------

    def drawn(self) -> tuple[dict[Symbol, Any], dict[str, int]]:
        """A point where value and gradient are finite; plainer distributions are tried first."""
        for attempt in range(TRIES):
            sizes = {name: SIZES[self.size] + k for k, name in enumerate(self.graph.sizes)}
            leaves = {s: self._draw(s, attempt, sizes) for s in self.part.leaves()}
            try:
                if self._finite(leaves, sizes):
                    return leaves, sizes
            except (IndexError, ValueError):
                if not self.graph.sizes or self.size == len(SIZES) - 1:
                    raise DataError(
                        "no array sizes were found that fit the program", hint="give a point: at={'x': ...}"
                    ) from None
                self.size += 1
        raise DataError(
            f"{self.value.name} or its gradient was finite at none of {TRIES} points",
            hint="give a point: at={'x': 0.5}",
        )

    def _draw(self, s: Symbol, attempt: int, sizes: Mapping[str, int]) -> Any:
        type_ = self.graph.types[s]
        shape = tuple(size_value(d, sizes) for d in type_.shape)
        if type_.kind != "real":
            return self.random.integers(0, 2, size=shape).astype(np.bool_ if type_.kind == "bool" else np.int64)
        which = attempt if attempt < len(DRAWS) else self.random.integers(len(DRAWS))
        scale = math.sqrt(max(shape)) if len(shape) > 1 and s in self.graph.params else 1.0
        return DRAWS[which](self.random, shape) / scale

    def _finite(self, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]) -> bool:
        value = evaluate(self.part, leaves, (self.value,), sizes)
        gradients = evaluate(self.gradient.graph, leaves, self.gradient.graph.outputs, sizes)
        return all(bool(np.isfinite(v).all()) for v in (*value.values(), *gradients.values()))

    # --- errors ------------------------------------------------------------------------------------------------

    def point(self, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]) -> None:
        """Compare at one point."""
        outputs = self.gradient.graph.outputs
        found = evaluate(self.gradient.graph, leaves, outputs, sizes)
        exact = evaluate_exactly(self.gradient.graph, _scalars(leaves), outputs, DIGITS) if self.scalar else {}
        for s, output in zip(self.gradient.variables, outputs, strict=True):
            differences, place = self._against_differences(s, found[output], leaves, sizes)
            floats = formula = 0.0
            if self.scalar:
                floats = _relative(float(found[output]), exact[output])
                formula = self._exact_error(s, exact[output], leaves)
            self.errors[s].append((differences, floats, formula))
            self.places[s].append(place)

    def _against_differences(
        self, s: Symbol, gradient: Any, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]
    ) -> tuple[float, str]:
        """The worst of some elements, relative to the element or to what rounding of the value hides."""
        worst: float = 0.0
        where: tuple[int, ...] = ()
        base = abs(float(evaluate(self.graph, leaves, (self.value,), sizes)[self.value]))
        scale = 1e-6 * float(np.max(np.abs(gradient), initial=0.0)) + 1e-7 * base
        for index in self._elements(np.shape(gradient)):
            mine, error = float(gradient[index]), math.inf
            for h in STEPS:
                step = h * max(1.0, abs(float(np.asarray(leaves[s])[index])))
                other = self._difference(s, index, step, leaves, sizes)
                hidden = 1e-15 * base / step / DIFFERENCES_GOOD
                away = abs(mine - other)
                error = min(error, away / max(abs(mine), abs(other), scale, hidden) if away else 0.0)
                kink = self._between(s, index, step, mine, leaves, sizes) if error > DIFFERENCES_GOOD else False
                error = 0.0 if kink else error
                if error < DIFFERENCES_GOOD / 10_000:
                    break
            if error >= worst:
                worst, where = error, index
        given = {t: v for t, v in leaves.items() if t in self.part.types and t not in self.graph.states}
        return worst, _place(s, where, given)

    def _elements(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        count = math.prod(shape)
        chosen = range(count) if count <= ELEMENTS else self.random.choice(count, ELEMENTS, replace=False)
        return [tuple(int(i) for i in np.unravel_index(k, shape)) if shape else () for k in chosen]

    def _difference(self, s: Symbol, index: tuple[int, ...], h: float, leaves: Any, sizes: Any) -> float:
        """The central difference of fourth order (Abramowitz and Stegun 1964, 25.3.21)."""
        f = [self._moved(s, index, k * h, leaves, sizes) for k in (-2, -1, 1, 2)]
        return (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h)

    def _between(self, s: Symbol, index: tuple[int, ...], h: float, mine: float, leaves: Any, sizes: Any) -> bool:
        """True at a kink: left and right derivatives differ for good, and the gradient is none or between them."""
        slopes = []
        for step in (h, h / 16):
            low, middle, high = (self._moved(s, index, k * step, leaves, sizes) for k in (-1, 0, 1))
            slopes.append(((middle - low) / step, (high - middle) / step))
        (left, right), jump = slopes[1], abs(slopes[0][0] - slopes[0][1])
        stays = abs(left - right) > 0.5 * jump > 1e-3 * max(abs(left), abs(right))
        slack = 1e-3 * abs(left - right)
        return stays and min(left, right, 0.0) - slack <= mine <= max(left, right, 0.0) + slack

    def _moved(self, s: Symbol, index: tuple[int, ...], by: float, leaves: Any, sizes: Any) -> float:
        moved = np.array(leaves[s], np.float64)
        moved[index] += by
        return float(evaluate(self.graph, {**leaves, s: moved}, (self.value,), sizes)[self.value])

    def _exact_error(self, s: Symbol, exact: Any, leaves: Mapping[Symbol, Any]) -> float:
        import mpmath

        point = _scalars(leaves)
        with mpmath.workdps(DIGITS):
            step, here = mpmath.mpf(EXACT_STEP), mpmath.mpf(point[s])
            low, middle, high = (
                evaluate_exactly(self.graph, {**point, s: here + k * step}, (self.value,), DIGITS)[self.value]
                for k in (-1, 0, 1)
            )
            left, right = (middle - low) / step, (high - middle) / step
            if abs(left - right) > mpmath.mpf("1e-10") * max(abs(left), abs(right)):  # a kink
                return 0.0 if min(left, right, 0) <= exact <= max(left, right, 0) else 1.0
            return _relative((left + right) / 2, exact)

    # --- the report --------------------------------------------------------------------------------------------

    def comparison(self, s: Symbol) -> Comparison:
        """The worst of all points."""
        errors = self.errors[s]
        key = 1 if self.scalar else 0
        worst = max(range(len(errors)), key=lambda k: errors[k][key], default=0)
        if not errors:
            return Comparison(s.name, 0.0, None, None, "", True)
        differences, floats, formula = (max(e[k] for e in errors) for k in range(3))
        place = self.places[s][worst]
        if not self.scalar:
            return Comparison(s.name, differences, None, None, place, differences < DIFFERENCES_GOOD)
        return Comparison(s.name, differences, floats, formula, place, floats < FLOATS_GOOD and formula < FORMULA_GOOD)


def _held(graph: Graph) -> Graph:
    """What derivatives take for a constant is given from outside, so that differences do so too."""
    held = tuple(e.target for e in graph.equations if operation_of(e.expr) is HELD)
    left = tuple(e for e in graph.equations if e.target not in held)
    return graph.replace(states=graph.states + held, equations=left) if held else graph


def _is_scalar(graph: Graph) -> bool:
    records = [operation_of(e.expr) for e in graph.equations]
    return not any(t.shape for t in graph.types.values()) and all(o is None or o.exact is not None for o in records)


def _scalars(leaves: Mapping[Symbol, Any]) -> dict[Symbol, Any]:
    return {s: np.asarray(v).item() for s, v in leaves.items()}


def _relative(a: Any, b: Any) -> float:
    """|a - b| relative to the larger; 0 where both are 0 or not finite alike."""
    import mpmath

    with mpmath.workdps(DIGITS):
        a, b = mpmath.mpf(a), mpmath.mpf(b)
        if a == b or (mpmath.isnan(a) and mpmath.isnan(b)):
            return 0.0
        error = float(abs(a - b) / max(abs(a), abs(b)))
        return error if math.isfinite(error) else math.inf


def _place(s: Symbol, index: tuple[int, ...], leaves: Mapping[Symbol, Any]) -> str:
    """The worst point: scalar inputs, and which element it was."""
    if index:
        return f"{s.name}[{', '.join(str(i) for i in index)}]"
    shown = [f"{t.name} = {number_text(v)}" for t, v in leaves.items() if np.shape(v) == ()]
    return ", ".join(shown[:4]) + ", ..." * (len(shown) > 4)
