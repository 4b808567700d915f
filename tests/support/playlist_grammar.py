"""A strict reader of HLS playlists: whatever RFC 8216 (and rfc8216bis) does not allow is an error.

Players forgive much; this does not, so that no player has to. It knows the tags that our servers
write and refuses all others.
"""

import re
from dataclasses import dataclass

_DECIMAL_INTEGER = re.compile(r"[0-9]{1,20}")
_FLOAT = re.compile(r"[0-9]+\.[0-9]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3,6}(Z|[+-]\d{2}:\d{2})")
# RFC 3986: what a URI reference may consist of.
_URI = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_ATTRIBUTE = re.compile(
    r'(?P<name>[A-Z0-9-]+)=(?P<value>"[^"\r\n]*"|[^",\s][^,\s"]*)(?:,(?=[A-Z0-9-])|$)'
)

_ONCE = {
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-ENDLIST",
}


class NotAPlaylist(AssertionError):
    """The text breaks a rule; the message says which and where."""


@dataclass(frozen=True, kw_only=True)
class MediaSegment:
    uri: str
    duration: str
    date: str | None
    discontinuity: bool
    sequence: int
    discontinuity_sequence: int


@dataclass(frozen=True, kw_only=True)
class Media:
    version: int
    target_seconds: int
    kind: str | None
    ended: bool
    media_sequence: int
    discontinuity_sequence: int
    segments: tuple[MediaSegment, ...]


@dataclass(frozen=True, kw_only=True)
class Stream:
    uri: str
    attributes: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Master:
    streams: tuple[Stream, ...]
    groups: dict[str, dict[str, str]]


def _require(condition: object, rule: str, line: str = "") -> None:
    if not condition:
        raise NotAPlaylist(f"{rule}: {line!r}" if line else rule)


def _lines(text: str) -> list[str]:
    _require(not text.startswith("\ufeff"), "4.1: there is no byte order mark")
    _require(text.endswith("\n"), "the last line ends with a line feed")
    lines = text[:-1].split("\n")
    _require(lines[0] == "#EXTM3U", "4.3.1.1: the first line is #EXTM3U", lines[0])
    for line in lines:
        _require(line == line.strip() and line, "4.1: no white space around, no empty line", line)
        _require(line.isprintable(), "4.1: no control characters", line)
    return lines[1:]


def _tag(line: str) -> tuple[str, str | None]:
    name, colon, value = line[1:].partition(":")
    return name, value if colon else None


def _integer(value: str | None, line: str) -> int:
    _require(value and _DECIMAL_INTEGER.fullmatch(value), "4.2: a decimal integer", line)
    number = int(value or "")
    _require(number < 2**64, "4.2: a decimal integer is below 2^64", line)
    return number


class _MediaReader:
    def __init__(self) -> None:
        self.tags: dict[str, str | None] = {}
        self.segments: list[MediaSegment] = []
        self._duration: str | None = None
        self._date: str | None = None
        self._discontinuity = False
        self._discontinuities = 0

    def read(self, line: str) -> None:
        _require("EXT-X-ENDLIST" not in self.tags or line.startswith("#"), "nothing after the end")
        if not line.startswith("#"):
            self._segment(line)
            return
        name, value = _tag(line)
        if name in _ONCE:
            self._playlist_tag(name, value, line)
        else:
            self._segment_tag(name, value, line)

    def _playlist_tag(self, name: str, value: str | None, line: str) -> None:
        _require(name not in self.tags, "4.3: at most once in a playlist", line)
        if name != "EXT-X-ENDLIST":
            _require(not self.segments, "4.3.3: before the first segment", line)
        if name == "EXT-X-PLAYLIST-TYPE":
            _require(value in {"EVENT", "VOD"}, "4.3.3.5: EVENT or VOD", line)
        elif name == "EXT-X-ENDLIST":
            _require(value is None, "4.3.3.4: no value", line)
        else:
            _integer(value, line)
        self.tags[name] = value

    def _segment_tag(self, name: str, value: str | None, line: str) -> None:
        if name == "EXTINF":
            _require(self._duration is None, "4.3.2.1: one EXTINF for a segment", line)
            duration, comma, _title = (value or "").partition(",")
            _require(comma and _FLOAT.fullmatch(duration), "4.3.2.1: a decimal and a comma", line)
            self._duration = duration
        elif name == "EXT-X-PROGRAM-DATE-TIME":
            _require(self._date is None, "one date for a segment", line)
            _require(value and _DATE.fullmatch(value), "4.3.2.6: a date with its zone", line)
            self._date = value
        elif name == "EXT-X-DISCONTINUITY":
            _require(value is None and not self._discontinuity, "4.3.2.3: no value, once", line)
            self._discontinuity = True
        else:
            raise NotAPlaylist(f"an unknown tag: {line!r}")

    def _segment(self, uri: str) -> None:
        _require(self._duration, "4.3.2.1: every segment has an EXTINF", uri)
        _require(_URI.fullmatch(uri), "4.1: a URI", uri)
        self._discontinuities += self._discontinuity
        first = int(self.tags.get("EXT-X-MEDIA-SEQUENCE") or 0)
        first_discontinuity = int(self.tags.get("EXT-X-DISCONTINUITY-SEQUENCE") or 0)
        self.segments.append(
            MediaSegment(
                uri=uri,
                duration=self._duration or "",
                date=self._date,
                discontinuity=self._discontinuity,
                sequence=first + len(self.segments),
                discontinuity_sequence=first_discontinuity + self._discontinuities,
            )
        )
        self._duration, self._date, self._discontinuity = None, None, False

    def finish(self) -> Media:
        _require(
            self._duration is None and self._date is None and not self._discontinuity,
            "4.3.2: a segment's tags are followed by its URI",
        )
        _require("EXT-X-TARGETDURATION" in self.tags, "4.3.3.1: a target duration is required")
        target = int(self.tags["EXT-X-TARGETDURATION"] or 0)
        version = int(self.tags.get("EXT-X-VERSION") or 1)
        _require(version >= 3 or not self.segments, "7: decimal EXTINF needs version 3")
        for segment in self.segments:
            rounded = int(float(segment.duration) + 0.5)
            _require(rounded <= target, "4.3.3.1: EXTINF above the target", segment.duration)
        return Media(
            version=version,
            target_seconds=target,
            kind=self.tags.get("EXT-X-PLAYLIST-TYPE"),
            ended="EXT-X-ENDLIST" in self.tags,
            media_sequence=int(self.tags.get("EXT-X-MEDIA-SEQUENCE") or 0),
            discontinuity_sequence=int(self.tags.get("EXT-X-DISCONTINUITY-SEQUENCE") or 0),
            segments=tuple(self.segments),
        )


def read_media(text: str) -> Media:
    """A media playlist's content. Raises NotAPlaylist."""
    reader = _MediaReader()
    for line in _lines(text):
        reader.read(line)
    return reader.finish()


def check_reload(before: Media, after: Media) -> None:
    """What a player has seen may only grow at its end and slide away at its beginning
    (RFC 8216, 6.2.1 and 6.2.2). Raises NotAPlaylist.
    """
    _require(not before.ended or before == after, "a closed playlist does not change")
    _require(before.target_seconds == after.target_seconds, "the target duration does not change")
    _require(after.media_sequence >= before.media_sequence, "the media sequence never decreases")
    known = {segment.sequence: segment for segment in before.segments}
    last = max(known, default=before.media_sequence - 1)
    reached = max((segment.sequence for segment in after.segments), default=last)
    _require(reached >= last, "the end never goes back")
    for segment in after.segments:
        seen = known.get(segment.sequence)
        _require(seen is None or seen == segment, "a published segment does not change")


def read_master(text: str) -> Master:
    """A master playlist's content. Raises NotAPlaylist."""
    groups: dict[str, dict[str, str]] = {}
    streams: list[Stream] = []
    pending: dict[str, str] | None = None
    for line in _lines(text):
        if pending is not None:
            _require(_URI.fullmatch(line) and line[0] != "#", "4.3.4.2: a URI follows", line)
            streams.append(Stream(uri=line, attributes=pending))
            pending = None
            continue
        name, value = _tag(line)
        if name == "EXT-X-STREAM-INF":
            pending = _stream_attributes(value or "", line)
        elif name == "EXT-X-MEDIA":
            group = _attributes(value or "", line)
            _require(group.keys() >= {"TYPE", "GROUP-ID", "NAME"}, "4.3.4.1: required", line)
            groups[group["GROUP-ID"].strip('"')] = group
        else:
            _require(name == "EXT-X-VERSION", "an unknown tag", line)
    _require(pending is None, "4.3.4.2: a stream has a URI")
    for stream in streams:
        video = stream.attributes.get("VIDEO", "").strip('"')
        _require(not video or video in groups, "4.3.4.2: VIDEO names a group", video)
    return Master(streams=tuple(streams), groups=groups)


def _stream_attributes(value: str, line: str) -> dict[str, str]:
    attributes = _attributes(value, line)
    _integer(attributes.get("BANDWIDTH"), line)
    if "AVERAGE-BANDWIDTH" in attributes:
        average = _integer(attributes["AVERAGE-BANDWIDTH"], line)
        _require(average <= int(attributes["BANDWIDTH"]), "the mean is below the peak", line)
    if "RESOLUTION" in attributes:
        _require(re.fullmatch(r"\d+x\d+", attributes["RESOLUTION"]), "4.2: WxH", line)
    if "FRAME-RATE" in attributes:
        _require(re.fullmatch(r"\d+\.\d{1,3}", attributes["FRAME-RATE"]), "three digits", line)
    for name in {"CODECS", "VIDEO"} & attributes.keys():
        _require(attributes[name].startswith('"'), "4.2: a quoted string", line)
    return attributes


def _attributes(value: str, line: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position < len(value):
        match = _ATTRIBUTE.match(value, position)
        _require(match, "4.2: an attribute list", line)
        if match is None:
            break
        _require(match["name"] not in found, "4.2: each attribute once", line)
        found[match["name"]] = match["value"]
        position = match.end()
    return found
