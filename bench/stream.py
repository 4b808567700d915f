"""The streams that are recorded here: when each segment is listed, and what its bytes are. Pure.

Every stream has a segment of two seconds and 1.5 MB (6 Mbit/s) each two seconds. The streams are
out of step with each other, so that a recorder meets them at all moments of their two seconds.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from common.segments.path import encode_hash
from common.times import SECOND, Micros, format_time

SEGMENT: Micros = 2 * SECOND
SEGMENT_SECONDS = 2
PACKET_BYTES = 188
SEGMENT_BYTES = 7978 * PACKET_BYTES
_WINDOW_SEGMENTS = 6

_VIDEO_PID, _AUDIO_PID, _NULL_PID = 256, 257, 0x1FFF
_VIDEO_STREAM, _AUDIO_STREAM = 0xE0, 0xC0
_FRAMES = 120
_CLOCK_HZ = 90_000
_FRAME_TICKS = SEGMENT_SECONDS * _CLOCK_HZ // _FRAMES
_GOLDEN_RATIO = 0.618034  # its multiples, modulo 1, fill the unit interval evenly


@dataclass(frozen=True, slots=True)
class Schedule:
    """When things happen in each stream. `epoch` is when the first of them begins."""

    epoch: Micros

    def begin(self, stream: int) -> Micros:
        """When segment 0 begins. A whole millisecond, as playlists usually say."""
        return self.epoch + round(stream * _GOLDEN_RATIO % 1 * SEGMENT / 1000) * 1000

    def start(self, stream: int, index: int) -> Micros:
        return self.begin(stream) + index * SEGMENT

    def listed_at(self, stream: int, index: int) -> Micros:
        """A segment is listed when it is complete."""
        return self.start(stream, index + 1)

    def complete(self, stream: int, now: Micros) -> int:
        """How many segments have been listed by `now`."""
        return max(0, (now - self.begin(stream)) // SEGMENT)

    def window(self, stream: int, now: Micros) -> range:
        """The indexes of what the media playlist lists at `now`."""
        complete = self.complete(stream, now)
        return range(max(0, complete - _WINDOW_SEGMENTS), complete)

    def playlist(self, stream: int, now: Micros) -> str:
        """The media playlist at `now`."""
        window = self.window(stream, now)
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}",
            f"#EXT-X-MEDIA-SEQUENCE:{window.start}",
        ]
        for index in window:
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_time(self.start(stream, index))}Z")
            lines.append(f"#EXTINF:{SEGMENT_SECONDS:.3f},")
            lines.append(f"/segments/{stream}/{index}.ts")
        return "\n".join(lines) + "\n"


def head(stream: int, index: int) -> bytes:
    """A segment's first packet, which makes its bytes differ from all others'."""
    return _packet(_NULL_PID, f"stream {stream}, segment {index}".encode(), starts=False)


@lru_cache(maxsize=1)
def rest() -> bytes:
    """What follows the first packet: a PES packet for each frame of picture and sound.

    Only what a recorder looks at is real: packets, stream ids and time stamps.
    """
    room = SEGMENT_BYTES // PACKET_BYTES - 1
    filler = _packet(_VIDEO_PID, b"", starts=False)
    packets: list[bytes] = []
    for frame in range(_FRAMES):
        pts = _CLOCK_HZ + frame * _FRAME_TICKS
        packets.append(_packet(_VIDEO_PID, _pes_header(_VIDEO_STREAM, pts), starts=True))
        packets.append(_packet(_AUDIO_PID, _pes_header(_AUDIO_STREAM, pts), starts=True))
        packets += [filler] * ((frame + 1) * room // _FRAMES - len(packets))
    return b"".join(packets)


@lru_cache(maxsize=100_000)
def content_hash(stream: int, index: int) -> str:
    """As it stands in a segment's name."""
    digest = hashlib.sha256(head(stream, index))
    digest.update(rest())
    return encode_hash(digest.digest())


def _packet(pid: int, payload: bytes, *, starts: bool) -> bytes:
    """ISO/IEC 13818-1, 2.4.3.2."""
    header = bytes((0x47, starts << 6 | pid >> 8, pid & 0xFF, 0x10))
    return (header + payload).ljust(PACKET_BYTES, b"\xff")


def _pes_header(stream_id: int, pts: int) -> bytes:
    """ISO/IEC 13818-1, 2.4.3.6, with a PTS only."""
    stamp = bytes(
        (
            0x21 | pts >> 30 << 1,
            pts >> 22 & 0xFF,
            pts >> 14 & 0xFE | 1,
            pts >> 7 & 0xFF,
            pts << 1 & 0xFE | 1,
        )
    )
    return b"\x00\x00\x01" + bytes((stream_id, 0, 0, 0x80, 0x80, 5)) + stamp
