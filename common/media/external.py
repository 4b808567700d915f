"""The program ffmpeg as the encoder of a full cut: frames and sound go in as they are, and what
comes out is up to the arguments of whoever configured it.

ffmpeg gets exactly the frames of the cut, each with its time, and never decides which to take.
"""

import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress

from common.children import end_with_parent
from common.errors import ConfigError, MediaError
from common.media.commands import ffmpeg_binary

PIPE_FORMAT = "nut"
"""How it gets them: as the format of that name in `common.media.encode`."""

MUXERS = {"mp4": "mp4", "mkv": "matroska", "mov": "mov", "webm": "webm", "ts": "mpegts"}
"""Containers by the ending of their files, as ffmpeg calls them."""

_LAST_LINES = 3
_CHECK_SECONDS = 30
# What decides where video comes from and goes to, which is not for the arguments to say.
_RESERVED = {"-i", "-f", "-y", "-n", "-stdin"}


class External:
    """A sink that takes the format PIPE_FORMAT; ffmpeg writes the file `path`.

    `close` must be called, `finish` only if all has been written.
    """

    def __init__(self, arguments: Sequence[str], path: str) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            _command(["-f", PIPE_FORMAT, "-i", "pipe:0"], arguments, path),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            # The other thread only waits, and holds no lock that the child could need.
            preexec_fn=end_with_parent(signal.SIGKILL),  # noqa: PLW1509
        )
        if self._process.stdin is None:
            raise RuntimeError("ffmpeg was started without a pipe")
        self._pipe = self._process.stdin
        self.closed = False
        """PyAV does not finish a file whose sink is closed."""

    def write(self, data: bytes) -> int:
        try:
            self._pipe.write(data)
        except BrokenPipeError as exc:
            raise self._failed() from exc
        return len(data)

    def finish(self) -> None:
        """Wait until the file is complete. Raises MediaError if ffmpeg fails."""
        try:
            self._pipe.close()
        except BrokenPipeError as exc:
            raise self._failed() from exc
        if self._process.wait():
            raise self._failed()

    def close(self) -> None:
        """End ffmpeg, whatever it does."""
        self.closed = True
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._complaints.close()

    def _failed(self) -> MediaError:
        self._process.wait()
        self._complaints.seek(0)
        return MediaError(f"ffmpeg failed: {_last_lines(self._complaints.read())}")


def check_arguments(arguments: Sequence[str], suffix: str) -> None:
    """Encode a moment of nothing with them. Raises ConfigError, with what ffmpeg says."""
    if reserved := sorted(_RESERVED.intersection(arguments)):
        raise ConfigError(f"ffmpeg_args: leave out {', '.join(reserved)}")
    source = ["-f", "lavfi", "-i", "testsrc=size=320x180:duration=0.2"]
    sound = ["-f", "lavfi", "-i", "anullsrc=sample_rate=48000:channel_layout=stereo"]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        command = _command([*source, *sound, "-t", "0.2"], arguments, file.name)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_CHECK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise ConfigError("ffmpeg_args: ffmpeg does not come to an end with them") from exc
    if done.returncode:
        raise ConfigError(f"ffmpeg_args: ffmpeg says: {_last_lines(done.stderr)}")


def _command(source: Iterable[str], arguments: Sequence[str], path: str) -> list[str]:
    muxer = MUXERS[path.rpartition(".")[2]]
    # Each frame at its own time, on the clock of the cut: none dropped, none doubled.
    timing = ["-fps_mode", "passthrough", "-enc_time_base:v", "1:90000"]
    index = ["-movflags", "+faststart"] if muxer in {"mp4", "mov"} else []
    quiet = ["-hide_banner", "-nostdin", "-v", "error"]
    return [ffmpeg_binary(), *quiet, *source, *timing, *index, *arguments, "-f", muxer, "-y", path]


def _last_lines(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-_LAST_LINES:]) or "nothing"
