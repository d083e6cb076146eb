"""The harness's hand in the guest: runs the commands that come over the second serial port, one JSON line each.

It says hello with the boot's name when it starts.  Nothing that it does is needed for the machine to come up.
"""

import json
import os
import subprocess
import time
import tty

PORT = "/dev/ttyS1"


def main() -> None:
    """Until the machine goes down."""
    port = os.open(PORT, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(port)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        say(port, {"hello": file.read().strip()})
    with os.fdopen(os.dup(port), "rb") as lines:
        for line in lines:
            try:
                wanted = json.loads(line)
            except ValueError:
                continue
            say(port, {"answer": wanted["number"], **done(wanted["words"], wanted["timeout_s"])})


def done(words: list[str], timeout_s: float) -> dict[str, object]:
    """Exit status and output of a command."""
    began = time.monotonic()
    try:
        run = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=timeout_s,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"status": -1, "output": f"{type(error).__name__}: {error}", "seconds": time.monotonic() - began}
    output = run.stdout.decode("utf-8", "replace")
    return {"status": run.returncode, "output": output, "seconds": time.monotonic() - began}


def say(port: int, value: dict[str, object]) -> None:
    """One line."""
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(port, data) :]


if __name__ == "__main__":
    main()
