"""Playlists as we need them: m3u8's objects into plain values, times in microseconds. Pure.

The grammar is m3u8's business (RFC 8216). What is ours: which variant a quality's name means, which
segments are advertisements, and when each segment begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import m3u8

from common.times import SECOND, Micros, TimeRange, from_datetime, parse_time

SOURCE = "source"
"""The variant with the highest bandwidth, or the only media playlist."""

# How Twitch marks advertisements that it stitches into a stream.
_AD_CLASS = "twitch-stitched-ad"
_AD_ID_PREFIX = "stitched-ad-"
_AD_TITLE = "Amazon"


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
    `map_url` is the initialization section that its bytes need before them.
    """

    sequence: int
    url: str
    duration: Micros
    program_time: Micros | None
    advertisement: bool
    discontinuity: bool
    map_url: str | None
    byte_range: str | None

    @property
    def path(self) -> str:
        """The address without what changes with each token."""
        return urlsplit(self.url).path


@dataclass(frozen=True, kw_only=True)
class MediaPlaylist:
    segments: tuple[MediaSegment, ...]
    target: Micros
    ended: bool


def parse_variants(text: str, url: str) -> list[Variant]:
    """The variants of a master playlist; a media playlist is its own only variant.

    Raises BadPlaylist.
    """
    playlist = _load(text, url)
    if not playlist.is_variant:
        if not playlist.segments and not playlist.target_duration:
            raise BadPlaylist(f"{url} is not an HLS playlist")
        return [Variant(url=url, names=frozenset(), bandwidth=0)]
    groups = {media.group_id: media.name for media in playlist.media if media.type == "VIDEO"}
    variants = [_variant(entry, groups) for entry in playlist.playlists]
    if not variants:
        raise BadPlaylist(f"{url} lists no variants")
    return variants


def choose_variant(variants: list[Variant], quality: str) -> Variant | None:
    """The variant that `quality` names, or None if there is none.

    `source` is the one with the highest bandwidth; others go by NAME, by VIDEO group, or by
    HEIGHTpFPS, all without regard to case.
    """
    if quality == SOURCE:
        return max(variants, key=lambda variant: variant.bandwidth)
    wanted = quality.casefold()
    found = [variant for variant in variants if wanted in variant.names]
    return max(found, key=lambda variant: variant.bandwidth, default=None)


def parse_media(text: str, url: str) -> MediaPlaylist:
    """Raises BadPlaylist."""
    playlist = _load(text, url)
    if playlist.is_variant:
        raise BadPlaylist(f"{url} is a master playlist, not a media playlist")
    if playlist.target_duration is None:
        raise BadPlaylist(f"{url} has no target duration, so it is not a media playlist")
    return MediaPlaylist(
        segments=tuple(_segments(playlist)),
        target=round(playlist.target_duration * SECOND),
        ended=bool(playlist.is_endlist),
    )


def _load(text: str, url: str) -> Any:
    if not text.lstrip("\ufeff \r\n").startswith("#EXTM3U"):
        raise BadPlaylist(f"{url} is not an HLS playlist")
    try:
        return m3u8.loads(text, uri=url)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as exc:
        # m3u8 lets whatever its parsing meets escape.
        raise BadPlaylist(f"{url} cannot be parsed: {exc}") from exc


def _variant(entry: Any, groups: dict[str, str]) -> Variant:
    info = entry.stream_info
    names = {info.video or "", groups.get(info.video, "") or "", getattr(info, "name", "") or ""}
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
    advertisements = list(_advertisement_times(playlist))
    time: Micros | None = None
    sequence = int(playlist.media_sequence or 0)
    for number, entry in enumerate(playlist.segments, sequence):
        if entry.program_date_time is not None:
            time = _micros(entry.program_date_time)
        duration = int(Decimal(str(entry.duration or 0)) * SECOND)
        yield MediaSegment(
            sequence=number,
            url=entry.absolute_uri,
            duration=duration,
            program_time=time,
            advertisement=_is_advertisement(entry, time, advertisements),
            discontinuity=bool(entry.discontinuity),
            map_url=entry.init_section.absolute_uri if entry.init_section else None,
            byte_range=entry.byterange,
        )
        if time is not None:
            time += duration


def _advertisement_times(playlist: Any) -> Iterator[TimeRange]:
    for entry in playlist.segments:
        for daterange in entry.dateranges or ():
            marked = daterange.class_ == _AD_CLASS or (daterange.id or "").startswith(_AD_ID_PREFIX)
            if marked and daterange.start_date:
                start = parse_time(daterange.start_date)
                seconds = daterange.duration or daterange.planned_duration or 0
                if seconds > 0:
                    yield TimeRange(start, start + round(float(seconds) * SECOND))


def _is_advertisement(entry: Any, time: Micros | None, advertisements: list[TimeRange]) -> bool:
    if _AD_TITLE in (entry.title or ""):
        return True
    return time is not None and any(span.start <= time < span.end for span in advertisements)


def _micros(moment: datetime) -> Micros:
    # A time without a zone is against the standard; origins that write one mean UTC.
    if moment.tzinfo is None:
        return from_datetime(moment.replace(tzinfo=UTC))
    return from_datetime(moment)
