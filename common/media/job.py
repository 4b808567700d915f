"""What the encoding processes are asked to do, and how they answer.

A process serves one request after another. A request arrives on its standard input: four bytes of
length (big endian), then the kind of job in ASCII, a line feed, and the job as one JSON document.
The answers come on its standard output as messages: one byte that names the kind, four bytes of
length (big endian), the payload. ACCEPTED is the first answer to a request, DONE or FAILED the
last; a stream that ends before that was cut off.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import IO, Any, ClassVar, Protocol, Self

_LENGTH_BYTES = 4


class Message(bytes, Enum):
    """The kinds of answer."""

    ACCEPTED = b"A"
    """The request has been read: work begins."""
    DATA = b"D"
    """Bytes of the output."""
    PROGRESS = b"P"
    """The number of frames encoded so far, in decimal."""
    DONE = b"E"
    """The output is complete."""
    FAILED = b"F"
    """It cannot be done; the payload says why, in UTF-8."""


class Job(Protocol):
    """Something that an encoding process can do; `common.media.worker` knows who does which."""

    kind: ClassVar[str]

    def to_json(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One segment's part in a range. Times are microseconds since 1970.

    Frames that belong to [from_time, to_time) are wanted. With `context` none are: the segment lies
    just outside the range and lends the first or last bit of its sound; with `picture` too, also
    what the pictures of the next segment refer to. With `optional` it is used as far as it can be
    decoded: it is known to be damaged, or only lends its sound. `label` names the range for people.
    """

    path: str
    start: int
    from_time: int
    to_time: int
    context: bool = False
    picture: bool = False
    optional: bool = False
    label: str = ""


Pieces = tuple[Piece, ...]
"""A stretch without holes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapPieces:
    """Two stretches of `frames` frames each, shown at once through the transition `type`."""

    type: str
    before: Pieces
    after: Pieces
    frames: int

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Out of what `asdict` made of it."""
        return cls(
            type=fields["type"],
            before=_pieces(fields["before"]),
            after=_pieces(fields["after"]),
            frames=fields["frames"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """Decode all parts, one after another, and encode them as one video.

    Parts join without transition: that is what overlaps are for. `container` is one of
    `common.media.encode`. With `output_path` the video is written to that file (and an mp4's index
    goes to its front), else it is sent as DATA (an mp4 in fragments). With `keep_time` the output
    has the time stamps of the first piece instead of starting anew: for pieces between untouched
    segments. With `ffmpeg_args` the program ffmpeg encodes, with these arguments; `output_path`,
    whose ending names the container, must be given then.
    """

    kind: ClassVar[str] = "render"

    parts: tuple[Pieces | OverlapPieces, ...]
    container: str
    output_path: str | None = None
    keep_time: bool = False
    ffmpeg_args: tuple[str, ...] | None = None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        return cls(parts=tuple(_part(part) for part in fields.pop("parts")), **fields)


def _part(part: Any) -> Pieces | OverlapPieces:
    return _pieces(part) if isinstance(part, list) else OverlapPieces.of(part)


def _pieces(documents: Iterable[dict[str, Any]]) -> Pieces:
    return tuple(Piece(**document) for document in documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveJob:
    """Write the pieces, which follow each other without a hole, into the folder: one file, and
    another one from where the kind of picture or sound changes. A file's
    name is the prefix and the time of its first picture, with hyphens for colons.
    """

    kind: ClassVar[str] = "archive"

    pieces: Pieces
    folder: str
    prefix: str

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        return cls(pieces=tuple(Piece(**piece) for piece in fields.pop("pieces")), **fields)


def write_request(pipe: IO[bytes], job: Job) -> None:
    """Ask for `job`. Raises BrokenPipeError if nobody reads."""
    request = job.kind.encode("ascii") + b"\n" + job.to_json()
    pipe.write(len(request).to_bytes(_LENGTH_BYTES, "big") + request)
    pipe.flush()


def read_request(pipe: IO[bytes]) -> tuple[str, bytes]:
    """The kind of job and its document. Raises EOFError if no more will come."""
    kind, _, document = _read_sized(pipe).partition(b"\n")
    return kind.decode("ascii"), document


def encode_message(kind: Message, payload: bytes) -> bytes:
    """A message as it travels."""
    return kind.value + len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


def read_message(pipe: IO[bytes]) -> tuple[Message, bytes]:
    """The next answer. Raises EOFError if the pipe ends."""
    return Message(_read_exactly(pipe, 1)), _read_sized(pipe)


def _read_sized(pipe: IO[bytes]) -> bytes:
    return _read_exactly(pipe, int.from_bytes(_read_exactly(pipe, _LENGTH_BYTES), "big"))


def _read_exactly(pipe: IO[bytes], size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = pipe.read(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)
