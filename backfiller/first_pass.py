"""The first pass: no segment is fetched before all tombstones that can be had are here.

It is over once each node that is known has been looked at, or could not be, and at least one has.
Without any node that answers it is over after a minute: then this node serves what it has, and says
so. What the restreamer of this node hears of it: `common.replication.readiness`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gevent.event import Event

from backfiller.metrics import BackfillerMetrics
from common.daemon import Stop
from common.replication.readiness import SIGN_SECONDS, Tombstones, write_state
from common.threads import in_thread

logger = logging.getLogger(__name__)

ALONE_SECONDS = 60.0
_STEP_SECONDS = 0.2

Look = tuple[str, str, str]
"""Node, channel, quality."""


class FirstPass:
    """`expected` says which looks there are to be, at any time. If it `is_patient` it waits for a
    node to come up; else each is looked at once.
    """

    def __init__(
        self,
        base_dir: Path,
        metrics: BackfillerMetrics,
        *,
        expected: Callable[[], Iterable[Look]],
        is_patient: bool = True,
        alone_seconds: float = ALONE_SECONDS,
    ) -> None:
        self._base_dir = base_dir
        self._metrics = metrics
        self._expected = expected
        self._is_patient = is_patient
        self._alone_seconds = alone_seconds
        self._started = time.monotonic()
        self._looked: dict[Look, bool] = {}
        self._over = Event()
        self.state = Tombstones.PENDING

    def looked(self, look: Look, *, successful: bool) -> None:
        """A look has ended. Once it was successful its tombstones are here."""
        self._looked[look] = successful or self._looked.get(look, False)
        self._decide()

    @property
    def is_over(self) -> bool:
        return bool(self._over.is_set())

    def wait(self) -> None:
        """Until segments may be fetched."""
        self._over.wait()

    def run(self, stop: Stop) -> None:
        """A daemon's task: decide, and give the restreamer a sign of life."""
        told, state = 0.0, None
        while True:
            self._decide()
            if state is not self.state or time.monotonic() - told > SIGN_SECONDS:
                told, state = time.monotonic(), self.state
                self._tell()
            if stop.wait(_STEP_SECONDS):
                return

    def _decide(self) -> None:
        if self.state is Tombstones.COMPLETE:
            return
        expected = set(self._expected())
        all_looked = bool(expected) and expected <= self._looked.keys()
        if all_looked and any(self._looked[look] for look in expected):
            self.state = Tombstones.COMPLETE
            self._metrics.tombstones_complete.set(1)
            logger.info("the tombstones of all nodes that answer are here")
        elif self.state is Tombstones.PENDING and self._is_alone(all_looked=all_looked):
            self.state = Tombstones.ALONE
            logger.warning(
                "no other node has answered: what was deleted elsewhere meanwhile is not known"
                " here, and is served",
            )
        if self.state is not Tombstones.PENDING:
            self._over.set()

    def _is_alone(self, *, all_looked: bool) -> bool:
        late = time.monotonic() - self._started > self._alone_seconds
        given_up = all_looked and not self._is_patient
        return (late or given_up) and not any(self._looked.values())

    def _tell(self) -> None:
        try:
            in_thread(write_state, self._base_dir, self.state)
        except OSError as exc:
            logger.warning("cannot tell the restreamer how far the tombstones are: %s", exc)
