"""Loop nests as text: where a kernel's loops are written out.

In: a kernel, and the memory of each stored symbol.  Out: the body of one function, its memory arguments in the order
of first use.
Always holds: arrays are flat and row-major; a read that does not depend on an inner loop stands before that loop; what
a phase stores, it stores after it has read; names inside are numbered, so equal kernels have equal text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sympy import Basic, S, Symbol

from graphc.codegen.blocks import Block, Operand
from graphc.codegen.kinds import cast_code, identity, number_code, wanted_kinds
from graphc.codegen.nest import Loop, nest
from graphc.codegen.schedule import (
    Index,
    Kernel,
    Phase,
    Schedule,
    accumulates,
    index_of,
    is_number,
    kept_axes,
    loop_index,
    lowering_of,
    reshaped,
)
from graphc.graph.graph import Equation, atom_type, operands, sizes_in, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Size, product, sizes_of
from graphc.ops.lowering import Access, Contract, Measure, Reduce, Scalar, Scatter
from graphc.ops.movement import size_code

TRACED_FROM = 4  # statements that are worth a traced function
_NAME = re.compile(r"\b[rtv]\d+\b")
_LOOP_NAME = re.compile(r"\bi(\d+)\b")


@dataclass
class Body:
    """A function's text and what it takes: memory (by key), sizes."""

    lines: list[str]
    memory: list[str]
    sizes: list[str]
    helpers: set[str]
    count: str | None = None  # how often a flat loop runs: an argument, so that one function serves all sizes
    stride: Size | None = None  # of a kernel that is divided: turns of its outermost loop for a row


class LoopWriter:
    """Writes one kernel.  `memory_key(symbol)` names the memory of a stored symbol, `name_block(text)` a block;
    `constant(code, kind)` the memory of a number, where numbers are no part of the text."""

    def __init__(
        self,
        schedule: Schedule,
        kernel: Kernel,
        memory_key: Callable[[Symbol], str],
        name_block: Callable[[str], str],
        constant: Callable[[str, str], str] | None = None,
    ) -> None:
        self.name_block, self.constant = name_block, constant
        self.schedule, self.kernel, self.memory_key = schedule, kernel, memory_key
        self.types = schedule.graph.types
        self.arguments: dict[str, str] = {}
        self.sizes: set[str] = set()
        self.helpers: set[str] = set()
        self.names = 0
        self.count: str | None = None
        self.stride: Size | None = None
        self.flat = False
        self.computed = {e.target for e in kernel.equations}
        self.written = {memory_key(s) for s in self.computed & schedule.stored}
        self.rows = [Loop(None), *(Loop(k) for k, d in enumerate(kernel.row_shape) if d != 1)]
        self.rows_read: dict[str, str] = {}  # reads that stand in the loops of the rows, by their text
        self.row_names: dict[Symbol, str] = {}  # numbers of a row
        self.names_after: dict[Symbol, str] = {}  # numbers of all rows

    def write(self) -> Body:
        """The kernel's body."""
        inside = [line for phase in self.kernel.phases for line in self._phase(phase)]
        lines = nest(self.rows, inside, self._loop_count)
        lines += self._tail()
        return Body(lines or ["pass"], list(self.arguments), sorted(self.sizes), self.helpers, self.count, self.stride)

    # --- reading -----------------------------------------------------------------------------------------------

    def argument(self, s: Symbol) -> str:
        """The array that holds a stored symbol."""
        key = self.memory_key(s)
        if key not in self.arguments:
            self.arguments[key] = f"p{len(self.arguments)}"
        return self.arguments[key]

    def size(self, size: Size) -> str:
        self.sizes |= sizes_of(size)
        return size_code(size)

    def address(self, shape: tuple[Size, ...], index: Index) -> str:
        """Place of an element in row-major memory."""
        terms = []
        for axis, i in enumerate(index):
            if shape[axis] == 1 or i == "0":
                continue
            stride = product(shape[axis + 1 :])
            terms.append(i if stride == 1 else f"{i}*{self.size(stride)}")
        return " + ".join(terms) or "0"

    def place(self, s: Symbol, shape: tuple[Size, ...], index: Index) -> str:
        """An element of a symbol's memory, seen with a shape; memory for one row has no axes of rows."""
        rows = self.schedule.row_local.get(s, 0)
        address = "i0" if self.flat and shape else self.address(shape[rows:], index[rows:])
        return f"{self.argument(s)}[{address}]"

    def element(self, atom: Basic, index: Index) -> str:
        """Code for the element of an atom at an index of the reader, right-aligned."""
        root = self.schedule.root(atom)
        if not isinstance(root, Symbol):
            return number_code(root, self._kind(atom))
        shape = self.schedule.shape(atom)
        own = tuple("0" if d == 1 else i for d, i in zip(shape, index[len(index) - len(shape) :], strict=True))
        if root in self.schedule.virtual:
            return self._virtual(self.schedule.virtual[root], own)
        if root in self.locals and self._stands_here(root, own, shape):
            return self.locals[root]
        text = self.place(root, shape, own)
        return f"({text} != 0)" if self.types[root].kind == "bool" else text

    def _stands_here(self, root: Symbol, index: Index, shape: tuple[Size, ...]) -> bool:
        """Whether an index of a shape over the memory of a symbol is the element that the loops stand at."""
        memory = self.schedule.shape(root)
        return memory == self.phase.space and reshaped(index, shape, memory) == self.index

    def _virtual(self, equation: Equation, index: Index) -> str:
        lowering, fixed = lowering_of(equation), statics(equation.expr)
        if isinstance(lowering, Measure):
            self.sizes |= sizes_of(fixed[0])
            return size_code(fixed[0])
        if isinstance(lowering, Scalar):
            given = self.operands(equation, lowering, lambda atom: self._read(atom, ()))
            return f"({self.scalar_code(equation, lowering, given)})"
        assert isinstance(lowering, Access)
        atoms = operands(equation.expr)
        shapes = tuple(self.schedule.shape(a) for a in atoms)
        for size in (d for shape in (*shapes, self.types[equation.target].shape) for d in shape):
            self.sizes |= sizes_of(size)
        self.sizes |= sizes_in(fixed)

        operation = operation_of(equation.expr)
        joined = operation is not None and operation.parameters[0].role == "operands"  # all must have the result's kind

        def read(k: int, at: Index) -> str:
            text, kind = self._named(atoms[k]) or self.element(atoms[k], at), self._kind(atoms[k])
            return cast_code(text, kind, self.types[equation.target].kind) if joined else text

        text = lowering.read(index, read, shapes, fixed)
        return cast_code(text, "real", self.types[equation.target].kind) if lowering.fills else text

    def _named(self, atom: Basic) -> str | None:
        """The name of a number of the row or of the kernel."""
        root = self.schedule.root(atom)
        return self.row_names.get(root) if isinstance(root, Symbol) else None

    def _kind(self, atom: Basic) -> str:
        return atom_type(atom, self.types).kind

    def _fresh(self, stem: str) -> str:
        self.names += 1
        return f"{stem}{self.names}"

    def _read(self, atom: Basic, index: Index) -> str:
        """An element as a name or number; a read that no inner loop changes is put before those loops."""
        root = self.schedule.root(atom)
        if isinstance(root, Symbol):
            if root in self.locals and self.schedule.shape(atom) == self.phase.space:
                return self.locals[root]
            if root in self.row_names:
                return self.row_names[root]
        text = self.element(atom, index)
        if text.startswith("real(") or text.lstrip("-(").rstrip(")").isdigit() or text in self.row_names.values():
            return text
        if text in self.locals.values():
            return text
        known = self.hoisted.get(text) or self.rows_read.get(text)
        if known is None:
            known = self._fresh("r")
            self._hoist(text, known, [r.symbol for r in self.schedule.memory_behind(atom, index)])
        return known

    def _hoist(self, text: str, name: str, sources: list[Symbol]) -> None:
        """Put a read where the innermost loop it depends on begins; never before what it reads is written."""
        if any(s in self.locals for s in sources):
            self._state(name, text)
            self.hoisted[text] = name
            return
        axes = {int(n) for n in _LOOP_NAME.findall(text)}
        line = f"{name} = {text}"
        for depth in reversed(range(1, len(self.loops))):
            if self.loops[depth].axis in axes:
                (self.loops[depth].before if depth < len(self.loops) - 1 else self.loads).append(line)
                self.hoisted[text] = name
                return
        if any(s in self.computed or self.memory_key(s) in self.written for s in sources):
            (self.loops[0].before if len(self.loops) > 1 else self.loads).append(line)
            self.hoisted[text] = name
            return
        depth = max((k for k, loop in enumerate(self.rows) if loop.axis in axes), default=0)
        self.rows[depth].before.append(line)
        self.rows_read[text] = name

    # --- phases ------------------------------------------------------------------------------------------------

    def _begin(self, phase: Phase) -> None:
        """Loops of a phase inside those of the rows; its first level is where the rows' loops have the phase."""
        self.phase = phase
        self.flat = not self.kernel.rows and self._can_flatten(phase)
        space = (product(phase.space),) if self.flat else phase.space
        self.index: Index = loop_index(phase.space)
        self.space = space
        axes = [k for k, d in enumerate(space) if d != 1 and k >= self.kernel.rows]
        for equation in phase.equations:
            lowering = lowering_of(equation)
            if isinstance(lowering, Reduce) and lowering.arguments and not self.flat:
                reduced = statics(equation.expr)[0]
                axes = [a for a in axes if a not in reduced] + [a for a in axes if a in reduced]
        self.loops = [Loop(None), *(Loop(a) for a in axes)]
        self.loads: list[str] = []
        self.statements: list[str] = []
        self.computed_here: set[str] = set()
        self.block = Block()
        self.body: list[str] = []  # sums, after what they sum up
        self.stores: list[str] = []
        self.locals: dict[Symbol, str] = {}
        self.hoisted: dict[str, str] = {}

    def _phase(self, phase: Phase) -> list[str]:
        self._begin(phase)
        for equation in phase.equations:
            self._equation(equation)
        for equation in phase.equations:  # numbers of a row keep their names for the phases after this one
            s = equation.target
            if s in self.locals and is_number(self.types[s].shape[self.kernel.rows :]):
                self.row_names[s] = self.locals[s]
        lines = nest(self.loops, self._inside(len(self.loops) > 1), self._loop_count)
        self.flat = False
        return lines

    def _inside(self, alone: bool) -> list[str]:
        """What is inside the loops; `alone`: nothing outside them reads a name from inside, so that a block may hide it."""
        after = [*self.body, *self.stores]
        used = set(_NAME.findall("\n".join(after)))
        results = [name for name in self.block.kinds if name in used]
        real = all(self.block.kinds[name] == "real" for name in results) and self.block.inputs and results
        if not (alone and real and self.block.possible and len(self.statements) >= TRACED_FROM):
            return [*self.loads, *self.statements, *after]
        self.helpers |= self.block.functions
        name = self.name_block(f"@traced({len(results)})\ndef {{name}}{self.block.text(results)}")
        call = f"{', '.join(results)}, = {name}(({', '.join(self.block.inputs)},))"
        return [*self.loads, call, *after]

    def _tail(self) -> list[str]:
        """What is computed once, after all rows."""
        self.row_names, self.rows_read, self.rows = self.names_after, {}, [Loop(None)]
        self._begin(self.kernel.tail)
        for equation in self.kernel.tail.equations:
            self.phase = Phase(self.schedule.space(equation))
            self.index = loop_index(self.phase.space)
            self._equation(equation)
            if equation.target in self.locals:
                self.row_names[equation.target] = self.locals[equation.target]
        return [*self.rows[0].before, *self.loops[0].before, *self._inside(True), *self.loops[0].after]

    def _can_flatten(self, phase: Phase) -> bool:
        """True where every read is at the same index or of a single number, and every reduction is complete."""
        space = phase.space
        if len(space) < 2:
            return False
        for equation in phase.equations:
            lowering = lowering_of(equation)
            if not isinstance(lowering, (Scalar, Reduce)):
                return False
            if isinstance(lowering, Reduce) and len(statics(equation.expr)[0]) != len(space):
                return False
            for atom in operands(equation.expr):
                root, shape = self.schedule.root(atom), self.schedule.shape(atom)
                virtual = isinstance(root, Symbol) and root in self.schedule.virtual
                if shape and (virtual or shape != space):
                    return False
        return True

    def _loop_count(self, axis: int) -> str:
        """A single loop over everything takes its count as an argument; others have it written in."""
        phase = self.phase
        if self.kernel.divided is not None and axis == 0:
            self.stride = product(phase.space[1:]) if self.flat else 1
            return "first, last"
        if self.kernel.rows or len(self.kernel.phases) > 1 or len(self.loops) != 2:
            return self.size(phase.space[axis])
        size = self.space[axis]
        self.count = size_code(size)
        return "count"

    def _equation(self, equation: Equation) -> None:
        lowering = lowering_of(equation)
        if isinstance(lowering, Scalar):
            given = self.operands(equation, lowering, lambda atom: self._read(atom, self.index))
            traced = self.block.scalar(
                lowering, operands(equation.expr), statics(equation.expr), [self._outside(o) for o in given]
            )
            self._result(equation.target, self.scalar_code(equation, lowering, given), traced)
        elif isinstance(lowering, Access):
            self._loaded(equation.target, self._virtual(equation, self.index))
        elif isinstance(lowering, Contract):
            self._contract(equation)
        elif isinstance(lowering, Scatter):
            self._scatter(equation, lowering)
        else:
            assert isinstance(lowering, Reduce)
            (atom,) = operands(equation.expr)
            if lowering.arguments:
                self._place_of(equation, lowering, atom)
            else:
                self._reduce(equation, lowering, atom)

    def operands(self, equation: Equation, lowering: Scalar, read: Callable[[Basic], str]) -> list[Operand]:
        """What an elementwise operation reads."""
        atoms = operands(equation.expr)
        kinds = [self._kind(a) for a in atoms]
        wanted = wanted_kinds(lowering.cast, kinds, self.types[equation.target].kind)
        found = []
        for atom, have, want in zip(atoms, kinds, wanted, strict=True):
            root = self.schedule.root(atom)
            if isinstance(root, Symbol):
                found.append(Operand(read(atom), have, want))
            else:
                code = number_code(root, want) if want != "bool" else str(bool(root))
                found.append(
                    self._number(
                        code, want, lowering.special is None or lowering.special(atoms, statics(equation.expr)) is None
                    )
                )
        return found

    def _number(self, code: str, kind: str, free: bool) -> Operand:
        """A number: in the text, or in memory where it is free to be any."""
        if self.constant is None or not free:
            return Operand(code, kind, kind, number=True)
        key, name = self.constant(code, kind), self._fresh("r")
        place = self.arguments.setdefault(key, f"p{len(self.arguments)}")
        self.rows[0].before.append(f"{name} = {place}[0]")
        return Operand(name, kind, kind)

    def scalar_code(self, equation: Equation, lowering: Scalar, given: list[Operand]) -> str:
        """One element of an elementwise operation."""
        fixed = statics(equation.expr)
        template = lowering.special(operands(equation.expr), fixed) if lowering.special is not None else None
        if lowering.whole is not None and given[0].want == "int":
            template = lowering.whole
        texts = [cast_code(o.code, o.have, o.want) for o in given]
        named = {f"s{k}": s for k, s in enumerate(fixed)}
        template = template or lowering.template
        self._note_helpers(lowering, template)
        return template.format(*texts, **named)

    def _outside(self, operand: Operand) -> Operand:
        """An operand for the block: a whole number from outside becomes real before."""
        inside = operand.code in self.computed_here
        if operand.number or inside or operand.have != "int" or operand.want != "real":
            return operand
        name = self._fresh("r")
        self.loads.append(f"{name} = real({operand.code})")
        return Operand(name, "real", "real")

    def _result(self, target: Symbol, text: str, traced: str | None) -> None:
        """A computed element: a statement, and a line of the block."""
        name = self._fresh("v")
        self.computed_here.add(name)
        self.statements.append(f"{name} = {text}")
        self.block.add(name, self.types[target].kind, traced)
        self._define(target, name)

    def _loaded(self, target: Symbol, text: str) -> None:
        """An element that is only rearranged."""
        name = self._fresh("r")
        if self.computed_here.intersection(_NAME.findall(text)):
            self._state(name, text)
        else:
            self.loads.append(f"{name} = {text}")
        self._define(target, name)

    def _state(self, name: str, text: str) -> None:
        """A statement that reads what others compute, and that no block can hold."""
        self.statements.append(f"{name} = {text}")
        self.computed_here.add(name)
        self.block.possible = False

    def _define(self, target: Symbol, name: str) -> None:
        self.locals[target] = name
        if target in self.schedule.stored:
            self.stores.append(self._store(target, self.index, name))

    def _store(self, target: Symbol, index: Index, value: str) -> str:
        type_ = self.types[target]
        return f"{self.place(target, type_.shape, index)} = {f'np.uint8({value})' if type_.kind == 'bool' else value}"

    # --- reductions --------------------------------------------------------------------------------------------

    def _sum_up(self, equation: Equation, start: str, combine: Callable[[str], str], index: Index) -> None:
        """A result that grows: a number before the loops it is summed over, or memory.  `index`: of the result."""
        s = equation.target
        kept = 0 if self.flat else kept_axes(equation, self.schedule)
        if not self.flat and accumulates(equation, self.schedule):
            self._clear(s, kept, start)
            place = self.place(s, self.types[s].shape, index)
            self.body.append(f"{place} = {combine(place)}")
            return
        name = self._fresh("t")
        level = self._level(kept)
        level.before.append(f"{name} = {start}")
        self.body.append(f"{name} = {combine(name)}")
        self._finish(s, level, name, index)

    def _finish(self, s: Symbol, level: Loop, name: str, index: Index) -> None:
        """A number that is complete after the loops inside a level."""
        shape = self.types[s].shape
        if s in self.schedule.stored:
            flat, self.flat = self.flat, False
            level.after.append(self._store(s, index, name))
            self.flat = flat
        if is_number(shape):
            self.names_after[s] = name
        if level is self.loops[0] and is_number(shape[self.kernel.rows :]):
            self.row_names[s] = name

    def _level(self, kept: int) -> Loop:
        """The level inside the loops of the first axes and outside all others."""
        loops = self.loops if kept >= self.kernel.rows else self.rows
        outside = [loop for loop in loops[1:] if loop.axis is not None and loop.axis < kept]
        return outside[-1] if outside else loops[0]

    def _clear(self, s: Symbol, kept: int, start: str) -> None:
        """The memory of a sum, before it grows."""
        rows = self.kernel.rows if kept >= self.kernel.rows else 0
        shape = self.types[s].shape
        base = self.place(s, (*shape[:rows], product(shape[rows:])), (*loop_index(shape)[:rows], "j"))
        level = self.loops[0] if rows or not self.kernel.rows else self.rows[0]
        level.before += [f"for j in range({self.size(product(shape[rows:]))}):", f"    {base} = {start}"]

    def _note_helpers(self, lowering: Scalar | Reduce, template: str) -> None:
        """The functions that a template calls."""
        self.helpers |= {name for name in lowering.helpers if name in template}

    def _reduce(self, equation: Equation, lowering: Reduce, atom: Basic) -> None:
        kind = self.types[equation.target].kind
        value = cast_code(self._read(atom, self.index), self._kind(atom), kind)
        template = lowering.combination(kind)
        self._note_helpers(lowering, template)
        self._sum_up(
            equation, identity(lowering, kind), lambda so_far: template.format(so_far, value),
            self._kept_index(equation),
        )  # fmt: skip

    def _kept_index(self, equation: Equation) -> Index:
        """Where a reduction's result stands, in the loops that remain."""
        axes, keepdims = statics(equation.expr)[:2]
        index = loop_index(self.phase.space)
        return tuple("0" if k in axes else i for k, i in enumerate(index) if keepdims or k not in axes)

    def _place_of(self, equation: Equation, lowering: Reduce, atom: Basic) -> None:
        axes = tuple(range(len(self.space))) if self.flat else statics(equation.expr)[0]
        kind = "int" if self._kind(atom) == "int" else "real"
        value = cast_code(self._read(atom, self.index), self._kind(atom), kind)
        best, place = self._fresh("t"), self._fresh("t")
        level = self.loops[len(self.loops) - 1 - sum(self.space[a] != 1 for a in axes)]
        here = (
            "i0" if self.flat else self.address(tuple(self.space[a] for a in axes), tuple(self.index[a] for a in axes))
        )
        level.before += [f"{best} = {identity(lowering, kind)}", f"{place} = 0"]
        self.body += [f"if {lowering.combine.format(value, best)}:", f"    {best} = {value}", f"    {place} = {here}"]
        self._finish(equation.target, level, place, self._kept_index(equation))

    def _scatter(self, equation: Equation, lowering: Scatter) -> None:
        atoms = operands(equation.expr)
        shape = self.types[equation.target].shape
        value = self._read(atoms[0], self.index)
        place = lowering.place(
            self.index,
            lambda k, at: self.element(atoms[k], at),
            tuple(self.schedule.shape(a) for a in atoms),
            statics(equation.expr),
        )
        self._clear(equation.target, 0, "zero")
        names, guards = [], []
        for i, size in zip(place, shape, strict=True):
            if _LOOP_NAME.fullmatch(i) or i == "0":
                names.append(i)
                continue
            name = self._fresh("k")
            self.body.append(f"{name} = {i}")
            guards.append(f"0 <= {name} < {self.size(size)}")
            names.append(name)
        pad = "    " if guards else ""
        if guards:
            self.body.append(f"if {' and '.join(guards)}:")
        self.body.append(f"{pad}{self.place(equation.target, shape, tuple(names))} += {value}")

    def _contract(self, equation: Equation) -> None:
        p, kind = self.schedule.labels[equation.target], self.types[equation.target].kind
        products = []
        for term in p.terms():
            reads = (self._read(atom, index_of(part, term)) for atom, part in ((p.a, p.part_a), (p.b, p.part_b)))
            a, b = (cast_code(r, self._kind(atom), kind) for r, atom in zip(reads, (p.a, p.b), strict=True))
            products.append(f"{a} * {b}")
        value = " + ".join(products)
        if not p.sums:
            real = {kind, self._kind(p.a), self._kind(p.b)} == {"real"}
            self._result(equation.target, value, value if real else None)
            return
        index = index_of(p.result, p.terms()[0])
        self._sum_up(equation, number_code(S.Zero, kind), lambda so_far: f"{so_far} + {value}", index)
