"""What the backfiller tells about itself."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge

_QUALITY = ["node", "channel", "quality"]


class BackfillerMetrics:
    """`node` is a node's name: there are as many as the operator lists."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._looks(registry)
        self._transfers(registry)
        self.nodes = Gauge(
            "wubloader_backfiller_nodes", "Other nodes that are copied from.", registry=registry
        )
        self.tombstones_complete = Gauge(
            "wubloader_backfiller_tombstones_complete",
            "1 once the tombstones of all nodes that answer were taken, since the start.",
            registry=registry,
        )
        self.disk_full = Gauge(
            "wubloader_backfiller_disk_full",
            "1 while the disk does not take files.",
            registry=registry,
        )
        self.deleted_hours = Counter(
            "wubloader_backfiller_deleted_hours_total",
            "Hours that were deleted because they are older than --start.",
            registry=registry,
        )
        self.swept = Counter(
            "wubloader_backfiller_swept_temp_files_total",
            "Temp files of crashed processes that were deleted.",
            registry=registry,
        )
        self._scrubbing(registry)

    def forget(self, look: tuple[str, str, str]) -> None:
        """A node is no longer listed: say nothing of how far behind it we are."""
        for gauge in (self.differing, self.missing, self.complete, self.expected):
            with contextlib.suppress(KeyError):
                gauge.remove(*look)

    def _looks(self, registry: CollectorRegistry) -> None:
        self.looks = Counter(
            "wubloader_backfiller_looks_total",
            "Looks at what a node has, by outcome: unchanged, compared, failed.",
            [*_QUALITY, "outcome"],
            registry=registry,
        )
        self.listings = Counter(
            "wubloader_backfiller_listings_total",
            "Hours whose names a node was asked for.",
            _QUALITY,
            registry=registry,
        )
        self.differing = Gauge(
            "wubloader_backfiller_differing_hours",
            "Hours in which this node and the other do not list the same.",
            _QUALITY,
            registry=registry,
        )
        self.missing = Gauge(
            "wubloader_backfiller_missing_segments",
            "Segments that the node has and this one lacks, as far as is known.",
            _QUALITY,
            registry=registry,
        )
        self.complete = Gauge(
            "wubloader_backfiller_complete_timestamp_seconds",
            "When this node last had all that the other has (but the most recent), as a Unix time.",
            _QUALITY,
            registry=registry,
        )
        self.expected = Gauge(
            "wubloader_backfiller_expected_completion_seconds",
            "How long it will take to fetch what is missing, at the rate of the last looks.",
            _QUALITY,
            registry=registry,
        )

    def _transfers(self, registry: CollectorRegistry) -> None:
        self.copied = Counter(
            "wubloader_backfiller_copied_total",
            "What was taken over, by kind: segment, tombstone, extra, or renamed (bytes that were"
            " here under another name).",
            ["node", "kind"],
            registry=registry,
        )
        self.received = Counter(
            "wubloader_backfiller_received_bytes_total",
            "Bytes of files fetched from a node.",
            ["node"],
            registry=registry,
        )
        self.failures = Counter(
            "wubloader_backfiller_failures_total",
            "What could not be had and is tried again later, by reason: connect, timeout, status,"
            " broken, answer (it makes no sense), hash, disk.",
            ["node", "reason"],
            registry=registry,
        )

    def _scrubbing(self, registry: CollectorRegistry) -> None:
        self.scrubbed_files = Counter(
            "wubloader_backfiller_scrubbed_files_total",
            "Files checked against their hashes.",
            registry=registry,
        )
        self.scrubbed_bytes = Counter(
            "wubloader_backfiller_scrubbed_bytes_total",
            "Bytes checked against their hashes.",
            registry=registry,
        )
        self.damaged = Counter(
            "wubloader_backfiller_damaged_files_total",
            "Files that did not match their hashes, or could not be read, and were set aside.",
            registry=registry,
        )
        self.scrub_complete = Gauge(
            "wubloader_backfiller_scrub_complete_timestamp_seconds",
            "When all files had last been checked once more, as a Unix time.",
            registry=registry,
        )
