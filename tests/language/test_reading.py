"""What the language reads, and as what.

In: texts.  Out: nothing, or a failed assertion.
Always holds: the graph is compared in the language itself, one equation a line.
"""

from __future__ import annotations

import pytest
from checks import point, read

from graphc.graph.graph import Graph
from graphc.language.reader import parse
from graphc.language.writer import inline_text


def formula(text: str) -> str:
    """The last equation, everything put in."""
    graph = read(text)
    return inline_text(graph, graph.outputs[0])


def types(graph: Graph) -> dict[str, str]:
    """Types of what is declared."""
    return {s.name: str(graph.types[s]) for s in graph.leaves()}


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("a + b*c", "a + b*c"),
        ("(a + b)*c", "(a + b)*c"),
        ("a - b - c", "a - b - c"),
        ("a - (b - c)", "a - (b - c)"),
        ("a/b/c", "a/b/c"),
        ("a/b*c", "a/b*c"),
        ("a/(b*c)", "a/(b*c)"),
        ("a^b^c", "a^b^c"),
        ("(a^b)^c", "(a^b)^c"),
        ("a**b", "a^b"),
        ("-x^2", "-x^2"),
        ("(-x)^2", "(-x)^2"),
        ("2^-x", "2^(-x)"),
        ("-a*b", "-a*b"),
        ("a*-b", "a*(-b)"),
        ("a - -b", "a - (-b)"),
        ("+a", "a"),
        ("not a < b", "not a < b"),
        ("a < b and c < d or d > a", "a < b and c < d or d > a"),
        ("a < b and (c < d or d > a)", "a < b and (c < d or d > a)"),
        ("a + b < c*d", "a + b < c*d"),
        ("a != b", "a != b"),
        ("a ≤ b", "a <= b"),
        ("a ≥ b", "a >= b"),
        ("a ≠ b", "a != b"),
        ("a · b", "a*b"),
        ("a × b", "a*b"),
        ("a ⊙ b", "a*b"),
        ("a − b", "a - b"),
        ("|a - b|", "abs(a - b)"),
        ("||a| - b|", "abs(abs(a) - b)"),
        ("max(a, b, c)", "max(max(a, b), c)"),
        ("min(a, b)", "min(a, b)"),
        ("ln(a)", "log(a)"),
        ("arcsin(a)", "asin(a)"),
        ("pow(a, b)", "a^b"),
        ("log(x=a)", "log(a)"),
        ("2pi x", "2*pi*x"),
    ],
)
def test_precedence_and_signs(text: str, reads: str) -> None:
    assert formula(text) == reads


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("3x^2", "3*(x^2)"),
        ("2pi x", "(2*pi)*x"),
        ("2(x+1)", "2*(x+1)"),
        ("3 sin(x)", "3*sin(x)"),
        ("(a)(b)", "a*b"),
        ("(x+1) y", "(x+1)*y"),
        ("(x+1) sin(y)", "(x+1)*sin(y)"),
        ("2x y", "(2*x)*y"),
        ("x sin(y)", "x*sin(y)"),
        ("x²y", "(x^2)*y"),
        ("x²y²", "(x^2)*(y^2)"),
        ("x² sin(y)", "(x^2)*sin(y)"),
        ("x²(y+1)", "(x^2)*(y+1)"),
        ("2x*3y", "(2*x)*(3*y)"),
        ("2x/3", "(2*x)/3"),
        ("a*2x", "a*(2*x)"),
        ("-2x", "(-2)*x"),
        ("2sin(x)cos(x)", "(2*sin(x))*cos(x)"),
        ("x⁻¹", "x^(-1)"),
        ("x³ + x¹⁰", "x^3 + x^10"),
        ("2|x|", "2*|x|"),
        ("3x^2 y", None),
        ("x^(2)y", "x^2*y"),
    ],
)
def test_juxtaposition(text: str, same: str | None) -> None:
    if same is None:
        with pytest.raises(Exception, match="two readings"):
            parse(text)
    else:
        assert parse(text) == parse(same)


def test_names_are_never_split() -> None:
    assert types(read("xy + w11 + reluu")) == {"xy": "real[]", "w11": "real[]", "reluu": "real[]"}


def test_greek_letters_have_one_name() -> None:
    assert types(read("θ + theta + Θ1 + γ + λ + x₁")) == {
        "theta": "real[]", "Theta1": "real[]", "gamma": "real[]", "lambda": "real[]", "x1": "real[]",
    }  # fmt: skip
    assert formula("2π") == "2*pi"


def test_names_are_the_users() -> None:
    names = ["S", "N", "I", "Q", "O", "C", "E", "beta", "gamma", "zeta", "test", "self", "x_bar", "v1", "lambda",
             "input", "data", "train", "state", "param", "metric", "output", "minimize", "random", "like", "float",
             "a", "None_", "T", "shape", "x", "_", "x'"[:1], "W1", "é", "名"]  # fmt: skip
    graph = read(" + ".join(dict.fromkeys(names)))
    assert [s.name for s in graph.inputs] == list(dict.fromkeys(names))


def test_generated_names_step_aside() -> None:
    graph = read("input v1, v3[v2]; y = sum(v3*v1 + 1)")
    assert [e.target.name for e in graph.equations] == ["v4", "v5", "y"]


@pytest.mark.parametrize("name", ["true", "false", "none", "and", "or", "not", "return"])
def test_words_of_the_language_are_nobodys(name: str) -> None:
    with pytest.raises(Exception, match=r"word|value|not declared|expected|known|computed|return"):
        parse(f"input {name}\ny = {name} + 1")


def test_constants_unless_declared() -> None:
    assert formula("e^x + pi") == "e^x + pi"
    assert types(read("input e, x; e^x")) == {"e": "real[]", "x": "real[]"}
    assert formula("e = 2; y = e^x") == "2^x"


def test_names_of_functions_and_constants_may_be_taken() -> None:
    graph = read("input sum, x[3], pi\ny = mean(x)*sum + gelu(pi)*pi")
    value, gradients = point("input sum, x[3], pi\ny = mean(x)*sum + erf(pi)", sum=2, x=[1, 2, 3], pi=0)
    assert "math.sum(x)" in str(graph)
    assert value == 4
    assert gradients["pi"] == pytest.approx(1.1283791670955126)  # 2/sqrt(the constant)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.1", "0.1"), ("1/3", "1/3"), ("1e-3", "0.001"), ("2.5E2", "250"), (".5", "0.5"), ("1.", "1"), ("1e20", "1e20"),
        ("0.1 + 0.2", "0.3"), ("2^10", "1024"), ("2^-2", "0.25"), ("1 - 1e-20", None), ("-(1/3)", "-1/3"), ("3(4)", "12"),
        ("-inf", "-inf"), ("1e-300", "1e-300"), ("123456789.123456789", None),
    ],
)  # fmt: skip
def test_numbers_are_exact(text: str, number: str | None) -> None:
    graph = read(f"y = {text}")
    if number is not None:
        assert str(graph) == f"y = {number}"


def test_declarations_and_kinds() -> None:
    graph = read("input x[n, 784], t[n, 10], s; input k[n]: int, b[m]: bool\nparam W[784, 10], c = 1/2\nsum(x)")
    assert types(graph) == {
        "x": "real[n, 784]", "t": "real[n, 10]", "s": "real[]", "k": "int[n]", "b": "bool[m]",
        "W": "real[784, 10]", "c": "real[]",
    }  # fmt: skip
    assert graph.sizes == ("n", "m")


def test_sizes_are_polynomials() -> None:
    graph = read("input x[n, m], y[n*m + 1, n - 1]\nparam W[2n, x.shape[1]]\ny[1:, 0] + reshape(x, (n*m,))")
    assert types(graph)["y"] == "real[m*n + 1, n - 1]"
    assert types(graph)["W"] == "real[2*n, m]"


def test_a_size_is_a_number() -> None:
    value, _ = point("input x[n, 3]; y = sum(x)*n + n^2 + x.shape[1]*x.shape[-2]", x=[[1, 1, 1], [0, 0, 0]])
    assert value == 3 * 2 + 4 + 3 * 2


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("param W[2, 2]", ""),
        ("param W[2, 2] = 0", "= 0"),
        ("param W[2, 2] = [[1,0],[0,1]]", "= [[1, 0], [0, 1]]"),
        ("param W[2, 2] ~ glorot", "~ glorot"),
        ("param W[2, 2] ~ he", "~ he"),
        ("param W[2, 2] ~ zeros", "~ zeros"),
        ("param W[2, 2] ~ normal(0, 0.1)", "~ normal(0, 0.1)"),
        ("param W[2, 2] ~ uniform(-1, 1)", "~ uniform(-1, 1)"),
        ("param W = 1/3", "= 1/3"),
        ("param W = -2", "= -2"),
        ("param W = 2pi", "= 2*pi"),
        ("param W[2, 2] ~ normal(0, sqrt(2/W.shape[0]))", "~ normal(0, sqrt(1))"),
        ("def small(shape, s=0.1): return normal(0, s)\nparam W[2, 2] ~ small(0.01)", "~ normal(0, 0.01)"),
        ("def small(shape, s=0.1): return normal(0, s)\nparam W[2, 2] ~ small(s=0.01)", "~ normal(0, 0.01)"),
        ("def wide(shape): return uniform(-shape[0], shape[-1])\nparam W[2, 3] ~ wide", "~ uniform(-2, 3)"),
    ],
)
def test_initial_values(text: str, spelling: str) -> None:
    graph = read(f"{text}\ny = sum(W)")
    assert [i.spelling for i in graph.initial.values()] == ([spelling] if spelling else [])
    assert {s.name: i.spelling for s, i in parse(str(graph)).initial.items()} == {
        s.name: i.spelling for s, i in graph.initial.items()
    }


def test_initial_value_of_a_symbolic_size() -> None:
    graph = read("input x[n]\nparam W[n, 2] ~ glorot\ny = sum(x @ W)")
    assert str(graph).splitlines()[1] == "param W[n, 2] ~ glorot"


def test_statements() -> None:
    text = """data "digits.csv" x=0:64, k=64; input x[n, 64], k[n]: int   # a comment; with a semicolon
param w[64, 10] ~ glorot; state m like w = 0
y = softmax(x @ w); J = cross_entropy(y, one_hot(k, 10))
m' = 0.9*m + grad(J, w)
w' = w - 0.1*m
metric accuracy = mean(argmax(y, axis=1) == k)
train batch=32, epochs=30, holdout=0.2
minimize J
output y, J
"""
    graph = read(text)
    assert [s.name for s in graph.outputs] == ["y", "J"]
    assert graph.objective is not None
    assert graph.objective.name == "J"
    assert [s.name for s in graph.metrics] == ["accuracy"]
    assert [s.name for s, _ in graph.updates] == ["m", "w"]
    assert types(graph)["m"] == "real[64, 10]"
    assert graph.data is not None
    assert graph.data.columns == (("x", tuple(range(64))), ("k", (64,)))
    assert dict(graph.training) == {"batch": 32, "epochs": 30, "holdout": graph.training[2][1]}
    again = parse(str(graph))
    assert (again.data, again.training) == (graph.data, graph.training)


def test_columns_by_name() -> None:
    graph = read('input x[n, 3], k[n]; data "a.csv" x=0:2+"width", k=label; sum(x) + sum(k)')
    assert graph.data is not None
    assert graph.data.columns == (("x", (0, 1, "width")), ("k", ("label",)))
    assert parse(str(graph)).data == graph.data


def test_minimize_with_an_optimizer() -> None:
    graph = read("input x; param w = 1; minimize (w*x - 1)^2 with adam(lr=1e-3, beta1=0.8)")
    assert graph.optimizer is not None
    assert (graph.optimizer.name, [k for k, _ in graph.optimizer.arguments]) == ("adam", ["lr", "beta1"])
    own = read("def mine(w, g, lr=1): w' = w - lr*g\ninput x; param w = 1; minimize (w*x - 1)^2 with mine(lr=2)")
    assert own.optimizer is not None
    assert own.optimizer.source == "def mine(w, g, lr=1): w' = w - lr*g"


@pytest.mark.parametrize("text", ["minimize -J", "minimize (J + 1)^2", "minimize 2J", "minimize |J|", "minimize J"])
def test_minimize_takes_any_expression(text: str) -> None:
    graph = read(f"input J\n{text}")
    assert graph.objective is not None
    assert [s.name for s in graph.inputs] == ["J"]


def test_outputs() -> None:
    assert [s.name for s in read("a = x; b = 2x").outputs] == ["b"]
    assert [s.name for s in read("a = x; b = 2x; minimize a").outputs] == ["a"]
    assert [s.name for s in read("a = x; b = 2x; output a, b").outputs] == ["a", "b"]
    assert [s.name for s in read("input x; output x").outputs] == ["x"]


def test_keywords_as_names() -> None:
    graph = read(
        "input data, train, state; input = data*train; output = state + input; minimize = output - 1; like = 2"
    )
    assert [e.target.name for e in graph.equations] == ["input", "output", "minimize", "like"]


def test_comments_line_ends_and_indents_mean_nothing() -> None:
    assert parse("# nothing\n\n  a = (x +  # more\n\n 1)\r\n;; b = [a,\n a]  # end") == parse("a = x + 1; b = [a, a]")


def test_arrays_and_slices() -> None:
    graph = read(
        """input x[4, 5], k[3]: int, v[n]
a = x[0]
b = x[:, 1:3]
c = x[..., -1]
d = x[::-1, ::2]
f = x[-2:, :]
g = x[k]
h = x[:, k]
i = v[1:]
j = v[:-1]
l = v[::-1]
m = [[1, 2], [3, 4]]
o = [v, 2v]
p = v[n - 1]
q = x[1, 2]
r = x[k, 0]
output a, b, c, d, f, g, h, i, j, l, m, o, p, q, r"""
    )
    shapes = {s.name: str(graph.types[s])[str(graph.types[s]).index("[") :] for s in graph.outputs}
    assert shapes == {
        "a": "[5]", "b": "[4, 2]", "c": "[4]", "d": "[4, 3]", "f": "[2, 5]", "g": "[3, 5]", "h": "[4, 3]",
        "i": "[n - 1]", "j": "[n - 1]", "l": "[n]", "m": "[2, 2]", "o": "[2, n]", "p": "[]", "q": "[]", "r": "[3]",
    }  # fmt: skip


def test_shape_and_transposed() -> None:
    graph = read("input x[n, 3], y[3, 4]; a = (x @ y).T; b = x.T @ x; c = reshape(x, (x.shape[0]*3,)); output a, b, c")
    assert [str(graph.types[s]) for s in graph.outputs] == ["real[4, n]", "real[3, 3]", "real[3*n]"]


def test_contractions() -> None:
    graph = read(
        """input a[n, 3], b[3, 4], c[2, n, 3], v[3]
p = a @ b; q = v @ v; r = a @ v; s = c @ b
t = einsum("ij,jk->ki", a, b)
u = einsum("ij,jk,k->i", a, b, b[0])
w = einsum("ij->j", a)
output p, q, r, s, t, u, w"""
    )
    shapes = [str(graph.types[s]) for s in graph.outputs]
    assert shapes == ["real[n, 4]", "real[]", "real[n]", "real[2, n, 4]", "real[4, n]", "real[n]", "real[3]"]


# --- macros --------------------------------------------------------------------------------------------------------

LAYER = """def layer(x, units, scale=1):
    param W[x.shape[-1], units] ~ glorot, b[units] = 0
    z = scale*(x @ W)          # a comment in a def

    return z + b
"""


def names(text: str) -> list[str]:
    return [s.name for s in read(text).params]


def test_parameters_are_named_after_the_equation() -> None:
    assert names(LAYER + "input x[n, 3]\nh = tanh(layer(x, 5))") == ["h.W", "h.b"]
    assert names(LAYER + "input x[n, 3]\nh = layer(layer(x, 5), units=2, scale=3)") == [
        "h.1.W",
        "h.1.b",
        "h.2.W",
        "h.2.b",
    ]
    assert names(LAYER + "input x[n, 3]\nsum(layer(x, 5))") == ["layer.1.W", "layer.1.b"]


def test_macros_nest() -> None:
    text = LAYER + "def net(x, m):\n    h = tanh(layer(x, m))\n    return layer(h, 1)\ninput x[n, 3]\ny = net(x, 7)"
    assert names(text) == ["y.h.W", "y.h.b", "y.W", "y.b"]
    graph = read(text + "\nz = y.h.W @ y.W")
    assert str(graph.types[graph.outputs[0]]) == "real[3, 1]"


@pytest.mark.parametrize(
    "text",
    [
        "def f(a, b=2): return a*b\ny = f(x)",
        "def f(a, b=2): c = a*b; return c\ny = f(x)",
        "def f(a, b=2):\n  c = a*b\n  return c\n\ny = f(x)",
        "def f(a, b=2):\n\tc = a*b\n\n\treturn c\ny = f(a=x)",
        "def g(a): return 2a\ndef f(a, b=2): return g(a)*b/2\ny = f(x, b=2)",
        "def f(a,\n      b=2):\n    return a*b\ny = f(x,\n 2)",
    ],
)
def test_bodies_of_macros(text: str) -> None:
    value, gradients = point(text, x=3)
    assert (value, gradients["x"]) == (6, 2)


def test_macros_may_have_any_name_that_is_not_a_function_yet() -> None:
    assert point("def relu(x): return 7x\ny = relu(x)", x=-1)[0] == -7


def test_a_macro_knows_only_its_own() -> None:
    with pytest.raises(Exception, match="z is not known inside f"):
        parse("z = 3; def f(x): return x*z\ny = f(2)")


def test_equal_calls_are_one() -> None:
    """Macros that call one another twice are read once for each argument."""
    lines = ["def f0(x): return x^2", *(f"def f{k}(x): return f{k - 1}(x) + f{k - 1}(x)" for k in range(1, 60))]
    graph = read("\n".join(lines) + "\ny = f59(x); z = f59(x)")
    assert len(graph.equations) == 61
    assert str(graph.equations[-1].expr) == "y"
    lines = [
        "def f0(x): return x^2",
        *(f"def f{k}(x): a = f{k - 1}(x); return a*f{k - 1}(x + 1) + a" for k in range(1, 40)),
    ]
    assert len(read("\n".join(lines) + "\nf39(x)").equations) < 2000


def test_calls_that_declare_are_not_one() -> None:
    twice = LAYER + "def twice(x): return layer(x, 2) + layer(x, 2)\ninput x[n, 3]\n"
    assert names(twice + "y = twice(x) + twice(x)") == [f"y.{j}.{k}.{s}" for j in (1, 2) for k in (1, 2) for s in "Wb"]
    with pytest.raises(Exception, match="w' is defined twice"):
        parse("param w = 1\ndef step(w, g):\n    w' = w - g\n    return w\nstep(w, 2) + step(w, 2)")


def test_a_macro_that_is_defined_anew() -> None:
    text = "def f(x): return g(x)\ndef g(x): return 2x\na = f(x)\ndef g(x): return 3x\nb = f(x)\nb - a"
    assert point(text, x=2)[0] == 2


def test_long_chains_of_macros() -> None:
    lines = ["def f0(x): return x^2", *(f"def f{k}(x): return sin(f{k - 1}(x))" for k in range(1, 3000))]
    assert len(read("\n".join(lines) + "\nf2999(x)").equations) == 3000


def test_primes_in_order() -> None:
    graph = read("param a = 1, b = 2; b' = a; a' = a + b; J = a*b")
    assert [(s.name, str(v)) for s, v in graph.updates] == [("b", "a"), ("a", "v1")]


def test_gradients_inside_programs() -> None:
    value, gradients = point("input a, x; J = sin(a*x); y = grad(J, x)^2", a=2, x=0)
    assert value == 4
    assert gradients == {"a": 4, "x": 0}
