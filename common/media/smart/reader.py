"""Reads the segments of a clip one after the other, some of them ahead.

Files are read in threads, several at a time: to hand work to a thread and back costs half as much
as to read a segment of 2 s.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from common.errors import MediaError
from common.media.job import Piece
from common.media.smart.packets import Tables, Unfit
from common.media.smart.segment import SourceSegment, load, load_usual, read
from common.threads import in_thread

_MOST_AHEAD = 4
_AHEAD_BYTES = 6 << 20


def load_aside(path: Path) -> SourceSegment:
    """Load a single segment without stopping others. Raises what `load` raises."""
    return _parsed(path, in_thread(read, path), None)


class Reader:
    """Call it with the paths of the pieces, in their order. Raises what `load` raises."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._paths = deque(Path(piece.path) for piece in pieces)
        self._contents: deque[memoryview | MediaError] = deque()
        self._at_once = 1

    def __call__(self, path: Path, known: Tables | None) -> SourceSegment:
        if not self._contents:
            self._read_on()
        content = self._contents.popleft()
        self._paths.popleft()
        if isinstance(content, MediaError):
            raise content
        return _parsed(path, content, known)

    def _read_on(self) -> None:
        # The first one is waited for; more of them only if the clip goes on.
        wanted = list(self._paths)[: self._at_once]
        self._contents += in_thread(_read_some, wanted)
        self._at_once = min(2 * self._at_once, _MOST_AHEAD)


def _read_some(paths: Sequence[Path]) -> list[memoryview | MediaError]:
    """The contents of the first ones, as far as memory allows; an error is the last."""
    contents: list[memoryview | MediaError] = []
    size = 0
    for path in paths:
        try:
            data = read(path)
        except MediaError as exc:
            return [*contents, exc]
        contents.append(data)
        size += len(data)
        if size >= _AHEAD_BYTES:
            break
    return contents


def _parsed(path: Path, content: memoryview, known: Tables | None) -> SourceSegment:
    # Half a millisecond for a usual segment: a thread would only fight with the event loop for the
    # interpreter.
    try:
        return load_usual(path, content, known)
    except Unfit:
        return in_thread(load, path, known)
