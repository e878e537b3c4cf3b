"""Training as it goes.

In: the history of a run, epoch by epoch.  Out: a progress bar on a terminal, else lines; the last figures.
Always holds: rich is imported only where there is a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

LINES = 50  # of progress, where it is not drawn on a terminal


class Progress:
    """Loss and metrics as they come: below a bar on a terminal, else lines, `LINES` of them at most."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.now = ""
        self.live: Any = None
        self.advance: Callable[[int], None] = lambda number: None

    def __enter__(self) -> Progress:
        if sys.stdout.isatty():
            self.live = self._drawn()
            self.live.start()
        return self

    def _drawn(self) -> Any:
        """The bar, with the figures in a line below it."""
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        bar = Progress(TextColumn("epoch {task.completed}/{task.total}"), BarColumn(), TimeRemainingColumn())
        task = bar.add_task("train", total=self.total)
        self.advance = lambda number: bar.update(task, completed=number)

        def drawing() -> Group:
            return Group(bar, Text(self.now, no_wrap=True, overflow="ellipsis"))

        return Live(get_renderable=drawing, console=Console(), refresh_per_second=10)

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def epoch(self, number: int, history: Mapping[str, Sequence[float]]) -> bool:
        """After an epoch."""
        self.now = "  ".join(f"{label(name)} {figure(values[-1], 4)}" for name, values in history.items() if values)
        if self.live is not None:
            self.advance(number)
        elif number in (1, self.total) or number % max(1, -(-self.total // LINES)) == 0:
            print(f"epoch {number:>{len(str(self.total))}}/{self.total}  {self.now}", flush=True)
        return False


def label(name: str) -> str:
    """Name of a column of the history as it is shown."""
    return name.replace("validation_", "held-out ", 1) if name.startswith("validation_") else name


def print_summary(run: Any) -> None:
    """The last figures: those of the held-out examples, else of the training."""
    last = {name: values[-1] for name, values in run.history.items() if values}
    held = {n: v for n, v in last.items() if n.startswith("validation_")} or last
    for name, value in held.items():
        print(f"{label(name)} {figure(value, 3)}")


def figure(value: float, places: int) -> str:
    """A number with some places after the point; very large and small ones with an exponent."""
    return f"{value:.{places}f}" if not value or 0.1**places <= abs(value) < 1e6 else f"{value:.{places}g}"
