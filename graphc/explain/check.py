"""A check of a program's value and gradient.

In: a graph, a point or how many to draw, from which ranges.  Out: `Report`: how well the gradient agrees with differences
of the value, and how many bits floating point loses.
Always holds: the reference is the value alone, as it was written, never a derivative; points where it is not finite are
left out.

A program of numbers, or of arrays that are small, is computed in `DIGITS` digits as well, and in more until the result
stays: 1 + exp(-400) needs 174 to be told from 1.  Differences with a step of 1e-20 then agree with a right formula in
some 35 digits, and what floating point loses is told apart from what is wrong.
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
from graphc.explain.conditioning import conditioning
from graphc.explain.derivation import differentiated
from graphc.explain.gradient import Gradient, simplified_gradient
from graphc.explain.numbers import arguments
from graphc.graph.graph import Graph, focus
from graphc.graph.operation import operation_of
from graphc.graph.types import size_value
from graphc.language.expand import expand
from graphc.language.names import by_plain_name
from graphc.ops import HELD
from graphc.rewrite import simplify, stabilise
from graphc.run.evaluate import evaluate, evaluate_arrays_exactly, evaluate_exactly

DIGITS = (80, 320, 1280)
EXACT_STEP = "1e-20"
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # differences that straddle a kink at one step do not at a smaller one
ELEMENTS = 24  # elements of an array that are compared at a point
EXACT_ELEMENTS = 2  # and in many digits
SMALL = 2_000  # elements of all arrays of a program that is computed in many digits
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
    """The gradient for one input, or the value: the worst relative errors over all points, and the point that was worst.

    `differences`: against differences in float64; `floats`: float64 against many digits; `formula`: the gradient
    against differences, both in many digits; `condition`: the relative condition number at the worst point.  None where
    there is no such figure: of the value no differences, of programs with arrays no condition, and of large ones nothing
    but differences.  The error of an array is relative to its largest element.
    """

    name: str
    differences: float | None
    floats: float | None
    formula: float | None
    worst: str
    ok: bool
    condition: float | None = None

    @property
    def error(self) -> float:
        """The worst relative error of the gradient as it is computed."""
        return (self.differences or 0.0) if self.floats is None else self.floats

    @property
    def digits(self) -> float:
        """Decimal digits that agree."""
        return min(max(-math.log10(max(self.error, 1e-300)), 0.0), 16.0)

    @property
    def bits(self) -> float:
        """Bits that agree, 53 at most."""
        return min(max(-math.log2(max(self.error, 1e-300)), 0.0), 53.0)

    @property
    def verdict(self) -> str:
        """ok; inaccurate, where floating point loses more than the condition explains; or wrong."""
        inaccurate = self.floats is not None and (self.formula is None or self.formula < FORMULA_GOOD)
        return "ok" if self.ok else "INACCURATE" if inaccurate else "WRONG"

    @property
    def lost(self) -> float:
        """Bits that do not agree, of 53: what is lost beyond the rounding of the result."""
        return 53.0 - self.bits


@dataclass(frozen=True)
class Report:
    """What a check found: the value's accuracy (None where the program has large arrays), and each input's gradient."""

    value: str
    points: int
    accuracy: Comparison | None
    inputs: tuple[Comparison, ...]

    @property
    def ok(self) -> bool:
        return all(c.ok for c in self._lines())

    def _lines(self) -> tuple[Comparison, ...]:
        return self.inputs if self.accuracy is None else (self.accuracy, *self.inputs)

    def text(self) -> str:
        """A line for the value, and a line an input."""
        rows = [("", "relative error", "digits", "bits lost", "condition", "formula", "worst at", "")]
        for c in self._lines():
            condition, formula = ("-" if v is None else f"{v:.1e}" for v in (c.condition, c.formula))
            name = c.name if c is self.accuracy else f"d{self.value}/d{c.name}"
            figures = (f"{c.error:.1e}", f"{c.digits:.1f}", f"{c.lost:.0f}", condition, formula)
            rows.append((name, *figures, c.worst, c.verdict))
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ["  ".join(f"{t:<{w}}" for t, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        points = "1 point" if self.points == 1 else f"{self.points} points"
        return "\n".join([f"{self.value} and its gradient, {points}", *lines])

    __str__ = text


def check(
    program: Graph,
    at: Mapping[str, Any] | None = None,
    samples: int = 20,
    seed: int = 0,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Report:
    """Compare value and gradient with many digits and with differences, at one point or at points drawn at random."""
    graph = expand_gradients(program)
    value = the_value(graph)
    part = focus(graph, (value,))
    variables = tuple(s for s in differentiated(graph, None) if s in part.types)
    gradient = simplified_gradient(program, variables, value)
    checker = _Checker(
        part, value, gradient, np.random.default_rng(seed), _known_ranges(part, by_plain_name(ranges or {}))
    )
    count = 1 if at is not None else samples
    for _ in range(count):
        leaves, sizes = arguments(part, at) if at is not None else checker.drawn()
        held = tuple(s for s in checker.graph.states if s not in part.states)
        checker.point({**leaves, **evaluate(part, leaves, held, sizes)}, sizes)
    return Report(value.name, count, checker.accuracy(), tuple(checker.comparison(s) for s in variables))


def _known_ranges(graph: Graph, ranges: Mapping[str, tuple[float, float]]) -> dict[Symbol, tuple[float, float]]:
    """Ranges by symbol; DataError where one is of no real input, or empty."""
    known = {s.name: s for s in graph.leaves() if graph.types[s].kind == "real"}
    for name, (low, high) in ranges.items():
        if name not in known:
            raise DataError(f"{name} has no range: it is no real input", hint=f"there are {', '.join(known) or 'none'}")
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise DataError(f"the range of {name} is from {low} to {high}", hint="two numbers, the smaller one first")
    return {known[name]: (float(low), float(high)) for name, (low, high) in ranges.items()}


class _Checker:
    def __init__(
        self,
        part: Graph,
        value: Symbol,
        gradient: Gradient,
        random: np.random.Generator,
        ranges: Mapping[Symbol, tuple[float, float]],
    ) -> None:
        self.part, self.graph = part, _held(part)
        graph = self.graph
        self.value, self.gradient, self.random, self.ranges = value, gradient, random, ranges
        self.compiled = simplify(stabilise(part))  # the value as it is computed
        self.scalar = _is_scalar(graph) and _is_scalar(gradient.graph)
        self.primitive = {id(g): expand(g) for g in (part, graph, gradient.graph)}  # they live as long as this
        self.errors: dict[Symbol, list[tuple[float, float | None, float | None]]] = {s: [] for s in gradient.variables}
        self.places: dict[Symbol, list[str]] = {s: [] for s in gradient.variables}
        self.lost: list[float] = []  # of the value
        self.points: list[dict[Symbol, Any]] = []
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
        if s in self.ranges:
            return within(*self.ranges[s], self.random, shape)
        which = attempt if attempt < len(DRAWS) else self.random.integers(len(DRAWS))
        scale = math.sqrt(max(shape)) if len(shape) > 1 and s in self.graph.params else 1.0
        return DRAWS[which](self.random, shape) / scale

    def _finite(self, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]) -> bool:
        """True where value and gradient fit floating-point numbers; whether they are found so is to be checked."""
        if self.scalar:
            graphs = self.part, self.gradient.graph
            exact = [v for g in graphs for v in self._exactly(g, leaves, sizes).values()]
            return all(math.isfinite(float(v)) for v in exact)
        value = evaluate(self.part, leaves, (self.value,), sizes)
        gradients = evaluate(self.gradient.graph, leaves, self.gradient.graph.outputs, sizes)
        return all(bool(np.isfinite(v).all()) for v in (*value.values(), *gradients.values()))

    # --- errors ------------------------------------------------------------------------------------------------

    def point(self, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]) -> None:
        """Compare at one point."""
        outputs = self.gradient.graph.outputs
        found = evaluate(self.gradient.graph, leaves, outputs, sizes)
        exact = self._exactly(self.gradient.graph, leaves, sizes) if self._is_exact(sizes) else {}
        self.points.append(dict(leaves))
        if exact:
            value = evaluate(self.compiled, leaves, (self.value,), sizes)[self.value]
            self.lost.append(_rounded_error(value, self._exactly(self.part, leaves, sizes)[self.value]))
        for s, output in zip(self.gradient.variables, outputs, strict=True):
            differences, place = self._against_differences(s, found[output], leaves, sizes)
            floats = _rounded_error(found[output], exact[output]) if exact else None
            formula = self._exact_error(s, exact[output], leaves, sizes) if exact else None
            self.errors[s].append((differences, floats, formula))
            self.places[s].append(place)

    def _is_exact(self, sizes: Mapping[str, int]) -> bool:
        """True where there are many digits."""
        if self.scalar:
            return True
        shapes = (t.shape for g in self.primitive.values() for t in g.types.values())
        elements = sum(math.prod(size_value(d, sizes) for d in shape) for shape in shapes)
        return elements <= SMALL and all(map(_has_digits, self.primitive.values()))

    def _exactly(self, graph: Graph, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]) -> dict[Symbol, Any]:
        """The outputs in as many digits as it takes for them to stay; one that is 0 is asked in all."""
        found: dict[Symbol, Any] = {}
        left: tuple[Symbol, ...] = graph.outputs
        for digits in DIGITS:
            new = self._in_digits(graph, leaves, left, digits, sizes)
            left = tuple(o for o in left if not (o in found and _stays(found[o], new[o])))
            found |= new
        return found

    def _in_digits(
        self,
        graph: Graph,
        leaves: Mapping[Symbol, Any],
        targets: tuple[Symbol, ...],
        digits: int,
        sizes: Mapping[str, int],
    ) -> dict[Symbol, Any]:
        if self.scalar:
            return evaluate_exactly(graph, _scalars(leaves), targets, digits)
        found = evaluate_arrays_exactly(self.primitive[id(graph)], leaves, targets, digits, sizes)
        return {s: v if v.shape else v.item() for s, v in found.items()}

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
        element = f"{s.name}[{', '.join(str(i) for i in where)}]" if where else self._shown(leaves)
        return worst, element

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

    def _exact_error(self, s: Symbol, exact: Any, leaves: Mapping[Symbol, Any], sizes: Mapping[str, int]) -> float:
        """The formula against differences; in more digits where the value's own cancellation hides them."""
        worst = 0.0
        for index in self._elements(np.shape(exact))[:EXACT_ELEMENTS]:
            error = math.inf
            for digits in DIGITS:
                element = exact[index] if index else exact
                error = min(error, self._exact_difference(s, index, element, leaves, sizes, digits))
                if error < FORMULA_GOOD:
                    break
            worst = max(worst, error)
        return worst

    def _exact_difference(
        self,
        s: Symbol,
        index: tuple[int, ...],
        exact: Any,
        leaves: Mapping[Symbol, Any],
        sizes: Mapping[str, int],
        digits: int,
    ) -> float:
        import mpmath

        with mpmath.workdps(digits):
            step, values = mpmath.mpf(EXACT_STEP), []
            for k in (-1, 0, 1):
                moved = np.array(leaves[s], dtype=object)
                moved[index] = mpmath.mpf(moved[index]) + k * step
                point = {**leaves, s: moved}
                values.append(self._in_digits(self.graph, point, (self.value,), digits, sizes)[self.value])
            low, middle, high = values
            left, right = (middle - low) / step, (high - middle) / step
            if abs(left - right) > mpmath.mpf("1e-10") * max(abs(left), abs(right)):  # a kink
                return 0.0 if min(left, right, 0) <= exact <= max(left, right, 0) else 1.0
            if exact == 0:  # what is left of the differences is rounding: nothing next to the value
                return float(abs(left + right) / (abs(middle) + 1))
            return _relative((left + right) / 2, exact)

    # --- the report --------------------------------------------------------------------------------------------

    def comparison(self, s: Symbol) -> Comparison:
        """The worst of all points."""
        errors = self.errors[s]
        if not errors:
            return Comparison(s.name, 0.0, None, None, "", True)
        floats = [e[1] for e in errors if e[1] is not None]
        formulas = [e[2] for e in errors if e[2] is not None]
        key = 1 if len(floats) == len(errors) else 0
        worst = max(range(len(errors)), key=lambda k: errors[k][key] or 0.0)
        differences, place = max(e[0] for e in errors), self.places[s][worst]
        if not key:
            return Comparison(s.name, differences, None, None, place, differences < DIFFERENCES_GOOD)
        output = self.gradient.graph.outputs[self.gradient.variables.index(s)]
        condition = self._condition(self.gradient.graph, output, worst)
        good = max(floats) < _allowed(condition) and max(formulas) < FORMULA_GOOD
        good = good and (self.scalar or differences < DIFFERENCES_GOOD)
        return Comparison(s.name, differences, max(floats), max(formulas), place, good, condition)

    def accuracy(self) -> Comparison | None:
        """The value's worst error of all points."""
        if not self.lost:
            return None
        worst = max(range(len(self.lost)), key=self.lost.__getitem__)
        condition = self._condition(self.part, self.value, worst)
        error, place = self.lost[worst], self._shown(self.points[worst])
        return Comparison(self.value.name, None, error, None, place, error < _allowed(condition), condition)

    def _condition(self, graph: Graph, output: Symbol, place: int) -> float | None:
        found = conditioning(graph) if self.scalar else None
        return None if found is None else found.at(output, _scalars(self.points[place]), DIGITS)

    def _shown(self, leaves: Mapping[Symbol, Any]) -> str:
        return _place({t: v for t, v in leaves.items() if t in self.part.types and t not in self.graph.states})


def _rounded_error(found: Any, exact: Any) -> float:
    """The relative error of float64 numbers, of an array's to its largest; none where exact numbers round to them."""
    if not np.shape(exact):
        return 0.0 if float(found) == float(exact) else _relative(float(found), exact)
    numbers = list(zip(np.ravel(found).tolist(), exact.reshape(-1).tolist(), strict=True))
    if not all(map(math.isfinite, np.ravel(found).tolist())):
        return math.inf
    largest = max((abs(e) for _, e in numbers), default=0)
    return max((float(abs(f - e) / (largest or abs(f))) for f, e in numbers if f != float(e)), default=0.0)


def _allowed(condition: float | None) -> float:
    """The relative error that is still good: what rounding the inputs alone may cost, with a margin."""
    return max(FLOATS_GOOD, 2.0**-48 * (condition or 0.0))


def within(low: float, high: float, random: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Numbers of a range: as often its ends, even over the range, and even over the orders of magnitude."""
    drawn = random.uniform(low, high, size=shape)
    kind = random.integers(3)
    if kind == 0:
        return np.where(random.integers(0, 2, size=shape), low, high)
    if kind == 1:
        return drawn
    largest = max(abs(low), abs(high))
    smallest = min(abs(low), abs(high)) if low * high > 0 else largest * 1e-16
    if largest == 0:
        return drawn
    logarithm = random.uniform(math.log(smallest), math.log(largest), size=shape)
    return np.clip(np.exp(logarithm) * np.where(drawn < 0, -1.0, 1.0), low, high)


def _held(graph: Graph) -> Graph:
    """What derivatives take for a constant is given from outside, so that differences do so too."""
    held = tuple(e.target for e in graph.equations if operation_of(e.expr) is HELD)
    left = tuple(e for e in graph.equations if e.target not in held)
    return graph.replace(states=graph.states + held, equations=left) if held else graph


def _is_scalar(graph: Graph) -> bool:
    records = [operation_of(e.expr) for e in graph.equations]
    return not any(t.shape for t in graph.types.values()) and all(o is None or o.exact is not None for o in records)


def _has_digits(graph: Graph) -> bool:
    """True where all operations, which are primitive, can be computed in many digits."""
    records = [operation_of(e.expr) for e in graph.equations]
    return all(o is None or o.exact is not None or not o.elementwise for o in records)


def _stays(a: Any, b: Any) -> bool:
    """True where two results of different precision agree, and are not 0."""
    pairs = zip(np.ravel(a).tolist(), np.ravel(b).tolist(), strict=True)
    return all(y != 0 and _relative(x, y) <= FORMULA_GOOD for x, y in pairs)


def _scalars(leaves: Mapping[Symbol, Any]) -> dict[Symbol, Any]:
    return {s: np.asarray(v).item() for s, v in leaves.items()}


def _relative(a: Any, b: Any) -> float:
    """|a - b| relative to the larger; 0 where both are 0 or not finite alike."""
    import mpmath

    with mpmath.workdps(DIGITS[0]):
        a, b = mpmath.mpf(a), mpmath.mpf(b)
        if a == b or (mpmath.isnan(a) and mpmath.isnan(b)):
            return 0.0
        error = float(abs(a - b) / max(abs(a), abs(b)))
        return error if math.isfinite(error) else math.inf


def _place(leaves: Mapping[Symbol, Any]) -> str:
    """A point: its scalar inputs, in so many digits that the point can be given again."""
    shown = [f"{t.name} = {np.asarray(v).item()!r}" for t, v in leaves.items() if np.shape(v) == ()]
    return ", ".join(shown[:4]) + ", ..." * (len(shown) > 4)
