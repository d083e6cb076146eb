"""The corpus: small files of the kinds and sizes of a development tree, made from a seed alone.

The same seed gives the same names, sizes and bytes on every machine.  Kinds and shares follow a `/usr/include` with
the other trees of a Debian machine beside it: mostly C headers, then sources, scripts, markup, text, programs and
compressed files.  No two files are equal, so that none is known by the hash of another.
"""

import io
import math
import random
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.chance import seeded
from bench.elf import elf_program

MEDIAN_BYTES: Final = 4_500
SPREAD: Final = 1.15
LARGEST_BYTES: Final = 400_000
FILES_PER_DIRECTORY: Final = 25
LINES_IN_POOL: Final = 4_000

NOUNS: Final = (
    "buffer cache channel client context counter cursor device driver element engine entry event field filter format "
    "frame handle header index interface item kernel label layer length level limit line list lock map matrix member "
    "message method mode module name node number object offset option output packet page parser path pattern point "
    "pointer port position process property queue range record region request resource result route sample schema "
    "scope section segment server session signal size socket source stack state status stream string symbol table tag "
    "target task thread timer token tree type user value vector version view volume window worker zone"
).split()
VERBS: Final = (
    "add allocate append apply attach build check clear close compare compute convert copy create decode detach drop "
    "encode find flush format free get grow init insert iterate join load lock lookup map merge move next open parse "
    "pop print push read release remove render reset resize resolve restore save scan seek send set shrink skip sort "
    "split start stop store swap test trim unlock update validate visit wait walk wrap write"
).split()


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One file of the corpus: where it lies below the root, and its bytes."""

    path: str
    content: bytes
    executable: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its share in percent, its ending, a maker of typical lines, and its first line."""

    percent: int
    ending: str
    line: Callable[[random.Random], str]
    first: str


def _c_header_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return chance.choice(
        (
            f"extern int {noun}_{verb}(struct {noun} *{other}, size_t {noun}_length);",
            f"#define {noun.upper()}_{other.upper()}_{verb.upper()} 0x{chance.getrandbits(16):04x}",
            f"/* {verb.capitalize()}s the {noun} of the {other}; returns 0, or -1 with errno set. */",
            f"typedef struct {noun}_{other} {{ unsigned {noun}; void *{other}; }} {noun}_{other}_t;",
            f"static inline void {noun}_{verb}(struct {other} *o) {{ o->{noun} = {chance.randrange(4096)}; }}",
            "",
        )
    )


def _c_source_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return chance.choice(
        (
            f"    if ({noun}->{other} == NULL || {noun}_{verb}({other}) < 0) {{",
            f'        fprintf(stderr, "{noun}: cannot {verb} the {other} (%d)\\n", {other}->{noun});',
            f"    for (size_t i = 0; i < {noun}_length; i++) {other}[i] = {noun}_{verb}(i, {chance.randrange(999)});",
            "    }",
            f"static int {verb}_{noun}(struct {other} *{other}, const char *{noun})",
            f"    return {verb}_{other}({noun}, sizeof *{noun});",
        )
    )


def _python_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return chance.choice(
        (
            f"def {verb}_{noun}(self, {other}, *, {noun}=None):",
            f'    """{verb.capitalize()} the {noun} of one {other}."""',
            f"    self.{noun} = {other}.{verb}({chance.randrange(512)})",
            f"    for {noun} in {other}.{verb}s():",
            f'        raise ValueError(f"no {noun} in {{{other}!r}}")',
            f"from .{noun} import {verb}_{other}",
            "",
        )
    )


def _script_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return chance.choice(
        (
            f"{noun.upper()}=${{{other.upper()}:-/usr/share/{noun}}}",
            f'if [ ! -d "${noun.upper()}" ]; then echo "{noun}: no {other}" >&2; fi',
            f"{verb}_{noun}() {{ local {other}=$1; printf '%s\\n' \"${other}\"; }}",
            f"# {verb} every {noun} before the {other}",
            f'for {noun} in "${other.upper()}"/*; do {verb}_{noun} "${noun}"; done',
        )
    )


def _markup_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return chance.choice(
        (
            f'<p class="{noun}">To {verb} the {noun}, see <a href="{other}.html">{other}</a>.</p>',
            f"<tr><td>{noun}</td><td>{verb}</td><td>{chance.randrange(10_000)}</td></tr>",
            f'<{noun} id="{other}-{chance.randrange(999)}"/>',
            f"<!-- {noun} -->",
        )
    )


def _json_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return f'  "{noun}-{other}-{chance.randrange(999)}": {{"{verb}": {chance.randrange(10**6)}, "{other}": true}},'


def _text_line(chance: random.Random) -> str:
    words = [chance.choice(NOUNS) if position % 3 else chance.choice(VERBS) for position in range(11)]
    return " ".join(words).capitalize() + "."


def _javascript_line(chance: random.Random) -> str:
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    return chance.choice(
        (
            f"export function {verb}{noun.capitalize()}({other}) {{ return {other}.{noun}; }}",
            f"const {noun} = new Map([['{other}', {chance.randrange(999)}]]);",
            f"  if (!{noun}.{other}) throw new TypeError('{noun} without {other}');",
            "});",
        )
    )


TEXT_KINDS: Final = (
    Kind(61, ".h", _c_header_line, "#pragma once"),
    Kind(8, ".c", _c_source_line, "#include <stdio.h>"),
    Kind(9, ".py", _python_line, '"""Part of the corpus."""'),
    Kind(3, ".sh", _script_line, "#!/bin/sh"),
    Kind(4, ".html", _markup_line, "<!DOCTYPE html>"),
    Kind(3, ".json", _json_line, "{"),
    Kind(4, ".txt", _text_line, "Notes"),
    Kind(3, ".js", _javascript_line, "'use strict';"),
)
"""The kinds made of lines.  The rest of the hundred: 3 % ELF, 2 % pictures."""

ELF_PERCENT: Final = 3


def corpus(seed: int, count: int) -> Iterator[CorpusFile]:
    """`count` files made from `seed`.  The first N are the same whatever `count` is."""
    chance = seeded(seed)
    pools = {kind.ending: [kind.line(chance) for _ in range(LINES_IN_POOL)] for kind in TEXT_KINDS}
    directory = ""
    for number in range(count):
        if number % FILES_PER_DIRECTORY == 0:
            directory = f"{chance.choice(NOUNS)}/{chance.choice(NOUNS)}-{number // FILES_PER_DIRECTORY:03d}"
        size = min(LARGEST_BYTES, int(chance.lognormvariate(math.log(MEDIAN_BYTES), SPREAD)) + 40)
        name = f"{directory}/{chance.choice(VERBS)}_{chance.choice(NOUNS)}_{number:05d}"
        dice = chance.randrange(100)
        for kind in TEXT_KINDS:
            if dice < kind.percent:
                content = _text(chance, kind, pools[kind.ending], size, f"{seed}.{number}")
                yield CorpusFile(name + kind.ending, content, kind.ending == ".sh")
                break
            dice -= kind.percent
        else:
            if dice < ELF_PERCENT:
                yield CorpusFile(name + ".so", elf_program(chance, 4 * size), executable=True)
            else:
                yield CorpusFile(name + ".png", _picture(chance, 2 * size), executable=False)


def small_files(seed: int, count: int, size: int) -> Iterator[CorpusFile]:
    """`count` text files of exactly `size` bytes, each different, for the latency figures."""
    chance = seeded(seed)
    pools = {kind.ending: [kind.line(chance) for _ in range(LINES_IN_POOL)] for kind in TEXT_KINDS}
    for number in range(count):
        kind = TEXT_KINDS[number % len(TEXT_KINDS)]
        content = _text(chance, kind, pools[kind.ending], size + 200, f"{seed}.{number}")[:size]
        yield CorpusFile(f"{number:05d}{kind.ending}", content.ljust(size, b"\n"), executable=False)


def write_archive(path: Path, files: Iterator[CorpusFile]) -> int:
    """Write `files` as a tar archive with fixed owners and times.  Returns the sum of their sizes in bytes."""
    total = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size, entry.mtime, entry.mode = len(file.content), 1_700_000_000, 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
            total += len(file.content)
    return total


def _text(chance: random.Random, kind: Kind, pool: list[str], size: int, mark: str) -> bytes:
    """A file of `kind` of about `size` bytes; `mark` in its second line makes it unlike every other."""
    lines, length, at = [kind.first, f"# {mark}"], 0, chance.randrange(len(pool))
    while length < size:
        line = pool[at % len(pool)]
        lines.append(line)
        length += len(line) + 1
        at += 1 if length % 7 else 13
    return "\n".join(lines).encode() + b"\n"


def _picture(chance: random.Random, size: int) -> bytes:
    """A PNG's head followed by bytes that do not compress."""
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + chance.randbytes(17)
    return head + size.to_bytes(4, "big") + b"IDAT" + chance.randbytes(size)
