"""Mathematics written in the language itself: activations, losses, layers, initial values, optimizers.

In: nothing.  Out: the `.gc` files of this folder, each a list of `def`s.
Always holds: a def knows only its parameters and its own names.
"""
