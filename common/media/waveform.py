"""Draw sound over time: what an encoding process does for a WaveformJob.

Each column of the picture shows the lowest and the highest sample of its part of the range. Memory
does not depend on the range's length. Where there is no sound there is nothing in the picture.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext
from av.error import FFmpegError
from PIL import Image

from common.media.answers import Answers
from common.media.demuxer import decoded, open_segment, packets_of
from common.media.encode import Samples
from common.media.frame import encode_png
from common.media.pictures import WaveformJob
from common.media.timeline import CLOCK_HZ, wrapped_difference
from common.media.ts import measure, without_video
from common.times import SECOND

_COLOUR = (77, 150, 217)
# Time stamps that are off by less than this are rounding or jitter.
_JITTER_TICKS = 900


def handle(document: bytes, answers: Answers) -> None:
    """Run a WaveformJob. Segments that cannot be read are gaps."""
    job = WaveformJob.from_json(document)
    envelope = Envelope(job.start, job.end, job.width)
    ear = _Ear()
    for piece in job.pieces:
        for ticks, rate, samples in ear.listen(Path(piece.path)):
            envelope.add(piece.start + ticks * SECOND / CLOCK_HZ, rate, samples)
    answers.write(encode_png(envelope.draw(job.height)))


class Envelope:
    """The lowest and the highest sample of each of `width` columns between two times."""

    def __init__(self, start: int, end: int, width: int) -> None:
        self._start = start
        self._width = width
        self._columns_per_microsecond = width / (end - start)
        self._lowest = np.full(width, np.inf, np.float32)
        self._highest = np.full(width, -np.inf, np.float32)

    def add(self, time: float, rate: int, samples: Samples) -> None:
        """Take samples, one row for each channel, of which the first is heard at `time`."""
        first = (time - self._start) * self._columns_per_microsecond
        step = SECOND / rate * self._columns_per_microsecond
        columns = np.floor(first + step * np.arange(samples.shape[1])).astype(np.int64)
        inside = (columns >= 0) & (columns < self._width)
        columns, samples = columns[inside], samples[:, inside]
        if not len(columns):
            return
        begins = np.flatnonzero(np.diff(columns, prepend=-1))
        shown = columns[begins]
        lowest = np.minimum.reduceat(samples.min(axis=0), begins)
        highest = np.maximum.reduceat(samples.max(axis=0), begins)
        self._lowest[shown] = np.minimum(self._lowest[shown], lowest)
        self._highest[shown] = np.maximum(self._highest[shown], highest)

    def draw(self, height: int) -> Image.Image:
        """Full scale fills the height; silence is a line in the middle; no sound is nothing."""
        rows = np.arange(height)[:, np.newaxis]
        painted = (rows >= self._row(self._highest, height)) & (
            rows <= self._row(self._lowest, height)
        )
        heard = self._highest >= self._lowest
        picture = Image.fromarray((painted & heard).astype(np.uint8))
        picture.putpalette([0, 0, 0, *_COLOUR])
        picture.info["transparency"] = 0
        return picture

    def _row(self, values: "npt.NDArray[np.float32]", height: int) -> "npt.NDArray[np.int64]":
        clipped = np.clip(values, -1, 1)
        return np.minimum((1 - clipped) / 2 * height, height - 1).astype(np.int64)


class _Ear:
    """Decodes the sound of one segment after the other, each going on where the last one ended."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def listen(self, path: Path) -> Iterator[tuple[int, int, Samples]]:
        """Runs of sound: ticks after the segment's begin, samples per second, samples."""
        try:
            data = path.read_bytes()
            span = measure(data)
            if span is None:
                return
            frames = list(self._decode(without_video(data)))
        except (OSError, FFmpegError):
            return
        for run in _runs(frames):
            pts, rate, _ = run[0]
            joined = np.concatenate([samples for _, _, samples in run], axis=1)
            yield wrapped_difference(pts, span.first_pts), rate, joined

    def _decode(self, data: bytes) -> Iterator[tuple[int, int, Samples]]:
        with open_segment(io.BytesIO(data)) as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None:
                return
            codec = stream.codec_context.name
            if self._decoder is None or self._decoder.name != codec:
                self._decoder = CodecContext.create(codec, "r")
            for packet in packets_of(container, stream):
                if packet.pts is not None:
                    yield from _samples(self._decoder, packet)


def _samples(decoder: Any, packet: Any) -> Iterator[tuple[int, int, Samples]]:
    for frame in decoded(decoder, packet):
        for sound in _planar(frame):
            yield packet.pts, sound.sample_rate, sound.to_ndarray()


def _planar(frame: Any) -> list[Any]:
    """The frame with samples as Samples has them."""
    if frame.format.name == "fltp":
        return [frame]
    return list(av.AudioResampler("fltp", frame.layout.name, frame.sample_rate).resample(frame))


def _runs(
    frames: Iterable[tuple[int, int, Samples]],
) -> Iterator[list[tuple[int, int, Samples]]]:
    """Frames that follow each other without a gap, of the same kind."""
    run: list[tuple[int, int, Samples]] = []
    due = 0.0
    for pts, rate, samples in frames:
        if run:
            _, its_rate, its_samples = run[0]
            same = (rate, len(samples)) == (its_rate, len(its_samples))
            if not same or abs(wrapped_difference(pts, round(due))) > _JITTER_TICKS:
                yield run
                run = []
        if not run:
            due = pts
        run.append((pts, rate, samples))
        due += samples.shape[1] * CLOCK_HZ / rate
    if run:
        yield run
