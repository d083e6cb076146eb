"""A small signed repository of a test: people's documents, a server's keys, releases, and what is published of them."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.support.key_ring import CONTENT_OWNERS, ROOT_OWNERS, key, keys, role_keys
from tests.support.synthetic_pack import release_of, synthetic_rules

from ringfence.author.ceremonies import begin, change_keys, renew, sign_file
from ringfence.author.publish import offered
from ringfence.author.sign import add_releases
from ringfence.author.trust_directory import TrustDirectory
from ringfence.control.online_keys import OnlineKeys
from ringfence.control.repository import CURRENT, Judge, Published, Repository
from ringfence.host.repository_judge import judge
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.metadata import encode_metadata
from ringfence.wire.key_document import encode_key
from ringfence.wire.release import decode_release
from ringfence.wire.rollout import Rollout, RolloutEntry


def small_release(version: int, *, rules: int = 40, name: str = "synthetic") -> bytes:
    """A release of which each version shares nearly everything with the one before."""
    return release_of(
        [*synthetic_rules(rules, seed=7), *synthetic_rules(1, seed=version, first=50_000 + version)],
        version=version,
        name=name,
    )


@dataclass
class ContentRepository:
    """Everything below one directory.  `now` is the time of the next act; the library looks at the real clock."""

    path: Path
    now: datetime = field(default_factory=wall_time)

    def __post_init__(self) -> None:
        """Make the server's keys and the first documents."""
        self.trust = TrustDirectory(self.path / "trust")
        self.online = self.path / "keys"
        self.served = Repository(self.path / "repository", OnlineKeys(self.online))
        self.online.mkdir(parents=True, exist_ok=True)
        for role in roles.ONLINE:
            self.use_key(role, f"{role} server")
        begin(self.trust, role_keys(), self.now)
        self.sign(1, roles.ROOT, *ROOT_OWNERS[:2])
        self.sign(1, roles.TARGETS, *ROOT_OWNERS[:2])
        self.sign(1, roles.CONTENT, *CONTENT_OWNERS[:2])

    @property
    def current(self) -> Path:
        """What is served."""
        return self.path / "repository" / CURRENT

    @property
    def first_root(self) -> bytes:
        """What a host is given to begin with."""
        return self.trust.file_of(roles.ROOT, 1).read_bytes()

    def use_key(self, role: str, owner: str) -> None:
        """Give the server a key for one of its roles."""
        file = self.online / f"{role}.key"
        file.write_bytes(encode_key(key(owner)))
        file.chmod(0o600)

    def sign(self, version: int, role: str, *owners: str) -> None:
        """Let people sign."""
        for one in keys(*owners):
            sign_file(self.trust.file_of(role, version), one, str, lambda _: True)

    def add(self, *releases: bytes, owners: tuple[str, ...] = CONTENT_OWNERS[:2]) -> None:
        """Add releases to content and let people sign."""
        named = [(f"release-{place}", one) for place, one in enumerate(releases)]
        path = add_releases(self.trust, named, unproven=True, now=self.now)
        self.sign(int(path.name.partition(".")[0]), roles.CONTENT, *owners)

    def change(self, role: str, *, added: tuple[str, ...] = (), removed: tuple[str, ...] = (), by: tuple[str, ...] = (),
               threshold: int | None = None) -> None:
        """Change a role's keys, signed by `by`."""
        path = change_keys(
            self.trust, role, added=keys(*added), removed=[key(one).keyid for one in removed], threshold=threshold,
            now=self.now,
        )  # fmt: skip
        number, document, _ = path.name.split(".")
        self.sign(int(number), document, *(by or ROOT_OWNERS[:2]))

    def renew(self, role: str, *owners: str) -> None:
        """Renew a document of people."""
        path = renew(self.trust, role, self.now)
        self.sign(int(path.name.partition(".")[0]), role, *owners)

    def publish(self, release: bytes | None = None, *, channel: str = "stable", judge_with: Judge | None = None,
                version: int = 0) -> Published:
        """Publish what is signed; with a release, the channel gets it."""
        changed = {}
        if release is not None:
            entry = RolloutEntry(
                hashlib.sha256(release).hexdigest(), version or decode_release(release).manifest.version
            )
            changed[channel] = Rollout(channel, (entry,))
        before = self.served.published()
        offline = offered(self.trust)
        channels = sorted({*changed, *(before.rollouts if before else ())})
        first = encode_metadata((before.offline if before else offline).roots[0])
        served = self.current.resolve() if before else None
        return self.served.publish(
            offline,
            lambda path: self.trust.target_files / path,
            changed,
            self.now,
            judge_with or (lambda generation: judge(generation, served, first, channels, self.now)),
        )
