"""The sound of a cut as one gapless track that stays with the picture, sample for sample."""

from collections import deque
from collections.abc import Iterable

import av
import numpy as np

from common.media.encode import Samples
from common.media.timeline import CLOCK_HZ, wrapped_difference

_JITTER_SAMPLES = 512
"""Within a run, time stamps that are off by less than half an AAC frame are rounding or jitter."""


class SoundTrack:
    """Collects decoded sound, and yields exactly the samples that belong to the placed video.

    A run's sound is anchored to its video: the sample at source time p is played at
    `origin_ticks + (p - origin_pts)`. What lies outside the run is cut off, what is missing is
    silence, so each run's sound is exactly as long as its picture.
    """

    def __init__(self, rate: int, layout: str) -> None:
        self.rate = rate
        self.layout = layout
        self._channels = av.AudioLayout(layout).nb_channels
        self._resampler: av.AudioResampler | None = None
        self._template: tuple[str, str, int] | None = None
        self._held: deque[tuple[int, Samples]] = deque()
        self._origin: tuple[int, int] | None = None
        self._end = 0
        self._written = 0

    def add(self, frame: "av.AudioFrame") -> None:
        """Take a decoded frame, with its PTS in the frame's own time base."""
        template = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or template != self._template:
            # A source may change its kind of sound; a resampler takes one only.
            self._drain_resampler()
            self._resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=self.rate)
            self._template = template
        self._hold(self._resampler.resample(frame))

    def _drain_resampler(self) -> None:
        converts = self._template != ("fltp", self.layout, self.rate)
        if self._resampler is not None and converts:
            self._hold(self._resampler.resample(None))

    def _hold(self, pieces: "Iterable[av.AudioFrame]") -> None:
        for piece in pieces:
            if piece.pts is None or piece.time_base is None:
                continue
            pts = round(piece.pts * piece.time_base * CLOCK_HZ)
            self._held.append((pts, piece.to_ndarray().astype(np.float32, copy=False)))

    def place(self, origin_pts: int, origin_ticks: int, end_ticks: int) -> None:
        """The run now lasts until `end_ticks`; its time is anchored as said above."""
        self._origin = (origin_pts, origin_ticks)
        self._end = self._index(end_ticks)

    def drop_held(self) -> None:
        """Forget what was added but not yet used."""
        self._held.clear()

    def take(self) -> list[Samples]:
        """The samples that can be played now, in order."""
        taken: list[Samples] = []
        while self._held and self._origin is not None and self._written < self._end:
            pts, samples = self._held.popleft()
            start = self._index(self._origin[1] + wrapped_difference(pts, self._origin[0]))
            if abs(start - self._written) <= _JITTER_SAMPLES and self._running:
                start = self._written
            if start >= self._end:
                self._held.appendleft((pts, samples))
                break
            self._take_from(taken, start, pts, samples)
        return taken

    def fork(self) -> "SoundTrack":
        """A track of its own that goes on from here, with nothing held."""
        track = SoundTrack(self.rate, self.layout)
        track._written = self._written
        return track

    def samples_until(self, ticks: int) -> int:
        """How many samples are missing until `ticks`."""
        return self._index(ticks) - self._written

    def skip(self, until_ticks: int) -> None:
        """Go on from there: what lies between comes from elsewhere."""
        self._written = max(self._written, self._index(until_ticks))

    def fill(self, until_ticks: int) -> list[Samples]:
        """Silence until then, after a run has ended."""
        missing = self.samples_until(until_ticks)
        self.skip(until_ticks)
        return [self._silence(missing)] if missing > 0 else []

    def end_run(self) -> list[Samples]:
        """What remains of the run, filled up with silence; the next `place` begins another."""
        taken = self.take()
        if self._origin is not None and self._written < self._end:
            taken.append(self._silence(self._end - self._written))
            self._written = self._end
        self._held.clear()
        self._origin = None
        self._running = False
        return taken

    _running = False
    """Whether the run has played anything: its first samples must be exact, not snapped."""

    def _take_from(self, taken: list[Samples], start: int, pts: int, samples: Samples) -> None:
        if start < self._written:
            samples = samples[:, self._written - start :]
            pts += (self._written - start) * CLOCK_HZ // self.rate
        elif start > self._written:
            taken.append(self._silence(start - self._written))
            self._written = start
        room = self._end - self._written
        if samples.shape[1] > room:
            self._held.appendleft((pts + room * CLOCK_HZ // self.rate, samples[:, room:]))
            samples = samples[:, :room]
        if samples.shape[1]:
            self._running = True
            self._written += samples.shape[1]
            taken.append(samples)

    def _silence(self, length: int) -> Samples:
        return np.zeros((self._channels, length), np.float32)

    def _index(self, ticks: int) -> int:
        return (2 * ticks * self.rate + CLOCK_HZ) // (2 * CLOCK_HZ)
