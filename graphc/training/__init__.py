"""Training: data at the door, the loop around the jitted epochs, and what comes out.

In: an artifact of a training loop and data.  Out: `Run`.
"""
