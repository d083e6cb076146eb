"""Every code that a check may give, with what it means: the document of `ringfence content lint` is made from it.

A code never changes its meaning.  Each code of an error has an example in `tests/content/harmful`.
"""

from typing import Final

from ringfence.author.sigma_codes import SIGMA_CODES

CODES: Final[dict[str, str]] = {**SIGMA_CODES}
"""Code -> what is wrong, and what harm it does, in one sentence."""
