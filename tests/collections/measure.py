"""The error of a formula, in bits, against many digits: as graphc computes it, and as it is written.

In: a file of formulas, "name | formula | ranges" a line, ranges as x,y=0:1.  Out: `Formula`, and `Measured` for it: of
value and gradient, or (`order` 2) of the second derivatives.
Always holds: the exact numbers are those of the formula as written and of its plain derivatives, in as many digits as it
takes for them to stay; the naive numbers are NumPy's of the same; points are drawn by the formula's own seed, both
ends of every range among them.

`python -m tests.collections.measure [POINTS [2]]` measures the compiled functions at many points: the same limits, minutes;
with 2 the second derivatives.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from sympy import Symbol

import graphc
from graphc.codegen.plain import plain_functions
from graphc.differentiate.program import gradient, hessian, the_value
from graphc.explain.check import DIGITS, within
from graphc.graph.graph import Graph, operands
from graphc.graph.operation import operation_of
from graphc.language.reader import parse
from graphc.ops.elementwise import power
from graphc.run.evaluate import evaluate, evaluate_exactly

HERE = Path(__file__).parent
COLLECTIONS = ("physics", "regression", "floating_point")
STAYS = 1e-25  # relative change from one number of digits to the next
NOTHING = 1e-200  # what is less, and does not stay, is 0
ALLOWED = 1.0  # bits that graphc may lose more than the formula as written
NEIGHBOURS, STEPS = 100, 1000  # points, units in the last place
Computed = Callable[[list[Any]], list[Any]]  # inputs to the value and the gradients


@dataclass(frozen=True)
class Formula:
    """A formula of a collection, with the range of each input."""

    name: str
    text: str
    ranges: dict[str, tuple[float, float]]
    order: int = 1

    @cached_property
    def graph(self) -> Graph:
        return parse(self.text)

    @cached_property
    def whole(self) -> Graph:
        """The value and the gradients, or the second derivatives, as they are written and plainly derived."""
        if self.order == 2:
            return hessian(self.graph, self.graph.inputs)
        derived = gradient(self.graph, self.graph.inputs)
        return derived.replace(outputs=(the_value(self.graph), *derived.outputs))

    @property
    def quantities(self) -> tuple[str, ...]:
        names = [s.name for s in self.graph.inputs]
        if self.order == 2:
            return tuple(f"d2/d{x} d{z}" for x in names for z in names)
        return ("value", *(f"d/d{x}" for x in names))

    def points(self, count: int, dtype: str) -> list[list[Any]]:
        """The lower ends, the upper ends, and random points with ends among their coordinates."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        bounds = [self.ranges[s.name] for s in self.graph.inputs]
        drawn = [[within(low, high, rng, ()) for low, high in bounds] for _ in range(count)]
        ends = [[pair[k] for pair in bounds] for k in range(2)]
        return [[np.dtype(dtype).type(v) for v in point] for point in (*ends, *drawn)]

    def exact(self, point: list[Any]) -> list[Any]:
        """Value and gradients in as many digits as it takes; NaN where they have none, 0 where nothing is left."""
        at = dict(zip(self.graph.inputs, map(float, point), strict=True))
        found: dict[Symbol, Any] = {}
        left: tuple[Symbol, ...] = self.whole.outputs
        for digits in DIGITS:
            new = evaluate_exactly(self.whole, at, left, digits)
            left = tuple(o for o in left if not (o in found and _same(found[o], new[o])))
            found |= new
        return [found[o] * 0 if o in left and abs(found[o]) < NOTHING else found[o] for o in self.whole.outputs]

    def neighbours(self, point: list[Any]) -> list[list[Any]]:
        """Points a few units in the last place away."""
        rng = np.random.default_rng(len(point))
        steps = rng.integers(-STEPS, STEPS + 1, size=(NEIGHBOURS, len(point)))
        bounds = [self.ranges[s.name] for s in self.graph.inputs]
        moved = [[x + int(k) * np.spacing(x) for x, k in zip(point, row, strict=True)] for row in steps]
        return [[np.clip(x, *map(type(x), ends)) for x, ends in zip(row, bounds, strict=True)] for row in moved]

    def naive(self, point: list[Any], dtype: str) -> list[Any]:
        """The same by NumPy, and whole powers by multiplication, as Numba has them."""
        table = {s: np.asarray(v) for s, v in zip(self.graph.inputs, point, strict=True)}
        for equation in self.whole.equations:
            x, n = operands(equation.expr)[0], operands(equation.expr)[-1]
            if operation_of(equation.expr) is power and x in table and n.is_Integer and n > 0:
                table[equation.target] = _multiplied(table[x], int(n))
            else:
                alone = self.whole.replace(equations=(equation,))
                table |= evaluate(alone, table, (equation.target,), dtype=np.dtype(dtype))
        return [table[o] for o in self.whole.outputs]

    def generated(self, dtype: str) -> Computed:
        """The generated code of value and gradient, run as plain Python."""
        function = graphc.compile(self.graph, dtype)
        if self.order == 2:
            return self._second(plain_functions(function.derived("hessian").source)["forward"])
        value_and_grad = plain_functions(function.source)["value_and_grad"]
        return lambda point: _flat(value_and_grad(*point))

    def compiled(self, dtype: str) -> Computed:
        """The compiled code of value and gradient."""
        function = graphc.compile(self.text, dtype)
        if self.order == 2:
            return self._second(function.derived("hessian").jit.forward)
        return lambda point: _flat(function.jit.value_and_grad(*point))

    def _second(self, forward: Callable[..., Any]) -> Computed:
        return lambda point: list(found) if isinstance(found := forward(*point), tuple) else [found]


@dataclass(frozen=True)
class Error:
    """Bits lost of one quantity at one point, by graphc and as written."""

    quantity: str
    point: list[Any]
    found: Any
    exact: Any
    bits: float
    naive: float

    def __str__(self) -> str:
        at = ", ".join(repr(float(x)) for x in self.point)
        return f"{self.quantity} at {at} is {self.found}, not {mpmath.nstr(self.exact, 17)}: {self.bits:.1f} bits"


@dataclass(frozen=True)
class Measured:
    """All errors of a formula in one type."""

    formula: Formula
    dtype: str
    errors: list[Error]
    around: dict[str, list[tuple[list[Any], list[Any]]]] = field(default_factory=dict)

    def worst(self, quantity: str) -> tuple[float, float]:
        """The largest error of graphc and of the formula as written."""
        of = [e for e in self.errors if e.quantity == quantity]
        return max((e.bits for e in of), default=0.0), max((e.naive for e in of), default=0.0)

    @cached_property
    def faults(self) -> list[Error]:
        """What is worse by more than a bit than the formula as written is anywhere, or at points nearby."""
        found = []
        for quantity in self.formula.quantities:
            of = [e for e in self.errors if e.quantity == quantity]
            error = max(of, key=lambda e: e.bits, default=None)
            if error is not None and error.bits > max(e.naive for e in of) + ALLOWED:
                found += [error] * (error.bits > self._nearby(error) + ALLOWED)
        return found

    def _nearby(self, error: Error) -> float:
        """The largest error of the formula as written at points nearby: near a root it is a matter of luck."""
        k, worst = self.formula.quantities.index(error.quantity), 0.0
        for exact, naive in self._neighbours(error.point):
            worst = max(worst, bits(naive[k], exact[k], self.dtype) if _fits(exact[k], self.dtype) else 0.0)
            if worst + ALLOWED >= error.bits:
                break
        return worst

    def _neighbours(self, point: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
        """The exact and the naive numbers at points nearby: computed once for all quantities, as far as they are asked for."""
        known = self.around.setdefault(repr(point), [])
        for k, near in enumerate(self.formula.neighbours(point)):
            if k == len(known):
                known.append((self.formula.exact(near), self.formula.naive(near, self.dtype)))
            yield known[k]

    @property
    def verdict(self) -> str:
        """worse: some error is a fault; better: by more than a bit, in the value or some derivative; else equal."""
        if self.faults:
            return "worse"
        gains = (naive - mine for mine, naive in map(self.worst, self.formula.quantities))
        return "better" if max(gains) > ALLOWED else "equal"


def formulas(collection: str, order: int = 1) -> list[Formula]:
    """The formulas of a file."""
    found = []
    for line in (HERE / f"{collection}.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, text, ranges = (part.strip() for part in line.split(" | "))
        found.append(Formula(name, text, _ranges(ranges), order))
    return found


def _ranges(text: str) -> dict[str, tuple[float, float]]:
    found = {}
    for part in text.split():
        names, _, bounds = part.partition("=")
        low, high = map(float, bounds.split(":"))
        found |= dict.fromkeys(names.split(","), (low, high))
    return found


def measure(formula: Formula, dtype: str, count: int, compute: Computed) -> Measured:
    """Errors at the points where the exact numbers fit the type."""
    errors = []
    for point in formula.points(count, dtype):
        exact = formula.exact(point)
        if not all(map(mpmath.isfinite, exact[:1])):
            continue
        with np.errstate(all="ignore"):
            found, naive = (list(map(float, results)) for results in (compute(point), formula.naive(point, dtype)))
        for quantity, want, *got in zip(formula.quantities, exact, found, naive, strict=True):
            if _fits(want, dtype):
                errors.append(Error(quantity, point, got[0], want, *(bits(v, want, dtype) for v in got)))
    return Measured(formula, dtype, errors)


def bits(found: Any, exact: Any, dtype: str) -> float:
    """log2 of 1 + the error in units of the last place, of 1 where the result is 0; all bits where it is not finite."""
    info = np.finfo(np.dtype(dtype))
    total = float(info.nmant + 1)
    if not np.isfinite(found):
        return total
    with mpmath.workdps(DIGITS[0]):
        exponent = int(mpmath.frexp(exact)[1]) - 1 if exact else 0
        unit = mpmath.ldexp(1, max(exponent, int(info.minexp)) - int(info.nmant))
        return min(float(mpmath.log(1 + abs(mpmath.mpf(float(found)) - exact) / unit, 2)), total)


def _fits(exact: Any, dtype: str) -> bool:
    return bool(mpmath.isfinite(exact)) and abs(exact) < float(np.finfo(np.dtype(dtype)).max)


def _same(a: Any, b: Any) -> bool:
    if mpmath.isnan(a) or mpmath.isnan(b):
        return bool(mpmath.isnan(a) and mpmath.isnan(b))
    return bool(a == b or (b != 0 and abs(a - b) <= STAYS * abs(b)))


def _multiplied(x: Any, n: int) -> Any:
    """x^n by squaring and multiplying."""
    result = None
    while n:
        if n % 2:
            result = x if result is None else result * x
        n, x = n // 2, x * x
    return result


def _flat(found: Any) -> list[Any]:
    value, gradients = found
    return [value, *gradients]


def main(count: int, order: int) -> None:
    """Every formula in both types, compiled; how many are better, equal and worse."""
    for collection in COLLECTIONS:
        for dtype in ("float64", "float32"):
            verdicts: Counter[str] = Counter()
            for formula in formulas(collection, order):
                found = measure(formula, dtype, count, formula.compiled(dtype))
                mine, naive = (max(e) for e in zip(*map(found.worst, formula.quantities), strict=True))
                print(f"{found.verdict:7}{dtype:9}{mine:6.1f}{naive:6.1f}  {formula.name}", flush=True)
                verdicts[found.verdict] += 1
            print(collection, dtype, dict(verdicts), flush=True)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(200, 1)[len(given) :])
