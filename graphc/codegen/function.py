"""The functions of a module: value, gradient, and both.

In: graphs of primitive operations.  Out: entries of a `ModuleWriter`: `forward`, `backward`, `value_and_grad`, and for
programs of numbers the same over arrays of points, `forward_points` and so on.
Always holds: arguments stand in the order of the program's leaves; a program of numbers is a straight-line function, or
a table of steps where it is long.
"""

from __future__ import annotations

from sympy import Symbol

from graphc.codegen.module import DTYPES, ModuleWriter, array_function
from graphc.codegen.schedule import lowering_of
from graphc.codegen.strips import StripWriter
from graphc.graph.graph import Graph
from graphc.ops.lowering import Scalar

POINT_LIMIT = 400  # equations of a straight-line function; a longer program of numbers is a table of steps


def write_entry(
    writer: ModuleWriter,
    name: str,
    graph: Graph,
    leaves: tuple[Symbol, ...],
    types: list[str],
    pointwise: bool,
) -> None:
    """One function of the module; a pointwise program has it twice, for one point and for arrays of points."""
    names = [writer.names("a", s.name) for s in leaves]
    numbers = pointwise and all(isinstance(lowering_of(e), (Scalar, type(None))) for e in graph.equations)
    if numbers and len(graph.equations) > POINT_LIMIT:
        _write_steps(writer, name, graph, leaves, names, types)
        return
    if numbers:
        writer.point_function(name, graph, leaves)
    else:
        arguments, lines, results = array_function(writer, graph, leaves)
        if not pointwise:
            writer.add_function(name, arguments, [*lines, f"return {_packed(name, results)}"], types)
            return
        body = "\n".join(f"    {line}" for line in [*lines, f"return ({', '.join(results)},)"])
        writer.functions.append(f"@kernel\ndef {name}_one({', '.join(arguments)}):\n{body}")
        writer.functions.append(f"@point\ndef {name}_point(numbers):\n    return {name}_one(*numbers)")
    writer.add_function(name, names, _one_call(name, graph, names, types), types)
    _write_points(writer, name, names, types, graph)


def _one_call(name: str, graph: Graph, names: list[str], types: list[str]) -> list[str]:
    """An entry of numbers by the function of a point's numbers."""
    results = [f"r{k}" for k in range(len(graph.outputs))]
    numbers = "".join(f"real({n}), " if t == "real" else f"{n}, " for n, t in zip(names, types, strict=True))
    return [f"{', '.join(results)}, = {name}_point(({numbers}))", f"return {_packed(name, results)}"]


def _write_steps(
    writer: ModuleWriter, name: str, graph: Graph, leaves: tuple[Symbol, ...], names: list[str], types: list[str]
) -> None:
    """A long program of numbers, for arrays of points and for one."""
    StripWriter(writer, name, graph, leaves).write()
    outputs = [f"o{k}" for k in range(len(graph.outputs))]
    lines = [f"{o} = np.empty(1, {DTYPES[graph.types[s].kind]})" for o, s in zip(outputs, graph.outputs, strict=True)]
    given = [f"np.full(1, {f'real({n})' if t == 'real' else n})" for n, t in zip(names, types, strict=True)]
    lines.append(f"{name}_strips({', '.join(given + outputs)})")
    writer.add_function(name, names, [*lines, f"return {_packed(name, [f'{o}[0]' for o in outputs])}"], types)
    call = f"{name}_strips({', '.join(names + outputs)})"
    writer.add_function(f"{name}_points", names + outputs, [call], [f"{t}[1]" for t in types] + _results(graph))


def _packed(name: str, results: list[str]) -> str:
    """What an entry returns."""
    if name == "value_and_grad":
        return f"{results[0]}, ({', '.join(results[1:])},)"
    return results[0] if name == "forward" and len(results) == 1 else f"({', '.join(results)},)"


def _write_points(writer: ModuleWriter, name: str, names: list[str], types: list[str], graph: Graph) -> None:
    """The same for arrays of points, by a function of a point's numbers."""
    outputs = [f"o{k}" for k in range(len(graph.outputs))]
    at, to = "".join(f"{n}[i], " for n in names), "".join(f"{o}[i], " for o in outputs)
    body = [f"for i in range({names[0]}.size):", f"    {to}= {name}_point(({at}))"]
    writer.add_function(f"{name}_points", names + outputs, body, [f"{t}[1]" for t in types] + _results(graph))


def _results(graph: Graph) -> list[str]:
    return [f"{graph.types[o].kind}[1]" for o in graph.outputs]
