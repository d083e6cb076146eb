"""What a command says when it fails: an error of the tree in `model/errors.py`, or that a failure is our bug."""

import errno
import os
import sys

from ringfence.model.errors import DiskFull, InternalError, RingfenceError


def tell(error: Exception) -> RingfenceError:
    """Print `error` on standard error; returns it, or the error of the tree that stands for it.

    The last line of defence: an operator never sees a traceback, except one who asked with RINGFENCE_TRACEBACK=1.
    """
    if not isinstance(error, RingfenceError):
        if os.environ.get("RINGFENCE_TRACEBACK") == "1":
            raise error
        error = _of_the_tree(error)
    print(error.operator_text(), file=sys.stderr)
    return error


def _of_the_tree(error: Exception) -> RingfenceError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "what the command prints"
        return DiskFull(f"{where} cannot be written: {error.strerror}", "make room, then run it again")
    return InternalError(
        f"{type(error).__name__}: {error}",
        "this is our bug: run again with RINGFENCE_TRACEBACK=1 and report what it prints",
    )


def settle_output() -> None:
    """Write out what was printed; what cannot be written goes nowhere, and is not tried again when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
