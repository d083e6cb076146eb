"""Operators who ask what the rules cost: the warden passes the question to the zygote, and its answer back, unread."""

from ringfence.decide.warden_messages import Process
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.children import Children
from ringfence.model.limits import OPERATORS_MAX, QUESTION_DEADLINE_MS
from ringfence.wire import catalogue


class RuleQuestions:
    """Who waits for the ledger."""

    def __init__(self) -> None:
        self._waiting: list[Channel] = []
        self._since_ms = 0

    def ask(self, operator: Channel, body: bytes, zygote: Process | None, children: Children, now_ms: int) -> None:
        """Pass a question on.  Nobody waits where nobody can answer."""
        child = None if zygote is None else children.by_serial.get(zygote.serial)
        if child is None or len(self._waiting) >= OPERATORS_MAX:
            operator.close()
            return
        if not self._waiting:
            self._since_ms = now_ms
        self._waiting.append(operator)
        children.tell(child, catalogue.RULES, body)

    def answered(self, body: bytes) -> None:
        """The zygote has spoken: everybody who waits hears it."""
        for operator in self._waiting:
            try:
                operator.try_send(catalogue.RULES_ANSWER, body)
            except (ChannelClosed, OSError):
                pass  # that operator did not wait for it
            operator.close()
        self._waiting.clear()

    def expire(self, now_ms: int) -> None:
        """A zygote that does not answer costs the operators some time, and nobody else anything."""
        if self._waiting and now_ms - self._since_ms > QUESTION_DEADLINE_MS:
            for operator in self._waiting:
                operator.close()
            self._waiting.clear()
