"""What playlists need to know of the store. All calls block; callers give them to a thread."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from common.errors import MediaError
from common.media.probe import Probe, probe
from common.segments.path import Segment, SegmentType
from common.segments.store import SegmentStore
from common.times import HOUR, SECOND, Micros, TimeRange, format_hour
from restreamer.metrics import RestreamerMetrics
from restreamer.playlist import (
    Entry,
    MediaPlaylist,
    Variant,
    closed_target_seconds,
    codec_string,
    entries,
    sliding,
)
from restreamer.session import (
    Landed,
    Session,
    first_target_seconds,
    fits,
    published,
    target_seconds,
)

logger = logging.getLogger(__name__)

_DAY = 24 * HOUR
_SAMPLE = 30  # segments whose sizes tell a quality's bandwidth
_PROBES_CACHED = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What part of a recording is asked for. Without `start` it is the live window; without `end`
    it grows.
    """

    start: Micros | None = None
    end: Micros | None = None

    def is_over(self, now: Micros) -> bool:
        """Whether nothing more can be recorded of it."""
        return self.end is not None and self.end <= now

    def closed(self) -> TimeRange | None:
        return None if self.start is None or self.end is None else TimeRange(self.start, self.end)


class Recording:
    """The store as playlists see it. `window` is the length of a live playlist."""

    def __init__(self, store: SegmentStore, *, window: Micros, metrics: RestreamerMetrics) -> None:
        self._store = store
        self._window = window
        self._metrics = metrics
        self._probe = lru_cache(maxsize=_PROBES_CACHED)(probe)

    def qualities(self, channel: str) -> list[str]:
        return self._store.qualities(channel)

    def first_hour(self, channel: str, quality: str) -> str | None:
        """The name of the first hour there is."""
        return next(iter(self._store.hours(channel, quality)), None)

    def closed_playlist(self, channel: str, quality: str, span: TimeRange) -> MediaPlaylist:
        """The playlist of a range in the past."""
        return _closed(self._best_entries(channel, quality, span))

    def joined_playlist(
        self, channel: str, quality: str, ranges: Iterable[TimeRange]
    ) -> MediaPlaylist:
        """The playlist of several ranges, one after another; each join is a discontinuity."""
        joined: list[Entry] = []
        for span in ranges:
            for number, entry in enumerate(self._best_entries(channel, quality, span)):
                joins = bool(joined) and number == 0
                joined.append(replace(entry, discontinuity=True) if joins else entry)
        return _closed(joined)

    def _best_entries(self, channel: str, quality: str, span: TimeRange) -> list[Entry]:
        sequence = self._store.best(channel, quality, span)
        segments = [entry for entry in sequence if isinstance(entry, Segment)]
        return self._entries(channel, quality, segments)

    def session_playlist(
        self, channel: str, quality: str, span: Span, session: Session, now: Micros
    ) -> MediaPlaylist:
        """What the session shows at `now`."""
        start = span.start
        if start is None:
            start = self._live_start(channel, quality, session.opened)
        landings = list(self._landings(channel, quality, start or 0))
        segments = published(landings, start=start, session=session, now=now)
        self._report_left_out(landings, session)
        if span.end is not None:
            segments = [segment for segment in segments if segment.start < span.end]
        made = self._entries(channel, quality, segments)
        if span.start is None:
            return sliding(made, target_seconds=session.target_seconds, window=self._window)
        closed = span.end is not None and self._is_complete(segments, span.end, session, now)
        return MediaPlaylist(
            entries=made, target_seconds=session.target_seconds, kind="EVENT", closed=closed
        )

    def new_session(
        self, channel: str, quality: str, start: Micros | None, opened: Micros
    ) -> Session:
        """A session that opens at `opened`, with the target duration that it keeps."""
        newest = self._newest_end(channel, quality, opened)
        if newest is None:
            seconds = first_target_seconds(self._landings(channel, quality, start or 0))
        else:
            since = newest - _DAY if start is None else min(start, newest - _DAY)
            seconds = target_seconds(
                landing.segment
                for landing in self._landings(channel, quality, since)
                if landing.landed <= opened
            )
        return Session(opened=opened, target_seconds=seconds)

    def variant(self, channel: str, quality: str, span: Span, uri: str) -> Variant | None:
        """What the master playlist says of a quality, or None if it has nothing in `span`."""
        sample = self._sample(channel, quality, span)
        if not sample:
            return None
        rates = [_bits_per_second(landing) for landing in sample]
        probed = self._probed(channel, quality, sample[-1].segment)
        return Variant(
            quality=quality,
            uri=uri,
            bandwidth=max(rates),
            average=sum(rates) // len(rates),
            codecs=_codecs(probed) if probed else None,
            resolution=_resolution(probed) if probed else None,
            frame_rate=probed.rate if probed else None,
        )

    def _landings(self, channel: str, quality: str, since: Micros) -> Iterator[Landed]:
        """Every visible segment that reaches beyond `since`."""
        first = format_hour(max(since - HOUR, 0))
        for name in self._store.hours(channel, quality):
            if name >= first:
                yield from self._landings_of_hour(channel, quality, name, since)

    def _landings_of_hour(
        self, channel: str, quality: str, name: str, since: Micros
    ) -> Iterator[Landed]:
        hour = self._store.hour(channel, quality, name)
        for segment in hour.segments:
            if segment.end > since:
                stat = hour.stats[segment.name]
                yield Landed(segment=segment, landed=stat.landed, size_bytes=stat.size_bytes)

    def _newest_end(self, channel: str, quality: str, opened: Micros) -> Micros | None:
        """The end of the newest of what had landed at `opened`."""
        for name in reversed(self._store.hours(channel, quality)):
            ends = [
                landing.segment.end
                for landing in self._landings_of_hour(channel, quality, name, 0)
                if landing.landed <= opened
            ]
            if ends:
                return max(ends)
        return None

    def _live_start(self, channel: str, quality: str, opened: Micros) -> Micros | None:
        newest = self._newest_end(channel, quality, opened)
        return None if newest is None else max(newest - self._window, 0)

    def _is_complete(
        self, segments: Sequence[Segment], end: Micros, session: Session, now: Micros
    ) -> bool:
        """Whether a session's list has all that it will ever have before `end`."""
        if segments and segments[-1].end >= end:
            return True
        # What comes late is published two target durations after it landed; allow as much again
        # for the recording itself.
        return now >= end + 4 * session.target_seconds * SECOND

    def _report_left_out(self, landings: Sequence[Landed], session: Session) -> None:
        for landing in landings:
            if landing.landed > session.opened and not fits(landing.segment, session):
                self._metrics.left_out.inc()
                logger.info(
                    "a session with target duration %d s goes without %s",
                    session.target_seconds,
                    landing.segment.name,
                )

    def _entries(self, channel: str, quality: str, segments: Sequence[Segment]) -> list[Entry]:
        measured = {
            segment.name: self._measured(channel, quality, segment)
            for segment in segments
            if segment.type is SegmentType.PARTIAL
        }
        return entries(segments, measured)

    def _measured(self, channel: str, quality: str, segment: Segment) -> Micros:
        """How long the content of a partial segment really is."""
        probed = self._probed(channel, quality, segment)
        if probed is None or len(probed.offsets) < 2:
            return segment.duration
        last_frame = probed.offsets[-1] - probed.offsets[-2]
        return (probed.offsets[-1] + last_frame) * SECOND // 90_000

    def _probed(self, channel: str, quality: str, segment: Segment) -> Probe | None:
        path: Path = self._store.path(channel, quality, segment)
        try:
            return self._probe(path)
        except MediaError as exc:
            logger.debug("no details of a segment: %s", exc)
            return None

    def _sample(self, channel: str, quality: str, span: Span) -> list[Landed]:
        """The last segments of `span`, at most _SAMPLE; full ones if there are any."""
        since = span.start or 0
        until = format_hour(span.end - 1) if span.end is not None else "9999"
        first = format_hour(max(since - HOUR, 0))
        for name in reversed(self._store.hours(channel, quality)):
            if not first <= name <= until:
                continue
            found = [
                landing
                for landing in self._landings_of_hour(channel, quality, name, since)
                if landing.segment.duration > 0
                and (span.end is None or landing.segment.start < span.end)
            ]
            if found:
                fulls = [item for item in found if item.segment.type is SegmentType.FULL]
                return (fulls or found)[-_SAMPLE:]
        return []


def _closed(made: list[Entry]) -> MediaPlaylist:
    return MediaPlaylist(
        entries=made, target_seconds=closed_target_seconds(made), kind="VOD", closed=True
    )


def _bits_per_second(landing: Landed) -> int:
    return max(1, math.ceil(landing.size_bytes * 8 * SECOND / landing.segment.duration))


def _codecs(probed: Probe) -> str | None:
    """All codecs of a segment, or None if one of them has no name: a list must be complete."""
    names: list[str | None] = []
    if probed.video:
        names.append(codec_string(probed.video.codec, probed.video.profile, probed.video.level))
    if probed.audio:
        names.append(codec_string(probed.audio.codec, None, 0))
    known = [name for name in names if name]
    return ",".join(known) if known and len(known) == len(names) else None


def _resolution(probed: Probe) -> tuple[int, int] | None:
    video = probed.video
    return (video.width, video.height) if video and video.width and video.height else None
