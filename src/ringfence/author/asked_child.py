"""A child that is asked one thing at a time, and may die or hang of it: the next question gets another child."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Self


class AskedChild:
    """Holds the child, which runs `serve` on its end of a pipe until the pipe ends.  Use as a context manager."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._context = multiprocessing.get_context("spawn")
        self._running: tuple[BaseProcess, Connection] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def exchange(self, question: object, wait_s: float) -> Any:  # noqa: ANN401 - what the child sends
        """The child's answer.  Raises EOFError or OSError when it died of it, TimeoutError when it is late."""
        if self._running is None:
            self._running = self._start()
        pipe = self._running[1]
        try:
            pipe.send(question)
            if pipe.poll(wait_s):
                return pipe.recv()
            raise TimeoutError
        except (EOFError, OSError):  # the late one as well: TimeoutError is an OSError
            self._stop()
            raise

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        child = self._context.Process(target=self._serve, args=(theirs,), daemon=True)
        child.start()
        theirs.close()
        return child, ours

    def _stop(self) -> None:
        if self._running is None:
            return
        child, pipe = self._running
        child.kill()
        child.join()
        pipe.close()
        self._running = None
