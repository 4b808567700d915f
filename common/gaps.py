"""The journal of gaps: what of a stream could not be recorded, and why. The format of its lines.

    BASE/.gaps/CHANNEL/QUALITY.jsonl             one JSON object a line, appended
    BASE/.gaps/CHANNEL/QUALITY/TIME.m3u8         the playlist as it was then, the newest 200

Each line has `start` and `end` (ISO 8601, UTC), `reason` (one of `GapReason`), `detail`, the media
`sequence` if there is one, and `noted`, when the line was written. The folder's name begins with a
dot, so nobody takes it for a channel. Only the downloader writes it.
"""

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from common.times import Micros, format_time, parse_time

FOLDER = ".gaps"


class GapReason(Enum):
    """Why something is missing."""

    ADVERTISEMENT = "advertisement"
    """The origin showed an advertisement instead of the stream."""
    EXPIRED = "expired"
    """The address was refused (403, 404, 410), and a fresh one did not help in time."""
    NETWORK = "network"
    """Errors of the server or of the network until the segment was gone."""
    MISSED = "missed"
    """It left the playlist before this node could see it."""
    ORIGIN_ENDED = "origin_ended"
    """The origin said that the stream had ended; `end` is when it was back."""
    DISK = "disk"
    """The disk did not take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """[start, end) could not be recorded."""

    start: Micros
    end: Micros
    reason: GapReason


def journal_file(base_dir: Path, channel: str, quality: str) -> Path:
    return base_dir / FOLDER / channel / f"{quality}.jsonl"


def journal_playlists(base_dir: Path, channel: str, quality: str) -> Path:
    """The folder of playlists that are kept beside the journal."""
    return base_dir / FOLDER / channel / quality


def format_gap(gap: Gap, *, detail: str, sequence: int | None, noted: Micros) -> str:
    """A line of the journal, without its end."""
    line = {
        "start": format_time(gap.start),
        "end": format_time(gap.end),
        "reason": gap.reason.value,
        "detail": detail,
        "sequence": sequence,
        "noted": format_time(noted),
    }
    return json.dumps(line)


def parse_gap(line: str | bytes) -> Gap:
    """A line of the journal. Raises ValueError if it is none, or covers no time."""
    try:
        return gap_of(json.loads(line))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc


def gap_of(value: Any) -> Gap:
    """From an object with `start`, `end` and `reason`. Raises ValueError if it is none."""
    if not isinstance(value, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - the text's mistake, not a caller's
    start, end = parse_time(str(value.get("start"))), parse_time(str(value.get("end")))
    if start >= end:
        raise ValueError("it covers no time")
    return Gap(start=start, end=end, reason=GapReason(value.get("reason")))
