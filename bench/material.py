"""Real video for the benchmarks of cuts: H.264 with B-frames, 720p60, 6 Mbit/s, GOPs of 2 s, AAC.

It is encoded once per machine, and then repeated with its clock going on, so that a recording of
any length is one continuous stream.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.names import SEGMENT, path_of
from bench.suite import check
from common.media.commands import ffmpeg_binary
from common.media.smart.segment import load
from common.media.smart.walk import follows
from common.times import SECOND, Micros
from demo.origin.ts import shift_timestamps
from tests.support.media import made_once, store_bytes

FRAMES_PER_SECOND = 60
_CLOCK_HZ = 90_000
_SEGMENT_SECONDS = SEGMENT // SECOND
_SOUND_RATE = 48_000
_SOUND_FRAME = 1024  # samples


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`seconds` are a multiple of 8: then sound and segments both end there."""

    seconds: int
    bits_per_second: int = 6_000_000


SHORT = Recipe(seconds=8)
LONG = Recipe(seconds=40)


def record(quality_dir: Path, first: Micros, count: int, recipe: Recipe) -> list[Path]:
    """Write `count` segments of 2 s from `first` on, under the names that a downloader gives."""
    sources = sorted(_encoded(recipe).glob("*.ts"))
    check(len(sources) * _SEGMENT_SECONDS == recipe.seconds, "ffmpeg cuts segments of 2 s")
    paths = []
    for index in range(count):
        loop, position = divmod(index, len(sources))
        data = sources[position].read_bytes()
        shifted = shift_timestamps(data, loop * recipe.seconds * _CLOCK_HZ) if loop else data
        paths.append(store_bytes(quality_dir, shifted, first + index * SEGMENT, SEGMENT)[0])
    if count > len(sources):
        before, after = paths[len(sources) - 1 : len(sources) + 1]
        check(follows(load(after), load(before)), "the clock goes on where the video starts anew")
    os.sync()  # writing them must not go on while something is measured
    return paths


def repeat(quality_dir: Path, paths: list[Path], first: Micros) -> None:
    """Record the same segments again from `first` on, as links: there the clock jumps back."""
    for index, path in enumerate(paths):
        again = path_of(quality_dir, first + index * SEGMENT)
        again.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, again)


def _encoded(recipe: Recipe) -> Path:
    return made_once(
        "bench", recipe, [sys.modules[__name__]], lambda folder: _encode(recipe, folder)
    )


def _encode(recipe: Recipe, folder: Path) -> None:
    # The encoder puts one AAC frame before the first sample.
    sound_seconds = recipe.seconds - _SOUND_FRAME / _SOUND_RATE
    rate = f"{recipe.bits_per_second}"
    gop = f"{FRAMES_PER_SECOND * _SEGMENT_SECONDS}"
    pictures = f"testsrc2=s=1280x720:r={FRAMES_PER_SECOND}:d={recipe.seconds}"
    sound = f"sine=f=440:r={_SOUND_RATE}:d={sound_seconds}"
    subprocess.run(
        [
            *(ffmpeg_binary(), "-v", "error"),
            *("-f", "lavfi", "-i", f"{pictures},noise=alls=12:allf=t"),
            *("-f", "lavfi", "-i", sound),
            *("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"),
            *("-b:v", rate, "-maxrate", rate, "-bufsize", f"{2 * recipe.bits_per_second}"),
            *("-bf", "2", "-g", gop, "-keyint_min", gop, "-sc_threshold", "0"),
            *("-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k", "-ac", "2"),
            *("-f", "segment", "-segment_time", f"{_SEGMENT_SECONDS}"),
            *("-segment_format", "mpegts", f"{folder}/%04d.ts"),
        ],
        check=True,
    )
