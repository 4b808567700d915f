"""What the encoding process is asked to do, and how it answers.

The job travels as one JSON document on its standard input. The answers come on its standard output
as messages: one byte that names the kind, four bytes of length (big endian), the payload. A stream
that ends without DONE or FAILED was cut off.
"""

import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Self


class Message(bytes, Enum):
    """The kinds of answer."""

    DATA = b"D"
    """Bytes of the output."""
    PROGRESS = b"P"
    """The number of frames encoded so far, in decimal."""
    DONE = b"E"
    """The output is complete."""
    FAILED = b"F"
    """It cannot be done; the payload says why, in UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One segment's part in a range. Times are microseconds since 1970.

    Frames that belong to [from_time, to_time) are wanted. With `context` none are: the segment lies
    just outside the range and lends the first or last bit of its sound. With `optional` it is used
    as far as it can be decoded: it is known to be damaged, or only lends its sound. `label` names
    the range for people.
    """

    path: str
    start: int
    from_time: int
    to_time: int
    context: bool = False
    optional: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """Decode all pieces of all stretches, one after another, and encode them as one video.

    Each stretch is free of holes; stretches join without transition. `container` is `mpegts` or
    `mp4`. With `output_path` the video is written to that file (and an mp4's index goes to its
    front), else it is sent as DATA (an mp4 in fragments). With `keep_time` the output has the time
    stamps of the first piece instead of starting anew: for pieces between untouched segments.
    """

    stretches: tuple[tuple[Piece, ...], ...]
    container: str
    output_path: str | None = None
    keep_time: bool = False

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        stretches = tuple(
            tuple(Piece(**piece) for piece in stretch) for stretch in fields.pop("stretches")
        )
        return cls(stretches=stretches, **fields)
