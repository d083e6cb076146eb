"""A worker of `ringfence content prove`: tasks in, answers out, in a host's sandbox.  It may be killed at any instant.

1. It reads the release and the programs that are probes, bounded, and enters the sandbox in which a host compiles and
   tests a release, before it looks at either.
2. It does one task after the other.  An answer goes into a memory file: nothing of a hostile rule's text is a frame.
"""

import os
import sys
from contextlib import suppress
from functools import partial

from ringfence.author.proof_tasks import decode_task, encode_answer
from ringfence.author.proof_work import Work
from ringfence.detect.byte_source import CalledBytes
from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.engine_version import engine_version
from ringfence.model.errors import ContentRefused, FrameRefused, InternalError, RingfenceError
from ringfence.model.limits import PROOF_PROGRAMS_BYTES_MAX, PROOF_RESULT_BYTES_MAX, RELEASE_BYTES_MAX
from ringfence.programs.own_contract import own_contract
from ringfence.wire import proof_frames
from ringfence.wire.contract import contract_digest
from ringfence.wire.frames import WAY_OUT

REPORT = "report this with the version of ringfence and of the kernel"


def main(channel_descriptor: int) -> None:
    """Serve the prover at the other end of the channel until it is gone."""
    channel = Channel.adopt(channel_descriptor)
    try:
        _serve(channel)
    except ChannelClosed:
        return
    except RingfenceError as error:
        _tell(channel, error)
        os._exit(error.exit_status)
    except BaseException as error:  # noqa: BLE001 - whatever it is, a panic too, the prover must hear of it
        _tell(channel, InternalError(f"a prover's worker failed: {type(error).__name__}: {error}", REPORT))
        os._exit(InternalError.exit_status)


def _serve(channel: Channel) -> None:
    release, programs = _next(channel, proof_frames.PROOF_START, 2)
    data = _read(release, RELEASE_BYTES_MAX + 1)
    probes = proof_frames.decode_parts(_read(programs, PROOF_PROGRAMS_BYTES_MAX))
    contract, version = own_contract(), engine_version()
    sandbox.enter(processes.ZYGOTE)
    work = Work(data, probes)
    ready = proof_frames.encode_ready(contract.build, version, contract_digest(contract))
    channel.send(proof_frames.PROOF_READY, ready)
    while True:
        document, *files = _next(channel, proof_frames.PROOF_TASK, None)
        try:
            task = decode_task(_read(document, PROOF_RESULT_BYTES_MAX))
            answer = encode_answer(work.do(task, partial(_pread, files[0]) if files else _nothing))
        except ContentRefused as refusal:
            _tell(channel, refusal)
            continue
        finally:
            for file in files:
                os.close(file)
        result = os.memfd_create("answer", os.MFD_CLOEXEC)
        view = memoryview(answer)
        while view:
            view = view[os.write(result, view) :]
        channel.send(proof_frames.PROOF_ANSWER, b"", (result,))
        os.close(result)


def _next(channel: Channel, frame_type: int, files: int | None) -> tuple[int, ...]:
    """The files of the next frame, which must be of `frame_type`; one or two where `files` does not say."""
    received = channel.receive()
    if received is None or received.frame.type != frame_type or received.frame.body:
        raise FrameRefused(f"frame {frame_type} was expected", WAY_OUT)
    if len(received.descriptors) not in ((1, 2) if files is None else (files,)):
        raise FrameRefused(f"frame {frame_type} has {len(received.descriptors)} files", WAY_OUT)
    return received.descriptors


def _read(descriptor: int, bytes_max: int) -> bytes:
    source = CalledBytes(partial(os.pread, descriptor), bytes_max)
    data = source.read_at(0, source.size_bytes)
    os.close(descriptor)
    return data


def _pread(descriptor: int, length: int, offset: int) -> bytes:
    return os.pread(descriptor, length, offset)


def _nothing(length: int, offset: int) -> bytes:
    del length, offset
    return b""


def _tell(channel: Channel, error: RingfenceError) -> None:
    with suppress(OSError, ChannelClosed):
        channel.send(proof_frames.PROOF_FAILED, proof_frames.encode_failed(error.code, error.what, error.way_out))


if __name__ == "__main__":
    main(int(sys.argv[1]))
