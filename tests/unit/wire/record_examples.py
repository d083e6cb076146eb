"""Hypothesis strategies for every record that a host sends, and one plain alert."""

from hypothesis import strategies as st

from ringfence.model import limits
from ringfence.model.records import (
    Alert,
    AlertResponse,
    AlertSource,
    Counter,
    FileReference,
    HostEvent,
    HostEventKind,
    HostFacts,
    HostStatus,
    Lost,
    PatternMatch,
    ProcessReference,
    ProcessStatus,
    ReleaseReference,
    RuleAction,
    RuleReference,
    Severity,
    SkippedFile,
)
from ringfence.model.verdict import Mode, UnknownReason
from ringfence.wire.fields import U64_MAX

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
integer = st.integers(0, 2**63 - 1)
moment = st.integers(0, limits.JSON_INTEGER_MAX)
sha256 = st.one_of(st.just(""), st.binary(min_size=32, max_size=32).map(bytes.hex))
word = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
releases = st.builds(ReleaseReference, text, integer, sha256)
rules = st.builds(
    RuleReference, text, text, text, text, st.sampled_from(Severity), st.sampled_from(RuleAction), text, text, text
)
matches = st.builds(PatternMatch, text, text, integer, integer, st.binary(max_size=64).map(bytes.hex), text)
processes = st.builds(ProcessReference, integer, integer, integer, text, text, text)
files = st.builds(FileReference, text, integer, sha256, integer, st.integers(0, U64_MAX), st.integers(0, U64_MAX))
alerts = st.builds(
    Alert,
    moment,
    st.sampled_from(AlertSource),
    st.sampled_from(AlertResponse),
    files,
    st.lists(rules, min_size=1, max_size=3).map(tuple),
    st.lists(matches, max_size=3).map(tuple),
    st.none() | processes,
    st.lists(processes, max_size=3).map(tuple),
    releases,
)
reasons = st.sampled_from([reason.name.lower() for reason in UnknownReason if reason])
skipped = st.builds(SkippedFile, moment, text, integer, reasons, st.booleans())
losses = st.builds(Lost, moment, word, moment)
events = st.builds(HostEvent, moment, st.sampled_from(HostEventKind), text, text)
statuses = st.builds(
    HostStatus,
    moment,
    st.sampled_from([mode.name.lower() for mode in Mode]),
    st.none() | releases,
    st.lists(text, max_size=3).map(tuple),
    st.lists(st.builds(ProcessStatus, text, integer, integer, text, integer, integer), max_size=3).map(tuple),
    st.lists(st.builds(Counter, text, integer), max_size=3).map(tuple),
)
records = st.one_of(alerts, skipped, losses, events, statuses)
facts = st.builds(HostFacts, text, text, text, text, text, text)

RULE = RuleReference(
    identifier="EICAR_Test_File",
    pack="test-strings",
    author="Ringfence",
    description="The EICAR test string",
    severity=Severity.HIGH,
    action=RuleAction.BLOCK,
    technique="T1204.002",
    reference="https://www.eicar.org",
    licence="Apache-2.0",
)
ALERT = Alert(
    at_unix_ms=1_700_000_000_000,
    source=AlertSource.EXEC,
    response=AlertResponse.BLOCKED,
    file=FileReference("/srv/upload/a.sh", 68, "ab" * 32, 1000, 2049, 11),
    rules=(RULE,),
    matches=(PatternMatch("EICAR_Test_File", "$eicar", 0, 68, "58354f21", ""),),
    process=ProcessReference(4242, 99, 1000, "sh", "/bin/sh", "sh -c ./a.sh"),
    ancestors=(ProcessReference(4000, 80, 1000, "bash", "/bin/bash", "-bash"),),
    release=ReleaseReference("starter", 3, "cd" * 32),
)
