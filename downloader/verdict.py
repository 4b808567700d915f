"""How far a transfer can be trusted. Pure."""

from dataclasses import dataclass

from common.media.timeline import CLOCK_HZ
from common.media.ts import is_whole, measure
from common.segments.path import SegmentType
from common.times import SECOND, Micros

_LEAST_DIFFERENCE: Micros = SECOND // 4
"""Some origins write EXTINF rounded to tenths or quarters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`type` is FULL or SUSPECT; `reason` says why it is suspect."""

    type: SegmentType
    reason: str = ""


FULL = Verdict(type=SegmentType.FULL)


def judge(data: bytes, duration: Micros, *, time_in_doubt: bool) -> Verdict:
    """Judge a body that came whole as far as the server said. `duration` is its EXTINF.

    A server may cut off a stuck transfer and call it complete: what is there must be whole packets
    whose time stamps cover about what the playlist promised.
    """
    if not data:
        return _suspect("the body is empty")
    if not is_whole(data):
        return _suspect(f"{len(data)} bytes are not a whole number of TS packets")
    span = measure(data)
    if span is None:
        return _suspect("it holds no time stamps")
    measured = span.ticks * SECOND // CLOCK_HZ
    if abs(measured - duration) > max(_LEAST_DIFFERENCE, duration // 10):
        return _suspect(
            f"it covers {measured / SECOND:.3f} s where the playlist says {duration / SECOND:.3f}"
        )
    if time_in_doubt:
        return _suspect("the playlist's time jumped")
    return FULL


def _suspect(reason: str) -> Verdict:
    return Verdict(type=SegmentType.SUSPECT, reason=reason)
