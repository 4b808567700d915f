"""NAL units of H.264 and HEVC in a byte stream: found by their start codes, told apart by type.

ITU-T H.264, 7.3.1, 7.4.1 and annex B; ITU-T H.265, 7.3.1, 7.4.2 and annex B.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from common.media.smart.packets import HEVC

_START_CODE = b"\x00\x00\x01"

_H264_SLICES = range(1, 6)
_H264_IDR = 5
_H264_DELIMITER = 9
_H264_SETS = (7, 8)  # sequence and picture parameter sets

_HEVC_SLICES = range(32)
_HEVC_IDR = (19, 20)  # IDR_W_RADL, IDR_N_LP
_HEVC_DELIMITER = 35
_HEVC_SETS = (32, 33, 34)  # video, sequence and picture parameter sets


@dataclass(frozen=True, slots=True)
class Nal:
    """One NAL unit: `data[start:end]`, without its start code."""

    type: int
    start: int
    end: int


def nal_units(data: bytes, video_type: int) -> Iterator[Nal]:
    """The NAL units of an access unit in the order of the stream."""
    at = data.find(_START_CODE)
    while at >= 0:
        start = at + len(_START_CODE)
        at = data.find(_START_CODE, start)
        end = at if at >= 0 else len(data)
        if start < end:
            yield Nal(_type(data[start], video_type), start, end)


def is_idr(data: bytes, video_type: int) -> bool:
    """Whether the access unit's first slice is of an IDR picture: nothing after it refers to
    anything before it. `data` may end anywhere behind the first slice's first byte.
    """
    slices, idr = _SLICES[video_type == HEVC]
    for nal in nal_units(data, video_type):
        if nal.type in slices:
            return nal.type in idr
    return False


def has_slice(data: bytes, video_type: int) -> bool:
    """Whether a slice begins in `data`: what must come before slices is all there then."""
    slices, _ = _SLICES[video_type == HEVC]
    return any(nal.type in slices for nal in nal_units(data, video_type))


def is_delimiter(nal: Nal, video_type: int) -> bool:
    """Whether it is an access unit delimiter, which comes first where there is one."""
    return nal.type == (_HEVC_DELIMITER if video_type == HEVC else _H264_DELIMITER)


def parameter_sets(data: bytes, video_type: int) -> bytes:
    """The access unit's parameter sets, each with its start code; nothing where it has none."""
    wanted = _HEVC_SETS if video_type == HEVC else _H264_SETS
    return b"".join(
        b"\x00" + _START_CODE + bytes(data[nal.start : nal.end]).rstrip(b"\x00")
        for nal in nal_units(data, video_type)
        if nal.type in wanted
    )


_SLICES: tuple[tuple[range, tuple[int, ...]], tuple[range, tuple[int, ...]]] = (
    (_H264_SLICES, (_H264_IDR,)),
    (_HEVC_SLICES, _HEVC_IDR),
)


def _type(first_byte: int, video_type: int) -> int:
    return first_byte >> 1 & 0x3F if video_type == HEVC else first_byte & 0x1F
