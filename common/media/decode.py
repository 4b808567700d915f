"""Decode stretches of segments: their pictures, each with its slot on the output's grid, and their
sound. Memory stays flat: one segment is in work at a time.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import CodecContext
from av.error import FFmpegError

from common.errors import MediaError
from common.media.demuxer import decoded, open_segment, packets_of, streams_of
from common.media.encode import Samples
from common.media.job import Piece
from common.media.probe import in_order
from common.media.sound import SoundTrack
from common.media.timeline import Grid, Placement, frame_rate, frames_in_range
from common.times import TimeRange

_FALLBACK_RATE = Fraction(30)
_FALLBACK_SOUND = (48_000, "stereo")
_THREADS = 2
"""Of the video's decoder: several cuts share a machine's cores."""

Placed = tuple[int, "av.VideoFrame"]
"""A picture and its slot."""


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

    Raises MediaError if it breaks off, or holds nothing that can be decoded.
    """
    video, audio = streams_of(container, _name(piece))
    with _readable(piece):
        packets = list(packets_of(container, video, audio))
    return Demuxed(video, audio, packets)


@dataclass(slots=True, kw_only=True)
class Timeline:
    """What one output has of time: the grid of its frames and its track of sound (None: silent)."""

    grid: Grid
    sound: SoundTrack | None
    has_video: bool

    def fork(self) -> "Timeline":
        """One that goes on from here by itself."""
        sound = None if self.sound is None else self.sound.fork()
        return Timeline(grid=self.grid.fork(), sound=sound, has_video=self.has_video)

    def skip(self, frames: int) -> None:
        """Go on behind so many frames, whose pictures and sound come from elsewhere."""
        self.grid.skip(frames)
        if self.sound is not None:
            self.sound.skip(self.grid.time_of(self.grid.next_slot))


def read_timeline(stretch: Iterable[Piece]) -> Timeline:
    """The timeline that decoding the stretch would begin. Raises MediaError if it cannot be."""
    for piece in stretch:
        try:
            with opened(piece) as container:
                return _timeline_of(piece, demux(container, piece))
        except MediaError:
            if not piece.optional:
                raise
    raise MediaError("there is no frame in a transition")


def _timeline_of(piece: Piece, segment: Demuxed) -> Timeline:
    """One of this segment's frame rate and kind of sound."""
    stamps = segment.stamps()
    if not stamps:
        raise MediaError(f"{_name(piece)} holds no frame")
    rate = frame_rate([stamp - stamps[0] for stamp in stamps])
    return Timeline(
        grid=Grid(rate or _FALLBACK_RATE),
        sound=_track_of(segment.audio),
        has_video=segment.video is not None,
    )


def _track_of(stream: "av.AudioStream | None") -> SoundTrack | None:
    if stream is None:
        return None
    context = stream.codec_context
    if not context.sample_rate or not context.layout.nb_channels:
        # It is announced, but nothing that tells its kind is in this segment: it may come yet.
        return SoundTrack(*_FALLBACK_SOUND)
    return SoundTrack(context.sample_rate, context.layout.name)


class Decoder:
    """Decodes one stretch after the other on a timeline; without one, the first segment begins it.

    `until` is the time in ticks at which all sound ends, wherever the frames do.
    """

    def __init__(self, timeline: Timeline | None = None, *, until: int | None = None) -> None:
        self.timeline = timeline
        self.first_pts: int | None = None
        """The source's time stamp of the first frame placed."""
        self._until = until
        self._video: CodecContext | None = None
        self._audio: CodecContext | None = None
        self._slots: dict[int, tuple[int, Piece]] = {}
        self._last_slot = -1
        self._ready_sound: list[Samples] = []
        self._running = False  # whether the current run has placed a frame

    def decode(self, stretch: Iterable[Piece]) -> Iterator[list[Placed]]:
        """Yield the stretch's wanted pictures in order, a few at a time; `take_sound` meanwhile.

        Raises MediaError if something that is needed cannot be decoded.
        """
        if self.timeline is not None:
            self.timeline.grid.begin_range()
        for piece in stretch:
            try:
                with opened(piece) as container:
                    yield from self._segment(piece, demux(container, piece))
            except MediaError:
                if not piece.optional:
                    raise
        placed = self._end_run()
        if (
            self._until is not None
            and self.timeline is not None
            and self.timeline.sound is not None
        ):
            self._ready_sound += self.timeline.sound.fill(self._until)
        yield placed

    def take_sound(self) -> list[Samples]:
        """The samples that can be played now and have not been taken yet, in order."""
        if self.timeline is not None and self.timeline.sound is not None:
            self._ready_sound += self.timeline.sound.take()
        taken, self._ready_sound = self._ready_sound, []
        return taken

    def _segment(self, piece: Piece, segment: Demuxed) -> Iterator[list[Placed]]:
        stamps = segment.stamps()
        if self.timeline is None or not stamps:
            self.timeline = _timeline_of(piece, segment)
        grid, sound = self.timeline.grid, self.timeline.sound
        continues = grid.continues(stamps[0])
        placement = grid.place(stamps, _wanted(piece, stamps))
        if placement is not None:
            if placement.joined and self._running:
                yield self._end_run()
            if placement.joined and not continues and sound is not None:
                sound.drop_held()
            self._place(self.timeline, placement, piece)
        elif self._running and not continues:
            return  # context behind the range whose time does not continue it
        yield from self._packets(segment, sound, needed=piece.picture)

    def _place(self, timeline: Timeline, placement: Placement, piece: Piece) -> None:
        if self.first_pts is None:
            self.first_pts = placement.origin_pts
        self._running = True
        if timeline.has_video:
            for pts, slot in placement.slots.items():
                self._slots[pts] = (slot, piece)
        if timeline.sound is not None:
            end = timeline.grid.time_of(timeline.grid.next_slot)
            end = end if self._until is None else min(end, self._until)
            timeline.sound.place(placement.origin_pts, placement.origin_ticks, end)

    def _packets(
        self, segment: Demuxed, sound: SoundTrack | None, *, needed: bool
    ) -> Iterator[list[Placed]]:
        for packet in segment.packets:
            if segment.video is not None and packet.stream_index == segment.video.index:
                if self._slots or needed:
                    self._video = _decoder(self._video, segment.video)
                    yield self._wanted_of(decoded(self._video, packet))
            elif segment.audio is not None and sound is not None:
                self._audio = _decoder(self._audio, segment.audio)
                for frame in decoded(self._audio, packet):
                    if isinstance(frame, av.AudioFrame):
                        sound.add(frame)
        yield []

    def _wanted_of(self, frames: "Iterable[av.VideoFrame | av.AudioFrame]") -> list[Placed]:
        placed: list[Placed] = []
        for frame in frames:
            if isinstance(frame, av.VideoFrame) and frame.pts is not None:
                slot, _ = self._slots.get(frame.pts, (-1, None))
                # One that comes behind its time is as good as lost: what is damaged so much that
                # its order is, no encoder can take.
                if slot > self._last_slot:
                    self._last_slot = slot
                    del self._slots[frame.pts]
                    placed.append((slot, frame))
        return placed

    def _end_run(self) -> list[Placed]:
        """The run's last pictures; its sound is complete."""
        placed = self._wanted_of(decoded(self._video, None)) if self._video is not None else []
        self._video = self._audio = None
        lost = [piece for _, piece in self._slots.values() if not piece.optional]
        if lost:
            raise MediaError(f"{len(lost)} frames cannot be decoded, first of {_name(lost[0])}")
        self._slots.clear()
        if self.timeline is not None and self.timeline.sound is not None:
            self._ready_sound += self.timeline.sound.end_run()
        self._running = False
        return placed


@contextmanager
def opened(piece: Piece) -> "Iterator[av.container.InputContainer]":
    """The segment's container; its streams are of use only while it is open.

    Raises MediaError if the file has gone or is no segment.
    """
    with _readable(piece):
        container = open_segment(piece.path)
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
    decoder: Any = CodecContext.create(source.name, "r")
    if source.type == "video":
        # Pictures are decoded while the encoder has those before.
        decoder.thread_count, decoder.thread_type = _THREADS, "AUTO"
    return decoder  # type: ignore[no-any-return]
