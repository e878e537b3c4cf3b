"""Code generation: a graph becomes one module of source text.

schedule (which loops) -> memory (which buffers) -> loops and module (source text) -> translate (LLVM text) -> native
(machine code) -> cache (a function, kept).  `support` is what the text imports where Numba compiles it for its users.
Nothing from `translate` on imports SymPy.
"""
