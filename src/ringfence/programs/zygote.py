"""The parent of all scanners: loads the content once, then forks a scanner whenever a gate asks for one.

Single-threaded on purpose: a fork of a threaded process is luck.  It reads the package manager's digests while it is
still root, then drops, proves it, and only then looks at the content, whose bytes it got in a sealed memory file.
"""

import gc
import hashlib
import os
import selectors
import signal
from dataclasses import dataclass, field

from ringfence.detect.needs import check_declared, needs_of, outlines_of
from ringfence.detect.rule_removal import without
from ringfence.detect.self_tests import check_self_tests
from ringfence.detect.yara import CompiledContent, compile_release
from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.host.child import Arguments, failure_text, reported, run_child
from ringfence.host.examinations import Examinations
from ringfence.host.executing import ExecutingMark
from ringfence.host.heartbeat import Beat
from ringfence.host.rule_ledger import RuleLedger
from ringfence.host.scan_process import ScanContext, run_scanner
from ringfence.host.vouched import VouchedDigests, from_dpkg
from ringfence.model import limits
from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused, FrameRefused
from ringfence.model.fault import RuleName, rule_name_of
from ringfence.model.records import ReleaseReference, RuleReference
from ringfence.model.release import Manifest, Release
from ringfence.programs.own_contract import own_contract
from ringfence.programs.proof_gate import check_proven, packaged_sha256
from ringfence.trust.eligibility import check_eligible
from ringfence.wire import catalogue
from ringfence.wire.frames import WAY_OUT, unpack_exact
from ringfence.wire.release import decode_release
from ringfence.wire.rule_costs import encode_rule_costs
from ringfence.wire.rule_table import RuleTable, encode_rule_table

CONTENT_WAY_OUT = "give the host another release; it goes on with the one before"


@dataclass(slots=True)
class GateClient:
    """One gate that is served, and its scanners by slot."""

    channel: Channel
    pids: dict[int, int] = field(default_factory=dict)
    marks: dict[int, ExecutingMark] = field(default_factory=dict)

    def tell_end(self, pid: int, status: int) -> None:
        """Say how a scanner ended that nobody told to."""
        slot = next((slot for slot, one in self.pids.items() if one == pid), None)
        if slot is None:
            return
        del self.pids[slot]
        try:
            self.channel.try_send(catalogue.SCANNER_ENDED, catalogue.SCANNER_ENDED_BODY.pack(slot, pid, status))
        except ChannelClosed:
            pass  # the gate is gone, and its scanners end anyway


class Zygote:
    """The loop of the zygote."""

    def __init__(self, warden: Channel, context: ScanContext, examinations: Examinations, beat: Beat) -> None:
        self._warden = warden
        self._beat = beat
        self._context = context
        self._examinations = examinations
        self._selector = selectors.PollSelector()
        self._selector.register(warden, selectors.EVENT_READ)
        self._clients: list[GateClient] = []

    def run(self) -> None:
        """Serve for ever, and beat: a zygote that is stopped must not leave the gates without scanners unnoticed."""
        while True:
            self._beat.beat()
            for key, _ in self._selector.select(limits.ZYGOTE_BEAT_MS / 1000):
                if key.data is None:
                    self._hear_warden()
                elif key.data is self._examinations:
                    self._hear_examiner()
                else:
                    self._hear_gate(key.data)
            self._reap()

    def _hear_examiner(self) -> None:
        """It speaks once, at its end, or dies."""
        channel = self._examinations.channel
        if channel is not None:
            self._selector.unregister(channel)
            self._examinations.hear()

    def _hear_warden(self) -> None:
        while (received := self._warden.receive(wait=False)) is not None:
            if received.frame.type == catalogue.RULES:
                (count,) = unpack_exact(catalogue.RULES_BODY, received.frame.body, "rules")
                costs = self._examinations.costs(min(int(count), limits.RULE_COST_ROWS_MAX))
                self._warden.send(catalogue.RULES_ANSWER, encode_rule_costs(costs))
                continue
            (descriptor,) = _one_descriptor(received)
            if received.frame.type == catalogue.ADOPT_GATE:
                client = GateClient(Channel.adopt(descriptor))
                self._selector.register(client.channel, selectors.EVENT_READ, client)
                self._clients.append(client)
            elif received.frame.type == catalogue.USE_FINDINGS:
                self._context.findings_descriptor = descriptor
            else:
                raise FrameRefused(f"the warden sent a frame of type {received.frame.type} to the zygote", WAY_OUT)

    def _hear_gate(self, client: GateClient) -> None:
        try:
            while (received := client.channel.receive(wait=False)) is not None:
                if received.frame.type == catalogue.SPAWN:
                    self._spawn(client, received)
                elif received.frame.type == catalogue.KILL:
                    (slot,) = unpack_exact(catalogue.KILL_BODY, received.frame.body, "kill")
                    self._end(client, int(slot))
                elif received.frame.type == catalogue.EXAMINE:
                    self._examine(client, received)
                else:
                    raise FrameRefused(f"a gate sent a frame of type {received.frame.type} to the zygote", WAY_OUT)
        except (ChannelClosed, FrameRefused):
            self._selector.unregister(client.channel)
            self._clients.remove(client)
            client.channel.close()
            for slot in list(client.pids):
                self._end(client, slot)

    def _end(self, client: GateClient, slot: int) -> None:
        """The scanner of a slot is no longer wanted; what it was at may be asked for later.

        How one has ended that is dead already is told first.
        """
        self._reap()
        _kill(client.pids.pop(slot, 0))
        if (mark := client.marks.pop(slot, None)) is not None:
            self._examinations.scanner_gone(mark)

    def _examine(self, client: GateClient, received: Received) -> None:
        (file,) = _one_descriptor(received)
        self._examinations.ask(client.channel, received.frame.body, file, self._let_go)
        if (examiner := self._examinations.channel) is not None:
            self._selector.register(examiner, selectors.EVENT_READ, self._examinations)

    def _let_go(self) -> None:
        """In a child: close what is the zygote's."""
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._beat.close()

    def _reap(self) -> None:
        """Bury the dead, and tell the gate of those that nobody killed here."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for client in self._clients:
                    client.tell_end(*ended)
        except ChildProcessError:
            pass

    def _spawn(self, client: GateClient, received: Received) -> None:
        (descriptor,) = _one_descriptor(received)
        slot, processor, idle, gate_id = (
            int(value) for value in unpack_exact(catalogue.SPAWN_BODY, received.frame.body, "spawn")
        )
        self._end(client, slot)
        mark = client.marks[slot] = ExecutingMark()
        pid = os.fork()
        if pid == 0:
            self._become_scanner(descriptor, processor, mark, idle=bool(idle), gate_id=gate_id)
        os.close(descriptor)
        client.pids[slot] = pid
        client.channel.send(catalogue.SPAWNED, catalogue.SPAWNED_BODY.pack(slot, pid))

    def _become_scanner(
        self, descriptor: int, processor: int, mark: ExecutingMark, *, idle: bool, gate_id: int
    ) -> None:
        """In the child: let go of everything of the zygote's, then scan until the gate lets go of us."""
        try:
            self._let_go()
            run_scanner(self._context, descriptor, processor, mark, idle=idle, gate_id=gate_id)
        except OSError:
            os._exit(74)  # the disk's fault or the gate's, not the content's
        finally:
            os._exit(70)


def _one_descriptor(received: Received) -> tuple[int]:
    if len(received.descriptors) != 1:
        for descriptor in received.descriptors:
            os.close(descriptor)
        raise FrameRefused(f"a frame of type {received.frame.type} without its one descriptor", WAY_OUT)
    return (received.descriptors[0],)


def _kill(pid: int) -> None:
    if pid > 0:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _bytes_of(content_descriptor: int) -> bytes:
    """The release in the sealed memory file.  Raises ContentRefused."""
    size = os.fstat(content_descriptor).st_size
    data = bytearray()
    while len(data) < size:
        piece = os.pread(content_descriptor, min(size - len(data), limits.READ_PIECE_BYTES), len(data))
        if not piece:
            raise ContentRefused("the release in memory is shorter than it says", CONTENT_WAY_OUT)
        data += piece
    return bytes(data)


def _load(
    data: bytes, contract: SensorContract, left_out: frozenset[RuleName], *, unproven: bool
) -> tuple[CompiledContent, bytes, Manifest]:
    """Decode and compile a release; the rule table for the courier; the manifest.

    A release that needs an input which this build does not supply, and one that is not proven unless it may be
    `unproven`, is refused before anything is compiled.
    """
    release = decode_release(data)
    if not unproven:
        check_proven(release, contract)
    outlines = outlines_of(release)
    needs = needs_of(release, outlines)
    check_declared(release, needs)
    check_eligible(needs, (contract,))
    content = compile_release(without(release, left_out), None if left_out else outlines)
    _self_test(release, content, left_out)
    return content, encode_rule_table(_table(release, data)), release.manifest


def _self_test(release: Release, content: CompiledContent, left_out: frozenset[RuleName]) -> None:
    """Run the release's self-tests in a child: the engine's timer thread must never start in this process, because no
    scanner that is forked afterwards would ever time out.  Raises ContentRefused.
    """
    ours, theirs = Channel.pair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.die_with_parent()  # a fork begins without it
            if os.getppid() != parent:
                os._exit(70)
            _tell_self_test(theirs, release, content, left_out)
        finally:
            os._exit(70)
    theirs.close()
    try:
        received = ours.receive()
    except ChannelClosed:
        received = None
    ours.close()
    os.waitpid(pid, 0)
    if received is None:
        raise ContentRefused("the engine died in the release's self-tests", CONTENT_WAY_OUT)
    if received.frame.body:
        raise reported(received.frame.body)


def _tell_self_test(
    parent: Channel, release: Release, content: CompiledContent, left_out: frozenset[RuleName]
) -> None:
    """In the child: nothing, or the error, as a FAILED frame."""
    try:
        check_self_tests(release, content, left_out)
        parent.send(catalogue.FAILED, b"")
    except ContentRefused as refusal:
        parent.send(catalogue.FAILED, failure_text(refusal))
    os._exit(0)


def _table(release: Release, data: bytes) -> RuleTable:
    """The names and authors of the rules, by index, for the courier."""
    manifest = release.manifest
    rules = tuple(
        RuleReference(
            identifier=rule.identifier,
            pack=rule.pack,
            author=rule.author,
            description=rule.description,
            severity=rule.severity,
            action=rule.action,
            technique=rule.technique,
            reference=rule.reference,
            licence=rule.licence,
        )
        for rule in manifest.rules
    )
    return RuleTable(ReleaseReference(manifest.name, manifest.version, hashlib.sha256(data).hexdigest()), rules)


def _memory_file(name: str, data: bytes) -> int:
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def main(arguments: Arguments, warden: Channel) -> None:
    """Load, drop, compile, serve."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    vouched: VouchedDigests = from_dpkg()
    contract, packaged = own_contract(), packaged_sha256()  # the last files that this process opens
    sandbox.enter(processes.ZYGOTE)
    content_descriptor = arguments.number("content-fd")
    left_out = frozenset(rule_name_of(text) for text in arguments.every("left-out"))
    unproven = arguments.one("allow-unproven") == "1" or arguments.one("sha256") == packaged
    content, table, manifest = _load(_bytes_of(content_descriptor), contract, left_out, unproven=unproven)
    context = ScanContext(
        content=content,
        vouched=vouched,
        known_descriptor=arguments.number("known-fd"),
        release_index=arguments.number("release-index"),
        ledger=RuleLedger(len(content.rules)),
        findings_descriptor=-1,
    )
    gc.collect()
    gc.freeze()
    gc.disable()
    beat_descriptor = arguments.number("beat-fd")
    beat = Beat(beat_descriptor)
    os.close(beat_descriptor)
    beat.beat()  # from the moment that we are ready, the warden looks at it
    digest = bytes.fromhex(arguments.one("sha256"))
    ready = catalogue.READY_BODY.pack(manifest.version, digest, context.release_index, manifest.name.encode())
    warden.send(catalogue.READY, ready, (_memory_file("ringfence-rules", table),))
    examinations = Examinations(
        content, lambda: decode_release(_bytes_of(content_descriptor)), left_out, warden, context.ledger
    )
    Zygote(warden, context, examinations, beat).run()


if __name__ == "__main__":
    run_child(main)
