"""Loops over points as loops over vectors.

In: a loop of generated code that gives elements of arrays to a traced function and keeps its results; a builder that
stands where the loop begins.  Out: its instructions; the builder stands behind it.
Always holds: there is one body, for vectors as long as the processor's; of a last vector that is not full, elements
beyond the arrays are neither read nor written, and are taken to be its first one, so that nothing rare happens there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from graphc.codegen.vectors import LONG, alignment, fetch, first_lanes, load, place_of, spread, store, turn, vector_of

# Bytes ahead that are asked for: what processors foresee by themselves ends with each page, and where many arrays begin
# new pages at once, waiting for all of them is an eighth of the time of Planck's law over 100,000 points.
AHEAD = 384


@dataclass(frozen=True)
class Points:
    """`for i in range(count): results[i], ... = function((given[i], ...))`, by the names of all these."""

    count: ast.expr
    function: str
    given: tuple[str, ...]
    results: tuple[str, ...]


def points_of(loop: ast.For) -> Points | None:
    """What a loop does, if that is all it does."""
    match loop:
        case ast.For(
            target=ast.Name(index),
            iter=ast.Call(args=[count]),
            body=[ast.Assign(targets=[ast.Tuple(results)], value=ast.Call(ast.Name(function), [ast.Tuple(given)]))],
        ):
            names = [_array(element, index) for element in (*given, *results)]
            if None not in names:
                return Points(count, function, tuple(names[: len(given)]), tuple(names[len(given) :]))  # type: ignore[arg-type]
    return None


def _array(element: ast.expr, index: str) -> str | None:
    """The array of which this is the element at an index."""
    match element:
        case ast.Subscript(ast.Name(array), ast.Name(at)) if at == index:
            return array
    return None


def write_points(
    builder: Any, count: Any, given: Sequence[Any], results: Sequence[Any], compute: Callable[[list[Any]], list[Any]]
) -> Any:
    """The loop, where `compute` writes the function of vectors.  Gives the jump back to its start."""
    before, body, after = builder.block, *(builder.append_basic_block() for _ in range(2))
    zero = ir.Constant(LONG, 0)
    builder.cbranch(builder.icmp_signed("<", zero, count), body, after)
    builder.position_at_end(body)
    at, vector = builder.phi(LONG), vector_of(results[0].type.pointee)
    part = _Part(builder, vector, builder.sub(count, at))
    part.write(compute(part.read(given, at)), results, at)
    return turn(builder, at, zero, count, vector.count, before, after)


class _Part:
    """So many elements of arrays as a vector has, or those that are `left`."""

    def __init__(self, builder: Any, vector: Any, left: Any) -> None:
        self.builder, self.vector, self.left = builder, vector, left
        self.whole = builder.icmp_signed(">=", left, ir.Constant(LONG, vector.count))

    def _there(self) -> Any:
        """Which elements there are, written where they are not all: a whole vector does not take the time."""
        return first_lanes(self.builder, self.vector, self.left)

    def read(self, arrays: Sequence[Any], at: Any) -> list[Any]:
        """Elements from a place on."""
        builder, places = self.builder, [place_of(self.builder, self.vector, a, at) for a in arrays]
        with builder.if_else(self.whole) as (then, otherwise):
            with then:
                whole = [load(builder, self.vector, p) for p in places]
                ahead = builder.add(at, LONG(AHEAD // alignment(self.vector)))
                for array in arrays:
                    fetch(builder, builder.gep(array, [ahead]))
                first = builder.block
            with otherwise:
                there = self._there()
                part = [self._read_some(p, there) for p in places]
                second = builder.block
        values = [builder.phi(self.vector) for _ in arrays]
        for value, a, b in zip(values, whole, part, strict=True):
            value.add_incoming(a, first)
            value.add_incoming(b, second)
        return values

    def _read_some(self, place: Any, there: Any) -> Any:
        """The elements that are there, the first of them for the others."""
        found = load(self.builder, self.vector, place, there)
        return self.builder.select(there, found, spread(self.builder, found))

    def write(self, values: list[Any], arrays: Sequence[Any], at: Any) -> None:
        """Elements from a place on."""
        builder = self.builder
        places = [place_of(builder, self.vector, a, at) for a in arrays]
        with builder.if_else(self.whole) as (then, otherwise):
            with then:
                for value, place in zip(values, places, strict=True):
                    store(builder, value, place)
            with otherwise:
                there = self._there()
                for value, place in zip(values, places, strict=True):
                    store(builder, value, place, there)
