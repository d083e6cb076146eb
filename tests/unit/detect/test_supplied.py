"""The contract of this build is made from what supplies, and the package carries it fresh."""

from importlib.metadata import version

import yara_x

from ringfence import __version__
from ringfence.detect.file_type import FileClass
from ringfence.detect.needs import needs_of
from ringfence.detect.supplied import EVENTS, LOADER_LIMITS, VARIABLES, supplied_contract
from ringfence.model import limits
from ringfence.model.release import YARA_VARIABLES
from ringfence.programs.own_contract import own_contract, own_contract_bytes
from ringfence.programs.starter_content import starter_release
from ringfence.trust.eligibility import check_eligible
from ringfence.wire.contract import encode_contract
from ringfence.wire.release import decode_release

CONTRACT = supplied_contract(__version__, version("yara-x"))


def test_the_package_carries_a_fresh_contract() -> None:
    assert own_contract_bytes() == encode_contract(CONTRACT), "run `make docs`: what this build supplies has changed"
    assert own_contract() == CONTRACT


def test_every_module_that_it_names_compiles() -> None:
    for module in CONTRACT.yara_modules:
        yara_x.compile(f'import "{module}" rule r {{ condition: false }}')
    assert {"elf", "hash", "math", "pe"} <= set(CONTRACT.yara_modules)


def test_a_variable_that_is_only_defined_is_not_supplied() -> None:
    """All of them always hold "": nothing on a host gives one a value, so a rule must not rely on one."""
    assert VARIABLES == ()
    assert YARA_VARIABLES


def test_without_a_detector_there_are_no_events() -> None:
    assert EVENTS == ()
    assert CONTRACT.detection_format == 0


def test_file_classes_and_limits_are_those_of_the_code() -> None:
    assert set(CONTRACT.file_classes) == {kind.value for kind in FileClass}
    assert dict(CONTRACT.limits) == {name: getattr(limits, name) for name in LOADER_LIMITS}
    assert list(LOADER_LIMITS) == sorted(LOADER_LIMITS)


def test_the_packaged_release_fits_this_build() -> None:
    check_eligible(needs_of(decode_release(starter_release())), [CONTRACT])
