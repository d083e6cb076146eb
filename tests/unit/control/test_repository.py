"""The published repository: all at once or not at all, one publisher at a time, nothing that a host would refuse."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.content_repository import ContentRepository, small_release
from tests.support.key_ring import key, sign

from ringfence.author.trust_directory import TrustDirectory
from ringfence.control.online_keys import OnlineKeys
from ringfence.control.repository import Published, Repository
from ringfence.host.repository_judge import DirectoryFetcher
from ringfence.host.update_look import Look
from ringfence.model.errors import DiskFull, KeyRefused, SignatureRefused
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.keys import seal
from ringfence.wire.key_document import encode_key

ONE, TWO = small_release(1), small_release(2)


@pytest.fixture
def repository(tmp_path: Path) -> ContentRepository:
    """A repository that serves release one, with release two signed."""
    made = ContentRepository(tmp_path / "author")
    made.add(ONE)
    made.publish(ONE)
    made.add(TWO)
    return made


def _fresh(repository: ContentRepository, tmp_path: Path) -> bytes:
    """What a fresh host gets."""
    directory = tmp_path / f"host-{len(list(tmp_path.iterdir()))}"
    directory.mkdir()
    look = Look(directory, DirectoryFetcher(repository.current), repository.first_root)
    selected = look.select("stable", wall_time())
    assert selected is not None
    return look.fetch(selected, b"").data


class PowerCut(BaseException):
    """The machine is off."""


class Mains:
    """Counts what touches the disk below a path, and ends everything at the act that is asked for."""

    def __init__(self) -> None:
        self.below = ""
        self.acts = 0
        self.cut_at: int | None = None
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.below or event not in ("open", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.remove"):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_CREAT | os.O_DIRECTORY)):
            return
        if not any(str(one).startswith(self.below) for one in arguments[:2] if isinstance(one, str | Path)):
            return
        self.acts += 1
        if self.cut_at is not None and self.acts >= self.cut_at:
            raise PowerCut

    @contextmanager
    def watching(self, path: Path, cut_at: int | None) -> Iterator[None]:
        """Count, and cut; everything after the cut fails too, because the machine is off."""
        self.below, self.acts, self.cut_at = str(path), 0, cut_at
        try:
            yield
        finally:
            self.below = ""


MAINS = Mains()


def test_a_power_cut_at_any_step_leaves_a_repository_that_hosts_take(
    repository: ContentRepository, tmp_path: Path
) -> None:
    with MAINS.watching(repository.path / "repository", None):
        repository.publish(TWO)
    acts = MAINS.acts
    assert acts > 20
    third = small_release(3)
    repository.add(third)
    served = {ONE: 0, TWO: 0, third: 0}
    for cut_at in range(1, acts + 1):
        with MAINS.watching(repository.path / "repository", cut_at), pytest.raises(PowerCut):
            repository.publish(third, judge_with=lambda _: None)
        assert isinstance(repository.served.published(), Published)
        if cut_at % 5 == 0 or cut_at >= acts - 3:
            served[_fresh(repository, tmp_path)] += 1
    assert served[TWO] > 0
    repository.publish(third)
    assert _fresh(repository, tmp_path) == third
    generations = sorted(entry.name for entry in (repository.path / "repository/generations").iterdir())
    assert len(generations) == 2, "the one that is served and the one before"


def test_two_publishers_follow_each_other(repository: ContentRepository, tmp_path: Path) -> None:
    """Both succeed, one after the other: the second sees what the first has published."""
    inside = threading.Event()
    overlap: list[str] = []
    turns = threading.Semaphore(1)

    def watched(_: Path) -> None:
        if not turns.acquire(blocking=False):
            overlap.append("two at once")
        inside.set()
        turns.release()

    threads = [
        threading.Thread(target=lambda: repository.publish(TWO, judge_with=watched), daemon=True) for _ in range(3)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert overlap == []
    published = repository.served.published()
    assert published is not None
    assert published.online.timestamp.signed.version == 4
    assert _fresh(repository, tmp_path) == TWO


@pytest.mark.parametrize(
    "refuse",
    [SignatureRefused("a host would refuse it", "no"), DiskFull("full", "no"), KeyboardInterrupt()],
)
def test_what_the_judge_refuses_is_never_served(
    repository: ContentRepository, tmp_path: Path, refuse: BaseException
) -> None:
    def judge(generation: Path) -> None:
        assert (generation / "metadata/timestamp.json").is_file()
        raise refuse

    with pytest.raises(type(refuse)):
        repository.publish(TWO, judge_with=judge)
    assert _fresh(repository, tmp_path) == ONE
    assert [one.name for one in (repository.path / "repository/generations").iterdir()] == ["00000001"]


def test_a_release_that_content_does_not_vouch_for_is_refused(repository: ContentRepository) -> None:
    with pytest.raises(SignatureRefused, match="does not vouch for"):
        repository.publish(small_release(9))
    with pytest.raises(SignatureRefused, match="as version 9"):
        repository.publish(TWO, version=9)


def test_a_file_that_is_not_what_was_signed_is_refused(repository: ContentRepository, tmp_path: Path) -> None:
    (file,) = [one for one in repository.trust.target_files.glob("releases/*") if one.read_bytes() == TWO]
    file.write_bytes(TWO[:-1])
    with pytest.raises(SignatureRefused, match="is not the file that was signed"):
        repository.publish(TWO)
    file.unlink()
    with pytest.raises(SignatureRefused, match="No such file"):
        repository.publish(TWO)
    assert _fresh(repository, tmp_path) == ONE


def test_nothing_goes_back(repository: ContentRepository, tmp_path: Path) -> None:
    """A publisher with an older trust directory, or another history, is refused."""
    older = tmp_path / "older"
    shutil.copytree(repository.trust.path, older)
    (older / "3.content.json").unlink()
    repository.publish(TWO)
    repository.trust = TrustDirectory(older)
    with pytest.raises(SignatureRefused, match="content 3 is published already, and this is 2"):
        repository.publish()
    repository.add(small_release(5))
    with pytest.raises(SignatureRefused, match="content 3 is not the one that is published"):
        repository.publish()
    stranger = ContentRepository(tmp_path / "stranger", now=repository.now + timedelta(minutes=1))
    stranger.served = repository.served
    with pytest.raises(SignatureRefused, match="root 1 is not the one that is published"):
        stranger.publish()
    assert _fresh(repository, tmp_path) == TWO


def test_a_document_that_has_expired_is_not_published(tmp_path: Path) -> None:
    old = ContentRepository(tmp_path / "author", now=wall_time() - timedelta(days=91))
    old.add(ONE)
    old.now = wall_time()
    with pytest.raises(SignatureRefused, match="content has expired"):
        old.publish(ONE)


def test_the_server_renews_its_own_roles_in_time(repository: ContentRepository, tmp_path: Path) -> None:
    """Day by day for a month: nothing that it signs is ever within a day of its end, and content is never touched."""
    first = repository.served.published()
    assert first is not None
    for day in range(1, 31):
        now = repository.now + timedelta(days=day)
        repository.served.renew(now)
        published = repository.served.published()
        assert published is not None
        online = published.online
        for end in (online.rollout.signed.expires, online.snapshot.signed.expires, online.timestamp.signed.expires):
            assert end - now > timedelta(days=1), day
        assert published.offline.content.signed == first.offline.content.signed
    assert repository.served.renew(repository.now + timedelta(days=30, hours=1)) is None
    assert _fresh(repository, tmp_path) == ONE


def test_keys_that_people_did_not_name_sign_nothing(repository: ContentRepository, tmp_path: Path) -> None:
    repository.use_key(roles.TIMESTAMP, "a thief")
    with pytest.raises(SignatureRefused, match="key for timestamp is not one that root names"):
        repository.publish(TWO)
    assert _fresh(repository, tmp_path) == ONE


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.chmod(0o644), "others may read"),
        (lambda file: file.write_bytes(b"{}"), "lacks the field"),
        (lambda file: file.write_bytes(encode_key(key("a").public_half())), "only the public half"),
        (
            lambda file: file.write_bytes(
                encode_key(seal("a", bytes(32), "passphrase", salt=bytes(16), nonce=bytes(12), cost=16_384))
            ),
            "behind a passphrase",
        ),
    ],
)
def test_an_online_key_that_is_off_is_refused(
    repository: ContentRepository, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(repository.online / "snapshot.key")
    with pytest.raises(KeyRefused, match=words):
        OnlineKeys(repository.online).sign(roles.SNAPSHOT, b"data")


def test_hosts_in_the_middle_of_a_refresh_find_the_files_of_the_generation_before(
    repository: ContentRepository,
) -> None:
    before = {str(file.relative_to(repository.current)) for file in repository.current.rglob("*.*")}
    repository.publish(TWO)
    after = {str(file.relative_to(repository.current)) for file in repository.current.rglob("*.*")}
    assert before <= after


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "2.content.json", "1.root.json"])
def test_a_damaged_repository_is_said_and_not_built_upon(repository: ContentRepository, name: str) -> None:
    file = repository.current / "metadata" / name
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[:-9])
    with pytest.raises(SignatureRefused, match=name):
        repository.publish(TWO)


def test_an_empty_repository_has_nothing_to_renew(tmp_path: Path) -> None:
    empty = Repository(tmp_path / "repository", OnlineKeys(tmp_path))
    assert empty.published() is None
    assert empty.renew(wall_time()) is None


def test_signatures_that_were_added_later_are_no_other_content(repository: ContentRepository) -> None:
    repository.publish(TWO)
    repository.sign(3, roles.CONTENT, "Rosa")
    repository.publish(TWO)
    document = repository.trust.load(roles.CONTENT, 3)
    assert len(document.signatures) == 3
    assert sign(document, "Rosa").signed.version == 3
