"""A content directory to start from: small, complete, without findings, and it builds.

Text that a rule looks for is cut up in the self-tests, so that no file of the directory is a find itself.
"""

from pathlib import Path
from typing import Final

from ringfence.author.content_head import CONTENT_FILE
from ringfence.author.import_yara import release_name
from ringfence.author.whole_file import write_whole
from ringfence.model.errors import PathRefused

README: Final = """\
# Content of {name}

    rules/*.yar         YARA rules; each says author, description, severity, action, technique, reference, licence
    tests/*.yaml        self-tests: what each rule must match, and what it must ignore
    sigma/*.yml         Sigma rules, and their self-tests in tests/*.events.yaml
    waivers/*.json      findings that somebody took responsibility for: `ringfence content waive`
    content.yaml        the release's name and version, its budget, and whose waivers count

Check, build, prove:

    ringfence content lint {directory}
    ringfence content build {directory} -o {name}.release
    ringfence content prove {directory} -o {name}.release
"""

HEAD: Final = """\
format: 1
name: {name}
version: 1
description: Content of {name}
# budget:                     # what the release may cost; without it the usual bounds hold
#   compile_cpu_ms: 5000
# waiver_keys:                # whose waivers count; without it nothing can be waived
#   - name: Ann
#     public: "..."           # the public half of her ed25519 key
"""

RULES: Final = """\
// Rules of one family stand in one file.  `action` is "alert" until you have seen a rule on your own files.

rule Example_Dropper_Script {
    meta:
        author = "Your name"
        description = "A script that fetches the example's second stage and runs it"
        severity = "high"
        action = "block"
        technique = "T1105"
        reference = "https://attack.mitre.org/techniques/T1105/"
        licence = "Apache-2.0"
    strings:
        $fetch = /(curl|wget)\\s[^\\n]{0,80}\\/example-second-stage-[0-9a-f]{8}/
        $run = "sh /tmp/.example-stage"
    condition:
        filesize < 1MB and all of them
}

rule Example_Mining_Configuration {
    meta:
        author = "Your name"
        description = "A configuration of the example's miner"
        severity = "medium"
        action = "alert"
        technique = "T1496"
        reference = "https://attack.mitre.org/techniques/T1496/"
        licence = "Apache-2.0"
    strings:
        $pool = "\\"example-pool\\":"
        $wallet = /"example-wallet"\\s{0,4}:\\s{0,4}"[0-9A-Za-z]{40,110}"/
    condition:
        filesize < 64KB and all of them
}
"""

TESTS: Final = """\
# A sample is the parts in a row, as text, {hex: ...}, {base64: ...} or {zeros: ...}.

Example_Dropper_Script:
  matches:
    - ["#!/bin/sh\\ncurl -s http://203.0.113.7", "/example-second-stage-", "0a1b2c3d -o x; s", "h /tmp/.example-stage"]
  ignores:
    - ["#!/bin/sh\\ncurl -s http://203.0.113.7", "/example-second-stage-", "0a1b2c3d -o x"]

Example_Mining_Configuration:
  matches:
    - ['{"example-', 'pool": "x", "example-', 'wallet": "', "4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A4A", '"}']
  ignores:
    - ['{"example-', 'pool": "x", "example-', 'wallet": ""}']
"""


def write_example(directory: Path) -> tuple[str, ...]:
    """Write the directory; returns the names of its files.  Raises PathRefused where something is there already."""
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise PathRefused(f"{directory} is there and not empty", "name a new directory: nothing is overwritten")
        name = release_name(directory.resolve().name)
        files = {
            CONTENT_FILE: HEAD.format(name=name),
            "README.md": README.format(name=name, directory=directory),
            "rules/example.yar": RULES,
            "tests/example.yaml": TESTS,
        }
        for file, text in files.items():
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            write_whole(directory / file, text.encode())
    except OSError as error:
        raise PathRefused(f"{directory} cannot be written: {error.strerror}", "name a directory of yours") from error
    return tuple(files)
