"""The version of the engine, without the standard library's reader of package metadata."""

from importlib.metadata import version

import pytest
import yara_x

from ringfence.host import engine_version as module
from ringfence.programs.own_contract import own_contract


def test_it_is_the_one_that_the_package_says() -> None:
    assert module.engine_version() == version("yara-x") == own_contract().engine_version


def test_an_engine_without_metadata_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yara_x, "__file__", "/no/such/place/yara_x/__init__.py")
    assert module.engine_version() == "unknown"
