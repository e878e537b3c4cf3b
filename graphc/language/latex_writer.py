"""Graph to LaTeX.

In: a graph.  Out: its equations as an aligned block, or one symbol's formula.
Always holds: operations are spelled by the templates of their records; brackets stand where the mathematics needs them.
"""

from __future__ import annotations

import re
from typing import Any

from sympy import Basic, Symbol

from graphc.graph.graph import Graph
from graphc.graph.operation import Operation
from graphc.graph.types import Type
from graphc.language.formula import Text, spell, spell_expression
from graphc.language.writer import ATOM, loosest, number_text, static_text

SUM, PRODUCT, POSTFIX = 10, 20, 60  # how tightly a template binds that shows a sum, a product, a power or fraction
_GREEK = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
        "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega",
    )
)
_CONSTANTS = {"pi": "\\pi", "e": "e", "inf": "\\infty", "-inf": "-\\infty"}
_PLACE = re.compile(r"\{(s?)(\d)\}")


def name_latex(name: str) -> str:
    """A name: theta_1 as a Greek letter with an index, x_bar with a bar, long names upright."""
    if name.endswith("_bar"):
        return f"\\bar{{{name_latex(name[:-4])}}}"
    head, _, rest = re.sub(r"[._]+", ",", name).partition(",")
    stem = head.rstrip("0123456789")
    indices = [part for part in (head[len(stem) :], rest) if part]
    shown = f"\\{stem}" if stem in _GREEK else stem if len(stem) == 1 else f"\\mathrm{{{stem}}}"
    index = ",".join(indices)
    plain = all(len(part) == 1 or part.isdigit() for part in index.split(","))
    return shown if not index else f"{shown}_{{{index}}}" if plain else f"{shown}_{{\\mathrm{{{index}}}}}"


def atom_latex(atom: Basic) -> Text:
    """A symbol or number."""
    if isinstance(atom, Symbol):
        return name_latex(atom.name), ATOM
    text = number_text(atom)
    if text in _CONSTANTS:
        return _CONSTANTS[text], 25 if text.startswith("-") else ATOM
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    if "/" in text:
        return f"{sign}\\frac{{{text.partition('/')[0]}}}{{{text.partition('/')[2]}}}", 25 if sign else POSTFIX
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        times = "" if mantissa == "1" else f"{mantissa} \\cdot "
        return f"{sign}{times}10^{{{int(exponent)}}}", PRODUCT
    return f"{sign}{text}", 25 if sign else ATOM


def operation_latex(
    operation: Operation, texts: tuple[Text, ...], types: tuple[Type, ...], statics: tuple[Any, ...]
) -> Text:
    """One operation over texts that are known with their bindings."""
    template = operation.latex
    if template is None:
        return _call(operation, texts, types, statics)
    binding = _binding(operation, template)
    needs = {i: _needs(operation, template, i) for i in range(len(texts))}
    shown = [
        t if b >= needs[i] and not _second_sign(t, needs[i], i) else _bracketed(t) for i, (t, b) in enumerate(texts)
    ]
    values = {f"s{i}": static_text(s) for i, s in enumerate(statics)}
    text = template.format(*shown, **values)
    return _with_axes(text, operation, types, statics), binding if texts else loosest(text)


def _bracketed(text: str) -> str:
    return f"\\left({text}\\right)"


def _second_sign(text: str, needed: int, place: int) -> bool:
    """A minus sign after another sign: a + -b."""
    return text.startswith("-") and needed > 0 and place > 0


def _binding(operation: Operation, template: str) -> int:
    """How tightly the result binds."""
    if template.startswith("\\frac"):
        return POSTFIX
    if operation.binding != ATOM:
        return operation.binding
    outside = re.sub(r"\\left.*\\right\S?|\{\{.*?\}\}", "", template)
    if " - " in outside or " + " in outside:
        return SUM
    if template.startswith(("\\sum", "\\prod")) or " " in outside.strip():
        return PRODUCT - 1
    return POSTFIX if "^" in outside else ATOM


def _needs(operation: Operation, template: str, place: int) -> int:
    """How tightly an operand must bind to stand in its place without brackets."""
    before, _, after = template.partition(f"{{{place}}}")
    if before.endswith("{{") and after.startswith("}}"):
        return POSTFIX + 1 if after.startswith("}}^") else 0
    if "\\begin{{" in template or (before.endswith(("\\left(", "\\left|", ", ")) and "\\left" in before):
        return 0
    if operation.binding == ATOM:
        return 0 if "\\left" in before and before.endswith((" ", "\\|")) else POSTFIX
    if len(operation.parameters) == 1:
        return max(operation.binding + 1, SUM)
    return operation.binding + (1 if place or operation.binding == 5 else 0)


def _with_axes(text: str, operation: Operation, types: tuple[Type, ...], statics: tuple[Any, ...]) -> str:
    """A reduction's sign with its axes below, unless it is over all of them."""
    names = [p.name for p in operation.parameters if p.role == "static"]
    axes = dict(zip(names, statics, strict=False)).get("axis")
    if not isinstance(axes, tuple) or axes == tuple(range(types[0].rank)):
        return text
    index = f"_{{\\mathrm{{axis}}\\,{', '.join(str(a) for a in axes)}}}"
    if text.startswith("\\left"):
        return text + index
    head = re.match(r"\\operatorname\{\w+\}|\\[a-z]+", text)
    return text[: head.end()] + index + text[head.end() :] if head else text


def _call(operation: Operation, texts: tuple[Text, ...], types: tuple[Type, ...], statics: tuple[Any, ...]) -> Text:
    """An operation without a template: as in the language where that is no call, else as a call."""
    if operation.show is not None:
        marks = tuple(f"operand{i}" for i in range(len(texts)))
        shown = operation.show(marks, types, statics)
        if not shown.startswith(f"{operation.written}("):
            product = " @ " in shown
            for i, (text, binding) in enumerate(texts):
                closed = text if binding >= ATOM or shown.startswith("[") else _bracketed(text)
                shown = re.sub(rf"\boperand{i}\b", closed.replace("\\", "\\\\"), shown)
            return shown.replace(" @ ", " \\, "), PRODUCT if product else ATOM
    operands, fixed = [t for t, _ in texts], [_static_latex(s) for s in statics]
    first = operation.parameters[0].role == "static"
    inside = ", ".join([*fixed, *operands] if first else [*operands, *fixed])
    name = operation.written.replace("_", "\\_")
    return f"\\operatorname{{{name}}}\\left({inside}\\right)", ATOM


def _static_latex(value: Any) -> str:
    text = static_text(value)
    return text if isinstance(value, (int, Basic)) else f"\\text{{{text}}}".replace("_", "\\_")


def equation_latex(graph: Graph, target: Symbol, expr: Basic) -> str:
    """target &= right-hand side."""
    return f"{name_latex(target.name)} &= {spell_expression(expr, graph.types, atom_latex, operation_latex)[0]}"


def program_latex(graph: Graph) -> str:
    """The program's equations, aligned."""
    lines = [equation_latex(graph, e.target, e.expr) for e in graph.equations]
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def expression_latex(graph: Graph, symbol: Symbol) -> str:
    """The formula of one symbol, everything put in."""
    definitions = {e.target: e.expr for e in graph.equations}
    return spell(symbol, definitions, graph.types, atom_latex, operation_latex)[0]
