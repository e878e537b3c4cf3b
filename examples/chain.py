"""A chain of scalar operations: derivation, gradient function, numbers over an array.

J = cos(sin(x^2) + 3x^2), in the steps t, u1, u2, u in which it is done by hand.
"""

import numpy as np

import graphc

program = "t = x^2; u1 = sin(t); u2 = 3t; u = u1 + u2; J = cos(u)"

print(graphc.derive(program))
print()
print(graphc.derive(program, at={"x": 0.5}))

f = graphc.compile(program)
print(f"\nf(0.5) = {f(x=0.5):.6f}, f'(0.5) = {f.grad(x=0.5)['x']:.6f}")

x = np.linspace(-2, 2, 5)
for point, slope in zip(x, f.grad(x=x)["x"], strict=True):
    by_hand = -2 * point * (np.cos(point**2) + 3) * np.sin(np.sin(point**2) + 3 * point**2)
    print(f"f'({point:4.1f}) = {slope:9.6f}   by hand {by_hand:9.6f}")
