"""A host believes a release that is proven for it, and no other."""

import dataclasses
import hashlib

import pytest
from tests.unit.wire.contract_fixtures import sensor
from tests.unit.wire.proof_examples import proven
from tests.unit.wire.release_fixtures import small_release

from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused
from ringfence.model.proof import EngineFacts, Proof
from ringfence.model.release import Release
from ringfence.programs.own_contract import own_contract
from ringfence.programs.proof_gate import check_proven, packaged_sha256
from ringfence.programs.starter_content import starter_release
from ringfence.programs.zygote import _load
from ringfence.wire.contract import contract_digest
from ringfence.wire.manifest import proof_subject
from ringfence.wire.proof import encode_proof
from ringfence.wire.release import decode_release, encode_release

CONTRACT = own_contract()
STARTER = decode_release(starter_release())


def proof_for(release: Release, contract: SensorContract = CONTRACT) -> Proof:
    """A proof that `release` is good for a sensor of this contract."""
    engine = EngineFacts(contract.build, contract.engine, contract.engine_version, contract_digest(contract))
    return dataclasses.replace(
        proven(),
        subject_sha256=proof_subject(release.manifest),
        name=release.manifest.name,
        version=release.manifest.version,
        engines=(engine,),
    )


def with_proof(release: Release, proof: Proof) -> Release:
    """`release` with a proof inside."""
    data = encode_proof(proof)
    manifest = dataclasses.replace(release.manifest, proof_sha256=hashlib.sha256(data).hexdigest())
    return dataclasses.replace(release, manifest=manifest, proof=data)


def test_the_packaged_release_is_known_by_its_bytes() -> None:
    assert packaged_sha256() == hashlib.sha256(starter_release()).hexdigest()


def test_a_proven_release_is_believed_also_by_the_loader() -> None:
    release = with_proof(STARTER, proof_for(STARTER))
    check_proven(release, CONTRACT)
    content, _, manifest = _load(encode_release(release), CONTRACT, frozenset(), unproven=False)
    assert len(content.rules) == len(manifest.rules) == len(STARTER.manifest.rules)


def test_a_release_without_a_proof_is_refused_before_it_is_compiled() -> None:
    bare = dataclasses.replace(STARTER, manifest=dataclasses.replace(STARTER.manifest, proof_sha256=""), proof=b"")
    with pytest.raises(ContentRefused, match="it has no proof inside") as caught:
        _load(encode_release(bare), CONTRACT, frozenset(), unproven=False)
    assert "--allow-unproven" in caught.value.way_out
    assert "content prove" in caught.value.way_out


def test_the_proof_of_another_release_is_refused() -> None:
    with pytest.raises(ContentRefused, match="does not count here: it proves"):
        check_proven(with_proof(STARTER, proof_for(small_release())), CONTRACT)


def test_a_changed_release_has_lost_its_proof() -> None:
    release = with_proof(STARTER, proof_for(STARTER))
    manifest = dataclasses.replace(release.manifest, description="changed after the proof")
    with pytest.raises(ContentRefused, match="does not count here"):
        check_proven(dataclasses.replace(release, manifest=manifest), CONTRACT)


def test_a_proof_for_another_contract_is_refused() -> None:
    other = sensor()
    assert contract_digest(other) != contract_digest(CONTRACT)
    with pytest.raises(ContentRefused, match="was not tried in"):
        check_proven(with_proof(STARTER, proof_for(STARTER, other)), CONTRACT)


def test_a_member_that_is_no_proof_is_refused_with_its_place() -> None:
    data = b'{"proof":1}'
    manifest = dataclasses.replace(STARTER.manifest, proof_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ContentRefused, match=r"proof\.json"):
        check_proven(dataclasses.replace(STARTER, manifest=manifest, proof=data), CONTRACT)


def test_a_waiver_that_ended_meanwhile_takes_no_protection_away() -> None:
    proof = proof_for(STARTER)
    assert proof.waivers[0].expires_s > proof.made_s
    check_proven(with_proof(STARTER, proof), CONTRACT)
