"""What the language refuses: place, reason and remedy.

In: texts.  Out: nothing, or a failed assertion.
Always holds: each error is a GraphcError, with line and column from 1.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc.errors import GraphcError, ParseError, ShapeError
from graphc.language.reader import parse


def refused(text: str) -> GraphcError:
    with pytest.raises(GraphcError) as caught:
        parse(text)
    return caught.value


READINGS = [  # text, column, words of the message, words of the hint
    ("e^2x", 4, "e^2 x has two readings", "e^(2*x)"),
    ("x^2y", 4, "x^2 y has two readings", "x^2 * y or x^(2*y)"),
    ("2 [1,2]", 3, "2 [...] is not clear", "write *"),
    ("2.T", 1, "2.T is not clear", "2*T"),
    ("1/2x", 4, "1/2 x has two readings", "1/(2*x) or 1/2 * x"),
    ("x/2y", 4, "x/2 y has two readings", "x/(2*y) or x/2 * y"),
    ("1/x y", 5, "1/x y has two readings", "1/(x*y)"),
    ("a/(b)(c)", 6, "a/(...) (...) has two readings", "a/(...) * (...)"),
    ("a/x²y", 5, "a/x² y has two readings", "a/(x²*y)"),
    ("sin x", 1, "sin is a function", "write sin(x)"),
    ("sin x cos x", 1, "sin is a function", "write sin(x)"),
    ("sin^-1(x)", 7, "sin is a function", "asin(x)"),
    ("sin^2(x)", 6, "sin is a function", "sin(x)^2"),
    ("sin²(x)", 1, "sin is a function", "sin(x)^2"),
    ("sin⁻¹(x)", 1, "sin is a function", "asin(x)"),
    ("2 3", 3, "2 3 is not clear", "2*3"),
    ("x 2", 3, "x 2 is not clear", "x2 for a name"),
    ("x² 3", 4, "x² 3 is not clear", "x²*3"),
    ("(x) 3", 5, "(...) 3 is not clear", "(...)*3"),
    ("x(x+1)", 1, "x is no function", "x*(...)"),
    ("f(x+1)", 1, "no function f", "f*(...)"),
    ("tanhh(x)", 1, "no function tanhh", "tanh"),
    ("x!", 2, "! is not read", "gamma(n + 1)"),
    ("|x||y|", 4, "is not clear", "write *"),
    ("x|y|", 2, "is not clear", "write *"),
]


@pytest.mark.parametrize(("text", "column", "message", "hint"), READINGS, ids=[r[0] for r in READINGS])
def test_unclear_products(text: str, column: int, message: str, hint: str) -> None:
    error = refused(text)
    assert isinstance(error, ParseError)
    assert (error.line, error.column) == (1, column)
    assert message in error.message
    assert hint in str(error.hint)
    shown = str(error).splitlines()
    assert shown[1] == f"    {text}"
    assert shown[2] == "    " + " " * (column - 1) + "^"


SPELLING = [
    ("a = = b", 5, "found '='", "== compares"),
    ("a = b = c", 7, "unexpected '='", "equality is =="),
    ("x if y", 3, "'if' is not read", "where(condition, a, b)"),
    ("x + y if z else w", 7, "'if' is not read", "where"),
    ("import os", 1, "'import' is not read", "equations"),
    ("for i in x", 1, "'for' is not read", ""),
    ("x +", 4, "the statement ends", ""),
    ("x + ;y", 5, "the statement ends", ""),
    ("* x", 1, "found '*'", ""),
    ("x ^ ^ y", 5, "found '^'", "x**2"),
    ("²", 1, "superscript without a base", ""),
    ("(x", 1, "never closed", ""),
    ("1 + sin (x", 9, "this ( is never closed", "close it"),
    ("x)", 2, "unexpected ')'", "no bracket is open"),
    ("(x]", 3, "unexpected ']'", "order"),
    ("|x", 1, "this | is never closed", ""),
    ("(|x)", 4, "unexpected ')'", ""),
    ("f(x,,y)", 5, "found ','", ""),
    ('"abc', 1, "never closed on its line", ""),
    ("x & y", 3, "'&' is not read", "a and b"),
    ("x % y", 3, "'%' is not read", "mod"),
    ("{x}", 1, "'{' is not read", ""),
    ("x < y < z", 7, "comparisons do not chain", "a < b and b < c"),
    ("and x", 1, "needs a value on its left", ""),
    ("x'", 3, "expected '='", "next value"),
    ("0x10", 1, "decimal", "0*x10"),
    ("1_000", 1, "digits are not grouped", "1e3"),
    ("1e999", 1, "does not fit", "400"),
    ("9^9^9^9", 4, "more than 2048 bits", ""),
    ("2.x", 1, "2.x is not clear", "2*x"),
    ("sum(axis=1, x)", 14, "positional argument after a named one", ""),
    ("sum(x, axis=1, axis=2)", 16, "given twice", ""),
    ("sum(x, foo=1)", 1, "no argument foo", "keepdims=false"),
    ("sin()", 1, "needs its argument x", "sin(x)"),
    ("sin(x, y)", 1, "fewer arguments than 2", "sin(x)"),
    ('x = "abc"', 5, "cannot be computed with", ""),
    ("(1, 2) + 1", 8, "cannot be computed with", "array"),
    ("none + 1", 6, "none cannot be computed with", ""),
    ("[]", 1, "without elements", "[1, 2, 3]"),
    ("x = normal(0, 1)", 5, "normal is no value", "param"),
    ("x = 1; x = 2", 8, "defined twice", "x' ="),
    ("input x; x = 2", 10, "a declaration already", ""),
    ("input x, x", 10, "declared twice", ""),
    ("input x; y", 10, "y is not declared", "input y"),
    ("input alpha; alpa + 1", 14, "alpa is not declared", "did you mean alpha"),
    ("input x y", 9, "unexpected 'y'", "commas"),
    ("input k: float", 10, "no kind float", "real, int and bool"),
    ("input x[0]", 9, "positive whole number", ""),
    ("input x[1.5]", 9, "positive whole number", ""),
    ("input x[n+1]", 9, "the size n is not known yet", "input a[n]"),
    ("input z[n//2], x[n]; sum(x[:n//2]*z)", 9, "the size n is not known yet", "input a[n]"),
    ("input count[n], x[cout + n]", 19, "the size cout is not known yet", "input a[cout]"),
    ("input rows[size], x[size], y[sise + 1]", 30, "the size sise is not known yet", "did you mean size?"),
    ("input x[n]; n // x", 15, "a size is divided by a number", "n // 2"),
    ("input x[n]; x[:n // 0]", 18, "n // 0 is no size", "n // 2"),
    ("1//2x", 5, "1//2 x has two readings", "1//(2*x) or 1//2 * x"),
    (
        "param w[3] ~ gauss(0, 1); sum(w)",
        14,
        "gauss is no distribution",
        "there are glorot, he, normal, uniform, zeros",
    ),
    ("param w[3] ~ norml(0, 1); sum(w)", 14, "norml is no distribution", "did you mean normal?"),
    ("param w[3] ~ sin(1); sum(w)", 14, "sin is no distribution", "there are"),
    ("input n[n]; n", 7, "name of a size", ""),
    ("param W[n]", 9, "no size that an input has", ""),
    ("param W[3] ~ foo", 14, "foo is no distribution", ""),
    ("param W[3] ~ 0", 7, "needs a distribution", "normal"),
    ("param W[3] ~ normal(0)", 14, "takes 2 numbers", "normal(mean, deviation)"),
    ("param W[3] = x", 14, "x is not known inside an initial value", "sizes"),
    ("param W[3] = [1, 2]", 7, "has shape (2,), W has (3,)", ""),
    ("param a = 1, b = a", 14, "", ""),
    ("state m", 7, "no first value", "= 0"),
    ("state m like 3 = 0", 14, "expected a name", ""),
    ("input x; state m like y = 0", 16, "y is not declared", ""),
    ("input x; x' = 3", 10, "no parameter or state", ""),
    ("param w = 0; w' = 1; w' = 2", 22, "defined twice", ""),
    ("param w[2] = 0; w' = [1, 2, 3]", 17, "w' has shape (3,), w has (2,)", ""),
    ("input J; minimize J with foo", 26, "no optimizer foo", "sgd"),
    ("input J; minimize J with adma", 26, "no optimizer adma", "did you mean adam"),
    ("input J; minimize J with adam(foo=1)", 26, "no argument foo", "beta1"),
    ("input J; minimize J with adam(0.1)", 31, "expected a name", "named"),
    ("input J; minimize J; minimize J", 22, "said twice", ""),
    ("input J[3]; minimize J", 22, "only a number is minimised", "mean"),
    ("output z", 8, "not in the program", ""),
    ("train batch=x", 13, "x is not known inside batch", "numbers"),
    ("train foo=1", 1, "no foo", "batch"),
    ("data foo", 6, "a file's name in quotes", "digits.csv"),
    ("metric a", 9, "expected '='", ""),
    ("input x[3]; metric a = x", 20, "metric a is an array", "mean"),
    ("random m ~ normal(0, 1)", 1, "not supported yet", ""),
    ("def f(x): return x", 1, "computes nothing", ""),
    ("def f(x):", 1, "without statements", "indent"),
    ("def f(x)", 9, "expected ':'", ""),
    ("def f(x): def g(y): return y", 11, "a def inside a def", ""),
    ("return x", 1, "return outside of a def", ""),
    ("lambda x: x", 9, "unexpected ':'", ""),
    ("__import__('os').getpid()", 17, "", ""),
    ("", 1, "no program", ""),
    ("# only this", 1, "no program", ""),
]


@pytest.mark.parametrize(("text", "column", "message", "hint"), SPELLING, ids=[s[0] for s in SPELLING])
def test_spelling(text: str, column: int, message: str, hint: str) -> None:
    error = refused(text)
    assert (error.line, error.column) == (1, column), error
    assert message in error.message
    assert hint in str(error.hint)


SHAPES = [
    ("input x[n, 3], W[4, 2]\ny = x @ W", 2, 7, ["(n, 3)", "(4, 2)", "x", "W", "size 3", "size 4"]),
    ("input x[n, 3], y[4]\nx + y", 2, 3, ["x (n, 3)", "y (4,)", "3 against 4"]),
    ("input x[3]; x[5]", 1, 14, ["index 5 is outside of size 3"]),
    ("input x[3]; x[-4]", 1, 14, ["index -4 is outside of size 3"]),
    ("input x[n]; x[n]", 1, 14, ["index n is outside of size n"]),
    ("input x[3]; x[0, 0]", 1, 14, ["2 indices for 1 dimension"]),
    ("input x[3]; x[1.5]", 1, 14, ["whole number"]),
    ("input x[3], k[2]; x[k]", 1, 20, ["indices are real"]),
    ("input x[3]; sum(x, axis=1)", 1, 13, ["axis 1", "x (3,)"]),
    ("input x[2, 3]; reshape(x, (4,))", 1, 16, ["6 elements", "(4,)"]),
    ("input x[2, 3], y[3, 2]; concat(x, y)", 1, 25, ["x (2, 3)", "y (3, 2)"]),
    ("input x[3]; where(x, 1, 0)", 1, 13, ["condition is real, not bool"]),
    ("input x[3]; grad(x, x)", 1, 13, ["only a scalar"]),
    ("input x, k: int; grad(x*k, k)", 1, 18, ["variable is int"]),
    ("input x; x @ x", 1, 12, ["vectors and matrices"]),
    ("input x[2, 3]; diagonal(x)", 1, 16, ["x (2, 3)"]),
    ('input x[2, 3]; einsum("ij,jk->ik", x, x)', 1, 16, ["size 3", "size 2"]),
    ('input x[2, 3], y[3]; einsum("ij,j", x, y)', 1, 22, ["after one ->", 'einsum("ij,j->i", ...)']),
    ("input x; train batch=-1; x", 1, 10, ["batch is a whole number from 1 on, not -1"]),
    ("input x; train epochs=1.5; x", 1, 10, ["epochs is a whole number from 0 on, not 3/2"]),
    ("input x; train holdout=1; x", 1, 10, ["holdout is a share from 0 to below 1, not 1"]),
    ("input x[n], y[n + 1]; x + y", 1, 25, ["n against n + 1"]),
    ("input x[2, 2]; pad(x, ((1, 1), (1, 1), (0, 0)))", 1, 16, ["3 widths for 2 dimensions"]),
    ("input x[2, 2]; pad(x, (1, -1))", 1, 16, ["pairs of whole numbers"]),
    ("input x[2]; sum(x, keepdims=3)", 1, 13, ["true or false"]),
    ("input x[2]; transpose(x, axes=3)", 1, 13, ["tuple"]),
    ("input k[2]: int; one_hot(k, 2.5)", 1, 18, ["whole number"]),
    ("input x; tril(x)", 1, 10, ["no matrix"]),
    ("input x[3]; triu(x)", 1, 13, ["shape (3,) is no matrix"]),
    ("input x[2]; embed(x, (5,), 0.5)", 1, 13, ["bounds", "1/2"]),
    ('input x[2]; embed(x, (5,), (("range", 1, 3, 1),))', 1, 13, ["size 3 does not fit size 2"]),
    ('input x[2]; embed(x, (5,), (("at", 1),))', 1, 13, ["0 ranges for 1 dimension"]),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), SHAPES, ids=[s[0] for s in SHAPES])
def test_shapes(text: str, line: int, column: int, words: list[str]) -> None:
    error = refused(text)
    assert isinstance(error, (ShapeError, ParseError))
    assert (error.line, error.column) == (line, column), error
    for word in words:
        assert word in str(error)


def test_an_error_in_a_macro_points_at_the_call() -> None:
    error = refused("def f(a, b):\n    return a @ b\ninput x[3], y[4]\n\nz = 1 + f(x, y)")
    assert (error.line, error.column) == (5, 9)
    assert "(inside f)" in error.message
    error = refused("input x[n, 3], t[n, 4]\nJ = mse(x, t)")
    assert (error.line, error.column) == (2, 5)
    error = refused("def f(a):\n    return g(a)\ndef g(a):\n    return a[7]\ninput x[3]\ny = f(x)")
    assert (error.line, error.column) == (6, 5)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("def f(x): return f(x) + 1\ny = 2\nz = 3*f(y)", (3, 7)),
        ("def f(x): return g(x)\ndef g(x): return f(x)\ny = f(2)", (3, 5)),
        ("def f(x): return f(x) + f(x)\nf(2)", (2, 1)),
        ("def f(x, y=f(1)): return x*y\ny = f(2)", (1, 12)),
    ],
)
def test_a_macro_that_calls_itself(text: str, place: tuple[int, int]) -> None:
    error = refused(text)
    assert "f calls itself without end" in error.message
    assert (error.line, error.column) == place


def test_long_lines_are_cut_around_the_caret() -> None:
    error = refused("x + " * 1000 + "!")
    assert error.column == 4001
    _, line, caret, *_ = str(error).splitlines()
    assert len(line) < 100
    assert line[caret.index("^")] == "!"


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('touch /tmp/graphc_was_here')", "exec(x)", "open(x)", "eval(\"1\")", "x.__class__",
     "().__class__", "sympify(x)", "os.getpid()", "f'{x}'", "`x`"],
)  # fmt: skip
def test_nothing_is_executed(text: str) -> None:
    assert isinstance(refused(text), ParseError)


def test_a_def_that_returns_nothing_is_named_where_it_is_called() -> None:
    with pytest.raises(ParseError, match="f returns nothing") as caught:
        parse("def f(x):\n    y = x\ninput x\nz = 1 + f(x)")
    assert (caught.value.line, caught.value.column) == (4, 9)


@pytest.mark.parametrize(
    ("text", "values", "place", "words"),
    [
        ("input x[n], y[m]\nJ = sum(x) + sum(sin(x) + y)", {"x": 2, "y": 3}, (2, 25), "n must be equal to m"),
        ("input x[n], y[m, 3]; J = sum(3 + x @ y)", {"x": 2, "y": (4, 3)}, (1, 36), "n must be equal to m"),
        ("input x[n]; J = 3 + sum(x[1:5])", {"x": 2}, (1, 26), "5 must be at most n"),
        ("input x[n]; J = (x[2] +\n x[7])", {"x": 3}, (2, 3), "8 must be at most n"),
        ("input A[n, m]; J = 1 + det(A)", {"A": (2, 3)}, (1, 24), "n must be equal to m"),
        ("input x[n], y[m]; J = 2*mse(x, y)", {"x": 2, "y": 3}, (1, 25), "n must be equal to m"),
        (
            "input x[n], y[m]\ndef f(a, b):\n    return sum(a + b)\nJ = 1 + f(x, y)",
            {"x": 2, "y": 3},
            (4, 9),
            "n must be",
        ),
    ],
)
def test_sizes_that_the_data_tell_point_at_the_operation(text, values, place, words):
    with pytest.raises(ShapeError, match=words) as error:
        graphc.compile(text)(**{name: np.ones(shape) for name, shape in values.items()})
    assert (error.value.line, error.value.column) == place
