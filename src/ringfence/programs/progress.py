"""One line of progress on a terminal; nothing where nobody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def progress_line(doing: str) -> Iterator[Callable[[str], None]]:
    """Show `doing` with a spinner, a count and what is in hand, on standard error, while the block runs."""
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    count = 0
    with console.status(doing) as status:

        def step(what: str) -> None:
            nonlocal count
            count += 1
            status.update(f"{doing}: {count} {what}", spinner="line")

        yield step
