"""What a moment of the recording can be. Pure."""

from enum import Enum

from common.segments.path import SegmentType


class State(Enum):
    """The best first; a pixel that several share shows the last of them."""

    FULL = "full"
    """Recorded, and nothing about it is doubtful."""
    SUSPECT = "suspect"
    """Recorded, but doubtful: too short, mistimed, not whole TS packets."""
    PARTIAL = "partial"
    """The transfer broke; a part of it is there."""
    TOMBSTONED = "tombstoned"
    """Hidden by an operator."""
    ELSEWHERE = "elsewhere"
    """Not here, but another node has it: it can be copied."""
    MISSING = "missing"
    """Not here, and no other node that was asked has it."""

    # Members are singletons: identity is enough.
    __hash__ = object.__hash__


STATE_OF = {
    SegmentType.FULL: State.FULL,
    SegmentType.SUSPECT: State.SUSPECT,
    SegmentType.PARTIAL: State.PARTIAL,
}
