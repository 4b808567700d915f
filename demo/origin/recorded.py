"""Sets: streams that were encoded once and lie in a folder, with an index that says what is in
each segment.

    FOLDER/index.json
    FOLDER/source/000000.ts ...
    FOLDER/360p30/000000.ts ...
"""

import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from common.errors import MediaError
from demo.origin.encoder import (
    RENDITIONS,
    SEGMENT_SECONDS,
    StreamSpec,
    encode_command,
    picture,
    write_captions,
)
from demo.origin.ts import shift_timestamps

CLOCK_HZ = 90_000
FIRST_PTS = 126_000
"""PTS of frame 0: ffmpeg's MPEG-TS muxer starts at 1.4 s."""

_INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSegment:
    """One encoded segment. It holds `frames` frames numbered first_frame, first_frame + step, ...

    `first_pts` (1/90000 s) is the lowest of its video; `duration_seconds` goes from there to the
    next segment's.
    """

    path: Path
    first_frame: int
    frames: int
    step: int
    first_pts: int
    duration_seconds: Fraction

    @property
    def numbers(self) -> range:
        return range(self.first_frame, self.first_frame + self.frames * self.step, self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSet:
    """An encoded stream: `qualities` maps names to segments in order. Frame n is at n / frame_rate
    seconds of the stream; numbers are the source's in all qualities.
    """

    folder: Path
    frame_rate: Fraction
    qualities: dict[str, tuple[RecordedSegment, ...]]

    @property
    def seconds(self) -> Fraction:
        """How long the set is before it starts again."""
        return sum((s.duration_seconds for s in self.qualities["source"]), Fraction())

    def segment_count(self) -> int:
        return len(self.qualities["source"])

    def read(self, quality: str, index: int) -> bytes:
        """Segment `index` of the stream that repeats this set for ever.

        Each repetition's clock goes on where the last one ended, so no two segments have the same
        bytes; the numbers in the pictures start again.
        """
        loop, position = divmod(index, self.segment_count())
        data = self.qualities[quality][position].path.read_bytes()
        if loop == 0:
            return data
        return shift_timestamps(data, round(loop * self.seconds * CLOCK_HZ))

    def start_seconds(self, index: int) -> Fraction:
        """When segment `index`'s first frame is shown, from the stream's start."""
        loop, position = divmod(index, self.segment_count())
        first = self.qualities["source"][position].first_frame
        return loop * self.seconds + first / self.frame_rate


def encode_set(folder: Path, spec: StreamSpec) -> None:
    """Encode `spec` into `folder` as fast as possible. Raises MediaError if ffmpeg fails."""
    if spec.frame_count is None:
        raise ValueError("a set has an end")
    for rendition in RENDITIONS:
        (folder / rendition.name).mkdir(parents=True, exist_ok=True)
    captions = folder / "captions.txt"
    write_captions(captions, spec)
    lists = {rendition.name: str(folder / f"{rendition.name}.csv") for rendition in RENDITIONS}
    command = encode_command(spec, folder, captions, lists)
    pictures = b"".join(picture(n) for n in range(spec.frame_count))
    result = subprocess.run(command, input=pictures, stderr=subprocess.PIPE, check=False)
    if result.returncode:
        raise MediaError(result.stderr.decode(errors="replace"))
    index = {"frame_rate": str(spec.frame_rate), "frames": spec.frame_count}
    (folder / _INDEX).write_text(json.dumps(index))


def load_set(folder: Path) -> RecordedSet:
    """The set in `folder`. Raises MediaError if there is none."""
    try:
        index = json.loads((folder / _INDEX).read_text())
        rate, frames = Fraction(index["frame_rate"]), range(index["frames"])
    except (OSError, ValueError, KeyError) as exc:
        raise MediaError(f"{folder} holds no encoded set") from exc
    return RecordedSet(
        folder=folder,
        frame_rate=rate,
        qualities={
            rendition.name: _segments(folder / rendition.name, frames, rendition.every, rate)
            for rendition in RENDITIONS
        },
    )


def _segments(
    folder: Path, frames: range, step: int, rate: Fraction
) -> tuple[RecordedSegment, ...]:
    """What the encoder has made of the source's `frames`, of which this quality has every
    `step`th.
    """
    size = round(rate * SEGMENT_SECONDS)
    pieces = (frames[first : first + size] for first in range(0, len(frames), size))
    return tuple(
        RecordedSegment(
            path=folder / f"{index:06d}.ts",
            first_frame=piece.start,
            frames=len(piece[::step]),
            step=step,
            first_pts=FIRST_PTS + round(piece.start / rate * CLOCK_HZ),
            duration_seconds=len(piece) / rate,
        )
        for index, piece in enumerate(pieces)
    )
