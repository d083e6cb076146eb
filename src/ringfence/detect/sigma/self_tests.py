"""The self-tests of rules over events: both matchers must see each event as its author does."""

from collections.abc import Iterable
from typing import Final

from ringfence.detect.events import Event
from ringfence.detect.sigma.matcher import Matcher
from ringfence.detect.sigma.naive import holds
from ringfence.model.detection import Detections
from ringfence.model.errors import ContentRefused

WAY_OUT: Final = "correct the rule or its self-test and build the release again"


def check_event_tests(packs: Iterable[Detections]) -> None:
    """Run every self-test of every pack.  Raises ContentRefused for the first that does not hold."""
    for pack in packs:
        matcher = Matcher(pack.rules)
        places = {rule.identifier: place for place, rule in enumerate(pack.rules)}
        for number, test in enumerate(pack.tests):
            rule = pack.rules[places[test.rule]]
            event = Event(rule.event_type, dict(test.event))
            matched = places[test.rule] in matcher.matches(event)
            if matched is not holds(rule.condition, event.fields):
                raise ContentRefused(f"the two matchers differ on a self-test of rule {test.rule}", WAY_OUT)
            if matched is not test.expects_match:
                wanted = "match" if test.expects_match else "ignore"
                raise ContentRefused(f"rule {test.rule} does not {wanted} the event of its self-test {number}", WAY_OUT)
