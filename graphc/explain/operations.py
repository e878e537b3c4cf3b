"""The documentation's table of operations.

In: the records.  Out: Markdown.
Always holds: nothing is typed twice: calls, formulas and derivatives are asked of the records.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Symbol

from graphc.explain.pen import Pen
from graphc.graph.builder import Builder, symbol
from graphc.graph.graph import operands, statics
from graphc.graph.operation import Linearization, Operation, Value, operation_of
from graphc.graph.types import Type
from graphc.language.formula import spell
from graphc.language.latex_writer import name_latex, operation_latex
from graphc.language.reader import parse
from graphc.language.writer import ATOM
from graphc.ops import (
    composite,
    contraction,
    elementwise,
    error_function,
    indexing,
    joining,
    linear_algebra,
    movement,
    program,
    reduction,
    safe,
    slices,
    special,
)

OPERATORS = tuple(o for o in elementwise.OPERATIONS if o.syntax)
FUNCTIONS = tuple(o for o in elementwise.OPERATIONS if not o.syntax)
GROUPS: tuple[tuple[str, tuple[Operation, ...]], ...] = (
    ("Operators", OPERATORS),
    ("Elementwise functions", FUNCTIONS),
    ("Special functions", (*error_function.OPERATIONS, *special.OPERATIONS)),
    ("Functions with a limit", safe.OPERATIONS),
    ("Reductions", reduction.OPERATIONS),
    ("Products", contraction.OPERATIONS),
    ("Moving elements", (*movement.OPERATIONS, *slices.OPERATIONS, *joining.OPERATIONS)),
    ("Picking elements", indexing.OPERATIONS),
    ("Linear algebra", linear_algebra.OPERATIONS),
    ("Softmax and its kin", composite.OPERATIONS),
    ("About the program", program.OPERATIONS),
)
REDUCED = "input x[n, m]\n{}(x, axis=1)"
EXAMPLES: dict[Operation, str] = {
    **{o: REDUCED.format(o.written) for o in (*reduction.OPERATIONS, *composite.OPERATIONS) if not o.elementwise},
    reduction.products_of_others_along: "input x[n, m], h[n, m]\nproducts_of_others_along(x, h, axis=1)",
    composite.softmax_weight: "softmax_weight(0, a, b, c)",
    contraction.matmul: "input a[n, k], b[k, m]\na @ b",
    contraction.einsum: 'input a[n, k], b[n, m]\neinsum("ij,ik->kj", a, b)',
    movement.broadcast: "input x[m]\nbroadcast(x, (3, m))",
    movement.reshape: "input x[n, m]\nreshape(x, n*m)",
    movement.transpose: "input x[n, m]\nx.T",
    slices.slice_: "input x[9]\nx[2:5]",
    slices.embed: 'input x[3]\nembed(x, (9,), (("range", 2, 3, 1),))',
    joining.pad: "input x[n]\npad(x, 2)",
    joining.concat: "input a[2], b[3]\nconcat(a, b)",
    joining.stack: "input a[n], b[n]\n[a, b]",
    indexing.gather: "input x[9], k[n]: int\ngather(x, k)",
    indexing.scatter: "input x[n], k[n]: int\nscatter(x, k, (9,))",
    indexing.diagonal: "input x[n, n]\ndiagonal(x)",
    indexing.diagonal_matrix: "input x[n]\ndiagonal_matrix(x)",
    **{
        o: f"input A[n, n]\n{o.name}(A)"
        for o in linear_algebra.OPERATIONS
        if len(o.parameters) == 1 and o.define is None
    },
    linear_algebra.cofactors_along: "input A[n, n], h[n, n]\ncofactors_along(A, h)",
    linear_algebra.solve: "input A[n, n], b[n]\nsolve(A, b)",
    linear_algebra.solve_triangular: "input A[n, n], b[n]\nsolve_triangular(A, b)",
}


def operations_markdown() -> str:
    """All operations, a table a group."""
    parts = ["# Operations", INTRODUCTION]
    for title, operations in GROUPS:
        rows = [_row(o) for o in operations if not o.hidden or o.syntax]
        parts.append(
            "\n".join([f"## {title}\n", "| written | meaning | derivative | formula |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """\
What the language knows by itself, as the compiler's records have it; the prelude defines the rest in these terms.
In derivatives `y` is the result and `g` the gradient that arrives at it. Elementwise operations show the local factor
that `g` is multiplied by; the others show what each operand gets, most in an example. Values and derivatives where there
is a kink or only a limit: [kinks.md](kinks.md)."""


def _row(o: Operation) -> str:
    cells = (_usage(o), _prose(o.doc), derivative_text(o), _formula(o))
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _prose(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _usage(o: Operation) -> str:
    main = o.syntax or o.usage()
    return ", ".join(_code(t) for t in (main, *o.others))


def _formula(o: Operation) -> str:
    if o.latex is None:
        return ""
    names = [p.name for p in o.parameters if p.role != "static"]
    fixed = tuple(p.name for p in o.parameters if p.role == "static")
    text = operation_latex(o, tuple((name_latex(n), ATOM) for n in names), (), fixed)[0].replace('"', "")
    for bar, word in (("\\|", "Vert"), ("|", "vert")):
        text = text.replace(f"\\left{bar}", f"\\left\\l{word} ").replace(f"\\right{bar}", f"\\right\\r{word}")
    return f"${text}$"


# --- derivatives ---------------------------------------------------------------------------------------------------


def derivative_text(o: Operation) -> str:
    if o.define is None and not o.differentiable:
        return "none"
    found = _by_example(o) if o in EXAMPLES else _elementwise(o)
    example = f"in {_code(EXAMPLES[o].splitlines()[-1])}: " if o in EXAMPLES and found else ""
    return example + (", ".join(_code(t) if t else "none" for t in found) or "of what it stands for")


def _elementwise(o: Operation) -> list[str]:
    """Local factors, or contributions, of scalars."""
    if o.define is not None:
        return []
    builder = Builder(simplify=True)
    names = [p.name for p in o.parameters if p.role == "operand"]
    kinds = ["bool" if p.name == "condition" else "real" for p in o.parameters if p.role == "operand"]
    atoms = tuple(builder.declare(n, Type((), k)) for n, k in zip(names, kinds, strict=True))
    fixed = tuple(symbol(p.name) for p in o.parameters if p.role == "static")
    result = builder.declare("y" if "y" not in names else "z", Type())
    if o.partials is not None:
        return [_text(builder, f) for f in o.partials(builder.value(result), *map(builder.value, atoms))]
    if fixed:
        return [f"g*{o.written}({fixed[0]} + 1, {names[0]})"]
    return _contributions(builder, o, result, atoms, ())


def _by_example(o: Operation) -> list[str]:
    """Contributions to the operands of an example."""
    graph = parse(EXAMPLES[o])
    equation = graph.equations[-1]
    record = operation_of(equation.expr)
    assert record is not None
    if not record.differentiable:
        return []
    builder = Builder(simplify=True)
    for s in (*graph.inputs, equation.target):
        builder.declare(s.name, graph.types[s])
    result = builder.declare("y", graph.types[equation.target])
    return _contributions(builder, record, result, operands(equation.expr), statics(equation.expr))


def _contributions(
    builder: Builder, o: Operation, result: Symbol, atoms: tuple[Basic, ...], fixed: tuple[Any, ...]
) -> list[str]:
    assert o.pullback is not None
    cotangent = builder.declare("g", Type(builder.types[result].shape))
    values = tuple(builder.value(a) for a in atoms)
    at = Linearization(builder.value(result), values, builder.value(cotangent), fixed, (True,) * len(atoms))
    return [_text(builder, term) for term in o.pullback(at)]


def _text(builder: Builder, factor: Any) -> str:
    if factor is None:
        return ""
    if not isinstance(factor, Value):
        return str(factor)
    definitions = {e.target: e.expr for e in builder.equations}
    pen = Pen({})
    return spell(factor.atom, definitions, builder.types, pen.atom, pen.operation)[0]
