"""Reads the segments of a clip one after the other, some of them ahead.

Files are read in threads, several at a time: to hand work to a thread and back costs half as much
as to read a segment of 2 s. Those that were read together are parsed together, if they are alike.
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from common.errors import MediaError
from common.media.job import Piece
from common.media.smart.batch import Batch, load_batch
from common.media.smart.packets import Tables, Unfit
from common.media.smart.segment import (
    SourceSegment,
    load,
    load_usual,
    new_memory,
    read,
    read_into,
    size_of,
)
from common.threads import in_thread

_MOST_AHEAD = 4
_AHEAD_BYTES = 8 << 20
"""So many segments, and so many bytes of them, are read at once. More would take little less time,
but others would have to wait longer for their turn.
"""

_MOST_PAUSE = 16
"""How many times segments are not tried together, where that fails again and again."""


def load_aside(path: Path) -> SourceSegment:
    """Load a single segment without stopping others. Raises what `load` raises."""
    return _parsed(path, in_thread(read, path), None)


class Reader:
    """Gives the segments of a clip in order: one by one, or several as one where that goes."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = deque(pieces)
        self._contents: deque[memoryview | MediaError] = deque()
        self._at_once = 1
        self._pause = 0
        self._pauses = 1

    @property
    def piece(self) -> Piece | None:
        """The one that comes next."""
        return self._pieces[0] if self._pieces else None

    def take(self, known: Tables | None) -> SourceSegment | Batch:
        """What comes next; `known` are the tables of the segment before.

        Raises what `load` raises.
        """
        if not self._contents and (batch := self._read_on(known)):
            return batch
        content = self._contents.popleft()
        path = Path(self._pieces.popleft().path)
        if isinstance(content, MediaError):
            raise content
        return _parsed(path, content, known)

    def _read_on(self, known: Tables | None) -> Batch | None:
        # The first one is waited for; more of them only if the clip goes on. The last one is seldom
        # wanted whole: it stays alone.
        count = min(self._at_once, max(1, len(self._pieces) - 1))
        self._at_once = min(2 * self._at_once, _MOST_AHEAD)
        pieces = list(islice(self._pieces, count))
        self._pause -= 1
        alike = self._pause < 0 and not any(piece.context or piece.optional for piece in pieces)
        # Not in the thread: the C library keeps freed memory for each thread by itself. A segment
        # alone, of which many may wait for their turn, gets no more than it needs.
        memory = new_memory(_AHEAD_BYTES if count > 1 else 0)
        loaded = in_thread(_load_some, pieces, memory, known, alike=alike)
        if isinstance(loaded, Batch):
            self._pauses = 1
            for _ in loaded.pieces:
                self._pieces.popleft()
            return loaded
        self._contents += loaded
        if alike and len(loaded) > 1:
            # A source whose segments do not go together mostly stays so: less and less is tried.
            self._pause, self._pauses = self._pauses, min(2 * self._pauses, _MOST_PAUSE)
        return None


def _load_some(
    pieces: Sequence[Piece], memory: memoryview, known: Tables | None, *, alike: bool
) -> Batch | list[memoryview | MediaError]:
    """The first segments as one if they are thought to be `alike` and are, else what each contains.

    Parsed where they have just been read: on another core that takes several times as long.
    """
    contents = _read_some([Path(piece.path) for piece in pieces], memory)
    sizes = [len(content) for content in contents if isinstance(content, memoryview)]
    if not alike or not 1 < len(sizes) == len(contents):
        return contents
    try:
        return load_batch(pieces[: len(sizes)], memory[: sum(sizes)], sizes, known)
    except Unfit:
        return contents


def _read_some(paths: Sequence[Path], memory: memoryview) -> list[memoryview | MediaError]:
    """The contents of the first ones, one behind the other as far as there is room; the very first
    may have some of its own. An error is the last.
    """
    contents: list[memoryview | MediaError] = []
    end = 0
    for path in paths:
        try:
            size = size_of(path)
            if end + size > len(memory):
                if contents:
                    break
                memory = new_memory(size)
            read_into(memory[end : end + size], path)
        except MediaError as exc:
            return [*contents, exc]
        contents.append(memory[end : end + size])
        end += size
    return contents


def _parsed(path: Path, content: memoryview, known: Tables | None) -> SourceSegment:
    # Half a millisecond for a usual segment: a thread would only fight with the event loop for the
    # interpreter.
    try:
        return load_usual(path, content, known)
    except Unfit:
        return in_thread(load, path, known)
