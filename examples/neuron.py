"""One neuron, one step of gradient descent: w = (0.1, 0.1, 0.1), x = (1, 0.4, 0.5), target 1, step 0.5.

The gradient stands in the program itself; a prime is the next value of a parameter.
"""

import graphc

program = """
input x[3], y
param w[3] = 0.1
z = sum(w * x)
a = sigmoid(z)
J = (y - a)^2
w' = w - 0.5 * grad(J, w)
minimize J
"""
data = {"x": [[1, 0.4, 0.5]], "y": [1]}
x = data["x"][0]

before = graphc.train(program, data, epochs=0, dtype="float64")
after = graphc.train(program, data, epochs=1, batch_size=1, dtype="float64")
for name, run in (("before", before), ("after", after)):
    w = ", ".join(f"{v:.6f}" for v in run.params["w"])
    print(f"{name:<6}  w = ({w})  in = {run.predict('z', {'x': x}):.6f}  g(in) = {run.predict('a', {'x': x}):.6f}")
