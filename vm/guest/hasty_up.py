"""`ringfence up` as it is installed, but for two words on the kernel's command line.

`haste=N`: the activation machine's time passes faster; a soak of ten minutes is no test's to wait for.
`unguarded`: it takes no orders of the boot guard, for a case that shows the damage.
"""

import functools
import sys

from ringfence.host.sensor import Wanted
from ringfence.programs import cli, up

if __name__ == "__main__":
    with open("/proc/cmdline", encoding="ascii") as file:
        told = file.read().split()
    words = [word for word in told if word.startswith("haste=")]
    if words:
        haste = int(words[0].removeprefix("haste="))
        setattr(up, "Wanted", functools.partial(Wanted, haste=haste))  # noqa: B010 - a name that up imports
    asked = sys.argv[1:]
    if "unguarded" in told:
        at = asked.index("--boot-order")
        del asked[at : at + 2]
    cli.main(asked)
