"""Decode segments and encode a video: what an encoding process does for a RenderJob.

Memory stays flat: one segment is in work at a time.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import CodecContext
from av.error import FFmpegError, InvalidDataError

from common.errors import MediaError
from common.media.answers import Answers
from common.media.encode import TS_FIRST_PTS, Output, Samples
from common.media.job import Piece, RenderJob
from common.media.probe import in_order
from common.media.sound import SoundTrack
from common.media.timeline import (
    Grid,
    Placement,
    frame_rate,
    frames_in_range,
    grid_time,
)
from common.times import TimeRange

_PROGRESS_FRAMES = 30
_FALLBACK_RATE = Fraction(30)


def handle(document: bytes, answers: Answers) -> None:
    """Run a RenderJob. Raises MediaError if something that it needs cannot be decoded."""
    Renderer(RenderJob.from_json(document), answers).run()


@dataclass(frozen=True, slots=True)
class Demuxed:
    """All packets of one segment, and the streams that they are of."""

    video: "av.VideoStream | None"
    audio: "av.AudioStream | None"
    packets: "list[av.Packet[Any]]"

    def stamps(self) -> tuple[int, ...]:
        """PTS of the video's frames in order of display; of the audio's where there is no video."""
        stream = self.video or self.audio
        return in_order(
            [
                packet.pts
                for packet in self.packets
                if stream is not None
                and packet.stream_index == stream.index
                and packet.pts is not None
            ]
        )


def demux(container: "av.container.InputContainer", piece: Piece) -> Demuxed:
    """Read the whole segment.

    Raises MediaError if it breaks off, or holds neither video nor audio.
    """
    video = next(iter(container.streams.video), None)
    audio = next(iter(container.streams.audio), None)
    streams = [stream for stream in (video, audio) if stream is not None]
    if not streams:
        raise MediaError(f"{_name(piece)} holds neither video nor audio")
    with _readable(piece):
        packets = [packet for packet in container.demux(*streams) if packet.size]
    return Demuxed(video, audio, packets)


class Renderer:
    """Runs one job."""

    def __init__(self, job: RenderJob, answers: Answers) -> None:
        self._job = job
        self._answers = answers
        self._grid: Grid | None = None
        self._output: Output | None = None
        self._sound: SoundTrack | None = None
        self._video_decoder: CodecContext | None = None
        self._audio_decoder: CodecContext | None = None
        self._slots: dict[int, tuple[int, Piece]] = {}
        self._waiting_sound: list[Samples] = []
        self._first_pts = TS_FIRST_PTS if job.container == "mpegts" else 0
        self._has_video = True
        self._frames = 0

    def run(self) -> None:
        """Raises MediaError if something that the job needs cannot be decoded."""
        for stretch in self._job.stretches:
            if self._grid is not None:
                self._grid.begin_range()
            for piece in stretch:
                self._render(piece)
            self._end_run()
        if self._output is None:
            raise MediaError("there is no frame in the ranges")
        self._output.close()
        self._report_progress()

    def _render(self, piece: Piece) -> None:
        try:
            with opened(piece) as container:
                self._render_segment(piece, demux(container, piece))
        except MediaError:
            if not piece.optional:
                raise

    def _render_segment(self, piece: Piece, segment: Demuxed) -> None:
        stamps = segment.stamps()
        if not stamps:
            raise MediaError(f"{_name(piece)} holds no frame")
        if self._grid is None:
            self._grid = self._begin(segment, stamps)
        continues = self._grid.continues(stamps[0])
        placement = self._grid.place(stamps, _wanted(piece, stamps))
        if placement is not None:
            if placement.joined and self._slots_begun:
                self._end_run()
            if placement.joined and not continues and self._sound is not None:
                self._sound.drop_held()
            self._place(placement, piece)
        elif self._slots_begun and not continues:
            return  # context behind the range whose time does not continue it
        self._decode(segment)
        self._send_sound()

    _slots_begun = False
    """Whether the current run has placed a frame."""

    def _begin(self, segment: Demuxed, stamps: tuple[int, ...]) -> Grid:
        self._has_video = segment.video is not None
        if segment.audio is not None:
            context = segment.audio.codec_context
            self._sound = SoundTrack(context.sample_rate, context.layout.name)
        offsets = [stamp - stamps[0] for stamp in stamps]
        return Grid(frame_rate(offsets) or _FALLBACK_RATE)

    def _place(self, placement: Placement, piece: Piece) -> None:
        if self._grid is None:
            return
        if self._job.keep_time and not self._slots_begun:
            self._first_pts = placement.origin_pts
        self._slots_begun = True
        if self._has_video:
            for pts, slot in placement.slots.items():
                self._slots[pts] = (slot, piece)
        else:
            self._frames += len(placement.slots)
        if self._sound is not None:
            end = grid_time(self._grid.next_slot, self._grid.rate)
            self._sound.place(placement.origin_pts, placement.origin_ticks, end)

    def _decode(self, segment: Demuxed) -> None:
        for packet in segment.packets:
            if segment.video is not None and packet.stream_index == segment.video.index:
                if self._slots:
                    self._video_decoder = _decoder(self._video_decoder, segment.video)
                    self._encode(_decode(self._video_decoder, packet))
            elif segment.audio is not None and self._sound is not None:
                self._audio_decoder = _decoder(self._audio_decoder, segment.audio)
                for frame in _decode(self._audio_decoder, packet):
                    if isinstance(frame, av.AudioFrame):
                        self._sound.add(frame)

    def _encode(self, frames: "Iterable[av.VideoFrame | av.AudioFrame]") -> None:
        for frame in frames:
            if not isinstance(frame, av.VideoFrame) or frame.pts is None:
                continue
            found = self._slots.pop(frame.pts, None)
            if found is None:
                continue
            self._open_output((frame.width, frame.height)).video(frame, found[0])
            self._frames += 1
            if self._frames % _PROGRESS_FRAMES == 0:
                self._report_progress()

    def _end_run(self) -> None:
        if self._video_decoder is not None:
            self._encode(_decode(self._video_decoder, None))
        self._video_decoder = self._audio_decoder = None
        lost = [piece for _, piece in self._slots.values() if not piece.optional]
        if lost:
            raise MediaError(f"{len(lost)} frames cannot be decoded, first of {_name(lost[0])}")
        self._slots.clear()
        if self._sound is not None:
            self._waiting_sound += self._sound.end_run()
        self._send_sound()
        self._slots_begun = False

    def _send_sound(self) -> None:
        if self._sound is None:
            return
        self._waiting_sound += self._sound.take()
        if self._output is None and self._has_video:
            return  # the picture's size is not known before the first frame is decoded
        waiting, self._waiting_sound = self._waiting_sound, []
        for samples in waiting:
            self._open_output(None).sound(samples)

    def _open_output(self, size: tuple[int, int] | None) -> Output:
        if self._output is None:
            grid_rate = self._grid.rate if self._grid is not None else _FALLBACK_RATE
            self._output = Output(
                self._job.output_path or self._answers,
                self._job.container,
                rate=grid_rate if self._has_video else None,
                size=size,
                sound_rate=self._sound.rate if self._sound else None,
                sound_layout=self._sound.layout if self._sound else None,
                first_pts=self._first_pts,
            )
        return self._output

    def _report_progress(self) -> None:
        self._answers.progress(self._frames)


@contextmanager
def opened(piece: Piece) -> "Iterator[av.container.InputContainer]":
    """The segment's container; its streams are of use only while it is open.

    Raises MediaError if the file has gone or is no segment.
    """
    with _readable(piece):
        container = av.open(piece.path, format="mpegts")
    with container:
        yield container


@contextmanager
def _readable(piece: Piece) -> Iterator[None]:
    """Name the segment whose reading fails. What fails later, as writing does, is not its fault."""
    try:
        yield
    except FFmpegError as exc:
        problem = "is gone" if isinstance(exc, FileNotFoundError) else "cannot be read"
        raise MediaError(f"{_name(piece)} {problem}") from exc


def _name(piece: Piece) -> str:
    name = Path(piece.path).name
    return f"{piece.label}: {name}" if piece.label else name


def _wanted(piece: Piece, stamps: tuple[int, ...]) -> list[int]:
    if piece.context:
        return []
    span = TimeRange(piece.from_time, piece.to_time)
    offsets = [stamp - stamps[0] for stamp in stamps]
    return [stamps[index] for index in frames_in_range(piece.start, offsets, span)]


def _decoder(current: CodecContext | None, stream: "av.stream.Stream") -> CodecContext:
    """The decoder to go on with: a new one if there is none or the codec has changed."""
    source = stream.codec_context
    if current is not None and current.name == source.name:
        return current
    return CodecContext.create(source.name, "r")


def _decode(decoder: Any, packet: "av.Packet[Any] | None") -> "list[av.VideoFrame | av.AudioFrame]":
    """Decode one packet; None drains. A damaged packet yields nothing, which the count shows."""
    try:
        return list(decoder.decode(packet))
    except InvalidDataError:
        return []
