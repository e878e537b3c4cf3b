"""Vectors of LLVM as long as the processor's registers.

In: a builder, and the type of an element.  Out: types, loads and stores.
Always holds: memory is aligned as its elements are; of a vector with a mask, what is masked out is neither read nor written.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding, ir

from graphc.codegen.tracing import has_fused_product

INT, LONG = ir.IntType(32), ir.IntType(64)


@cache
def register_bits() -> int:
    """How long the processor's vectors are."""
    features = binding.get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("avx") else 128


def vector_of(real: Any) -> Any:
    """The vector of the processor's registers."""
    return ir.VectorType(real, register_bits() // (32 if isinstance(real, ir.FloatType) else 64))


def shortest(vector: Any, count: int) -> Any:
    """The shortest of the processor's vectors that has room for so many elements of such a vector."""
    lanes = vector.count
    while lanes // 2 >= max(count, 16 // alignment(vector)):
        lanes //= 2
    return ir.VectorType(vector.element, lanes)


def alignment(vector: Any) -> int:
    """Bytes of an element."""
    return 4 if isinstance(vector.element, ir.FloatType) else 8


def place_of(builder: Any, vector: Any, array: Any, at: Any) -> Any:
    """Where a vector begins with an array's element."""
    return builder.bitcast(builder.gep(array, [at], inbounds=True), vector.as_pointer())


def load(builder: Any, vector: Any, place: Any, there: Any = None) -> Any:
    """A vector from memory; 0 where the mask says that nothing is there."""
    if there is None:
        return builder.load(place, align=alignment(vector))
    arguments = [place, INT(alignment(vector)), there, nothing(vector)]
    return _called(builder, vector, "masked.load", vector, arguments, ".p0")


def store(builder: Any, value: Any, place: Any, there: Any = None) -> None:
    """A vector into memory, as far as the mask says."""
    vector = value.type
    if there is None:
        builder.store(value, place, align=alignment(vector))
    else:
        arguments = [value, place, INT(alignment(vector)), there]
        _called(builder, vector, "masked.store", ir.VoidType(), arguments, ".p0")


def fetch(builder: Any, place: Any) -> None:
    """Bring memory that will be read into the caches."""
    pointer = ir.IntType(8).as_pointer()
    type_ = ir.FunctionType(ir.VoidType(), [pointer, INT, INT, INT])
    function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], type_)
    builder.call(function, [builder.bitcast(place, pointer), INT(0), INT(3), INT(1)])


def turn(builder: Any, at: Any, start: Any, stop: Any, step: int, before: Any, after: Any) -> Any:
    """The end of a loop's body, which begins with its count `at`; the builder stands behind the loop.  Gives the jump."""
    following = builder.add(at, LONG(step), flags=("nsw",))
    at.add_incoming(start, before)
    at.add_incoming(following, builder.block)
    jump = builder.cbranch(builder.icmp_signed("<", following, stop), at.parent, after)
    builder.position_at_end(after)
    return jump


def first_lanes(builder: Any, vector: Any, count: Any) -> Any:
    """The mask of so many elements."""
    numbers = ir.VectorType(LONG, vector.count)
    counted = ir.Constant(numbers, [LONG(k) for k in range(vector.count)])
    return builder.icmp_signed("<", counted, everywhere(builder, numbers, count))


def lanes_mask(vector: Any, count: int) -> Any:
    """The mask of so many elements; none where all are there."""
    if count >= vector.count:
        return None
    bit = ir.IntType(1)
    return ir.Constant(ir.VectorType(bit, vector.count), [bit(k < count) for k in range(vector.count)])


def nothing(vector: Any) -> Any:
    """Zeros."""
    return ir.Constant(vector, [ir.Constant(vector.element, 0.0)] * vector.count)


def spread(builder: Any, value: Any) -> Any:
    """A vector's first element in all places."""
    return _chosen(builder, value, value, [0] * value.type.count)


def everywhere(builder: Any, vector: Any, number: Any) -> Any:
    """A number in all places."""
    return spread(builder, builder.insert_element(ir.Constant(vector, ir.Undefined), number, INT(0)))


def merged(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Two vectors' elements by turns, as two vectors."""
    count = a.type.count
    halves = [[start + k // 2 + k % 2 * count for k in range(count)] for start in (0, count // 2)]
    first, second = (_chosen(builder, a, b, places) for places in halves)
    return first, second


def _chosen(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    """The elements of two vectors at these places."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT, len(places)), [INT(p) for p in places]))


def fused(builder: Any, x: Any, y: Any, onto: Any) -> Any:
    """x y + onto, with one rounding where the processor can."""
    if not has_fused_product():
        return builder.fadd(builder.fmul(x, y), onto)
    return _called(builder, x.type, "fma", x.type, [x, y, onto])


def _called(builder: Any, vector: Any, name: str, result: Any, arguments: list[Any], pointer: str = "") -> Any:
    """A call of an intrinsic of LLVM."""
    module, name = builder.module, f"llvm.{name}.v{vector.count}{vector.element.intrinsic_name}{pointer}"
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(result, [a.type for a in arguments]), name)
    return builder.call(function, arguments)
