"""The live encoder: a task that draws frames as their time comes and keeps ffmpeg going."""

import contextlib
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import gevent
from gevent.fileobject import FileObject

from common.daemon import Stop
from common.errors import MediaError
from common.times import SECOND, Micros
from demo.origin.clock import Clock
from demo.origin.encoder import (
    RENDITIONS,
    SEGMENT_SECONDS,
    StreamSpec,
    encode_command,
    picture,
    write_captions,
)

# Segments that stay on disk: five minutes.
_KEPT_SEGMENTS = 150
_FEED_SECONDS = 0.05


class LiveMaterial:
    """Encodes into `folder`, which is emptied first. Frame 0 is shown at `epoch`, a whole second
    shortly after the task has begun.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._done = {rendition.name: 0 for rendition in RENDITIONS}
        self._completed_at: dict[int, Micros] = {}
        self._frames = 0
        epoch_seconds = math.ceil(clock.now() / SECOND) + 1
        self.epoch: Micros = epoch_seconds * SECOND
        self._spec = StreamSpec(epoch_seconds=epoch_seconds)

    def complete(self, now: Micros) -> int:
        return min(self._done.values())

    def start(self, index: int) -> Micros:
        return self.epoch + index * SEGMENT_SECONDS * SECOND

    def complete_at(self, index: int) -> Micros:
        return self._completed_at.get(index, self.start(index + 1))

    def read(self, quality: str, index: int) -> bytes:
        return self._path(quality, index).read_bytes()

    def missing(self) -> list[str]:
        return [] if min(self._done.values()) else ["the encoder has not finished a segment yet"]

    def run(self, stop: Stop) -> None:
        """A daemon's task. Raises MediaError when ffmpeg ends by itself."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for rendition in RENDITIONS:
            (self._folder / rendition.name).mkdir(parents=True)
        captions = self._folder / "captions.txt"
        write_captions(captions, self._spec)
        # Not earlier: an ffmpeg whose pipe is closed before the first picture never ends.
        if stop.wait((self.epoch - self._clock.now()) / SECOND):
            return
        with _ffmpeg(self._spec, self._folder, captions) as (process, lists):
            readers = [
                gevent.spawn(self._follow, quality, lines) for quality, lines in lists.items()
            ]
            try:
                self._feed(process, stop)
            finally:
                gevent.killall(readers)

    def _feed(self, process: "subprocess.Popen[bytes]", stop: Stop) -> None:
        if process.stdin is None:
            raise RuntimeError("ffmpeg was started without a pipe")
        while not stop.is_set():
            elapsed = (self._clock.now() - self.epoch) / SECOND
            due = max(0, math.floor(elapsed * self._spec.frame_rate) + 1)
            try:
                process.stdin.write(b"".join(picture(n) for n in range(self._frames, due)))
                process.stdin.flush()
            except BrokenPipeError as exc:
                raise MediaError("ffmpeg has ended; its own lines say why") from exc
            self._frames = max(self._frames, due)
            stop.wait(_FEED_SECONDS)

    def _follow(self, quality: str, lines: BinaryIO) -> None:
        """Note each segment that ffmpeg reports, and delete those that are old."""
        for _ in lines:
            index = self._done[quality]
            self._done[quality] += 1
            if min(self._done.values()) > index:
                self._completed_at[index] = self._clock.now()
                self._completed_at.pop(index - _KEPT_SEGMENTS, None)
            self._path(quality, index - _KEPT_SEGMENTS).unlink(missing_ok=True)

    def _path(self, quality: str, index: int) -> Path:
        return self._folder / quality / f"{index:06d}.ts"


@contextlib.contextmanager
def _ffmpeg(
    spec: StreamSpec, folder: Path, captions: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", dict[str, BinaryIO]]]:
    """Start ffmpeg; yields it and, for each quality, the lines that report segments. At the end it
    is killed. (If we are killed ourselves it ends too, since its pictures end.)
    """
    with ExitStack() as stack:
        readers: dict[str, BinaryIO] = {}
        writers: dict[str, int] = {}
        for rendition in RENDITIONS:
            reader, writers[rendition.name] = os.pipe()
            readers[rendition.name] = stack.enter_context(FileObject(reader, "rb"))
        lists = {quality: f"pipe:{writer}" for quality, writer in writers.items()}
        process = subprocess.Popen(
            encode_command(spec, folder, captions, lists),
            stdin=subprocess.PIPE,
            pass_fds=tuple(writers.values()),
            # Ctrl-C at a terminal is for us: we end ffmpeg in order.
            start_new_session=True,
        )
        for writer in writers.values():
            os.close(writer)
        try:
            yield process, readers
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill ffmpeg: the segment that it has begun is not missed, for it was never listed."""
    process.kill()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    process.wait()
