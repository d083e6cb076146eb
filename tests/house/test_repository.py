"""What may not be in the repository: names of registries, addresses of a developer's machine, large or binary files."""

import re
from typing import Final

from tests.house.sources import relative, repository_files, text_of

REGISTRY_HOST: Final = re.compile(
    r"\b(?:[a-z0-9-]+\.)*(?:(?:pypi|pythonhosted|npmjs|yarnpkg|jsdelivr|unpkg|crates|rubygems)\.(?:org|com|io|net)"
    r"|(?:deb|ftp|security|snapshot|cdn)\.debian\.org)\b"
)
"""A build asks its machine's own configuration where packages come from."""

LOCAL_PATH: Final = re.compile(r"(?<![\w.])/(?:wor[k]|hom[e]/[a-z]+|roo[t]/[a-z.]+|op[t]/wheels)/")
FILE_BYTES_MAX: Final = 600_000
LOCAL_PATH_IS_A_SAMPLE: Final = ("content/", "tests/", "bench/", "faults/", "vm/")
"""Rules, their samples and tests name paths of the machines they speak about."""


def test_no_registry_is_named() -> None:
    named = [
        f"{relative(path)}: {found.group()}"
        for path in repository_files()
        if not relative(path).startswith("content/") and (found := REGISTRY_HOST.search(text_of(path)))
    ]
    assert named == []


def test_no_path_of_a_developer_is_named() -> None:
    named = [
        f"{relative(path)}: {found.group()}"
        for path in repository_files()
        if not relative(path).startswith(LOCAL_PATH_IS_A_SAMPLE) and (found := LOCAL_PATH.search(text_of(path)))
    ]
    assert named == []


def test_lock_files_name_no_address() -> None:
    for path in repository_files():
        if path.name in ("constraints.txt", "package-lock.json"):
            assert "://" not in text_of(path), path.name


def test_every_python_package_is_pinned_with_hashes() -> None:
    (constraints,) = [path for path in repository_files() if relative(path) == "constraints.txt"]
    pins = re.split(r"\n(?=[a-z0-9])", text_of(constraints).strip())
    assert [pin.split()[0] for pin in pins if "==" not in pin.split()[0] or "--hash=sha256:" not in pin] == []


def test_no_file_is_large() -> None:
    assert [relative(path) for path in repository_files() if path.stat().st_size > FILE_BYTES_MAX] == []
