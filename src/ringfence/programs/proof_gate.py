"""A host's last look before it believes a release: is it proven, for this very engine under this very contract?

1. The release that the package carries is as much a part of this build as its code, and is believed like it; a test
   holds that it is proven.
2. Every other release needs a proof inside, whose digest its manifest names, and which has nothing against it.
3. Unless whoever started the sensor said `--allow-unproven`.

The end of a waiver is looked at when the proof is made and when the release is published, never here: a host whose
clock is wrong must not lose its protection for it.
"""

import hashlib
import os
from typing import Final

import ringfence
from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused
from ringfence.model.release import Release
from ringfence.trust.proof_check import Asker, reasons_against
from ringfence.wire.contract import contract_digest
from ringfence.wire.manifest import proof_subject
from ringfence.wire.proof import decode_proof

PACKAGED: Final = os.path.join("content_files", "starter.release")
WAY_OUT: Final = (
    "prove it with `ringfence content prove RELEASE -o PROVEN` and load that;"
    " a sensor started with --allow-unproven takes it as it is"
)


def packaged_sha256() -> str:
    """The digest of the release that the package carries; asked before the sandbox closes."""
    with open(os.path.join(os.path.dirname(str(ringfence.__file__)), PACKAGED), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_proven(release: Release, contract: SensorContract) -> None:
    """Raises ContentRefused, with everything that is against it, unless `release` is proven for `contract`."""
    manifest = release.manifest
    if not release.proof:
        raise ContentRefused("nobody has proven that it cannot hurt a host: it has no proof inside", WAY_OUT)
    proof = decode_proof(release.proof)
    reasons = reasons_against(
        proof,
        subject_sha256=proof_subject(manifest),
        name=manifest.name,
        version=manifest.version,
        asker=Asker(contract.engine, contract.engine_version, contract_digest(contract)),
        now_s=proof.made_s,
    )
    if reasons:
        raise ContentRefused(f"its proof does not count here: {'; '.join(reasons)}", WAY_OUT)
