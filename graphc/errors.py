"""Every error a user can cause.

In: what was found, where, and what to write instead.  Out: one exception whose text shows all three.
Always holds: `line` and `column` count from 1 and are None where there is no text to point into.
"""

from __future__ import annotations


class GraphcError(Exception):
    """Base of all errors that come from what the user gave; never from a fault of graphc itself.

    Attributes: `message`, `hint` (what to write instead), `line`, `column` (from 1), `source_line`.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        line: int | None = None,
        column: int | None = None,
        source_line: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = self.reason = message  # the reason alone, without what was added around it
        self.hint = hint
        self.line = line
        self.column = column
        self.source_line = source_line

    def located(self, line: int, column: int, source_line: str) -> GraphcError:
        """The same error with a place, unless it has one already."""
        if self.line is None:
            self.line, self.column, self.source_line = line, column, source_line
        return self

    def __str__(self) -> str:
        parts = [self.message if self.line is None else f"line {self.line}, column {self.column}: {self.message}"]
        if self.source_line is not None and self.column is not None:
            parts += _excerpt(self.source_line, self.column)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)


def _excerpt(source_line: str, column: int, width: int = 78) -> list[str]:
    """The source line, cut to `width` around the column, with a caret under it."""
    start = max(0, column - 1 - width // 2) if len(source_line) > width else 0
    shown = source_line[start : start + width].replace("\t", " ")
    return [f"    {shown}", "    " + " " * (column - 1 - start) + "^"]


class ParseError(GraphcError):
    """The text is not a program: its spelling, a name, a call."""


class ShapeError(GraphcError):
    """Shapes or kinds of operands do not fit each other."""


class DerivativeError(GraphcError):
    """What is asked to be differentiated has no derivative."""


class DataError(GraphcError):
    """Values given for inputs or parameters do not fit the program, or cannot be read."""


class OutsideError(DataError, IndexError):
    """An index among the values given picks an element that there is none of."""


class TrainingError(GraphcError):
    """Training cannot start or cannot go on."""
