"""The encoder of a smart cut's own pieces: they must pass for a continuation of the source.

Quality is set by the quantizer alone. With one quantizer for all frames the error of each is nearly
the same, whatever moves in it: so a trial on the first few frames tells which quantizer keeps all
of them above what an eye could see, and no bits are spent on more.
"""

import math
import struct
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import chain, islice
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext, Flags

from common.media.smart.packets import HEVC

THREADS = 2
"""For each encoder and decoder: several cuts share a machine's cores."""

_LEAST_DB = 42.0
"""Luma PSNR of every frame: what is promised."""
_TARGET_DB = 43.0
"""Of the worst frame of the trial."""

_TRIAL_FRAMES = 4
_TRIAL_QUANTIZER = 27
_QUANTIZERS = range(8, 33)

# What a step of the quantizer costs, in decibels: the least and the most that is seen.
_STEP_DOWN_DB = 0.5
_STEP_UP_DB = 1.0
_STEP_SIZE = 1.13
"""How many times the bytes a step less of the quantizer takes."""

_MOST_B_FRAMES = 2

# AV_PKT_DATA_QUALITY_STATS of libavcodec: quality, type of the picture, how many errors follow; the
# first of them is the luma's sum of squared errors.
_QUALITY = struct.Struct("<4xxB2xQ")

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


def encoded(
    frames: "Iterable[av.VideoFrame]",
    video_type: int,
    *,
    rate: Fraction,
    reorder: int,
    count: int = 0,
    room_bytes: int = 0,
) -> "Iterator[av.Packet[Any]]":
    """Encode frames, which stand in the order of their time; the packets say which is which.

    `reorder` is how many frames may be held back. All `count` frames should have at most
    `room_bytes`, if that is not 0; quality goes first. What turns out to be too hard for the
    quantizer begins anew with an IDR picture and a quantizer of its own.
    """
    coming = iter(frames)
    pending = list(islice(coming, _TRIAL_FRAMES))
    while pending:
        encoder = _fitting_encoder(
            pending[:_TRIAL_FRAMES],
            video_type,
            rate=rate,
            reorder=reorder,
            count=count,
            room_bytes=room_bytes,
        )
        # What is still to come may begin with frames that came before: not all have been used.
        coming = chain(pending, coming)
        pending = yield from _run(encoder, coming)


def _run(
    encoder: Any, frames: "Iterable[av.VideoFrame]"
) -> "Generator[av.Packet[Any], None, list[av.VideoFrame]]":
    """Encode until some come out too bad; returns the frames from the first of these on that the
    encoder has been given.

    Packets are sent as groups that hold all frames up to some moment, so that what is sent can end
    before any of them.
    """
    unsent: deque[av.VideoFrame] = deque()
    group: list[av.Packet[Any]] = []
    pixels = _pixels(encoder)
    is_first = True
    for frame in chain(frames, [None]):
        if frame is not None:
            unsent.append(frame)
        for packet in encoder.encode(frame):
            group.append(packet)
            if max(one.pts or 0 for one in group) != unsent[len(group) - 1].pts:
                continue
            # The first ones are those of the trial: nothing is gained by another one.
            if not is_first and min(_luma_psnr(one, pixels) for one in group) < _LEAST_DB:
                return list(unsent)
            is_first = False
            yield from group
            for _ in group:
                unsent.popleft()
            group = []
    return []


def _luma_psnr(packet: "av.Packet[Any]", pixels: int) -> float:
    """What the encoder says of it, in decibels; x265 says nothing."""
    for data in packet.iter_sidedata():
        stats = bytes(data)
        if data.data_type == "quality_stats" and len(stats) >= _QUALITY.size:
            kinds, error = _QUALITY.unpack_from(stats)
            return _decibels(error / pixels) if kinds else math.inf
    return math.inf


def _fitting_encoder(
    frames: "Sequence[av.VideoFrame]",
    video_type: int,
    *,
    rate: Fraction,
    reorder: int,
    count: int,
    room_bytes: int,
) -> Any:
    """An encoder for frames like these, the first of those that are to be encoded."""

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
    # Pictures side by side would take as long, and the first of them would come later.
    encoder.thread_count, encoder.thread_type = THREADS, "SLICE"
    encoder.flags |= Flags.psnr
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
    packets = [packet for frame in frames for packet in encoder.encode(frame)]
    packets += encoder.encode(None)
    pixels = _pixels(encoder)
    worst = min(_luma_psnr(packet, pixels) for packet in packets)
    if worst == math.inf:
        worst = _worst_decoded(packets, frames, video_type)
    return _Trial(worst, [packet.size for packet in packets])


def _pixels(encoder: Any) -> int:
    """Of the luma. Errors of more than eight bits are that much greater."""
    pixels: int = encoder.width * encoder.height << 2 * (encoder.format.components[0].bits - 8)
    return pixels


def _worst_decoded(
    packets: "Iterable[av.Packet[Any]]", frames: "Sequence[av.VideoFrame]", video_type: int
) -> float:
    """The least luma PSNR, found by decoding."""
    decoder: Any = CodecContext.create("hevc" if video_type == HEVC else "h264", "r")
    shown: list[av.VideoFrame] = []
    for packet in packets:
        unit: av.Packet[Any] = av.Packet(bytes(packet))
        unit.pts = packet.pts
        shown += decoder.decode(unit)
    shown += decoder.decode(None)
    shown.sort(key=lambda frame: frame.pts or 0)
    return _decibels(
        max(
            float(((_luma(one) - _luma(other)) ** 2).mean())
            for one, other in zip(frames, shown, strict=True)
        )
    )


def _decibels(error: float) -> float:
    """The PSNR for a mean squared error."""
    return 10 * math.log10(255**2 / max(error, 1e-6))


def _luma(frame: "av.VideoFrame") -> "npt.NDArray[np.float32]":
    plane = frame.reformat(format="yuv420p").planes[0]
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
    luma: npt.NDArray[np.float32] = rows[: frame.height, : frame.width].astype(np.float32)
    return luma
