"""What is asked for: the kinds of cut, ranges and transitions."""

from dataclasses import dataclass
from enum import Enum

from common.errors import BadParameter
from common.times import TimeRange


class CutType(Enum):
    """The kinds of cut that there are."""

    ROUGH = "rough"
    FAST = "fast"
    SMART = "smart"
    SMART_MP4 = "smart-mp4"
    MPEGTS = "mpegts"
    MP4 = "mp4"
    WEBM = "webm"
    CUSTOM = "custom"
    ARCHIVE = "archive"

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES.get(self, "video/mp2t")

    @property
    def suffix(self) -> str:
        """The file name's ending, with its dot. An archive is a folder."""
        return _SUFFIXES.get(self, ".ts")


_CONTENT_TYPES = {
    CutType.SMART_MP4: "video/mp4",
    CutType.MP4: "video/mp4",
    CutType.WEBM: "video/webm",
}
_SUFFIXES = {
    CutType.SMART_MP4: ".mp4",
    CutType.MP4: ".mp4",
    CutType.WEBM: ".webm",
    CutType.ARCHIVE: "",
}
_TO_FILES = {CutType.CUSTOM, CutType.ARCHIVE}
"""These are made by a cutter only: what is in them is a matter of its settings."""

CUT_TYPES = tuple(kind.value for kind in CutType if kind not in _TO_FILES)
"""Those that a client can ask for."""
WHOLE_SEGMENTS = {CutType.ROUGH, CutType.ARCHIVE}
"""These send segments as they are: what lies around one does not matter."""
HARD_CUTS_ONLY = {*WHOLE_SEGMENTS, CutType.FAST}


def parse_cut_type(text: str | None, container: str | None = None) -> CutType:
    """The default is `smart`, which can have the container mp4 too.

    Raises BadParameter, naming the types that there are.
    """
    wanted = text or CutType.SMART.value
    if wanted not in CUT_TYPES:
        raise BadParameter("type", f"{text!r} is no type of cut; there are {', '.join(CUT_TYPES)}")
    kind = CutType(wanted)
    if container is None:
        return kind
    if kind is not CutType.SMART or container not in {"mpegts", "mp4"}:
        raise BadParameter("container", "give mpegts or mp4, and only for the type smart")
    return CutType.SMART_MP4 if container == "mp4" else kind


@dataclass(frozen=True, kw_only=True)
class Transition:
    """How one range becomes the next, over `seconds` of both."""

    type: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CutRequest:
    """What to cut. `transitions` has one entry fewer than `ranges`; None is a hard cut."""

    channel: str
    quality: str
    ranges: tuple[TimeRange, ...]
    transitions: tuple[Transition | None, ...]
    type: CutType
    allow_holes: bool = False
