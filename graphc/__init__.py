"""graphc: expressions and networks to derivations, gradient functions and training loops.

In: programs: text, `.gc` files, SymPy expressions.  Out: the calls below.
Always holds: importing graphc imports nothing heavy; each call imports what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphc.api import (
    check,
    compile,
    derive,
    from_sympy,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    parse,
    predict,
    simplify,
    train,
    vjp,
)
from graphc.errors import DataError, DerivativeError, GraphcError, OutsideError, ParseError, ShapeError, TrainingError

if TYPE_CHECKING:
    from graphc.explain.derivation import Derivation
    from graphc.graph.graph import Equation, Graph
    from graphc.run.function import Function
    from graphc.run.objective import Objective
    from graphc.training.loop import Run

__version__ = "0.1.0"
_LATE = {
    "Graph": "graphc.graph.graph",
    "Equation": "graphc.graph.graph",
    "Function": "graphc.run.function",
    "Run": "graphc.training.loop",
    "Derivation": "graphc.explain.derivation",
    "Objective": "graphc.run.objective",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'graphc' has no attribute {name!r}")


__all__ = [
    "DataError", "Derivation", "DerivativeError", "Equation", "Function", "Graph", "GraphcError", "Objective", "OutsideError", "ParseError", "Run",
    "ShapeError", "TrainingError", "check", "compile", "derive", "from_sympy", "grad", "hessian", "hvp", "jacobian",
    "jvp", "parse", "predict", "simplify", "train", "vjp",
]  # fmt: skip
