"""Large, deep and senseless texts.

In: texts.  Out: nothing, or a failed assertion.
Always holds: whatever the text, the reader gives a graph or a GraphcError, at Python's own recursion limit.
"""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import graphc
from graphc.differentiate.program import expand_gradients, gradient
from graphc.errors import GraphcError, ParseError
from graphc.graph.graph import Graph
from graphc.graph.validate import validate
from graphc.language.lexer import LIMIT
from graphc.language.macros import prelude
from graphc.language.reader import parse
from graphc.ops import CALLS

DEPTH = 10_000


def outcome(text: str) -> Graph | GraphcError:
    """The graph or the error; an error can be shown and has a place."""
    try:
        return parse(text)
    except GraphcError as caught:
        error = caught
    assert str(error)
    assert len(text) > LIMIT or (error.line or 0) >= 1, error
    return error


@pytest.mark.parametrize(
    ("text", "equations"),
    [
        ("(" * DEPTH + "x" + ")" * DEPTH, 0),
        ("sin(" * DEPTH + "x" + ")" * DEPTH, DEPTH),
        ("-" * DEPTH + "x", DEPTH),
        ("[" * 20 + "x" + "]" * 20, 20),
        ("x" + "^x" * DEPTH, DEPTH),
        ("|" + "(|" * 2000 + "x" + "|)" * 2000 + "|", 2001),
        ("not " * DEPTH + "(x > 0)", DEPTH + 1),
        ("x" + ".T" * DEPTH, DEPTH),
        ("max(x, " * DEPTH + "y" + ")" * DEPTH, DEPTH),
        (" + ".join(f"x{i}" for i in range(5_000)), 4_999),
        ("x0 = x\n" + "\n".join(f"x{i + 1} = sin(x{i})" for i in range(DEPTH)), DEPTH + 1),
        ("max(" + ", ".join(["x"] * DEPTH) + ")", None),
        ("[" + ", ".join(["x"] * DEPTH) + "]", 1),
        (";" * 100_000 + "x", 0),
        ("x" + " " * 100_000 + "+ 1 #" + "(" * 100_000, 1),
    ],
    ids=lambda v: str(v)[:20],
)
def test_deep_and_long_programs_are_read_and_printed(text: str, equations: int | None) -> None:
    assert sys.getrecursionlimit() == 1000
    graph = validate(parse(text))
    assert equations is None or len(graph.equations) == equations
    assert parse(str(graph)) == graph


def test_the_gradient_of_many_transposes() -> None:
    found = graphc.simplify(graphc.grad("input x[2, 2]; sum(x" + ".T" * DEPTH + ")"))
    assert len(found.equations) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "(" * DEPTH,
        ")" * DEPTH,
        "(" * DEPTH + "x" + ")" * (DEPTH - 1),
        "(" * DEPTH + "x" + ")" * (DEPTH + 1),
        "[" * DEPTH + "x" + "]" * DEPTH,
        "([" * DEPTH,
        "|" * DEPTH,
        "f(" * DEPTH,
        "x[" * DEPTH,
        "9" + "^9" * DEPTH,
        "2^" * DEPTH + "2",
        "(9^9)^(9^9)",
        "9^9^9^9",
        "10^10^10",
        "1/0^0^0^-1 = 3",
        "1" * 5000,
        "1e400000000",
        "1e-" + "9" * 4000,
        "x" * 200_000 + "!",
        "x = " * DEPTH,
        "def f(x):" * 1000,
        "def f(x): return f(f(x))\ny = f(1)",
        '"' + "a" * 100_000,
        "x y " * 100_000 + "!",
        "1 2 " * 100_000,
        "\x00" * 1000,
        "\ud800",
        "\u202e\u200b",
        "²" * 10_000,
        "'" * 10_000,
        "x" + "'" * 10_000,
        "input " * 10_000,
        "input x" + ", x" * 10_000,
        "data " * 10_000,
        "minimize minimize minimize",
        "with with with",
        "x[0]" * 10_000,
        "x." * 10_000,
        ".T" * 10_000,
        "...",
        "polygamma(" * DEPTH,
    ],
    ids=lambda v: ascii(v)[:20],
)
def test_nonsense_is_an_error(text: str) -> None:
    assert isinstance(outcome(text), GraphcError) or text in ("2^" * DEPTH + "2", "minimize minimize minimize")


def test_a_megabyte_of_nonsense() -> None:
    draw = random.Random(0)
    letters = "".join(chr(draw.randrange(32, 127)) for _ in range(1_000_000))
    assert isinstance(outcome(letters), ParseError)
    tokens = ["x", "y1", "(", ")", "+", "*", "^", "[", "]", ",", "2", " ", "\n", "=", "|", "'", "@", "sin"]
    assert isinstance(outcome("".join(draw.choice(tokens) for _ in range(500_000))), GraphcError)
    unfinished = "x + (y * " * 100_000
    assert isinstance(outcome(unfinished), ParseError)


def test_random_bytes() -> None:
    data = random.Random(1).randbytes(1_000_000)
    assert isinstance(outcome(data.decode("latin-1")), ParseError)
    assert isinstance(outcome(data.decode("utf-8", errors="replace")), ParseError)


def test_too_long_a_text_is_refused() -> None:
    error = outcome("x" * (LIMIT + 1))
    assert isinstance(error, ParseError)
    assert "characters" in error.message
    assert isinstance(outcome("#" + "x" * (LIMIT - 3) + "\nx"), Graph)


WORDS = st.sampled_from(
    [*"()[],:;|=+-*/^@<>'~.", "**", "<=", "==", "!=", "...", "\n", "\n    ", " ", "  ", '"a"', '"ij,jk->ik"', "x", "y", "W",
     "J", "n", "k", "2", "3.5", "0", "1e3", "1/2", "-1", "e", "pi", "inf", "none", "true", "²", "⁻¹", "θ", "x.T", ".T",
     ".shape", "x.shape[0]", " and ", " or ", "not ", "input ", "param ", "state ", "output ", "minimize ", " with ",
     "metric ", "train ", "data ", "def ", "return ", " like ", "random ", "x[n,3]", "k[n]: int", "axis=1", "lr=0.1",
     "keepdims=true", "def f(a, b=2):", "f(x)", "~ glorot", "~ normal(0, 1)", "= 0", "sgd", "adam(lr=0.1)", "x[:, 1]",
     "x[k]", "!", "$", "é", "_", "W'", "grad(", "input x[n, 3], k[n]: int\n", "param W[3, 2] ~ glorot\n", "math."]
    + [f"{name}(" for name in (*CALLS, *prelude())]
)  # fmt: skip


@settings(max_examples=1500)
@given(st.lists(WORDS, max_size=25).map("".join))
@example("input x[n,3n],t[n,2]; x")
@example("minimize -")
@example("param W[3] ~ W")
@example("state m like m = 0")
def test_soups_of_tokens(text: str) -> None:
    found = outcome(text)
    if isinstance(found, Graph):
        validate(found)
        assert parse(str(found)) == found


@settings(max_examples=600)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    outcome(text)


ATOMS = ["x", "y", "v", "k", "a", "b", "w", "n", "m", "s", "0", "1", "-1", "0.5", "1/3", "7", "1e300", "pi", "e", "inf", "none",
         "true", '"ij->ji"', '"ij,jk->ik"', '"..."', "x.shape", "x.shape[0]", "(1, 2)", "()", "(n, 3)", "(3,)", "((1, 1), (0, 0))",
         "[1, 2, 3]", "[x, x]", "n - 1", "2n", "n*m", "normal(0, 1)", "(n, -1)", "v[0]", "a[1:]", "x[::-1]", "(none)"]  # fmt: skip
NAMES = ["axis", "keepdims", "value", "shape", "widths", "classes", "ddof", "axes", "n", "lo", "x"]
BOUNDS = [
    "0",
    "-1",
    ":",
    "1:",
    "::2",
    "::-1",
    "...",
    "k",
    "n",
    "n - 1",
    ":n",
    "1:3",
    "m:",
    "-2:",
    "none",
    "1.5",
    "5:2",
    "::-2",
]
FUNCTIONS = [name for name in dict.fromkeys((*CALLS, *prelude())) if name.isidentifier()]
SIGNS = ["+", "-", "*", "/", "@", "^", "<", "<=", "==", "and", "or"]


def _calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3)
    named = st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    call = st.builds(
        lambda f, a, k: f"{f}({', '.join([*a, *(f'{n}={v}' for n, v in k.items())])})",
        st.sampled_from(FUNCTIONS), arguments, named,
    )  # fmt: skip
    infix = st.builds(lambda a, s, b: f"({a} {s} {b})", inner, st.sampled_from(SIGNS), inner)
    index = st.builds(
        lambda a, b: f"({a})[{', '.join(b)}]", inner, st.lists(st.sampled_from(BOUNDS), min_size=1, max_size=3)
    )
    other = st.builds(lambda form, a: form.format(a), st.sampled_from(["-({})", "({}).T", "|{}|", "[{0}, {0}]"]), inner)
    return st.one_of(call, call, infix, index, other)


@settings(max_examples=600)
@given(st.recursive(st.sampled_from(ATOMS), _calls, max_leaves=8))
@example("grad(m, y)")
@example("pad(k, n*m)")
@example("transpose(y, normal(0, 1))")
@example("rmsprop((3,), n, s)")
@example("(m)[...]")
@example("(x.shape[-1]).T")
def test_well_spelt_nonsense(text: str) -> None:
    """Anything as an argument of anything: an error, or a graph that is valid, prints, and differentiates."""
    head = "input x[n, 3], y[n, 3], v[3], k[m]: int, a[2, 2], b: bool, s\nparam w[3, n] = 0\n"
    found = outcome(f"{head}z = {text}")
    if isinstance(found, Graph):
        validate(found)
        assert parse(str(found)) == found
        try:
            derived = gradient(found, tuple(s for s in found.leaves() if found.types[s].kind == "real"))
        except GraphcError:
            return
        assert parse(str(validate(derived))) == derived
        assert validate(expand_gradients(found))
