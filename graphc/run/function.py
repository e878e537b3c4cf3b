"""A compiled program as a function.

In: an artifact.  Out: `Function`: value, gradient, both, by name or position.
Always holds: arguments are converted once, here; numbers give Python numbers, arrays arrays of the program's type;
nothing is compiled before it is called, and the first few single points are answered without compiling at all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.codegen.artifact import Artifact, Entry, Leaf
from graphc.errors import DataError, DerivativeError
from graphc.graph.types import Type, shape_text, size_value, sizes_of
from graphc.language.names import by_plain_name
from graphc.run.initial import initial_values
from graphc.run.results import new_arrays

if TYPE_CHECKING:
    from graphc.graph.graph import Graph
    from graphc.run.objective import Objective

# ps of one core over points that are worth sharing with threads that are awake, and worth waking them
WORTH_SHARING, WORTH_WAKING = 200_000_000, 400_000_000
AWAKE = 40e-6  # seconds after a call in which its threads do not sleep yet
PLAIN_CALLS = 3  # single points answered in plain Python before anything is compiled


class Jit:
    """The raw functions.  Numba's take positional arguments in the order of `Function.inputs`."""

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self._artifact, self._threads = artifact, threads
        self._ended = 0.0  # when points were last computed that are worth sharing
        self.loaded: dict[str, Callable[..., Any]] = {}

    def load(self, name: str) -> Callable[..., Any]:
        """An entry, compiled by Numba."""
        if name not in self.loaded:
            from graphc.codegen.cache import jitted

            self.loaded[name] = jitted(self._artifact.source, self._artifact.entry(name), self._artifact.dtype)
        return self.loaded[name]

    def native(self, name: str) -> Callable[..., None]:
        """An entry for arrays, compiled by LLVM: sizes, inputs, results; its working memory is put in."""
        if name not in self.loaded:
            from graphc.codegen.cache import native

            entry = self._artifact.entry(name)
            function = native(self._artifact.source, entry, self._artifact.dtype).call
            self.loaded[name] = self._with_arenas(function, entry) if entry.arenas else function
        return self.loaded[name]

    def enough(self, name: str) -> int:
        """How many points are worth sharing among threads."""
        cost = self._cost(name)
        return int(WORTH_SHARING / cost) if cost and self._threads > 1 else sys.maxsize

    def _cost(self, name: str) -> float:
        """ps of one core a point."""
        return self._artifact.entry(name).cost * np.dtype(self._artifact.dtype).itemsize / 8

    def points(self, name: str, count: int, *arrays: Any) -> None:
        """An entry of points, by several threads where it is worth sharing, and worth waking them if they sleep."""
        if count < self.enough(name):
            self.native(name)(count, *arrays)
            return
        if count * self._cost(name) >= WORTH_WAKING or perf_counter() - self._ended < AWAKE:
            self._together(name, count, arrays)
        else:
            self.native(name)(count, *arrays)
        self._ended = perf_counter()

    def _together(self, name: str, count: int, arrays: tuple[Any, ...]) -> None:
        from graphc.codegen.cache import native
        from graphc.codegen.team import lent_team, service
        from graphc.codegen.threads import APART

        source, dtype, entry = self._artifact.source, self._artifact.dtype, self._artifact.entry(name)
        types = array_types(dtype)
        arenas = [np.empty(self._threads * (size_value(n, {}) + APART), types[kind]) for kind, n in entry.arenas]
        addresses = np.array([a.ctypes.data for a in (*arrays, *arenas)], np.uint64)
        with lent_team(self._threads) as team:
            service("share")(team.memory, count, native(source, entry, dtype).some_points, addresses.ctypes.data)

    def by_name(self, name: str, shown: str, results: tuple[str, ...], slow: Callable[..., Any]) -> Callable[..., Any]:
        """An entry of points as a built-in function, for numbers and arrays as they are; all else goes to `slow`."""
        from graphc.codegen.cache import native
        from graphc.codegen.call import context

        entry, dtype = self._artifact.entry(name), self._artifact.dtype
        if not entry.form:
            return slow
        inputs = tuple(leaf.name for leaf in self._artifact.leaves)
        names = tuple(map(sys.intern, (*inputs, *results)))
        given = context(slow, dtype, self.enough(name), names[: len(inputs)], names[len(inputs) :])
        return native(self._artifact.source, entry, dtype).by_name(shown, slow.__doc__, given) or slow

    def _with_arenas(self, function: Callable[..., None], entry: Entry) -> Callable[..., None]:
        types, names = array_types(self._artifact.dtype), entry.sizes

        def call(*arguments: Any) -> None:
            sizes = dict(zip(names, arguments))  # noqa: B905
            function(*arguments, *(np.empty(size_value(n, sizes), types[kind]) for kind, n in entry.arenas))

        return call

    @cached_property
    def forward(self) -> Callable[..., Any]:
        """Value of all inputs."""
        return self.load("forward")

    @cached_property
    def backward(self) -> Callable[..., Any]:
        """Tuple of gradients."""
        return self.load("backward")

    @cached_property
    def value_and_grad(self) -> Callable[..., Any]:
        """(value, tuple of gradients)."""
        return self.load("value_and_grad")


class Function:
    """A program compiled to value and gradient.

    f(x=0.5), f.grad(x=0.5) -> {"x": ...}, f.value_and_grad(x=0.5) -> (value, {"x": ...}), f.jacobian(x=...),
    f.hessian(x=...), f.objective(...).  Raises DataError for arguments that do not fit, DerivativeError where there is no
    gradient.  `derived(what, wrt)` is the function of other results of the same program: "jacobian", "hessian", "hvp" or
    "objective" (values, then Jacobians) for some names.  It is pickled as its program, and compiled again.
    """

    def __init__(
        self, artifact: Artifact, recompile: Callable[[], Any], derived: Callable[..., Function],
        asked: tuple[str, tuple[str, ...] | None], kept: Any = None, threads: int = 1,
    ) -> None:  # fmt: skip
        self.artifact = artifact
        self.inputs = tuple(leaf.name for leaf in artifact.leaves)
        self.jit = Jit(artifact, threads)
        self._recompile, self._kept = recompile, kept
        self.derived, self._asked = derived, asked
        self._types = {leaf.name: Type(leaf.shape, leaf.kind) for leaf in artifact.leaves}
        self._floats = artifact.pointwise and all(leaf.kind == "real" for leaf in artifact.leaves)
        self._plain_left = PLAIN_CALLS if artifact.pointwise else 0
        self._gradients = artifact.gradients
        self._dtype = np.dtype(artifact.dtype)
        self._defaults = {
            leaf.name: value for leaf in artifact.leaves if (value := _default(leaf, self._dtype)) is not None
        }
        self._hastened: set[str] = set()  # the entries whose calls go straight to compiled functions
        self._forward, self._backward, self._both = map(self._any_call, ("forward", "backward", "value_and_grad"))

    def __reduce__(self) -> tuple[Callable[..., Function], tuple[Any, ...]]:
        return self.derived, self._asked

    # --- what it is --------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The generated module's text."""
        return self.artifact.source

    def _compilation(self) -> Any:
        if self._kept is None:
            self._kept = self._recompile()
        return self._kept

    @property
    def graph(self) -> Graph:
        """The program's graph."""
        return self._compilation().graph  # type: ignore[no-any-return]

    @property
    def history(self) -> tuple[Any, ...]:
        """What each stage of the compiler left: name, graph, seconds, steps."""
        return tuple(self._compilation().history)

    @cached_property
    def gradient(self) -> Graph:
        """The simplified graph of the gradients."""
        from graphc.compiler import gradient_graph

        return gradient_graph(self.graph)

    def __repr__(self) -> str:
        outputs = ", ".join(self.artifact.outputs)
        return f"<graphc function ({', '.join(self.inputs)}) -> {outputs}, {self.artifact.dtype}>"

    def initial(self, seed: int = 0, **sizes: int) -> dict[str, Any]:
        """First values of all parameters; sizes by name where shapes are symbolic."""
        leaves = tuple(leaf for leaf in self.artifact.leaves if leaf.role != "input")
        missing = [leaf.name for leaf in leaves if leaf.initial is None]
        if missing:
            from graphc.compiler import complete_leaves

            leaves = complete_leaves(self.graph, leaves, sizes)
        return initial_values(leaves, seed, self._dtype, sizes)

    # --- calls -------------------------------------------------------------------------------------------------

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The outputs: one bare, several by name."""
        return self._forward(*args, **kwargs)

    def grad(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Gradients by name."""
        return self._backward(*args, **kwargs)  # type: ignore[no-any-return]

    def value_and_grad(self, /, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Value, and gradients by name."""
        return self._both(*args, **kwargs)  # type: ignore[no-any-return]

    def _any_call(self, entry: str) -> Callable[..., Any]:
        """An entry for arguments of any kind, as `__call__`, `grad` and `value_and_grad` give their results."""
        named = self._packed(entry)

        def call(*args: Any, **kwargs: Any) -> Any:
            if entry != "forward":
                self._need_gradient()
            return named(self._call(entry, args, kwargs))

        return call

    def _packed(self, entry: str) -> Callable[[Any], Any]:
        """What turns the jitted function's results into those of the public call."""
        gradients = self._gradients
        if entry == "forward":
            return self._named
        if entry == "backward":
            return lambda found: dict(zip(gradients, found))  # noqa: B905
        return lambda found: (found[0], dict(zip(gradients, found[1])))  # noqa: B905

    def jacobian(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Derivatives of the output by name of parameter (or real input), of its shape followed by the parameter's.

        Several outputs: {output: {name: ...}}.  Of numbers, where arrays are given, elementwise as the gradient.
        """
        rows = self._blocks(self._jacobian, self.artifact.outputs, args, kwargs)
        return rows if len(rows) > 1 else next(iter(rows.values()))

    def hessian(self, /, *args: Any, **kwargs: Any) -> dict[str, dict[str, Any]]:
        """Second derivatives of the value: {x: {z: d2J/dx dz, of the shape of x followed by that of z}}."""
        self._need_gradient()
        return self._blocks(self._hessian, self.variables, args, kwargs)

    def objective(self, wrt: Any = None, /, **values: Any) -> Objective:
        """The program as a function of one vector, for SciPy: see `Objective`.

        wrt: names (or one) that the vector packs, by default the parameters, else the real inputs that get no value;
        values: of these the start (a program's first value otherwise), of all others what they stay.  Raises DataError.
        """
        from graphc.run.objective import Objective

        if wrt is None:
            wrt = self.variables if any(leaf.role == "param" for leaf in self.artifact.leaves) else [
                name for name in self.variables if name not in by_plain_name(values)
            ]  # fmt: skip
        return Objective(self, (wrt,) if isinstance(wrt, str) else tuple(wrt), values)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """What derivatives are for: the parameters, else the real inputs."""
        params = tuple(leaf.name for leaf in self.artifact.leaves if leaf.role == "param")
        return params or tuple(leaf.name for leaf in self.artifact.leaves if leaf.kind == "real")

    @cached_property
    def _jacobian(self) -> Function:
        return self.derived("jacobian")

    @cached_property
    def _hessian(self) -> Function:
        return self.derived("hessian")

    def _blocks(
        self, inner: Function, rows: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """The results of a derived function, row by row."""
        given = dict(zip(self.inputs, self._arguments(args, kwargs), strict=True))
        found = inner._call("forward", (), {name: given[name] for name in inner.inputs})
        left = iter(found if isinstance(found, tuple) else (found,))
        return {row: {column: next(left) for column in self.variables} for row in rows}

    def _need_gradient(self) -> None:
        if not self._gradients:
            message, _, hint = str(self.artifact.differentiable).partition("\nhint: ")
            raise DerivativeError(message, hint=hint or None)

    def _named(self, result: Any) -> Any:
        outputs = self.artifact.outputs
        return result if len(outputs) == 1 else dict(zip(outputs, result, strict=True))

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """All arguments in order, defaults put in."""
        if len(args) > len(self.inputs):
            raise DataError(
                f"{len(args)} arguments for {len(self.inputs)} inputs", hint=f"the inputs are {', '.join(self.inputs)}"
            )
        given = dict(zip(self.inputs, args))  # noqa: B905
        for name, value in by_plain_name(kwargs).items():
            if name not in self._types:
                known = ", ".join(self.inputs)
                raise DataError(
                    f"{name} is no input", hint=f"the inputs are {known}" if known else "there are no inputs"
                )
            if name in given:
                raise DataError(f"{name} is given twice")
            given[name] = value
        values = []
        for name in self.inputs:
            if name in given:
                values.append(given[name])
            elif name in self._defaults:
                values.append(self._defaults[name])
            else:
                raise DataError(
                    f"{name} is missing", hint=f"f({name}=...); f.initial(seed=0) gives first values of parameters"
                )
        return values

    def _call(self, entry: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        values = [
            numeric(n, v, self._types[n].kind, self._dtype)
            for n, v in zip(self.inputs, self._arguments(args, kwargs), strict=True)
        ]
        if not self.artifact.pointwise:
            return _unpacked(self._arrays(entry, values))
        if self.artifact.ranges:
            self._check_ranges(dict(zip(self.inputs, values, strict=True)), {})
        if self._plain_left > 0 and all(v.ndim == 0 for v in values):
            self._plain_left -= 1
            with np.errstate(all="ignore"):
                return _unpacked(self._plain[entry](*(v[()] for v in values)))
        return _unpacked(self._points(entry, values))

    def _hasten(self, entry: str) -> None:
        """From now on, calls with plain numbers or arrays go straight to the compiled function."""
        if not self._floats or not self.inputs or entry in self._hastened:
            return
        self._hastened.add(entry)
        call, names = self._any_call(entry), self._gradients
        if entry == "forward":
            self._forward = self.jit.by_name("forward_points", "__call__", self.artifact.outputs, call)
        elif entry == "backward":
            call.__doc__ = type(self).grad.__doc__
            call = self.jit.by_name("backward_points", "grad", names, call)
            self._backward = self.grad = call  # type: ignore[method-assign]
        else:
            call.__doc__ = type(self).value_and_grad.__doc__
            call = self.jit.by_name("value_and_grad_points", "value_and_grad", names, call)
            self._both = self.value_and_grad = call  # type: ignore[method-assign]

    @cached_property
    def _plain(self) -> dict[str, Any]:
        from graphc.codegen.plain import plain_functions

        return plain_functions(self.artifact.source)

    def _points(self, entry: str, values: list[Any]) -> Any:
        """Arrays: they broadcast, value and gradients are elementwise."""
        try:
            shape = np.broadcast_shapes(*(v.shape for v in values))
        except ValueError:
            shown = ", ".join(f"{n} {shape_text(v.shape)}" for n, v in zip(self.inputs, values, strict=True))
            raise DataError(f"the arguments do not broadcast: {shown}") from None
        flat = [np.ascontiguousarray(v if v.shape == shape else np.broadcast_to(v, shape)) for v in values]
        types = array_types(self._dtype)
        outputs = [types[kind] for kind in self.artifact.output_kinds] if entry != "backward" else []
        outputs += [self._dtype for _ in self._gradients if entry != "forward"]
        results = new_arrays([(shape, dtype) for dtype in outputs])
        self.jit.points(f"{entry}_points", flat[0].size if flat else 1, *flat, *results)
        self._hasten(entry)
        return _grouped(entry, results)

    def _arrays(self, entry: str, values: list[Any]) -> Any:
        from graphc.training.data import bind_sizes, check_shape

        arrays = dict(zip(self.inputs, values, strict=True))
        for name, array in arrays.items():
            check_shape(name, array, self._types[name].shape)
        sizes = bind_sizes(arrays, self._types)
        check_sizes(self.artifact, sizes)
        if self.artifact.ranges:
            self._check_ranges(arrays, sizes)
        run, types = self.artifact.entry(f"{entry}_run"), array_types(self._dtype)
        results = new_arrays([(tuple(size_value(d, sizes) for d in shape), types[kind]) for kind, shape in run.results])
        given = map(np.ascontiguousarray, values)
        self.jit.native(run.name)(*(sizes[n] for n in run.sizes), *given, *results)
        return _grouped(entry, results)

    def _check_ranges(self, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
        from graphc.training.data import check_ranges

        check_ranges(arrays, self.artifact.ranges, sizes)


def _grouped(entry: str, results: list[Any]) -> Any:
    """Results as the jitted function of an entry gives them; arrays without axes are numbers."""
    found = [r if r.ndim else r[()] for r in results]
    if entry == "value_and_grad":
        return found[0], tuple(found[1:])
    return found[0] if entry == "forward" and len(found) == 1 else tuple(found)


def array_types(dtype: Any) -> dict[str, Any]:
    """The type of arrays of each kind."""
    return {"real": np.dtype(dtype), "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}


def check_sizes(artifact: Artifact, sizes: Mapping[str, int]) -> None:
    """What the program asks of its sizes and only the data could tell; ShapeError with the place in the program."""
    from graphc.errors import ShapeError

    for c in artifact.checks:
        if (sizes_of(c.a) | sizes_of(c.b)) - set(sizes):
            continue
        a, b = size_value(c.a, sizes), size_value(c.b, sizes)
        if (a != b) if c.relation == "==" else (a > b):
            known = ", ".join(f"{n} = {v}" for n, v in sizes.items())
            what = f"{c.a} must be {'equal to' if c.relation == '==' else 'at most'} {c.b}"
            raise ShapeError(
                f"{what}, but the data say {known}", line=c.line, column=c.column, source_line=c.source_line,
                hint="give arrays whose sizes fit",
            )  # fmt: skip


def numeric(name: str, value: Any, kind: str, dtype: Any) -> Any:
    """An argument as an array of its kind's type; NaN and infinities pass."""
    if kind == "real" and type(value) in (float, int):
        try:
            return np.asarray(value, dtype)
        except OverflowError:
            raise DataError(f"{name} is too large for {np.dtype(dtype).name}") from None
    from graphc.training.data import plain_array

    array = plain_array(name, value)
    if kind == "real":
        return np.asarray(array, dtype)
    if kind == "int" and array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise DataError(f"{name} is declared int, but has a value that is not whole")
    if kind == "int" and array.dtype.kind in "fu" and (np.abs(array) >= 2.0**63).any():
        raise DataError(f"{name} has a value that does not fit int64")
    return np.asarray(array, np.int64 if kind == "int" else np.bool_)


def _unpacked(result: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(result, tuple):
        return tuple(_unpacked(r) for r in result)
    return result.item() if isinstance(result, np.generic) else result


def _default(leaf: Leaf, dtype: Any) -> Any:
    """The constant first value of a parameter, where its shape is known."""
    if leaf.initial is None or leaf.initial[0] != "constant" or any(not isinstance(d, int) for d in leaf.shape):
        return None
    return next(iter(initial_values([leaf], 0, dtype).values()))
