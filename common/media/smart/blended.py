"""The jobs of an encoding process for a transition in a smart cut: its pictures, and its sound.

The pictures are encoded as an edge's are (`common.media.smart.edge`). The sound is cut on the
output's own grid of AAC frames: the answer is one message for each frame.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, ClassVar, Self

import av
import numpy as np
from av.codec.context import CodecContext

from common.media.answers import Answers
from common.media.decode import Timeline, read_timeline
from common.media.encode import Samples
from common.media.job import OverlapPieces
from common.media.overlap import OverlapDecoder
from common.media.smart.adts import SAMPLES, AudioConfig, adts_header, layout_name
from common.media.smart.edge import send_units
from common.media.smart.encoder import encoded
from common.media.sound import SoundTrack

_PRE_ROLL = 2
"""Frames that the encoder is given before the first that counts: the first ones hold its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendJob:
    """The pictures of an overlap. `rate` is numerator and denominator of frames per second."""

    kind: ClassVar[str] = "blend"

    overlap: OverlapPieces
    video_type: int
    rate: tuple[int, int]
    reorder: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        overlap = OverlapPieces.of(fields.pop("overlap"))
        return cls(overlap=overlap, **{**fields, "rate": tuple(fields["rate"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class FadeJob:
    """The sound of an overlap: `count` AAC frames, of which the first begins `offset` samples after
    the overlap does (below 0: before it).
    """

    kind: ClassVar[str] = "fade"

    overlap: OverlapPieces
    config: AudioConfig
    offset: int
    count: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        fields = json.loads(document)
        overlap = OverlapPieces.of(fields.pop("overlap"))
        return cls(overlap=overlap, **{**fields, "config": AudioConfig(**fields["config"])})


def handle_pictures(document: bytes, answers: Answers) -> None:
    """Do a BlendJob. Raises MediaError if a side cannot be decoded."""
    job = BlendJob.from_json(document)
    rate = Fraction(*job.rate)
    frames = _pictures(job.overlap, rate)
    send_units(encoded(frames, job.video_type, rate=rate, reorder=job.reorder), answers)


def _pictures(overlap: OverlapPieces, rate: Fraction) -> "Iterator[av.VideoFrame]":
    timeline = read_timeline(overlap.before)
    silent = Timeline(grid=timeline.grid, sound=None, has_video=True)
    for placed in OverlapDecoder(silent, overlap).decode():
        for slot, frame in placed:
            frame.pts, frame.time_base = slot, 1 / rate
            yield frame


def handle_sound(document: bytes, answers: Answers) -> None:
    """Do a FadeJob. Raises MediaError if a side cannot be decoded."""
    job = FadeJob.from_json(document)
    pieces = [np.zeros((job.config.channels, _PRE_ROLL * SAMPLES), np.float32)]
    pieces += list(_sound(job.overlap, job.config))
    samples = _moved(np.concatenate(pieces, axis=1), job.offset)
    for frame in islice(_encoded(samples, job.config), _PRE_ROLL + 1, _PRE_ROLL + 1 + job.count):
        answers.write(frame)


def _sound(overlap: OverlapPieces, config: AudioConfig) -> Iterator[Samples]:
    timeline = read_timeline(overlap.before)
    track = SoundTrack(config.rate, layout_name(config.channels))
    decoder = OverlapDecoder(Timeline(grid=timeline.grid, sound=track, has_video=False), overlap)
    for _ in decoder.decode():
        yield from decoder.take_sound()


def _moved(samples: Samples, offset: int) -> Samples:
    """The sound from `offset` samples later on; silence where that is before its beginning."""
    if offset >= 0:
        return samples[:, offset:]
    return np.concatenate((np.zeros((samples.shape[0], -offset), np.float32), samples), axis=1)


def _encoded(samples: Samples, config: AudioConfig) -> Iterator[bytes]:
    """All AAC frames, the encoder's own first one too, and silence for ever behind the end."""
    layout = layout_name(config.channels)
    encoder: Any = CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = config.rate, layout, "fltp"
    encoder.time_base = Fraction(1, config.rate)
    position = 0
    while True:
        block = samples[:, position : position + SAMPLES]
        missing = SAMPLES - block.shape[1]
        block = np.ascontiguousarray(np.pad(block, ((0, 0), (0, missing))))
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = config.rate, position
        frame.time_base = Fraction(1, config.rate)
        position += SAMPLES
        for packet in encoder.encode(frame):
            body = bytes(packet)
            yield adts_header(config, len(body)) + body
