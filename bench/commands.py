"""Running the programs that cuts are compared with, and counting what they take."""

import resource
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.suite import check
from common.media.commands import ffmpeg_binary

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one run took. `body_bytes` are those that it sent to its standard output."""

    cpu_seconds: float
    wall_seconds: float
    body_bytes: int


def counted(command: Sequence[str], *, status: int = 0) -> Spent:
    """Run a command to its end, reading and discarding what it sends; it should end with `status`.

    CPU is that of the command and all that it waits for; no other child may end meanwhile.
    """
    before = _children_seconds()
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        body_bytes = drain(process)
    wall = time.monotonic() - started
    ended = process.returncode
    check(ended == status, f"{command[0]} ends with {status}, not {ended}")
    cpu = _children_seconds() - before
    return Spent(cpu_seconds=cpu, wall_seconds=wall, body_bytes=body_bytes)


def cat(paths: Iterable[Path]) -> list[str]:
    """Send files to standard output."""
    return ["cat", *map(str, paths)]


def copy_with_ffmpeg(paths: Iterable[Path]) -> list[str]:
    """Demux and mux the same files as one stream, to nowhere."""
    script = 'ffmpeg=$1; shift; cat "$@" | "$ffmpeg" -v error -i - -c copy -f mpegts pipe:1'
    return ["sh", "-c", f"{script} >/dev/null", "sh", ffmpeg_binary(), *map(str, paths)]


def encode_with_ffmpeg(
    paths: Iterable[Path], *, skip_seconds: float, seconds: float, options: Sequence[str]
) -> list[str]:
    """Decode the files as one stream and encode what lies in the range, to nowhere."""
    script = 'ffmpeg=$1; files=$2; shift 2; cat $files | "$ffmpeg" -v error -i - "$@"'
    files = " ".join(map(str, paths))
    return [
        *("sh", "-c", script, "sh", ffmpeg_binary(), files),
        *("-ss", f"{skip_seconds}", "-t", f"{seconds}", *options, "-y", "/dev/null"),
    ]


def drain(process: "subprocess.Popen[bytes]") -> int:
    """Read all that a command sends to an unbuffered pipe; returns how many bytes that were."""
    if process.stdout is None:
        raise RuntimeError("the command was started without a pipe")
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    total = 0
    while got := process.stdout.readinto(buffer):  # type: ignore[attr-defined]
        total += got
    return total


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
