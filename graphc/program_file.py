"""Programs in files.

In: a path.  Out: text.
Always holds: a file that cannot be read is a DataError that says why.
"""

from __future__ import annotations

from pathlib import Path

from graphc.errors import DataError


def read_file(path: Path) -> str:
    """Text of a program's file; DataError where it cannot be read."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="give the path of a .gc file") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text", hint="programs are UTF-8 text") from None
