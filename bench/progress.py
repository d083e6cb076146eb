"""Progress of the run: a bar on a terminal, nothing elsewhere."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Counts sides of pairs.  On a terminal it draws on standard error, so that the table stays clean."""

    def __init__(self, total: int) -> None:
        self.bar = Bar(
            TextColumn("{task.description:<46}"),
            BarColumn(),
            MofNCompleteColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not Console(stderr=True).is_terminal,
        )
        self.task = self.bar.add_task("making the corpus", total=total)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, doing: str) -> None:
        """Say what is being measured."""
        self.bar.update(self.task, description=doing)

    def advance(self, sides: int) -> None:
        """Count what is done."""
        self.bar.advance(self.task, sides)
