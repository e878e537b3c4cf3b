"""The language: text to graph and back.

In: text, SymPy expressions.  Out: `Graph`, and graphs as text.
"""
