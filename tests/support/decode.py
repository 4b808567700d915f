"""Decodes what `transport.read_transport` has read, without a container's own ideas of time: it
knows which access unit each picture comes from, whatever the stamps, PIDs and counters do.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TypeVar

import av
from av.error import FFmpegError

from tests.support.checker import Frame, Piece, Video, find_marks, read_number, sound_piece
from tests.support.transport import CLOCK_HZ, H264, STAMP_WRAP, AccessUnit, AudioFrame, Transport

Stamp = TypeVar("Stamp", int, Fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture: its unit, that unit's place in decoding order, the number it carries."""

    index: int
    unit: AccessUnit
    frame: av.VideoFrame
    number: int | None


def decode_pictures(units: Sequence[AccessUnit]) -> Iterator[Picture]:
    """The pictures as the decoder gives them out. What lacks its references may be left out or
    damaged; what is no picture raises AssertionError.
    """
    for codec, group in groupby(enumerate(units), key=lambda pair: pair[1].codec):
        context = av.CodecContext.create("h264" if codec == H264 else "hevc", "r")
        if not isinstance(context, av.VideoCodecContext):
            raise TypeError("no video decoder")
        for packet in [*(_packet(unit.data, index) for index, unit in group), None]:
            for frame in _decoded(context, packet):
                index = frame.pts or 0
                number = read_number(frame)
                yield Picture(index=index, unit=units[index], frame=frame, number=number)


def _decoded(
    context: "av.VideoCodecContext", packet: "av.Packet[av.stream.Stream] | None"
) -> list[av.VideoFrame]:
    try:
        return context.decode(packet)
    except FFmpegError as exc:
        where = "the end" if packet is None else f"access unit {packet.pts}"
        raise AssertionError(f"{where} cannot be decoded: {exc}") from exc


def decode_sound(frames: Iterable[AudioFrame]) -> Iterator[Piece]:
    """Each AAC frame's samples, at the time of its stamp in seconds. A frame whose predecessor is
    missing is decoded after silence.
    """
    for _, group in groupby(frames, key=lambda frame: (frame.rate, frame.channels)):
        context = av.CodecContext.create("aac", "r")
        if not isinstance(context, av.AudioCodecContext):
            raise TypeError("no audio decoder")
        for given in group:
            for frame in context.decode(_packet(given.data, 0)):
                if isinstance(frame, av.AudioFrame):
                    yield sound_piece(frame, given.pts / CLOCK_HZ)


def _packet(data: bytes, index: int) -> "av.Packet[av.stream.Stream]":
    packet = av.Packet(data)
    packet.pts, packet.time_base = index, Fraction(1, CLOCK_HZ)
    return packet


def watch(transport: Transport, frame_rate: Fraction) -> Video:
    """What `checker.read_video` says, for streams that no container reads: stamps do not wrap, and
    every stamp counts as it stands.
    """
    first = transport.units[0].pts if transport.units else 0
    pictures = sorted(
        decode_pictures(transport.units), key=lambda picture: _unwrapped(picture.unit.pts, first)
    )
    frames = [
        Frame(number=p.number, pts=Fraction(_unwrapped(p.unit.pts, first), CLOCK_HZ))
        for p in pictures
    ]
    pieces = (
        piece._replace(pts=_unwrapped(piece.pts * CLOCK_HZ, first) / CLOCK_HZ)
        for piece in decode_sound(transport.sound)
    )
    return Video(frames=tuple(frames), marks=tuple(find_marks(pieces)), frame_rate=frame_rate)


def _unwrapped(stamp: Stamp, near: int) -> Stamp:
    """The stamp as the value nearest to `near` modulo 2^33."""
    half = STAMP_WRAP // 2
    return (stamp - near + half) % STAMP_WRAP - half + near
