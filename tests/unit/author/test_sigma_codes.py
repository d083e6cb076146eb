"""Every code that is given has its sentence, and every sentence belongs to a code that is given."""

import re

from tests.house.sources import SOURCE

from ringfence.author.codes import CODES
from ringfence.author.finding import CODE
from ringfence.author.sigma_codes import SIGMA_CODES


def test_codes_and_their_use_agree() -> None:
    files = [path for path in (SOURCE / "author").glob("*.py") if path.name != "sigma_codes.py"]
    given = {code for path in files for code in re.findall(r'"(sigma/[a-z-]+)"', path.read_text(encoding="utf-8"))}
    assert sorted(given) == sorted(SIGMA_CODES)


def test_codes_have_their_form_and_are_known_to_all() -> None:
    assert all(CODE.fullmatch(code) for code in SIGMA_CODES)
    assert SIGMA_CODES.items() <= CODES.items()
