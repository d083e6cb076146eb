"""The contract of a build: strict, and never changed after it was made."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.contract_fixtures import process_creation, sensor
from tests.unit.wire.test_manifest import Change, put
from tests.unit.wire.test_release_mutations import change_value

from ringfence.model.errors import ContentRefused
from ringfence.wire import canonical
from ringfence.wire.contract import contract_digest, decode_contract, encode_contract

CONTRACT = sensor()
DATA = encode_contract(CONTRACT)


def test_comes_back_as_it_was() -> None:
    assert decode_contract(DATA, "c.json") == CONTRACT


def test_the_name_of_a_build_tells_its_inputs_apart() -> None:
    other = sensor(events=(process_creation("Extra"),))
    assert other.build != CONTRACT.build
    assert contract_digest(other) != contract_digest(CONTRACT)
    assert sensor("1.0.1").build.partition("+")[2] != CONTRACT.build.partition("+")[2]


def test_an_input_that_was_added_by_hand_is_refused() -> None:
    document = json.loads(DATA)
    document["events"][0]["fields"].append({"name": "Number21", "kind": "text"})
    document["events"][0]["arity"] += 1
    with pytest.raises(ContentRefused, match="changed after it was made"):
        decode_contract(canonical.encode(document), "c.json")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("format", 2), "/format"),
        (put("extra", 1), "/"),
        (put("build", "1.0.0"), "/build"),
        (put("build", "1.0.0+000000000000"), "/build"),
        (put("engine", ""), "/engine"),
        (put("engine_version", "1.23.1"), "/build"),
        (put("engine_version", "\x1b"), "/engine_version"),
        (put("release_format", 0), "/release_format"),
        (put("detection_format", -1), "/detection_format"),
        (put("yara_modules", "pe"), "/yara_modules"),
        (put("yara_modules", ["pe", "elf"]), "/yara_modules"),
        (put("yara_variables", ["filename", "filename"]), "/yara_variables"),
        (put("yara_variables", [1]), "/yara_variables"),
        (put("yara_variables", ["extension", "filename"]), "/build"),
        (put("file_classes", []), "/build"),
        (put("events", {}), "/events"),
        (put("events/0/arity", 5), "/events/0/arity"),
        (put("events/0/name", "Process Creation"), "/events/0/name"),
        (put("events/0/fields/0/kind", "any"), "/events/0/fields/0/kind"),
        (put("events/0/fields/0/kind", "integer"), "/build"),
        (put("events/0/fields/0/name", ""), "/events/0/fields/0/name"),
        (lambda document: document["events"][0]["fields"].reverse(), "/events/0/fields"),
        (lambda document: document["events"].append(document["events"][0]), "/events"),
        (put("limits/0/value", -1), "/limits/0/value"),
        (put("limits/0/value", 7), "/build"),
        (put("limits/0/name", "packs"), "/limits/0/name"),
        (lambda document: document["limits"].reverse(), "/limits"),
        (lambda document: document.pop("events"), "/"),
    ],
)
def test_refuses(change: Change, place: str) -> None:
    document = json.loads(DATA)
    change(document)
    with pytest.raises(ContentRefused) as caught:
        decode_contract(canonical.encode(document), "c.json")
    assert (caught.value.file, caught.value.position) == ("c.json", place)


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_always_refused(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(500):
        document = json.loads(DATA)
        change_value(chance, document)
        mutant = canonical.encode(document)
        if mutant != DATA:
            with pytest.raises(ContentRefused):
                decode_contract(mutant, "c.json")


@given(st.integers(0, len(DATA) * 8 - 1))
def test_every_flipped_bit_is_refused(bit: int) -> None:
    flipped = bytearray(DATA)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ContentRefused):
        decode_contract(bytes(flipped), "c.json")
