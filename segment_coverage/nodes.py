"""What the other nodes have, asked for beside the checks. Everything that they say is untrusted.

A node is asked for the digest of each hour (`common.replication`). Where that is ours, it has what
we have; other hours are listed, a few at a time, the newest first, until the digest changes again.
Nodes that know no digests are listed hour by hour, again after some minutes. What a node last said
is kept while it does not answer.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping

import gevent

from common.daemon import Stop
from common.errors import FetchError
from common.extras import COVERAGE_MAPS
from common.gaps import Gap
from common.http import HttpClient, HttpClientMetrics
from common.replication.listing import Listing
from common.replication.nodes import Node, NodeSources
from common.replication.peer import Answer, Peer
from common.segments.store import hidden_by
from common.threads import in_thread
from common.times import Micros, parse_hour
from segment_coverage.analyse import Run, runs_of
from segment_coverage.metrics import CoverageMetrics
from segment_coverage.publish import report_name
from segment_coverage.quality import QualityCoverage
from segment_coverage.report import LIMIT_BYTES, parse_gaps
from segment_coverage.summary import Others

logger = logging.getLogger(__name__)

_LISTED_AT_ONCE = 48
"""Hours of a node and quality in one look: 6 MB at most of what is common."""
_MOST_FAILURES = 3
_LEGACY_SECONDS = 600.0
"""Hours of a node without digests are listed again after so long."""
_CHECK_SECONDS = 0.2

_Version = tuple[int, float]
"""The node's digest of an hour, or when it was listed."""


class NodeQuality:
    """What one node has of one quality. `listing_seconds` is how long one look goes on to list more
    hours: of a slow node the rest has to wait for the next.
    """

    def __init__(
        self,
        peer: Peer,
        ours: QualityCoverage,
        *,
        listing_seconds: float,
        clock: Callable[[], Micros],
    ) -> None:
        self._peer = peer
        self._ours = ours
        self._listing_seconds = listing_seconds
        self._clock = clock
        self._known: Answer | None = None
        self._versions: dict[str, int] = {}
        self._runs: dict[str, tuple[Run, ...]] = {}
        self._gaps: tuple[Gap, ...] = ()
        self.others = Others(name=peer.node.name, runs={})
        """What is known now; a new object after each look."""

    def look(self) -> None:
        """Ask once. Raises FetchError."""
        try:
            self._known = self._peer.digest(*self._ours.names, self._known)
            theirs = self._versions_now()
            unknown = self._compare(theirs)
            self._ask_for_gaps()
        except FetchError:
            self._say(answers=False, unknown=self.others.unknown, asked=self.others.asked)
            raise
        self._say(answers=True, unknown=unknown, asked=self._clock())

    def _versions_now(self) -> Mapping[str, int]:
        if self._known is not None:
            return self._known.digest.hours
        # Of a node without digests an hour counts as changed after a while.
        period = -1 - int(time.monotonic() / _LEGACY_SECONDS)
        return dict.fromkeys(self._peer.hours(*self._ours.names), period)

    def _compare(self, theirs: Mapping[str, int]) -> frozenset[str]:
        """Take over what is the same, list some of what is not; which hours are left."""
        first, last = self._ours.bounds
        if not last:
            return frozenset(theirs)  # we have not looked at our own yet
        wanted = [hour for hour in sorted(theirs, reverse=True) if first <= hour <= last]
        self._forget(set(wanted))
        ours, hours = self._ours.digested
        for hour in wanted:
            if hour in hours and ours.get(hour) == theirs[hour]:
                # Not to be looked up later: what we have then may be less.
                self._take(hour, theirs[hour], hours[hour].runs)
        changed = [hour for hour in wanted if self._versions.get(hour) != theirs[hour]]
        self._list(changed[:_LISTED_AT_ONCE], theirs)
        return frozenset(hour for hour in changed if self._versions.get(hour) != theirs[hour])

    def _list(self, hours: Iterable[str], theirs: Mapping[str, int]) -> None:
        """One bad hour does not keep us from the others; several, from this node for now."""
        failures = 0
        until = time.monotonic() + self._listing_seconds
        for hour in hours:
            if time.monotonic() >= until:
                return
            try:
                self._take(hour, theirs[hour], self._listed(hour))
            except FetchError as exc:
                logger.debug("%s of %s cannot be listed: %s", hour, self._peer.node.name, exc)
                failures += 1
                if failures == _MOST_FAILURES:
                    raise

    def _forget(self, wanted: set[str]) -> None:
        self._versions = {hour: self._versions[hour] for hour in self._versions.keys() & wanted}
        self._runs = {hour: self._runs[hour] for hour in self._runs.keys() & wanted}

    def _take(self, hour: str, version: int, runs: tuple[Run, ...]) -> None:
        self._versions[hour] = version
        self._runs[hour] = runs

    def _listed(self, hour: str) -> tuple[Run, ...]:
        listing = self._peer.listing(*self._ours.names, hour)
        return in_thread(_shown, parse_hour(hour), listing)

    def _ask_for_gaps(self) -> None:
        """Why the node lacks what it lacks: its own segment_coverage says, where it runs one."""
        try:
            with self._peer.open(
                COVERAGE_MAPS, report_name(*self._ours.names), deadline_seconds=10
            ) as response:
                self._gaps = in_thread(parse_gaps, response.read(LIMIT_BYTES))
        except (FetchError, ValueError) as exc:
            logger.debug("no gaps from %s: %s", self._peer.node.name, exc)

    def _say(self, *, answers: bool, unknown: frozenset[str], asked: Micros | None) -> None:
        self.others = Others(
            name=self._peer.node.name,
            runs=dict(self._runs),
            gaps=self._gaps,
            unknown=unknown,
            answers=answers,
            asked=asked,
        )


def _shown(start: Micros, listing: Listing) -> tuple[Run, ...]:
    """What a listing shows. Of thousands of range tombstones each segment is held against each:
    that takes seconds.
    """
    hidden = hidden_by(listing.tombstones)
    return runs_of(start, (entry for entry in listing.segments if not hidden.hides(entry)))


class Cluster:
    """All other nodes."""

    def __init__(
        self,
        sources: NodeSources,
        qualities: Iterable[QualityCoverage],
        *,
        answer_seconds: float,
        metrics: CoverageMetrics,
        http_metrics: HttpClientMetrics,
        clock: Callable[[], Micros],
    ) -> None:
        self._sources = sources
        self._qualities = list(qualities)
        self._answer_seconds = answer_seconds
        self._metrics = metrics
        self._http_metrics = http_metrics
        self._clock = clock
        self._nodes: dict[Node, list[NodeQuality]] = {}
        self._complained: dict[str, str] = {}

    def others(self, channel: str, quality: str) -> tuple[Others, ...]:
        """What is known of them, in the order of their names."""
        return tuple(
            known.others
            for node in sorted(self._nodes, key=lambda node: node.name)
            for known, ours in zip(self._nodes[node], self._qualities, strict=True)
            if ours.names == (channel, quality)
        )

    def look(self, stop: Stop, *, seconds: float = math.inf) -> None:
        """Ask every node once, all at the same time, until they have answered, stop is set, or the
        time is up.
        """
        until = time.monotonic() + seconds
        self._follow_nodes()
        looks = [gevent.spawn(self._look_at, node) for node in self._nodes]
        while not all(look.dead for look in looks) and time.monotonic() < until:
            if stop.wait(_CHECK_SECONDS):
                break
        gevent.killall(looks)
        for look in looks:
            look.get()

    @property
    def is_known(self) -> bool:
        """Whether there is nothing left to list, of the nodes that answer."""
        return not any(
            known.others.unknown and known.others.answers
            for qualities in self._nodes.values()
            for known in qualities
        )

    def _follow_nodes(self) -> None:
        listed = self._sources.nodes()
        for node in self._nodes.keys() - set(listed):
            del self._nodes[node]
            self._metrics.forget_node(node.name)
        for node in listed:
            if node not in self._nodes:
                http = HttpClient(
                    "coverage",
                    self._http_metrics,
                    connect_seconds=min(5.0, self._answer_seconds),
                    read_seconds=self._answer_seconds,
                    strict=True,
                )
                peer = Peer(node, http, answer_seconds=self._answer_seconds)
                self._nodes[node] = [
                    NodeQuality(peer, ours, listing_seconds=self._answer_seconds, clock=self._clock)
                    for ours in self._qualities
                ]

    def _look_at(self, node: Node) -> None:
        error: FetchError | None = None
        for known in self._nodes[node]:
            try:
                known.look()
            except FetchError as exc:
                error = exc
        self._metrics.node_answers.labels(node.name).set(error is None)
        self._complain(node.name, "" if error is None else str(error))

    def _complain(self, name: str, text: str) -> None:
        """Once when a node falls silent, and once when it is back."""
        before = self._complained.get(name, "")
        self._complained[name] = text
        if text and not before:
            logger.warning("%s does not say what it has: %s", name, text)
        elif before and not text:
            logger.info("%s says again what it has", name)
