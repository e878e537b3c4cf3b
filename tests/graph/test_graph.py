"""The builder shares what is the same; the graph is frozen and can be cut; the checker finds what is wrong.

In: operations and atoms.  Out: nothing, or a failed assertion.
Always holds: SymPy never rewrites a node.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest
from checks import read
from sympy import Add, Integer, Rational, S, Symbol

from graphc.errors import GraphcError, ParseError, ShapeError
from graphc.graph.builder import Builder, symbol
from graphc.graph.graph import Equation, Graph, Origin, Static, focus, operands, prune, statics
from graphc.graph.operation import Operation, operation_of
from graphc.graph.types import Type, size_named
from graphc.graph.validate import validate
from graphc.ops import BY_NAME, INFIX

ADD, TIMES, SUM = INFIX["+"], INFIX["*"], BY_NAME["sum"]


def builder(**fields: Any) -> tuple[Builder, Symbol, Symbol]:
    made = Builder(**fields)
    made.origin = Origin("test")
    return made, made.declare("x", Type((3,))), made.declare("y", Type((3,)))


def test_nodes_are_raw() -> None:
    made, x, _ = builder()
    twice = made.apply(ADD, (x, x))
    assert made.definition(twice).args == (x, x)
    assert type(made.definition(twice)) is Add
    minus = made.apply(INFIX["-"], (x, x))
    assert operands(made.definition(minus)) == (x, x)
    assert made.apply(INFIX["/"], (x, x)) is not Integer(1)


def test_the_same_expression_is_the_same_symbol() -> None:
    made, x, y = builder()
    first = made.apply(ADD, (x, y))
    assert made.apply(ADD, (y, x)) is first
    assert made.apply(INFIX["-"], (x, y)) is not made.apply(INFIX["-"], (y, x))
    assert made.apply(SUM, (x,), ((0,), False)) is made.apply(SUM, (x,), (None, False))
    assert made.apply(SUM, (x,), ((0,), True)) is not made.apply(SUM, (x,), (None, False))
    named = made.apply(ADD, (x, y), (), "z")
    assert named == symbol("z")
    assert made.definition(named) is first
    assert made.apply(TIMES, (named, x)) is made.apply(TIMES, (x, first))


def test_equations_that_are_taken_over_are_shared_too() -> None:
    graph = read("input x, y; a = x*y; b = a + 1; output a, b")
    made = Builder()
    made.adopt(graph)
    again = Equation(symbol("c"), made.definition(symbol("a")), Origin("test"))
    made.add(again, Type())
    assert made.definition(symbol("c")) == symbol("a")


def test_the_kind_is_part_of_the_key() -> None:
    graph = read("input k: int, x; a = [1, 2]; b = [1, 1/2]; c = k + 1; d = x + 1; output a, b, c, d")
    assert [graph.types[s].kind for s in graph.outputs] == ["int", "real", "int", "real"]


def test_generated_names_are_free() -> None:
    made, _, _ = builder(reserved=["v1"])
    made.declare("v2", Type((size_named("v3"),)))
    assert made.fresh() == "v4"
    assert made.fresh("w") == "w"
    made.declare("w", Type())
    assert made.fresh("w") not in ("w", "v4")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/3 + 1/6", Rational(1, 2)),
        ("2^-3", Rational(1, 8)),
        ("0.1*3", Rational(3, 10)),
        ("-(2 - 5)", Integer(3)),
        ("-inf", -S.Infinity),
    ],
)
def test_folding_is_exact(text: str, value: Any) -> None:
    assert read(f"y = {text}").equations[0].expr == value


@pytest.mark.parametrize(
    "text", ["y = log(0)", "y = sqrt(-1)", "y = gamma(10^6)", "y = 1/0", "y = 0^-1", "y = inf - inf", "y = 2^0.5"]
)
def test_what_is_no_fraction_is_left_alone(text: str) -> None:
    assert operation_of(read(text).equations[-1].expr) is not None


def test_numbers_are_bounded() -> None:
    with pytest.raises(ParseError, match="2048 bits"):
        read("2^3000")
    with pytest.raises(ParseError, match="too large"):
        read("y = 2^1000*2^1000*2^1000*x")


def test_identities_wait_for_simplification() -> None:
    made, x, _ = builder()
    assert made.apply(TIMES, (x, Integer(1))) is not x
    made, x, y = builder(simplify=True)
    assert made.apply(TIMES, (x, Integer(1))) is x
    assert made.apply(ADD, (Integer(0), x)) is x
    column = made.declare("c", Type((3, 1)))
    one = made.apply(BY_NAME["broadcast"], (Integer(1),), ((1, 1),))
    assert made.apply(TIMES, (one, x)) is not x
    assert made.apply(TIMES, (column, Integer(0))) != Integer(0)  # its shape would be lost
    assert made.apply(ADD, (x, y)) is not x


def test_errors_name_operands_and_shapes() -> None:
    made, x, _ = builder()
    z = made.declare("z", Type((size_named("n"), 4)))
    with pytest.raises(ShapeError) as caught:
        made.apply(ADD, (x, z))
    assert caught.value.message.startswith("a + b: shapes (3,) and (n, 4) do not broadcast")
    assert caught.value.message.endswith("operands: x (3,), z (n, 4)")


def test_sizes_that_may_differ_are_noted() -> None:
    made, x, _ = builder()
    z = made.declare("z", Type((size_named("n"),)))
    made.apply(ADD, (x, x))
    assert not made.undecided
    made.apply(ADD, (x, z))
    assert made.undecided


def test_there_is_a_limit_of_axes() -> None:
    with pytest.raises(ShapeError, match="32 is the most"):
        read("[" * 33 + "x" + "]" * 33)
    with pytest.raises(ShapeError, match="32 is the most"):
        read(f"input x[{', '.join('1' * 33)}]; x")


# --- graphs --------------------------------------------------------------------------------------------------------


def test_graphs_are_frozen_and_compared_without_origins() -> None:
    a, b = read("y = x^2; z = y + 1"), read("\n\ny = x**2\nz =   y + 1  # a comment")
    assert a == b
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.inputs = ()  # type: ignore[misc]
    assert a != read("y = x^3; z = y + 1")
    assert a != read("y = x^2; z = y + 1; output y")
    assert read("input x, y; x*y") != read("input y, x; x*y")


def test_origins() -> None:
    graph = read("y = x^2\n  z = sin(y) + y")
    spans = [e.origin.span for e in graph.equations]
    assert [(s.line, s.column) for s in spans if s] == [(1, 1), (2, 3), (2, 3)]


def test_prune_and_focus() -> None:
    graph = read("input x, y; param w = 1; a = x*w; b = y^2; c = a + 1; state s = 0; s' = b; output c")
    assert [e.target.name for e in prune(graph).equations] == ["a", "b", "c"]
    assert [e.target.name for e in prune(graph.replace(updates=())).equations] == ["a", "c"]
    part = focus(graph, graph.outputs)
    assert ([s.name for s in part.leaves()], part.updates) == (["x", "w"], ())
    assert list(part.initial) == list(part.params)


def test_static_arguments() -> None:
    assert Static((1, 2)) == Static((1, 2))
    assert Static((1, 2)) != Static((1, 3))
    expr = read("input x[3, 4]; sum(x, axis=1, keepdims=true)").equations[0].expr
    assert statics(expr) == ((1,), True)
    assert [str(a) for a in operands(expr)] == ["x"]


def equation(target: str, operation: Operation, *atoms: Any) -> Equation:
    from graphc.graph.operation import node

    return Equation(symbol(target), node(operation, atoms, ()), Origin("test"))


def test_the_checker_finds_faults() -> None:
    x, y, z = (symbol(name) for name in "xyz")
    types = {x: Type(), y: Type(), z: Type()}
    good = equation("y", ADD, x, x)
    validate(Graph((x,), (), (good,), (y,), types))
    faults = [
        ("used before", Graph((x,), (), (equation("y", ADD, x, z),), (y,), types)),
        ("assigned twice", Graph((x,), (), (good, good), (y,), types)),
        ("assigned twice", Graph((x, y), (), (good,), (y,), types)),
        ("another type", Graph((x,), (), (good,), (y,), {**types, y: Type((3,))})),
        ("another type", Graph((x,), (), (good,), (y,), {**types, y: Type((), "int")})),
        ("not computed", Graph((x,), (), (good,), (z,), types)),
        ("declared twice", Graph((x, x), (), (good,), (y,), types)),
        ("no origin", Graph((x,), (), (Equation(y, good.expr, Origin("")),), (y,), types)),
    ]
    for words, graph in faults:
        with pytest.raises(AssertionError, match=words):
            validate(graph)


def test_a_name_is_one_symbol() -> None:
    x = symbol("x")
    assert all(s is x for s in (symbol("x"), copy.deepcopy(x), pickle.loads(pickle.dumps(x))))


def test_errors_have_a_place_and_a_caret() -> None:
    error = GraphcError("no", hint="yes", line=2, column=3, source_line="a\tbc")
    assert str(error) == "line 2, column 3: no\n    a bc\n      ^\nhint: yes"
    assert error.located(9, 9, "other").line == 2
    bare = GraphcError("no")
    assert str(bare) == "no"
    assert str(bare.located(1, 1, "x")) == "line 1, column 1: no\n    x\n    ^"
