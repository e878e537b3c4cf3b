"""Logistic regression as one module: J = t log y + (1 - t) log(1 - y), y = 1/(1 + exp(-a)), a = theta . x.

By the chain rule dJ/da = (t/y + (1 - t)/(y - 1)) * exp(-a)/(exp(-a) + 1)^2, which divides by nothing at a = 800;
simplified it is t - y, and that is what is computed.
"""

import graphc

module = """
input a, t
y = 1/(1 + exp(-a))
J = t*log(y) + (1 - t)*log(1 - y)
"""
print(graphc.derive(module, wrt="a"))

f = graphc.compile(module)
for a in (-800.0, -1.0, 0.0, 1.0, 800.0):
    value, gradient = f.value_and_grad(a=a, t=1.0)
    print(f"a = {a:6.1f}: J = {value:11.6f}, dJ/da = {gradient['a']:.6f}")

regression = """
input x[n, 2], t[n]
param theta[2] = 0, b = 0
y = sigmoid(x @ theta + b)
minimize binary_cross_entropy(y, t)
"""
x = [[0, 1], [1, 1], [2, 0], [3, 4], [4, 2], [5, 5]]
t = [0, 0, 0, 1, 1, 1]
run = graphc.train(regression, {"x": x, "t": t}, optimizer="adam(lr=0.1)", epochs=300)
print(f"loss {run.history['loss'][0]:.4f} -> {run.history['loss'][-1]:.4f}")
print("predicted", run.predict("y", {"x": x}).round(2), "for", t)
