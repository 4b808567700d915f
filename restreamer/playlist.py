"""HLS playlists as text (RFC 8216 and rfc8216bis). Pure.

`entries` turns a list of segments into the playlist's lines to be; `sliding` cuts off the head of a
live one; `media_playlist` and `master_playlist` write the text.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import quote, urlencode

from common.segments.path import Segment, SegmentType
from common.segments.select import TOLERANCE
from common.times import SECOND, Micros, format_time
from restreamer.session import LEAST_TARGET_SECONDS, rounded_seconds

CONTENT_TYPE = "application/vnd.apple.mpegurl"

# Characters that a path component of a URL may have as they are (RFC 3986, 3.3) and our names do.
_PATH_SAFE = ":@=+"

# rfc8216bis, 6.2.2: less than three target durations must not remain after a removal.
_LEAST_WINDOW_TARGETS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One segment of a playlist. `duration` is what EXTINF says; `discontinuity` if it does not
    continue the one before.
    """

    segment: Segment
    duration: Micros
    discontinuity: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """`kind` is EXT-X-PLAYLIST-TYPE, if any. `closed` says that nothing will be added any more.

    `discontinuity_sequence` counts the EXT-X-DISCONTINUITY tags that have slid away.
    """

    entries: Sequence[Entry]
    target_seconds: int
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    kind: str | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One quality, for the master playlist. `bandwidth` is the peak and `average` the mean, in bits
    per second. What could not be found out is None.
    """

    quality: str
    uri: str
    bandwidth: int
    average: int
    codecs: str | None = None
    resolution: tuple[int, int] | None = None
    frame_rate: Fraction | None = None


def entries(segments: Sequence[Segment], measured: Mapping[str, Micros]) -> list[Entry]:
    """A playlist entry for each segment. `measured` has real durations by name, where a name only
    promises one (partials).
    """
    made: list[Entry] = []
    previous: Segment | None = None
    for segment in segments:
        made.append(
            Entry(
                segment=segment,
                duration=min(measured.get(segment.name, segment.duration), segment.duration),
                discontinuity=previous is not None and not _continues(previous, segment),
            )
        )
        previous = segment
    return made


def _continues(before: Segment, after: Segment) -> bool:
    return before.type is SegmentType.FULL and abs(after.start - before.end) <= TOLERANCE


def sliding(entries: Sequence[Entry], *, target_seconds: int, window: Micros) -> MediaPlaylist:
    """A live playlist of the last `window` of `entries`, and what of them has slid away."""
    window = max(window, _LEAST_WINDOW_TARGETS * target_seconds * SECOND)
    head = len(entries)
    shown = 0
    while head and shown < window:
        head -= 1
        shown += entries[head].duration
    return MediaPlaylist(
        entries=entries[head:],
        target_seconds=target_seconds,
        media_sequence=head,
        discontinuity_sequence=sum(entry.discontinuity for entry in entries[:head]),
    )


def closed_target_seconds(entries: Iterable[Entry]) -> int:
    """The target duration of a playlist that never changes."""
    longest = max((rounded_seconds(entry.duration) for entry in entries), default=0)
    return max(LEAST_TARGET_SECONDS, longest)


def media_playlist(playlist: MediaPlaylist, segment_base: str) -> str:
    """The text of a media playlist; segments' URLs are below `segment_base`."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        f"#EXT-X-TARGETDURATION:{playlist.target_seconds}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}",
    ]
    if playlist.kind is not None:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.kind}")
    for entry in playlist.entries:
        if entry.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_time(entry.segment.start)}Z")
        lines.append(f"#EXTINF:{_decimal(entry.duration)},")
        lines.append(
            f"{segment_base}/{entry.segment.hour}/{quote(entry.segment.name, safe=_PATH_SAFE)}"
        )
    if playlist.closed:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _decimal(duration: Micros) -> str:
    whole, part = divmod(duration, SECOND)
    return f"{whole}.{part:06d}"


def master_playlist(variants: Iterable[Variant]) -> str:
    """The text of a master playlist, best variant first: players begin with the first."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3"]
    for variant in sorted(variants, key=lambda variant: -variant.bandwidth):
        lines.append(
            f'#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="{variant.quality}",NAME="{variant.quality}",'
            "AUTOSELECT=YES,DEFAULT=YES"
        )
        lines.append("#EXT-X-STREAM-INF:" + ",".join(_attributes(variant)))
        lines.append(variant.uri)
    return "\n".join(lines) + "\n"


def _attributes(variant: Variant) -> list[str]:
    attributes = [f"BANDWIDTH={variant.bandwidth}", f"AVERAGE-BANDWIDTH={variant.average}"]
    if variant.codecs:
        attributes.append(f'CODECS="{variant.codecs}"')
    if variant.resolution:
        attributes.append(f"RESOLUTION={variant.resolution[0]}x{variant.resolution[1]}")
    if variant.frame_rate:
        attributes.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
    attributes.append(f'VIDEO="{variant.quality}"')
    return attributes


def url(path: Sequence[str], suffix: str, query: Mapping[str, str]) -> str:
    """A relative URL of these path components; `suffix` ends the last of them."""
    text = "/".join(quote(part, safe=_PATH_SAFE) for part in path) + suffix
    return f"{text}?{urlencode(query, safe=':')}" if query else text


_H264_PROFILES = {
    "Constrained Baseline": "42e0",
    "Baseline": "4200",
    "Main": "4d40",
    "Extended": "5800",
    "High": "6400",
    "High 10": "6e00",
    "High 4:2:2": "7a00",
}
_FIXED_CODECS = {"mp2": "mp4a.40.33", "mp3": "mp4a.40.34", "ac3": "ac-3", "eac3": "ec-3"}


def codec_string(codec: str, profile: str | None, level: int) -> str | None:
    """A codec as RFC 6381 names it, or None if we do not know how to.

    >>> codec_string("h264", "High", 41)
    'avc1.640029'
    """
    if codec == "h264" and profile in _H264_PROFILES and 0 < level <= 0xFF:
        return f"avc1.{_H264_PROFILES[profile]}{level:02x}"
    if codec == "hevc" and level > 0:
        # ISO/IEC 14496-15, E.3: profile, compatibility flags (reversed), tier and level.
        return f"hvc1.2.4.L{level}.B0" if profile == "Main 10" else f"hvc1.1.6.L{level}.B0"
    if codec == "aac":
        return "mp4a.40.5" if profile == "HE-AAC" else "mp4a.40.2"
    return _FIXED_CODECS.get(codec)
