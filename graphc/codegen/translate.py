"""Generated functions as LLVM text, without Numba.

In: a module's text, and which of its functions are wanted with which arguments.  Out: an `ir.Module`.
Always holds: only what `module` and `training` write is read: numbers, memory, loops and conditions, each name of one
kind, so that types go forwards in one pass; an untaken branch of `a if c else b` is not evaluated; whole numbers are
64 bits, `//` and `%` are Python's; only kernels have fast-math flags, and never nnan or ninf.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from graphc.codegen import atomic, threads, tiles
from graphc.codegen.arithmetic import BUILT_IN, FAST, TYPES, Arithmetic, Value, common_kind, constant
from graphc.codegen.blas import LAPACK, fortran_call, product_call
from graphc.codegen.definitions import Definitions
from graphc.codegen.points import Points, points_of, write_points
from graphc.codegen.tracing import Traced, has_fused_product

_BYTES = {"float64": 8, "float32": 4, "int32": 4}
_CASTS = {
    "float": "float64", "np.float64": "float64", "np.int64": "int", "np.uint64": "uint", "np.uint8": "byte",
    "np.bool_": "bool",
}  # fmt: skip
_NUMBERS = {
    "math.inf": math.inf, "math.nan": math.nan, "math.pi": math.pi, "np.inf": math.inf, "np.nan": math.nan,
}  # fmt: skip


def argument_value(text: str, dtype: str) -> tuple[str, bool]:
    """Kind of an argument as `Entry.arguments` writes it, and whether it is memory."""
    name, _, rank = text.partition("[")
    kind = dtype if name == "real" else "byte" if name == "bool" and rank else name
    return kind, bool(rank)


class Translator:
    """Functions of one generated module, written into one LLVM module as they are called."""

    def __init__(self, source: str, dtype: str, prefix: str) -> None:
        self.dtype, self.prefix = dtype, prefix
        self.module, self.vectors = ir.Module("graphc"), ir.Module("vectors")
        self.definitions = Definitions(source)
        self.traced = self.definitions.namespace()
        self.fused = has_fused_product()
        self.functions: dict[tuple[str, tuple[tuple[str, bool], ...]], Any] = {}
        self.pieces: dict[tuple[Any, str], Any] = {}
        self.tables: dict[str, Value] = {}

    def entry(self, name: str, arguments: tuple[tuple[str, bool], ...]) -> Any:
        """A function that is called from outside."""
        function = self.function(name, arguments)
        function.linkage = "external"
        return function

    def function(self, name: str, arguments: tuple[tuple[str, bool], ...], shared: bool = False) -> Any:
        """A kernel for arguments of these kinds: one body, which all calls share.

        `shared`: other threads write to its memory while it runs, so that what its pointers hold may change at any call.
        """
        if (name, arguments) not in self.functions:
            types = [TYPES[k].as_pointer() if memory else TYPES[k] for k, memory in arguments]
            shown = self.module.get_unique_name(f"{self.prefix}{name}")
            definition = self.definitions.function(name)
            result = getattr(definition.returns, "id", None)
            returned = TYPES[result] if result is not None else ir.VoidType()
            function = ir.Function(self.module, ir.FunctionType(returned, types), shown)
            function.linkage = "internal"
            function.attributes.add("noinline")
            function.attributes.add("nounwind")
            # Vectors that registers do not hold are kept where a cache line begins: across two lines they cost twice.
            set.add(function.attributes, '"stackrealign"')  # llvmlite knows no attributes in quotes
            for argument, (_, memory) in zip(function.args, arguments, strict=True):
                if memory and not shared:
                    argument.add_attribute("noalias")
            self.functions[name, arguments] = function
            given = [Value(k, a, m) for (k, m), a in zip(arguments, function.args, strict=True)]
            _FunctionWriter(self, function, definition).write(given)
        return self.functions[name, arguments]

    def blas_product(self, arguments: list[Value]) -> Any:
        """A function for products with these flags: what one puts into memory for BLAS is written once for all."""
        flags, rest = arguments[:2], arguments[2:]
        key = (f"gemm{''.join('T' if f.known else 'N' for f in flags)}", tuple((a.kind, a.memory) for a in rest))
        if key not in self.functions:
            type_ = ir.FunctionType(ir.VoidType(), [a.value.type for a in rest])
            function = ir.Function(self.module, type_, self.module.get_unique_name(f"{self.prefix}{key[0]}"))
            function.linkage = "internal"
            function.attributes.add("noinline")
            builder = ir.IRBuilder(function.append_basic_block())
            given = [Value(a.kind, v, a.memory) for a, v in zip(rest, function.args, strict=True)]
            product_call(builder, [*flags, *given], builder.alloca)
            builder.ret_void()
            self.functions[key] = function
        return self.functions[key]

    def table(self, name: str) -> Value:
        """A constant array of the module."""
        if name not in self.tables:
            content = bytearray(np.asarray(self.traced[name], np.int64).tobytes())
            table = self._constant_memory(ir.Constant(ir.ArrayType(TYPES["byte"], len(content)), content))
            self.tables[name] = Value("int", table.bitcast(TYPES["int"].as_pointer()), True)
        return self.tables[name]

    def constants(self, kind: str, numbers: list[Any]) -> Value:
        """Numbers in constant memory."""
        table = self._constant_memory(ir.Constant(ir.ArrayType(TYPES[kind], len(numbers)), numbers))
        return Value(kind, table.bitcast(TYPES[kind].as_pointer()), True)

    def _constant_memory(self, content: Any) -> Any:
        memory = ir.GlobalVariable(self.module, content.type, self.module.get_unique_name("table"))
        memory.linkage, memory.global_constant, memory.initializer, memory.align = "internal", True, content, 8
        return memory

    # --- traced functions --------------------------------------------------------------------------------------

    def run_traced(self, builder: Any, name: str, values: list[Any]) -> list[Any]:
        """The results of a traced function of numbers."""
        function = self.traced[name]
        for called in function.__code__.co_names if self.definitions.role(name) == "traced" else ():
            if inspect.isfunction(self.traced.get(called)):
                self.traced[called] = _Shared(self, self.traced[called])
        given = [Traced(builder, v, self.fused) for v in values]
        found = function(*given) if self.definitions.role(name) == "traced" else (_Shared(self, function)(*given),)
        return [given[0]._operand(f) for f in found]

    def piece(self, function: Callable[..., Any], type_: Any, count: int) -> Any:
        """A function of numbers that is traced once, whatever calls it; LLVM inlines it."""
        key = (function, str(type_))
        if key not in self.pieces:
            name = self.module.get_unique_name(function.__name__)
            piece = ir.Function(self.module, ir.FunctionType(type_, [type_] * count), name)
            piece.linkage = "internal"
            piece.attributes.add("alwaysinline")
            builder = ir.IRBuilder(piece.append_basic_block())
            builder.ret(function(*(Traced(builder, a, self.fused) for a in piece.args)).value)
            self.pieces[key] = piece
        return self.pieces[key]


class _Shared:
    """A function of numbers where straight-line code calls it."""

    def __init__(self, owner: Translator, function: Callable[..., Any]) -> None:
        self.owner, self.function = owner, function

    def __call__(self, *arguments: Any) -> Any:
        """The call of its one piece, where no argument is known and all are of one type; else it is traced on the spot."""
        first = arguments[0]
        if not all(isinstance(a, Traced) and a.known is None and a.single == first.single for a in arguments):
            return self.function(*arguments)
        piece = self.owner.piece(self.function, first.value.type, len(arguments))
        return first._with(first.builder.call(piece, [a.value for a in arguments]))


class _FunctionWriter(Arithmetic):
    """The body of one function; functions that are inlined are written where they are called."""

    def __init__(self, owner: Translator, function: Any, definition: ast.FunctionDef) -> None:
        self.owner, self.definition, self.module = owner, definition, owner.module
        self.entry = function.append_basic_block("entry")
        super().__init__(ir.IRBuilder(function.append_basic_block("body")), FAST)
        self.names: dict[str, Any] = {}
        self.returns: list[tuple[Any, Any]] | None = None
        self.taken: list[Any] = []

    def write(self, arguments: list[Value]) -> None:
        """All of it."""
        body = self.builder.block
        self.names = dict(zip((a.arg for a in self.definition.args.args), arguments, strict=True))
        self._statements(self.definition.body)
        for place in self.taken:
            self.builder.call(self.declared("free", ir.FunctionType(ir.VoidType(), [place.type])), [place])
        if not self.builder.block.is_terminated:
            self.builder.ret_void()
        ir.IRBuilder(self.entry).branch(body)

    # --- statements --------------------------------------------------------------------------------------------

    def _statements(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            getattr(self, f"_{type(statement).__name__}")(statement)

    def _Pass(self, node: ast.Pass) -> None:  # noqa: N802
        """Nothing."""

    def _Expr(self, node: ast.Expr) -> None:  # noqa: N802
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def _Assign(self, node: ast.Assign) -> None:  # noqa: N802
        self._assign(node.targets[0], self.value(node.value))

    def _AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        target = ast.copy_location(ast.BinOp(_loaded(node.target), node.op, node.value), node)
        self._assign(node.target, self.value(target))

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Tuple):
            for part, one in zip(target.elts, value, strict=True):
                self._assign(part, one)
        elif isinstance(target, ast.Subscript):
            place, kind = self._place(target)
            self.builder.store(self.cast(value, kind).value, place)
        else:
            assert isinstance(target, ast.Name)
            self._define(target.id, value)

    def _define(self, name: str, value: Any) -> None:
        """Numbers that vary have a place on the stack, which LLVM turns into registers."""
        if isinstance(value, tuple) or value.memory:
            self.names[name] = value
            return
        have = self.names.get(name)
        if not isinstance(have, _Variable) or have.kind != value.kind:
            have = self.names[name] = _Variable(value.kind, self._alloca(TYPES[value.kind], name))
        self.builder.store(value.value, have.place)

    def _alloca(self, type_: Any, name: str = "") -> Any:
        return ir.IRBuilder(self.entry).alloca(type_, name=name)

    def _If(self, node: ast.If) -> None:  # noqa: N802
        self._branches(self.truth(node.test), node.body, node.orelse)

    def _branches(self, condition: Any, body: list[ast.stmt], otherwise: list[ast.stmt]) -> None:
        then, other, after = (self.builder.append_basic_block() for _ in range(3))
        self.builder.cbranch(condition, then, other)
        for block, statements in ((then, body), (other, otherwise)):
            self.builder.position_at_end(block)
            self._statements(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)

    def _While(self, node: ast.While) -> None:  # noqa: N802
        test, body, after = (self.builder.append_basic_block() for _ in range(3))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.truth(node.test), body, after)
        self.builder.position_at_end(body)
        self._statements(node.body)
        self._back(test)
        self.builder.position_at_end(after)

    def _For(self, node: ast.For) -> None:  # noqa: N802
        if isinstance(node.iter, ast.Tuple):
            for item in node.iter.elts:
                self._assign(node.target, self.value(item))
                self._statements(node.body)
            return
        if (points := points_of(node)) is not None and self.owner.definitions.role(points.function) == "traced":
            self._points(points)
            return
        assert isinstance(node.iter, ast.Call)
        assert isinstance(node.iter.func, ast.Name)
        assert isinstance(node.target, ast.Name)
        limits = [self.value(a) for a in node.iter.args]
        start, stop = (limits[0], limits[1]) if len(limits) > 1 else (constant("int", 0), limits[0])
        step = limits[2] if len(limits) > 2 else constant("int", 1)
        down = step.known is not None and step.known < 0
        test, body, after = (self.builder.append_basic_block() for _ in range(3))
        place = self._alloca(TYPES["int"])
        self.builder.store(start.value, place)
        self.builder.branch(test)
        self.builder.position_at_end(test)
        at = self.builder.load(place)
        self.builder.cbranch(self.builder.icmp_signed(">" if down else "<", at, stop.value), body, after)
        self.builder.position_at_end(body)
        self._define(node.target.id, Value("int", at))
        self._statements(node.body)
        self.builder.store(self.builder.add(self.builder.load(place), step.value, flags=("nsw",)), place)
        self._back(test, node.iter.func.id)
        self.builder.position_at_end(after)

    def _back(self, test: Any, turns: str = "range") -> None:
        """A loop's end."""
        if not self.builder.block.is_terminated:
            self._mark(self.builder.branch(test), turns)

    def _mark(self, jump: Any, turns: str = "range") -> None:
        """The kind of a loop's turns (`native._KINDS`)."""
        jump.set_metadata("llvm.loop", self.module.add_metadata([f"{turns} {len(self.module.metadata)}"]))

    def _points(self, points: Points) -> None:
        """A traced function of the elements of arrays, by vectors."""
        given, results = ([self.names[n].value for n in names] for names in (points.given, points.results))

        def compute(values: list[Any]) -> list[Any]:
            return self.owner.run_traced(self.builder, points.function, values)

        self._mark(write_points(self.builder, self.value(points.count).value, given, results, compute))

    def _Return(self, node: ast.Return) -> None:  # noqa: N802
        assert node.value is not None
        value = self.value(node.value)
        if self.returns is None:
            assert isinstance(self.definition.returns, ast.Name)
            self.builder.ret(self.cast(value, self.definition.returns.id).value)
        else:
            self.returns.append((self.builder.block, value))
        self.builder.position_at_end(self.builder.append_basic_block())
        self.builder.unreachable()

    # --- expressions -------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Any:
        """A value, a tuple of them, or None."""
        return getattr(self, f"_{type(node).__name__}")(node)

    def truth(self, node: ast.expr) -> Any:
        """A condition."""
        return self.cast(self.value(node), "bool").value

    def _Constant(self, node: ast.Constant) -> Value:  # noqa: N802
        number = node.value
        if isinstance(number, str):
            return constant("byte", ord(number))
        assert isinstance(number, (bool, int, float))
        return constant("bool" if isinstance(number, bool) else "int" if isinstance(number, int) else "float64", number)

    def _Name(self, node: ast.Name) -> Any:  # noqa: N802
        found = self.names.get(node.id)
        if isinstance(found, _Variable):
            return Value(found.kind, self.builder.load(found.place))
        if found is not None:
            return found
        if node.id in ("zero", "missing"):
            return constant(self.owner.dtype, 0.0 if node.id == "zero" else math.nan)
        if isinstance(number := vars(threads).get(node.id), int):
            return constant("int", number)
        return self.owner.table(node.id)

    def _Attribute(self, node: ast.Attribute) -> Value:  # noqa: N802
        return constant("float64", _NUMBERS[_dotted(node)])

    def _Tuple(self, node: ast.Tuple) -> tuple[Any, ...]:  # noqa: N802
        return tuple(self.value(item) for item in node.elts)

    def _Subscript(self, node: ast.Subscript) -> Value:  # noqa: N802
        place, kind = self._place(node)
        return Value(kind, self.builder.load(place))

    def _place(self, node: ast.Subscript) -> tuple[Any, str]:
        memory = self.value(node.value)
        if isinstance(memory, tuple):
            assert all(m.known is not None for m in memory)
            memory = self.owner.constants(memory[0].kind, [m.known for m in memory])
        index = self.cast(self.value(node.slice), "int").value
        return self.builder.gep(memory.value, [index], inbounds=True), memory.kind

    def _UnaryOp(self, node: ast.UnaryOp) -> Value:  # noqa: N802
        if isinstance(node.op, ast.Not):
            return Value("bool", self.builder.not_(self.truth(node.operand)))
        return self.negated(self.value(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Value:  # noqa: N802
        join = self.builder.and_ if isinstance(node.op, ast.And) else self.builder.or_
        result = self.truth(node.values[0])
        for other in node.values[1:]:  # they have no effects and read nothing that is not there
            result = join(result, self.truth(other))
        return Value("bool", result)

    def _Compare(self, node: ast.Compare) -> Value:  # noqa: N802
        result, left = None, self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            one = self.compared(op, left, right)
            result, left = (one if result is None else self.builder.and_(result, one)), right
        return Value("bool", result)

    def _IfExp(self, node: ast.IfExp) -> Value:  # noqa: N802
        condition = self.truth(node.test)
        then, other, after = (self.builder.append_basic_block() for _ in range(3))
        self.builder.cbranch(condition, then, other)
        ends = []
        for block, expression in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(block)
            ends.append((self.value(expression), self.builder.block))
        kind = common_kind({v.kind for v, _ in ends})
        incoming = []
        for value, block in ends:
            self.builder.position_at_end(block)
            incoming.append((self.cast(value, kind).value, block))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        return Value(kind, self._joined(TYPES[kind], incoming))

    def _BinOp(self, node: ast.BinOp) -> Value:  # noqa: N802
        return self.computed(node.op, self.value(node.left), self.value(node.right))

    # --- calls -------------------------------------------------------------------------------------------------

    def _Call(self, node: ast.Call) -> Any:  # noqa: N802
        name, owner = _dotted(node.func), self.owner
        if name == "np.empty":
            return self._memory(self.value(node.args[0]), _dotted(node.args[1]))
        if name == "job":
            return self._job(_dotted(node.args[1]), [self.value(a) for a in node.args[2:]])
        arguments = [self.value(a) for a in node.args]
        if name == "real" or name in _CASTS:
            return self.cast(arguments[0], owner.dtype if name == "real" else _CASTS[name])
        if name == "view":
            memory, start = arguments
            return Value(memory.kind, self.builder.gep(memory.value, [start.value], inbounds=True), True)
        if name == "gemm":
            return tiles.product_call(self.builder, owner.vectors, arguments, owner.prefix)
        if name == "blas_gemm":
            return self.builder.call(owner.blas_product(arguments), [a.value for a in arguments[2:]])
        if name in LAPACK:
            letter = "d" if any(a.kind == "float64" and a.memory for a in arguments) else "s"
            return fortran_call(self.builder, f"graphc_{letter}{name}", (a.value for a in arguments), self._alloca)
        if name in BUILT_IN or name.startswith(("math.", "np.")):
            return self.mathematics(name.partition(".")[2] or name, arguments)
        role = owner.definitions.role(name)
        if role in ("kernel", "entry", "shared"):
            kinds = tuple((a.kind, a.memory) for a in arguments)
            found = self.builder.call(owner.function(name, kinds, role == "shared"), [a.value for a in arguments])
            result = getattr(owner.definitions.function(name).returns, "id", None)
            return None if result is None else Value(result, found)
        if role in ("helper", "point"):
            return self._inlined(owner.definitions.function(name), arguments, role == "point")
        if role == "traced" or name in owner.traced:
            numbers = list(arguments[0]) if role == "traced" else arguments
            found = owner.run_traced(self.builder, name, [n.value for n in numbers])
            results = tuple(Value(numbers[0].kind, f) for f in found)
            return results if role == "traced" else results[0]
        if name in atomic.BUILT_IN:
            return getattr(atomic.Atomic(self.builder, self._alloca), name)(*arguments)
        raise NameError(f"generated code calls {name}, which nothing defines")

    def _inlined(self, definition: ast.FunctionDef, arguments: list[Any], fast: bool) -> Any:
        """The statements of a function, with names and flags of its own; its returns meet after them."""
        kept = self.names, self.returns, self.flags
        self.names, self.returns, self.flags = {}, [], FAST if fast else ()
        for argument, value in zip((a.arg for a in definition.args.args), arguments, strict=True):
            self._define(argument, value)
        self._statements(definition.body)
        returns, (self.names, self.returns, self.flags) = self.returns, kept
        if len(returns) == 1:
            self.builder.position_at_end(returns[0][0])
            return returns[0][1]
        after = self.builder.append_basic_block()
        for block, _ in returns:
            self.builder.position_at_end(block)
            self.builder.branch(after)
        self.builder.position_at_end(after)
        kind = returns[0][1].kind
        return Value(kind, self._joined(TYPES[kind], [(v.value, block) for block, v in returns]))

    def _job(self, name: str, arguments: list[Value]) -> tuple[Value, Value]:
        """A function of the team, a thread's number, its first part's, and these arguments; see `atomic`."""
        kinds = (("int", True), ("int", False), ("int", False), *((a.kind, a.memory) for a in arguments))
        function = self.owner.function(name, kinds, shared=True)
        return atomic.Atomic(self.builder, self._alloca).job(function, arguments, threads.STATE)

    def _memory(self, length: Value, kind: str) -> Value:
        """Memory that is given back when the function ends."""
        kind = self.owner.dtype if kind == "real" else kind.removeprefix("np.")
        pointer, whole = ir.IntType(8).as_pointer(), TYPES["int"]
        bytes_each = ir.Constant(whole, _BYTES[kind])
        place = self.builder.call(
            self.declared("malloc", ir.FunctionType(pointer, [whole])), [self.builder.mul(length.value, bytes_each)]
        )
        self.taken.append(place)
        return Value(kind, self.builder.bitcast(place, TYPES[kind].as_pointer()), True)

    def _joined(self, type_: Any, incoming: list[tuple[Any, Any]]) -> Any:
        phi = self.builder.phi(type_)
        for value, block in incoming:
            phi.add_incoming(value, block)
        return phi


@dataclass(frozen=True)
class _Variable:
    kind: str
    place: Any


def _dotted(node: ast.expr) -> str:
    """A name, or a name in a module."""
    if isinstance(node, ast.Name):
        return node.id
    assert isinstance(node, ast.Attribute)
    return f"{_dotted(node.value)}.{node.attr}"


def _loaded(target: ast.expr) -> ast.expr:
    """What is assigned to, as something to read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    assert isinstance(target, ast.Subscript)
    return ast.Subscript(target.value, target.slice, ast.Load())
