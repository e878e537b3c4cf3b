"""The table of operations: one record each, read by every stage.

In: the records of this folder's files.  Out: `OPERATIONS`, and look-ups in it.
Always holds: names are unique; no other file fills this table.
"""

from __future__ import annotations

from graphc.graph.operation import Operation, bind_table
from graphc.ops import (
    algebra,
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

OPERATIONS: tuple[Operation, ...] = (
    *elementwise.OPERATIONS,
    *error_function.OPERATIONS,
    *special.OPERATIONS,
    *safe.OPERATIONS,
    *reduction.OPERATIONS,
    *contraction.OPERATIONS,
    *movement.OPERATIONS,
    *slices.OPERATIONS,
    *joining.OPERATIONS,
    *indexing.OPERATIONS,
    *linear_algebra.OPERATIONS,
    *composite.OPERATIONS,
    *program.OPERATIONS,
)
bind_table(OPERATIONS)

BY_NAME: dict[str, Operation] = {o.name: o for o in OPERATIONS}
CALLS: dict[str, list[Operation]] = {}
for _operation in OPERATIONS:
    for _name in (_operation.written, *_operation.others):
        if not _operation.hidden or _operation.others:
            CALLS.setdefault(_name, []).append(_operation)
INFIX: dict[str, Operation] = {o.syntax.split()[1]: o for o in OPERATIONS if o.syntax and o.syntax.startswith("a ")}
PREFIX: dict[str, Operation] = {
    o.syntax[:-1].strip(): o for o in OPERATIONS if o.syntax and o.syntax.endswith("a") and o.syntax[0] not in "a["
}
SUBSCRIPT, TRANSPOSE, ARRAY, RESHAPE = (BY_NAME[name] for name in ("slice", "transpose", "stack", "reshape"))
GATHER, SIZE, GRADIENT, ABSOLUTE = BY_NAME["gather"], program.size_atom, program.grad, BY_NAME["abs"]
DERIVATIVES, JACOBIAN, PUSHED, PULLED = program.DERIVATIVES, program.jacobian, program.jvp, program.vjp
AVERAGE = algebra.average
HELD = program.stop_gradient
