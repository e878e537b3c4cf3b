"""Code generation: a graph becomes one module of source text.

schedule (which loops) -> memory (which buffers) -> loops and module (source text) -> cache (a jitted function).
`support` is what the generated module imports; nothing it needs imports SymPy.
"""
