"""The encoders and the muxer of a full cut: one video track, one sound track, one clock."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from common.media.timeline import CLOCK_HZ, grid_time

Samples = npt.NDArray[np.float32]
"""Planar sound: one row for each channel."""

TS_FIRST_PTS = 126_000
"""1.4 s: DTS, PCR and sound that begins early stay positive."""

SOUND_BITS_PER_SECOND = 192_000
KEYFRAME_SECONDS = 2
_THREADS = min(4, (os.cpu_count() or 1) * 3 // 2)
"""Of the encoder. Each has a picture of its own, and waits now and then for the one before: more of
them than cores keep these busy.
"""
_SOUND_FRAME = 1024  # samples in an AAC frame (ISO/IEC 14496-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a container is filled with. `sound_rate` None is the source's.

    `muxer_options` are for a sink that cannot seek, `file_options` for a file.
    """

    video: str
    sound: str
    video_options: Mapping[str, str] = field(default_factory=dict)
    sound_rate: int | None = None
    muxer_options: Mapping[str, str] = field(default_factory=dict)
    file_options: Mapping[str, str] = field(default_factory=dict)


_X264 = {"preset": "veryfast", "crf": "20", "profile": "high"}
# In realtime mode each frame becomes one packet at once: none that is not shown, none held back.
_VP9 = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "30", "lag-in-frames": "0"}

FORMATS = {
    "mpegts": Format(
        video="libx264",
        sound="aac",
        video_options=_X264,
        muxer_options={"mpegts_copyts": "1"},
        file_options={"mpegts_copyts": "1"},
    ),
    "mp4": Format(
        video="libx264",
        sound="aac",
        video_options=_X264,
        # The index of a fragmented file is written once the first fragment has told the delays.
        muxer_options={"movflags": "frag_keyframe+delay_moov+default_base_moof"},
        file_options={"movflags": "faststart"},
    ),
    "webm": Format(
        video="libvpx-vp9",
        sound="libopus",
        video_options=_VP9,
        sound_rate=48_000,  # Opus knows no other (RFC 6716, 2)
        file_options={"cues_to_front": "1"},
    ),
    # Nothing is lost: for a program that goes on from there.
    "nut": Format(video="rawvideo", sound="pcm_f32le"),
}


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
        self._format = FORMATS[container]
        to_file = isinstance(target, str)
        options = self._format.file_options if to_file else self._format.muxer_options
        self._container = av.open(target, "w", format=container, options=dict(options))
        self._first_pts = first_pts
        self._rate = rate
        self._video: av.VideoStream | None = None
        self._sound: av.AudioStream | None = None
        self._sound_rate = sound_rate or 0
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
        stream: Any = self._container.add_stream(
            self._format.video, rate=rate, options=dict(self._format.video_options)
        )
        context = stream.codec_context
        context.bit_rate = 0  # a target of quality, not of size
        # 4:2:0 needs even sizes.
        context.width, context.height = size[0] & ~1, size[1] & ~1
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, CLOCK_HZ)
        context.framerate = rate
        context.gop_size = round(KEYFRAME_SECONDS * rate)
        context.thread_count, context.thread_type = _THREADS, "FRAME"
        return stream  # type: ignore[no-any-return]

    def _add_sound(self, rate: int, layout: str) -> "av.AudioStream":
        encoded_rate = self._format.sound_rate or rate
        stream: Any = self._container.add_stream(
            self._format.sound, rate=encoded_rate, layout=layout
        )
        stream.codec_context.bit_rate = SOUND_BITS_PER_SECOND
        stream.codec_context.time_base = Fraction(1, encoded_rate)
        return stream  # type: ignore[no-any-return]

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
        rate = self._sound_rate
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=self._sound.layout.name
        )
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = round(Fraction(self._first_pts * rate, CLOCK_HZ)) + self._sent_samples
        self._sent_samples += samples.shape[1]
        self._container.mux(self._sound.encode(frame))
