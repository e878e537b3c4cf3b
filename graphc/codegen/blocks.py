"""Straight-line code over numbers: elementwise equations as one traced function.

In: elementwise equations, and the names of what they read.  Out: `Block`: the text of a function of numbers.
Always holds: a block takes and gives real numbers; inside are truths too, and whole numbers that are a choice of
constants, which are real numbers there; what cannot be traced (other whole numbers, functions that loop) makes the
block impossible, and its writer falls back to statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from graphc.ops.lowering import Scalar
from graphc.ops.vector_math import FUNCTIONS

_HELPER = re.compile(r"\b([a-z]\w*)_\(")
_CALL = re.compile(r"(?<!\.)\b([a-z]\w*)\(")
_NAME = re.compile(r"(?<!\.)\b[A-Za-z]\w*\b(?!\()")


@dataclass(frozen=True)
class Operand:
    """What an equation reads: code, the kind it has and the kind that is wanted; `number`: it is known now."""

    code: str
    have: str
    want: str
    number: bool = False


@dataclass
class Block:
    """Lines of a function of numbers; `possible` until something cannot be traced."""

    lines: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)  # of the names that the lines define
    inputs: dict[str, None] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    possible: bool = True

    def add(self, name: str, kind: str, code: str | None, comment: str = "") -> None:
        """A line; None as code where there is none."""
        if code is None:
            self.possible = False
            return
        self.functions |= {call for call in _CALL.findall(code) if call in FUNCTIONS}
        self.inputs.update((n, None) for n in _NAME.findall(code) if n not in self.kinds and n not in ("real", "np"))
        self.kinds[name] = kind
        self.lines.append(f"{name} = {code}{comment}")

    def scalar(
        self, lowering: Scalar, atoms: tuple[Any, ...], statics: tuple[Any, ...], operands: list[Operand]
    ) -> str | None:
        """Code of one elementwise operation over traced numbers."""
        special = lowering.special(atoms, statics) if lowering.special is not None else None
        template = lowering.traced or special or lowering.template
        known = next((o.code for o in operands if not o.number), None)
        if (
            (lowering.traced is None and special is None)
            or known is None
            or (lowering.cast != "choice" and "int" in {o.want for o in operands})
        ):
            return None
        codes = [self._operand(o, known, "(" in template) for o in operands]
        return None if None in codes else _HELPER.sub(r"\1(", template.format(*codes))

    def _operand(self, operand: Operand, known: str, for_call: bool) -> str | None:
        """An operand as a traced number or truth; arguments of functions are no plain numbers."""
        inside, kinds = operand.code in self.kinds, (operand.have, operand.want)
        if operand.number:
            code = operand.code[len("real(") : -1] if operand.code.startswith("real(") else operand.code
            return f"{known}.real({code})" if for_call else operand.code
        if kinds == ("real", "real") or (inside and kinds in (("bool", "bool"), ("int", "int"), ("int", "real"))):
            return operand.code
        if inside and operand.have == "bool":
            return f"{operand.code}.number()"
        return f"({operand.code} != 0)" if operand.have == "real" and operand.want == "bool" else None

    def text(self, results: Iterable[str]) -> str:
        """The function, after its name."""
        body = [*self.lines, f"return ({', '.join(results)},)"]
        return f"({', '.join(self.inputs)}):\n" + "\n".join(f"    {line}" for line in body)
