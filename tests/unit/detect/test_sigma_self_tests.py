"""Self-tests of rules over events hold, in both matchers, or the content is refused."""

import pytest
from tests.unit.detect.sigma_cases import asked, rule_of

from ringfence.detect.sigma import self_tests
from ringfence.detect.sigma.self_tests import check_event_tests
from ringfence.model.detection import Detections, EventTest
from ringfence.model.errors import ContentRefused

RULE = rule_of(asked("Image", "ends", "/sh"))
SHELL = (("Image", "/bin/sh"),)


def pack(*, expects_match: bool) -> Detections:
    return Detections((rule_of(asked("Image", "any"), 1), RULE), (EventTest(RULE.identifier, SHELL, expects_match),))


def test_what_holds_and_what_does_not() -> None:
    check_event_tests([pack(expects_match=True)])
    with pytest.raises(ContentRefused, match="does not ignore the event of its self-test 0"):
        check_event_tests([pack(expects_match=False)])


def test_matchers_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_tests, "holds", lambda *_: False)
    with pytest.raises(ContentRefused, match="the two matchers differ"):
        check_event_tests([pack(expects_match=True)])
