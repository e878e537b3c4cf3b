"""Formulas whose gradients are counted, and what SymPy makes of them."""
