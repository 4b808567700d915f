"""Names of segment files: the only place that knows the format.

    BASE/CHANNEL/QUALITY/HOUR/MM:SS.ffffff-DURATION-TYPE-HASH.ts
    BASE/CHANNEL/QUALITY/HOUR/MM:SS.ffffff-DURATION-TYPE-HASH.tombstone

- HOUR is `YYYY-MM-DDTHH`; the time within it has 1 to 6 digits of fraction (we write 6). UTC.
- DURATION is a decimal number of seconds.
- TYPE is one of `SegmentType`; in tombstones also `any`, which hides a whole range.
- HASH is the SHA-256 of exactly the file's bytes, URL-safe base64 without padding (43 characters);
  for `temp` a UUID stands in its place.

Example: `45:51.608000-2.0-full-7IS92rssMzoSBQDIevHStbTNy-URRV3Vw-jzZ6pwOZM.ts` in the folder
`desertbus/source/2019-11-13T02`.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from common.errors import BadSegmentName
from common.times import HOUR, MINUTE, SECOND, Micros, TimeRange, format_hour, parse_hour

SEGMENT_SUFFIX = ".ts"
TOMBSTONE_SUFFIX = ".tombstone"

# A channel or a quality is one path component: no separator, not hidden, nothing a shell or a URL
# would trip over. 128 characters leave room in every file system.
_COMPONENT = re.compile(r"[A-Za-z0-9_+@=][A-Za-z0-9_.+@=-]{0,127}", re.ASCII)
_NAME = re.compile(
    r"(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9])\.(?P<fraction>[0-9]{1,6})"
    r"-(?P<whole>[0-9]{1,5})(?:\.(?P<part>[0-9]{1,9}))?"
    r"-(?P<type>full|suspect|partial|temp|any)"
    r"(?:-(?P<hash>[A-Za-z0-9_-]{1,64}))?"
    r"(?P<suffix>\.ts|\.tombstone)",
    re.ASCII,
)
_HASH_LENGTH = 43


class SegmentType(Enum):
    """How far a segment's content can be trusted."""

    FULL = "full"
    """Complete, and nothing about it is doubtful."""
    SUSPECT = "suspect"
    """Complete as far as the server said, but too short, mistimed, or not whole TS packets."""
    PARTIAL = "partial"
    """The transfer broke; what had arrived was kept."""
    TEMP = "temp"
    """Being written; not part of the recording."""

    # Members are singletons, and these are hashed millions of times: identity is enough.
    __hash__ = object.__hash__


_TYPES = {kind.value: kind for kind in SegmentType}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment file of a quality. `start` and `duration` are microseconds.

    `name` is the file's name exactly as it stands on disk: peers may write fewer digits than we do,
    and names identify segments between nodes.
    """

    start: Micros
    duration: Micros
    type: SegmentType
    hash: str
    name: str

    @property
    def end(self) -> Micros:
        return self.start + self.duration

    @property
    def hour(self) -> str:
        """The folder that the file lies in."""
        return format_hour(self.start)

    @property
    def stem(self) -> str:
        """The name without its suffix; a tombstone of the same stem hides this segment."""
        return self.name.removesuffix(SEGMENT_SUFFIX)

    @property
    def tombstone(self) -> "Tombstone":
        """The one that hides this segment."""
        name = self.stem + TOMBSTONE_SUFFIX
        return Tombstone(start=self.start, duration=self.duration, hash=self.hash, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A marker that hides one segment (and all of the same hash), or with `hash` None all segments
    of its quality that start within [start, start + duration).
    """

    start: Micros
    duration: Micros
    hash: str | None
    name: str

    @property
    def end(self) -> Micros:
        return self.start + self.duration

    @property
    def hour(self) -> str:
        """The folder that the file lies in."""
        return format_hour(self.start)

    @property
    def stem(self) -> str:
        return self.name.removesuffix(TOMBSTONE_SUFFIX)


def parse_name(hour: str, name: str) -> Segment | Tombstone:
    """Parse a file's name in the folder `hour`.

    Raises BadSegmentName for everything that is not of the format above, including `hour`.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise BadSegmentName(name, "it is not MM:SS.ffffff-DURATION-TYPE-HASH.ts")
    minute, second, fraction, whole, part, kind, digest, suffix = match.groups()
    try:
        hour_start = parse_hour(hour)
    except ValueError as exc:
        raise BadSegmentName(f"{hour}/{name}", "the folder is not an hour") from exc
    start = hour_start + int(minute) * MINUTE + int(second) * SECOND + int(fraction.ljust(6, "0"))
    duration = int(whole) * SECOND + int((part or "0").ljust(6, "0")[:6])
    if suffix == TOMBSTONE_SUFFIX:
        return _tombstone(name, start, duration, kind, digest)
    if kind == "any" or digest is None:
        raise BadSegmentName(name, "a segment needs a type and a hash")
    if kind != "temp" and len(digest) != _HASH_LENGTH:
        raise BadSegmentName(name, "the hash is not 43 characters of URL-safe base64")
    return Segment(start=start, duration=duration, type=_TYPES[kind], hash=digest, name=name)


def _tombstone(
    name: str, start: Micros, duration: Micros, kind: str, digest: str | None
) -> Tombstone:
    if kind == "any":
        if digest is not None:
            raise BadSegmentName(name, "a range tombstone has no hash")
        return Tombstone(start=start, duration=duration, hash=None, name=name)
    if digest is None or len(digest) != _HASH_LENGTH:
        raise BadSegmentName(name, "the hash is not 43 characters of URL-safe base64")
    return Tombstone(start=start, duration=duration, hash=digest, name=name)


_LONGEST_RANGE: Micros = 24 * HOUR
"""Of one range tombstone that we write; a name has room for 99,999 s."""


def range_tombstones(span: TimeRange) -> Iterator[Tombstone]:
    """Tombstones that together hide all that starts within `span`, each of a day at most."""
    for start in range(span.start, span.end, _LONGEST_RANGE):
        duration = min(_LONGEST_RANGE, span.end - start)
        name = f"{_time_in_hour(start)}-{_seconds(duration)}-any{TOMBSTONE_SUFFIX}"
        yield Tombstone(start=start, duration=duration, hash=None, name=name)


def format_name(
    start: Micros, duration: Micros, kind: SegmentType, digest: str, suffix: str = SEGMENT_SUFFIX
) -> str:
    """The name that we give to a file; its folder is `format_hour(start)`.

    >>> format_name(45 * MINUTE + 51_608_000, 2_000_000, SegmentType.FULL, "h" * 43)
    '45:51.608000-2.0-full-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh.ts'
    """
    return f"{_time_in_hour(start)}-{_seconds(duration)}-{kind.value}-{digest}{suffix}"


def _time_in_hour(start: Micros) -> str:
    minute, rest = divmod(start % HOUR, MINUTE)
    second, micros = divmod(rest, SECOND)
    return f"{minute:02d}:{second:02d}.{micros:06d}"


def _seconds(duration: Micros) -> str:
    whole, part = divmod(duration, SECOND)
    decimals = f"{part:06d}".rstrip("0") or "0"
    return f"{whole}.{decimals}"


def encode_hash(digest: bytes) -> str:
    """A SHA-256 digest (32 bytes) as it stands in names."""
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def hash_bytes(data: bytes | memoryview) -> str:
    """The hash of a file with these bytes, as it stands in names."""
    return encode_hash(hashlib.sha256(data).digest())


def is_component(text: str) -> bool:
    """Whether `text` can be a channel's or a quality's name, that is, one safe path component."""
    return _COMPONENT.fullmatch(text) is not None
