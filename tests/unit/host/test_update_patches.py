"""A patch makes the signed release out of the one that a host holds, or costs nothing but the whole file."""

import hashlib
from typing import Any

import pytest
from tests.support.content_repository import ContentRepository
from tests.support.update_host import ONE, THREE, TWO, Host, LyingFetcher, check_refused, kept, resigned
from tuf.api.metadata import Metadata, TargetFile

from ringfence.wire.patch import make_patch, tar_of


def _with_patch(repository: ContentRepository) -> str:
    repository.add(TWO)
    repository.publish(TWO)
    (name,) = [file.name for file in (repository.current / "targets/patches").iterdir()]
    return name


def test_a_host_that_holds_the_release_before_fetches_only_a_patch(host: Host, repository: ContentRepository) -> None:
    _with_patch(repository)
    fetcher = LyingFetcher(repository.current, lambda _, data: data)
    assert host.look(fetcher, held=ONE) == TWO
    assert not [url for url in fetcher.asked if url.endswith(".release")]


@pytest.mark.parametrize("held", [b"", THREE, b"not a release"], ids=["nothing", "another release", "noise"])
def test_a_host_without_the_old_release_fetches_the_whole(
    host: Host, repository: ContentRepository, held: bytes
) -> None:
    _with_patch(repository)
    assert host.look(repository.current, held=held) == TWO


@pytest.mark.parametrize("how", ["missing", "noise", "cut", "longer"])
def test_a_wrong_patch_costs_nothing_but_the_whole_file(host: Host, repository: ContentRepository, how: str) -> None:
    name = _with_patch(repository)
    served = kept(repository)
    patch = served / "targets/patches" / name
    data = patch.read_bytes()
    patch.unlink()
    if how != "missing":
        patch.write_bytes({"noise": bytes(len(data)), "cut": data[:-3], "longer": data + b"x"}[how])
    assert host.look(served, held=ONE) == TWO


def test_a_signed_patch_that_makes_another_release_is_not_believed(host: Host, repository: ContentRepository) -> None:
    """Two content keys are stolen and sign a hostile patch: the release's own digest still decides."""
    _with_patch(repository)
    served = kept(repository)
    hostile = make_patch(tar_of(ONE), tar_of(TWO)[:-512] + b"evil".ljust(512, b"\0"))
    names: list[str] = []

    def replace_patch(document: Metadata[Any]) -> None:
        for path in list(document.signed.targets):
            if path.startswith("patches/"):
                document.signed.targets[path] = TargetFile.from_data(path, hostile, ["sha256"])
                names.append(path.rpartition("/")[2])

    data = resigned(served / "metadata/3.content.json", replace_patch, "Lise", "Emmy")
    (served / "metadata/3.content.json").write_bytes(data)
    (served / "targets/patches" / f"{hashlib.sha256(hostile).hexdigest()}.{names[0]}").write_bytes(hostile)
    assert host.look(served, held=ONE) == TWO


def test_a_patch_for_another_library_is_not_tried(host: Host, repository: ContentRepository) -> None:
    _with_patch(repository)
    served = kept(repository)

    def other_library(document: Metadata[Any]) -> None:
        for target in document.signed.targets.values():
            if target.custom:
                target.unrecognized_fields["custom"] = {**target.custom, "zstd": "9.9.9"}

    data = resigned(served / "metadata/3.content.json", other_library, "Lise", "Emmy")
    (served / "metadata/3.content.json").write_bytes(data)
    fetcher = LyingFetcher(served, lambda _, data: data)
    assert host.look(fetcher, held=ONE) == TWO
    assert not [url for url in fetcher.asked if "patches" in url]


def test_a_note_that_is_off_is_refused(host: Host, repository: ContentRepository) -> None:
    served = kept(repository)

    def strange(document: Metadata[Any]) -> None:
        for target in document.signed.targets.values():
            target.unrecognized_fields["custom"] = {"unproven": False}

    data = resigned(served / "metadata/2.content.json", strange, "Lise", "Emmy")
    (served / "metadata/2.content.json").write_bytes(data)
    check_refused(host, served, "lacks the field")
