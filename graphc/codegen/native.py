"""Machine code of generated functions, by LLVM alone.

In: a module's text and the entry wanted.  Out: an object file; of an object file the function, callable from Python.
Always holds: `call` takes arrays and whole numbers by position, which its caller has checked: arrays contiguous and of
the right type; it runs without Python's lock and gives None; Numba is not imported.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import binding, ir

from graphc.codegen import atomic
from graphc.codegen import call as by_name
from graphc.codegen.artifact import Entry
from graphc.codegen.threads import APART
from graphc.graph.types import size_value

# What LLVM is told of a loop.  It would unroll before it looks for vectors; and it would make vectors of several turns,
# gathering their elements, where one turn is a vector already.
_LOOP = re.compile(r'^!(\d+) = !\{ !"(range|one_by_one) \d+" \}$', re.MULTILINE)
_KINDS = {"range": "!99998", "one_by_one": "!99998, !99999"}
_TOLD = """
!99998 = !{ !"llvm.loop.unroll.disable" }
!99999 = !{ !"llvm.loop.vectorize.enable", i1 false }
"""
_PYTHON = (
    "PyLong_AsLongLong", "PyObject_IsTrue", "PyErr_Occurred", "PyErr_BadArgument", "PyEval_SaveThread", "PyEval_RestoreThread", "Py_IncRef",
)  # fmt: skip
_FASTCALL = 0x0080
_KEPT: list[Any] = []  # engines and definitions: what they hold may be called at any time
_CHAR, _LONG = ir.IntType(8), ir.IntType(64)
_POINTER = _CHAR.as_pointer()


def llvm_texts(source: str, entry: Entry, dtype: str, prefix: str = "", wrapped: bool = False) -> tuple[str, str]:
    """A function and all that it calls as LLVM text, and what of it is made of vectors already; `wrapped`: with what
    Python calls."""
    from graphc.codegen.translate import Translator, argument_value

    translator = Translator(source, dtype, prefix)
    arguments = tuple(argument_value(a, dtype) for a in entry.arguments)
    function = translator.entry(entry.name, arguments)
    if wrapped:
        _write_call(translator.module, function, arguments)
    if wrapped and entry.form and by_name.is_possible():
        by_name.write_call(translator.module, function, len(arguments) - 1 - len(entry.results), entry.form)
    if wrapped and entry.cost:
        _write_some_points(translator.module, function, entry)
    text = _LOOP.sub(lambda m: f"!{m[1]} = distinct !{{ !{m[1]}, {_KINDS[m[2]]} }}", str(translator.module)) + _TOLD
    return text, str(translator.vectors)


def object_code(source: str, entry: Entry, dtype: str) -> bytes:
    """The object file of an entry."""
    return bytes(machine().emit_object(optimised(*llvm_texts(source, entry, dtype, wrapped=True))))


def optimised(loops: str, vectors: str) -> Any:
    """The module of both texts after LLVM's passes; what `points` wrote is made of vectors already."""
    module = _parsed(loops)
    (_shorten if "llvm.masked.store" in loops else _vectorise)(module)
    if "define" in vectors:
        others = _parsed(vectors)
        _shorten(others)
        module.link_in(others)
    return module


def _parsed(text: str) -> Any:
    module = binding.parse_assembly(text)
    module.triple, module.data_layout = machine().triple, str(machine().target_data)
    module.verify()
    return module


def _shorten(module: Any) -> None:
    """The few passes that find something in vectors: all those that look for vectors would take three times as long."""
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_new_gvn_pass()
    passes.add_instruction_combine_pass()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes.run(module, binding.create_pass_builder(machine(), options))


def _vectorise(module: Any) -> None:
    """All passes, with a search for vectors in loops and in straight-line code."""
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = binding.create_pass_builder(machine(), options)
    builder.getModulePassManager().run(module, builder)
    for function in module.functions:
        if function.linkage.name == "weak_odr":  # the variants of what the vectoriser calls: it has
            function.linkage = "internal"
    _inline_seldom_cases(module, builder)
    _keep_short_rows(module, builder)


def _inline_seldom_cases(module: Any, builder: Any) -> None:
    """What the vectoriser calls (`tracing.rare_function`) becomes part of its loop: for a call, all vectors of the loop
    would be kept on the stack."""
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.run(module, builder)


def _keep_short_rows(module: Any, builder: Any) -> None:
    """A short row is one vector with a mask: what a loop stores of it and the next one reads stays in registers.

    Processors do not forward a masked store to a load; LLVM does, in passes that it runs only before it vectorises.
    """
    for function in module.functions:
        if not function.is_declaration and "@llvm.masked.store" in str(function):
            builder.getFunctionPassManager().run(function, builder)


@cache
def machine() -> Any:
    """This processor, as LLVM knows it."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3, jit=True,
        codemodel="jitdefault",
    )  # fmt: skip


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("call", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


class Loaded:
    """The function of an object file: `call` takes arrays and whole numbers by position."""

    def __init__(self, code: bytes) -> None:
        _bind_python()
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.call: Callable[..., None] = self._built_in("call", _FASTCALL, b"graphc", None, None)
        self.some_points: int = self._engine.get_function_address("some_points")

    def by_name(self, name: str, doc: str | None, context: tuple[Any, ...]) -> Callable[..., Any] | None:
        """The function of numbers, or of small arrays, by name (`codegen.call`); None where it cannot be."""
        if not self._engine.get_function_address("call_points"):
            return None
        return self._built_in("call_points", by_name.FLAGS, name.encode(), doc.encode() if doc else None, context)

    def _built_in(self, symbol: str, flags: int, name: bytes, doc: bytes | None, context: Any) -> Callable[..., Any]:
        method = _Method(name, self._engine.get_function_address(symbol), flags, doc)
        _KEPT.append((self._engine, method))
        create = ctypes.pythonapi.PyCFunction_NewEx
        create.restype, create.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
        return create(ctypes.byref(method), context, None)  # type: ignore[no-any-return]


@cache
def _bind_python() -> None:
    machine()
    for name in _PYTHON:
        binding.add_symbol(name, ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value)
    for name, address in {"_Py_NoneStruct": id(None), **by_name.symbols(), **atomic.symbols()}.items():
        binding.add_symbol(name, address)


def _write_call(module: Any, function: Any, arguments: tuple[tuple[str, bool], ...]) -> None:
    """`call(self, arguments, count)` of Python's fast protocol: numbers converted, arrays by the address of their data,
    which follows the head of the object."""
    python = {
        name: ir.Function(module, ir.FunctionType(result, given), name)
        for name, result, given in (
            ("PyLong_AsLongLong", _LONG, [_POINTER]), ("PyObject_IsTrue", ir.IntType(32), [_POINTER]),
            ("PyErr_Occurred", _POINTER, []), ("PyErr_BadArgument", ir.IntType(32), []),
            ("PyEval_SaveThread", _POINTER, []), ("PyEval_RestoreThread", ir.VoidType(), [_POINTER]),
            ("Py_IncRef", ir.VoidType(), [_POINTER]),
        )
    }  # fmt: skip
    call = ir.Function(module, ir.FunctionType(_POINTER, [_POINTER, _POINTER.as_pointer(), _LONG]), "call")
    builder = ir.IRBuilder(call.append_basic_block())
    with builder.if_then(builder.icmp_signed("!=", call.args[2], ir.Constant(_LONG, len(arguments))), likely=False):
        builder.call(python["PyErr_BadArgument"], [])
        builder.ret(ir.Constant(_POINTER, None))
    values = []
    for k, (argument, (kind, memory)) in enumerate(zip(function.args, arguments, strict=True)):
        given = builder.load(builder.gep(call.args[1], [ir.Constant(_LONG, k)]))
        if memory:
            place = builder.gep(given, [ir.Constant(_LONG, object.__basicsize__)])
            values.append(builder.load(builder.bitcast(place, argument.type.as_pointer())))
        elif kind == "bool":
            values.append(builder.trunc(builder.call(python["PyObject_IsTrue"], [given]), argument.type))
        else:
            values.append(builder.call(python["PyLong_AsLongLong"], [given]))
    with builder.if_then(
        builder.icmp_unsigned("!=", builder.call(python["PyErr_Occurred"], []), ir.Constant(_POINTER, None)),
        likely=False,
    ):
        builder.ret(ir.Constant(_POINTER, None))
    thread = builder.call(python["PyEval_SaveThread"], [])
    builder.call(function, values)
    builder.call(python["PyEval_RestoreThread"], [thread])
    none = ir.GlobalVariable(module, _CHAR, "_Py_NoneStruct")
    builder.call(python["Py_IncRef"], [none])
    builder.ret(none)


def _write_some_points(module: Any, function: Any, entry: Entry) -> None:
    """`some_points(start, count, thread, addresses)`: some of the points of arrays; each thread has working memory of its own."""
    written = ir.Function(module, ir.FunctionType(ir.VoidType(), [_LONG] * 4), "some_points")
    start, count, thread, table = written.args
    builder = ir.IRBuilder(written.append_basic_block())
    addresses = builder.inttoptr(table, _LONG.as_pointer())
    apart = [_LONG(size_value(length, {}) + APART) for _, length in entry.arenas]
    arrays = len(function.args) - 1 - len(apart)
    offsets = [start] * arrays + [builder.mul(thread, length) for length in apart]
    values = []
    for k, (argument, offset) in enumerate(zip(function.args[1:], offsets, strict=True)):
        address = builder.load(builder.gep(addresses, [_LONG(k)]))
        values.append(builder.gep(builder.inttoptr(address, argument.type), [offset]))
    builder.call(function, [count, *values])
    builder.ret_void()
