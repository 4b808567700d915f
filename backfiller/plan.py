"""What to do about an hour in which two nodes differ. Pure.

Tombstones come first: they are written before anything is decided about segments. What they hide,
here or there, is not wanted. Bytes that are here already under another name (nodes hold the same
bytes under starts a millisecond apart) are not fetched again but stored under the other's name as
well, so that names converge. What the downloader is probably fetching right now is left to it.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from common.replication.listing import Listing
from common.segments.path import Segment, Tombstone
from common.segments.store import Hour, hidden_by
from common.times import HOUR, Micros, parse_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A segment to store under exactly this name. `twin` has the same bytes and is here, if any."""

    segment: Segment
    twin: Segment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`wanted` are in random order, so that several nodes are not asked for the same at once.

    `recent` counts what is left to the downloader, `postponed` what failed a short while ago and is
    to be tried again in `postponed_seconds` at the earliest.
    """

    wanted: tuple[Wanted, ...]
    recent: int
    postponed: int
    postponed_seconds: float = 0.0

    @property
    def is_settled(self) -> bool:
        """Nothing is to be done about this hour until one of the two nodes changes."""
        return not (self.wanted or self.recent or self.postponed)


def missing_tombstones(theirs: Listing, ours: Hour) -> list[Tombstone]:
    """Those that the other node has in an hour and we do not."""
    known = {entry.name for entry in ours.tombstones}
    return [entry for entry in theirs.tombstones if entry.name not in known]


def missing_segments(
    theirs: Listing, ours: Hour, hides: Callable[[Segment], bool]
) -> list[Segment]:
    """Those that the other node has and we do not, and that no tombstone hides.

    `hides` says what our tombstones hide, in whichever hour they lie.
    """
    here = {entry.name for entry in (*ours.segments, *ours.hidden)}
    theirs_hide = hidden_by(theirs.tombstones).hides
    return [
        entry
        for entry in theirs.segments
        if entry.name not in here and not hides(entry) and not theirs_hide(entry)
    ]


def plan_segments(
    missing: Iterable[Segment],
    *,
    twins: Mapping[str, Segment],
    cutoff: Micros,
    seconds_left: Callable[[Segment], float],
    rng: random.Random,
) -> Plan:
    """Decide what to do about each segment that is missing.

    `twins` are the segments that are here, in this hour and its neighbours, by hash. What starts at
    `cutoff` or later is left to the downloader; what has `seconds_left` is left alone for so long.
    """
    recent = 0
    waits: list[float] = []
    wanted = []
    for segment in missing:
        if segment.start >= cutoff:
            recent += 1
        elif seconds := seconds_left(segment):
            waits.append(seconds)
        else:
            wanted.append(Wanted(segment=segment, twin=twins.get(segment.hash)))
    rng.shuffle(wanted)
    return Plan(
        wanted=tuple(wanted),
        recent=recent,
        postponed=len(waits),
        postponed_seconds=min(waits, default=0.0),
    )


def is_within(hour: str, *, start: Micros, now: Micros) -> bool:
    """Whether an hour is one to care for: not over before `start`, and not in the future.

    Clocks of nodes may differ by minutes, so the hour to come is allowed.
    """
    begin = parse_hour(hour)
    return begin + HOUR > start and begin <= now + HOUR
