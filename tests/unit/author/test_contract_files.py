"""The inventory of a fleet is read whole or not at all."""

from pathlib import Path

import pytest
from tests.unit.wire.contract_fixtures import sensor

from ringfence.author.contract_files import read_contracts
from ringfence.model import limits
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.wire.contract import encode_contract


def test_each_build_once_in_order(tmp_path: Path) -> None:
    for name, version in (("b", "2.0.0"), ("a", "1.0.0"), ("copy", "1.0.0")):
        (tmp_path / f"{name}.json").write_bytes(encode_contract(sensor(version)))
    (tmp_path / "README.md").write_text("about the fleet")
    assert [contract.build for contract in read_contracts(tmp_path)] == [sensor("1.0.0").build, sensor("2.0.0").build]


def test_an_empty_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PathRefused, match="holds no contract"):
        read_contracts(tmp_path)
    with pytest.raises(PathRefused, match="holds no contract"):
        read_contracts(tmp_path / "nowhere")


@pytest.mark.parametrize("data", [b"", b"{}", encode_contract(sensor())[:-1], b" " * (limits.CONTRACT_BYTES_MAX + 1)])
def test_one_damaged_file_refuses_the_inventory(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "good.json").write_bytes(encode_contract(sensor()))
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(ContentRefused, match=r"bad\.json"):
        read_contracts(tmp_path)


def test_too_many_are_refused(tmp_path: Path) -> None:
    for number in range(limits.CONTRACTS_FILES_MAX + 1):
        (tmp_path / f"{number}.json").write_bytes(b"{}")
    with pytest.raises(ContentRefused, match="more than the"):
        read_contracts(tmp_path)
