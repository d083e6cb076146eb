"""A rule is given to a class only if it cannot match anything else."""

import pytest
import yara_x
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.author.partition import class_of_prefix, required_class
from ringfence.author.yara_source import SourceReader
from ringfence.detect.file_type import MAGICS, FileClass, classify

STRINGS = """strings:
    $_elf = { 7F 45 4C 46 02 }
    $_mz = "MZ"
    $_php = "<?php"
    $_wild = { 7F ?? 4C 46 }
    $_any_case = "mz" nocase
    $_wide = "MZ" wide
    $_both = "#!/bin/sh" ascii fullword
    $_alternatives = { (4D | 50) 5A }
    $_escaped = "\\x7fELF"
    $_word = "word"
"""

ATOMS = (
    "uint32(0) == 0x464c457f",
    "0x464C457F == uint32(0)",
    "uint32be(0) == 0x7f454c46",
    "uint16(0) == 0x5A4D",
    "uint16(0) == 23117",
    "int16be(0) == 0x2321",
    "uint16(0) == 0x457f",
    "uint16(2) == 0x464c",
    "uint8(0) == 0x7f",
    "uint16(0) != 0x5a4d",
    "uint16(0) >= 0x5a4d",
    "$_elf at 0",
    "$_mz at 0",
    "$_mz at 1",
    "$_mz",
    "$_php at 0",
    "$_wild at 0",
    "$_any_case at 0",
    "$_wide at 0",
    "$_both at 0",
    "$_alternatives at 0",
    "$_escaped at 0",
    "$_word",
    "filesize < 1MB",
    "any of them",
    "for any i in (0..1) : ( uint16(i) == 0x5a4d )",
    "for all of ($_mz, $_elf) : ( $ at 0 )",
    "#_word >= 0",
    "Elf_Private",
)

CONDITIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("not ({})".format),
        inner.filter(lambda text: not text.startswith("for ")).map("not {}".format),
    ),
    max_leaves=6,
)

FILES = tuple(
    magic + tail
    for magic in (
        *(magic for magic, _ in MAGICS),
        b"",
        b"\x7fE",
        b"\x7fELF\x02",
        b"#!/bin/sh",
        b"mz",
        b"M\0Z\0",
        b"<?php",
        b"PZ",
    )
    for tail in (b"", b" word MZ \x7fELF\x02 <?php", b"\0" * 300)
)

PRIVATE = "private rule Elf_Private { condition: uint32(0) == 0x464c457f }\n"


READER = SourceReader()


def class_of(condition: str) -> FileClass:
    """The class of a rule with this condition beside the private rule for ELF."""
    helper, rule = READER.read(f"{PRIVATE}rule subject {{ {STRINGS} condition: {condition} }}", "f")
    return required_class(rule, {helper.identifier: required_class(helper, {})})


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("uint32(0) == 0x464c457f and $_word", FileClass.ELF),
        ("$_word and ($_mz at 0)", FileClass.PE),
        ("(uint16(0) == 0x5a4d and $_word) or (uint16(0) == 23117 and filesize < 3)", FileClass.PE),
        ("Elf_Private and not $_word", FileClass.ELF),
        ("$_both at 0", FileClass.SCRIPT),
        ("$_escaped at 0", FileClass.ELF),
        ("uint16(0) == 0x5a4d or $_word", FileClass.ANY),
        ("uint16(0) == 0x5a4d or uint32(0) == 0x464c457f", FileClass.ANY),
        ("$_word and uint16(0) == 0x5a4d or $_mz", FileClass.ANY),
        ("not uint16(0) == 0x5a4d", FileClass.ANY),
        ("uint16(0) == 0x457f", FileClass.ANY),
        ("(" * 40 + "uint16(0) == 0x5a4d" + ")" * 40, FileClass.PE),
        ("(" * 3_000 + "uint16(0) == 0x5a4d" + ")" * 3_000, FileClass.ANY),
        ("$_wild at 0", FileClass.ANY),
        ("$_any_case at 0", FileClass.ANY),
        ("$_wide at 0", FileClass.ANY),
        ("for any i in (0..1) : ( uint16(0) == 0x5a4d )", FileClass.ANY),
        ("$_php at 0", FileClass.ANY),
    ],
)
def test_class(condition: str, kind: FileClass) -> None:
    assert class_of(condition) is kind


@settings(max_examples=150, deadline=None)
@given(CONDITIONS)
def test_what_is_given_to_a_class_matches_nothing_else(condition: str) -> None:
    kind = class_of(condition)
    if kind is FileClass.ANY:
        return
    compiler = yara_x.Compiler()
    compiler.add_source(f"{PRIVATE}rule subject {{ {STRINGS} condition: {condition} }}")
    scanner = yara_x.Scanner(compiler.build())
    for content in FILES:
        if classify(content) is not kind:
            assert not scanner.scan(content).matching_rules


def test_class_of_prefix() -> None:
    assert class_of_prefix(b"MZ\x90") is FileClass.PE
    assert class_of_prefix(b"M") is FileClass.ANY
    assert class_of_prefix(b"") is FileClass.ANY
