"""The values of a release agree with those who use them."""

from ringfence.author.packing import CHEAP_MODULES
from ringfence.detect.file_type import FileClass
from ringfence.detect.scan_plan import CHEAP_MODULES as DETECT_CHEAP_MODULES
from ringfence.model.release import FILE_CLASSES, YARA_MODULES


def test_file_classes_are_those_that_files_are_sorted_into() -> None:
    assert frozenset(kind.value for kind in FileClass) == FILE_CLASSES


def test_author_and_engine_agree_which_modules_are_cheap() -> None:
    assert CHEAP_MODULES == DETECT_CHEAP_MODULES
    assert CHEAP_MODULES <= YARA_MODULES
