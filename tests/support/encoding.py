"""Jobs for encoding processes, and the processes themselves."""

import os
from pathlib import Path

from common.media.job import Piece, RenderJob
from common.times import SECOND, parse_time
from tests.support.media import fill_store, recorded_set
from tests.support.proc import children, command_line

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


def encoders() -> set[int]:
    """The encoding processes of this process."""
    return {pid for pid in children(os.getpid()) if "common.media.worker" in command_line(pid)}
