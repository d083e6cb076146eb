"""`ringfence up` with the activation machine's time passing faster where the kernel's command line says `haste=N`.

A soak of ten minutes is no test's to wait for.  Nothing else differs from the installed command.
"""

import functools
import sys

from ringfence.host.sensor import Wanted
from ringfence.programs import cli, up

if __name__ == "__main__":
    with open("/proc/cmdline", encoding="ascii") as file:
        words = [word for word in file.read().split() if word.startswith("haste=")]
    if words:
        haste = int(words[0].removeprefix("haste="))
        setattr(up, "Wanted", functools.partial(Wanted, haste=haste))  # noqa: B010 - a name that up imports
    cli.main(sys.argv[1:])
