"""`wubctl purge`: delete on this node the files that tombstones hide, once every node knows them.

A node that does not know a tombstone may still offer the segment, but would not be offered it by a
node that has deleted it: once all know, nothing can bring it back. The tombstones stay.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.files import sync
from common.segments.path import Segment, Tombstone
from common.segments.store import hidden_by
from wubctl.cluster import Cluster, Names, Unreachable
from wubctl.tombstones import ask_all


@dataclass(frozen=True, kw_only=True)
class Purge:
    """What may be deleted of a quality, and what must wait."""

    channel: str
    quality: str
    deletable: tuple[Segment, ...]
    waiting: tuple[Segment, ...]
    silent: tuple[Unreachable, ...]


def plan_purges(cluster: Cluster, channels: Iterable[str]) -> Iterator[Purge]:
    """For each quality that hides anything."""
    for channel in channels:
        for quality in cluster.store.qualities(channel):
            hidden = [
                segment
                for _, hour in cluster.own_hours(channel, quality)
                for segment in hour.hidden
            ]
            if hidden:
                yield _plan(cluster, channel, quality, hidden)


def _plan(cluster: Cluster, channel: str, quality: str, hidden: list[Segment]) -> Purge:
    answers = [names for _, names in ask_all(cluster, channel, quality)]
    silent = tuple(names for names in answers if isinstance(names, Unreachable))
    known = [names for names in answers if not isinstance(names, Unreachable)]
    agreed = [] if silent else _agreed(cluster.own_tombstones(channel, quality), known)
    hides = hidden_by(agreed).hides
    return Purge(
        channel=channel,
        quality=quality,
        deletable=tuple(segment for segment in hidden if hides(segment)),
        waiting=tuple(segment for segment in hidden if not hides(segment)),
        silent=silent,
    )


def _agreed(own: dict[tuple[str, str], Tombstone], others: list[Names]) -> list[Tombstone]:
    """The tombstones that every node has."""
    return [entry for key, entry in own.items() if all(key in names for names in others)]


def delete(cluster: Cluster, purge: Purge) -> int:
    """Delete the files; returns how many."""
    paths = [cluster.store.path(purge.channel, purge.quality, entry) for entry in purge.deletable]
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        sync(folder)
    return len(paths)
