"""The directory of documents: what is in force, what waits, what is off."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.key_ring import NOON, key, keys, role_keys, sign, signed_documents

from ringfence.author.ceremonies import begin, change_keys, renew, sign_file
from ringfence.author.key_files import read_key, write_key_pair
from ringfence.author.outside_keys import imported_key
from ringfence.author.signing_summary import summary
from ringfence.author.trust_directory import TrustDirectory, load_document, report
from ringfence.author.whole_file import write_whole
from ringfence.model.errors import KeyRefused, PathRefused, SignatureRefused, UsageRefused
from ringfence.trust import roles


@pytest.fixture
def directory(tmp_path: Path) -> TrustDirectory:
    """A repository that is in force."""
    made = TrustDirectory(tmp_path / "trust")
    for role, document in zip(roles.OFFLINE, signed_documents(), strict=True):
        made.write(role, document)
    return made


def _sign(directory: TrustDirectory, name: str, *owners: str) -> list[str]:
    """Let people sign a file; what the last of them was shown."""
    shown: list[str] = []

    def confirm(lines: list[str]) -> bool:
        shown[:] = lines
        return True

    for one in keys(*owners):
        sign_file(directory.path / name, one, str, confirm)
    return shown


def test_what_is_signed_by_enough_people_is_in_force(directory: TrustDirectory) -> None:
    chain = directory.chain()
    assert [chain.is_pending(role) for role in roles.OFFLINE] == [False, False, False]
    assert [one.in_force for one in report(directory, NOON)] == [True, True, True]


def test_a_second_beginning_is_refused(directory: TrustDirectory) -> None:
    with pytest.raises(PathRefused, match="holds a repository already"):
        begin(directory, role_keys(), NOON)


def test_no_directory_and_no_root_are_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(PathRefused, match=str(path)):
            TrustDirectory(path).chain()


def test_a_missing_root_in_between_is_refused(directory: TrustDirectory) -> None:
    for version in (2, 3):
        renew(directory, roles.ROOT, NOON)
        _sign(directory, f"{version}.root.json", "Ada", "Mary")
    assert directory.chain().root.signed.version == 3
    directory.file_of(roles.ROOT, 2).unlink()
    with pytest.raises(SignatureRefused, match="missing between 1 and 3"):
        directory.chain()


def test_an_unsigned_root_under_a_signed_one_is_refused(directory: TrustDirectory) -> None:
    renew(directory, roles.ROOT, NOON)
    following = directory.load(roles.ROOT, 2)
    following.signed.version = 3
    directory.write(roles.ROOT, sign(following, "Ada", "Mary"))
    with pytest.raises(SignatureRefused, match="2 of 2 signatures are missing"):
        directory.chain()


def test_a_pending_version_leaves_the_one_before_it_in_force(directory: TrustDirectory) -> None:
    renew(directory, roles.CONTENT, NOON + timedelta(days=80))
    chain = directory.chain()
    assert chain.content is not None
    assert (chain.content.signed.version, chain.is_pending(roles.CONTENT)) == (1, True)
    _sign(directory, "2.content.json", "Emmy", "Rosa")
    assert not directory.chain().is_pending(roles.CONTENT)


def test_a_person_is_shown_what_changes_and_may_say_no(directory: TrustDirectory) -> None:
    lise = key("Lise").keyid
    path = change_keys(directory, roles.CONTENT, added=keys("Hedy"), removed=[lise], threshold=3, now=NOON)
    before = path.read_bytes()
    with pytest.raises(UsageRefused, match="nothing was signed"):
        sign_file(path, key("Ada"), str, lambda _: False)
    assert path.read_bytes() == before
    shown = "\n".join(_sign(directory, path.name, "Ada", "Grace"))
    assert "content: 3 of 3 must sign" in shown
    assert "! was 2 of 3" in shown
    assert f"- Lise {lise[:16]}" in shown
    assert "+ Hedy" in shown


def test_a_document_alone_is_shown_with_nothing_to_compare_it_with(directory: TrustDirectory, tmp_path: Path) -> None:
    alone = tmp_path / "usb" / "1.targets.json"
    alone.parent.mkdir()
    alone.write_bytes(directory.file_of(roles.TARGETS, 1).read_bytes())
    assert "compared with nothing" in _sign(TrustDirectory(alone.parent), alone.name, "Grace")[1]
    assert len(load_document(alone)[1].signatures) == 2


def test_keys_of_targets_follow_root_and_are_not_changed_alone(directory: TrustDirectory) -> None:
    with pytest.raises(UsageRefused, match="root's"):
        change_keys(directory, roles.TARGETS, added=keys("Hedy"), removed=(), threshold=None, now=NOON)


@pytest.mark.parametrize("name", ["root.json", "01.root.json", "1.rollout.json", "1.root.json.bak"])
def test_a_file_of_another_name_is_no_document(directory: TrustDirectory, name: str) -> None:
    path = directory.path / name
    path.write_bytes(b"{}")
    with pytest.raises(PathRefused, match="is not named"):
        load_document(path)
    assert directory.versions(roles.ROOT) == [1]


def test_a_summary_names_an_unreadable_note(directory: TrustDirectory) -> None:
    content = directory.load(roles.CONTENT, 1)
    root = directory.load(roles.ROOT, 1)
    assert "sha256" in summary(roles.CONTENT, content, None)[-1]
    assert any("root: 2 of 3" in line for line in summary(roles.ROOT, root, None))


def test_a_key_pair_is_private_from_its_first_byte_and_read_back(tmp_path: Path) -> None:
    public = write_key_pair(key("Ada"), tmp_path / "ada.key")
    assert stat.S_IMODE((tmp_path / "ada.key").stat().st_mode) == 0o600
    assert read_key(tmp_path / "ada.key") == key("Ada")
    assert read_key(public) == key("Ada").public_half()
    (tmp_path / "ada.key").chmod(0o604)
    with pytest.raises(KeyRefused, match="others may reach"):
        read_key(tmp_path / "ada.key")
    with pytest.raises(PathRefused):
        read_key(tmp_path / "none.key")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathRefused, match="none/x"):
        write_whole(tmp_path / "none" / "x", b"")


def test_an_address_of_no_known_kind_is_refused() -> None:
    with pytest.raises(UsageRefused, match="is no address of a key"):
        imported_key("Ada", "file:/etc/shadow", str)
