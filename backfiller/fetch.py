"""Bringing one segment here under the name that another node gave it.

The bytes are hashed while they stream into a temp file, and become a segment only if the hash is
the one in the name (`common.segments.write`). A tombstone that has come meanwhile wins. Bytes that
are here under another name are read from there: a copy, no hard link, since the mtime of a segment
is when *it* appeared, and playlists that are being played depend on that.
"""

import time

from gevent.lock import BoundedSemaphore

from backfiller.limits import Allowance
from backfiller.plan import Wanted
from backfiller.work import Place
from common.errors import BadAnswer, HashMismatch
from common.http import Response
from common.replication.peer import Peer
from common.segments.path import TOMBSTONE_SUFFIX, Segment
from common.segments.store import Hidden, SegmentStore
from common.segments.write import SegmentWriter
from common.threads import in_thread

LIMIT_BYTES = 64 * 1024 * 1024
"""No segment is longer."""
_PIECE_BYTES = 512 * 1024
_LONGEST_NUMBER = 20
_HIDDEN_SECONDS = 1.0
_WRITE_SECONDS = 10.0


class Fetcher:
    """Fetches from one node, `transfers` at a time."""

    def __init__(
        self, *, store: SegmentStore, peer: Peer, allowance: Allowance, transfers: int
    ) -> None:
        self._store = store
        self._peer = peer
        self._allowance = allowance
        self._transfers = BoundedSemaphore(transfers)
        self._hidden_then: dict[tuple[str, str], tuple[float, Hidden]] = {}

    def is_wanted(self, place: Place, segment: Segment) -> bool:
        """Whether it is neither here already nor hidden by a tombstone."""
        return in_thread(self._is_wanted, place, segment)

    def copy_twin(self, place: Place, wanted: Wanted) -> bool:
        """Store the bytes that are here already under the wanted name too.

        False if they are not (any more). Raises OSError where the disk does.
        """
        return wanted.twin is not None and in_thread(self._copy, place, wanted.segment, wanted.twin)

    def fetch(self, place: Place, segment: Segment) -> int:
        """Fetch a segment; returns its bytes, 0 if it is not wanted any more.

        Raises FetchError, HashMismatch, or OSError where the disk does.
        """
        with self._store.writer(
            place.channel, place.quality, segment.start, segment.duration
        ) as writer:
            # Flushing to disk takes as long as a transfer; meanwhile another one may go on.
            with self._transfers:
                self._transfer(place, segment, writer)
            committed = in_thread(self._commit, place, segment, writer)
            return writer.size_bytes if committed else 0

    def _transfer(self, place: Place, segment: Segment, writer: SegmentWriter) -> None:
        with self._peer.open(
            place.channel,
            place.quality,
            place.hour,
            segment.name,
            deadline_seconds=self._allowance.deadline_seconds(LIMIT_BYTES),
        ) as response:
            _check_length(response)
            self._receive(response, writer)

    def _receive(self, response: Response, writer: SegmentWriter) -> None:
        """Stream the body to disk, in pieces worth a thread's while."""
        piece = bytearray()
        total_bytes, written = 0, time.monotonic()
        for chunk in response.chunks(_PIECE_BYTES):
            total_bytes += len(chunk)
            if total_bytes > LIMIT_BYTES:
                raise BadAnswer(response.url, f"it is longer than {LIMIT_BYTES} bytes")
            self._allowance.spend(len(chunk))
            piece += chunk
            # A temp file that nobody writes to for long is taken for one of a dead process.
            if len(piece) >= _PIECE_BYTES or time.monotonic() - written > _WRITE_SECONDS:
                in_thread(writer.write, bytes(piece))
                piece.clear()
                written = time.monotonic()
        in_thread(writer.write, bytes(piece))

    def _is_wanted(self, place: Place, segment: Segment) -> bool:
        path = self._store.path(place.channel, place.quality, segment)
        if path.exists() or path.with_suffix(TOMBSTONE_SUFFIX).exists():
            return False
        return not self._hidden(place.channel, place.quality).hides(segment)

    def _hidden(self, channel: str, quality: str) -> Hidden:
        """What tombstones hide, as of a second ago at most: asking costs a look at each hour. One
        that is younger hides the segment nevertheless, which is then here but not shown.
        """
        known = self._hidden_then.get((channel, quality))
        now = time.monotonic()
        if known is None or now - known[0] > _HIDDEN_SECONDS:
            known = (now, self._store.state(channel, quality).hidden)
            self._hidden_then[(channel, quality)] = known
        return known[1]

    def _commit(self, place: Place, segment: Segment, writer: SegmentWriter) -> bool:
        if not self._is_wanted(place, segment):
            return False
        writer.commit_as(segment)
        return True

    def _copy(self, place: Place, segment: Segment, twin: Segment) -> bool:
        """Blocks on the disk; runs in a thread."""
        source = self._store.path(place.channel, place.quality, twin)
        writing = self._store.writer(place.channel, place.quality, segment.start, segment.duration)
        try:
            with source.open("rb") as file, writing as writer:
                while piece := file.read(_PIECE_BYTES):
                    writer.write(piece)
                return self._commit(place, segment, writer)
        except (FileNotFoundError, HashMismatch):
            return False


def _check_length(response: Response) -> None:
    """Refuse what says itself that it is too long, before a byte of it is stored."""
    text = response.headers.get("Content-Length", "0")
    is_number = text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER
    if not is_number or int(text) > LIMIT_BYTES:
        raise BadAnswer(response.url, f"its length, {text[:20]}, is none that a segment can have")
