"""Random well-typed programs.

In: Hypothesis's choices.  Out: strategies of program texts.
Always holds: values stay small and away from kinks often enough; every function drawn is smooth where it is drawn, or
is guarded by the caller's comparison of two steps.
"""

from __future__ import annotations

from hypothesis import strategies as st

SCALARS = ["x", "y", "z"]
NUMBERS = ["2", "3", "0.5", "1/3", "-1", "-0.25", "pi", "e"]
SMOOTH = ["sin", "cos", "tanh", "sigmoid", "softplus", "atan", "asinh", "erf", "exp(-1)*sinh", "swish", "gelu"]
POSITIVE = ["sqrt", "log", "cbrt", "log1p", "gamma", "loggamma", "1/"]  # of 1 + t^2
KINKED = ["relu", "abs", "sign", "floor", "threshold", "leaky_relu", "elu"]
PAIRED = ["max", "min", "hypot", "atan2", "logaddexp", "mod"]


def _positive(function: str, inner: str) -> str:
    return f"{function}(1 + ({inner})^2)"


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner),
        st.builds("({}/(2 + {}^2))".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(SMOOTH + KINKED), inner),
        st.builds(_positive, st.sampled_from(POSITIVE), inner),
        st.builds("(1 + {}^2)^tanh({})".format, inner, inner),
        st.builds("{}^{}".format, inner, st.sampled_from(["2", "3", "1"])),
        st.builds("where({} {} {}, {}, {})".format, inner, st.sampled_from(["<", ">=", ">"]), inner, inner, inner),
        st.builds("{}({}, 1 + {}^2)".format, st.sampled_from(PAIRED), inner, inner),
        st.builds("clip({}, -1, 2)".format, inner),
        st.builds("-{}".format, inner),
        st.builds("|{}|".format, inner),
    )


EXPRESSIONS = st.recursive(st.sampled_from(SCALARS + SCALARS + NUMBERS), _grown, max_leaves=9)


@st.composite
def scalar_programs(draw: st.DrawFn) -> str:
    """Equations that use each other, of three scalar inputs."""
    lines = ["input x, y, z"]
    names = list(SCALARS)
    for k in range(draw(st.integers(1, 3))):
        text = draw(EXPRESSIONS)
        if k:
            text = f"({text})*sin({draw(st.sampled_from(names))})"
        lines.append(f"t{k} = {text}")
        names.append(f"t{k}")
    lines.append(f"J = {' + '.join(names[3:])}")
    return "\n".join(lines)


# Shapes of the arrays of a program; what an expression has is followed through every step.
LEAVES = {"A": ("n", "3"), "B": ("n", "3"), "W": ("3", "3"), "u": ("n",), "v": ("3",), "s": ()}


@st.composite
def array_programs(draw: st.DrawFn) -> str:
    """Equations over arrays, one size symbolic, summed up at the end."""
    shapes: dict[str, tuple[str, ...]] = dict(LEAVES)
    lines = ["input A[n, 3], B[n, 3], u[n], v[3], s", "param W[3, 3] ~ glorot"]
    for k in range(draw(st.integers(1, 7))):
        text, shape = draw(_step(shapes))
        lines.append(f"t{k} = {text}")
        shapes[f"t{k}"] = shape
    made = [name for name in shapes if name.startswith("t")]
    lines.append(
        "J = " + " + ".join(f"{draw(st.sampled_from(['sum', 'mean']))}({name}*{k + 1})" for k, name in enumerate(made))
    )
    return "\n".join(lines)


@st.composite
def _step(draw: st.DrawFn, shapes: dict[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    a = draw(st.sampled_from(list(shapes)))
    shape = shapes[a]
    rank = len(shape)
    moves = ["smooth", "positive", "pair"]
    if rank:
        moves += ["reduce", "normal", "slice", "concat", "stack", "flip", "gather"]
    if rank == 2:
        moves += ["transpose", "product", "einsum", "flat", "row"]
    move = draw(st.sampled_from(moves))
    same = [name for name, other in shapes.items() if other == shape]
    if move == "smooth":
        return f"{draw(st.sampled_from(SMOOTH))}({a})", shape
    if move == "positive":
        return _positive(draw(st.sampled_from(POSITIVE)), a), shape
    if move == "pair":
        fits = [name for name, other in shapes.items() if other == shape[rank - len(other) :]] or same
        b = draw(st.sampled_from(fits))
        form = draw(
            st.sampled_from(
                ["{} + {}", "{} - {}", "{}*{}", "max({}, {})", "where({0} > {1}, {0}, {1}*{0})", "{}/(2 + {}^2)"]
            )
        )
        return form.format(a, b), shape
    if move == "reduce":
        function = draw(st.sampled_from(["sum", "mean", "max", "norm", "logsumexp", "var", "prod", "std"]))
        axis = draw(st.integers(0, rank - 1))
        if draw(st.booleans()):
            return f"{function}({a}, axis={axis}, keepdims=true)*{a}", shape
        return f"{function}({a}, axis={axis})", shape[:axis] + shape[axis + 1 :]
    if move == "normal":
        return f"{draw(st.sampled_from(['softmax', 'log_softmax']))}({a}, axis={draw(st.integers(0, rank - 1))})", shape
    if move == "slice":
        if shape[0] in ("n", "3"):
            return f"{a}[1:]", ("n - 1" if shape[0] == "n" else "2", *shape[1:])
        return f"{a}[0]", shape[1:]
    if move == "row":
        return f"{a}[{draw(st.sampled_from(['0', '-1']))}]", shape[1:]
    if move == "flip":
        return f"{a}[::-1]", shape
    if move == "gather":
        return f"{a}[[0, 1, 0]]", ("3", *shape[1:])
    if move == "concat":
        return f"concat({a}, {draw(st.sampled_from(same))}^2)[:{shape[0]}]", shape
    if move == "stack":
        return f"sum(stack({a}, 2{a}, axis={rank}), axis=-1)", shape
    if move == "transpose":
        return f"{a}.T", shape[::-1]
    if move == "flat":
        return f"reshape({a}, (-1,))[:{shape[0]}]", shape[:1]
    fits = [name for name, other in shapes.items() if other and other[0] == shape[1]]
    if not fits:
        return f"{a} @ {a}.T", (shape[0], shape[0])
    b = draw(st.sampled_from(fits))
    if move == "einsum" and len(shapes[b]) == 2:
        return f'einsum("ij,jk->ki", {a}, {b})', (shapes[b][1], shape[0])
    return f"{a} @ {b}", (shape[0], *shapes[b][1:])
