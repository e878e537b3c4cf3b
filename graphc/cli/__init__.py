"""The command line: `graphc derive | grad | eval | check | code | train | predict | ops | info`.

In: a program as text or as the path of a `.gc` file, and options.  Out: text on standard output.
"""

from graphc.cli.commands import app, main

__all__ = ["app", "main"]
