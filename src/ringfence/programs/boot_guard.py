"""The early unit: counts this boot and leaves the order for the sensor; at the end of the boot, says that it was
orderly.

    python -I -S boot_guard.py begin STATE RUN      before the sensor starts
    python -I -S boot_guard.py end STATE RUN        when the machine goes down in order

It is started before anything that it imports could have been repaired, so it imports next to nothing and finds the
package beside itself.  Nothing that happens to it may cost the boot: it always leaves an order if it can, tells the
journal in one line what it has done, and no unit requires it.
"""

import os
import sys
import time

if __name__ == "__main__":  # with -S nobody has told Python where the package is
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from ringfence.decide import boot_guard as machine
from ringfence.host import boot_level
from ringfence.host.boot_store import BootStore
from ringfence.model.boot import BOOT_ID_BYTES, BootOrder, BootRecord, Level
from ringfence.model.errors import RingfenceError


def boot_id() -> bytes:
    """The kernel's name of this boot; `UNKNOWN_BOOT` where /proc does not say it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            found = bytes.fromhex(file.read().strip().replace("-", ""))
    except (OSError, ValueError):
        return machine.UNKNOWN_BOOT
    return found if len(found) == BOOT_ID_BYTES else machine.UNKNOWN_BOOT


def uptime_s() -> int:
    """Seconds since the kernel started; those of a suspended machine count."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


def now_s() -> int:
    """Wall time for people; a clock before 1970 is none."""
    return max(0, int(time.time()))


def begin(state: str, run: str) -> str:
    """Count this boot and leave the order.  Returns the line for the journal."""
    order, why, again = _counted(BootStore(state))
    if not again or not os.path.exists(f"{run}/{boot_level.ORDER}"):
        boot_level.leave(run, order)
    end = "in order" if order.clean else "without order"
    said = f"boot guard: level {order.level.word}, the boot before ended {end}"
    if order.careful:
        said += "; carefully: the sensor starts only when the machine is up"
    return f"{said} ({why or order.reason.name.lower()})"


def _counted(store: BootStore) -> tuple[BootOrder, str, bool]:
    """The order of this boot, what stood in the way of counting it, and whether it was counted before."""
    found, damaged = store.load()
    record, order = machine.begin(found, boot_id(), store.activation_digest(), now_s(), damaged=damaged)
    if record is found:
        return order, "", True
    try:
        if found is None and damaged:
            store.make()
        store.write(record)
    except RingfenceError as error:
        return machine.uncounted(record), error.what, False
    return order, "", False


def note(store: BootStore, event: machine.Event) -> BootRecord | None:
    """Write down what happened in this boot.  None: it was never counted.  Raises DiskFull."""
    record, _ = store.load()
    if record is None or record.boot != boot_id():
        return None
    after = machine.step(record, event, now_s())
    if after is not record:
        store.write(after)
    return after


def main(words: list[str]) -> int:
    """Run `begin` or `end`; the exit status."""
    try:
        verb, state, run = words
        if verb == "begin":
            print(begin(state, run), flush=True)
        elif note(BootStore(state), machine.Ended(uptime_s())) is None:
            print("boot guard: this boot was not counted", flush=True)
    except Exception as error:  # noqa: BLE001 - a guard that fails must not cost the boot
        print(f"boot guard: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        _leave_careful(words)
        return 1
    return 0


def _leave_careful(words: list[str]) -> None:
    if words[:1] == ["begin"] and len(words) > len(("begin", "state")):
        try:
            boot_level.leave(words[-1], BootOrder(Level.NORMAL, clean=False, careful=True))
        except RingfenceError:
            pass  # without an order the sensor is careful by itself


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
