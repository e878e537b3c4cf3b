"""log(e^a + e^b + e^c + ...) and the operands' shares in it.

In: numbers far apart, near, equal, infinite.  Out: nothing, or a failed assertion.
Always holds: the expected values are mpmath's with 50 digits.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

import graphc
from graphc.errors import ParseError
from graphc.ops.composite import logaddexp_of_several, softmax_weight

POINTS = [(0.1, 0.2, 0.3, -0.4), (1000.0, 999.5, -1000.0, 998.0), (-800.0, -790.0, -805.5, -790.0), (3.0, 3.0, 3.0, 3.0),
          (0.0, -30.25, -40.5, -35.0), (1e-300, -700.0, 20.0, -1e4)]  # fmt: skip
FOUR = "logaddexp(a, b, c, d)"


@pytest.mark.parametrize("point", POINTS)
def test_value_and_gradients_have_all_their_digits(point: tuple[float, ...]) -> None:
    value, gradients = graphc.compile(FOUR).value_and_grad(*map(np.atleast_1d, point))
    with mpmath.workdps(50):
        xs = [mpmath.mpf(x) for x in point]
        assert logaddexp_of_several.exact is not None
        assert softmax_weight.exact is not None
        assert float(abs(value[0] / logaddexp_of_several.exact(mpmath, *xs) - 1)) < 2e-14
        for k, name in enumerate("abcd"):
            expected = softmax_weight.exact(mpmath, k, *xs)
            assert abs(gradients[name][0] - expected) <= 1e-12 * expected + 1e-323


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_infinities_and_nan(dtype: str) -> None:
    f, inf, nan = graphc.compile(FOUR, dtype=dtype), math.inf, math.nan
    a, b, c, d = np.array([(inf, 0, 1, 2), (inf, inf, 1, 2), (-inf, 0, 0, -inf), (-inf,) * 4, (0, 1, nan, 2)]).T
    value, gradients = f.value_and_grad(a, b, c, d)
    np.testing.assert_allclose(value, [inf, inf, math.log(2), -inf, nan], rtol=1e-6)
    np.testing.assert_array_equal(gradients["a"], [1, 0.5, 0, 0.25, nan])
    np.testing.assert_array_equal(gradients["b"], [0, 0.5, 0.5, 0.25, nan])


def test_shares_add_up_and_broadcast() -> None:
    f = graphc.compile("input a[n, 3], b[3], c; param d[n, 1] = 0\noutput s\ns = sum(logaddexp(a, b, c, d))")
    generator = np.random.default_rng(3)
    given = {
        "a": generator.normal(size=(4, 3)),
        "b": generator.normal(size=3),
        "c": 0.3,
        "d": generator.normal(size=(4, 1)),
    }
    full = np.stack(np.broadcast_arrays(*(np.asarray(given[n]) for n in "abcd")))
    weights = np.exp(full) / np.exp(full).sum(axis=0)
    jacobian = f.jacobian(**given)
    np.testing.assert_allclose(jacobian["d"], weights[3].sum(axis=1, keepdims=True))
    np.testing.assert_allclose(f(**given), np.log(np.exp(full).sum(axis=0)).sum())


def test_second_derivatives() -> None:
    f, point = graphc.compile(FOUR), dict(zip("abcd", POINTS[0], strict=True))
    w = np.array(list(f.grad(**point).values()))
    found = np.array([[f.hessian(**point)[i][j] for j in "abcd"] for i in "abcd"])
    np.testing.assert_allclose(found, np.diag(w) - np.outer(w, w), atol=1e-15)


def test_a_sum_that_is_spelt_out_is_one_operation() -> None:
    f = graphc.compile("log(0.3*exp(-(x - 1)^2) + 0.5*exp(-x^2) + 0.2*exp(-(x + 1)^2))")
    assert "softmax_weight(1, " in str(f.gradient)
    found, rest = f.value_and_grad(x=100.0)
    np.testing.assert_allclose(found, -(99.0**2) + math.log(0.3), rtol=1e-15)
    np.testing.assert_allclose(rest["x"], -198.0, rtol=1e-14)


@pytest.mark.parametrize("text", ["softmax_weight(3, x, y, z)", "softmax_weight(-1, x, y, z)"])
def test_an_operand_that_is_not_there(text: str) -> None:
    with pytest.raises(ParseError, match="operands are counted from 0 to 2"):
        graphc.parse(text)


def test_it_is_printed_and_read() -> None:
    graph = graphc.grad(graphc.parse(FOUR))
    assert graphc.parse(str(graph)) == graph
    assert "\\operatorname{softmax\\_weight}\\left(0, a, b, c, d\\right)" in graph.latex()
