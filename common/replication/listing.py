"""What another node lists in an hour: names from anywhere become entries, or nothing. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.errors import BadSegmentName
from common.segments.path import Segment, SegmentType, Tombstone, parse_name


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a node has in an hour, each in the order of names."""

    segments: tuple[Segment, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()

    @property
    def names(self) -> list[str]:
        """All names, as digests count them."""
        return [entry.name for entry in self.segments] + [entry.name for entry in self.tombstones]


def parse_listing(hour: str, names: Iterable[str]) -> Listing:
    """Names that do not parse, and temp files, are left out."""
    segments, tombstones = [], []
    for name in sorted(set(names)):
        try:
            entry = parse_name(hour, name)
        except BadSegmentName:
            continue
        if isinstance(entry, Tombstone):
            tombstones.append(entry)
        elif entry.type is not SegmentType.TEMP:
            segments.append(entry)
    return Listing(segments=tuple(segments), tombstones=tuple(tombstones))
