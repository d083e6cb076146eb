"""The package manager's digests: each is found, nothing else is; a broken database vouches for less, not more."""

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ringfence.host.vouched import VouchedDigests, from_dpkg


def md5(text: str) -> bytes:
    """A digest as dpkg records it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


@given(st.sets(st.binary(min_size=16, max_size=16), max_size=60), st.binary(min_size=16, max_size=16))
def test_exactly_what_is_in_the_set_is_held(digests: set[bytes], other: bytes) -> None:
    vouched = VouchedDigests(digests)
    assert len(vouched) == len(digests)
    assert all(vouched.holds(digest) for digest in digests)
    assert vouched.holds(other) == (other in digests)


def test_every_package_is_read(tmp_path: Path) -> None:
    (tmp_path / "bash.md5sums").write_text(f"{md5('bash').hex()}  bin/bash\n")
    (tmp_path / "dash.md5sums").write_text(f"{md5('dash').hex()}  bin/dash\n{md5('sh').hex()}  bin/sh\n")
    (tmp_path / "dash.list").write_text(f"{md5('list').hex()}  not a digest file\n")
    vouched = from_dpkg(str(tmp_path))
    assert [vouched.holds(md5(name)) for name in ("bash", "dash", "sh", "list")] == [True, True, True, False]


def test_lines_that_are_none_vouch_for_nothing(tmp_path: Path) -> None:
    lines = ["", "too short", "z" * 32 + "  bin/x", md5("joined").hex() + "bin/x", md5("good").hex() + "  bin/good"]
    (tmp_path / "broken.md5sums").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    vouched = from_dpkg(str(tmp_path))
    assert (len(vouched), vouched.holds(md5("good"))) == (1, True)


def test_no_database_vouches_for_nothing(tmp_path: Path) -> None:
    assert len(from_dpkg(str(tmp_path / "nowhere"))) == 0
