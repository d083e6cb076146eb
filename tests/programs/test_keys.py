"""The ceremonies as people hold them: commands, files, passphrases, a token."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import machine
from tests.support.ceremony import PEOPLE, SERVERS, WORDS, Ceremony

TOKEN_LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Ceremony:
    ceremony = Ceremony(tmp_path_factory.mktemp("ceremony"))
    ceremony.create(*PEOPLE)
    ceremony.create(*SERVERS, online=True)
    ceremony.init()
    for document in ("1.root.json", "1.targets.json"):
        ceremony.sign(document, "ada", "mary")
    ceremony.sign("1.content.json", "lise", "rosa")
    return ceremony


@pytest.fixture
def ceremony(begun: Ceremony, tmp_path: Path) -> Ceremony:
    """A copy of the repository that is in force."""
    subprocess.run(["cp", "-a", f"{begun.path}/.", str(tmp_path)], check=True)
    return Ceremony(tmp_path)


def test_a_repository_comes_into_force_signature_by_signature(tmp_path: Path) -> None:
    ceremony = Ceremony(tmp_path)
    ceremony.create(*PEOPLE)
    ceremony.create(*SERVERS, online=True)
    ceremony.init()
    assert not any(one["in_force"] for one in ceremony.shown().values())
    said = ceremony.sign("1.root.json", "ada")
    assert "+" in said
    assert "root: 2 of 3 must sign" in said
    assert "signed bytes: sha256" in said
    assert ceremony.shown()["root"]["quorums"][0]["missing"] == 1
    ceremony.sign("1.root.json", "ada")
    assert ceremony.shown()["root"]["quorums"][0]["missing"] == 1, "one person is one signature"
    ceremony.sign("1.root.json", "grace")
    assert ceremony.shown()["root"]["in_force"]
    ceremony.sign("1.targets.json", "grace", "mary")
    ceremony.sign("1.content.json", "lise", "emmy")
    assert all(one["in_force"] for one in ceremony.shown().values())


def test_secrets_are_private_and_a_readable_one_is_refused(ceremony: Ceremony) -> None:
    key = ceremony.path / "ada.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o640)
    said = ceremony.run(
        "sign", "trust/1.root.json", "--key", "ada.key", "--passphrase-file", "words", "--yes", status=82
    )
    assert "others may reach this secret" in said


def test_a_key_is_never_overwritten(ceremony: Ceremony) -> None:
    before = (ceremony.path / "ada.key").read_bytes()
    assert "is there already" in ceremony.run("create", "Ada", "-o", "ada.key", "--online", status=66)
    assert (ceremony.path / "ada.key").read_bytes() == before


def test_a_wrong_or_short_passphrase_is_refused(ceremony: Ceremony) -> None:
    ceremony.passphrase.write_text("wrong horse battery staple")
    words = ("--key", "ada.key", "--passphrase-file", "words", "--yes")
    assert "does not open" in ceremony.run("sign", "trust/1.root.json", *words, status=82)
    ceremony.passphrase.write_text("short")
    said = ceremony.run("create", "x", "-o", "x.key", "--passphrase-file", "words", status=82)
    assert "5 characters" in said
    assert not (ceremony.path / "x.key").exists()


def test_nobody_signs_for_a_role_that_is_not_theirs(ceremony: Ceremony) -> None:
    before = (ceremony.path / "trust/1.content.json").read_bytes()
    for name, how in (("ada", ("--passphrase-file", "words")), ("rollout", ())):
        said = ceremony.run("sign", "trust/1.content.json", "--key", f"{name}.key", *how, "--yes", status=81)
        assert "not one of content's" in said
    assert (ceremony.path / "trust/1.content.json").read_bytes() == before


def test_without_a_terminal_nothing_is_signed_unread(ceremony: Ceremony) -> None:
    said = ceremony.run("sign", "trust/1.root.json", "--key", "ada.key", "--passphrase-file", "words", status=2)
    assert "read it with `ringfence keys show`" in said


def test_a_rotated_root_needs_both_generations(ceremony: Ceremony) -> None:
    ceremony.create("hedy")
    ada = ceremony.shown()["root"]["quorums"][0]["keys"][0]["keyid"]
    ceremony.run("rotate", "trust", "--role", "root", "--remove", ada[:12], "--add", "hedy.pub")
    said = ceremony.sign("2.root.json", "hedy", "grace")
    assert "- ada" in said
    assert "+ hedy" in said
    assert [one["missing"] for one in ceremony.shown()["root"]["quorums"]] == [1, 0]
    assert "lacks 1 of 2" in ceremony.run("show", "trust")
    ceremony.sign("2.root.json", "ada")
    shown = ceremony.shown()["root"]
    assert (shown["version"], shown["in_force"]) == (2, True)
    ceremony.run("sign", "trust/2.root.json", "--key", "lise.key", "--passphrase-file", "words", "--yes", status=81)


def test_a_revoked_content_key_no_longer_counts(ceremony: Ceremony) -> None:
    lise = ceremony.shown()["content"]["quorums"][0]["keys"][0]["keyid"]
    ceremony.run("revoke", "trust", lise[:12])
    ceremony.sign("2.targets.json", "ada", "grace")
    content = ceremony.shown()["content"]
    assert not content["in_force"]
    assert content["quorums"][0]["missing"] == 1
    assert "the loss of one stops it" in " ".join(content["warnings"])
    ceremony.sign("1.content.json", "emmy")
    assert ceremony.shown()["content"]["in_force"]
    emmy = ceremony.shown()["content"]["quorums"][0]["keys"][0]["keyid"]
    assert "1 keys of which 2 must agree" in ceremony.run("revoke", "trust", emmy[:12], status=2)


def test_a_change_waits_for_the_one_before_it(ceremony: Ceremony) -> None:
    ceremony.run("renew", "trust", "--role", "root")
    assert "still waits for signatures" in ceremony.run("renew", "trust", "--role", "root", status=81)


def test_warnings_come_days_ahead_of_an_expiry(ceremony: Ceremony) -> None:
    machine.kernel_requires("faketime")
    expected = ((0, ""), (61, "content expires in 28 days"), (310, "root expires in"), (400, "root has expired"))
    for days, said in expected:
        run = subprocess.run(
            ["faketime", "-f", f"+{days}d", sys.executable, "-m", "ringfence.programs.cli", "keys", "show", "trust"],
            cwd=ceremony.path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert said in run.stdout
        assert ("warning" in run.stdout) == bool(said)


@pytest.mark.parametrize("name", ["1.root.json", "1.targets.json", "1.content.json"])
def test_a_damaged_document_is_refused_by_name_and_place(ceremony: Ceremony, name: str) -> None:
    document = ceremony.path / "trust" / name
    document.write_bytes(document.read_bytes().replace(b'"version":1', b'"version": 1'))
    for words in (("show", "trust"), ("sign", f"trust/{name}", "--key", "ada.key", "--yes")):
        said = ceremony.run(*words, status=81)
        assert f"trust/{name}:byte " in said


def test_a_document_under_another_name_is_refused(ceremony: Ceremony) -> None:
    (ceremony.path / "trust/1.root.json").rename(ceremony.path / "trust/2.root.json")
    assert "is version 1 inside" in ceremony.run("show", "trust", status=81)


def test_a_key_in_a_token_signs(ceremony: Ceremony) -> None:
    machine.kernel_requires("a PKCS#11 token in software")
    (ceremony.path / "tokens").mkdir()
    (ceremony.path / "softhsm2.conf").write_text(
        f"directories.tokendir = {ceremony.path}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    ceremony.passphrase.write_text("1234")
    env = {"SOFTHSM2_CONF": str(ceremony.path / "softhsm2.conf")}
    _make_token(env)
    words = ("--passphrase-file", "words", "--pkcs11-library", str(TOKEN_LIBRARY))
    said = ceremony.run("create", "hedy", "-o", "hedy.key", "--uri", "hsm:2?label=hedy", *words, env=env)
    assert "ecdsa-sha2-nistp256 key of hedy" in said
    assert "at hsm:2?label=hedy" in ceremony.run("show", "hedy.key")
    rosa = ceremony.shown()["content"]["quorums"][0]["keys"][2]["keyid"]
    ceremony.run("rotate", "trust", "--role", "content", "--add", "hedy.pub", "--remove", rosa[:12])
    ceremony.passphrase.write_text(WORDS)
    ceremony.sign("2.targets.json", "ada", "grace")
    assert not ceremony.shown()["content"]["in_force"], "rosa's signature no longer counts"
    ceremony.passphrase.write_text("4321")
    signing = ("sign", "trust/1.content.json", "--key", "hedy.key", "--yes", *words)
    assert "did not sign" in ceremony.run(*signing, env=env, status=82)
    ceremony.passphrase.write_text("1234")
    ceremony.run(*signing, env=env)
    assert ceremony.shown()["content"]["in_force"]


def _make_token(env: dict[str, str]) -> None:
    """A token with one key on P-256, identifier 2."""
    there = {**os.environ, **env}
    words = ["--label", "hedy", "--pin", "1234", "--so-pin", "1234"]
    subprocess.run(["softhsm2-util", "--init-token", "--free", *words], env=there, check=True, capture_output=True)
    words = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "02", "--label", "hedy", "--usage-sign"]
    login = ["--login", "--pin", "1234", "--token-label", "hedy"]
    command = ["pkcs11-tool", "--module", str(TOKEN_LIBRARY), *login, *words]
    subprocess.run(command, env=there, check=True, capture_output=True)


@pytest.mark.parametrize("uri", ["file:/etc/shadow", "hsm", "ssh:2"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, uri: str) -> None:
    assert Ceremony(tmp_path).run("create", "x", "-o", "x.key", "--uri", uri, status=82 if uri == "hsm" else 2)


def test_a_cloud_whose_library_is_missing_is_named(tmp_path: Path) -> None:
    said = Ceremony(tmp_path).run("create", "x", "-o", "x.key", "--uri", "gcpkms:projects/x", status=82)
    assert "securesystemslib[gcpkms]" in said
