"""The encoder of a smart cut's own pieces: they must pass for a continuation of the source.

Quality is set by the quantizer alone. With one quantizer for all frames the error of each is nearly
the same, whatever moves in it: so a trial on the first few frames tells which quantizer keeps all
of them above what an eye could see, and no bits are spent on more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext

from common.media.smart.packets import HEVC

THREADS = 2
"""For each encoder and decoder: several cuts share a machine's cores."""

_TARGET_DB = 43.0
"""Luma PSNR of the worst frame of the trial; 42 dB in every frame is what is promised."""

TRIAL_FRAMES = 4
_TRIAL_QUANTIZER = 27
_QUANTIZERS = range(8, 33)

# What a step of the quantizer costs, in decibels: the least and the most that is seen.
_STEP_DOWN_DB = 0.5
_STEP_UP_DB = 1.0
_STEP_SIZE = 1.13
"""How many times the bytes a step less of the quantizer takes."""

_MOST_B_FRAMES = 2

# Parameter sets keep the id that sources use (0): every piece, encoded or copied, begins with its
# own. With another id hls.js would give Chromium our sequence set and the source's picture set,
# which do not belong together, and nothing would be decoded.

_COMMON = (
    "keyint=infinite:min-keyint=1:scenecut=0:b-pyramid=0:aq-mode=0:open-gop=0:repeat-headers=1"
)
# Deadzones: what is rounded up instead of away costs less than a smaller quantizer for the same
# PSNR, in bytes and in time. Nothing is held back that could be sent.
_X264 = (
    "ipratio=1.0:pbratio=1.0:mbtree=0:aud=1:annexb=1:deadzone-inter=8:deadzone-intra=8:"
    "b-adapt=0:weightp=0:me=dia:rc-lookahead=0:sync-lookahead=0"
)
_X265_PRESET = "veryfast"
_X265 = "ipratio=1.0:pbratio=1.0:cutree=0:aud=1:annexb=1:log-level=error"


class _Effort(Enum):
    """How much time goes into few bytes: presets of x264, and what is changed of them."""

    QUICK = ("ultrafast", ":8x8dct=1:no-deblock=0")
    """Less than half of the time, and a sixth more bytes: no CABAC, no search among partitions."""
    CAREFUL = ("veryfast", "")


def fitting_encoder(
    frames: "Sequence[av.VideoFrame]",
    video_type: int,
    *,
    rate: Fraction,
    reorder: int,
    count: int = 0,
    room_bytes: int = 0,
) -> Any:
    """An encoder for frames like these, the first TRIAL_FRAMES of what is to be encoded.

    `reorder` is how many frames it may hold back. All `count` frames should have at most
    `room_bytes`, if that is not 0; quality goes first.
    """

    def encoder(effort: _Effort, quantizer: int) -> Any:
        return _encoder(
            frames[0], video_type, rate=rate, reorder=reorder, effort=effort, quantizer=quantizer
        )

    trial = _try(encoder(_Effort.QUICK, _TRIAL_QUANTIZER), frames, video_type)
    spare = trial.worst_db - _TARGET_DB
    steps = math.floor(spare / (_STEP_UP_DB if spare > 0 else _STEP_DOWN_DB))
    quantizer = min(max(_TRIAL_QUANTIZER + steps, _QUANTIZERS[0]), _QUANTIZERS[-1])
    expected = trial.expected_bytes(count) * _STEP_SIZE ** (_TRIAL_QUANTIZER - quantizer)
    is_tight = room_bytes and expected > room_bytes
    return encoder(_Effort.CAREFUL if is_tight else _Effort.QUICK, quantizer)


def _encoder(
    frame: "av.VideoFrame",
    video_type: int,
    *,
    rate: Fraction,
    reorder: int,
    effort: _Effort,
    quantizer: int,
) -> Any:
    is_hevc = video_type == HEVC
    encoder: Any = CodecContext.create("libx265" if is_hevc else "libx264", "w")
    encoder.width, encoder.height = frame.width, frame.height
    # Formats that tell the range of values in their names are out of use.
    encoder.pix_fmt = frame.format.name.replace("yuvj", "yuv")
    encoder.framerate, encoder.time_base = rate, 1 / rate
    encoder.color_range, encoder.colorspace = frame.color_range, frame.colorspace
    encoder.color_primaries, encoder.color_trc = frame.color_primaries, frame.color_trc
    encoder.thread_count = THREADS
    encoder.max_b_frames = min(reorder, _MOST_B_FRAMES)
    own = f"{_COMMON}:bframes={encoder.max_b_frames}"
    preset, changes = effort.value
    if is_hevc:
        params = f"{own}:{_X265}:qp={quantizer}:pools={THREADS}"
        encoder.options = {"preset": _X265_PRESET, "x265-params": params}
    else:
        params = f"{own}:{_X264}{changes}"
        encoder.options = {"preset": preset, "qp": str(quantizer), "x264-params": params}
    return encoder


@dataclass(frozen=True, slots=True)
class _Trial:
    """What became of a trial: the least luma PSNR in decibels, and the size of each unit."""

    worst_db: float
    sizes: list[int]

    def expected_bytes(self, count: int) -> float:
        """Of `count` frames of which these are the first."""
        first, *others = self.sizes
        return first + (count - 1) * sum(others) / max(len(others), 1)


def _try(encoder: Any, frames: "Sequence[av.VideoFrame]", video_type: int) -> _Trial:
    decoder: Any = CodecContext.create("hevc" if video_type == HEVC else "h264", "r")
    packets = [packet for frame in frames for packet in encoder.encode(frame)]
    packets += encoder.encode(None)
    shown: list[av.VideoFrame] = []
    for packet in packets:
        unit: av.Packet[Any] = av.Packet(bytes(packet))
        unit.pts = packet.pts
        shown += decoder.decode(unit)
    shown += decoder.decode(None)
    shown.sort(key=lambda frame: frame.pts or 0)
    errors = [
        float(((_luma(one) - _luma(other)) ** 2).mean())
        for one, other in zip(frames, shown, strict=True)
    ]
    worst = 10 * math.log10(255**2 / max(*errors, 1e-6))
    return _Trial(worst, [packet.size for packet in packets])


def _luma(frame: "av.VideoFrame") -> "npt.NDArray[np.float32]":
    plane = frame.reformat(format="yuv420p").planes[0]
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
    luma: npt.NDArray[np.float32] = rows[: frame.height, : frame.width].astype(np.float32)
    return luma
