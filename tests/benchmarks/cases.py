"""The cases: programs in graphc's language, the same mathematics for the peers, and the numbers they are run on.

In: nothing.  Out: `ELEMENTWISE`, `NETS`, `scalar_lines`, `deep_net`, as data.
Always holds: the same seed gives the same numbers in every process; nothing but NumPy is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = Any  # an array of NumPy, JAX, PyTorch, ... or a symbol
DIGITS = Path(__file__).parents[2] / "examples" / "digits.csv"

# --- value and gradient of a formula, elementwise over arrays --------------------------------------------------------


@dataclass(frozen=True)
class Formula:
    """One scalar formula.

    value(m): the function of the inputs with the mathematics of `m` (numpy, jax.numpy, torch, sympy, ...);
    by_hand(m, real): inputs -> (value, derivatives...), derived by hand, as one writes it for speed; `real` makes
    constants of the right width, which Numba needs: its float32 * 0.5 is a float64.
    """

    name: str
    text: str
    ranges: dict[str, tuple[float, float]]
    value: Callable[[Any], Callable[..., Any]]
    by_hand: Callable[[Any, Any], Callable[..., tuple[Any, ...]]]

    def points(self, count: int, dtype: str) -> dict[str, Array]:
        """Uniform points, by name."""
        generator = np.random.default_rng(7)
        return {name: generator.uniform(lo, hi, count).astype(dtype) for name, (lo, hi) in self.ranges.items()}


def _chain(m: Any) -> Callable[..., Any]:
    return lambda x: m.cos(m.sin(x**2) + 3 * x**2)


def _chain_by_hand(m: Any, real: Any) -> Callable[..., tuple[Any, ...]]:
    two, three = real(2), real(3)

    def chain(x: Any) -> tuple[Any, ...]:
        t = x * x
        u = m.sin(t) + three * t
        return m.cos(u), -m.sin(u) * (m.cos(t) + three) * two * x

    return chain


# weight, mean, standard deviation
MIXTURE = ((0.3, -1.5, 0.5), (0.5, 0.0, 1.0), (0.2, 2.0, 0.4))


def _mixture(m: Any) -> Callable[..., Any]:
    return lambda x: m.log(sum(w / s / 2.5066282746310002 * m.exp(-(((x - c) / s) ** 2) / 2) for w, c, s in MIXTURE))


def _mixture_by_hand(m: Any, real: Any) -> Callable[..., tuple[Any, ...]]:
    (a1, c1, p1), (a2, c2, p2), (a3, c3, p3) = (
        (real(w / s / 2.5066282746310002), real(c), real(1 / s**2)) for w, c, s in MIXTURE
    )
    half = real(0.5)

    def mixture(x: Any) -> tuple[Any, ...]:
        z1, z2, z3 = (x - c1) * p1, (x - c2) * p2, (x - c3) * p3
        e1 = a1 * m.exp(-half * z1 * (x - c1))
        e2 = a2 * m.exp(-half * z2 * (x - c2))
        e3 = a3 * m.exp(-half * z3 * (x - c3))
        total = e1 + e2 + e3
        return m.log(total), -(e1 * z1 + e2 * z2 + e3 * z3) / total

    return mixture


def _black_scholes(m: Any) -> Callable[..., Any]:
    def price(S: Any, K: Any, r: Any, sigma: Any, T: Any) -> Any:  # noqa: N803
        d1 = (m.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * m.sqrt(T))
        d2 = d1 - sigma * m.sqrt(T)
        root = 0.7071067811865476
        return S * (1 + m.erf(d1 * root)) / 2 - K * m.exp(-r * T) * (1 + m.erf(d2 * root)) / 2

    return price


def _black_scholes_by_hand(m: Any, real: Any) -> Callable[..., tuple[Any, ...]]:
    half, one, root, density = real(0.5), real(1), real(0.7071067811865476), real(0.3989422804014327)

    def price(S: Any, K: Any, r: Any, sigma: Any, T: Any) -> tuple[Any, ...]:  # noqa: N803
        t = m.sqrt(T)
        v = sigma * t
        d1 = (m.log(S / K) + (r + half * sigma * sigma) * T) / v
        d2 = d1 - v
        n1, n2 = half * (one + m.erf(d1 * root)), half * (one + m.erf(d2 * root))
        discount = m.exp(-r * T)
        vega = S * t * density * m.exp(-half * d1 * d1)
        held = K * discount * n2
        return S * n1 - held, n1, -discount * n2, T * held, vega, half * vega * sigma / T + r * held

    return price


def _logistic(m: Any) -> Callable[..., Any]:
    return lambda t, w, x, b: m.log(1 + m.exp(-t * (w * x + b)))


def _logistic_by_hand(m: Any, real: Any) -> Callable[..., tuple[Any, ...]]:
    one = real(1)

    def logistic(t: Any, w: Any, x: Any, b: Any) -> tuple[Any, ...]:
        a = w * x + b
        e = m.exp(-t * a)
        s = -e / (one + e)
        g = s * t
        return m.log(one + e), s * a, g * x, g * w, g

    return logistic


def _rational(m: Any) -> Callable[..., Any]:
    return lambda x, y: (x**4 - 3 * x**3 * y + 2 * y**2 + 1) / (1 + x**2 + y**4)


def _rational_by_hand(m: Any, real: Any) -> Callable[..., tuple[Any, ...]]:
    one, two, three, four, nine = real(1), real(2), real(3), real(4), real(9)

    def rational(x: Any, y: Any) -> tuple[Any, ...]:
        x2, y2 = x * x, y * y
        x3 = x2 * x
        q = one / (one + x2 + y2 * y2)
        f = (x2 * x2 - three * x3 * y + two * y2 + one) * q
        return f, (four * x3 - nine * x2 * y - two * f * x) * q, (four * y - three * x3 - four * f * y2 * y) * q

    return rational


def _planck(m: Any) -> Callable[..., Any]:
    return lambda h, w, c, k, T: h * w**3 / (m.pi**2 * c**2 * (m.exp(h * w / (k * T)) - 1))  # noqa: N803


def _planck_by_hand(m: Any, real: Any) -> Callable[..., tuple[Any, ...]]:
    one, two, three, scale = real(1), real(2), real(3), real(1 / np.pi**2)

    def planck(h: Any, w: Any, c: Any, k: Any, T: Any) -> tuple[Any, ...]:  # noqa: N803
        beta = one / (k * T)
        u = h * w * beta
        e = m.exp(u)
        q = one / (e - one)
        f = scale * h * w * w * w / (c * c) * q
        g = f * e * q  # -df/du
        gu = g * u
        return f, (f - gu) / h, (three * f - gu) / w, -two * f / c, gu / k, gu / T

    return planck


ELEMENTWISE = (
    Formula("trigonometric chain", "cos(sin(x^2) + 3x^2)", {"x": (-2, 2)}, _chain, _chain_by_hand),
    Formula(
        "Gaussian mixture",
        "log("
        + " + ".join(
            f"{w} / {s} / sqrt(2pi) * exp(-((x - {c}) / {s})^2 / 2)".replace("x - -", "x + ") for w, c, s in MIXTURE
        )
        + ")",
        {"x": (-3, 3)},
        _mixture,
        _mixture_by_hand,
    ),
    Formula(
        "Black-Scholes",
        "d1 = (log(S / K) + (r + sigma^2 / 2) * T) / (sigma * sqrt(T)); d2 = d1 - sigma * sqrt(T)\n"
        "C = S * (1 + erf(d1 / sqrt(2))) / 2 - K * exp(-r * T) * (1 + erf(d2 / sqrt(2))) / 2",
        {"S": (80, 120), "K": (80, 120), "r": (0.01, 0.05), "sigma": (0.1, 0.5), "T": (0.2, 2)},
        _black_scholes,
        _black_scholes_by_hand,
    ),
    Formula(
        "logistic loss",
        "log(1 + exp(-t * (w * x + b)))",
        {"t": (-1, 1), "w": (-2, 2), "x": (-3, 3), "b": (-1, 1)},
        _logistic,
        _logistic_by_hand,
    ),
    Formula(
        "rational polynomial",
        "(x^4 - 3x^3 * y + 2y^2 + 1) / (1 + x^2 + y^4)",
        {"x": (-2, 2), "y": (-2, 2)},
        _rational,
        _rational_by_hand,
    ),
    Formula(
        "Planck's law",
        "h * w^3 / (pi^2 * c^2 * (exp(h * w / (k * T)) - 1))",
        {"h": (0.5, 2), "w": (0.5, 3), "c": (1, 2), "k": (0.5, 2), "T": (0.5, 2)},
        _planck,
        _planck_by_hand,
    ),
)

# --- training --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Net:
    """A dense net with tanh in between and its loss.

    output: "softmax" (cross-entropy), "sigmoid" (binary cross-entropy, one unit) or "linear" (half the mean squared
    error, one unit).  optimizer: "sgd" or "adam".  Everything is float32; `examples` is a multiple of `batch`.  Where a
    batch is the whole set, the order is of no account and nothing need be gathered.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    examples: int
    output: str
    optimizer: str = "sgd"
    lr: float = 0.1
    data: str = "random"

    @property
    def text(self) -> str:
        """The program in graphc's language; layer k has the parameters hk.W and hk.b."""
        last = len(self.sizes) - 1
        lines = [f"h{k} = tanh(dense({'x' if k == 1 else f'h{k - 1}'}, {self.sizes[k]}))" for k in range(1, last)]
        before = f"h{last - 1}" if last > 1 else "x"
        single = self.output != "softmax"
        lines.append(f"h{last} = dense({before}, {self.sizes[-1]})")
        lines += {
            "softmax": ["J = cross_entropy(softmax(h{0}), t)"],
            "sigmoid": ["J = binary_cross_entropy(sigmoid(h{0}[:, 0]), t)"],
            "linear": ["J = mean((h{0}[:, 0] - t)^2) / 2"],
        }[self.output]
        target = "t[n]" if single else f"t[n, {self.sizes[-1]}]"
        head = f"input x[n, {self.sizes[0]}], {target}"
        return "\n".join([head, *lines, f"minimize J with {self.optimizer}(lr={self.lr})"]).format(last)

    def initial(self) -> list[tuple[Array, Array]]:
        """First weights (inputs, outputs) and biases (outputs,) of each layer: Glorot and Bengio (2010), zero."""
        generator = np.random.default_rng(3)
        layers = []
        for a, b in zip(self.sizes, self.sizes[1:], strict=False):
            limit = (6 / (a + b)) ** 0.5
            layers.append((generator.uniform(-limit, limit, (a, b)).astype("f4"), np.zeros(b, "f4")))
        return layers

    def numbers(self) -> tuple[Array, Array]:
        """Inputs (examples, sizes[0]) and targets: (examples,) for one unit, else one-hot (examples, classes)."""
        generator = np.random.default_rng(5)
        if self.data == "xor":
            return np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f4"), np.array([0, 1, 1, 0], "f4")
        if self.data == "digits":
            table = np.loadtxt(DIGITS, np.float32, delimiter=",", skiprows=1, max_rows=self.examples)
            return np.ascontiguousarray(table[:, :64] / 16), np.eye(10, dtype="f4")[table[:, 64].astype(int)]
        x = generator.uniform(0, 1, (self.examples, self.sizes[0])).astype("f4")
        if self.output == "linear":
            return x, np.sin(x.sum(axis=1)).astype("f4")
        teacher = generator.normal(size=(self.sizes[0], self.sizes[-1]))
        return x, np.eye(self.sizes[-1], dtype="f4")[(x @ teacher).argmax(axis=1)]

    def order(self, epochs: int) -> Array:
        """Which example comes when, (epochs, examples), int64: what every peer follows."""
        rows = np.broadcast_to(np.arange(self.examples), (epochs, self.examples))
        return np.ascontiguousarray(np.random.default_rng(11).permuted(rows, axis=1))

    @property
    def whole(self) -> bool:
        """Whether a batch is the whole set."""
        return self.batch == self.examples

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self.examples // self.batch

    def products(self) -> list[tuple[int, int, int]]:
        """The matrix products (m, k, n) of a step: forward, gradients of weights, gradients of hidden layers."""
        pairs, n = list(zip(self.sizes, self.sizes[1:], strict=False)), self.batch
        found = [(n, a, b) for a, b in pairs] + [(a, n, b) for a, b in pairs]
        return found + [(n, b, a) for a, b in pairs[1:]]


NETS = (
    Net("XOR 2-4-1", (2, 4, 1), 4, 4, "sigmoid", data="xor"),
    Net("4-16-1 batch 32", (4, 16, 1), 32, 1024, "linear", lr=0.05),
    Net("digits 64-32-10 batch 32", (64, 32, 10), 32, 1792, "softmax", data="digits"),
    Net("digits 64-32-10 batch 32 Adam", (64, 32, 10), 32, 1792, "softmax", "adam", 0.001, "digits"),
    Net("784-100-10 batch 500", (784, 100, 10), 500, 5000, "softmax", lr=0.01),
    Net("784-128-10 batch 64", (784, 128, 10), 64, 5120, "softmax", lr=0.01),
    Net("784-256-128-10 batch 128", (784, 256, 128, 10), 128, 5120, "softmax", lr=0.01),
    Net("784-1024-10 batch 256", (784, 1024, 10), 256, 5120, "softmax", lr=0.01),
)
DIGITS_NET = NETS[2]


def deep_net(layers: int) -> Net:
    """A net of equal hidden layers, for the time it takes to compile."""
    return Net(f"{layers} layers of 64", (64,) * (layers + 1) + (10,), 32, 32, "softmax", lr=0.01)


# --- long scalar programs --------------------------------------------------------------------------------------------

Line = tuple[int, str, int]  # previous value, function, its argument


def scalar_lines(operations: int) -> list[Line]:
    """A program of about so many scalar operations: v_k = 0.9 v_(k-1) + 0.1 f(v_j), four operations a line.

    Values 0, 1, 2 are the inputs x, y, z; values stay between -1 and 3, and every line is needed for the last.
    """
    generator = np.random.default_rng(13)
    functions = ("sin", "cos", "tanh", "exp")
    return [
        (k - 1, functions[int(generator.integers(4))], int(generator.integers(k)))
        for k in range(3, 3 + operations // 4)
    ]


def scalar_text(lines: list[Line]) -> str:
    """The program in graphc's language."""
    names = ["x", "y", "z", *(f"v{k}" for k in range(3, 3 + len(lines)))]
    return "input x, y, z\n" + "\n".join(
        f"{names[k]} = 0.9 * {names[a]} + 0.1 * {f}({'-' if f == 'exp' else ''}{names[b]})"
        for k, (a, f, b) in enumerate(lines, 3)
    )


def scalar_function(m: Any, lines: list[Line]) -> Callable[..., Any]:
    """The same with the mathematics of `m`."""

    def value(x: Any, y: Any, z: Any) -> Any:
        v = [x, y, z]
        for a, f, b in lines:
            v.append(0.9 * v[a] + 0.1 * getattr(m, f)(-v[b] if f == "exp" else v[b]))
        return v[-1]

    return value


SCALAR_POINT = (0.3, 0.5, 0.7)
