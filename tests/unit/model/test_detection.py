"""Folding, and what a rule reads."""

import pytest

from ringfence.model.detection import event_type_of, folded


def test_folding_is_done_once_and_does_not_depend_on_context() -> None:
    everything = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    changed = [character for character in everything if folded(character) != character]
    assert len(changed) > 1_000
    assert [character for character in changed if folded(folded(character)) != folded(character)] == []
    together = "".join(everything)
    assert folded(together) == "".join(map(folded, everything))


@pytest.mark.parametrize(
    ("source", "event_type"),
    [
        (("linux", "process_creation", ""), "process_creation"),
        (("", "process_creation", ""), "process_creation"),
        (("windows", "process_creation", ""), "windows_process_creation"),
        (("linux", "", "auditd"), "auditd"),
        (("linux", "", ""), "linux"),
        (("", "proxy", ""), "proxy"),
        (("zeek", "", "dns"), "zeek_dns"),
        (("windows", "", "security-mitigations"), "windows_security_mitigations"),
        (("", "", ""), ""),
    ],
)
def test_a_log_source_is_one_event_type(source: tuple[str, str, str], event_type: str) -> None:
    assert event_type_of(*source) == event_type
