"""What thrimshim tells of the events."""

from prometheus_client import CollectorRegistry, Gauge


class EventMetrics:
    """One object per service, on the registry that is passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Gauge(
            "wubloader_thrimshim_events", "Events, by state.", ["state"], registry=registry
        )
        self.longest_wait = Gauge(
            "wubloader_thrimshim_longest_wait_seconds",
            "Since the edit of the event that has waited longest, by the state that it waits in.",
            ["state"],
            registry=registry,
        )
