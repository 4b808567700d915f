"""What the origin's playlists list: one entry per segment, and how the stream misbehaves.

A change that is asked for takes effect with the next segment that is offered. Segments that are
offered while the stream has ended are never listed; while the playlist is frozen they wait, and
are listed together when it thaws.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from common.times import Micros
from demo.origin.encoder import SEGMENT_SECONDS

# Entries that the journal keeps: more than a day of two-second segments.
_JOURNAL_ENTRIES = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """A break of `segments` segments, and the marks by which players may know it."""

    id: str
    start: Micros
    duration: Micros
    marks: frozenset[str]
    """Of `class`, `id` and `title`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A segment that could be listed. `index` counts from the stream's start, `start` is the wall
    time of its first frame, `at` when it was complete, `hashes` has for each quality the hash of
    its bytes as segments' names carry it.
    """

    index: int
    start: Micros
    duration: Micros
    at: Micros
    hashes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A segment as it is listed. `discontinuities` counts those up to and including this entry,
    since the sequence was last restarted.
    """

    offer: Offer
    sequence: int
    program_date_time: Micros | None
    discontinuity: bool
    discontinuities: int
    advertisement: Advertisement | None
    listed_at: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How the stream behaves at present."""

    program_date_time: bool = True
    time_offset: Micros = 0
    """Added to every PROGRAM-DATE-TIME."""
    ended: bool = False
    frozen: bool = False
    map: bool = False
    """Program tables are served once, as an EXT-X-MAP, instead of in each segment."""
    window_segments: int = 15
    target_seconds: int = SEGMENT_SECONDS
    """EXT-X-TARGETDURATION: the longest that a segment may be, and players wait for the next."""
    token_seconds: float | None = None


class Broadcast:
    """The playlist of one stream; all qualities list the same segments."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.entries: list[Entry] = []
        """The journal, oldest first."""
        self._run: list[Entry] = []
        self._waiting: list[Offer] = []
        self._next_sequence = 0
        self._restart = False
        self._returning = False
        self._discontinuity = False
        self._advertisement: Advertisement | None = None
        self._marks: frozenset[str] = frozenset()
        self._ad_segments = 0

    @property
    def window(self) -> list[Entry]:
        """What a media playlist lists now."""
        return self._run[-self.state.window_segments :]

    @property
    def says_end(self) -> bool:
        """Whether the playlist is that of a stream that has ended: also when it is back, until the
        new playlist has its first segment.
        """
        return self.state.ended or self._returning

    def change(self, **fields: object) -> None:
        """Replace fields of the state. Coming back after an end starts a new playlist."""
        was_ended = self.state.ended
        self.state = replace(self.state, **fields)  # type: ignore[arg-type]
        if was_ended and not self.state.ended:
            self._restart = self._returning = True

    def restart(self, sequence: int) -> None:
        """Begin a new playlist whose first segment has this sequence number."""
        self._next_sequence = sequence
        self._restart = True

    def mark_discontinuity(self) -> None:
        """Put an EXT-X-DISCONTINUITY before the next segment."""
        self._discontinuity = True

    def advertise(self, segments: int, marks: frozenset[str]) -> None:
        """Show an advertisement instead of the next `segments` segments."""
        self._ad_segments = segments
        self._marks = marks

    def offer(self, offer: Offer) -> None:
        """A segment is complete: list it, unless the stream has ended or the playlist is frozen."""
        self._waiting.append(offer)
        self.settle(offer.at)

    def settle(self, now: Micros) -> list[Entry]:
        """List what waits, if it may be listed now; returns the new entries."""
        if self.state.frozen:
            return []
        waiting, self._waiting = self._waiting, []
        if self.state.ended:
            return []
        return [self._list(offer, max(now, offer.at)) for offer in waiting]

    def _list(self, offer: Offer, now: Micros) -> Entry:
        if self._restart:
            self._run = []
            self._restart = self._returning = False
        discontinuity = self._next_advertisement(offer) or self._discontinuity
        self._discontinuity = False
        before = self._run[-1].discontinuities if self._run else 0
        entry = Entry(
            offer=offer,
            sequence=self._next_sequence,
            program_date_time=self._stamp(offer.start),
            discontinuity=discontinuity,
            discontinuities=before + discontinuity,
            advertisement=self._advertisement,
            listed_at=now,
        )
        self._next_sequence += 1
        self._run = [*self._run, entry][-2 * self.state.window_segments :]
        self.entries = [*self.entries, entry][-_JOURNAL_ENTRIES:]
        return entry

    def _next_advertisement(self, offer: Offer) -> bool:
        """Begin, continue or end an advertisement; True where it begins or ends."""
        before = self._advertisement
        if self._ad_segments == 0:
            self._advertisement = None
        elif before is None:
            self._advertisement = Advertisement(
                id=str(offer.index),
                start=self._stamp(offer.start) or offer.start,
                duration=self._ad_segments * offer.duration,
                marks=self._marks,
            )
        self._ad_segments = max(0, self._ad_segments - 1)
        return before is not self._advertisement

    def _stamp(self, start: Micros) -> Micros | None:
        return start + self.state.time_offset if self.state.program_date_time else None
