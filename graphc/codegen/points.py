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
from functools import cache
from typing import Any

from llvmlite import binding, ir

from graphc.codegen.tracing import constant_of

_INT, _LONG = ir.IntType(32), ir.IntType(64)


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


@cache
def register_bits() -> int:
    """How long the processor's vectors are."""
    features = binding.get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("avx") else 128


def write_points(
    builder: Any, count: Any, given: Sequence[Any], results: Sequence[Any], compute: Callable[[list[Any]], list[Any]]
) -> Any:
    """The loop, where `compute` writes the function of vectors.  Gives the jump back to its start."""
    before, body, after = builder.block, *(builder.append_basic_block() for _ in range(2))
    zero = ir.Constant(_LONG, 0)
    builder.cbranch(builder.icmp_signed("<", zero, count), body, after)
    builder.position_at_end(body)
    at, vector = builder.phi(_LONG), _vector(results[0].type.pointee)
    part = _Part(builder, vector, builder.sub(count, at))
    part.write(compute(part.read(given, at)), results, at)
    following = builder.add(at, ir.Constant(_LONG, vector.count), flags=("nsw",))
    at.add_incoming(zero, before)
    at.add_incoming(following, builder.block)
    jump = builder.cbranch(builder.icmp_signed("<", following, count), body, after)
    builder.position_at_end(after)
    return jump


def _vector(real: Any) -> Any:
    """The vector of the processor's registers."""
    return ir.VectorType(real, register_bits() // (32 if isinstance(real, ir.FloatType) else 64))


class _Part:
    """So many elements of arrays as a vector has, or those that are `left`."""

    def __init__(self, builder: Any, vector: Any, left: Any) -> None:
        self.builder, self.vector, self.left = builder, vector, left
        self.align = 4 if isinstance(vector.element, ir.FloatType) else 8
        self.whole = builder.icmp_signed(">=", left, ir.Constant(_LONG, vector.count))

    def _there(self) -> Any:
        """Which elements there are, written where they are not all: a whole vector does not take the time."""
        numbers = ir.VectorType(_LONG, self.vector.count)
        counted = ir.Constant(numbers, [ir.Constant(_LONG, k) for k in range(self.vector.count)])
        first = self.builder.insert_element(ir.Constant(numbers, ir.Undefined), self.left, ir.Constant(_INT, 0))
        return self.builder.icmp_signed("<", counted, self._spread(first))

    def _spread(self, value: Any) -> Any:
        """A vector's first element in all places."""
        places = ir.Constant(ir.VectorType(_INT, self.vector.count), [ir.Constant(_INT, 0)] * self.vector.count)
        return self.builder.shuffle_vector(value, value, places)

    def _place(self, array: Any, at: Any) -> Any:
        place = self.builder.gep(array, [at], inbounds=True)
        return self.builder.bitcast(place, self.vector.as_pointer())

    def _masked(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """A call of LLVM's masked load or store."""
        module, type_ = self.builder.module, f"v{self.vector.count}{self.vector.element.intrinsic_name}"
        name = f"llvm.masked.{name}.{type_}.p0"
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self.builder.call(function, arguments)

    def read(self, arrays: Sequence[Any], at: Any) -> list[Any]:
        """Elements from a place on."""
        builder, places = self.builder, [self._place(a, at) for a in arrays]
        with builder.if_else(self.whole) as (then, otherwise):
            with then:
                whole = [builder.load(p, align=self.align) for p in places]
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
        zero, align = constant_of(self.vector, 0.0), ir.Constant(_INT, self.align)
        found = self._masked("load", self.vector, [place, align, there, zero])
        return self.builder.select(there, found, self._spread(found))

    def write(self, values: list[Any], arrays: Sequence[Any], at: Any) -> None:
        """Elements from a place on."""
        builder = self.builder
        places = [self._place(a, at) for a in arrays]
        with builder.if_else(self.whole) as (then, otherwise):
            with then:
                for value, place in zip(values, places, strict=True):
                    builder.store(value, place, align=self.align)
            with otherwise:
                there, align = self._there(), ir.Constant(_INT, self.align)
                for value, place in zip(values, places, strict=True):
                    self._masked("store", ir.VoidType(), [value, place, align, there])
