"""An event as a cutter sees it, and the cut that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from common.errors import BadParameter
from common.events import EventState
from common.media.request import CutRequest, CutType, Transition
from common.times import TimeRange, from_datetime


class RangeRow(NamedTuple):
    """The composite `video_range` as psycopg2 gives it."""

    start: datetime
    end: datetime


class TransitionRow(NamedTuple):
    """The composite `video_transition` as psycopg2 gives it."""

    type: str
    duration: timedelta


@dataclass(frozen=True, kw_only=True)
class Event:
    """The columns of a row that a cutter needs; `session` is what a backend stored of an upload."""

    id: str
    state: EventState
    location: str
    edit_time: datetime | None
    channel: str
    quality: str
    ranges: tuple[RangeRow, ...]
    transitions: tuple[TransitionRow | None, ...]
    allow_holes: bool
    title: str
    description: str
    tags: tuple[str, ...]
    error: str | None
    video_id: str | None
    session: Mapping[str, Any] | None

    def request(self, cut_type: CutType) -> CutRequest:
        """The cut. Raises BadParameter where the edit makes no sense."""
        return CutRequest(
            channel=self.channel,
            quality=self.quality,
            ranges=tuple(_time_range(row) for row in self.ranges),
            transitions=tuple(_transition(row) for row in self.transitions),
            type=cut_type,
            allow_holes=self.allow_holes,
        )


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to change one event: it stands in every statement that does."""

    event_id: str
    token: str


def _time_range(row: RangeRow) -> TimeRange:
    try:
        return TimeRange(from_datetime(row.start), from_datetime(row.end))
    except ValueError as exc:
        raise BadParameter("video_ranges", str(exc)) from exc


def _transition(row: TransitionRow | None) -> Transition | None:
    if row is None:
        return None
    return Transition(type=row.type, seconds=row.duration.total_seconds())
