"""The contract of this very build, as the package carries it (`detect/supplied.py` makes it).

Read from its file, and before a process drops: nothing of the engine's packaging has to be looked up on a host.
"""

import os
from typing import Final

import ringfence
from ringfence.model.contract import SensorContract
from ringfence.wire.contract import decode_contract

CONTRACT_FILE: Final = "contract.json"


def own_contract_bytes() -> bytes:
    """The canonical bytes of this build's contract."""
    with open(os.path.join(os.path.dirname(str(ringfence.__file__)), CONTRACT_FILE), "rb") as stream:
        return stream.read()


def own_contract() -> SensorContract:
    """The contract of this build.  Raises ContentRefused if the package is damaged."""
    return decode_contract(own_contract_bytes(), CONTRACT_FILE)
