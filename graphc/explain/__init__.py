"""Explanations: a derivation as a table, a check of the gradient, the list of operations.

In: a graph.  Out: text, Markdown, LaTeX, HTML.
"""
