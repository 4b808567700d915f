"""Jobs for encoding processes, and the processes themselves as the kernel shows them."""

import os
from pathlib import Path

from common.media.job import Piece, RenderJob
from common.times import SECOND, parse_time
from tests.support.media import fill_store, recorded_set

START = parse_time("2026-01-01T00:00:00")


def render_job(folder: Path, *, segments: int = 1, container: str = "mpegts") -> RenderJob:
    """All frames of the first segments of 360p30, 60 in each."""
    stored = fill_store(folder, "demo", "360p30", recorded_set(), start=START, count=segments)
    pieces = tuple(
        Piece(
            path=str(entry.path),
            start=entry.segment.start,
            from_time=START,
            to_time=START + 3600 * SECOND,
        )
        for entry in stored
    )
    return RenderJob(parts=(pieces,), container=container)


def children(pid: int) -> set[int]:
    """The processes that a process has started and that still exist, zombies among them."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(path.name))
        if fields is not None and int(fields[1]) == pid:
            found.add(int(path.name))
    return found


def encoders() -> set[int]:
    """The encoding processes of this process."""
    return {
        pid
        for pid in children(os.getpid())
        if b"common.media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def _stat(pid: int) -> list[str] | None:
    """What the kernel says of a process, from its state on; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat.rpartition(")")[2].split()


def resident_bytes(pid: int) -> int:
    """How much memory the process has in RAM."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
