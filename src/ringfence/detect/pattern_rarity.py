"""How rare a pattern is in files, guessed from its text.  Nothing but speed depends on it.

1. A pattern is as rare as its longest run of fixed bytes: outside of brackets, without gaps and open bytes, and without
   what a regular expression may repeat or leave out.  Of alternatives, the shortest counts.
2. A run counts its *different* bytes: zeros in a row are everywhere.
3. Text that ordinary files are full of (`COMMON`) is not rare, however long.
"""

import re
from typing import Final

from ringfence.detect.rule_text import PatternText

COMMON: Final = """
include function request response invoke security closed closing established listening time_wait close_wait last_ack
syn_sent fin_wait1 fin_wait2 gethostbyname <module> __module__ reflection getheader new process systeminfo sequence
assembly symbol table upload outputstream inputstream filestream streamwriter is blocked blocked by violation of whoami
version_info failure connection chassis received: subject: description= nslookup startaction getparameter
#!/bin/sh #!/bin/bash #!/usr/bin/env python #!/usr/bin/python /proc/self/exe /etc/passwd /dev/null
file:// http:// https://
eval( eval $ exec( system( base64_decode( base64_encode( base64decode base64encode str_replace( <?php <?xml version=
import base64 import socket import subprocess os.write os.system <html <script </script> [desktop entry]
content-transfer-encoding: content-type: content-disposition: form-data; authorization: basic cache-control: no-cache
user-agent: mozilla/5.0 powershell.exe cmd.exe createobject( document.write( fromcharcode( password username function()
return string private public static -----begin certificate----- java/lang/string language="c#" v2.0.50727 v4.0.30319
microsoft windows kernel32.dll user32.dll advapi32.dll ws2_32.dll getprocaddress loadlibrarya virtualalloc createfile
"""
"""What a large public pack waits for and most machines have in hundreds of files."""

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "a": "\a"}

_TEXT_UNIT: Final = re.compile(r"\\x[0-9A-Fa-f]{2}|\\.|.", re.DOTALL)
_HEX_UNIT: Final = re.compile(
    r"""
    (?P<skip> /\*.*?\*/ | //[^\n]*+ | [ \t\r\n]++ ) | (?P<open> \( ) | (?P<shut> \) )
  | (?P<fixed> [0-9A-Fa-f]{2} ) | (?P<other> \[[^\]]*+\]? | ~?..? )
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX_UNIT: Final = re.compile(
    r"""
    (?P<open> \( ) | (?P<shut> \) ) | (?P<either> \| )
  | (?P<repeat> [?*+]\?? | \{[0-9,]*+\}\?? )
  | (?P<fixed> \\x[0-9A-Fa-f]{2} | \\[^A-Za-z0-9] | \\[nrtfa] | [^\\\[.^$] )
  | (?P<other> \[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z) | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)


def rarity(pattern: PatternText) -> int:
    """Different fixed bytes side by side in every match of `pattern`; 0 where they are common text."""
    if pattern.value.startswith('"'):
        return _of_run([_character(unit) for unit in _TEXT_UNIT.findall(pattern.value[1:-1])])
    if pattern.value.startswith("{"):
        return _of_runs(_HEX_UNIT, pattern.value[1:-1])
    return _of_runs(_REGEX_UNIT, pattern.value[1 : pattern.value.rindex("/")])


def _of_runs(unit_of: re.Pattern[str], value: str) -> int:
    """Rule 1 of the module."""
    branches = [0]
    run: list[str] = []
    depth = 0
    for found in unit_of.finditer(value):
        kind = found.lastgroup
        if kind == "skip":
            continue
        if kind == "fixed":
            if not depth:
                run.append(_character("\\x" + found.group() if unit_of is _HEX_UNIT else found.group()))
            continue
        if kind == "repeat" and run and not found.group().startswith("+"):
            run.pop()
        branches[-1] = max(branches[-1], _of_run(run))
        run = []
        depth += (kind == "open") - (kind == "shut")
        if kind == "either" and not depth:
            branches.append(0)
    branches[-1] = max(branches[-1], _of_run(run))
    return min(branches)


def _of_run(run: list[str]) -> int:
    """Rules 2 and 3 of the module."""
    text = "".join(run).lower()
    return 0 if text.strip() in COMMON else len(set(text))


def _character(unit: str) -> str:
    """The character that a unit of a text stands for."""
    if unit.startswith("\\x"):
        return bytes.fromhex(unit[2:]).decode("latin-1")
    return _ESCAPES.get(unit[1:], unit[1:]) if unit.startswith("\\") else unit
