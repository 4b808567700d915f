"""Playlists as we need them: m3u8's objects into plain values, times in microseconds. Pure.

The grammar is m3u8's business (RFC 8216). What is ours: which variant a quality's name means, which
segments are advertisements, and when each segment begins.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import m3u8

from common.times import (
    HOUR,
    SECOND,
    Micros,
    TimeRange,
    from_datetime,
    parse_time,
    to_datetime,
)

SOURCE = "source"
"""The variant with the highest bandwidth, or the only media playlist."""

# How Twitch marks advertisements that it stitches into a stream.
_AD_CLASS = "twitch-stitched-ad"
_AD_ID_PREFIX = "stitched-ad-"
_AD_TITLE = "Amazon"

_LONGEST: Micros = HOUR
"""No live stream's segments are longer; what says so is garbage."""

_LAG_SEGMENTS = 2


class BadPlaylist(ValueError):
    """The text is no playlist that can be recorded from."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One rendition of a stream: where its media playlist is, and by which names it goes."""

    url: str
    names: frozenset[str]
    bandwidth: int


@dataclass(frozen=True, kw_only=True)
class MediaSegment:
    """One line of a media playlist.

    `program_time` is when it begins by the playlist's own clock, None if that says nothing.
    `map_url` is the initialization section that its bytes need before them. `byte_range` and
    `map_range` are the offsets of the bytes that are meant, None for all that is at the address.
    """

    sequence: int
    url: str
    duration: Micros
    program_time: Micros | None
    advertisement: bool
    discontinuity: bool
    byte_range: range | None
    map_url: str | None
    map_range: range | None

    @property
    def path(self) -> str:
        """The address without what changes with each token."""
        return urlsplit(self.url).path


@dataclass(frozen=True, kw_only=True)
class MediaPlaylist:
    segments: tuple[MediaSegment, ...]
    target: Micros
    ended: bool

    def is_restart_after(self, sequence: int) -> bool:
        """Whether it ends so far before the segment `sequence`, which was listed earlier, that the
        origin must have begun anew: edges lag behind each other by a segment or two.
        """
        return bool(self.segments) and self.segments[-1].sequence < sequence - _LAG_SEGMENTS


def parse_variants(text: str, url: str) -> list[Variant]:
    """The variants of a master playlist; a media playlist is its own only variant.

    Raises BadPlaylist.
    """
    with _parsing(url):
        playlist = _load(text, url)
        if not playlist.is_variant:
            if not playlist.segments and not playlist.target_duration:
                raise BadPlaylist(f"{url} is not an HLS playlist")
            return [Variant(url=url, names=frozenset(), bandwidth=0)]
        groups = {media.group_id: media.name for media in playlist.media if media.type == "VIDEO"}
        # m3u8's objects leave NAME of EXT-X-STREAM-INF out, its plain data has it.
        names = [entry["stream_info"].get("name", "") for entry in playlist.data["playlists"]]
        variants = [
            _variant(entry, name.strip('"'), groups)
            for entry, name in zip(playlist.playlists, names, strict=True)
        ]
        if not variants:
            raise BadPlaylist(f"{url} lists no variants")
        return variants


def choose_variant(variants: list[Variant], quality: str) -> Variant | None:
    """The variant that `quality` names, or None if there is none.

    `source` is the one with the highest bandwidth; others go by NAME, by VIDEO group, by
    STABLE-VARIANT-ID, or by HEIGHTpFPS, all without regard to case.
    """
    if quality == SOURCE:
        return max(variants, key=lambda variant: variant.bandwidth)
    wanted = quality.casefold()
    found = [variant for variant in variants if wanted in variant.names]
    return max(found, key=lambda variant: variant.bandwidth, default=None)


def parse_media(text: str, url: str) -> MediaPlaylist:
    """Raises BadPlaylist."""
    with _parsing(url):
        playlist = _load(text, url)
        if playlist.is_variant:
            raise BadPlaylist(f"{url} is a master playlist, not a media playlist")
        if playlist.target_duration is None:
            raise BadPlaylist(f"{url} has no target duration, so it is not a media playlist")
        return MediaPlaylist(
            segments=tuple(_segments(playlist)),
            target=max(_length(playlist.target_duration), SECOND),
            ended=bool(playlist.is_endlist),
        )


@contextmanager
def _parsing(url: str) -> Iterator[None]:
    """Whatever a garbled text makes m3u8, urllib or our arithmetic raise becomes BadPlaylist."""
    try:
        yield
    except BadPlaylist:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError) as exc:
        raise BadPlaylist(f"{url} cannot be parsed: {exc}") from exc


def _load(text: str, url: str) -> Any:
    if not text.lstrip("\ufeff \r\n").startswith("#EXTM3U"):
        raise BadPlaylist(f"{url} is not an HLS playlist")
    return m3u8.loads(text, uri=url)


def _variant(entry: Any, name: str, groups: dict[str, str]) -> Variant:
    info = entry.stream_info
    names = {name, info.video, groups.get(info.video), info.stable_variant_id}
    if info.resolution:
        height = info.resolution[1]
        names.add(f"{height}p")
        if info.frame_rate:
            names.add(f"{height}p{round(float(info.frame_rate))}")
    return Variant(
        url=entry.absolute_uri,
        names=frozenset(name.casefold() for name in names if name),
        bandwidth=int(info.bandwidth or 0),
    )


def _segments(playlist: Any) -> Iterator[MediaSegment]:
    # A playlist that is being written may end with EXTINF or EXT-X-PART and no address yet.
    entries = [entry for entry in playlist.segments if entry.uri]
    advertisements = list(_advertisement_times(entries))
    time = _first_time(entries)
    before: MediaSegment | None = None
    for number, entry in enumerate(entries, int(playlist.media_sequence or 0)):
        if entry.program_date_time is not None:
            time = _micros(entry.program_date_time)
        section = entry.init_section
        before = MediaSegment(
            sequence=number,
            url=entry.absolute_uri,
            duration=_length(entry.duration or 0),
            program_time=time,
            advertisement=_is_advertisement(entry, time, advertisements),
            discontinuity=bool(entry.discontinuity),
            byte_range=_byte_range(entry.byterange, _continued(before, entry.absolute_uri)),
            map_url=section.absolute_uri if section else None,
            map_range=_byte_range(section.byterange, 0) if section else None,
        )
        yield before
        if time is not None:
            time += before.duration
            to_datetime(time)  # raises if it is past the end of the calendar


def _first_time(entries: list[Any]) -> Micros | None:
    """When the first segment begins, counted back from the first one that says when it does."""
    before: Micros = 0
    for entry in entries:
        if entry.program_date_time is not None:
            return _micros(entry.program_date_time) - before
        before += _length(entry.duration or 0)
    return None


def _length(seconds: float) -> Micros:
    """EXTINF and EXT-X-TARGETDURATION. Raises ValueError for what cannot be meant."""
    length = int(Decimal(str(seconds)) * SECOND)
    if not 0 <= length <= _LONGEST:
        raise ValueError(f"a segment cannot last {seconds} s")
    return length


def _continued(before: MediaSegment | None, url: str) -> int | None:
    """Where a byte range without an offset begins: where the one before it in `url` ended."""
    if before is None or before.byte_range is None or before.url != url:
        return None
    return before.byte_range.stop


def _byte_range(text: str | None, otherwise: int | None) -> range | None:
    """`LENGTH[@OFFSET]` (RFC 8216, 4.3.2.2); without an offset it begins at `otherwise`."""
    if not text:
        return None
    length, has_offset, offset = text.partition("@")
    first = int(offset) if has_offset else otherwise
    if first is None or first < 0 or int(length) <= 0:
        raise ValueError(f"{text!r} is no byte range here")
    return range(first, first + int(length))


def _advertisement_times(entries: list[Any]) -> Iterator[TimeRange]:
    for entry in entries:
        for daterange in entry.dateranges or ():
            marked = daterange.class_ == _AD_CLASS or (daterange.id or "").startswith(_AD_ID_PREFIX)
            span = _span(daterange) if marked else None
            if span is not None:
                yield span


def _span(daterange: Any) -> TimeRange | None:
    """The time of an EXT-X-DATERANGE (RFC 8216, 4.3.2.7), None if it says none that makes sense:
    one unreadable mark is no reason to stop recording.
    """
    try:
        start = parse_time(daterange.start_date or "")
        if daterange.end_date:
            return TimeRange(start, parse_time(daterange.end_date))
        seconds = float(daterange.duration or daterange.planned_duration or 0)
        return TimeRange(start, start + round(seconds * SECOND))
    except (ValueError, OverflowError):
        return None


def _is_advertisement(entry: Any, time: Micros | None, advertisements: list[TimeRange]) -> bool:
    if _AD_TITLE in (entry.title or ""):
        return True
    return time is not None and any(span.start <= time < span.end for span in advertisements)


def _micros(moment: datetime) -> Micros:
    # A time without a zone is against the standard; origins that write one mean UTC.
    if moment.tzinfo is None:
        return from_datetime(moment.replace(tzinfo=UTC))
    return from_datetime(moment)
