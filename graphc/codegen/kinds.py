"""Numbers of the program in generated code, and conversions between their kinds.

In: numbers and code.  Out: code.
Always holds: every literal has the program's own float type: `real(0.5)`, never 0.5.
"""

from __future__ import annotations

from functools import lru_cache

from sympy import Basic, S

from graphc.graph.types import promote
from graphc.ops.lowering import Reduce


@lru_cache(maxsize=4096)
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


def identity(lowering: Reduce, kind: str) -> str:
    if kind == "int":
        return {"-inf": "-9223372036854775807", "inf": "9223372036854775807"}.get(lowering.identity, lowering.identity)
    return {"-inf": "real(-np.inf)", "inf": "real(np.inf)"}.get(lowering.identity, f"real({lowering.identity})")


def wanted_kinds(cast: str, kinds: list[str], result: str) -> list[str]:
    if cast == "none":
        return kinds
    if cast == "choice":
        return [kinds[0]] + [result] * (len(kinds) - 1)
    if cast == "same":
        widest = promote(kinds)
        return ["int" if widest == "bool" and result == "int" else widest] * len(kinds)
    return [cast] * len(kinds)
