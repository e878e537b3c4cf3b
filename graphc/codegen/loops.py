"""Loop nests as text: where a kernel's loops are written out.

In: a kernel, and the memory of each stored symbol.  Out: the body of one function, its memory arguments in the order
of first use.
Always holds: arrays are flat and row-major; a read that does not depend on an inner loop stands before that loop;
names inside are numbered, so equal kernels have equal text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sympy import Basic, S, Symbol

from graphc.codegen.schedule import Kernel, Schedule, lowering_of
from graphc.graph.graph import Equation, operands, statics
from graphc.graph.operation import operation_of
from graphc.graph.types import Size, product, promote, sizes_of
from graphc.ops.lowering import Access, Measure, Reduce, Scalar, Scatter
from graphc.ops.movement import size_code

Index = tuple[str, ...]
_LOOP_NAME = re.compile(r"\bi(\d+)\b")


@dataclass
class Body:
    """A function's text and what it takes: memory (by key), sizes."""

    lines: list[str]
    memory: list[str]
    sizes: list[str]
    helpers: set[str]
    count: str | None = None  # how often a flat loop runs: an argument, so that one function serves all sizes


def number_code(atom: Basic, kind: str) -> str:
    """A number of the program in generated code."""
    if kind == "int" and atom.is_Integer:
        return str(int(atom)) if atom >= 0 else f"({int(atom)})"
    if atom in (S.Infinity, S.NegativeInfinity):
        return "real(np.inf)" if atom == S.Infinity else "real(-np.inf)"
    value = float(atom)
    return f"real({value!r})" if value - value == 0 else f"real({'-' * (value < 0)}np.inf)"


def cast_code(text: str, have: str, want: str) -> str:
    """A value converted from one kind to another."""
    if have == want:
        return text
    if want == "bool":
        return f"({text} != 0)"
    return f"real({text})" if want == "real" else f"np.int64({text})"


@dataclass
class _Level:
    """What stands before the loop of a level, and after it."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


class LoopWriter:
    """Writes one kernel.  `memory_key(symbol)` names the memory of a stored symbol."""

    def __init__(self, schedule: Schedule, kernel: Kernel, memory_key: Callable[[Symbol], str]) -> None:
        self.schedule, self.kernel, self.memory_key = schedule, kernel, memory_key
        self.types = schedule.graph.types
        self.arguments: dict[str, str] = {}
        self.sizes: set[str] = set()
        self.helpers: set[str] = set()
        self.locals: dict[Symbol, str] = {}
        self.hoisted: dict[str, str] = {}
        self.names = 0
        self.count: str | None = None

    def write(self) -> Body:
        """The kernel's body."""
        lines = self._contract() if self.kernel.kind == "contract" else self._loops()
        return Body(lines, list(self.arguments), sorted(self.sizes), self.helpers, self.count)

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

    def element(self, atom: Basic, index: Index) -> str:
        """Code for the element of an atom at an index of the reader, right-aligned."""
        root = self.schedule.root(atom)
        if not isinstance(root, Symbol):
            return number_code(root, self._kind(atom))
        shape = self.types[atom].shape if isinstance(atom, Symbol) else ()
        own = tuple("0" if d == 1 else i for d, i in zip(shape, index[len(index) - len(shape) :], strict=True))
        if root in self.schedule.virtual and self.types[root].shape == shape:
            return self._virtual(self.schedule.virtual[root], own)
        return self._loaded(root, self.address(shape, own))

    def _loaded(self, root: Symbol, address: str) -> str:
        text = f"{self.argument(root)}[{address}]"
        return f"({text} != 0)" if self.types[root].kind == "bool" else text

    def _virtual(self, equation: Equation, index: Index) -> str:
        lowering, fixed = lowering_of(equation), statics(equation.expr)
        if isinstance(lowering, Measure):
            self.sizes |= sizes_of(fixed[0])
            return size_code(fixed[0])
        assert isinstance(lowering, Access)
        atoms = operands(equation.expr)
        shapes = tuple(self._shape(a) for a in atoms)
        for size in (d for shape in (*shapes, self.types[equation.target].shape) for d in shape):
            self.sizes |= sizes_of(size)

        operation = operation_of(equation.expr)
        joined = operation is not None and operation.parameters[0].role == "operands"  # all must have the result's kind

        def read(k: int, at: Index) -> str:
            text, kind = self.element(atoms[k], at), self._kind(atoms[k])
            return cast_code(text, kind, self.types[equation.target].kind) if joined else text

        return lowering.read(index, read, shapes, fixed)

    def _shape(self, atom: Basic) -> tuple[Size, ...]:
        return self.types[atom].shape if isinstance(atom, Symbol) else ()

    def _kind(self, atom: Basic) -> str:
        if isinstance(atom, Symbol):
            return self.types[atom].kind
        return "int" if atom.is_Integer else "real"

    # --- elementwise and reducing loops ------------------------------------------------------------------------

    def _loops(self) -> list[str]:
        space = self.kernel.space
        self.flat = len(space) > 1 and self._can_flatten()
        self.space: tuple[Size, ...] = (product(space),) if self.flat else space
        order = self._order()
        self.levels = [_Level() for _ in range(len(self.space) + 1)]
        self.depth_of = {f"i{axis}": depth + 1 for depth, axis in enumerate(order)}
        self.index: Index = tuple(f"i{axis}" for axis in range(len(self.space)))
        self.body: list[str] = []
        self.order = order
        for equation in self.kernel.equations:
            self._equation(equation)
        return self._nest()

    def _order(self) -> list[int]:
        """Loops from outer to inner; a search for a place has its axes innermost."""
        axes = list(range(len(self.space)))
        for equation in self.kernel.equations:
            lowering = lowering_of(equation)
            if isinstance(lowering, Reduce) and lowering.arguments and not self.flat:
                reduced = statics(equation.expr)[0]
                return [a for a in axes if a not in reduced] + list(reduced)
        return axes

    def _can_flatten(self) -> bool:
        """True where every read is at the same index or of a single number, and every reduction is complete."""
        space = self.kernel.space
        for equation in self.kernel.equations:
            lowering = lowering_of(equation)
            if not isinstance(lowering, (Scalar, Reduce)):
                return False
            if isinstance(lowering, Reduce) and len(statics(equation.expr)[0]) != len(space):
                return False
            for atom in operands(equation.expr):
                root = self.schedule.root(atom)
                shape = self._shape(atom)
                virtual = isinstance(root, Symbol) and root in self.schedule.virtual
                if shape and (virtual or shape != space):
                    return False
        return True

    def _nest(self) -> list[str]:
        lines: list[str] = []
        for depth in range(len(self.space) + 1):
            pad = "    " * depth
            lines += [pad + line for line in self.levels[depth].before]
            if depth < len(self.space):
                axis = self.order[depth]
                lines.append(f"{pad}for i{axis} in range({self._loop_count(axis)}):")
        lines += ["    " * len(self.space) + line for line in self.body]
        for depth in reversed(range(len(self.space) + 1)):
            lines += ["    " * depth + line for line in self.levels[depth].after]
        return lines or ["pass"]

    def _loop_count(self, axis: int) -> str:
        """A loop over everything takes its count as an argument; others have it written in."""
        if len(self.space) != 1:
            return self.size(self.space[axis])
        self.count = size_code(self.space[axis])
        return "count"

    def _fresh(self, stem: str) -> str:
        self.names += 1
        return f"{stem}{self.names}"

    def _read(self, atom: Basic, index: Index) -> str:
        """An element as a name or number; a read that no inner loop changes is put before those loops."""
        root = self.schedule.root(atom)
        if isinstance(root, Symbol) and root in self.locals and self._shape(atom) == self.kernel.space:
            return self.locals[root]
        if self.flat:
            shape = self._shape(atom)
            index = index if shape else ()
            text = self._flat_read(atom, root) if shape else self.element(atom, ())
        else:
            text = self.element(atom, index)
        if text.startswith("real(") or text.lstrip("-(").rstrip(")").isdigit():
            return text
        if text not in self.hoisted:
            depth = max((self.depth_of[f"i{n}"] for n in _LOOP_NAME.findall(text)), default=0)
            name = self._fresh("r")
            self.hoisted[text] = name
            target = self.body if depth == len(self.space) else self.levels[depth].before
            target.append(f"{name} = {text}")
        return self.hoisted[text]

    def _flat_read(self, atom: Basic, root: Basic) -> str:
        if not isinstance(root, Symbol):
            return number_code(root, self._kind(atom))
        return self._loaded(root, "i0")

    def _equation(self, equation: Equation) -> None:
        lowering = lowering_of(equation)
        if isinstance(lowering, Scalar):
            self._scalar(equation, lowering)
        elif isinstance(lowering, Access):
            self._copy(equation, lowering)
        elif isinstance(lowering, Reduce):
            (atom,) = operands(equation.expr)
            if lowering.arguments:
                self._place_of(equation, lowering, atom)
            else:
                self._reduce(equation, lowering, atom)
        else:
            assert isinstance(lowering, Scatter)
            self._scatter(equation, lowering)

    def _scalar(self, equation: Equation, lowering: Scalar) -> None:
        text = self.scalar_code(equation, lowering, lambda atom: self._read(atom, self.index))
        self._result(equation.target, text)

    def scalar_code(self, equation: Equation, lowering: Scalar, read: Callable[[Basic], str]) -> str:
        """One element of an elementwise operation."""
        self.helpers |= set(lowering.helpers)
        atoms = operands(equation.expr)
        kinds = [self._kind(a) for a in atoms]
        wanted = _wanted_kinds(lowering.cast, kinds, self.types[equation.target].kind)
        texts = []
        for atom, have, want in zip(atoms, kinds, wanted, strict=True):
            root = self.schedule.root(atom)
            if isinstance(root, Symbol):
                texts.append(cast_code(read(atom), have, want))
            else:
                texts.append(number_code(root, want) if want != "bool" else str(bool(root)))
        template = lowering.special(tuple(atoms)) if lowering.special is not None else None
        if lowering.whole is not None and wanted[0] == "int":
            template = lowering.whole
        fixed = {f"s{k}": s for k, s in enumerate(statics(equation.expr))}
        return (template or lowering.template).format(*texts, **fixed)

    def _result(self, target: Symbol, text: str) -> None:
        name = self._fresh("v")
        self.locals[target] = name
        self.body.append(f"{name} = {text}")
        if target in self.schedule.stored:
            address = "i0" if self.flat else self.address(self.types[target].shape, self.index)
            stored = f"np.uint8({name})" if self.types[target].kind == "bool" else name
            self.body.append(f"{self.argument(target)}[{address}] = {stored}")

    def _copy(self, equation: Equation, lowering: Access) -> None:
        self._result(equation.target, self._virtual(equation, self.index))

    # --- reductions --------------------------------------------------------------------------------------------

    def _identity(self, lowering: Reduce, kind: str) -> str:
        if kind == "int":
            return {"-inf": "-9223372036854775807", "inf": "9223372036854775807"}.get(
                lowering.identity, lowering.identity
            )
        return {"-inf": "real(-np.inf)", "inf": "real(np.inf)"}.get(lowering.identity, f"real({lowering.identity})")

    def _reduce(self, equation: Equation, lowering: Reduce, atom: Basic) -> None:
        type_ = self.types[equation.target]
        value = cast_code(self._read(atom, self.index), self._kind(atom), type_.kind)
        axes = tuple(range(len(self.space))) if self.flat else statics(equation.expr)[0]
        start = self._identity(lowering, type_.kind)
        memory = self.argument(equation.target)
        depth = len(self.space) - len(axes)
        if set(self.order[depth:]) == set(axes):
            name = self._fresh("t")
            self.levels[depth].before.append(f"{name} = {start}")
            self.body.append(f"{name} = {lowering.combine.format(name, value)}")
            self.levels[depth].after.append(f"{memory}[{self._kept_address(axes)}] = {name}")
            return
        count = self.size(product(type_.shape))
        self.levels[0].before += [f"for j in range({count}):", f"    {memory}[j] = {start}"]
        place = f"{memory}[{self._kept_address(axes)}]"
        self.body.append(f"{place} = {lowering.combine.format(place, value)}")

    def _kept_address(self, axes: tuple[int, ...]) -> str:
        kept = [a for a in range(len(self.space)) if a not in axes]
        return self.address(tuple(self.space[a] for a in kept), tuple(f"i{a}" for a in kept))

    def _place_of(self, equation: Equation, lowering: Reduce, atom: Basic) -> None:
        axes = tuple(range(len(self.space))) if self.flat else statics(equation.expr)[0]
        value = self._read(atom, self.index)
        best, place = self._fresh("t"), self._fresh("t")
        depth = len(self.space) - len(axes)
        here = self.address(tuple(self.space[a] for a in axes), tuple(f"i{a}" for a in axes))
        kind = "int" if self._kind(atom) == "int" else "real"
        self.levels[depth].before += [f"{best} = {self._identity(lowering, kind)}", f"{place} = 0"]
        value = cast_code(value, self._kind(atom), kind)
        self.body += [f"if {lowering.combine.format(value, best)}:", f"    {best} = {value}", f"    {place} = {here}"]
        self.levels[depth].after.append(f"{self.argument(equation.target)}[{self._kept_address(axes)}] = {place}")

    def _scatter(self, equation: Equation, lowering: Scatter) -> None:
        atoms = operands(equation.expr)
        shape = self.types[equation.target].shape
        memory = self.argument(equation.target)
        value = self._read(atoms[0], self.index)
        place = lowering.place(
            self.index,
            lambda k, at: self.element(atoms[k], at),
            tuple(self._shape(a) for a in atoms),
            statics(equation.expr),
        )
        self.levels[0].before += [f"for j in range({self.size(product(shape))}):", f"    {memory}[j] = zero"]
        names, guards = [], []
        for i, size in zip(place, shape, strict=True):
            if _LOOP_NAME.fullmatch(i):
                names.append(i)
                continue
            name = self._fresh("k")
            self.body.append(f"{name} = {i}")
            guards.append(f"0 <= {name} < {self.size(size)}")
            names.append(name)
        pad = "    " if guards else ""
        if guards:
            self.body.append(f"if {' and '.join(guards)}:")
        self.body.append(f"{pad}{memory}[{self.address(shape, tuple(names))}] += {value}")

    # --- contractions of our own -------------------------------------------------------------------------------

    def _contract(self) -> list[str]:
        """Products over labels: with a running sum where both operands are read in order, else row by row."""
        labels, equation = self.kernel.labels, self.kernel.equations[0]
        assert labels is not None
        every = labels.result + labels.summed
        name = {label: f"i{k}" for k, label in enumerate(every)}
        size = dict(zip(every, (self.size(d) for d in self.kernel.space), strict=True))
        kind = self.types[equation.target].kind
        a, b = (
            cast_code(self.element(atom, tuple(name[c] for c in part)), self._kind(atom), kind)
            for atom, part in ((labels.a, labels.part_a), (labels.b, labels.part_b))
        )
        result = f"{self.argument(equation.target)}[{self.address(self.types[equation.target].shape, tuple(name[c] for c in labels.result))}]"
        zero = number_code(S.Zero, kind)
        last = labels.summed[-1:] or labels.result[-1:]
        running = (
            all(last not in part or part[-1] == last for part in (labels.part_a, labels.part_b)) or not labels.result
        )
        lines: list[str] = []
        if not labels.summed:
            lines = _nested([(name[c], size[c]) for c in labels.result], [f"{result} = {a} * {b}"])
        elif running:
            inner = _nested([(name[c], size[c]) for c in labels.summed], [f"t = t + {a} * {b}"])
            lines = _nested([(name[c], size[c]) for c in labels.result], [f"t = {zero}", *inner, f"{result} = t"])
        else:
            rows, row = labels.result[:-1], labels.result[-1]
            inner = _nested([(name[c], size[c]) for c in labels.summed + row], [f"{result} = {result} + {a} * {b}"])
            lines = _nested(
                [(name[c], size[c]) for c in rows],
                [f"for {name[row]} in range({size[row]}):", f"    {result} = {zero}", *inner],
            )
        return lines


def _nested(loops: list[tuple[str, str]], body: list[str]) -> list[str]:
    lines = ["    " * depth + f"for {name} in range({size}):" for depth, (name, size) in enumerate(loops)]
    return lines + ["    " * len(loops) + line for line in body]


def _wanted_kinds(cast: str, kinds: list[str], result: str) -> list[str]:
    if cast == "none":
        return kinds
    if cast == "choice":
        return [kinds[0]] + [result] * (len(kinds) - 1)
    if cast == "same":
        widest = promote(kinds)
        return ["int" if widest == "bool" and result == "int" else widest] * len(kinds)
    return [cast] * len(kinds)
