"""The functions of a module: value, gradient, and both.

In: graphs of primitive operations.  Out: entries of a `ModuleWriter`: `forward`, `backward`, `value_and_grad`, which
Numba compiles for its users; and what LLVM compiles: of programs of numbers the same over arrays of points,
`forward_points` and so on, of all others the function behind the entry, `forward_run`.
Always holds: arguments stand in the order of the program's leaves; a program of numbers is a straight-line function, or
a table of steps where it is long.
"""

from __future__ import annotations

from sympy import Symbol

from graphc.codegen.artifact import Entry
from graphc.codegen.module import DTYPES, ModuleWriter, array_function, bind_sizes, shape_code
from graphc.codegen.schedule import lowering_of
from graphc.codegen.sections import cost_of_point
from graphc.codegen.strips import StripWriter
from graphc.graph.graph import Graph
from graphc.ops.lowering import Scalar
from graphc.ops.movement import size_code

POINT_LIMIT = 400  # equations of a straight-line function; a longer program of numbers is a table of steps


def write_entry(
    writer: ModuleWriter, name: str, graph: Graph, leaves: tuple[Symbol, ...], types: list[str], pointwise: bool
) -> None:
    """One function of the module; a pointwise program has it for one point and for arrays of points."""
    names = [writer.names("a", s.name) for s in leaves]
    numbers = pointwise and all(isinstance(lowering_of(e), (Scalar, type(None))) for e in graph.equations)
    if numbers and len(graph.equations) <= POINT_LIMIT:
        writer.point_function(name, graph, leaves)
        results = [f"r{k}" for k in range(len(graph.outputs))]
        given = "".join(f"real({n}), " if t == "real" else f"{n}, " for n, t in zip(names, types, strict=True))
        lines = [f"{', '.join(results)}, = {name}_point(({given}))", f"return {_packed(name, results)}"]
        writer.add_function(name, names, lines, types)
        _write_points(writer, name, names, types, graph)
        return
    if numbers:
        entry = StripWriter(writer, name, graph, leaves).write()
    else:
        entry = array_function(writer, name, graph, leaves)
        if pointwise:
            _write_repeated(writer, name, names, entry)
    _write_call(writer, name, graph, leaves, types, entry)


def _packed(name: str, results: list[str]) -> str:
    """What an entry returns."""
    if name == "value_and_grad":
        return f"{results[0]}, ({', '.join(results[1:])},)"
    return results[0] if name == "forward" and len(results) == 1 else f"({', '.join(results)},)"


def _write_points(writer: ModuleWriter, name: str, names: list[str], types: list[str], graph: Graph) -> None:
    """For arrays of points, by a function of a point's numbers."""
    outputs = [f"o{k}" for k in range(len(graph.outputs))]
    at, to = "".join(f"{n}[i], " for n in names), "".join(f"{o}[i], " for o in outputs)
    lines = ["for i in range(count):", f"    {to}= {name}_point(({at}))"]
    results = tuple((graph.types[o].kind, ()) for o in graph.outputs)
    arguments = ("int", *(f"{t}[1]" for t in types), *(f"{kind}[1]" for kind, _ in results))
    form = _form(name, len(results)) if set(arguments[1:]) == {"real[1]"} else ""
    entry = Entry(f"{name}_points", arguments, (), results, form=form, cost=cost_of_point(graph))
    writer.add_native(entry, ["count", *names, *outputs], lines)


def _form(name: str, results: int) -> str:
    """How Python gets the results."""
    if name == "value_and_grad":
        return "value and results"
    return "value" if name == "forward" and results == 1 else "results"


def _write_repeated(writer: ModuleWriter, name: str, names: list[str], run: Entry) -> None:
    """For arrays of points, by a function of the memory of a point's numbers."""
    outputs, arenas = [f"o{k}" for k in range(len(run.results))], [f"{kind}_arena" for kind, _ in run.arenas]
    at = ", ".join([*(f"view({n}, i)" for n in (*names, *outputs)), *arenas])
    entry = Entry(f"{name}_points", ("int", *run.arguments), (), run.results, run.arenas)
    writer.add_native(entry, ["count", *names, *outputs, *arenas], ["for i in range(count):", f"    {run.name}({at})"])


def _write_call(
    writer: ModuleWriter, name: str, graph: Graph, leaves: tuple[Symbol, ...], types: list[str], entry: Entry
) -> None:
    """The entry that Numba compiles: it makes the arrays that the function behind it takes."""
    names = [writer.names("a", s.name) for s in leaves]
    lines = bind_sizes(leaves, graph, writer.names, entry.sizes)
    given = []
    for n, t in zip(names, types, strict=True):
        given.append(n if "[" in t else f"{n}_")
        if "[" not in t:
            lines.append(f"{n}_ = np.full(1, {f'real({n})' if t == 'real' else n})")
    outputs = [f"o{k}" for k in range(len(entry.results))]
    arenas = [f"{kind}_arena" for kind, _ in entry.arenas]
    lines += [
        f"{o} = np.empty({shape_code(shape)}, {DTYPES[kind]})"
        for o, (kind, shape) in zip(outputs, entry.results, strict=True)
    ]
    lines += [f"{a} = np.empty({size_code(n)}, {DTYPES[k]})" for a, (k, n) in zip(arenas, entry.arenas, strict=True)]
    arrays = [*given, *outputs, *arenas]
    counts = [f"s_{s}" for s in entry.sizes] if entry.name.endswith("_run") else ["1"]
    lines.append(f"{entry.name}({', '.join([*counts, *(f'view({a}, 0)' for a in arrays)])})")
    lines += [f"keep({a})" for a in arrays]
    results = [o if shape else f"{o}[0]" for o, (_, shape) in zip(outputs, entry.results, strict=True)]
    writer.add_function(name, names, [*lines, f"return {_packed(name, results)}"], types)
