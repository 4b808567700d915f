"""The sound of a smart cut: source AAC frames put into the slots of one output grid.

Output slot k is heard at `first + k * 1024 / rate`. Each slot gets the source frame whose own time,
moved with its picture, is nearest; so sound is at most half a frame (10.7 ms at 48 kHz) off, after
any number of ranges, and there is never a gap. Nothing is decoded.

Times are ticks of the output, multiplied by the sampling rate, so that all of them are integers.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, chain, pairwise
from typing import Self

import numpy as np

from common.media.smart.adts import SAMPLES, AudioConfig, config_of, frame_starts
from common.media.smart.muxer import AudioFrames
from common.media.smart.packets import (
    ADAPTATION,
    PACKET_BYTES,
    ROOM,
    START,
    Bytes,
    Ints,
    Packets,
    Unfit,
    Words,
)
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

    def times(self) -> Ints:
        """When each frame is heard, in ticks without a jump at 2^33. Frames before the first time
        stamp are reckoned back from it.
        """
        frames = np.arange(len(self.starts) - 1)
        index, stamps = np.array(self.pts, np.int64).T
        first = int(stamps[0])
        known = first + wrapped_difference(stamps, first)
        last = np.maximum(np.searchsorted(index, frames, side="right") - 1, 0)
        times: Ints = (frames - index[last]) * (SAMPLES * CLOCK_HZ) // self.config.rate
        times += known[last]
        return times


def read_sound(packets: Packets) -> SourceSound | None:
    """The segment's sound, None if it has none. Raises Unfit if it can't be told apart, or if that
    of several segments is not one.
    """
    heads = packets.heads[packets.audio_rows]
    begins = np.flatnonzero((heads & START) != 0)
    if not len(begins):
        return None
    heads, rows = heads[begins[0] :], packets.audio_rows[begins[0] :]
    data, stamps = _joined(heads, packets.table[rows, PACKET_BYTES - ROOM :])
    starts = frame_starts(data)
    if len(starts) < 2 or not stamps:
        return None
    config = config_of(data)
    firsts = np.searchsorted(rows, packets.begins[1:])
    for first in firsts[firsts < len(rows)].tolist():
        _check_goes_on(first, data, starts, stamps, config)
    # A PES packet's stamp is for the first frame that begins in it (2.4.3.7, PTS).
    pts_of = [(bisect_left(starts, stamp.offset), stamp.pts) for stamp in stamps]
    return SourceSound(config, data, starts, pts_of)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A PES packet with a time stamp: the packet that it begins in, and where its content stands in
    all that was joined.
    """

    row: int
    offset: int
    pts: int


def _check_goes_on(
    first: int, data: bytes, starts: list[int], stamps: Sequence[_Stamp], config: AudioConfig
) -> None:
    """Raises Unfit unless a segment whose sound begins with this packet goes on as those before."""
    at = bisect_left(stamps, first, key=lambda stamp: stamp.row)
    if at == len(stamps) or stamps[at].row != first:
        raise Unfit("the sound of a segment begins in the middle")
    offset = stamps[at].offset
    frame = bisect_left(starts, offset)
    # The last of `starts` is where the last frame ends.
    if frame >= len(starts) - 1 or starts[frame] != offset:
        raise Unfit("an AAC frame reaches into the next segment")
    if config_of(data[offset : starts[frame + 1]]) != config:
        raise Unfit("the sound changes from one segment to the next")


def _joined(heads: Words, bodies: Bytes) -> tuple[bytes, list[_Stamp]]:
    """What packets carry without any header. `bodies` are the packets behind their heads; most of
    them have nothing else to skip.
    """
    flat = memoryview(bodies.tobytes())
    marked = np.flatnonzero((heads & (START | ADAPTATION)) != 0)
    pieces: list[memoryview] = []
    stamps: list[_Stamp] = []
    size = used = 0
    for row, head, field in zip(
        marked.tolist(), heads[marked].tolist(), bodies[marked, 0].tolist(), strict=True
    ):
        at = row * ROOM
        pieces.append(flat[used:at])
        size += at - used
        used = min(at + 1 + field, at + ROOM) if head & ADAPTATION else at
        if head & START:
            pts, header = _pes_header(flat[used : at + ROOM])
            if pts is not None:
                stamps.append(_Stamp(row, size, pts))
            used += header
    pieces.append(flat[used:])
    return b"".join(pieces), stamps


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


class _Stretch:
    """A segment's frames, which wait for their slots; the first ones may have got theirs."""

    def __init__(self, times: Ints, sound: SourceSound) -> None:
        self._times = times
        self._sound = sound
        self._at = 0

    def __len__(self) -> int:
        return len(self._times) - self._at

    def in_time(self, wanted: Ints, allowed: int) -> int:
        """How many frames from the next one on are in time for these slots, one for each."""
        times = self._times[self._at : self._at + len(wanted)]
        off = np.abs(times - wanted[: len(times)]) > allowed
        return int(np.argmax(off)) if off.any() else len(times)

    def pop(self, count: int) -> list[_Held]:
        """Take the next frames out."""
        begin, self._at = self._at, self._at + count
        times, data = self._times[begin : self._at].tolist(), self._sound.data
        edges = pairwise(self._sound.starts[begin : self._at + 1])
        return [
            _Held(time, data[start:end]) for time, (start, end) in zip(times, edges, strict=True)
        ]

    def pop_run(self, count: int) -> "_Run":
        """The same without their times."""
        begin, self._at = self._at, self._at + count
        return _Run(self._sound.data, self._sound.starts[begin : self._at + 1])


@dataclass(frozen=True, slots=True)
class _Run:
    """Frames that stand one behind the other in `data`; `starts` as those of a segment's sound."""

    data: bytes
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, frame: bytes) -> Self:
        """A single frame."""
        return cls(frame, (0, len(frame)))

    @classmethod
    def joined(cls, runs: "Sequence[_Run]") -> "_Run":
        """One behind the other."""
        if len(runs) == 1:
            return runs[0]
        sizes = chain.from_iterable(np.diff(run.starts).tolist() for run in runs)
        data = b"".join(run.data[run.starts[0] : run.starts[-1]] for run in runs)
        return cls(data, [0, *accumulate(sizes)])


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
        """Frames that are looked at one by one, before those of the stretches."""
        self._stretches: deque[_Stretch] = deque()
        self._allowed = self._step // 2 + _JITTER_TICKS * config.rate
        self._running = False
        self.filled = 0
        """Slots that no source frame was near to."""

    def begin_run(self) -> None:
        """What is added from now on is of another stretch of time."""
        self._held = []
        self._stretches.clear()
        self._running = False

    def add(self, sound: SourceSound, origin_pts: int, origin_ticks: int) -> None:
        """Take a segment's frames. The source time `origin_pts` is `origin_ticks` in the output."""
        times = sound.times()
        first = int(times[0])
        moved = origin_ticks + wrapped_difference(first, origin_pts) - first
        self._stretches.append(_Stretch((times + moved) * self.config.rate, sound))

    def take(self, until: int, *, final: bool = False) -> list[AudioFrames]:
        """The frames of all slots whose middle is before `until` (ticks) that are there by now.

        `final` says that nothing more comes for this run: what is missing is silent.
        """
        end = max(self._slot, self._slots_before(until))
        taken: list[_Run] = []
        first = self._slot
        while self._slot < end:
            run = self._ready(end - self._slot) or self._next(final=final)
            if run is None:
                break
            taken.append(run)
            self._slot += len(run)
        return self._grouped(first, taken)

    def put(self, frames: Iterable[bytes]) -> list[AudioFrames]:
        """Fill the next slots with frames that were encoded for them."""
        taken = [_Run.of(frame) for frame in frames]
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

    def _ready(self, most: int) -> _Run | None:
        """Frames for the next slots, where a stretch goes on as it should: nearly everywhere."""
        if not self._running or self._held or not self._stretches:
            return None
        stretch = self._stretches[0]
        wanted = self._first + (self._slot + np.arange(most)) * self._step
        run = stretch.pop_run(stretch.in_time(wanted, self._allowed))
        if not stretch:
            self._stretches.popleft()
        return run or None

    def _next(self, *, final: bool) -> _Run | None:
        """The frame for the next slot; None if it may still come."""
        wanted = self._first + self._slot * self._step
        held = self._held
        if not self._running:
            # The first of a run is the nearest: it decides the phase of all that follow.
            while self._hold(2) and abs(held[1].time - wanted) <= abs(held[0].time - wanted):
                held.pop(0)
            if not self._hold(2) and not final:
                return None
        while self._hold(1) and held[0].time < wanted - self._allowed:
            held.pop(0)
        if self._hold(1) and held[0].time <= wanted + self._allowed:
            self._running = True
            return _Run.of(held.pop(0).data)
        if not held and not final:
            return None
        self.filled += 1
        return _Run.of(self._silence)

    def _hold(self, count: int) -> bool:
        """Look at stretches frame by frame until so many are held; whether they are."""
        while len(self._held) < count and self._stretches:
            stretch = self._stretches.popleft()
            self._held += stretch.pop(len(stretch))
        return len(self._held) >= count

    def _grouped(self, first: int, taken: Sequence[_Run]) -> list[AudioFrames]:
        if not taken:
            return []
        rate, run = self.config.rate, _Run.joined(taken)
        return [
            AudioFrames(
                pts=(2 * (self._first + (first + at) * self._step) + rate) // (2 * rate),
                data=run.data[run.starts[at] : run.starts[min(at + self._packet_frames, len(run))]],
            )
            for at in range(0, len(run), self._packet_frames)
        ]
