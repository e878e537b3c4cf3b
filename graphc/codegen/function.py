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
    dtype: str,
) -> None:
    """One function of the module; a pointwise program has it twice, for one point and for arrays of points."""
    names = [writer.names("a", s.name) for s in leaves]
    if pointwise and writer.point_function(name, graph, leaves):
        call = f"{name}_point({', '.join(_typed(n, t) for n, t in zip(names, types, strict=True))})"
        packed = call
        if name == "value_and_grad":
            results = [f"r{k}" for k in range(len(graph.outputs))]
            packed_lines = [f"{', '.join(results)}, = {call}", f"return {results[0]}, ({', '.join(results[1:])},)"]
        else:
            packed_lines = [f"return {packed}"]
        writer.add_function(name, names, packed_lines, types)
        point = f"{name}_point"
    else:
        arguments, lines = array_function(writer, name, graph, leaves)
        if name == "value_and_grad":
            head, _, inside = lines[-1].partition("(")
            first, _, rest = inside.rstrip(")").rstrip(",").partition(", ")
            lines[-1] = f"{head}{first}, ({rest},)"
        writer.add_function(name, arguments, lines, types)
        point = ""
    if pointwise:
        _write_points(writer, name, point, names, types, graph)


def _typed(name: str, type_: str) -> str:
    return f"real({name})" if type_ == "real" else name


def _write_points(
    writer: ModuleWriter, name: str, point: str, names: list[str], types: list[str], graph: Graph
) -> None:
    """The same for arrays of points."""
    results = [f"o{k}" for k in range(len(graph.outputs))]
    at = ", ".join(f"{n}[i]" for n in names)
    bare = name == "forward" and len(results) == 1
    if point:
        targets = ", ".join(f"{r}[i]" for r in results)
        line = f"{targets}{'' if bare else ','} = {point}({at})"
    else:
        kernel = f"{name}_one"
        writer.functions[-1] = writer.functions[-1].replace(f"def {name}(", f"@kernel\ndef {kernel}(", 1)
        writer.functions.append(f"def {name}({', '.join(names)}):\n    return {kernel}({', '.join(names)})")
        targets = ", ".join(f"{r}[i]" for r in results)
        if name == "value_and_grad":
            targets = f"{results[0]}[i], ({', '.join(f'{r}[i]' for r in results[1:])},)"
            line = f"v, g = {kernel}({at})"
            extra = ["    o0[i] = v", *(f"    {r}[i] = g[{k}]" for k, r in enumerate(results[1:]))]
            body = [f"for i in range({names[0]}.size):", f"    {line}", *extra]
            writer.add_function(f"{name}_points", names + results, body, [f"{t}[1]" for t in types] + _results(graph))
            return
        line = f"{targets}{'' if bare else ','} = {kernel}({at})"
    body = [f"for i in range({names[0]}.size):", f"    {line}"]
    writer.add_function(f"{name}_points", names + results, body, [f"{t}[1]" for t in types] + _results(graph))


def _results(graph: Graph) -> list[str]:
    return [f"{graph.types[o].kind}[1]" for o in graph.outputs]
