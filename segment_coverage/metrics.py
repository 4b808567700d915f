"""What segment_coverage tells. Figures are of the window that is looked at, not of single hours."""

import contextlib
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.times import HOUR, SECOND, Micros
from segment_coverage import spans
from segment_coverage.states import State
from segment_coverage.summary import Hole, Summary

_QUALITY = ["channel", "quality"]
_RECENT: Micros = 3 * HOUR


class CoverageMetrics:
    """`clock` gives the time now, in microseconds."""

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], Micros]) -> None:
        self._clock = clock
        self._segments(registry)
        self._time(registry)
        self._newest(registry)
        self._holes(registry)
        self._checks(registry)

    def show(
        self, channel: str, quality: str, summary: Summary | None, newest: Micros | None
    ) -> None:
        """What a check has found. Of what is no longer recorded nothing is said."""
        names = (channel, quality)
        if summary is None:
            self._forget(names)
            return
        for kind, tally in summary.total.tallies.items():
            self.segments.labels(*names, kind.value).set(tally.count)
            self.segment_seconds.labels(*names, kind.value).set(tally.duration / SECOND)
        recent_start = summary.span.end - _RECENT
        for state in State:
            found = summary.states[state]
            recent = spans.total(spans.clip(found, recent_start, summary.span.end))
            self.state_seconds.labels(*names, state.value).set(spans.total(found) / SECOND)
            self.recent_seconds.labels(*names, state.value).set(recent / SECOND)
        self.raw.labels(*names).set(summary.total.raw / SECOND)
        self.editable.labels(*names).set(summary.total.editable / SECOND)
        self.overlaps.labels(*names).set(summary.total.overlaps.count)
        self.overlap_seconds.labels(*names).set(summary.total.overlaps.duration / SECOND)
        self._show_holes(names, summary)
        if newest is not None:
            self.newest.labels(*names).set(newest / SECOND)
            self.age.labels(*names).set_function(lambda: (self._clock() - newest) / SECOND)

    def forget_node(self, name: str) -> None:
        """A node is no longer listed."""
        with contextlib.suppress(KeyError):
            self.node_answers.remove(name)

    def _forget(self, names: tuple[str, str]) -> None:
        of_quality = dict(zip(_QUALITY, names, strict=True))
        for gauge in (
            *(self.segments, self.segment_seconds, self.state_seconds, self.recent_seconds),
            *(self.raw, self.editable, self.overlaps, self.overlap_seconds, self.newest, self.age),
            *(self.holes, self.hole_seconds, self.longest_hole),
            *(self.lost_holes, self.lost_seconds),
        ):
            gauge.remove_by_labels(of_quality)

    def _show_holes(self, names: tuple[str, str], summary: Summary) -> None:
        self.holes.labels(*names).set(len(summary.holes))
        self.hole_seconds.labels(*names).set(_length(summary.holes))
        self.longest_hole.labels(*names).set(
            max((hole.end - hole.start for hole in summary.holes), default=0) / SECOND
        )
        self.lost_holes.labels(*names).set(len(summary.lost))
        self.lost_seconds.labels(*names).set(_length(summary.lost))

    def _segments(self, registry: CollectorRegistry) -> None:
        self.segments = Gauge(
            "wubloader_segment_coverage_segments",
            "Segments in the window, by type.",
            [*_QUALITY, "type"],
            registry=registry,
        )
        self.segment_seconds = Gauge(
            "wubloader_segment_coverage_segment_seconds",
            "How long the segments in the window are together, by type.",
            [*_QUALITY, "type"],
            registry=registry,
        )
        self.overlaps = Gauge(
            "wubloader_segment_coverage_overlaps",
            "Where two segments of the best sequence cover the same time.",
            _QUALITY,
            registry=registry,
        )
        self.overlap_seconds = Gauge(
            "wubloader_segment_coverage_overlap_seconds",
            "How long these overlaps are together.",
            _QUALITY,
            registry=registry,
        )

    def _time(self, registry: CollectorRegistry) -> None:
        self.state_seconds = Gauge(
            "wubloader_segment_coverage_state_seconds",
            "How much of the window is in each state: full, suspect, partial, tombstoned, elsewhere"
            " (missing here, another node has it), missing (no node that was asked has it).",
            [*_QUALITY, "state"],
            registry=registry,
        )
        self.recent_seconds = Gauge(
            "wubloader_segment_coverage_recent_state_seconds",
            "The same of the last three hours of the window.",
            [*_QUALITY, "state"],
            registry=registry,
        )
        self.raw = Gauge(
            "wubloader_segment_coverage_raw_seconds",
            "How much of the window any visible segment covers.",
            _QUALITY,
            registry=registry,
        )
        self.editable = Gauge(
            "wubloader_segment_coverage_editable_seconds",
            "How much of the window a cut can use without holes: full segments of the best"
            " sequence.",
            _QUALITY,
            registry=registry,
        )

    def _newest(self, registry: CollectorRegistry) -> None:
        self.newest = Gauge(
            "wubloader_segment_coverage_newest_segment_timestamp_seconds",
            "End of the newest segment that is here, as a Unix time.",
            _QUALITY,
            registry=registry,
        )
        self.age = Gauge(
            "wubloader_segment_coverage_newest_segment_age_seconds",
            "How long ago that was, when asked.",
            _QUALITY,
            registry=registry,
        )

    def _holes(self, registry: CollectorRegistry) -> None:
        self.holes = Gauge(
            "wubloader_segment_coverage_holes",
            "Stretches of the window that are missing here, tombstoned ones not counted.",
            _QUALITY,
            registry=registry,
        )
        self.hole_seconds = Gauge(
            "wubloader_segment_coverage_hole_seconds",
            "How long these holes are together.",
            _QUALITY,
            registry=registry,
        )
        self.longest_hole = Gauge(
            "wubloader_segment_coverage_longest_hole_seconds",
            "How long the longest of them is.",
            _QUALITY,
            registry=registry,
        )
        self.lost_holes = Gauge(
            "wubloader_segment_coverage_lost_holes",
            "Stretches of the window that no node that was asked has.",
            _QUALITY,
            registry=registry,
        )
        self.lost_seconds = Gauge(
            "wubloader_segment_coverage_lost_seconds",
            "How long these stretches are together.",
            _QUALITY,
            registry=registry,
        )

    def _checks(self, registry: CollectorRegistry) -> None:
        self.checks = Counter(
            "wubloader_segment_coverage_checks_total",
            "Checks of a quality, by outcome: changed, unchanged (nothing was drawn anew), failed.",
            [*_QUALITY, "outcome"],
            registry=registry,
        )
        self.check_seconds = Histogram(
            "wubloader_segment_coverage_check_seconds",
            "How long a check of a quality took.",
            registry=registry,
        )
        self.checked = Gauge(
            "wubloader_segment_coverage_checked_timestamp_seconds",
            "When the quality was last checked, as a Unix time.",
            _QUALITY,
            registry=registry,
        )
        self.node_answers = Gauge(
            "wubloader_segment_coverage_node_answers",
            "1 if the node said what it has when it was last asked.",
            ["node"],
            registry=registry,
        )


def _length(holes: tuple[Hole, ...]) -> float:
    return sum(hole.end - hole.start for hole in holes) / SECOND
