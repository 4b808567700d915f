"""The cutter's loop: take an event, cut it, publish it, say what became of it.

One event at a time, in this order: what is past the cut and waits for an answer or a change
(FINALIZING, TRANSCODING, MODIFIED), then what waits to be cut. An event is claimed only when this
node has every segment of it; until then it is left for others.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
from gevent.event import Event as Flag

from common.daemon import Stop
from common.errors import DatabaseUnavailable, HolesNotAllowed, LeaseLost, WubloaderError
from common.events import EventState
from common.media.cut import cut_to_file
from common.media.encoders import EncoderPool
from common.media.plan import CutPlan, plan_cut
from common.patience import Patience
from common.segments.store import SegmentStore
from common.threads import in_thread
from cutter.backends.base import Backend
from cutter.event import Event, Lease
from cutter.job import (
    Answer,
    Decision,
    Failure,
    after_answer,
    after_failure,
    classify,
    is_disk_full,
    missing_text,
)
from cutter.keeper import LeaseKeeper
from cutter.metrics import CutterMetrics
from cutter.queue import EventQueue

logger = logging.getLogger(__name__)

SETTLE_RETRY_SECONDS = 5.0
"""Until an upload location is asked again, or a change is tried again."""

_EXPECTED = (WubloaderError, OSError)

Edit = tuple[str, datetime | None]
"""An event's id and the time of its edit: a new edit is a new chance."""


class Worker:
    """See the module's description. `backends` are this cutter's upload locations, by name."""

    def __init__(
        self,
        *,
        queue: EventQueue,
        store: SegmentStore,
        backends: Mapping[str, Backend],
        encoders: EncoderPool,
        metrics: CutterMetrics,
        poll_seconds: float,
    ) -> None:
        self._queue = queue
        self._store = store
        self._backends = backends
        self._encoders = encoders
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._woken = Flag()
        self._patience = Patience[Edit]()
        self._missing: set[Edit] = set()
        metrics.missing.set_function(lambda: len(self._missing))

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        self._woken.set()

    def run(self, stop: Stop) -> None:
        """A daemon's task: work until stop. Call `wake` once stop is set."""
        while not stop.is_set():
            self._woken.clear()
            try:
                worked = self._work_once(stop)
            except (DatabaseUnavailable, psycopg2.Error, OSError) as exc:
                logger.warning("cannot look for work: %s", exc)
                worked = False
            if not worked:
                self._woken.wait(self._poll_seconds)

    def _work_once(self, stop: Stop) -> bool:
        """Do one event, if there is one to do; returns whether there was."""
        self._queue.expire_claims()
        for event in self._queue.unsettled():
            if stop.is_set():
                return False
            if self._may_settle(event):
                self._settle(event)
        for event in self._cuttable(self._queue.waiting()):
            if stop.is_set():
                return False
            if self._claim_and_cut(event, stop):
                return True
        return False

    # Cutting

    def _cuttable(self, waiting: list[Event]) -> Iterator[Event]:
        """Those that did not fail just now and whose segments are all here."""
        self._missing &= {_edit(event) for event in waiting}
        for event in waiting:
            if self._patience.must_wait(_edit(event)):
                continue
            reason = self._missing_here(event)
            if reason is None:
                self._missing.discard(_edit(event))
                yield event
            else:
                self._missing.add(_edit(event))
                if event.error is None:
                    self._queue.explain_waiting(event, missing_text(reason))

    def _missing_here(self, event: Event) -> str | None:
        """What this node lacks for the cut, in words; None if nothing."""
        try:
            self._plan(event)
        except HolesNotAllowed as exc:
            return str(exc)
        except _EXPECTED as exc:
            logger.debug("%s is claimed in order to record why it fails: %s", event.id, exc)
        return None

    def _plan(self, event: Event) -> CutPlan:
        request = event.request(self._backends[event.location].cut_type)
        return in_thread(plan_cut, self._store, request)

    def _claim_and_cut(self, event: Event, stop: Stop) -> bool:
        """Returns whether the event could be claimed, whatever came of it then."""
        claimed_at = time.monotonic()
        lease = self._queue.claim(event)
        if lease is None:
            return False
        logger.info("cutting %s", event.id)
        try:
            with (
                self._metrics.cutting.track_inprogress(),
                LeaseKeeper(self._queue, lease, stop, claimed_at=claimed_at) as keeper,
            ):
                self._cut_and_publish(event, lease, keeper)
        except Exception as exc:  # whatever it is, it is this event's trouble, not the next one's
            self._give_back(event, lease, exc)
        else:
            self._patience.forget(_edit(event))
            self._metrics.disk_full.set(0)
            self._metrics.seconds.observe(time.monotonic() - claimed_at)
        return True

    def _cut_and_publish(self, event: Event, lease: Lease, keeper: LeaseKeeper) -> None:
        backend = self._backends[event.location]
        plan = self._plan(event)
        with backend.scratch(event) as file:
            keeper.run(
                lambda: cut_to_file(
                    plan,
                    file,
                    encoders=self._encoders,
                    on_progress=keeper.on_progress,
                    ffmpeg_args=backend.ffmpeg_args,
                )
            )
            session = keeper.run(lambda: in_thread(backend.begin, event, file))
            frames = keeper.frames_total
            keeper.insist(lambda: self._queue.finalize(lease, session, frames=frames))
            self._publish(event, lease, backend, session, file)

    def _publish(
        self,
        event: Event,
        lease: Lease,
        backend: Backend,
        session: Mapping[str, Any],
        file: Path,
    ) -> None:
        """From here on a failure is settled by asking the location, never by giving back."""
        try:
            in_thread(backend.commit, session)
            self._ask_and_record(event, lease, backend, session, EventState.FINALIZING)
        except Exception as exc:  # whatever it is, the video may be out: only asking tells
            self._put_off(event, lease, exc)
        else:
            self._metrics.published_bytes.inc(session["size_bytes"])

    def _give_back(self, event: Event, lease: Lease, error: Exception) -> None:
        """The cut of a CLAIMED event failed: move the row where it belongs."""
        failure = classify(error)
        attempts = self._note_failure(event, failure, error)
        decision = after_failure(EventState.CLAIMED, failure, reason=str(error), attempts=attempts)
        self._metrics.jobs.labels(decision.state.value if decision.state else "lost").inc()
        if decision.state is not None:
            self._tell(lambda: self._conclude(lease, decision), lease)

    def _note_failure(self, event: Event, failure: Failure, error: Exception) -> int:
        """Count and log it; returns how often this edit has failed here."""
        self._metrics.failures.labels(failure.value).inc()
        if is_disk_full(error):
            self._metrics.disk_full.set(1)
        if failure in {Failure.STOPPING, Failure.LEASE_LOST}:
            logger.info("cutting %s was broken off: %s", event.id, error)
            return 0
        logger.warning("cutting %s failed: %s", event.id, error, exc_info=_unexpected(error))
        return self._patience.failed(_edit(event))

    # Settling

    def _may_settle(self, event: Event) -> bool:
        if event.session is None:
            return True
        return self._backends[event.location].can_ask(event.session)

    def _settle(self, event: Event) -> None:
        """Ask, or apply, and record what came out, under a lease of our own."""
        lease = self._queue.adopt(event)
        if lease is None:
            return
        try:
            if event.state is EventState.MODIFIED:
                self._apply(event, lease)
            elif event.session is not None:
                backend = self._backends[event.location]
                self._ask_and_record(event, lease, backend, event.session, event.state)
        except Exception as exc:  # whatever it is, it is this event's trouble, not the next one's
            self._put_off(event, lease, exc)

    def _apply(self, event: Event, lease: Lease) -> None:
        """Bring an editor's change to the published video."""
        if event.session is not None and event.video_id is not None:
            in_thread(self._backends[event.location].describe, event, event.video_id)
        self._queue.applied(lease, event)
        self._metrics.jobs.labels(EventState.DONE.value).inc()

    def _ask_and_record(
        self,
        event: Event,
        lease: Lease,
        backend: Backend,
        session: Mapping[str, Any],
        state: EventState,
    ) -> None:
        upload = in_thread(backend.ask, session)
        decision = after_answer(state, upload.answer, reason=upload.reason)
        if upload.answer is Answer.PUBLISHED:
            in_thread(backend.describe, event, upload.video_id)
        if decision.state in {EventState.DONE, EventState.TRANSCODING}:
            self._queue.publish(
                lease, decision.state, video_id=upload.video_id, video_link=upload.video_link
            )
        else:
            self._conclude(lease, decision)
        logger.info("%s is %s", event.id, decision.state.value if decision.state else "?")
        self._metrics.jobs.labels(decision.state.value if decision.state else "lost").inc()

    def _put_off(self, event: Event, lease: Lease, error: Exception) -> None:
        """Leave the event in its state, for whoever asks or applies next."""
        failure = classify(error)
        self._metrics.failures.labels(failure.value).inc()
        logger.warning("%s is not settled yet: %s", event.id, error, exc_info=_unexpected(error))
        if failure is not Failure.LEASE_LOST:
            self._tell(
                lambda: self._queue.postpone(lease, retry_seconds=SETTLE_RETRY_SECONDS), lease
            )

    # Saying so

    def _conclude(self, lease: Lease, decision: Decision) -> None:
        if decision.state is not None:
            self._queue.give_back(lease, decision.state, error=decision.error)

    def _tell(self, statement: Callable[[], None], lease: Lease) -> None:
        """Run a statement that ends a lease; where it can't be said, the lease's expiry says it."""
        try:
            statement()
        except (DatabaseUnavailable, LeaseLost) as exc:
            logger.warning("%s is left to the end of its lease: %s", lease.event_id, exc)


def _edit(event: Event) -> Edit:
    return event.id, event.edit_time


def _unexpected(error: Exception) -> Exception | None:
    """The error if its traceback is worth reading: one that is not ours and not the system's."""
    return None if isinstance(error, _EXPECTED) else error
