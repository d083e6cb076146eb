"""One input more than any sensor supplies refuses the release: Channel File 291, at the place where it should have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.contract_fixtures import process_creation, renamed, sensor

from ringfence.model.contract import EventField, EventType, FieldKind, InputKind, Need, SensorContract
from ringfence.model.errors import ContentRefused
from ringfence.trust.eligibility import check_eligible, need_text, shortages

OLD = sensor("1.0.0")
NEW = sensor("2.0.0", events=(process_creation("IntegrityLevel"),))


def field(name: str, kind: FieldKind = FieldKind.TEXT, rule: str = "r") -> Need:
    """A need of the rule `rule`."""
    return Need(rule, InputKind.EVENT_FIELD, name, kind)


def inputs(count: int) -> tuple[EventType, ...]:
    """An event type with `count` inputs, as the sensor of 2024 had them."""
    fields = tuple(EventField(f"Input{number:02}", FieldKind.TEXT) for number in range(1, count + 1))
    return (EventType("named_pipe", fields),)


def test_twenty_supplied_and_twenty_one_read_is_refused_with_rule_field_and_build() -> None:
    supplier = sensor("7.11.0", events=inputs(20))
    needs = [field(f"named_pipe.Input{number:02}", rule="Template_Instance") for number in range(1, 22)]
    check_eligible(needs[:20], [supplier])
    with pytest.raises(ContentRefused) as caught:
        check_eligible(needs, [supplier])
    for word in ("Template_Instance", "named_pipe.Input21", supplier.build):
        assert word in str(caught.value)
    assert "named_pipe.Input20" not in str(caught.value)


def test_every_build_of_the_fleet_must_supply_it() -> None:
    need = field("process_creation.IntegrityLevel")
    check_eligible([need], [NEW])
    (short,) = shortages([need], [NEW, OLD])
    assert short.builds == (OLD.build,)
    assert OLD.build in short.text


def test_without_any_contract_nothing_is_eligible() -> None:
    with pytest.raises(ContentRefused, match="no contract"):
        check_eligible([], [])


@pytest.mark.parametrize(
    ("need", "fits"),
    [
        (field("process_creation.Image"), True),
        (field("process_creation.image"), False),
        (field("file_event.Image"), False),
        (field("process_creation.LogonId"), True),
        (field("process_creation.LogonId", FieldKind.INTEGER), True),
        (field("process_creation.Image", FieldKind.INTEGER), False),
        (field("process_creation.DestinationIp", FieldKind.ADDRESS), True),
        (field("process_creation.CommandLine", FieldKind.ADDRESS), False),
        (Need("r", InputKind.EVENT_TYPE, "process_creation"), True),
        (Need("r", InputKind.EVENT_TYPE, "file_event"), False),
        (Need("r", InputKind.YARA_MODULE, "pe"), True),
        (Need("r", InputKind.YARA_MODULE, "cuckoo"), False),
        (Need("r", InputKind.YARA_VARIABLE, "filename"), True),
        (Need("r", InputKind.YARA_VARIABLE, "owner"), False),
        (Need("r", InputKind.FILE_CLASS, "elf"), True),
        (Need("r", InputKind.FILE_CLASS, "wasm"), False),
        (Need("", InputKind.LIMIT, "RULES_MAX", amount=16_384), True),
        (Need("", InputKind.LIMIT, "RULES_MAX", amount=1 << 41), False),
        (Need("", InputKind.LIMIT, "NEW_THINGS_MAX", amount=0), False),
        (Need("", InputKind.RELEASE_FORMAT, "", amount=1), True),
        (Need("", InputKind.RELEASE_FORMAT, "", amount=2), False),
        (Need("", InputKind.DETECTION_FORMAT, "", amount=1), True),
        (Need("", InputKind.DETECTION_FORMAT, "", amount=2), False),
    ],
    ids=lambda value: need_text(value) if isinstance(value, Need) else str(value),
)
def test_each_kind_of_need(need: Need, *, fits: bool) -> None:
    assert (shortages([need], [OLD]) == ()) is fits


def test_a_build_without_a_detector_takes_no_rule_over_events() -> None:
    plain = renamed(OLD, detection_format=0, events=())
    assert shortages([Need("", InputKind.DETECTION_FORMAT, "", amount=1)], [plain])
    assert shortages([field("process_creation.Image")], [plain])


def test_many_shortages_are_counted_and_some_are_named() -> None:
    with pytest.raises(ContentRefused, match="and 6 more"):
        check_eligible([field(f"process_creation.X{number}") for number in range(10)], [OLD])


NAMES = st.sampled_from([f"Input{number:02}" for number in range(8)])


@given(st.lists(st.sets(NAMES), min_size=1, max_size=4), st.sets(NAMES))
def test_eligible_is_exactly_what_all_supply(supplied: list[set[str]], needed: set[str]) -> None:
    builds: list[SensorContract] = []
    for number, names in enumerate(supplied):
        fields = tuple(EventField(name, FieldKind.TEXT) for name in sorted(names))
        builds.append(sensor(f"{number}", events=(EventType("named_pipe", fields),)))
    found = shortages([field(f"named_pipe.{name}") for name in sorted(needed)], builds)
    lacking = {f"named_pipe.{name}" for name in needed if not all(name in names for names in supplied)}
    assert {short.need.name for short in found} == lacking
    for short in found:
        name = short.need.name.partition(".")[2]
        assert set(short.builds) == {b.build for b, names in zip(builds, supplied, strict=True) if name not in names}
