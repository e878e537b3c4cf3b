"""A two-layer classifier as an expression graph: value, gradients of every parameter, and a few steps of training."""

import numpy as np

import graphc

program = """
input x[n, 784], y[n, 10]
param w1[784, 100] ~ glorot, b1[1, 100] = 0
param w2[100, 10] ~ glorot, b2[1, 10] = 0
l1 = tanh(x @ w1 + b1)
l2 = softmax(l1 @ w2 + b2, axis=1)
graph = -mean(sum(y * log(l2), axis=1), axis=0)
"""

f = graphc.compile(program)
random = np.random.default_rng(0)
x = random.uniform(size=(500, 784))
k = x[:, :780].reshape(500, 10, 78).mean(axis=2).argmax(axis=1)  # which tenth of the pixels is brightest
y = np.eye(10)[k]

value, gradients = f.value_and_grad(x=x, y=y, **f.initial(seed=0))
print(f"cross-entropy of 500 examples {value:.4f}; log(10) = {np.log(10):.4f}")
for name in ("w1", "b1", "w2", "b2"):
    print(f"d graph/d {name}: shape {gradients[name].shape}, largest {np.abs(gradients[name]).max():.4f}")

huge = f.value_and_grad(x=1e6 * x, y=y, **f.initial(seed=0))[1]
print("finite for inputs of a million:", all(np.isfinite(g).all() for g in huge.values()))

run = graphc.train(program, {"x": x, "y": y}, optimizer="adam(lr=0.002)", batch_size=50, epochs=30)
right = run.predict("l2", {"x": x}).argmax(axis=1) == k
print(f"loss {run.history['loss'][0]:.3f} -> {run.history['loss'][-1]:.3f}, right on {right.mean():.0%} of the data")
