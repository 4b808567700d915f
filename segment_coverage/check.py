"""One check of a quality: read, compare, draw, say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.gaps import Gap
from common.segments.store import Hidden
from common.times import SECOND, Micros, TimeRange
from segment_coverage.analyse import HourCoverage
from segment_coverage.config import Config
from segment_coverage.journal import Journal
from segment_coverage.layout import Layout, lay_out
from segment_coverage.publish import Publisher
from segment_coverage.quality import QualityCoverage
from segment_coverage.render import strips_of
from segment_coverage.report import report
from segment_coverage.summary import Others, Summary, summarise


@dataclass(frozen=True, slots=True)
class _Question:
    """All that a summary depends on: it is made anew only when one of these is another object, or
    has another value.
    """

    hours: dict[str, HourCoverage]
    hidden: Hidden
    others: tuple[Others, ...]
    gaps: tuple[Gap, ...]
    span: TimeRange
    cutoff: Micros

    def is_same(self, other: "_Question | None") -> bool:
        return (
            other is not None
            and self.hours is other.hours
            and self.hidden is other.hidden
            and self.gaps is other.gaps
            and self.span == other.span
            and self.cutoff == other.cutoff
            and self._said() == other._said()
        )

    def _said(self) -> list[tuple[object, ...]]:
        """What of other nodes counts, whenever they said it."""
        return [
            (
                *(known.name, known.runs, known.gaps, known.unknown, known.answers is None),
                min(known.asked or 0, self.span.end),
            )
            for known in self.others
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check has found. `summary` is None while nothing is recorded in the window."""

    names: tuple[str, str]
    summary: Summary | None
    newest: Micros | None
    changed: bool


class QualityCheck:
    """Checks one quality again and again, one thread at a time. Blocks on the disk and computes."""

    def __init__(
        self,
        coverage: QualityCoverage,
        config: Config,
        publisher: Publisher,
        *,
        clock: Callable[[], Micros],
    ) -> None:
        self.coverage = coverage
        self._config = config
        self._publisher = publisher
        self._clock = clock
        self._journal = Journal(config.base_dir, *coverage.names)
        self._question: _Question | None = None
        self._summary: Summary | None = None
        self._layout: Layout | None = None

    def check(self, others: tuple[Others, ...]) -> Result:
        """Raises Stopped, or OSError where the disk does."""
        now = self._clock()
        self.coverage.read(now)
        gaps = self._journal.gaps()
        question = self._ask(others, gaps, now)
        changed = self._answer(question)
        recorded = self.coverage.recorded
        newest = recorded[1] if recorded else None
        self._publish(changed, newest, others, gaps, now)
        return Result(
            names=self.coverage.names, summary=self._summary, newest=newest, changed=changed
        )

    def _ask(
        self, others: tuple[Others, ...], gaps: tuple[Gap, ...], now: Micros
    ) -> _Question | None:
        window, coverage = self._config.window, self.coverage
        span = window.span(_anywhere(coverage, others), coverage.bounds[0], now)
        if span is None:
            return None
        cutoff = now - round(self._config.recent_cutoff * SECOND)
        return _Question(
            hours=coverage.hours,
            hidden=coverage.hidden,
            others=others,
            gaps=gaps,
            span=span,
            # What ends long ago is not asked about anew because time goes by.
            cutoff=span.end if self._config.run_once else min(max(cutoff, span.start), span.end),
        )

    def _answer(self, question: _Question | None) -> bool:
        """Whether there is anything new to say."""
        if question is None:
            changed = self._question is not None
            self._question = self._summary = self._layout = None
            return changed
        if question.is_same(self._question):
            return False
        journals = {other.name: other.gaps for other in question.others}
        self._summary = summarise(
            question.span,
            question.hours,
            ranges=question.hidden.ranges,
            others=question.others,
            gaps={**journals, self._config.localhost: question.gaps},
            cutoff=question.cutoff,
        )
        self._layout = lay_out(question.span, self._config.scale, strips_of(self._summary))
        self._question = question
        return True

    def _publish(
        self,
        changed: bool,
        newest: Micros | None,
        others: tuple[Others, ...],
        gaps: tuple[Gap, ...],
        now: Micros,
    ) -> None:
        names = self.coverage.names
        if self._summary and self._layout and (changed or not self._publisher.has_map(*names)):
            self._publisher.write_map(*names, self._summary, self._layout)
        self._publisher.write_report(*names, self._report(newest, others, gaps, now))

    def _report(
        self,
        newest: Micros | None,
        others: tuple[Others, ...],
        gaps: tuple[Gap, ...],
        now: Micros,
    ) -> dict[str, Any]:
        channel, quality = self.coverage.names
        span = self._summary.span if self._summary else None
        return report(
            channel=channel,
            quality=quality,
            node=self._config.localhost,
            now=now,
            newest=newest,
            summary=self._summary,
            layout=self._layout,
            others=others,
            gaps=[gap for gap in gaps if span and gap.end > span.start and gap.start < span.end],
        )


def _anywhere(
    coverage: QualityCoverage, others: tuple[Others, ...]
) -> tuple[Micros, Micros] | None:
    """From the first to the newest moment that any node has."""
    first, last = coverage.bounds
    found = [
        (runs[0].start, runs[-1].end)
        for other in others
        for hour, runs in other.runs.items()
        if runs and first <= hour <= last
    ]
    if (ours := coverage.recorded) is not None:
        found.append(ours)
    if not found:
        return None
    return min(start for start, _ in found), max(end for _, end in found)
