"""What threads share memory by, as LLVM instructions: built-in functions of the text in `threads`.

In: words of 64 bits, and a builder that stands where the instructions go.  Out: values.
Always holds: every load and store here is in one order that all threads see (`seq_cst`); what other threads wrote to
any memory before a store is there after the load that found it.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from graphc.codegen.arithmetic import Value

_WORD, _INT, _BYTES, _NOTHING = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer(), ir.VoidType()
_ORDER = "seq_cst"
_WINDOWS = sys.platform == "win32"
_CLOCK = "QueryPerformanceCounter" if _WINDOWS else "clock_gettime"
_CLOCK_ARGUMENTS = [_WORD.as_pointer()] if _WINDOWS else [_INT, _WORD.as_pointer()]


def symbols() -> dict[str, int]:
    """Addresses that the code asks for: of the interpreter's locks, and of the system's clock."""
    library = ctypes.windll.kernel32 if _WINDOWS else ctypes.CDLL(None)  # type: ignore[attr-defined]
    found = {n: getattr(ctypes.pythonapi, n) for n in ("PyThread_acquire_lock", "PyThread_release_lock")}
    found["graphc_clock"] = getattr(library, _CLOCK)
    return {name: int(ctypes.cast(f, ctypes.c_void_p).value or 0) for name, f in found.items()}


class Atomic:
    """Writes the built-in functions."""

    def __init__(self, builder: Any, alloca: Callable[[Any], Any]) -> None:
        self.builder, self.alloca = builder, alloca

    def load(self, memory: Value, index: Value) -> Value:
        """A word."""
        return Value("int", self.builder.load_atomic(self._place(memory, index), _ORDER, 8))

    def store(self, memory: Value, index: Value, value: Value) -> None:
        """Set a word."""
        self.builder.store_atomic(value.value, self._place(memory, index), _ORDER, 8)

    def add(self, memory: Value, index: Value, value: Value) -> Value:
        """Add to a word at once; what it was before."""
        return Value("int", self.builder.atomic_rmw("add", self._place(memory, index), value.value, _ORDER))

    def swap(self, memory: Value, index: Value, old: Value, new: Value) -> Value:
        """Set a word at once if it is `old`; whether it was."""
        place = self._place(memory, index)
        pair = self.builder.cmpxchg(place, old.value, new.value, _ORDER, _ORDER)
        return Value("bool", self.builder.extract_value(pair, 1))

    def acquire(self, lock: Value) -> None:
        """Take a lock of the interpreter's, asleep until it is free."""
        function = self._declared("PyThread_acquire_lock", _INT, [_BYTES, _INT])
        self.builder.call(function, [self.builder.inttoptr(lock.value, _BYTES), _INT(1)])

    def release(self, lock: Value) -> None:
        """Free a lock of the interpreter's."""
        function = self._declared("PyThread_release_lock", _NOTHING, [_BYTES])
        self.builder.call(function, [self.builder.inttoptr(lock.value, _BYTES)])

    def now(self) -> Value:
        """The monotonic clock, ns (on Windows 100 ns)."""
        builder, clock = self.builder, self._declared("graphc_clock", _INT, _CLOCK_ARGUMENTS)
        start = builder.gep(self.alloca(ir.ArrayType(_WORD, 2)), [_INT(0), _INT(0)])
        if _WINDOWS:
            builder.call(clock, [start])
            return Value("int", builder.mul(builder.load(start), _WORD(100)))
        builder.call(clock, [_INT(time.CLOCK_MONOTONIC), start])
        rest = builder.load(builder.gep(start, [_INT(1)]))
        return Value("int", builder.add(builder.mul(builder.load(start), _WORD(1_000_000_000)), rest))

    def run(self, address: Value, *words: Value) -> None:
        """Call the function of four words that stands at an address; memory is given by its own."""
        builder = self.builder
        function = builder.inttoptr(address.value, _JOB.as_pointer())
        builder.call(function, [builder.ptrtoint(w.value, _WORD) if w.memory else w.value for w in words])

    def job(self, function: Any, arguments: Sequence[Value], state: int) -> tuple[Value, Value]:
        """(address, closure) of calls `function(team, thread, first, *arguments)`, good until the caller returns.

        Another thread than the first is taken off the word `state` once it has read the arguments.
        """
        builder, module = self.builder, self.builder.module
        closure = self.alloca(ir.LiteralStructType([a.value.type for a in arguments]))
        for k, argument in enumerate(arguments):
            builder.store(argument.value, builder.gep(closure, [_INT(0), _INT(k)]))
        outlined = ir.Function(module, _JOB, module.get_unique_name("job"))
        outlined.linkage = "internal"
        inside = ir.IRBuilder(outlined.append_basic_block())
        address, thread, first, place = outlined.args
        team = inside.inttoptr(address, _WORD.as_pointer())
        whole = inside.load(inside.inttoptr(place, closure.type))
        values = [inside.extract_value(whole, k) for k in range(len(arguments))]
        arrived = inside.zext(inside.icmp_signed(">", thread, _WORD(0)), _WORD)
        inside.atomic_rmw("sub", inside.gep(team, [_WORD(state)]), arrived, _ORDER)
        inside.call(function, [team, thread, first, *values])
        inside.ret_void()
        return Value("int", builder.ptrtoint(outlined, _WORD)), Value("int", builder.ptrtoint(closure, _WORD))

    def _place(self, memory: Value, index: Value) -> Any:
        return self.builder.gep(memory.value, [index.value])

    def _declared(self, name: str, result: Any, arguments: Sequence[Any]) -> Any:
        module = self.builder.module
        return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


_JOB = ir.FunctionType(_NOTHING, [_WORD] * 4)
BUILT_IN = ("load", "store", "add", "swap", "acquire", "release", "now", "run")
