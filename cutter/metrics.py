"""What the cutter tells of its work."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.events import EventState
from cutter.job import Failure

# From half a minute's clip to a six-hour one.
_SECONDS = (1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800, 36000)


class CutterMetrics:
    """One object per service, on the registry that is passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs = Counter(
            "wubloader_cutter_jobs_total",
            "Cuts ended, by outcome: the next state, or 'lost' when the lease was gone.",
            ["outcome"],
            registry=registry,
        )
        self.failures = Counter(
            "wubloader_cutter_failures_total",
            "What kept a cutter from going on, by kind.",
            ["failure"],
            registry=registry,
        )
        self.missing = Gauge(
            "wubloader_cutter_events_missing_segments",
            "Edited events that this node cannot cut because it lacks segments.",
            registry=registry,
        )
        self.cutting = Gauge(
            "wubloader_cutter_cutting", "1 while an event is being cut.", registry=registry
        )
        self.seconds = Histogram(
            "wubloader_cutter_job_seconds",
            "From claim to published.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.published_bytes = Counter(
            "wubloader_cutter_published_bytes_total",
            "Bytes of videos published.",
            registry=registry,
        )
        self.disk_full = Gauge(
            "wubloader_cutter_disk_full",
            "1 after a cut failed because there was no room, until one succeeds.",
            registry=registry,
        )
        self._know()

    def _know(self) -> None:
        """Count from 0 on: of a counter that begins at 1 nobody sees that it has risen."""
        for state in EventState:
            self.jobs.labels(state.value)
        for failure in Failure:
            self.failures.labels(failure.value)
