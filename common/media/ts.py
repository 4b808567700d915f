"""MPEG-TS without a demuxer: just enough to judge a segment in a fraction of a millisecond.

ISO/IEC 13818-1: packets of 188 bytes (2.4.3.2), PES headers with 33-bit time stamps (2.4.3.6).
"""

from dataclasses import dataclass
from statistics import median_low

import numpy as np

from common.media.timeline import PTS_WRAP, unwrap

PACKET_BYTES = 188
SYNC_BYTE = 0x47

_PES_START = b"\x00\x00\x01"
_VIDEO_IDS = range(0xE0, 0xF0)
_AUDIO_IDS = range(0xC0, 0xE0)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a segment's video covers (its audio, if there is no video), in ticks."""

    first_pts: int  # as it stands in the stream, below 2^33
    ticks: int


def is_whole(data: bytes) -> bool:
    """Whether the data is a positive number of packets, each beginning with the sync byte."""
    if not data or len(data) % PACKET_BYTES:
        return False
    return bool((_packets(data)[:, 0] == SYNC_BYTE).all())


def measure(data: bytes) -> Span | None:
    """From the first PTS to the end of the last frame; None if no time stamp is found.

    Needs whole packets. The last frame is taken to last as long as the median of the others.
    """
    video: list[int] = []
    audio: list[int] = []
    packets = _packets(data)
    # Only packets that begin a PES packet (payload_unit_start_indicator) can hold a stamp.
    for packet in packets[(packets[:, 1] & 0x40) != 0]:
        found = _stamp(packet.tobytes())
        if found is not None:
            stream_id, pts = found
            if stream_id in _VIDEO_IDS:
                video.append(pts)
            elif stream_id in _AUDIO_IDS:
                audio.append(pts)
    stamps = sorted(set(unwrap(video or audio)))
    if not stamps:
        return None
    steps = np.diff(stamps).tolist()
    return Span(stamps[0] % PTS_WRAP, stamps[-1] - stamps[0] + (median_low(steps) if steps else 0))


def without_video(data: bytes) -> bytes:
    """The packets that carry no video: the few that sound and tables take."""
    packets = _packets(data)
    pids = (packets[:, 1].astype(np.uint16) & 0x1F) << 8 | packets[:, 2]
    begins = np.flatnonzero(packets[:, 1] & 0x40)
    video = {int(pids[index]) for index in begins if _is_video(packets[index].tobytes())}
    return packets[~np.isin(pids, list(video))].tobytes()


def _is_video(packet: bytes) -> bool:
    found = _stamp(packet)
    return found is not None and found[0] in _VIDEO_IDS


def _packets(data: bytes) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    whole = len(data) // PACKET_BYTES
    return np.frombuffer(data, np.uint8, whole * PACKET_BYTES).reshape(whole, PACKET_BYTES)


def _stamp(packet: bytes) -> tuple[int, int] | None:
    """The stream id and PTS of a packet that begins a PES packet, if it has both."""
    payload = 4
    if packet[3] & 0x20:  # an adaptation field comes first
        payload += 1 + packet[4]
    header = packet[payload : payload + 14]
    if len(header) < 14 or header[:3] != _PES_START or not header[7] & 0x80:
        return None
    pts = (
        (header[9] >> 1 & 0x07) << 30
        | (header[10] << 7 | header[11] >> 1) << 15
        | (header[12] << 7 | header[13] >> 1)
    )
    return header[3], pts
