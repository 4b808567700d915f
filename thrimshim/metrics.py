"""What thrimshim tells of the events, and of the database that holds them."""

from prometheus_client import CollectorRegistry, Gauge


class WatchMetrics:
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
        self.standbys = Gauge(
            "wubloader_thrimshim_database_standbys",
            "Standbys that follow the database.",
            registry=registry,
        )
        self.standbys_away = Gauge(
            "wubloader_thrimshim_database_standbys_away",
            "Standbys that have a slot in the database and do not follow it.",
            registry=registry,
        )
        self.synchronous = Gauge(
            "wubloader_thrimshim_database_synchronous",
            "1 if commits wait for a standby.",
            registry=registry,
        )
        self.archive_failing = Gauge(
            "wubloader_thrimshim_database_archive_failing",
            "1 while the database cannot hand over its WAL to the backup.",
            registry=registry,
        )
