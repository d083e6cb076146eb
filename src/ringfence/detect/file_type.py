"""Which class a file belongs to, by its first bytes only.

Rules are partitioned by these classes: a pack of class `elf` meets only files for which `classify` says `ELF`.  So a
class is exactly "begins with one of these bytes", the same thing that a rule's condition can require (`uint16(0) ==
0x5A4D`), and never a deeper look: a file that starts with `MZ` and is no program still meets the rules for programs.

1. The prefixes in `MAGICS` are disjoint: no prefix begins with another one.  At most one of them fits.
2. Where none fits, `ustar` at offset 257 makes a tar archive.
3. Everything else is `OTHER`.

`ANY` is the class of packs that meet every file; `classify` never returns it.
"""

from enum import StrEnum, unique
from typing import Final


@unique
class FileClass(StrEnum):
    """A class of files, and of the rules that can match them."""

    ANY = "any"
    ELF = "elf"
    PE = "pe"
    MACHO = "macho"
    SCRIPT = "script"
    """Begins with `#!`.  A web page with PHP inside is `OTHER`: nothing at its start is sure."""

    ZIP = "zip"
    PDF = "pdf"
    OLE = "ole"
    JAVA_CLASS = "java_class"
    """A Java class or a universal Mach-O file: both begin with CAFEBABE."""

    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    TAR = "tar"
    RTF = "rtf"
    LNK = "lnk"
    OTHER = "other"


MAGICS: Final[tuple[tuple[bytes, FileClass], ...]] = (
    (b"\x7fELF", FileClass.ELF),
    (b"MZ", FileClass.PE),
    (b"#!", FileClass.SCRIPT),
    (b"PK", FileClass.ZIP),
    (b"%PDF", FileClass.PDF),
    (b"\xd0\xcf\x11\xe0", FileClass.OLE),
    (b"\xca\xfe\xba\xbe", FileClass.JAVA_CLASS),
    (b"\xfe\xed\xfa\xce", FileClass.MACHO),
    (b"\xfe\xed\xfa\xcf", FileClass.MACHO),
    (b"\xce\xfa\xed\xfe", FileClass.MACHO),
    (b"\xcf\xfa\xed\xfe", FileClass.MACHO),
    (b"\x1f\x8b", FileClass.GZIP),
    (b"BZh", FileClass.BZIP2),
    (b"\xfd7zX", FileClass.XZ),
    (b"\x28\xb5\x2f\xfd", FileClass.ZSTD),
    (b"{\\rt", FileClass.RTF),
    (b"L\x00\x00\x00", FileClass.LNK),
)
"""First bytes -> class.  Disjoint; a rule belongs into a class only if its condition requires one of its prefixes."""

TAR_MAGIC: Final = b"ustar"
TAR_MAGIC_OFFSET: Final = 257

CLASSIFY_HEAD_BYTES: Final = 512
"""How many first bytes `classify` wants: one tar header.  Fewer only mean that a tar archive may go unseen."""

CONTAINERS: Final = frozenset(
    {FileClass.ZIP, FileClass.GZIP, FileClass.BZIP2, FileClass.XZ, FileClass.ZSTD, FileClass.TAR}
)
"""Classes that `detect/archives.py` opens."""

_BY_LENGTH: Final[tuple[tuple[int, dict[bytes, FileClass]], ...]] = tuple(
    (length, {magic: kind for magic, kind in MAGICS if len(magic) == length})
    for length in sorted({len(magic) for magic, _ in MAGICS})
)

_FIRST_BYTES: Final = frozenset(magic[:1] for magic, _ in MAGICS)


def classify(head: bytes) -> FileClass:
    """The class of a file that begins with `head` (the whole file, or its first `CLASSIFY_HEAD_BYTES`)."""
    if head[:1] in _FIRST_BYTES:  # most files are text, and text must not pay for every length of magic
        for length, table in _BY_LENGTH:
            found = table.get(head[:length])
            if found is not None:
                return found
    if head[TAR_MAGIC_OFFSET : TAR_MAGIC_OFFSET + len(TAR_MAGIC)] == TAR_MAGIC:
        return FileClass.TAR
    return FileClass.OTHER
