"""Work in a process of its own that has nothing from this one, as the zygote has: no engine's threads, no memory grown.

A fork of a test run that has used the engine before has its state without its timer thread: nothing in it times out.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_fresh_process(work: Callable[P, T], *arguments: P.args, **words: P.kwargs) -> T:
    """What `work`, a function of a module, gives in a new interpreter."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments, **words).result()
