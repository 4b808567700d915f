"""Elementary streams of the frame-coded material: coded pictures and AAC frames, each with its
time, encoded in-process in whatever way a test needs.

The pictures are those of `demo.origin.encoder`, with a moving grain over the background so that
they cost bytes and an encoder's loss shows.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from common.media.commands import ffmpeg_binary
from demo.origin.code import CELLS
from demo.origin.encoder import picture, sound_source
from tests.support.ts_mux import CLOCK_HZ, Adts, Unit

AAC_SAMPLES = 1024
# ffmpeg's AAC encoder puts one frame in front of the first sample.
_PRIMING = 1024

_SMALL_SIZE = (2 * CELLS, 45)
# Twice the strip's height, so that scaling never mixes them.
_GRAIN_FROM = Fraction(4, 45)
_GRAIN_SHIFTS = 61

_START_CODE = b"\x00\x00\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How pictures are encoded. `gop` is in frames; an open GOP begins with a recovery point."""

    frame_rate: Fraction = Fraction(60)
    width: int = 320
    height: int = 180
    codec: str = "libx264"
    profile: str = "high"
    gop: int = 60
    b_frames: int = 2
    pyramid: bool = True
    open_gop: bool = False
    idr_every: int | None = None
    """Frames from one IDR to the next in spite of an open GOP; None is one at the beginning."""
    slices: int = 1
    kilobits: int | None = None
    """Constant rate with filler data; None is constant quality."""
    crf: int = 24
    grain: int = 10
    """Amplitude in luma steps."""
    delimiters: bool = True


def encode_pictures(coding: Coding, numbers: Sequence[int]) -> list[Unit]:
    """The pictures of these numbers in decoding order; number n is shown at n / frame rate."""
    context = _encoder(coding)
    units: list[Unit] = []
    first = numbers[0]
    for number in numbers:
        frame = draw(coding.width, coding.height, number, coding.grain)
        frame.pts, frame.time_base = number - first, 1 / coding.frame_rate
        if coding.idr_every is not None and (number - first) % coding.idr_every == 0:
            frame.pict_type = PictureType.I
        units += (_unit(packet, coding, first) for packet in context.encode(frame))
    units += (_unit(packet, coding, first) for packet in context.encode(None))
    return units


def _encoder(coding: Coding) -> "av.VideoCodecContext":
    context = av.CodecContext.create(coding.codec, "w")
    if not isinstance(context, av.VideoCodecContext):
        raise TypeError(f"{coding.codec} encodes no video")
    context.width, context.height, context.pix_fmt = coding.width, coding.height, "yuv420p"
    context.time_base, context.framerate = 1 / coding.frame_rate, coding.frame_rate
    # Threads by slice would make several slices of each picture.
    context.thread_count, context.thread_type = 2, "FRAME"
    # Without global headers parameter sets stand before each IDR.
    parameters = _x265_parameters if coding.codec == "libx265" else _x264_parameters
    name = coding.codec.removeprefix("lib")
    options = {
        "preset": "superfast" if name == "x264" else "ultrafast",
        f"{name}-params": ":".join(parameters(coding)),
    }
    if coding.kilobits is None:
        options["crf"] = str(coding.crf)
    if name == "x264":
        options["profile"] = coding.profile
        options["forced-idr"] = "1"
    context.options = options
    return context


def _x264_parameters(coding: Coding) -> list[str]:
    chosen = [
        f"keyint={coding.gop}",
        f"min-keyint={coding.gop}",
        "scenecut=0",
        f"bframes={coding.b_frames}",
        f"b-pyramid={'normal' if coding.pyramid else 'none'}",
        # Else x264 would not use B-frames where it thinks that they do not pay.
        "b-adapt=0",
        f"open-gop={coding.open_gop:d}",
        f"slices={coding.slices}",
        f"aud={coding.delimiters:d}",
        "threads=2",
    ]
    if coding.kilobits is not None:
        rate = coding.kilobits
        chosen += [f"bitrate={rate}", f"vbv-maxrate={rate}", f"vbv-bufsize={rate}", "nal-hrd=cbr"]
    return chosen


def _x265_parameters(coding: Coding) -> list[str]:
    return [
        "log-level=none",
        f"keyint={coding.gop}",
        f"min-keyint={coding.gop}",
        "scenecut=0",
        f"bframes={coding.b_frames}",
        f"b-pyramid={coding.pyramid:d}",
        "b-adapt=0",
        f"open-gop={coding.open_gop:d}",
        f"aud={coding.delimiters:d}",
        "repeat-headers=1",
        "pools=2",
        "frame-threads=1",
    ]


def _unit(packet: "av.Packet[av.VideoStream]", coding: Coding, first: int) -> Unit:
    if packet.pts is None or packet.dts is None:
        raise AssertionError("the encoder gives no time")
    return Unit(
        data=bytes(packet),
        pts=ticks(first + packet.pts, coding.frame_rate),
        dts=ticks(first + packet.dts, coding.frame_rate),
        number=first + packet.pts,
        random_access=packet.is_keyframe,
    )


def ticks(number: int, frame_rate: Fraction) -> int:
    """The time of frame `number` on the grid."""
    return number * CLOCK_HZ * frame_rate.denominator // frame_rate.numerator


def draw(width: int, height: int, number: int, grain: int) -> av.VideoFrame:
    """Picture `number` in that size, as a frame without a time."""
    small = np.frombuffer(picture(number), np.uint8).reshape(_SMALL_SIZE[1], _SMALL_SIZE[0], 3)
    scaled = av.VideoFrame.from_ndarray(small, format="rgb24").reformat(
        width, height, "yuv420p", interpolation="POINT"
    )
    if not grain:
        return scaled
    planes = scaled.to_ndarray()
    top = round(height * _GRAIN_FROM)
    noise = _noise(width, height, grain)
    x, y = 3 * number % _GRAIN_SHIFTS, 5 * number % _GRAIN_SHIFTS
    luma = planes[top:height].astype(np.int16) + noise[y + top : y + height, x : x + width]
    planes[top:height] = luma.clip(16, 235).astype(np.uint8)
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


@lru_cache(maxsize=4)
def _noise(width: int, height: int, grain: int) -> npt.NDArray[np.int16]:
    """Soft spots of four pixels, the same in every run."""
    shape = (height + _GRAIN_SHIFTS + 3, width + _GRAIN_SHIFTS + 3)
    rough = np.random.default_rng(1).integers(-grain, grain + 1, shape).astype(np.int16)
    soft = rough[:-1, :-1] + rough[1:, :-1] + rough[:-1, 1:] + rough[1:, 1:]
    return np.asarray(soft // 2, np.int16)


def parameter_sets(codec: str) -> frozenset[int]:
    """The NAL types of parameter sets: SPS and PPS (H.264, 7.4.1), also VPS in HEVC (7.4.2.2)."""
    return frozenset({32, 33, 34}) if codec == "libx265" else frozenset({7, 8})


def without_parameter_sets(data: bytes, codec: str) -> bytes:
    """The access unit without SPS and PPS (and VPS)."""
    sets = parameter_sets(codec)
    kept = b""
    for nal in split_nals(data):
        kind = nal[0] >> 1 & 0x3F if codec == "libx265" else nal[0] & 0x1F
        if kind not in sets:
            kept += b"\x00" + _START_CODE + nal
    return kept


def split_nals(data: bytes) -> Iterator[bytes]:
    """The NAL units of an access unit, without start codes (H.264, annex B)."""
    for piece in data.split(_START_CODE)[1:]:
        yield piece.rstrip(b"\x00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """How the sound is encoded. `offset_seconds` is the time of the first AAC frame, from frame 0
    on (below 0: before it).
    """

    rate: int = 48_000
    channels: int = 2
    kilobits: int = 96
    offset_seconds: Fraction = Fraction()


def encode_sound(sound: Sound, seconds: Fraction) -> list[Adts]:
    """AAC frames from the offset on to at least `seconds`."""
    offset = round(sound.offset_seconds * sound.rate)
    lead = -offset % AAC_SAMPLES + AAC_SAMPLES
    first = (_PRIMING + lead + offset) // AAC_SAMPLES
    frames = list(_adts(_encode_aac(sound, lead, seconds)))[first:]
    step = Fraction(AAC_SAMPLES * CLOCK_HZ, sound.rate)
    start = Fraction(offset * CLOCK_HZ, sound.rate)
    timed = [Adts(data=data, pts=start + index * step) for index, data in enumerate(frames)]
    return [frame for frame in timed if frame.pts < seconds * CLOCK_HZ]


def _encode_aac(sound: Sound, lead: int, seconds: Fraction) -> bytes:
    """The ADTS stream of `lead` samples of silence and then the marks."""
    command = [
        *(ffmpeg_binary(), "-v", "error", "-f", "lavfi", "-i", sound_source(sound.rate)),
        *("-af", f"adelay=delays={lead}S:all=1", "-ac", str(sound.channels)),
        *("-t", str(float(seconds) + 0.2), "-c:a", "aac", "-b:a", f"{sound.kilobits}k"),
        *("-f", "adts", "pipe:1"),
    ]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def _adts(data: bytes) -> Iterator[bytes]:
    """The frames of an ADTS stream (ISO/IEC 14496-3, 1.A.2.2)."""
    at = 0
    while at < len(data):
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        yield data[at : at + length]
        at += length
