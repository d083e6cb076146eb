"""The inventory of a fleet: one contract of a sensor build per file, in a directory (`--contracts DIR`)."""

from pathlib import Path
from typing import Final

from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import CONTRACT_BYTES_MAX, CONTRACTS_FILES_MAX
from ringfence.wire.contract import decode_contract

WAY_OUT: Final = "put the contract of every build of the fleet there: `ringfence content show --contract` prints one"


def read_contracts(directory: Path) -> tuple[SensorContract, ...]:
    """The contracts below `directory`, in the order of their builds, each build once.

    Raises PathRefused for a directory without contracts: nothing empty means yes.  Raises ContentRefused for a file
    that is none.
    """
    try:
        paths = sorted(path for path in directory.glob("*.json") if path.is_file())
        sizes = {path: path.stat().st_size for path in paths}
        if not paths:
            raise PathRefused(f"{directory} holds no contract (no file ends in .json)", WAY_OUT)
        if len(paths) > CONTRACTS_FILES_MAX:
            raise ContentRefused(
                f"holds {len(paths)} contracts, more than the {CONTRACTS_FILES_MAX} allowed",
                "leave out builds that no host runs any more",
                file=str(directory),
            )
        if large := [path for path in paths if sizes[path] > CONTRACT_BYTES_MAX]:
            raise ContentRefused(f"has more than {CONTRACT_BYTES_MAX} bytes", WAY_OUT, file=str(large[0]))
        found = [decode_contract(path.read_bytes(), str(path)) for path in paths]
    except OSError as error:
        raise PathRefused(f"{directory} cannot be read: {error.strerror}", "check its rights") from error
    return tuple(sorted(dict.fromkeys(found), key=lambda contract: contract.build))
