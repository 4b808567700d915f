"""`wubctl tombstone`: hide a range of time on all nodes, and see which of them know."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from common.segments.path import Segment, Tombstone, range_tombstones
from common.times import SECOND, TimeRange, format_time
from wubctl.cluster import Cluster, Names, Unreachable

_SHOWN = 10
"""Names that are listed of more."""


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """What is to be hidden of one quality: segments that are known, and whatever comes later."""

    quality: str
    segments: tuple[Segment, ...]
    ranges: tuple[Tombstone, ...]


def plan_hiding(
    cluster: Cluster, channel: str, qualities: tuple[str, ...], span: TimeRange
) -> tuple[list[Hiding], list[Unreachable]]:
    """What hiding `span` means, in the given qualities or in all that any node has."""
    known, silent = cluster.qualities(channel)
    found = []
    for quality in qualities or known:
        segments, more = cluster.segments(channel, quality, span)
        silent += more
        found.append(
            Hiding(
                quality=quality,
                segments=tuple(segments[key] for key in sorted(segments)),
                ranges=tuple(range_tombstones(span)),
            )
        )
    return found, silent


def describe(channel: str, hiding: Hiding) -> str:
    """One line for the operator."""
    count = len(hiding.segments)
    if not count:
        return f"{channel}/{hiding.quality}: no segment that any node has; only what comes later"
    seconds = sum(segment.duration for segment in hiding.segments) / SECOND
    first, last = hiding.segments[0], hiding.segments[-1]
    return (
        f"{channel}/{hiding.quality}: {count} segments of {seconds:g} s in all,"
        f" from {format_time(first.start)} to {format_time(last.end)}, and what comes later"
    )


def hide(cluster: Cluster, channel: str, hiding: Hiding) -> int:
    """Write the tombstones on this node; its backfiller's peers take them. Returns how many."""
    by_hour: dict[str, list[Tombstone]] = {}
    for segment in hiding.segments:
        by_hour.setdefault(segment.hour, []).append(segment.tombstone)
    for entry in hiding.ranges:
        by_hour.setdefault(entry.hour, []).append(entry)
    return sum(
        cluster.store.add_tombstones(channel, hiding.quality, hour, entries)
        for hour, entries in by_hour.items()
    )


def report_silent(silent: list[Unreachable]) -> None:
    for node, reason in sorted({(entry.node, entry.reason) for entry in silent}):
        click.echo(f"{node} does not answer: {reason}", err=True)


def report_status(cluster: Cluster, channels: list[str]) -> bool:
    """Print which nodes lack which tombstones; returns whether all have all."""
    complete = True
    for channel in channels:
        qualities, silent = cluster.qualities(channel)
        report_silent(silent)
        for quality in qualities:
            complete = _report_quality(cluster, channel, quality) and complete
        complete = complete and not silent
    return complete


def _report_quality(cluster: Cluster, channel: str, quality: str) -> bool:
    having: dict[str, Names] = {"this node": set(cluster.own_tombstones(channel, quality))}
    silent = []
    for peer, names in ask_all(cluster, channel, quality):
        if isinstance(names, Unreachable):
            silent.append(names)
        else:
            having[peer] = names
    everything: Names = set().union(*having.values())
    click.echo(f"{channel}/{quality}: {len(everything)} tombstones")
    for name, names in having.items():
        lacking = sorted(everything - names)
        click.echo(f"  {name} has {f'all but {len(lacking)}' if lacking else 'all'}")
        for hour, missing in lacking[:_SHOWN]:
            click.echo(f"    lacks {hour}/{missing}")
    report_silent(silent)
    return not silent and all(names == everything for names in having.values())


def ask_all(
    cluster: Cluster, channel: str, quality: str
) -> Iterator[tuple[str, Names | Unreachable]]:
    """Each other node's name, and its tombstones or why it did not say."""
    for peer in cluster.peers:
        yield peer.node.name, cluster.tombstones_or_reason(peer, channel, quality)
