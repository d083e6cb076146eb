"""The gate's scanners against a zygote that answers, refuses, dies and lies."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from ringfence.host import scanner_slots
from ringfence.host.channel import Channel, Received
from ringfence.host.scanner_slots import ScannerSlots, Slot
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.frames import Frame

GATE_ID = 9
LINGERING = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""Links that a thread may still hold are not closed but let go of."""


class FakeZygote:
    """Takes SPAWN frames and answers when told to."""

    def __init__(self) -> None:
        self.gate_end, self.end = Channel.pair()
        self.scanners: list[socket.socket] = []
        self.pid = 1_000

    def requests(self) -> list[tuple[str, int]]:
        """What was asked since the last call: ("spawn" or "kill", slot)."""
        found = []
        while (received := self.end.receive(wait=False)) is not None:
            if received.frame.type == catalogue.SPAWN:
                slot, _, _, gate_id = catalogue.SPAWN_BODY.unpack(received.frame.body)
                assert gate_id == GATE_ID
                (descriptor,) = received.descriptors
                self.scanners.append(socket.socket(fileno=descriptor))
                found.append(("spawn", int(slot)))
            else:
                (slot,) = catalogue.KILL_BODY.unpack(received.frame.body)
                found.append(("kill", int(slot)))
        return found

    def spawned(self, slots: ScannerSlots, number: int, pid: int | None = None) -> None:
        """The zygote's answer reaches the gate."""
        self.pid += 1
        body = catalogue.SPAWNED_BODY.pack(number, self.pid if pid is None else pid)
        slots.on_zygote(Received(Frame(catalogue.SPAWNED, body), ()))

    def close(self) -> None:
        for end in (*self.scanners, self.end.socket, self.gate_end.socket):
            end.close()


@pytest.fixture
def zygote() -> Iterator[FakeZygote]:
    zygote = FakeZygote()
    yield zygote
    zygote.close()


@pytest.fixture
def slots() -> Iterator[ScannerSlots]:
    slots = ScannerSlots([0, 1], 1, GATE_ID)
    slots.fill()
    yield slots
    for slot in slots.slots:
        for link in (slot.link, slot.pending):
            if link is not None:
                link.close()
    os.close(slots.wake)


def filled(slots: ScannerSlots, zygote: FakeZygote) -> None:
    slots.use_zygote(zygote.gate_end)
    for _, number in zygote.requests():
        zygote.spawned(slots, number)


def test_the_layout(slots: ScannerSlots) -> None:
    layout = [(slot.number, slot.processor, slot.idle) for slot in slots.slots]
    assert layout == [(0, 0, False), (1, 1, False), (2, -1, False), (3, -1, True)]
    assert slots.idle.number == 3
    assert [slot.number for slot in slots.foreground] == [0, 1, 2]


def test_a_standby_has_no_scanners_until_it_is_armed(zygote: FakeZygote) -> None:
    slots = ScannerSlots([0, 1], 1, GATE_ID)
    slots.use_zygote(zygote.gate_end)
    assert zygote.requests() == []
    slots.fill()
    assert [what for what, _ in zygote.requests()] == ["spawn"] * 4
    os.close(slots.wake)


def test_every_slot_is_filled(slots: ScannerSlots, zygote: FakeZygote) -> None:
    slots.use_zygote(zygote.gate_end)
    assert zygote.requests() == [("spawn", number) for number in range(4)]
    assert [slot.link for slot in slots.slots] == [None] * 4
    for number in range(4):
        zygote.spawned(slots, number)
    assert all(slot.link is not None and slot.filled.is_set() for slot in slots.slots)


def test_a_fault_replaces_one_scanner_and_kills_the_old_one(slots: ScannerSlots, zygote: FakeZygote) -> None:
    filled(slots, zygote)
    slots.fault(slots.slots[1], slots.slots[1].link)
    slots.replace_faulty()
    assert zygote.requests() == [("kill", 1), ("spawn", 1)]
    assert slots.slots[1].borrow(0) is None
    zygote.spawned(slots, 1)
    assert slots.slots[1].link is not None
    assert slots.restarts == 1


def test_two_faults_of_one_slot_ask_once(slots: ScannerSlots, zygote: FakeZygote) -> None:
    filled(slots, zygote)
    slots.fault(slots.slots[1], slots.slots[1].link)
    slots.fault(slots.slots[1], slots.slots[1].link)
    slots.replace_faulty()
    assert zygote.requests() == [("kill", 1), ("spawn", 1)]
    slots.replace_faulty()
    assert zygote.requests() == []


@LINGERING
def test_a_scanner_that_died_unasked_is_noticed(slots: ScannerSlots, zygote: FakeZygote) -> None:
    filled(slots, zygote)
    zygote.scanners[2].close()
    slots.notice_deaths()
    assert [slot.link is None for slot in slots.slots] == [False, False, True, False]
    slots.replace_faulty()
    assert zygote.requests() == [("kill", 2), ("spawn", 2)]


@LINGERING
def test_another_zygote_fills_every_slot_and_no_old_scanner_is_asked_again(
    slots: ScannerSlots, zygote: FakeZygote
) -> None:
    """An old scanner would judge by the old release."""
    filled(slots, zygote)
    old = [slot.link for slot in slots.slots]
    other = FakeZygote()
    slots.use_zygote(other.gate_end)
    assert [slot.borrow(0) for slot in slots.slots] == [None] * 4
    for _, number in other.requests():
        other.spawned(slots, number)
    assert all(slot.link is not None and slot.link not in old for slot in slots.slots)
    other.close()


@LINGERING
def test_a_standby_has_no_scanners_until_it_needs_them(slots: ScannerSlots, zygote: FakeZygote) -> None:
    slots.wanted = False
    slots.use_zygote(zygote.gate_end)
    assert zygote.requests() == []
    slots.fill()
    assert zygote.requests() == [("spawn", number) for number in range(4)]
    slots.fill()
    assert zygote.requests() == []


@LINGERING
def test_a_lost_zygote_leaves_the_slots_for_the_next(slots: ScannerSlots, zygote: FakeZygote) -> None:
    slots.use_zygote(zygote.gate_end)
    slots.zygote_lost()
    assert slots.zygote is None
    assert [slot.pending for slot in slots.slots] == [None] * 4
    slots.fault(slots.slots[0], slots.slots[0].link)
    slots.replace_faulty()
    other = FakeZygote()
    filled(slots, other)
    assert all(slot.link is not None for slot in slots.slots)
    other.close()


def test_a_zygote_that_is_gone_is_noticed_when_it_is_asked(slots: ScannerSlots, zygote: FakeZygote) -> None:
    filled(slots, zygote)
    zygote.end.close()
    slots.fault(slots.slots[0], slots.slots[0].link)
    slots.replace_faulty()
    assert slots.zygote is None
    assert slots.slots[0].pending is None


def test_a_zygote_that_does_not_read_blocks_nobody(slots: ScannerSlots, zygote: FakeZygote) -> None:
    filled(slots, zygote)
    for _ in range(2_000):
        scanner_slots._drop_pending(slots.slots[0])
        slots.fault(slots.slots[0], slots.slots[0].link)
        slots.replace_faulty()
    assert slots.restarts == 2_000


def test_a_failed_spawn_is_tried_again(slots: ScannerSlots, zygote: FakeZygote) -> None:
    slots.use_zygote(zygote.gate_end)
    zygote.requests()
    zygote.spawned(slots, 0, pid=0)
    assert slots.slots[0].link is None
    slots.replace_faulty()
    assert ("spawn", 0) in zygote.requests()


def test_answers_that_nobody_asked_for_change_nothing(slots: ScannerSlots, zygote: FakeZygote) -> None:
    for number in (0, 3, 4, 2**32 - 1):
        zygote.spawned(slots, number)
    assert [slot.link for slot in slots.slots] == [None] * 4


def test_a_malformed_answer_is_refused(slots: ScannerSlots) -> None:
    with pytest.raises(FrameRefused):
        slots.on_zygote(Received(Frame(catalogue.SPAWNED, b"short"), ()))


def test_borrowing_waits_for_a_replacement(slots: ScannerSlots, zygote: FakeZygote) -> None:
    slots.use_zygote(zygote.gate_end)
    zygote.requests()
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(slots.slots[0].borrow(limits.SCANNER_WAIT_MS)))
    thread.start()
    zygote.spawned(slots, 0)
    thread.join()
    assert got == [slots.slots[0].link]


def test_borrowing_in_vain_ends() -> None:
    assert Slot(0, -1, idle=False).borrow(1) is None
    assert Slot(0, -1, idle=False).borrow(-5) is None


def test_faults_from_many_threads_end_with_every_slot_filled(slots: ScannerSlots, zygote: FakeZygote) -> None:
    filled(slots, zygote)
    stop = threading.Event()

    def faulty(slot: Slot) -> None:
        for _ in range(300):
            if (link := slot.borrow(1)) is not None:
                slots.fault(slot, link)

    threads = [threading.Thread(target=faulty, args=(slot,)) for slot in slots.slots]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or any(slot.link is None for slot in slots.slots):
        slots.notice_deaths()
        slots.replace_faulty()
        for what, number in zygote.requests():
            if what == "spawn":
                zygote.spawned(slots, number)
        if stop.is_set():
            break
    assert all(slot.link is not None for slot in slots.slots)


def test_only_one_question_waits_for_a_scanner_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that starts asks a dozen times, one after the other: it must not wait a dozen times."""
    monkeypatch.setattr(scanner_slots, "SCANNER_WAIT_MS", 1)
    slot = Slot(0, -1, idle=False)
    assert slot.borrow(1_000) is None
    monkeypatch.setattr(slot.filled, "wait", None)
    assert slot.borrow(1_000) is None


def test_a_scanner_that_came_late_is_waited_for_when_it_is_gone_again(
    slots: ScannerSlots, zygote: FakeZygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner_slots, "SCANNER_WAIT_MS", 1)
    slot = slots.slots[0]
    assert slot.borrow(1_000) is None
    slots.use_zygote(zygote.gate_end)
    zygote.requests()
    zygote.spawned(slots, 0)
    assert slot.borrow(1_000) is not None
    assert not slot.is_late
