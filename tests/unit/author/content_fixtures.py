"""Content directories for tests."""

from pathlib import Path

from ringfence.trust.keys import open_key

HEAD = "format: 1\nname: tried\nversion: 3\ndescription: For a test\n"

META = (
    'meta: author = "A" description = "D" severity = "high" action = "block" technique = "T1059"'
    ' reference = "https://example.org/" licence = "Apache-2.0"'
)

RULES = f'rule One {{ {META} strings: $a = "one" condition: $a }}\n'

TESTS = 'One:\n  matches:\n    - ["o", {hex: "6e65"}]\n    - [{base64: "b25l"}, {zeros: 3}]\n  ignores:\n    - "two"\n'


def write_content(directory: Path, *, head: str = HEAD, rules: str = RULES, tests: str = TESTS) -> Path:
    """Write a content directory; returns it."""
    for folder in ("rules", "tests"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    (directory / "content.yaml").write_text(head, encoding="utf-8")
    (directory / "rules" / "family.yar").write_text(rules, encoding="utf-8")
    (directory / "tests" / "family.yaml").write_text(tests, encoding="utf-8")
    return directory


KEY = open_key("Ann", b"\7" * 32)
OTHER_KEY = open_key("Eve", b"\x08" * 32)
SIGNING_HEAD = f'{HEAD}waiver_keys:\n  - name: Ann\n    public: "{KEY.public.hex()}"\n'


def write_sound(directory: Path) -> Path:
    """Write a directory without findings; returns it."""
    rules = RULES.replace('"one"', '"one-name-of-malware"')
    tests = "One:\n  matches: [one-name-of-malware]\n  ignores: [two]\n"
    return write_content(directory, rules=rules, tests=tests)


def write_short(directory: Path) -> Path:
    """Write a directory with one error, a pattern too short to block on, and a key that may waive it; returns it."""
    return write_content(directory, head=SIGNING_HEAD, tests=TESTS.replace('"two"', '"other"'))
