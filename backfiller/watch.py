"""Watching one quality of one node: what has it that we lack?

A look asks for the digest of each hour, most often answered by a 304. Of hours that differ the
names are asked for, tombstones are written at once, and segments go to the node's list of work. An
hour in which there is nothing to do (because it is the other node that lacks something) is not
asked for again until one of the two digests changes. A node without digests is asked for the names
of each hour, less often.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gevent.pool import Pool

from backfiller.first_pass import FirstPass
from backfiller.metrics import BackfillerMetrics
from backfiller.patience import ObjectPatience
from backfiller.plan import (
    Plan,
    is_within,
    missing_segments,
    missing_tombstones,
    plan_segments,
)
from backfiller.work import Place, WorkList
from common.daemon import Stop
from common.errors import FetchError
from common.replication.digest import QualityDigest, digest_of
from common.replication.index import DigestIndex
from common.replication.listing import Listing
from common.replication.peer import Answer, Peer
from common.retry import backoff
from common.segments.path import Segment
from common.segments.store import Hour, SegmentStore
from common.threads import in_thread
from common.times import HOUR, SECOND, Micros, format_hour, parse_hour

logger = logging.getLogger(__name__)

_NO_DIGEST = -1
"""In place of the digest of a node that has none."""
_AT_ONCE = 4
"""Hours that are listed at a time."""
_LEGACY_FACTOR = 8
"""A node without digests is asked so many times less often: each look asks for every hour."""
_RETRY_LIMIT_SECONDS = 30.0
_DOUBT_SECONDS = 600.0
"""An hour whose names do not add up to its digest is listed again after so long."""


class Failed(Protocol):
    """How a failure is counted and logged."""

    def __call__(self, what: str, error: Exception) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which time to care for: what starts in [start, cutoff); `now` is this node's clock."""

    start: Micros
    cutoff: Micros
    now: Micros


@dataclass(frozen=True, slots=True)
class _Settled:
    """With these two digests there is nothing to do, until `until` (a monotonic time)."""

    ours: int
    theirs: int
    until: float


class QualityWatch:
    """See the module's description."""

    def __init__(
        self,
        *,
        channel: str,
        quality: str,
        peer: Peer,
        store: SegmentStore,
        index: DigestIndex,
        work: WorkList,
        patience: ObjectPatience,
        first_pass: FirstPass,
        metrics: BackfillerMetrics,
        failed: Failed,
        span: Callable[[], Span],
        interval_seconds: float,
        rng: random.Random,
    ) -> None:
        self._names = (channel, quality)
        self.look_name = (peer.node.name, channel, quality)
        self._peer = peer
        self._store = store
        self._index = index
        self._work = work
        # Files that can't be had must not keep us from an hour's tombstones: listings wait apart.
        self._fetching = patience
        self._listing = ObjectPatience()
        self._doubted: dict[str, int] = {}
        self._first_pass = first_pass
        self._metrics = metrics
        self._failed = failed
        self._span = span
        self._interval_seconds = interval_seconds
        self._rng = rng
        self._known: Answer | None = None
        self._settled: dict[str, _Settled] = {}
        self._rate = _Rate()
        self.looks = 0
        """Looks that have ended, well or not."""

    def run(self, stop: Stop) -> None:
        """Look again and again until stop."""
        waits = backoff(1.0, _RETRY_LIMIT_SECONDS)
        while not stop.is_set():
            legacy = False
            try:
                legacy = self._look()
            except (FetchError, OSError) as exc:
                self._ended("failed", successful=False)
                self._failed(f"looking at {'/'.join(self._names)}", exc)
                wait = next(waits)
            else:
                waits = backoff(1.0, _RETRY_LIMIT_SECONDS)
                wait = self._interval_seconds * self._rng.uniform(0.8, 1.2)
            stop.wait(wait * (_LEGACY_FACTOR if legacy else 1))

    def list_again(self, place: Place) -> None:
        """List an hour whose names were not kept, and plan it anew. Raises FetchError."""
        self._list(place.hour, self._theirs(place.hour), self._span(), keep=True)

    def _look(self) -> bool:
        """One look; returns whether the node had to be asked hour by hour. Raises FetchError."""
        answer = self._peer.digest(*self._names, self._known)
        unchanged = answer is not None and answer is self._known
        self._known = answer
        span = self._span()
        if answer is None:
            self._look_at_all(span)
        else:
            self._compare(answer.digest, span)
        self._ended("unchanged" if unchanged else "compared", successful=True)
        return answer is None

    def _ended(self, outcome: str, *, successful: bool) -> None:
        self.looks += 1
        self._metrics.looks.labels(*self.look_name, outcome).inc()
        self._first_pass.looked(self.look_name, successful=successful)
        missing = self._work.missing(*self._names)
        self._metrics.missing.labels(*self.look_name).set(missing)
        if successful:
            self._metrics.expected.labels(*self.look_name).set(self._rate.seconds_for(missing))
            if not missing:
                self._metrics.complete.labels(*self.look_name).set(time.time())

    def _compare(self, theirs: QualityDigest, span: Span) -> None:
        ours = self._index.digest(*self._names)
        differing = [
            hour
            for hour in theirs.differing(ours)
            # What only we have is the other's business.
            if hour in theirs.hours and is_within(hour, start=span.start, now=span.now)
        ]
        self._metrics.differing.labels(*self.look_name).set(len(differing))
        self._settled = {hour: self._settled[hour] for hour in differing if hour in self._settled}
        self._doubted = {hour: self._doubted[hour] for hour in differing if hour in self._doubted}
        self._list_hours(
            [
                (hour, theirs.hours[hour])
                for hour in differing
                if not self._is_settled(hour, ours.hours.get(hour, 0), theirs.hours[hour])
                and not self._work.is_pending(self._place(hour), theirs.hours[hour])
            ],
            span,
        )

    def _look_at_all(self, span: Span) -> None:
        hours = self._peer.hours(*self._names)
        self._list_hours(
            [
                (hour, _NO_DIGEST)
                for hour in hours
                if is_within(hour, start=span.start, now=span.now)
            ],
            span,
        )

    def _list_hours(self, hours: list[tuple[str, int]], span: Span) -> None:
        """List hours, the newest first, a few at a time. One that fails holds up no other."""
        pool = Pool(_AT_ONCE)
        try:
            for hour, theirs in hours:
                if not self._listing.must_wait(*self._place(hour).path):
                    pool.spawn(self._try_to_list, hour, theirs, span)
            pool.join(raise_error=True)
        finally:
            pool.kill(block=False)

    def _try_to_list(self, hour: str, theirs: int, span: Span) -> None:
        place = self._place(hour)
        try:
            self._list(hour, theirs, span)
        except (FetchError, OSError) as exc:
            self._listing.failed(*place.path)
            self._failed(f"comparing {'/'.join(self._names)}/{hour}", exc)
        else:
            self._listing.went_well(*place.path)

    def _list(self, hour: str, theirs: int, span: Span, *, keep: bool = False) -> None:
        """Compare an hour's names: write tombstones, plan segments. Raises FetchError, OSError."""
        self._metrics.listings.labels(*self.look_name).inc()
        listing = self._peer.listing(*self._names, hour)
        ours, value = self._index.hour(*self._names, hour)
        if self._take_tombstones(hour, listing, ours):
            ours, value = self._index.hour(*self._names, hour)
        plan = in_thread(self._plan, hour, listing, ours, span)
        self._work.put(self._place(hour), theirs, plan.wanted, keep=keep)
        if plan.is_settled:
            self._settle(hour, value, theirs, listing)
        elif plan.postponed and not (plan.wanted or plan.recent):
            until = time.monotonic() + plan.postponed_seconds
            self._settled[hour] = _Settled(value, theirs, until)

    def _take_tombstones(self, hour: str, listing: Listing, ours: Hour) -> bool:
        tombstones = missing_tombstones(listing, ours)
        if tombstones:
            in_thread(self._store.add_tombstones, *self._names, hour, tombstones)
            self._metrics.copied.labels(self._peer.node.name, "tombstone").inc(len(tombstones))
            logger.info(
                "took %d tombstones of %s/%s from %s",
                len(tombstones),
                *self._names,
                self._peer.node.name,
            )
        return bool(tombstones)

    def _plan(self, hour: str, listing: Listing, ours: Hour, span: Span) -> Plan:
        """Reads the store; runs in a thread."""
        hidden = self._store.state(*self._names).hidden
        missing = [
            entry
            for entry in missing_segments(listing, ours, hidden.hides)
            if entry.start >= span.start
        ]
        place = self._place(hour)
        return plan_segments(
            missing,
            twins=self._twins(hour, ours) if missing else {},
            cutoff=span.cutoff,
            seconds_left=lambda entry: self._fetching.seconds_left(*place.path, entry.name),
            rng=self._rng,
        )

    def _twins(self, hour: str, ours: Hour) -> dict[str, Segment]:
        """Our segments of this hour and its neighbours, by hash."""
        start = parse_hour(hour)
        near = [ours]
        for offset in (-HOUR, HOUR):
            name = format_hour(max(start + offset, 0))
            near.append(self._store.hour(*self._names, name))
        return {entry.hash: entry for found in near for entry in found.segments}

    def _settle(self, hour: str, ours: int, theirs: int, listing: Listing) -> None:
        """Remember that there is nothing to do while the two have these digests."""
        if theirs == _NO_DIGEST:
            return
        if in_thread(digest_of, listing.names) == theirs:
            self._settled[hour] = _Settled(ours, theirs, float("inf"))
        elif self._doubted.get(hour) == theirs:
            # Once it may have changed between two answers. Whoever says the same again is wrong.
            self._settled[hour] = _Settled(ours, theirs, time.monotonic() + _DOUBT_SECONDS)
        else:
            self._doubted[hour] = theirs

    def _is_settled(self, hour: str, ours: int, theirs: int) -> bool:
        known = self._settled.get(hour)
        return (
            known is not None
            and (known.ours, known.theirs) == (ours, theirs)
            and time.monotonic() < known.until
        )

    def _theirs(self, hour: str) -> int:
        return self._known.digest.hours.get(hour, 0) if self._known else _NO_DIGEST

    def _place(self, hour: str) -> Place:
        return Place(hour, *self._names)


class _Rate:
    """How fast something that is counted goes down."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._per_second = 0.0

    def seconds_for(self, missing: int) -> float:
        """How long the rest will take, as of the last looks; 0 if nothing is missing."""
        now = time.monotonic()
        if self._last is not None and now > self._last[0] and missing < self._last[1]:
            self._per_second = (self._last[1] - missing) / (now - self._last[0])
        self._last = (now, missing)
        if not missing:
            return 0.0
        return missing / self._per_second if self._per_second else float("inf")


def span_of(
    *, start_seconds: float | None, start: Micros | None, recent_cutoff: float, now: Micros
) -> Span:
    """The time to care for, by the settings."""
    since = start if start_seconds is None else now - round(start_seconds * SECOND)
    return Span(start=max(since or 0, 0), cutoff=now - round(recent_cutoff * SECOND), now=now)
