"""A public pack, imported from its directory, protects a real one: import, prove, up, as a person runs them."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.programs.test_up import COMMAND, PATIENCE_S, run, started, until
from tests.support.machine import kernel_requires

ROOT_KIT = b"PUBLIC-PACK-" + b"ROOT-KIT"
WEB_SHELL = b"<?php PUBLIC-PACK-" + b"WEB-SHELL"

PACK = {
    "LICENSE": "Detection Rule License (DRL) 1.1\n\nPermission is granted ...\n",
    "README.md": "# Rules of the public\n",
    "index.yar": 'include "./malware/root_kit.yar"\ninclude "./web/shells.yara"\ninclude "./web/slow.yar"\n',
    "malware/root_kit.yar": (
        'import "hash"\nimport "math"\n\n'
        "private rule has_some_size { condition: filesize > 4 and math.entropy(0, filesize) >= 0.0 }\n\n"
        "rule MAL_Root_Kit : LINUX {\n"
        '    meta:\n        author = "Ann Other"\n        score = 85\n        reference = "https://example.org/report"\n'
        '    strings:\n        $a = "PUBLIC-PACK-" ascii\n        $b = "ROOT-KIT" ascii wide\n'
        "    condition:\n        has_some_size and all of them\n}\n\n"
        'rule MAL_Known_Hash { condition: hash.sha256(0, filesize) == "%s" }\n' % ("0" * 64)
    ),
    "web/shells.yara": (
        "global private rule no_giant { condition: filesize < 2MB }\n\n"
        'rule WEB_Shell { strings: $a = "PUBLIC-PACK-WEB-SHELL" condition: $a and uint16be(0) == 0x3c3f }\n'
    ),
    "web/slow.yar": (
        "rule Slow { strings: $a = /(a+)+b/ condition: $a }\n"
        'rule Quick { strings: $a = "PUBLIC-PACK-QUICK" condition: $a }\n'
    ),
    "broken/typo.yar": 'rule Typo { strings: $a = "x" condition $a }\n',
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack as its authors publish it."""
    root = tmp_path / "public-rules"
    for name, text in PACK.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def in_directory(directory: Path, *words: str) -> str:
    """What a command prints that is run in `directory` and must succeed."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=directory, check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def alerts(state: Path) -> str:
    """The alerts of a state directory."""
    return run("alerts", "--state", str(state), "--json").stdout


def test_a_public_pack_protects_a_real_tree(pack: Path, tmp_path: Path) -> None:
    kernel_requires("root", "fanotify-permission", "mount")
    tree, state, release = tmp_path / "tree", tmp_path / "state", tmp_path / "public-rules.release"
    (tree / "deep").mkdir(parents=True)
    before = tree / "deep" / "was-there-before"
    before.write_bytes(b"\0" * 100 + ROOT_KIT)

    imported = json.loads(in_directory(tmp_path, "content", "import-yara", pack.name, "--action", "block", "--json"))
    files = {one["file"]: one for one in imported["files"]}
    assert files["malware/root_kit.yar"]["taken"] == ["MAL_Root_Kit", "MAL_Known_Hash"]
    assert files["web/shells.yara"]["taken"] == ["WEB_Shell"]
    assert (files["web/slow.yar"]["taken"], files["web/slow.yar"]["refused"][0]["rule"]) == (["Quick"], "Slow")
    assert files["broken/typo.yar"]["refused"]
    assert "index" in files["index.yar"]["refused"][0]["reason"]
    assert [one["rule"] for one in files["malware/root_kit.yar"]["only_alert"]] == ["MAL_Known_Hash"]
    quickly = ("--no-packages", "--cache", str(tmp_path / "cache"))
    in_directory(tmp_path, "content", "prove", "public-rules-content", "-o", release.name, *quickly)
    shown = json.loads(in_directory(tmp_path, "content", "show", release.name, "--json"))
    assert {(rule["author"], rule["licence"]) for rule in shown["rules"]} == {
        ("Ann Other", "Detection Rule License (DRL) 1.1"),
        ("unknown", "Detection Rule License (DRL) 1.1"),
    }

    words = ("--state", str(state), "--protect", str(tree), "--content", str(release), "--listen", "127.0.0.1:0")
    with started(*words):
        for name, content in (("kit", ROOT_KIT), ("shell.php", WEB_SHELL)):
            (tree / name).write_bytes(content)
            with pytest.raises(PermissionError):
                (tree / name).read_bytes()
        with pytest.raises(PermissionError):
            before.read_bytes()
        (tree / "clean").write_bytes(b"PUBLIC-PACK of cards, no kit")
        assert (tree / "clean").read_bytes() == b"PUBLIC-PACK of cards, no kit"
        until(lambda: all(name in alerts(state) for name in ("MAL_Root_Kit", "WEB_Shell")))
    assert before.read_bytes().endswith(ROOT_KIT)
