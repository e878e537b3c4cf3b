"""Training: what is learned is what the same steps in NumPy learn; seeds, batches, stopping, bad data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc

XOR = """
input x[n,2], t[n]
param W1[2,4] ~ glorot, b1[4] = 0, W2[4] ~ normal(0, 1), b2 = 0
h = tanh(x @ W1 + b1)
y = sigmoid(h @ W2 + b2)
minimize binary_cross_entropy(y, t) with adam(lr=0.05)
"""
LINE = "input x[n,3], t[n]; param w[3] = 0, b = 0; J = mean((x @ w + b - t)^2); minimize J with sgd(lr=0.1)"
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
T = np.array([0, 1, 1, 0.0])


def _data(count: int = 23, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3))
    return {"x": x, "t": x @ [1.0, -2.0, 0.5] + 0.3}


def _numpy_line(data: dict[str, Any], order: Any, batch: int, lr: float = 0.1) -> tuple[Any, float, list[float]]:
    w, b, losses = np.zeros(3), 0.0, []
    for epoch in order:
        total = 0.0
        for start in range(0, len(epoch), batch):
            rows = epoch[start : start + batch]
            x, t = data["x"][rows], data["t"][rows]
            e = x @ w + b - t
            total += len(rows) * (e**2).mean()
            w, b = w - lr * 2 * x.T @ e / len(rows), b - lr * 2 * e.mean()
        losses.append(total / len(epoch))
    return w, b, losses


@pytest.mark.parametrize("batch", [1, 5, 23])
def test_sgd_takes_the_steps_numpy_takes(batch: int) -> None:
    data = _data()
    order = np.array([np.random.default_rng(k).permutation(23) for k in range(4)])
    run = graphc.train(LINE, data, epochs=4, batch_size=batch, order=order, dtype="float64")
    w, b, losses = _numpy_line(data, order, batch)
    np.testing.assert_allclose(run.params["w"], w, rtol=1e-12)
    np.testing.assert_allclose(run.params["b"], b, rtol=1e-12)
    np.testing.assert_allclose(run.history["loss"], losses, rtol=1e-12)


def test_whole_set_is_the_default_batch() -> None:
    data = _data()
    run = graphc.train(LINE, data, epochs=3, dtype="float64")
    w, _, losses = _numpy_line(data, [np.arange(23)] * 3, 23)
    np.testing.assert_allclose(run.params["w"], w, rtol=1e-12)
    np.testing.assert_allclose(run.history["loss"], losses, rtol=1e-12)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_optimizers_against_their_formulas(name: str) -> None:
    data, order = _data(8), np.arange(8)[None].repeat(3, axis=0)
    run = graphc.train(LINE, data, epochs=3, order=order, optimizer=f"{name}(lr=0.05)", dtype="float64")
    w = np.zeros(4)
    x = np.column_stack([data["x"], np.ones(8)])
    m, s = np.zeros(4), np.zeros(4)
    for k in range(1, 4):
        g = 2 * x.T @ (x @ w - data["t"]) / 8
        if name in ("momentum", "nesterov"):
            m = 0.9 * m + g
            w = w - 0.05 * (m if name == "momentum" else g + 0.9 * m)
        elif name == "rmsprop":
            s = 0.9 * s + 0.1 * g**2
            w = w - 0.05 * g / (np.sqrt(s) + 1e-8)
        else:
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
            step = 0.05 * (m / (1 - 0.9**k)) / (np.sqrt(s / (1 - 0.999**k)) + 1e-8)
            w = w - step - (0.05 * 0.01 * w if name == "adamw" else 0)
    np.testing.assert_allclose([*run.params["w"], run.params["b"]], w, rtol=1e-9)


def test_primes_are_the_users_own_optimizer() -> None:
    text = "input x[n,3], t[n]; param w[3] = 0, b = 0; J = mean((x @ w + b - t)^2); w' = w - 0.1*grad(J, w); b' = b - 0.1*grad(J, b)"
    data = _data()
    own = graphc.train(text, data, epochs=3, dtype="float64")
    np.testing.assert_allclose(
        own.params["w"], graphc.train(LINE, data, epochs=3, dtype="float64").params["w"], rtol=1e-13
    )


def test_parameters_can_change_places() -> None:
    text = "input x[n]; param a = 1, b = 2; J = mean(a*x + b*x); a' = b; b' = a; minimize J"
    run = graphc.train(text, {"x": [1.0, 2.0]}, epochs=3)
    assert (float(run.params["a"]), float(run.params["b"])) == (2.0, 1.0)


def test_one_neuron_one_step() -> None:
    """Textbook I: w = 0.1, x = (1, 0.4, 0.5), y = 1, alpha = 0.5."""
    text = "input x[3], t; param w[3] = 0.1; y = sigmoid(w @ x); minimize (t - y)^2 with sgd(lr=0.5)"
    run = graphc.train(text, {"x": [1, 0.4, 0.5], "t": 1.0}, dtype="float64")
    np.testing.assert_allclose(run.params["w"], [0.212145, 0.144858, 0.156073], atol=5e-7)
    np.testing.assert_allclose(run.predict("y", {"x": [1, 0.4, 0.5]}), 0.586163, atol=5e-7)


def test_programs_of_numbers_train_on_batches() -> None:
    text = "input x, t; param w = 0, b = 0; minimize (w*x + b - t)^2 with sgd(lr=0.1)"
    x = np.linspace(-1, 1, 11)
    run = graphc.train(text, {"x": x, "t": 3 * x + 1}, epochs=400, batch_size=4)
    assert abs(float(run.params["w"]) - 3) < 1e-3
    assert abs(float(run.params["b"]) - 1) < 1e-3


def test_programs_about_one_example_take_them_one_at_a_time() -> None:
    text = "input x[3], t; param w[3] = 0, b = 0; minimize (w @ x + b - t)^2 with sgd(lr=0.05)"
    data = _data(40)
    run = graphc.train(text, data, epochs=60, batch_size=1)
    np.testing.assert_allclose(run.params["w"], [1, -2, 0.5], atol=1e-3)
    with pytest.raises(graphc.DataError, match="one example"):
        graphc.train(text, data, epochs=1)


def test_xor_is_learned_by_a_hidden_layer_and_not_by_one_neuron() -> None:
    run = graphc.train(XOR, {"x": X, "t": T}, epochs=1000)
    assert (np.round(run.predict("y", {"x": X})) == T).all()
    one = "input x[n,2], t[n]; param w[2] ~ normal(0, 1), b = 0; y = sigmoid(x @ w + b); minimize binary_cross_entropy(y, t) with adam(lr=0.1)"
    assert not (np.round(graphc.train(one, {"x": X, "t": T}, epochs=1000).predict("y", {"x": X})) == T).all()


def test_equal_weights_stay_equal() -> None:
    text = XOR.replace("~ glorot", "= 0.3").replace("~ normal(0, 1)", "= 0.3")
    w = graphc.train(text, {"x": X, "t": T}, epochs=50).params["W1"]
    assert (w == w[:, :1]).all()


def test_seeds() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[union-attr]
    runs = [graphc.train(XOR, {"x": X, "t": T}, epochs=40, batch_size=3, seed=s) for s in (1, 1, 2)]
    assert runs[0].history == runs[1].history
    assert all((runs[0].params[k] == runs[1].params[k]).all() for k in runs[0].params)
    assert runs[0].history != runs[2].history
    assert (np.random.get_state()[1] == before).all()  # type: ignore[union-attr]


def test_slices_do_not_change_the_run() -> None:
    whole = graphc.train(LINE, _data(), epochs=7, batch_size=5)
    sliced = graphc.train(LINE, _data(), epochs=7, batch_size=5, callback=lambda epoch, history: None)
    assert whole.history["loss"] == sliced.history["loss"]


def test_stopping() -> None:
    at_loss = graphc.train(LINE, _data(), epochs=500, stop=0.01)
    assert at_loss.stopped == "loss"
    assert at_loss.history["loss"][-1] <= 0.01 < at_loss.history["loss"][-2]
    at_change = graphc.train(LINE, _data(), epochs=500, stop={"change": 1e-4})
    assert at_change.stopped == "change"
    by_callback = graphc.train(LINE, _data(), epochs=500, callback=lambda epoch, history: epoch == 3)
    assert len(by_callback.history["loss"]) == 3
    assert graphc.train(LINE, _data(), epochs=5).stopped == "epochs"


def test_interruption_ends_with_what_was_learned() -> None:
    def interrupt(epoch: int, history: dict[str, list[float]]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    run = graphc.train(LINE, _data(), epochs=100, callback=interrupt)
    assert run.stopped == "interrupted"
    assert len(run.history["loss"]) == 2


def test_validation_and_metrics() -> None:
    text = LINE + "; metric error = mean(abs(x @ w + b - t))"
    run = graphc.train(text, _data(40), epochs=5, validation=0.25)
    assert set(run.history) == {"loss", "error", "validation_loss", "validation_error"}
    assert all(len(v) == 5 for v in run.history.values())
    held = _data(7, seed=5)
    run = graphc.train(text, _data(40), epochs=2, validation=held)
    w, b = run.params["w"], run.params["b"]
    want = np.abs(held["x"] @ w + b - held["t"]).mean()
    assert run.history["validation_error"][-1] == pytest.approx(want, rel=1e-5)


def test_given_parameters_predictions_and_files(tmp_path: Path) -> None:
    run = graphc.train(LINE, _data(), epochs=0, params={"w": [1, 2, 3], "b": 4})
    assert run.params["w"].tolist() == [1, 2, 3]
    run = graphc.train(LINE, _data(), epochs=2)
    run.save(tmp_path / "line.npz")
    with np.load(tmp_path / "line.npz") as kept:
        assert (kept["w"] == run.params["w"]).all()
    assert run.params["w"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [[1.0, 2.0]]}, "x has shape"),
        ({"x": np.full((23, 3), np.nan)}, "x.0, 0. is nan"),
        ({"x": np.empty((0, 3)), "t": np.empty(0)}, "empty"),
        ({"t": np.ones(5)}, "n = "),
        ({"t": ["a"] * 23}, "text"),
        ({"q": 1}, None),
    ],
)
def test_bad_data_are_named(change: dict[str, Any], message: str | None) -> None:
    data = {**_data(), **change}
    if message is None:
        graphc.train(LINE, data)  # more than the program asks for is no harm
        return
    with pytest.raises(graphc.DataError, match=message):
        graphc.train(LINE, data)


def test_missing_data_parameters_and_values() -> None:
    with pytest.raises(graphc.DataError, match="no data for t"):
        graphc.train(LINE, {"x": np.ones((4, 3))})
    with pytest.raises(graphc.GraphcError, match="no first value"):
        graphc.train("input x[n]; param w; minimize mean((w*x)^2)", {"x": [1.0]})
    with pytest.raises(graphc.GraphcError, match="no parameters"):
        graphc.train("input x[n]; mean(x)", {"x": [1.0]})
    with pytest.raises(graphc.ParseError, match="adam"):
        graphc.train(LINE, _data(), optimizer="adan")


def test_a_loss_that_is_no_number_names_the_epoch() -> None:
    with pytest.raises(graphc.TrainingError, match="epoch"):
        graphc.train(LINE, _data(), epochs=3000, optimizer="sgd(lr=50)")
