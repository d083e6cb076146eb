"""Well-formed small ELF programs for the corpus, made from a seed alone: no compiler's version shows in them."""

import random
import struct
from typing import Final

INSTRUCTIONS: Final = (
    b"\x55\x48\x89\xe5",  # push rbp; mov rbp, rsp
    b"\x48\x83\xec\x20",  # sub rsp, 32
    b"\xb8\x01\x00\x00\x00",  # mov eax, 1
    b"\x48\x8d\x3d\x10\x02\x00\x00",  # lea rdi, [rip + 528]
    b"\x85\xc0\x74\x0c",  # test eax, eax; je
    b"\x48\x8b\x45\xf8",  # mov rax, [rbp - 8]
    b"\x89\x45\xec",  # mov [rbp - 20], eax
    b"\x0f\xb6\x00",  # movzx eax, byte [rax]
    b"\x83\xf8\x2f\x7e\x07",  # cmp eax, 47; jle
    b"\xc9\xc3",  # leave; ret
    b"\x66\x90",  # nop
    b"\x48\x01\xd0",  # add rax, rdx
)
"""Pieces of x86-64 code as compilers write it."""

CALL_SHARE: Final = 0.15
NAMES: Final = ("open", "close", "parse", "buffer", "table", "node", "init", "next", "print", "hash", "list", "state")
HEADER_BYTES: Final = 64
PROGRAM_HEADER_BYTES: Final = 56
SECTION_HEADER_BYTES: Final = 64
LOAD_ADDRESS: Final = 0x400000
SHARED_OBJECT: Final = 3
X86_64: Final = 62


def elf_program(chance: random.Random, code_bytes: int) -> bytes:
    """A position-independent x86-64 ELF file with about `code_bytes` of code, constants, symbols and sections."""
    code = bytearray()
    while len(code) < code_bytes:
        code += chance.choice(INSTRUCTIONS)
        if chance.random() < CALL_SHARE:  # a call whose target differs each time
            code += b"\xe8" + struct.pack("<i", chance.randrange(-code_bytes, code_bytes))
    names = [f"{chance.choice(NAMES)}_{chance.choice(NAMES)}_{index}" for index in range(max(4, code_bytes // 160))]
    messages = [f"{name}: cannot {chance.choice(NAMES)} the {chance.choice(NAMES)}" for name in names]
    constants = "\0".join(messages).encode()
    strings = b"\0" + b"\0".join(name.encode() for name in names) + b"\0"
    symbols = bytearray(24)
    name_at = 1
    for name in names:
        address = LOAD_ADDRESS + chance.randrange(len(code))
        symbols += struct.pack("<IBBHQQ", name_at, 0x12, 0, 1, address, chance.randrange(16, 400))
        name_at += len(name) + 1
    return _laid_out(
        [(".text", 1, bytes(code)), (".rodata", 1, constants), (".symtab", 2, bytes(symbols)), (".strtab", 3, strings)]
    )


def _laid_out(sections: list[tuple[str, int, bytes]]) -> bytes:
    """The file: header, one loaded segment, the sections' bytes, and the table of sections at the end."""
    titles = b"\0" + b"\0".join(name.encode() for name, _, _ in sections) + b"\0.shstrtab\0"
    body, table = bytearray(), bytearray(SECTION_HEADER_BYTES)
    start = HEADER_BYTES + PROGRAM_HEADER_BYTES
    for index, (name, kind, content) in enumerate([*sections, (".shstrtab", 3, titles)]):
        body += bytes(-len(body) % 16)
        at = start + len(body)
        linked, first_global, entry = (len(sections), 1, 24) if name == ".symtab" else (0, 0, 0)
        flags = 6 if index == 0 else 2 if index == 1 else 0
        address = LOAD_ADDRESS + at if flags else 0
        title_at = titles.index(name.encode() + b"\0")
        where = struct.pack("<IIQQQQ", title_at, kind, flags, address, at, len(content))
        table += where + struct.pack("<IIQQ", linked, first_global, 16, entry)
        body += content
    body += bytes(-len(body) % 16)
    end = start + len(body)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH",
        SHARED_OBJECT,
        X86_64,
        1,
        LOAD_ADDRESS + start,
        HEADER_BYTES,
        end,
        0,
        HEADER_BYTES,
        PROGRAM_HEADER_BYTES,
        1,
        SECTION_HEADER_BYTES,
        len(sections) + 2,
        len(sections) + 1,
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, end, end, 4096)
    return bytes(header + segment + body + table)
