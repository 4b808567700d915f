"""Where the segments come from: a set that is repeated for ever, or the live encoder."""

from typing import Protocol

from common.times import SECOND, Micros
from demo.origin.recorded import RecordedSet


class Material(Protocol):
    """An endless stream of segments, numbered from 0; `epoch` is the wall time of frame 0."""

    epoch: Micros

    def complete(self, now: Micros) -> int:
        """How many segments are there by `now`."""

    def start(self, index: int) -> Micros:
        """The wall time of a segment's first frame."""

    def complete_at(self, index: int) -> Micros:
        """When a segment was complete."""

    def read(self, quality: str, index: int) -> bytes:
        """A segment's bytes. Raises FileNotFoundError if it is no longer, or not yet, there."""

    def missing(self) -> list[str]:
        """What keeps the stream from being served, as sentences."""


class RecordedMaterial:
    """`recorded` as a live stream that began at `epoch`: a segment is complete at its end."""

    def __init__(self, recorded: RecordedSet, epoch: Micros) -> None:
        self.epoch = epoch
        self._recorded = recorded

    def complete(self, now: Micros) -> int:
        count = self._recorded.segment_count()
        loops = int((now - self.epoch) / (self._recorded.seconds * SECOND))
        index = max(0, loops) * count
        while self.start(index + 1) <= now:
            index += 1
        return index

    def start(self, index: int) -> Micros:
        return self.epoch + round(self._recorded.start_seconds(index) * SECOND)

    def complete_at(self, index: int) -> Micros:
        return self.start(index + 1)

    def read(self, quality: str, index: int) -> bytes:
        return self._recorded.read(quality, index)

    def missing(self) -> list[str]:
        return []
