"""The synthetic stream: which pictures and sounds it is made of, and the ffmpeg that encodes them.

We draw each frame as a tiny RGB picture (80x45) and pipe it into ffmpeg, which scales it up with
nearest neighbour: that costs next to nothing, and who writes the pipe decides how fast time passes.
Frame n is shown at n / frame rate seconds after the stream's start. The lower quality takes every
second frame and keeps its number, so numbers mean the same moment in all qualities.

The sound marks every second: a chirp of 40 ms begins exactly at the second, and a tone 60 to 140 ms
after it tells which second it is, modulo `SECONDS_TOLD_APART`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import ffmpeg
import font_roboto

from common.media.commands import ffmpeg_binary
from demo.origin.code import CELLS, encode_bits

AUDIO_RATE = 48_000
SEGMENT_SECONDS = 2

CHIRP_SECONDS = 0.04
CHIRP_FIRST_HZ = 500
CHIRP_HZ_PER_SECOND = 62_500  # 500 Hz to 3 kHz within the chirp
TONE_FROM_SECONDS = 0.06
TONE_TO_SECONDS = 0.14
TONE_FIRST_HZ = 1000
TONE_STEP_HZ = 300
SECONDS_TOLD_APART = 10

_WIDTH = 2 * CELLS
_HEIGHT = 45
_CODE_ROWS = 2
_ROW_BYTES = 3 * _WIDTH
# The background moves up by one row (16 lines of 720) this often.
_FRAMES_PER_STEP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One quality of the stream. `every` 2 means every second frame of the source."""

    name: str
    width: int
    height: int
    every: int
    crf: int
    bandwidth: int
    """Bits per second, as the master playlist announces it."""
    level: str


RENDITIONS = (
    Rendition(
        name="source", width=1280, height=720, every=1, crf=26, bandwidth=2_400_000, level="3.2"
    ),
    Rendition(
        name="360p30", width=640, height=360, every=2, crf=28, bandwidth=700_000, level="3.0"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """What determines the bytes of an encoded stream.

    `epoch_seconds` is the whole second (Unix time) of frame 0, shown as text in the picture.
    `seconds` None means until the pipe is closed.
    """

    frame_rate: Fraction = Fraction(60)
    epoch_seconds: int = 1_800_000_000
    seconds: int | None = None

    @property
    def frames_per_segment(self) -> int:
        """Frames of the source quality in one segment: one closed GOP."""
        return round(self.frame_rate * SEGMENT_SECONDS)

    @property
    def frame_count(self) -> int | None:
        """Frames that begin within `seconds`."""
        return None if self.seconds is None else math.ceil(self.frame_rate * self.seconds)


def picture(number: int) -> bytes:
    """Frame `number` as 80x45 RGB: the code strip above a background that moves."""
    background = _background()
    first = number // _FRAMES_PER_STEP % _HEIGHT
    last = first + _HEIGHT - _CODE_ROWS
    strip = b"".join(b"\xff" * 6 if bit else bytes(6) for bit in encode_bits(number))
    return strip * _CODE_ROWS + background[first * _ROW_BYTES : last * _ROW_BYTES]


@lru_cache(maxsize=1)
def _background() -> bytes:
    """Diagonal bands of colour, two pictures high, repeating after one."""
    pixels = bytearray()
    for y in range(2 * _HEIGHT):
        for x in range(_WIDTH):
            band = (x + 2 * y) % _HEIGHT
            pixels += bytes((40 + 2 * band, 60 + band, 160 - 2 * band))
    return bytes(pixels)


def write_captions(path: Path, spec: StreamSpec) -> None:
    """Write the file of text that the graph draws: the time of the frame in UTC."""
    # A stream's time starts at 0, so pts plus the epoch is the wall time.
    path.write_text(rf"%{{pts:gmtime:{spec.epoch_seconds}:%H\:%M\:%S}} UTC  frame %{{n}}")


def encode_command(
    spec: StreamSpec, folder: Path, captions: Path, lists: Mapping[str, str]
) -> list[str]:
    """ffmpeg's arguments: pictures from standard input, segments into `folder`/QUALITY/000000.ts.

    `lists` says for each quality where to write a line `NAME,START,END` as each segment is done:
    a path, or `pipe:FD`.
    """
    pictures = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pixel_format="rgb24",
        video_size=(_WIDTH, _HEIGHT),
        framerate=_ratio(spec.frame_rate),
        probesize=32,
        analyzeduration=0,
    )
    sound = ffmpeg.input(sound_source(), format="lavfi").audio.filter_multi_output("asplit")
    drawn = _draw(pictures.video, captions).filter_multi_output("split")
    outputs = [
        ffmpeg.output(
            _scaled(rendition, drawn[i]),
            sound[i],
            str(folder / rendition.name / "%06d.ts"),
            **_options(spec, rendition, lists[rendition.name]),
        )
        for i, rendition in enumerate(RENDITIONS)
    ]
    command = ffmpeg.merge_outputs(*outputs).global_args(
        "-hide_banner", "-v", "warning", "-nostats"
    )
    return list(command.compile(cmd=ffmpeg_binary(), overwrite_output=True))


def _draw(pictures: "ffmpeg.nodes.Node", captions: Path) -> "ffmpeg.nodes.Node":
    largest = RENDITIONS[0]
    return (
        pictures.filter("scale", largest.width, largest.height, flags="neighbor")
        .filter("format", "yuv420p")
        .filter(
            "drawtext",
            fontfile=font_roboto.Roboto,
            textfile=str(captions),
            fontsize=48,
            fontcolor="white",
            x=40,
            y="h-100",
            box=1,
            boxcolor="black",
            boxborderw=10,
        )
    )


def _scaled(rendition: Rendition, video: "ffmpeg.nodes.Node") -> "ffmpeg.nodes.Node":
    if rendition.every == 1:
        return video
    return video.filter("framestep", rendition.every).filter(
        "scale", rendition.width, rendition.height, flags="fast_bilinear"
    )


def _options(spec: StreamSpec, rendition: Rendition, segment_list: str) -> dict[str, object]:
    gop = spec.frames_per_segment // rendition.every
    options: dict[str, object] = {
        "vcodec": "libx264",
        "preset": "superfast",  # ultrafast would make Main profile
        "profile:v": "high",
        "level:v": rendition.level,
        "crf": rendition.crf,
        "bf": 2,
        "g": gop,
        "keyint_min": gop,
        "sc_threshold": 0,
        "threads": 2,
        "acodec": "aac",
        "b:a": "96k",
        "ac": 2,
        # Without these the first segment's clock would be shifted against all the others'.
        "avoid_negative_ts": "disabled",
        "segment_format_options": "avoid_negative_ts=disabled",
        "format": "segment",
        "segment_format": "mpegts",
        "segment_time": SEGMENT_SECONDS,
        "segment_time_delta": 0.1,
        "segment_list": segment_list,
        "segment_list_type": "csv",
    }
    # The pictures end with the pipe; the sound has no end of its own.
    if spec.frame_count is None:
        return options | {"shortest": None}
    return options | {"t": float(spec.frame_count / spec.frame_rate)}


def sound_source(rate: int = AUDIO_RATE) -> str:
    """The sound from the stream's start on, without an end, as a lavfi source."""
    second = "mod(t,1)"
    chirp = (
        f"0.6*lt({second},{CHIRP_SECONDS})"
        f"*sin(2*PI*({CHIRP_FIRST_HZ}+{CHIRP_HZ_PER_SECOND // 2}*{second})*{second})"
    )
    tone = (
        f"0.4*between({second},{TONE_FROM_SECONDS},{TONE_TO_SECONDS})"
        f"*sin(2*PI*({TONE_FIRST_HZ}+{TONE_STEP_HZ}*mod(floor(t),{SECONDS_TOLD_APART}))*t)"
    )
    return f"aevalsrc=exprs='{chirp}+{tone}':s={rate}:c=mono"


def _ratio(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
