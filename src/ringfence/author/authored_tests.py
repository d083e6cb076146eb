"""Self-tests as their author writes them: rule name -> {matches: [sample, ...], ignores: [sample, ...]}.

A sample is a list of parts that are joined: text, {hex: "7f45"}, {base64: "..."} or {zeros: 100}.  Parts let a
self-test hold what must not stand as a live string in a repository.  All that is off is told at once.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from ringfence.author.content_head import Problem
from ringfence.author.strict_yaml import Document, Path, Place
from ringfence.model.limits import SAMPLE_BYTES_MAX

KINDS: Final = ("matches", "ignores")


@dataclass(frozen=True, slots=True)
class AuthoredTest:
    """A self-test, and where its sample stands."""

    rule: str
    sample: bytes
    expects_match: bool
    file: str
    place: Place
    rule_place: Place


def read_tests(document: Document, file: str) -> tuple[list[AuthoredTest], list[Problem]]:
    """The self-tests of one file, and everything that is off in it."""
    found: list[AuthoredTest] = []
    problems: list[Problem] = []
    if not isinstance(document.value, dict):
        return [], [Problem((), "must map rule names to self-tests")]
    for rule, tests in document.value.items():
        if not isinstance(tests, dict) or not tests or not set(tests) <= set(KINDS):
            problems.append(Problem((rule,), "must have matches, ignores or both, and nothing else"))
            continue
        for kind, samples in tests.items():
            if not isinstance(samples, list) or not samples:
                problems.append(Problem((rule, kind), "must be a list of samples"))
                continue
            for number, sample in enumerate(samples):
                path: Path = (rule, kind, number)
                content = _sample(sample)
                if isinstance(content, str):
                    problems.append(Problem(path, content))
                    continue
                places = document.place(*path), document.place(rule)
                found.append(AuthoredTest(rule, content, kind == "matches", file, *places))
    return found, problems


def _sample(sample: Any) -> bytes | str:  # noqa: ANN401 - whatever YAML holds
    """The bytes of a sample, or what is wrong with it."""
    try:
        content = b"".join(_part(part) for part in (sample if isinstance(sample, list) else [sample]))
    except (ValueError, binascii.Error) as error:
        return str(error)
    return content if len(content) <= SAMPLE_BYTES_MAX else f"has more than {SAMPLE_BYTES_MAX} bytes"


def _part(part: object) -> bytes:
    """One part of a sample.  Raises ValueError for what is none."""
    match part:
        case str():
            return part.encode()
        case {"hex": str(digits), **rest} if not rest:
            return bytes.fromhex(digits)
        case {"base64": str(text), **rest} if not rest:
            return base64.b64decode(text, validate=True)
        case {"zeros": int(count), **rest} if not rest and 0 <= count <= SAMPLE_BYTES_MAX:
            return bytes(count)
    raise ValueError("a part is text, {hex: ...}, {base64: ...} or {zeros: ...}")
