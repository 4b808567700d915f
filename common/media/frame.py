"""Decode one frame, exactly the one asked for: what an encoding process does for a PictureJob.

A frame is known by the place of its packet, never by how many frames come out before it. Decoding
begins at the last picture before it that needs none before itself.
"""

import io
import re
from dataclasses import dataclass
from typing import Any

import av
from av.codec.context import CodecContext
from PIL import Image

from common.errors import MediaError
from common.media.answers import Answers
from common.media.compose import compose
from common.media.decode import demux, opened
from common.media.demuxer import decoded
from common.media.job import Piece
from common.media.pictures import PictureJob
from common.media.timeline import frame_at, frames_in_range, wrapped_difference
from common.times import Micros, TimeRange

# Larger levels save a few percent and take several times as long.
_PNG_LEVEL = 1
_FAR_FUTURE: Micros = 1 << 60

# The first byte of a NAL unit, after its start code (ITU-T H.264 and H.265, Annex B).
_NAL = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)

Packet = Any
"""PyAV's packets of video: their class is generic, and nothing here depends on its parameter."""


def handle(document: bytes, answers: Answers) -> None:
    """Run a PictureJob. Raises MediaError if the frame cannot be decoded."""
    job = PictureJob.from_json(document)
    frame: Any = find_frame(job.pieces, job.moment)
    picture: Image.Image = frame.to_image()
    if job.template is not None:
        picture = compose(picture, job.template)
    answers.write(encode_png(picture))


def encode_png(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=_PNG_LEVEL)
    return target.getvalue()


def find_frame(pieces: tuple[Piece, ...], moment: Micros) -> av.VideoFrame:
    """The last frame with `t <= moment + 0.5 ms`.

    Raises MediaError if a segment that it takes cannot be read, or it cannot be decoded.
    """
    tracks = (_track(piece) for piece in reversed(pieces))
    for track in tracks:
        pts = track.frame_at(moment)
        if pts is not None:
            break
    else:
        raise MediaError("there is no frame before that moment")
    run = track.packets
    target = next(index for index, packet in enumerate(run) if packet.pts == pts)
    begin = _entry(track.codec, run, target)
    while begin is None:
        earlier = next(tracks, None)
        if earlier is None:
            begin = _keyframe(run, target)
            break
        target += len(earlier.packets)
        run = earlier.packets + run
        begin = _entry(track.codec, run, target)
    return _decode(track.codec, run[begin:], target - begin)


@dataclass(frozen=True, slots=True)
class _Track:
    """The video of a segment: its packets in the order of decoding, its PTS in that of display."""

    piece: Piece
    codec: str
    packets: list[Packet]
    stamps: tuple[int, ...]

    def frame_at(self, moment: Micros) -> int | None:
        """The PTS of the last frame with `t <= moment + 0.5 ms` that is used of this segment."""
        offsets = [stamp - self.stamps[0] for stamp in self.stamps]
        used = TimeRange(self.piece.from_time, _FAR_FUTURE)
        first = next(iter(frames_in_range(self.piece.start, offsets, used)), None)
        found = frame_at(self.piece.start, offsets, moment)
        if found is None or first is None or found < first:
            return None
        wanted = self.stamps[found]
        # Stamps have been unwrapped, those of the packets have not.
        return next(
            int(packet.pts)
            for packet in self.packets
            if packet.pts is not None and not wrapped_difference(packet.pts, wanted)
        )


def _track(piece: Piece) -> _Track:
    with opened(piece) as container:
        segment = demux(container, piece)
        if segment.video is None:
            raise MediaError("there is no picture in this quality")
        index = segment.video.index
        packets = [packet for packet in segment.packets if packet.stream_index == index]
        return _Track(piece, segment.video.codec_context.name, packets, segment.stamps())


def _entry(codec: str, run: list[Packet], target: int) -> int | None:
    """The last packet up to `target` at which decoding can begin to give it exactly."""
    for index in range(target, -1, -1):
        packet = run[index]
        if packet.is_keyframe and _is_entry(codec, packet, run[target]):
            return index
    return None


def _is_entry(codec: str, packet: Packet, target: Packet) -> bool:
    """Whether nothing that follows refers to what came before, as far as `target` goes.

    A picture that only says "from here on you recover" is no entry: pictures that follow it may
    still refer to earlier ones.
    """
    kind = _first_picture(codec, bytes(packet))
    if codec == "h264":
        return kind == 5  # IDR (H.264, table 7-1)
    if codec == "hevc":
        # IDR 19 and 20; what is shown before another random access picture may need earlier ones
        # (H.265, table 7-1: BLA 16 to 18, CRA 21).
        return kind in {19, 20} or (kind in {16, 17, 18, 21} and not _is_after(packet, target))
    return not _is_after(packet, target)


def _first_picture(codec: str, data: bytes) -> int | None:
    """The type of the first NAL unit that holds a part of a picture."""
    for match in _NAL.finditer(data):
        header = match[1][0]
        if codec == "h264" and 1 <= header & 31 <= 5:
            return header & 31
        if codec == "hevc" and header >> 1 & 63 < 32:
            return header >> 1 & 63
    return None


def _is_after(packet: Packet, target: Packet) -> bool:
    """Whether `packet` is shown after `target`."""
    return packet.pts is None or wrapped_difference(packet.pts, target.pts) > 0


def _keyframe(run: list[Packet], target: int) -> int:
    """For streams without any entry: the last picture that a player would begin at.

    Raises MediaError if there is none.
    """
    for index in range(target, -1, -1):
        if run[index].is_keyframe and not _is_after(run[index], run[target]):
            return index
    raise MediaError("the frame cannot be decoded: what it builds on is not recorded")


def _decode(codec: str, packets: list[Packet], target: int) -> av.VideoFrame:
    """Decode up to the frame of packet `target`."""
    decoder: Any = CodecContext.create(codec, "r")
    for index, packet in enumerate([*packets, None]):
        if packet is not None:
            # A stamp of our own, so that a source that starts its time anew confuses nobody.
            packet.pts = packet.dts = index
        for frame in decoded(decoder, packet):
            if frame.pts == target and not frame.is_corrupt:
                return frame  # type: ignore[no-any-return]
    raise MediaError("the frame cannot be decoded")
