"""Graph to text.

In: a graph.  Out: its program in the language, one statement an equation, or one symbol's formula on a line.
Always holds: `parse(str(g)) == g`; time linear in the text that is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sympy import Basic, S, Symbol

from graphc.graph.graph import Data, Equation, Graph, atom_type, operands, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Dim, Size, Type, is_name, sizes_of

ATOM = 100
ESCAPE = "math."  # before a function or constant whose name the program has given to something else
_CONSTANTS = {S.Pi: "pi", S.Exp1: "e", S.Infinity: "inf"}


def number_text(value: Basic) -> str:
    """A number as it is read: 3, 0.1, 1/3, 1e-8."""
    if value in _CONSTANTS:
        return _CONSTANTS[value]
    if value == S.NegativeInfinity:
        return "-inf"
    if value.is_Integer:
        return _integer_text(int(value))
    p, q = int(value.p), int(value.q)
    places, rest = 0, q
    while rest % 10 == 0:
        rest //= 10
        places += 1
    twos = fives = 0
    while rest % 2 == 0:
        rest //= 2
        twos += 1
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    places += max(twos, fives)
    digits = abs(p) * 10**places // q if rest == 1 else 0
    if rest != 1 or len(str(digits)) > 17:
        return f"{p}/{q}"
    sign = "-" if p < 0 else ""
    if places > 6 and len(str(digits)) < places - 3:
        mantissa = str(digits)
        point = f"{mantissa[0]}.{mantissa[1:]}" if len(mantissa) > 1 else mantissa
        return f"{sign}{point}e-{places - len(mantissa) + 1}"
    text = str(digits).rjust(places + 1, "0")
    return f"{sign}{text[:-places]}.{text[-places:]}"


def _integer_text(value: int) -> str:
    text = str(value)
    zeros = len(text) - len(text.rstrip("0"))
    return f"{text[:-zeros]}e{zeros}" if zeros > 14 else text


def atom_text(atom: Basic) -> tuple[str, int]:
    """A symbol or number, and how tightly its text binds."""
    if isinstance(atom, Symbol):
        return atom.name, ATOM
    text = number_text(atom)
    return text, 25 if text.startswith("-") and "/" not in text else 20 if "/" in text else ATOM


def loosest(text: str) -> int:
    """How tightly a text binds, by the signs that stand in no brackets: n + 1, 2*n, n//2, a @ b."""
    closed = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]")
    while (outside := closed.sub("", text)) != text:
        text = outside
    return 10 if " + " in text or " - " in text else 20 if any(sign in text for sign in "*/@") else ATOM


def static_text(value: Any) -> str:
    """A static argument as it is read."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        inside = ", ".join(static_text(v) for v in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, str):
        return f'"{value}"'
    return number_text(value) if isinstance(value, Basic) else str(value)


def expression_text(
    operation: Operation, texts: tuple[tuple[str, int], ...], types: tuple[Type, ...], static: tuple[Any, ...]
) -> tuple[str, int]:
    """One operation over texts that are known with their bindings."""
    if operation.show is not None:
        inner = tuple(t if binding == ATOM else f"({t})" for t, binding in texts)
        plain = inner if _infix_shown(operation, inner, types, static) else tuple(t for t, _ in texts)
        text = operation.show(plain, types, static)
        return text, loosest(text)
    form = operation.syntax
    if form and form.startswith("a "):
        return _infix_text(operation, form.split()[1], texts), operation.binding
    if form and form.endswith("a"):
        (inner_text, binding), space = texts[0], " " if form[0].isalpha() else ""
        shown = inner_text if binding > operation.binding else f"({inner_text})"
        return f"{form[:-1].strip()}{space}{shown}", operation.binding
    left, rest, parts = list(texts), list(static), []
    for p in operation.parameters:
        if p.role == "static":
            value = rest.pop(0)
            if value != p.default:
                parts.append(f"{p.name}={static_text(value)}")
        elif p.role == "operands":
            parts += [t for t, _ in left]
            left = []
        else:
            parts.append(left.pop(0)[0])
    positional_static = operation.parameters[0].role == "static"
    if positional_static:
        parts[0] = parts[0].partition("=")[2]
    return f"{operation.written}({', '.join(parts)})", ATOM


def _infix_shown(
    operation: Operation, inner: tuple[str, ...], types: tuple[Type, ...], static: tuple[Any, ...]
) -> bool:
    assert operation.show is not None
    return not operation.show(inner, types, static).startswith((f"{operation.written}(", "["))


def _infix_text(operation: Operation, sign: str, texts: tuple[tuple[str, int], ...]) -> str:
    (a, left), (b, right) = texts
    mine = operation.binding
    if sign == "^":
        a = a if left > mine else f"({a})"
        b = b if right >= mine and not b.startswith("-") else f"({b})" if right < ATOM else b
        return f"{a}^{b}"
    strict = mine in (2, 3, 5)
    a = a if left > mine or (left == mine and not (strict and mine == 5)) else f"({a})"
    b = b if right > mine and not (b.startswith("-") and right < ATOM) else f"({b})"
    return f"{a}{sign}{b}" if sign in "*/" else f"{a} {sign} {b}"


def equation_expression(expr: Basic, types: Mapping[Symbol, Type]) -> str:
    """A right-hand side."""
    operation = operation_of(expr)
    if operation is None:
        return atom_text(expr)[0]
    arguments = operands(expr) if expr.args else ()
    arguments = tuple(a for a in arguments if a is not expr)
    return expression_text(
        operation, tuple(atom_text(a) for a in arguments), tuple(atom_type(a, types) for a in arguments), statics(expr)
    )[0]


def _escaped(expr: Basic, types: Mapping[Symbol, Type], taken: set[str]) -> str:
    """A right-hand side, where functions and constants may have lost their names to the program's own."""
    operation = operation_of(expr)
    text = equation_expression(expr, types)
    if operation is not None and operation.written in taken and text.startswith(f"{operation.written}("):
        return ESCAPE + text
    if not taken.isdisjoint(_CONSTANTS.values()) and any(a in _CONSTANTS for a in (expr, *expr.args)):
        named = {a: Symbol(ESCAPE + name, real=True) for a, name in _CONSTANTS.items() if name in taken}
        if operation is None:
            return str(named.get(expr, expr).name) if expr in named else text
        renamed = Basic.__new__(type(expr), *(named.get(a, a) for a in expr.args))
        return equation_expression(renamed, {**types, **{s: Type() for s in named.values()}})
    return text


def inline_text(graph: Graph, target: Basic, limit: int = 100_000) -> str:
    """The formula of one symbol, everything put in; names where it would be longer than `limit` characters."""
    definitions = graph.definitions()
    return inline_with(definitions, graph.types, target, limit)[0]


def inline_with(
    definitions: Mapping[Symbol, Equation], types: Mapping[Symbol, Type], target: Basic, limit: int
) -> tuple[str, int]:
    """The same from a table of equations; with the text's binding."""
    texts: dict[Basic, tuple[str, int]] = {}
    todo = [target]
    while todo:
        atom = todo[-1]
        equation = definitions.get(atom)
        if atom in texts:
            todo.pop()
            continue
        if equation is None:
            texts[atom] = atom_text(atom)
            todo.pop()
            continue
        arguments = tuple(a for a in operands(equation.expr) if a is not equation.expr or operation_of(a) is None)
        missing = [a for a in arguments if a not in texts]
        if missing:
            todo += reversed(missing)
            continue
        todo.pop()
        operation = operation_of(equation.expr)
        if operation is None:
            texts[atom] = texts[equation.expr]
            continue
        shown = tuple(texts[a] if len(texts[a][0]) <= limit else atom_text(a) for a in arguments)
        texts[atom] = expression_text(
            operation, shown, tuple(atom_type(a, types) for a in arguments), statics(equation.expr)
        )
    return texts[target]


def _dims_text(shape: tuple[Size, ...]) -> str:
    return f"[{', '.join(str(d) for d in shape)}]" if shape else ""


def _declaration(graph: Graph, s: Symbol, word: str) -> str:
    t = graph.types[s]
    kind = "" if t.kind == "real" else f": {t.kind}"
    initial = f" {graph.initial[s].spelling}" if s in graph.initial else ""
    return f"{word} {s.name}{_dims_text(t.shape)}{kind}{initial}"


def program_text(graph: Graph) -> str:
    """The program."""
    lines: list[str] = []
    if graph.optimizer is not None and graph.optimizer.source:
        lines += [graph.optimizer.source, ""]
    lines += [_declaration(graph, s, "input") for s in _readable_order(graph)]
    lines += [_declaration(graph, s, "param") for s in graph.params]
    lines += [_declaration(graph, s, "state") for s in graph.states]
    if graph.data is not None:
        lines.append(_data_text(graph.data))
    if graph.training:
        lines.append("train " + ", ".join(f"{k}={number_text(v)}" for k, v in graph.training))
    taken = {s.name for s in graph.types} | set(graph.sizes)
    for equation in graph.equations:
        word = "metric " if equation.target in graph.metrics else ""
        lines.append(f"{word}{equation.target.name} = {_escaped(equation.expr, graph.types, taken)}")
    lines += [f"{owner.name}' = {_escaped(value, graph.types, taken)}" for owner, value in graph.updates]
    if graph.objective is not None:
        lines.append(f"minimize {graph.objective.name}{_optimizer_text(graph)}")
    if graph.outputs and graph.outputs != _default_outputs(graph):
        lines.append("output " + ", ".join(s.name for s in graph.outputs))
    return "\n".join(lines)


def _readable_order(graph: Graph) -> tuple[Symbol, ...]:
    """The inputs as they stand, if each size is first met by itself; else those that name sizes come first."""
    known: set[str] = set()
    for s in graph.inputs:
        for d in graph.types[s].shape:
            if isinstance(d, Dim) and is_name(d):
                known |= sizes_of(d)
            elif not sizes_of(d) <= known:
                return tuple(sorted(graph.inputs, key=lambda s: not all(is_name(d) for d in graph.types[s].shape)))
    return graph.inputs


def _default_outputs(graph: Graph) -> tuple[Symbol, ...]:
    if graph.objective is not None:
        return (graph.objective,)
    named = [e.target for e in graph.equations]
    return (named[-1],) if named and named[-1] not in graph.metrics else ()


def _optimizer_text(graph: Graph) -> str:
    if graph.optimizer is None:
        return ""
    arguments = ", ".join(f"{k}={number_text(v)}" for k, v in graph.optimizer.arguments)
    return f" with {graph.optimizer.name}({arguments})" if arguments else f" with {graph.optimizer.name}"


def _data_text(data: Data) -> str:
    parts = [f"{name}={_columns_text(columns)}" for name, columns in data.columns]
    return f'data "{data.file}" {", ".join(parts)}'.rstrip()


def _columns_text(columns: tuple[int | str, ...]) -> str:
    runs: list[str] = []
    rest = list(columns)
    while rest:
        first = rest.pop(0)
        if isinstance(first, str):
            runs.append(f'"{first}"')
            continue
        last = first
        while rest and rest[0] == last + 1:
            last = int(rest.pop(0))
        runs.append(str(first) if last == first else f"{first}:{last + 1}")
    return "+".join(runs)
