"""Put segments into Matroska files, untouched: what an encoding process does for an ArchiveJob.

Every packet of picture and sound is kept as it is. Its time is what it was in the recording, from
the stretch's first picture on; where a source has started its time anew, it is reckoned from the
segments' names.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import av
from av.error import InvalidDataError, PatchWelcomeError

from common.errors import MediaError
from common.media.answers import Answers
from common.media.decode import Demuxed, demux, opened
from common.media.job import ArchiveJob, Piece
from common.media.timeline import CLOCK_HZ, wrapped_difference
from common.times import SECOND, Micros, format_time

# Where names and time stamps disagree by more, the source has started its time anew.
_JUMP_TICKS = CLOCK_HZ // 2


def handle(document: bytes, answers: Answers) -> None:
    """Run an ArchiveJob. Raises MediaError if a segment cannot be read."""
    job = ArchiveJob.from_json(document)
    archive = _Archive(job)
    try:
        for piece in job.pieces:
            archive.add(piece)
            answers.progress(archive.frames)
    finally:
        archive.close()


class _Archive:
    def __init__(self, job: ArchiveJob) -> None:
        self._job = job
        self._file: _File | None = None
        self.frames = 0

    def add(self, piece: Piece) -> None:
        try:
            with opened(piece) as container:
                segment = _known(demux(container, piece))
                if self._file is None or self._file.kinds != _kinds(segment):
                    self.close()
                    time = format_time(piece.start).replace(":", "-")
                    path = Path(self._job.folder) / f"{self._job.prefix}{time}.mkv"
                    self._file = _File(path, segment, piece.start)
                self._file.add(segment, piece.start)
                self.frames += len(segment.stamps())
        except MediaError:
            if not piece.optional:
                raise

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class _File:
    """One Matroska file, whose time 0 is `start`."""

    def __init__(self, path: Path, first: Demuxed, start: Micros) -> None:
        self.kinds = _kinds(first)
        self._container = av.open(str(path), "w", format="matroska")
        self._video = first.video and self._container.add_stream_from_template(first.video)
        self._audio = first.audio and self._container.add_stream_from_template(first.audio)
        self._start = start
        self._origin: tuple[int, int] | None = None  # a segment's first PTS, and its time in ticks
        self._last_dts: dict[int, int] = {}

    def add(self, segment: Demuxed, start: Micros) -> None:
        stamps = segment.stamps()
        if not stamps:
            return
        self._origin = first_pts, ticks = stamps[0], self._ticks(stamps[0], start)
        for packet in segment.packets:
            if packet.pts is None or packet.dts is None:
                continue
            is_video = segment.video and packet.stream_index == segment.video.index
            packet.stream = self._video if is_video else self._audio
            packet.pts = ticks + wrapped_difference(packet.pts, first_pts)
            packet.dts = ticks + wrapped_difference(packet.dts, first_pts)
            self._mux(packet)

    def close(self) -> None:
        self._container.close()

    def _ticks(self, first_pts: int, start: Micros) -> int:
        """When the segment's first picture is shown."""
        by_name = (start - self._start) * CLOCK_HZ // SECOND
        if self._origin is None:
            return by_name
        by_stamp = self._origin[1] + wrapped_difference(first_pts, self._origin[0])
        return by_stamp if abs(by_stamp - by_name) <= _JUMP_TICKS else by_name

    def _mux(self, packet: Any) -> None:
        index = packet.stream.index
        # Where time starts anew, what is late would stand before what is there already.
        packet.dts = max(packet.dts, self._last_dts.get(index, packet.dts - 1) + 1)
        packet.pts = max(packet.pts, packet.dts)
        self._last_dts[index] = packet.dts
        # Of damaged sound what Matroska must know of it may be missing.
        with suppress(InvalidDataError, PatchWelcomeError):
            self._container.mux(packet)


def _known(segment: Demuxed) -> Demuxed:
    """Without a stream that is announced, but of which nothing that tells its kind is there."""
    video, audio = segment.video, segment.audio
    video = video if video and video.codec_context.width else None
    audio = audio if audio and audio.codec_context.sample_rate else None
    kept = {stream.index for stream in (video, audio) if stream is not None}
    packets = [packet for packet in segment.packets if packet.stream_index in kept]
    return Demuxed(video, audio, packets)


def _kinds(segment: Demuxed) -> tuple[object, ...]:
    """What must not change within a file."""
    video = segment.video and segment.video.codec_context
    audio = segment.audio and segment.audio.codec_context
    return (
        video and (video.name, video.width, video.height),
        audio and (audio.name, audio.sample_rate, audio.layout.name),
    )
