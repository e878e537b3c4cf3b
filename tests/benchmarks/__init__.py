"""Benchmarks: graphc and what people would use instead, on the same numbers.

In: the cases of `cases.py` and the libraries of `peers/` that are installed.  Out: tables of times and of ratios
best peer / graphc, printed or written to docs/performance.md.
Always holds: answers are compared before anything is timed; each (peer, case) has a process of its own, pinned to a
core, and these take turns; graphc is used through its public calls only.
"""
