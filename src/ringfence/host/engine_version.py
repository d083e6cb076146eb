"""Which version of the rule engine is installed: from the name of its metadata's directory, beside the engine itself.

The engine does not say it, and the standard library's reader of package metadata would bring mail parsers into a
process that reads rules.  Asked before the sandbox closes.
"""

import os
import re
from typing import Final

import yara_x

UNKNOWN: Final = "unknown"
_METADATA: Final = re.compile(r"yara_x-([0-9][0-9A-Za-z.+_-]*)\.dist-info")


def engine_version() -> str:
    """The version of the engine that this process has loaded, or "unknown"."""
    beside = os.path.dirname(os.path.dirname(os.path.abspath(str(yara_x.__file__))))
    for directory in (beside, os.path.dirname(os.path.abspath(str(yara_x.__file__)))):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            if found := _METADATA.fullmatch(name):
                return found[1]
    return UNKNOWN
