"""All nodes, as the operator's commands see them: this one's store, and what the others answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from common.errors import FetchError
from common.http import HttpClient, HttpClientMetrics
from common.replication.index import DigestIndex
from common.replication.nodes import NodeSources
from common.replication.peer import Peer
from common.segments.path import Segment, Tombstone
from common.segments.store import Hour, SegmentStore
from common.times import TimeRange, format_hour

Names = set[tuple[str, str]]
"""Hour and name of tombstones."""


@dataclass(frozen=True, kw_only=True)
class Unreachable:
    """A node that did not answer, and why."""

    node: str
    reason: str


class Cluster:
    """This node's store at `base_dir`, and the other nodes."""

    def __init__(self, base_dir: Path, sources: NodeSources, registry: CollectorRegistry) -> None:
        self.store = SegmentStore(base_dir, registry=registry)
        self._index = DigestIndex(self.store)
        http = HttpClient("operate", HttpClientMetrics(registry), strict=True)
        self.peers = [Peer(node, http) for node in sources.nodes()]

    def qualities(self, channel: str) -> tuple[list[str], list[Unreachable]]:
        """A channel's qualities on any node, and the nodes that did not say theirs."""
        found = set(self.store.qualities(channel))
        silent = []
        for peer in self.peers:
            try:
                found |= set(peer.qualities(channel))
            except FetchError as exc:
                silent.append(Unreachable(node=peer.node.name, reason=str(exc)))
        return sorted(found), silent

    def segments(
        self, channel: str, quality: str, span: TimeRange
    ) -> tuple[dict[str, Segment], list[Unreachable]]:
        """All that any node shows and that starts within `span`, by hour and name."""
        found = {}
        for hour in self._own_hours(channel, quality, span):
            for segment in self.store.hour(channel, quality, hour).segments:
                found[f"{hour}/{segment.name}"] = segment
        silent = []
        for peer in self.peers:
            try:
                for segment in self._segments_of(peer, channel, quality, span):
                    found[f"{segment.hour}/{segment.name}"] = segment
            except FetchError as exc:
                silent.append(Unreachable(node=peer.node.name, reason=str(exc)))
        within = (entry for entry in found.items() if span.start <= entry[1].start < span.end)
        return dict(within), silent

    def own_tombstones(self, channel: str, quality: str) -> dict[tuple[str, str], Tombstone]:
        """This node's tombstones, by hour and name."""
        return {
            (hour, entry.name): entry
            for hour, found in self.own_hours(channel, quality)
            for entry in found.tombstones
        }

    def own_hours(self, channel: str, quality: str) -> Iterator[tuple[str, Hour]]:
        hidden = self.store.state(channel, quality).hidden
        for hour in self.store.hours(channel, quality):
            yield hour, self.store.hour(channel, quality, hour, hidden)

    def tombstones_of(self, peer: Peer, channel: str, quality: str) -> Names:
        """Another node's tombstones. Raises FetchError.

        Hours with the same digest as here have the same tombstones and are not asked for.
        """
        answer = peer.digest(channel, quality)
        if answer is None:
            listed, same = set(peer.hours(channel, quality)), set[str]()
        else:
            ours = self._index.digest(channel, quality)
            listed = set(answer.digest.differing(ours))
            same = set(ours.hours) - listed
        found = {key for key in self.own_tombstones(channel, quality) if key[0] in same}
        for hour in listed:
            tombstones = peer.listing(channel, quality, hour).tombstones
            found |= {(hour, entry.name) for entry in tombstones}
        return found

    def tombstones_or_reason(self, peer: Peer, channel: str, quality: str) -> Names | Unreachable:
        """Another node's tombstones, or why it did not say."""
        try:
            return self.tombstones_of(peer, channel, quality)
        except FetchError as exc:
            return Unreachable(node=peer.node.name, reason=str(exc))

    def _own_hours(self, channel: str, quality: str, span: TimeRange) -> list[str]:
        return [hour for hour in self.store.hours(channel, quality) if _touches(hour, span)]

    def _segments_of(
        self, peer: Peer, channel: str, quality: str, span: TimeRange
    ) -> Iterator[Segment]:
        for hour in peer.hours(channel, quality):
            if _touches(hour, span):
                yield from peer.listing(channel, quality, hour).segments


def _touches(hour: str, span: TimeRange) -> bool:
    return format_hour(span.start) <= hour <= format_hour(span.end - 1)
