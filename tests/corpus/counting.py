"""Operations of a gradient, counted in one way for graphs and for SymPy's expressions.

In: a graph, or expressions with the common subexpressions that SymPy's `cse` took out.  Out: a number.
Always holds: each of + - * / ^, each sign that stands alone, each call of a function is one; numbers are none, so that
x/2 is one operation, and so is sqrt(x).

`python -m tests.corpus.counting` simplifies the gradients by SymPy (minutes) and writes `sympy.txt`; SymPy's release is
in its first line.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import sympy
from sympy import Add, Mul, Pow

from graphc.graph.graph import Graph, needed
from graphc.graph.operation import operation_of
from graphc.language.reader import parse

HERE = Path(__file__).parent
SECONDS = 60  # for one derivative; after that it is counted as it is, not simplified


def formulas() -> dict[str, str]:
    lines = (HERE / "formulas.txt").read_text("utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if not line.startswith("#"))


def sympy_counts() -> dict[str, int]:
    lines = (HERE / "sympy.txt").read_text("utf-8").splitlines()[1:]
    return {name: int(count) for name, count in (line.rsplit(": ", 1) for line in lines)}


def count_graph(graph: Graph) -> int:
    """Operations of what a graph's outputs need."""
    return sum(operation_of(e.expr) is not None for e in needed(graph, graph.outputs))


def count_expression(expr: Any) -> int:
    """Operations of a SymPy expression."""
    total, todo = 0, [expr]
    while todo:
        node = todo.pop()
        if node.is_Atom:
            continue
        if isinstance(node, Add):
            signs = [_negated(a) for a in node.args]
            total += len(node.args) - 1 + all(s is not None for s in signs)
            todo += [a if s is None else s for a, s in zip(node.args, signs, strict=True)]
        elif isinstance(node, Mul):
            above, below = _fraction(node)
            total += max(len(above) - 1, 0) + len(below) + (node.args[0] == -1)
            todo += [*above, *below]
        elif isinstance(node, Pow):
            (base,), negative = (_inverse(node), True) if _is_inverse(node) else ((node,), False)
            if negative:
                total += 1
                todo.append(base)
            else:
                total += 1
                todo += node.args
        elif node.func == sympy.Piecewise:
            total += len(node.args) - 1
            todo += [a for pair in node.args for a in pair.args]
        else:
            total += 1
            todo += node.args
    return total


def _negated(term: Any) -> Any:
    """-term where a term has a sign, else None."""
    if isinstance(term, Mul) and term.args[0].is_Number and term.args[0] < 0:
        return -term
    return -term if term.is_Number and term < 0 else None


def _is_inverse(node: Any) -> bool:
    return isinstance(node, Pow) and node.exp.is_Number and node.exp < 0


def _inverse(node: Any) -> tuple[Any]:
    return (1 / node,)


def _fraction(node: Any) -> tuple[list[Any], list[Any]]:
    """Factors above and below the line; a number counts as one factor, 1 and -1 as none."""
    above: list[Any] = []
    below: list[Any] = []
    for a in node.args:
        if a in (1, -1):
            continue
        if _is_inverse(a):
            below.append(1 / a)
        else:
            above.append(a)
    return above, below


def simplified_count(text: str) -> int:
    """Operations of the gradient as SymPy has it: cse(simplify(diff))."""
    expr = parse(text).to_sympy()
    found = [_simplified(sympy.diff(expr, s)) for s in sorted(expr.free_symbols, key=str)]
    shared, rest = sympy.cse(found)
    return sum(count_expression(e) for _, e in shared) + sum(map(count_expression, rest))


def _simplified(expr: Any) -> Any:
    def stop(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        return sympy.simplify(expr)
    except TimeoutError:
        return expr
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    rows = [f"SymPy {sympy.__version__}"]
    for name, text in formulas().items():
        rows.append(f"{name}: {simplified_count(text)}")
        print(rows[-1], flush=True)
    (HERE / "sympy.txt").write_text("\n".join(rows) + "\n", "utf-8")
