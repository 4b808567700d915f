"""Reads a video of the synthetic stream back: which frames it holds, when each is shown, and how
far its sound is from its picture.

    video = read_video(path)
    assert_frames(video, 118, 240)
    assert_steady(video)
    assert_in_sync(video)
    assert_decodes_silently(path)

Each `assert_` raises AssertionError with what is wrong and where.
"""

import io
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt

from common.media.commands import ffmpeg_binary
from demo.origin import encoder
from demo.origin.code import CELLS, decode_cells

Samples = npt.NDArray[np.float32]

AAC_FRAME_SECONDS = 1024 / encoder.AUDIO_RATE

# The strip takes 2 of 45 rows of the picture; its middle is one row down.
_STRIP_MIDDLE = Fraction(1, 45)
# How well a chirp must correlate with the ideal one to count (1 is identical).
_CHIRP_LIKENESS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture: the number that it carries (None where no strip can be read) and when it is
    shown, in seconds of the container's time.
    """

    number: int | None
    pts: Fraction


class Piece(NamedTuple):
    """Sound of one channel: the time of its first sample, and samples per second."""

    pts: Fraction
    rate: int
    samples: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundMark:
    """A second's mark: when it is heard (seconds of the container's time), and the stream's second
    modulo `encoder.SECONDS_TOLD_APART`.
    """

    pts: float
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """What a file holds, in the order in which it is presented."""

    frames: tuple[Frame, ...]
    marks: tuple[SoundMark, ...]
    frame_rate: Fraction
    """Of the stream's source quality: what frame numbers count."""

    @property
    def numbers(self) -> list[int | None]:
        return [frame.number for frame in self.frames]

    @property
    def audio_offsets(self) -> list[float]:
        """For each mark how many seconds the sound comes after (below 0: before) its picture.

        Marks whose picture is not in the video are left out.
        """
        shown = _pictures_by_number(self.frames)
        offsets = (_offset(mark, shown, self.frame_rate) for mark in self.marks)
        return [offset for offset in offsets if offset is not None]


def read_video(source: Path | bytes, *, frame_rate: Fraction = Fraction(60)) -> Video:
    """Decode all of `source`, a path or the bytes of any container.

    `frame_rate` is that of the stream's source quality, also when a lower one is read.
    """
    opened = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    with av.open(opened, "r") as container:
        frames: list[Frame] = []
        pieces: list[Piece] = []
        streams = [*container.streams.video[:1], *container.streams.audio[:1]]
        for decoded in container.decode(streams):
            if isinstance(decoded, av.VideoFrame):
                frames.append(Frame(number=read_number(decoded), pts=_pts(decoded)))
            elif isinstance(decoded, av.AudioFrame):
                pieces.append(sound_piece(decoded, _pts(decoded)))
    return Video(frames=tuple(frames), marks=tuple(find_marks(pieces)), frame_rate=frame_rate)


def read_number(picture: av.VideoFrame) -> int | None:
    """The number in the strip of `picture`, or None if none can be read."""
    # To convert every picture would take longer than all else; black and white are far enough
    # apart for limited and full range alike.
    if not picture.format.name.startswith("yuv"):
        picture = picture.reformat(format="gray")
    luma = picture.planes[0]
    middle = round(picture.height * _STRIP_MIDDLE)
    first, last = max(0, middle - 1), middle + 1
    rows = np.frombuffer(memoryview(luma), np.uint8, last * luma.line_size).reshape(last, -1)[
        first:
    ]
    size = picture.width / CELLS
    # Only the inner half of each cell: its edges blur.
    cells = [
        float(rows[:, int((cell + 0.25) * size) : int((cell + 0.75) * size)].mean())
        for cell in range(CELLS)
    ]
    return decode_cells(cells)


def assert_frames(video: Video, first: int, last: int, *, step: int = 1) -> None:
    """The frames are exactly first, first + step, ..., last, in this order."""
    wanted = list(range(first, last + 1, step))
    if video.numbers == wanted:
        return
    got = set(video.numbers)
    missing = [number for number in wanted if number not in got]
    at = next(
        (
            i
            for i, pair in enumerate(zip(video.numbers, wanted, strict=False))
            if pair[0] != pair[1]
        ),
        min(len(video.numbers), len(wanted)),
    )
    raise AssertionError(
        f"{len(video.frames)} frames instead of {len(wanted)} ({first} to {last}); "
        f"the first difference is at {at}: {video.numbers[max(0, at - 2) : at + 4]} instead of "
        f"{wanted[max(0, at - 2) : at + 4]}; missing: {missing[:10]}"
    )


def assert_steady(video: Video, *, step: int = 1, tick: Fraction = Fraction(1, 90_000)) -> None:
    """Every frame is shown for step / frame rate seconds, to within one `tick` of the container."""
    wanted = step / video.frame_rate
    for before, after in pairwise(video.frames):
        if abs(after.pts - before.pts - wanted) > tick:
            raise AssertionError(
                f"frame {before.number} at {float(before.pts):.6f} s is shown for "
                f"{float(after.pts - before.pts):.6f} s instead of {float(wanted):.6f} s"
            )


def assert_in_sync(
    video: Video, *, tolerance_seconds: float = AAC_FRAME_SECONDS / 2, at_least: int = 1
) -> None:
    """At least `at_least` marks are heard with their pictures, each within the tolerance."""
    offsets = video.audio_offsets
    if len(offsets) < at_least:
        raise AssertionError(f"{len(offsets)} marks with a picture instead of at least {at_least}")
    worst = max(offsets, key=abs, default=0.0)
    if abs(worst) > tolerance_seconds:
        raise AssertionError(
            f"the sound is {worst * 1000:+.1f} ms from its picture (all: "
            f"{[round(offset * 1000, 1) for offset in offsets]} ms)"
        )


def assert_decodes_silently(source: Path | bytes) -> None:
    """ffmpeg decodes everything without one warning."""
    data = source if isinstance(source, bytes) else None
    given = "pipe:0" if data is not None else str(source)
    result = subprocess.run(
        [ffmpeg_binary(), "-v", "warning", "-xerror", "-i", given, "-f", "null", "-"],
        input=data,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    said = result.stderr.decode(errors="replace").strip()
    if result.returncode or said:
        raise AssertionError(f"ffmpeg ended with {result.returncode} and said: {said[:2000]}")


def find_marks(pieces: Iterable[Piece]) -> Iterator[SoundMark]:
    """The marks in sound that is given in order."""
    for piece in _joined(pieces):
        for position in _chirps(piece):
            tone = _tone(piece, position)
            if tone is not None:
                pts = float(piece.pts) + position / piece.rate
                yield SoundMark(pts=pts, second=tone)


def _pts(frame: av.VideoFrame | av.AudioFrame) -> Fraction:
    if frame.pts is None or frame.time_base is None:
        raise AssertionError("a decoded frame has no time")
    return frame.pts * frame.time_base


def sound_piece(frame: av.AudioFrame, pts: Fraction) -> Piece:
    """A decoded frame, mixed to one channel, that begins at `pts` seconds."""
    rate = frame.sample_rate
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    samples = np.concatenate([part.to_ndarray()[0] for part in frames]).astype(np.float32)
    return Piece(pts, rate, samples)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Put pieces together whose times follow each other to within 1 ms."""
    run: list[Piece] = []
    end = Fraction()
    for piece in pieces:
        if run and (abs(piece.pts - end) > Fraction(1, 1000) or piece.rate != run[0].rate):
            yield _concatenated(run)
            run = []
        if not run:
            end = piece.pts
        run.append(piece)
        end += Fraction(len(piece.samples), piece.rate)
    if run:
        yield _concatenated(run)


def _concatenated(run: list[Piece]) -> Piece:
    return run[0]._replace(samples=np.concatenate([piece.samples for piece in run]))


@lru_cache
def _ideal_chirp(rate: int) -> Samples:
    t = np.arange(int(encoder.CHIRP_SECONDS * rate)) / rate
    phase = 2 * np.pi * (encoder.CHIRP_FIRST_HZ + encoder.CHIRP_HZ_PER_SECOND / 2 * t) * t
    return np.sin(phase).astype(np.float32)


def _chirps(piece: Piece) -> Iterator[int]:
    """Where chirps begin: peaks of the normalised correlation with the ideal one."""
    samples, ideal = piece.samples, _ideal_chirp(piece.rate)
    if len(samples) < len(ideal):
        return
    size = len(samples) + len(ideal) - 1
    spectrum = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(ideal, size))
    correlation = np.fft.irfft(spectrum, size)[: len(samples) - len(ideal) + 1]
    energy = np.concatenate(([0.0], np.cumsum(samples.astype(np.float64) ** 2)))
    window = energy[len(ideal) :] - energy[: -len(ideal)]
    # Silence correlates with nothing; a floor keeps its noise from being divided by itself.
    floor = 1e-3 * len(ideal)
    likeness = correlation / np.sqrt(np.maximum(window, floor) * float((ideal**2).sum()))
    above = np.flatnonzero(likeness > _CHIRP_LIKENESS)
    for group in np.split(above, np.flatnonzero(np.diff(above) > len(ideal)) + 1):
        if len(group):
            yield int(group[np.argmax(likeness[group])])


def _tone(piece: Piece, chirp: int) -> int | None:
    """Which second the tone after the chirp at `chirp` tells, or None if it is cut off."""
    first = chirp + int(encoder.TONE_FROM_SECONDS * piece.rate)
    last = chirp + int(encoder.TONE_TO_SECONDS * piece.rate)
    if last > len(piece.samples):
        return None
    spectrum = np.abs(np.fft.rfft(piece.samples[first:last]))
    loudest = float(np.argmax(spectrum)) / (encoder.TONE_TO_SECONDS - encoder.TONE_FROM_SECONDS)
    return round((loudest - encoder.TONE_FIRST_HZ) / encoder.TONE_STEP_HZ)


def _pictures_by_number(frames: Iterable[Frame]) -> dict[int, list[Fraction]]:
    shown: dict[int, list[Fraction]] = {}
    for frame in frames:
        if frame.number is not None:
            shown.setdefault(frame.number, []).append(frame.pts)
    return shown


def _offset(
    mark: SoundMark, shown: dict[int, list[Fraction]], frame_rate: Fraction
) -> float | None:
    """How long after its picture `mark` is heard; of several pictures the nearest counts.

    Where a second begins between two frames, or on one that this quality leaves out, the picture's
    time is reckoned from the frame before.
    """
    candidates = []
    for number, times in shown.items():
        second = -(-number // frame_rate)  # the first second that is not before this frame
        late = second - number / frame_rate
        if second % encoder.SECONDS_TOLD_APART == mark.second and late < 2 / frame_rate:
            candidates += [mark.pts - float(time + late) for time in times]
    nearest = min(candidates, key=abs, default=None)
    # The tones repeat: what is nearer to the same tone's next second has no picture here.
    if nearest is None or abs(nearest) >= encoder.SECONDS_TOLD_APART / 2:
        return None
    return nearest
