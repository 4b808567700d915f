"""What is in a segment file, read without decoding it.

Blocks on the disk and the CPU for some milliseconds; callers in an event loop use a thread.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from common.errors import MediaError
from common.media.timeline import frame_rate, unwrap


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoParameters:
    codec: str
    width: int
    height: int
    profile: str | None
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioParameters:
    codec: str
    rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`video_pts` and `audio_pts` are in ticks of 1/90000 s, in order of display, unwrapped from
    the first on. Either may be empty.
    """

    video: VideoParameters | None
    audio: AudioParameters | None
    video_pts: tuple[int, ...]
    audio_pts: tuple[int, ...]
    size_bytes: int

    @property
    def offsets(self) -> list[int]:
        """Ticks of each frame after the first; of audio frames where there is no video."""
        stamps = self.video_pts or self.audio_pts
        return [stamp - stamps[0] for stamp in stamps]

    @property
    def rate(self) -> Fraction | None:
        """Frames per second of the video."""
        return frame_rate(self.offsets) if self.video_pts else None


def probe(path: Path) -> Probe:
    """Read a segment's time stamps and parameters. Raises MediaError if it is no such file."""
    try:
        with av.open(str(path), format="mpegts") as container:
            return _probe(container, path.stat().st_size)
    except (FFmpegError, OSError) as exc:
        # Without the path: clients read this.
        raise MediaError(f"{path.name} cannot be read: {exc.strerror}") from exc


def _probe(container: "av.container.InputContainer", size_bytes: int) -> Probe:
    video = next(iter(container.streams.video), None)
    audio = next(iter(container.streams.audio), None)
    stamps: dict[int, list[int]] = {}
    wanted = [stream for stream in (video, audio) if stream is not None]
    if not wanted:
        raise MediaError("there is neither video nor audio in it")
    for packet in container.demux(*wanted):
        if packet.pts is not None:
            stamps.setdefault(packet.stream_index, []).append(packet.pts)
    return Probe(
        video=_video_parameters(video) if video is not None else None,
        audio=_audio_parameters(audio) if audio is not None else None,
        video_pts=in_order(stamps.get(video.index, [])) if video is not None else (),
        audio_pts=in_order(stamps.get(audio.index, [])) if audio is not None else (),
        size_bytes=size_bytes,
    )


def in_order(stamps: list[int]) -> tuple[int, ...]:
    """Unwrapped, in order of display, each once."""
    return tuple(sorted(set(unwrap(stamps))))


def _video_parameters(stream: "av.VideoStream") -> VideoParameters:
    context = stream.codec_context
    return VideoParameters(
        codec=context.name,
        width=context.width,
        height=context.height,
        profile=context.profile,
        level=getattr(context, "level", 0) or 0,
    )


def _audio_parameters(stream: "av.AudioStream") -> AudioParameters:
    context = stream.codec_context
    return AudioParameters(
        codec=context.name, rate=context.sample_rate, channels=context.layout.nb_channels
    )
