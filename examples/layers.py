"""Three tanh layers in matrix form, and the four equations of backpropagation.

a = tanh(Theta a_before + beta), a column an example, J = 1/(2m) sum (h(x) - y)^2.  In the derivation, for each layer l:

    (BP1) the last delta      = (cotangent of a) times tanh'
    (BP2) delta of l          = (Theta of l+1).T @ (delta of l+1), times tanh'
    (BP3) dJ/dbeta of l       = delta, summed over the examples
    (BP4) dJ/dTheta of l      = delta @ (a of l-1).T
"""

import numpy as np

import graphc

program = """
input x[3, m], y[2, m]
param Theta1[5, 3] ~ glorot, beta1[5, 1] = 0
param Theta2[4, 5] ~ glorot, beta2[4, 1] = 0
param Theta3[2, 4] ~ glorot, beta3[2, 1] = 0
z1 = Theta1 @ x + beta1
a1 = tanh(z1)
z2 = Theta2 @ a1 + beta2
a2 = tanh(z2)
z3 = Theta3 @ a2 + beta3
h = tanh(z3)
J = 1/(2m) * sum((h - y)^2)
"""
print(graphc.derive(program))

f = graphc.compile(program)
random = np.random.default_rng(0)
x, y = random.normal(size=(3, 8)), random.uniform(-0.5, 0.5, size=(2, 8))
p = f.initial(seed=1)
gradient = f.grad(x=x, y=y, **p)

a1 = np.tanh(p["Theta1"] @ x + p["beta1"])
a2 = np.tanh(p["Theta2"] @ a1 + p["beta2"])
h = np.tanh(p["Theta3"] @ a2 + p["beta3"])
delta3 = (h - y) / 8 * (1 - h**2)  # BP1
delta2 = (p["Theta3"].T @ delta3) * (1 - a2**2)  # BP2
delta1 = (p["Theta2"].T @ delta2) * (1 - a1**2)
by_hand = {
    "Theta1": delta1 @ x.T, "Theta2": delta2 @ a1.T, "Theta3": delta3 @ a2.T,  # BP4
    "beta1": delta1.sum(1, keepdims=True), "beta2": delta2.sum(1, keepdims=True),  # BP3
    "beta3": delta3.sum(1, keepdims=True),
}  # fmt: skip
print()
for name, value in by_hand.items():
    print(
        f"dJ/d{name:<6} {gradient[name].shape!s:<7} differs from the four equations by {np.abs(gradient[name] - value).max():.1e}"
    )
