"""The sound of a smart cut: source AAC frames put into the slots of one output grid.

Output slot k is heard at `first + k * 1024 / rate`. Each slot gets the source frame whose own time,
moved with its picture, is nearest; so sound is at most half a frame (10.7 ms at 48 kHz) off, after
any number of ranges, and there is never a gap. Nothing is decoded.

Times are ticks of the output, multiplied by the sampling rate, so that all of them are integers.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from common.media.smart.adts import SAMPLES, AudioConfig, config_of, frame_starts
from common.media.smart.muxer import AudioFrames
from common.media.smart.packets import ADAPTATION, PACKET_BYTES, START, Packets, Unfit
from common.media.timeline import CLOCK_HZ, wrapped_difference

_PACKET_SECONDS = 0.18
_CLOCK_PACKET_SECONDS = 0.095
"""How much sound one PES packet holds; less where it has the clock, which is due every 100 ms."""

_JITTER_TICKS = 135
"""Time stamps that were rounded to milliseconds on their way must not move a frame by a slot."""


@dataclass(frozen=True, slots=True)
class SourceSound:
    """The AAC frames of a segment: frame i is `data[starts[i]:starts[i + 1]]`.

    `pts` are the time stamps that the segment gives, each with the index of the frame it is for.
    """

    config: AudioConfig
    data: bytes
    starts: list[int]
    pts: list[tuple[int, int]]

    def times(self) -> list[int]:
        """When each frame is heard, in ticks without a jump at 2^33. Frames before the first time
        stamp are reckoned back from it.
        """
        known = dict(self.pts)
        index, base = self.pts[0]
        first = base
        times = [
            base + (frame - index) * SAMPLES * CLOCK_HZ // self.config.rate
            for frame in range(index)
        ]
        for frame in range(index, len(self.starts) - 1):
            if frame in known:
                index, base = frame, first + wrapped_difference(known[frame], first)
            times.append(base + (frame - index) * SAMPLES * CLOCK_HZ // self.config.rate)
        return times


def read_sound(packets: Packets) -> SourceSound | None:
    """The segment's sound, None if it has none. Raises Unfit if it can't be told apart."""
    pieces: list[memoryview] = []
    stamps: list[tuple[int, int]] = []  # offset in the sound, PTS
    size = 0
    begun = False
    heads = packets.heads[packets.audio_rows].tolist()
    for row, head in zip(packets.audio_rows.tolist(), heads, strict=True):
        at = row * PACKET_BYTES
        begin = at + (5 + packets.data[at + 4] if head & ADAPTATION else 4)
        if head & START:
            begun = True
            pts, header = _pes_header(packets.data[begin : at + PACKET_BYTES])
            if pts is not None:
                stamps.append((size, pts))
            begin += header
        if begun:
            pieces.append(packets.data[begin : at + PACKET_BYTES])
            size += len(pieces[-1])
    data = b"".join(pieces)
    starts = frame_starts(data)
    if len(starts) < 2 or not stamps:
        return None
    # A PES packet's stamp is for the first frame that begins in it (2.4.3.7, PTS).
    pts_of = [(bisect_left(starts, offset), pts) for offset, pts in stamps]
    return SourceSound(config_of(data), data, starts, pts_of)


def _pes_header(pes: memoryview) -> tuple[int | None, int]:
    """PTS and length of the header that `pes` begins with."""
    if len(pes) < 9 or pes[0] or pes[1] or pes[2] != 1 or len(pes) < 9 + pes[8]:
        raise Unfit("a PES packet of the sound has no header, or one that is spread over packets")
    header = 9 + pes[8]
    if not pes[7] & 0x80:
        return None, header
    pts = (pes[9] >> 1 & 7) << 30 | pes[10] << 22 | pes[11] >> 1 << 15 | pes[12] << 7 | pes[13] >> 1
    return pts, header


@dataclass(frozen=True, slots=True)
class _Held:
    """A frame that waits for its slot."""

    time: int
    data: bytes


class SoundTrack:
    """Fills the slots. `first` is when slot 0 is heard, in ticks; `silence` a frame of it.

    `alone` says that the output has no video, so that the sound carries the clock.
    """

    def __init__(
        self, config: AudioConfig, silence: bytes, *, first: int, alone: bool = False
    ) -> None:
        self.config = config
        self._silence = silence
        self._step = SAMPLES * CLOCK_HZ
        seconds = _CLOCK_PACKET_SECONDS if alone else _PACKET_SECONDS
        self._packet_frames = max(1, int(seconds * config.rate / SAMPLES))
        self._first = first * config.rate
        self._slot = 0
        self._held: list[_Held] = []
        self._running = False
        self.filled = 0
        """Slots that no source frame was near to."""

    def begin_run(self) -> None:
        """What is added from now on is of another stretch of time."""
        self._held = []
        self._running = False

    def add(self, sound: SourceSound, origin_pts: int, origin_ticks: int) -> None:
        """Take a segment's frames. The source time `origin_pts` is `origin_ticks` in the output."""
        times = sound.times()
        moved = origin_ticks + wrapped_difference(times[0], origin_pts) - times[0]
        rate, data = self.config.rate, sound.data
        self._held += [
            _Held((time + moved) * rate, data[start:end])
            for time, (start, end) in zip(times, pairwise(sound.starts), strict=True)
        ]

    def take(self, until: int, *, final: bool = False) -> list[AudioFrames]:
        """The frames of all slots whose middle is before `until` (ticks) that are there by now.

        `final` says that nothing more comes for this run: what is missing is silent.
        """
        end = max(self._slot, self._slots_before(until))
        taken: list[bytes] = []
        first = self._slot
        while self._slot < end:
            frame = self._next(final=final)
            if frame is None:
                break
            taken.append(frame)
            self._slot += 1
        return self._grouped(first, taken)

    def put(self, frames: Iterable[bytes]) -> list[AudioFrames]:
        """Fill the next slots with frames that were encoded for them."""
        taken = list(frames)
        first, self._slot = self._slot, self._slot + len(taken)
        return self._grouped(first, taken)

    def missing_until(self, start: int, until: int) -> tuple[int, int]:
        """How many samples after `start` (ticks) the next slot begins, and how many slots from it
        on have their middles before `until`.
        """
        begins = self._first + self._slot * self._step - start * self.config.rate
        return round(Fraction(begins, CLOCK_HZ)), max(0, self._slots_before(until) - self._slot)

    def _slots_before(self, ticks: int) -> int:
        limit = ticks * self.config.rate - self._first
        return (2 * limit + self._step - 1) // (2 * self._step)

    def _next(self, *, final: bool) -> bytes | None:
        """The frame for the next slot; None if it may still come."""
        wanted = self._first + self._slot * self._step
        held = self._held
        if not self._running:
            # The first of a run is the nearest: it decides the phase of all that follow.
            while len(held) > 1 and abs(held[1].time - wanted) <= abs(held[0].time - wanted):
                held.pop(0)
            if len(held) < 2 and not final:
                return None
        allowed = self._step // 2 + _JITTER_TICKS * self.config.rate
        while held and held[0].time < wanted - allowed:
            held.pop(0)
        if held and held[0].time <= wanted + allowed:
            self._running = True
            return held.pop(0).data
        if not held and not final:
            return None
        self.filled += 1
        return self._silence

    def _grouped(self, first: int, frames: Sequence[bytes]) -> list[AudioFrames]:
        rate = self.config.rate
        return [
            AudioFrames(
                pts=(2 * (self._first + (first + at) * self._step) + rate) // (2 * rate),
                data=b"".join(frames[at : at + self._packet_frames]),
            )
            for at in range(0, len(frames), self._packet_frames)
        ]
