"""A transport stream as MP4, untouched inside: ffmpeg only packs it anew.

Presentation starts at 0. Sent on, it is in fragments; as a file it gets its index in front.
"""

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, cast

import ffmpeg

from common.children import end_with_parent
from common.errors import MediaError
from common.media.commands import ffmpeg_binary

_READ_BYTES = 256 * 1024
_LAST_LINES = 3
_NICENESS = 10
# In MP4 the configuration of the sound stands once, not before each frame.
_ADTS_TO_RAW = {"bsf:a": "aac_adtstoasc"}
_FRAGMENTS = "frag_keyframe+delay_moov+default_base_moof"


def mp4_of(chunks: Generator[bytes, None, None]) -> Iterator[bytes]:
    """Yield the MP4 in fragments. Closing the generator ends all work, that of `chunks` too.

    Raises MediaError if ffmpeg fails, and whatever `chunks` raises.
    """
    with _Remuxer(chunks, "pipe:1", _FRAGMENTS) as remuxer:
        yield from remuxer.output()


def write_mp4(chunks: Generator[bytes, None, None], path: Path) -> None:
    """Write the MP4 to `path`. Raises what `mp4_of` raises."""
    with _Remuxer(chunks, str(path), "faststart") as remuxer:
        for _ in remuxer.output():
            raise MediaError("ffmpeg sent what it should have written")


class _Remuxer:
    """One ffmpeg, fed by a thread (a greenlet where gevent has patched them)."""

    def __init__(self, chunks: Generator[bytes, None, None], target: str, flags: str) -> None:
        self._chunks = chunks
        self._error: Exception | None = None
        self._complaints = TemporaryFile()  # noqa: SIM115 - closed by __exit__
        command = (
            ffmpeg.input("pipe:0", format="mpegts")
            .output(target, format="mp4", c="copy", map=0, movflags=flags, **_ADTS_TO_RAW)
            .global_args("-hide_banner", "-v", "error")
            .compile(cmd=ffmpeg_binary(), overwrite_output=True)
        )
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            preexec_fn=_prepare_child,  # noqa: PLW1509 - it takes no lock
        )
        self._feeder = Thread(target=self._feed, daemon=True)

    def __enter__(self) -> "_Remuxer":
        self._feeder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # whoever feeds it meets a broken pipe
        self._feeder.join()
        for pipe in (self._process.stdin, self._process.stdout):
            _close(pipe)
        self._process.wait()
        self._complaints.close()

    def output(self) -> Iterator[bytes]:
        """What ffmpeg sends, until it ends. Raises MediaError, or what its input raised."""
        pipe = cast(BufferedReader, self._process.stdout)
        while data := pipe.read1(_READ_BYTES):
            yield data
        self._feeder.join()
        status = self._process.wait()
        if self._error is not None:
            raise self._error
        if status:
            raise MediaError(f"ffmpeg failed: {self._last_lines()}")

    def _feed(self) -> None:
        pipe = self._process.stdin
        try:
            for chunk in self._chunks:
                if pipe is not None:
                    pipe.write(chunk)
        except BrokenPipeError:
            pass  # ffmpeg has ended: its status says why
        except Exception as exc:  # raised again where the output is wanted
            self._error = exc
        finally:
            self._chunks.close()
            _close(pipe)

    def _last_lines(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-_LAST_LINES:]) or "it said nothing"


def _prepare_child() -> None:
    end_with_parent(signal.SIGKILL)()
    os.nice(_NICENESS)


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        return  # what it still held is of no use to anybody
