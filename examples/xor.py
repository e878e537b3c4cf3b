"""XOR: learned by a 2-2-1 net, out of reach of a single layer."""

import graphc

data = {"x": [[0, 0], [0, 1], [1, 0], [1, 1]], "t": [0, 1, 1, 0]}

single = """
input x[n, 2], t[n]
y = sigmoid(dense(x, 1)[:, 0])
minimize mse(y, t) with adam(lr=0.05)
"""
net = """
input x[n, 2], t[n]
h = tanh(dense(x, 2))
y = sigmoid(dense(h, 1)[:, 0])
minimize mse(y, t) with adam(lr=0.05)
"""

for name, program in (("single layer", single), ("2-2-1 net", net)):
    run = graphc.train(program, data, epochs=2000, seed=0)
    answers = run.predict("y", {"x": data["x"]})
    print(f"{name:<12}  loss {run.history['loss'][-1]:.4f}  answers {answers.round(2)}  for {data['t']}")
