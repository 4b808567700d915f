"""Start an encoding process, read what it makes, and make sure that it ends.

Works in a service patched by gevent (waiting for the process stops nobody else) and in plain
Python alike.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from common.errors import MediaError
from common.media.job import Message, RenderJob

_ROOT = Path(__file__).parents[2]
_HEADER_BYTES = 5
_LAST_LINES = 5


def render(job: RenderJob, on_frames: Callable[[int], None]) -> Iterator[bytes]:
    """Run `job` in a process of its own and yield its output as it is made.

    `on_frames` is told the number of frames done, now and then. Closing the generator ends the
    process at once. Raises MediaError if the process says that it failed, or breaks off.
    """
    # Its complaints go to a file: a pipe that nobody reads would fill up and stop it.
    with TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "common.media.render"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            # It must find our packages whatever folder this process stands in.
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
        try:
            yield from _converse(process, job, on_frames)
        except EOFError as exc:
            raise MediaError(f"the encoder broke off: {_last_lines(complaints)}") from exc
        finally:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()


def _converse(
    process: "subprocess.Popen[bytes]", job: RenderJob, on_frames: Callable[[int], None]
) -> Iterator[bytes]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    try:
        process.stdin.write(job.to_json())
        process.stdin.close()
    except BrokenPipeError as exc:
        raise EOFError from exc
    while True:
        kind, payload = _read_message(process.stdout)
        if kind is Message.DATA:
            yield payload
        elif kind is Message.PROGRESS:
            on_frames(int(payload))
        elif kind is Message.FAILED:
            raise MediaError(payload.decode(errors="replace"))
        else:
            return


def _read_message(pipe: IO[bytes]) -> tuple[Message, bytes]:
    """Raises EOFError if the pipe ends."""
    header = _read_exactly(pipe, _HEADER_BYTES)
    return Message(header[:1]), _read_exactly(pipe, int.from_bytes(header[1:], "big"))


def _read_exactly(pipe: IO[bytes], size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = pipe.read(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def _last_lines(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").splitlines()
    return " / ".join(lines[-_LAST_LINES:]) or "it said nothing"
