"""Decode an overlap: both sides of a transition at once, blended into one."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import av

from common.errors import MediaError
from common.media.blend import CrossFade, blend
from common.media.decode import Decoder, Placed, Timeline
from common.media.encode import Samples
from common.media.job import OverlapPieces


class OverlapDecoder:
    """Decodes one overlap on a timeline, which it moves on by the overlap's frames.

    Frames are paired one by one, also where a source left some out; the sound of each side stays
    with its pictures.
    """

    def __init__(self, timeline: Timeline, overlap: OverlapPieces) -> None:
        self._timeline = timeline
        self._overlap = overlap
        self._first = timeline.grid.next_slot
        self._until = timeline.grid.time_of(self._first + overlap.frames)
        self._before, self._after = (Decoder(timeline.fork(), until=self._until) for _ in range(2))
        sound = timeline.sound
        self._fade = None if sound is None else CrossFade(sound.samples_until(self._until))

    def decode(self) -> Iterator[list[Placed]]:
        """As `Decoder.decode`. Raises MediaError if a side cannot be decoded."""
        before = self._before.decode(self._overlap.before)
        after = self._after.decode(self._overlap.after)
        if self._timeline.has_video:
            yield from self._blended(before, after)
        else:
            yield from ([] for _ in zip_longest(before, after))
        self._timeline.skip(self._overlap.frames)
        yield []  # what is left of the sound

    def take_sound(self) -> list[Samples]:
        """As `Decoder.take_sound`."""
        if self._fade is None:
            return []
        return self._fade.mix(self._before.take_sound(), self._after.take_sound())

    def _blended(
        self, before: Iterator[list[Placed]], after: Iterator[list[Placed]]
    ) -> Iterator[list[Placed]]:
        pictures = blend(
            self._overlap.type,
            self._pictures(before),
            self._pictures(after),
            frames=self._overlap.frames,
            rate=self._timeline.grid.rate,
        )
        for slot, picture in enumerate(pictures, self._first):
            yield [(slot, picture)]

    def _pictures(self, steps: Iterable[list[Placed]]) -> "Iterator[av.VideoFrame]":
        """As many as the overlap has: of two frames for one slot a broken source loses one."""
        picture: av.VideoFrame | None = None
        count = 0
        for placed in steps:
            for _, picture in placed:
                count += 1
                yield picture
        if picture is None:
            raise MediaError("a transition has no picture on one side")
        yield from (picture for _ in range(self._overlap.frames - count))
