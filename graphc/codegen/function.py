"""The functions of a module: value, gradient, and both.

In: graphs of primitive operations.  Out: entries of a `ModuleWriter`: `forward`, `backward`, `value_and_grad`, and for
programs of numbers the same over arrays of points, `forward_points` and so on.
Always holds: arguments stand in the order of the program's leaves; a straight-line function is written where that is
possible, else the arrays' one, called a point.
"""

from __future__ import annotations

from sympy import Symbol

from graphc.codegen.module import ModuleWriter, array_function
from graphc.graph.graph import Graph


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
    if pointwise and writer.point_function(name, graph, leaves):
        results = [f"r{k}" for k in range(len(graph.outputs))]
        numbers = "".join(f"real({n}), " if t == "real" else f"{n}, " for n, t in zip(names, types, strict=True))
        call = f"{', '.join(results)}, = {name}_point(({numbers}))"
        writer.add_function(name, names, [call, f"return {_packed(name, results)}"], types)
        _write_points(writer, name, names, types, graph)
        return
    arguments, lines, results = array_function(writer, graph, leaves)
    writer.add_function(name, arguments, [*lines, f"return {_packed(name, results)}"], types)
    if pointwise:
        one = f"{name}_one"
        writer.functions[-1] = writer.functions[-1].replace(f"def {name}(", f"@kernel\ndef {one}(", 1)
        writer.functions.append(f"def {name}({', '.join(names)}):\n    return {one}({', '.join(names)})")
        _write_points(writer, name, names, types, graph, one)


def _packed(name: str, results: list[str]) -> str:
    """What an entry returns."""
    if name == "value_and_grad":
        return f"{results[0]}, ({', '.join(results[1:])},)"
    return results[0] if name == "forward" and len(results) == 1 else f"({', '.join(results)},)"


def _write_points(
    writer: ModuleWriter, name: str, names: list[str], types: list[str], graph: Graph, one: str | None = None
) -> None:
    """The same for arrays of points, by a function of a point's numbers."""
    outputs = [f"o{k}" for k in range(len(graph.outputs))]
    at, to = [f"{n}[i]" for n in names], [f"{o}[i]" for o in outputs]
    if one is None:
        line = f"{', '.join(to)}, = {name}_point(({''.join(f'{n}, ' for n in at)}))"
    else:
        bare = name == "forward" and len(to) == 1
        packed = f"{to[0]}, ({', '.join(to[1:])},)" if name == "value_and_grad" else ", ".join(to) + "," * (not bare)
        line = f"{packed} = {one}({', '.join(at)})"
    body = [f"for i in range({names[0]}.size):", f"    {line}"]
    writer.add_function(f"{name}_points", names + outputs, body, [f"{t}[1]" for t in types] + _results(graph))


def _results(graph: Graph) -> list[str]:
    return [f"{graph.types[o].kind}[1]" for o in graph.outputs]
