"""The graph: a program as data, its types, its one builder, and what an operation is.

In: operations and atoms.  Out: `Graph`.
"""
