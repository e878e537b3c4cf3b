"""Differentiation: Graph -> Graph.

In: a graph with a scalar value.  Out: a graph with its gradients, and the record of how they came about.
"""
