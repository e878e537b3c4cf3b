"""The call of a program of numbers from Python, as machine code: arguments by name in, Python's objects out.

In: the function over arrays of points, in an LLVM module.  Out: `call_points`, a function of Python's fast protocol.
Always holds: it answers only where all arguments are numbers, or arrays of one shape and the program's type that are too
few points to share with other threads and whose results are not `LARGE`, all by name or all by position; everything else,
and every error, it leaves to the Python function in its context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from graphc.codegen.artifact import LARGE, SMALL

_CHAR, _INT, _LONG, _DOUBLE = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.DoubleType()
_OBJECT = _CHAR.as_pointer()
_NONE = ir.Constant(_OBJECT, None)
_HEAD = 16  # bytes of reference count and type
_TYPE, _TUPLE_SIZE, _TUPLE_ITEMS, _NUMBER = 8, 16, 24, 16  # where objects, tuples and floats keep these
# where an array keeps these (numpy/ndarraytypes.h, PyArrayObject_fields)
_DATA, _RANK, _SHAPE, _DESCRIPTION, _FLAGS = 16, 24, 32, 56, 64
_CONTIGUOUS_AND_ALIGNED, _WRITEABLE = 0x101, 0x400
FLAGS = 0x0082  # METH_FASTCALL and METH_KEYWORDS

# the context of a call, a tuple: the function for all else, then these, the inputs' names, the results' names
_SLOW, _DTYPE, _ARRAY, _WIDE, _ENOUGH, _NAMES = 0, 1, 2, 3, 4, 5

_API = {
    "PyObject_Vectorcall": (_OBJECT, [_OBJECT, _OBJECT.as_pointer(), _LONG, _OBJECT]),
    "PyLong_AsDouble": (_DOUBLE, [_OBJECT]), "PyErr_Occurred": (_OBJECT, []), "PyErr_Clear": (ir.VoidType(), []),
    "PyFloat_FromDouble": (_OBJECT, [_DOUBLE]), "PyDict_New": (_OBJECT, []),
    "PyDict_SetItem": (_INT, [_OBJECT, _OBJECT, _OBJECT]), "PyTuple_New": (_OBJECT, [_LONG]),
    "PyTuple_SetItem": (_INT, [_OBJECT, _LONG, _OBJECT]), "Py_IncRef": (ir.VoidType(), [_OBJECT]),
    "Py_DecRef": (ir.VoidType(), [_OBJECT]), "PyEval_SaveThread": (_OBJECT, []),
    "PyEval_RestoreThread": (ir.VoidType(), [_OBJECT]),
}  # fmt: skip
# functions of NumPy, with their places in its table
_NUMPY = {
    "PyArray_NewFromDescr": (94, _OBJECT, [_OBJECT, _OBJECT, _INT, *[_OBJECT] * 3, _INT, _OBJECT]),
    "PyArray_SetBaseObject": (282, _INT, [_OBJECT, _OBJECT]),
}


def symbols() -> dict[str, int]:
    """Addresses that the code asks for; none where it is not possible."""
    if not is_possible():
        return {}
    found = {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in _API}
    import numpy

    core = getattr(numpy, "_core", None) or numpy.core
    capsule = ctypes.pythonapi.PyCapsule_GetPointer
    capsule.restype, capsule.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = capsule(core._multiarray_umath._ARRAY_API, None)
    for name, (place, _, _) in _NUMPY.items():
        found[name] = ctypes.c_void_p.from_address(table + ctypes.sizeof(ctypes.c_void_p) * place).value
    return {**{k: int(v or 0) for k, v in found.items()}, "PyFloat_Type": id(float), "PyLong_Type": id(int)}


@cache
def is_possible() -> bool:
    """Whether this Python has all functions that the code calls (from 3.11 on), and objects as it reads them."""
    return all(hasattr(ctypes.pythonapi, name) for name in _API) and layout_is_known()


def layout_is_known() -> bool:
    """Whether objects of this Python and this NumPy lie in memory as the code reads them."""
    array = np.empty((3, 5))
    at = id(array)

    def word(place: int, type_: Any = ctypes.c_void_p) -> Any:
        return type_.from_address(place).value

    return (
        object.__basicsize__ == _HEAD and tuple.__basicsize__ == _TUPLE_ITEMS and word(at + _TYPE) == id(np.ndarray)
        and word(at + _DATA) == array.ctypes.data and word(at + _RANK, ctypes.c_int) == 2
        and word(word(at + _SHAPE) + 8) == 5 and word(at + _DESCRIPTION) == id(array.dtype)
        and word(id(1.5) + _NUMBER, ctypes.c_double) == 1.5
        and word(at + _FLAGS, ctypes.c_int) & _CONTIGUOUS_AND_ALIGNED == _CONTIGUOUS_AND_ALIGNED
    )  # fmt: skip


def context(slow: Any, dtype: Any, enough: int, inputs: tuple[str, ...], results: tuple[str, ...]) -> tuple[Any, ...]:
    """What the call needs besides its arguments; enough: how many points are worth sharing with other threads."""
    return (slow, np.dtype(dtype), np.ndarray, np.float64, float(enough), *inputs, *results)


def write_call(module: Any, points: Any, inputs: int, form: str) -> None:
    """Add `call_points` to the module of `points(count, inputs..., results...)`."""
    types = [_OBJECT, _OBJECT.as_pointer(), _LONG, _OBJECT]
    function = ir.Function(module, ir.FunctionType(_OBJECT, types), "call_points")
    _Writer(module, function, points, inputs, form).write()


class _Writer:
    """The body of `call_points(context, arguments, count, names)`."""

    def __init__(self, module: Any, function: Any, points: Any, inputs: int, form: str) -> None:
        self.module, self.function, self.points, self.form = module, function, points, form
        self.inputs, self.results = inputs, len(points.args) - 1 - inputs
        self.real = points.args[1].type.pointee
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.slow = function.append_basic_block("slow")
        self.context = function.args[0]

    def write(self) -> None:
        values = self._arguments()
        numbers, arrays = (self.function.append_basic_block(name) for name in ("numbers", "arrays"))
        kind = self._type(values[0])
        self.builder.cbranch(self._same(kind, self._item(self.context, _ARRAY)), arrays, numbers)
        self.builder.position_at_end(numbers)
        self._numbers(values)
        self.builder.position_at_end(arrays)
        self._arrays(values)
        self.builder.position_at_end(self.slow)
        other = self._item(self.context, _SLOW)
        self.builder.ret(self._call("PyObject_Vectorcall", other, *self.function.args[1:]))

    # --- arguments ---------------------------------------------------------------------------------------------

    def _arguments(self) -> list[Any]:
        """The arguments in the order of the inputs."""
        builder, count = self.builder, ir.Constant(_LONG, self.inputs)
        _, given, positional, names = self.function.args
        by_name, ready = (self.function.append_basic_block(name) for name in ("by_name", "ready"))
        unnamed = builder.icmp_unsigned("==", names, _NONE)
        some = self.function.append_basic_block("some")
        builder.cbranch(unnamed, some, by_name)
        builder.position_at_end(some)
        self._unless(builder.icmp_signed("==", positional, count))
        in_order = [self._at(given, k) for k in range(self.inputs)]
        incoming = [(in_order, builder.block)]
        builder.branch(ready)
        builder.position_at_end(by_name)
        self._unless(builder.icmp_signed("==", positional, ir.Constant(_LONG, 0)))
        self._unless(builder.icmp_signed("==", self._word(names, _TUPLE_SIZE, _LONG), count))
        wanted = [self._item(self.context, _NAMES + k) for k in range(self.inputs)]
        found = [self._named(names, given, k, name) for k, name in enumerate(wanted)]
        incoming.append((found, builder.block))
        builder.branch(ready)
        builder.position_at_end(ready)
        return [self._joined(*((ones[k], block) for ones, block in incoming)) for k in range(self.inputs)]

    def _named(self, names: Any, given: Any, k: int, name: Any) -> Any:
        """The argument of a name: Python keeps one object for each name in a text, most often in the inputs' order."""
        builder = self.builder
        straight = self._same(self._item(names, k), name)
        search, after = (self.function.append_basic_block() for _ in range(2))
        first = self._at(given, k)
        block = builder.block
        builder.cbranch(straight, after, search)
        builder.position_at_end(search)
        found = _NONE
        for j in range(self.inputs):
            found = builder.select(self._same(self._item(names, j), name), self._at(given, j), found)
        self._unless(builder.icmp_unsigned("!=", found, _NONE))
        searched = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        return self._joined((first, block), (found, searched))

    # --- numbers -----------------------------------------------------------------------------------------------

    def _numbers(self, values: list[Any]) -> None:
        builder = self.builder
        places = [builder.alloca(self.real) for _ in range(self.inputs + self.results)]
        for value, place in zip(values, places, strict=False):
            number = self._number(value)
            builder.store(number if self.real == _DOUBLE else builder.fptrunc(number, self.real), place)
        builder.call(self.points, [ir.Constant(_LONG, 1), *places])
        found = []
        for place in places[self.inputs :]:
            number = builder.load(place)
            wide = number if self.real == _DOUBLE else builder.fpext(number, _DOUBLE)
            found.append(self._call("PyFloat_FromDouble", wide))
        builder.ret(self._packed(found))

    def _number(self, value: Any) -> Any:
        """The number of a float or a whole number."""
        builder, kind = self.builder, self._type(value)
        floating, whole, after = (self.function.append_basic_block() for _ in range(3))
        is_float = builder.or_(
            self._same(kind, self._global("PyFloat_Type")), self._same(kind, self._item(self.context, _WIDE))
        )
        builder.cbranch(is_float, floating, whole)
        builder.position_at_end(floating)
        number = self._word(value, _NUMBER, _DOUBLE)
        builder.branch(after)
        builder.position_at_end(whole)
        self._unless(self._same(kind, self._global("PyLong_Type")))
        converted = self._call("PyLong_AsDouble", value)
        with builder.if_then(builder.icmp_unsigned("!=", self._call("PyErr_Occurred"), _NONE), likely=False):
            self._call("PyErr_Clear")
            builder.branch(self.slow)
        last = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        return self._joined((number, floating), (converted, last))

    # --- arrays ------------------------------------------------------------------------------------------------

    def _arrays(self, values: list[Any]) -> None:
        builder, width = self.builder, 8 if self.real == _DOUBLE else 4
        rank, shape, count = self._checked(values)
        enough = self._word(self._item(self.context, _ENOUGH), _NUMBER, _DOUBLE)
        self._unless(builder.fcmp_ordered("<", builder.sitofp(count, _DOUBLE), enough))
        self._unless(builder.icmp_signed("<", count, _LONG(LARGE // (width * self.results))))
        large = builder.icmp_signed(">", count, _LONG(SMALL // width))
        with builder.if_else(large) as (together, apart):
            with together:
                rows, first = self._rows(rank, shape, count), builder.block
            with apart:
                arrays, second = [self._new(rank, shape, _NONE) for _ in range(self.results)], builder.block
        found = [self._joined((row, first), (one, second)) for row, one in zip(rows, arrays, strict=True)]
        self._compute(large, count, [self._word(a, _DATA, self.real.as_pointer()) for a in (*values, *found)])
        builder.ret(self._packed(found))

    def _checked(self, values: list[Any]) -> tuple[Any, Any, Any]:
        """Rank, shape and number of elements of arrays that are as wanted."""
        builder, first = self.builder, values[0]
        array, dtype = self._item(self.context, _ARRAY), self._item(self.context, _DTYPE)
        rank, shape = self._word(first, _RANK, _INT), self._word(first, _SHAPE, _LONG.as_pointer())
        self._unless(builder.icmp_signed(">", rank, _INT(0)))
        wanted = _INT(_CONTIGUOUS_AND_ALIGNED)
        for k, value in enumerate(values):
            self._unless(self._same(self._type(value), array))
            self._unless(self._same(self._word(value, _DESCRIPTION, _OBJECT), dtype))
            flags = builder.and_(self._word(value, _FLAGS, _INT), wanted)
            self._unless(builder.icmp_signed("==", flags, wanted))
            if k:
                self._unless(builder.icmp_signed("==", self._word(value, _RANK, _INT), rank))
        count = builder.alloca(_LONG)
        builder.store(_LONG(1), count)
        with self._each(rank) as axis:
            size = builder.load(builder.gep(shape, [axis]))
            for value in values[1:]:
                theirs = builder.load(builder.gep(self._word(value, _SHAPE, _LONG.as_pointer()), [axis]))
                self._unless(builder.icmp_signed("==", theirs, size))
            builder.store(builder.mul(builder.load(count), size), count)
        return rank, shape, builder.load(count)

    def _new(self, rank: Any, shape: Any, data: Any) -> Any:
        """A new array, of memory of its own or over data."""
        builder, dtype = self.builder, self._item(self.context, _DTYPE)
        self._call("Py_IncRef", dtype)  # a new array takes one away
        flags = builder.select(self._same(data, _NONE), _INT(0), _INT(_CONTIGUOUS_AND_ALIGNED | _WRITEABLE))
        dimensions, array = builder.bitcast(shape, _OBJECT), self._item(self.context, _ARRAY)
        made = self._call("PyArray_NewFromDescr", array, dtype, rank, dimensions, _NONE, data, flags, _NONE)
        with builder.if_then(self._same(made, _NONE), likely=False):
            builder.ret(_NONE)
        return made

    def _rows(self, rank: Any, shape: Any, count: Any) -> list[Any]:
        """New arrays that lie in one block."""
        builder = self.builder
        length = builder.alloca(_LONG)
        builder.store(builder.mul(count, _LONG(self.results)), length)
        block = self._new(_INT(1), length, _NONE)
        data, rows = self._word(block, _DATA, self.real.as_pointer()), []
        for k in range(self.results):
            place = builder.bitcast(builder.gep(data, [builder.mul(count, _LONG(k))]), _OBJECT)
            rows.append(self._new(rank, shape, place))
            self._call("Py_IncRef", block)  # an array takes one of its base away
            self._call("PyArray_SetBaseObject", rows[-1], block)
        self._call("Py_DecRef", block)
        return rows

    def _compute(self, large: Any, count: Any, data: list[Any]) -> None:
        """The points; if they are many, Python's other threads may go on meanwhile."""
        builder = self.builder
        with builder.if_else(large) as (many, few):
            with many:
                thread = self._call("PyEval_SaveThread")
                builder.call(self.points, [count, *data])
                self._call("PyEval_RestoreThread", thread)
            with few:
                builder.call(self.points, [count, *data])

    @contextmanager
    def _each(self, count: Any) -> Iterator[Any]:
        """A loop from 0 to a 32-bit number > 0."""
        builder = self.builder
        body, after, before = (*(self.function.append_basic_block() for _ in range(2)), builder.block)
        builder.branch(body)
        builder.position_at_end(body)
        turn = builder.phi(_INT)
        turn.add_incoming(ir.Constant(_INT, 0), before)
        yield turn
        following = builder.add(turn, ir.Constant(_INT, 1))
        turn.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, count), body, after)
        builder.position_at_end(after)

    # --- results -----------------------------------------------------------------------------------------------

    def _packed(self, found: list[Any]) -> Any:
        """New objects as the public call gives them."""
        if self.form == "value":
            return found[0]
        named = found[1:] if self.form == "value and results" else found
        table = self._call("PyDict_New")
        for k, value in enumerate(named):
            self._call("PyDict_SetItem", table, self._item(self.context, _NAMES + self.inputs + k), value)
            self._call("Py_DecRef", value)
        if self.form == "results":
            return table
        pair = self._call("PyTuple_New", ir.Constant(_LONG, 2))
        for k, part in enumerate((found[0], table)):
            self._call("PyTuple_SetItem", pair, ir.Constant(_LONG, k), part)
        return pair

    # --- Python's objects --------------------------------------------------------------------------------------

    def _unless(self, condition: Any) -> None:
        """Go on where it holds, else leave the call to Python."""
        after = self.function.append_basic_block()
        self.builder.cbranch(condition, after, self.slow)
        self.builder.position_at_end(after)

    def _joined(self, *incoming: tuple[Any, Any]) -> Any:
        """A value by the block from which control comes."""
        phi = self.builder.phi(incoming[0][0].type)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi

    def _same(self, a: Any, b: Any) -> Any:
        return self.builder.icmp_unsigned("==", a, b)

    def _word(self, place: Any, offset: int, type_: Any) -> Any:
        address = self.builder.gep(place, [ir.Constant(_LONG, offset)])
        return self.builder.load(self.builder.bitcast(address, type_.as_pointer()))

    def _type(self, value: Any) -> Any:
        return self._word(value, _TYPE, _OBJECT)

    def _item(self, items: Any, k: int) -> Any:
        """Element k of a tuple."""
        return self._word(items, _TUPLE_ITEMS + 8 * k, _OBJECT)

    def _at(self, given: Any, k: int) -> Any:
        return self.builder.load(self.builder.gep(given, [ir.Constant(_LONG, k)]))

    def _global(self, name: str) -> Any:
        return self.module.globals.get(name) or ir.GlobalVariable(self.module, _CHAR, name)

    def _declared(self, name: str, result: Any, arguments: list[Any]) -> Any:
        return self.module.globals.get(name) or ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def _call(self, name: str, *arguments: Any) -> Any:
        result, types = _API[name] if name in _API else _NUMPY[name][1:]
        return self.builder.call(self._declared(name, result, types), arguments)
