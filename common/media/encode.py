"""The encoders and the muxer of a full cut: one video track, one sound track, one clock."""

import os
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from common.media.timeline import CLOCK_HZ, grid_time

Samples = npt.NDArray[np.float32]
"""Planar sound: one row for each channel."""

TS_FIRST_PTS = 126_000
"""1.4 s: DTS, PCR and sound that begins early stay positive."""

VIDEO_OPTIONS = {"preset": "veryfast", "crf": "20", "profile": "high"}
SOUND_BITS_PER_SECOND = 192_000
KEYFRAME_SECONDS = 2
_THREADS = max(1, min(4, os.cpu_count() or 1))
_SOUND_FRAME = 1024  # samples in an AAC frame (ISO/IEC 14496-3)

_MUXER_OPTIONS = {
    "mpegts": {"mpegts_copyts": "1"},
    # The index of a fragmented file is written once the first fragment has told the delays.
    "mp4": {"movflags": "frag_keyframe+delay_moov+default_base_moof"},
}
_FILE_MUXER_OPTIONS = {**_MUXER_OPTIONS, "mp4": {"movflags": "faststart"}}


class Sink(Protocol):
    """Takes the output as it is made."""

    def write(self, data: bytes) -> int: ...


class Output:
    """Encodes frames and samples into `target`: a path, or a sink that cannot seek.

    `first_pts` is the time of slot 0 in ticks. `sound_rate` None means that there is no sound, and
    `rate` None that there is no video.
    """

    def __init__(
        self,
        target: str | Sink,
        container: str,
        *,
        rate: Fraction | None,
        size: tuple[int, int] | None,
        sound_rate: int | None,
        sound_layout: str | None,
        first_pts: int,
    ) -> None:
        options = _FILE_MUXER_OPTIONS if isinstance(target, str) else _MUXER_OPTIONS
        self._container = av.open(target, "w", format=container, options=options[container])
        self._first_pts = first_pts
        self._rate = rate
        self._video: av.VideoStream | None = None
        self._sound: av.AudioStream | None = None
        if rate is not None and size is not None:
            self._video = self._add_video(rate, size)
        if sound_rate is not None and sound_layout is not None:
            self._sound = self._add_sound(sound_rate, sound_layout)
        self._pending: list[Samples] = []
        self._pending_samples = 0
        self._sent_samples = 0

    def video(self, frame: "av.VideoFrame", slot: int) -> None:
        """Encode one decoded frame at `slot`."""
        if self._video is None or self._rate is None:
            return
        frame = frame.reformat(width=self._video.width, height=self._video.height, format="yuv420p")
        # What kind of frame it was in the source must not become a wish for the encoder.
        frame.pict_type = PictureType.NONE
        frame.time_base = Fraction(1, CLOCK_HZ)
        frame.pts = self._first_pts + grid_time(slot, self._rate)
        self._container.mux(self._video.encode(frame))

    def sound(self, samples: Samples) -> None:
        """Encode samples that follow on those before."""
        if self._sound is None:
            return
        self._pending.append(samples)
        self._pending_samples += samples.shape[1]
        if self._pending_samples >= _SOUND_FRAME:
            self._encode_sound(whole_frames=True)

    def close(self) -> None:
        """Drain the encoders and finish the file."""
        if self._video is not None:
            self._container.mux(self._video.encode(None))
        if self._sound is not None:
            self._encode_sound(whole_frames=False)
            self._container.mux(self._sound.encode(None))
        self._container.close()

    def _add_video(self, rate: Fraction, size: tuple[int, int]) -> "av.VideoStream":
        stream = self._container.add_stream("libx264", rate=rate, options=VIDEO_OPTIONS)
        context = stream.codec_context
        # 4:2:0 needs even sizes.
        context.width, context.height = size[0] & ~1, size[1] & ~1
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, CLOCK_HZ)
        context.framerate = rate
        context.gop_size = round(KEYFRAME_SECONDS * rate)
        context.thread_count = _THREADS
        return stream

    def _add_sound(self, rate: int, layout: str) -> "av.AudioStream":
        stream = self._container.add_stream("aac", rate=rate, layout=layout)
        stream.codec_context.bit_rate = SOUND_BITS_PER_SECOND
        stream.codec_context.time_base = Fraction(1, rate)
        return stream

    def _encode_sound(self, *, whole_frames: bool) -> None:
        if not self._pending:
            return
        joined = np.concatenate(self._pending, axis=1)
        usable = joined.shape[1]
        if whole_frames:
            usable -= usable % _SOUND_FRAME
        for start in range(0, usable, _SOUND_FRAME):
            self._encode_sound_frame(joined[:, start : start + _SOUND_FRAME])
        self._pending = [joined[:, usable:]]
        self._pending_samples = joined.shape[1] - usable

    def _encode_sound_frame(self, samples: Samples) -> None:
        if self._sound is None or not samples.shape[1]:
            return
        rate = self._sound.codec_context.sample_rate
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=self._sound.layout.name
        )
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = round(Fraction(self._first_pts * rate, CLOCK_HZ)) + self._sent_samples
        self._sent_samples += samples.shape[1]
        self._container.mux(self._sound.encode(frame))
