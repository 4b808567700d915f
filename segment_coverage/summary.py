"""From the coverage of hours, of this node and of others, to what there is to say of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.gaps import Gap, GapReason
from common.segments.path import SegmentType
from common.segments.select import TOLERANCE
from common.times import HOUR, SECOND, Micros, TimeRange, format_hour, parse_hour
from segment_coverage import spans
from segment_coverage.analyse import KINDS, HourCoverage, Run, Tally, spans_of
from segment_coverage.spans import Span, Spans
from segment_coverage.states import STATE_OF, State

_MOST_HOURS = 2400
"""100 days: of a longer window only the newest hours have figures of their own."""
_SLACK: Micros = 2 * SECOND
"""A journal's gap explains a hole that it comes this close to: nodes see times a little apart."""


@dataclass(frozen=True, kw_only=True)
class Others:
    """What another node has. `unknown` are hours that differ from ours and have not been listed
    yet; `answers` is false where the last question went unanswered, None before the first.
    """

    name: str
    runs: Mapping[str, tuple[Run, ...]]
    gaps: tuple[Gap, ...] = ()
    unknown: frozenset[str] = frozenset()
    answers: bool | None = None
    asked: Micros | None = None
    """When it last answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the window, or of one hour of it. `seconds` of states are microseconds too."""

    tallies: Mapping[SegmentType, Tally]
    hidden: int
    overlaps: Tally
    raw: Micros
    states: Mapping[State, Micros]

    @property
    def editable(self) -> Micros:
        """What any cut can use: whole segments of the best sequence."""
        return self.states[State.FULL]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """[start, end) is not here. `nodes` have all or some of it; `reasons` are what journals say,
    each with the name of its node, whose gap covers most of it first.
    """

    start: Micros
    end: Micros
    nodes: tuple[str, ...]
    reasons: tuple[tuple[GapReason, str], ...]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """`states` are disjoint; together with `young`, what is missing but may still come, they are
    all of `span`. `holes` is all that is missing here, `lost` what no node has (as far as all have
    said what they have), both without what is tombstoned.
    """

    span: TimeRange
    states: Mapping[State, Spans]
    young: Spans
    total: Figures
    hours: Mapping[str, Figures]
    holes: tuple[Hole, ...]
    lost: tuple[Hole, ...]
    nodes: Mapping[str, Mapping[State, Spans]]
    """What each node has, in the order given."""

    @property
    def is_complete(self) -> bool:
        """Whether whole segments cover all of it, so that a cut of it meets no hole."""
        return not self.young and not any(
            self.states[state] for state in State if state is not State.FULL
        )


def summarise(
    span: TimeRange,
    hours: Mapping[str, HourCoverage],
    *,
    ranges: Iterable[TimeRange] = (),
    others: Sequence[Others] = (),
    gaps: Mapping[str, Sequence[Gap]] | None = None,
    cutoff: Micros,
) -> Summary:
    """`hours` is what this node has, by the hour's name; `ranges` what its range tombstones hide.

    What is missing after `cutoff` may still be on its way and is no hole yet. `gaps` are the
    journals by the names of their nodes.
    """
    states = _states(span, hours, ranges)
    theirs = {other.name: _of_node(span, other, states[State.TOMBSTONED]) for other in others}
    missing = tuple(spans.clip(states[State.MISSING], span.start, cutoff))
    young = tuple(spans.clip(states[State.MISSING], cutoff, span.end))
    anywhere = spans.union(
        (part for known in theirs.values() for part in _present(known)), tolerance=TOLERANCE
    )
    states[State.ELSEWHERE] = spans.common(missing, anywhere, tolerance=TOLERANCE)
    states[State.MISSING] = spans.without(missing, anywhere, tolerance=TOLERANCE)
    lost = spans.without(states[State.MISSING], _unknown(span, others))
    shares = {name: spans.union(_present(known)) for name, known in theirs.items()}
    return Summary(
        span=span,
        states=states,
        young=young,
        total=_total(span, hours, states),
        hours=_by_hour(span, hours, states),
        holes=tuple(_holes(missing, shares, _Journals(gaps or {}))),
        lost=tuple(_holes(lost, {}, _Journals(gaps or {}))),
        nodes=theirs,
    )


def _states(
    span: TimeRange, hours: Mapping[str, HourCoverage], ranges: Iterable[TimeRange]
) -> dict[State, Spans]:
    """What this node's files say; whatever else is missing is MISSING for now."""
    runs = [run for coverage in hours.values() for run in coverage.runs]
    deleted = spans.union(
        [part for coverage in hours.values() for part in coverage.tombstoned]
        + [(found.start, found.end) for found in ranges],
        tolerance=TOLERANCE,
    )
    states = _recorded(span, runs)
    absent = spans.without(
        ((span.start, span.end),), spans.union(_present(states)), tolerance=TOLERANCE
    )
    states[State.TOMBSTONED] = spans.common(absent, deleted, tolerance=TOLERANCE)
    states[State.MISSING] = spans.without(absent, deleted, tolerance=TOLERANCE)
    return states


def _recorded(span: TimeRange, runs: Iterable[Run]) -> dict[State, Spans]:
    """Slivers within the tolerance are nobody's: hours are judged one by one, and see of what
    competes around a full hour only their own part.
    """
    found = list(runs)
    return {
        STATE_OF[kind]: spans.without(
            spans.union(spans.clip(spans_of(found, kind), span.start, span.end)),
            (),
            tolerance=TOLERANCE,
        )
        for kind in KINDS
    }


def _of_node(span: TimeRange, other: Others, tombstoned: Spans) -> dict[State, Spans]:
    """What is tombstoned here is no coverage, whoever still shows it."""
    states = _recorded(span, (run for runs in other.runs.values() for run in runs))
    return {
        state: spans.without(found, tombstoned, tolerance=TOLERANCE)
        for state, found in states.items()
    }


def _unknown(span: TimeRange, others: Iterable[Others]) -> Spans:
    """Time of which some node has yet to say whether it has it."""
    found: list[Span] = []
    for other in others:
        if other.answers is None:
            return ((span.start, span.end),)
        found += ((parse_hour(hour), parse_hour(hour) + HOUR) for hour in other.unknown)
        if other.answers and other.asked is not None and other.asked < span.end:
            found.append((other.asked, span.end))
    return spans.union(found)


def _present(states: Mapping[State, Spans]) -> Iterator[Span]:
    for kind in KINDS:
        yield from states[STATE_OF[kind]]


def _total(
    span: TimeRange, hours: Mapping[str, HourCoverage], states: Mapping[State, Spans]
) -> Figures:
    within = [hours[name] for name in span.hours() if name in hours]
    return Figures(
        tallies={kind: _sum_of(hour.tallies.get(kind) for hour in within) for kind in KINDS},
        hidden=sum(hour.hidden for hour in within),
        overlaps=_sum_of(hour.overlaps for hour in within),
        raw=spans.total(
            spans.clip((part for hour in within for part in hour.raw), span.start, span.end)
        ),
        states={state: spans.total(states[state]) for state in State},
    )


def _sum_of(tallies: Iterable[Tally | None]) -> Tally:
    return sum(filter(None, tallies), Tally())


_NO_HOUR = HourCoverage()


def _by_hour(
    span: TimeRange, hours: Mapping[str, HourCoverage], states: Mapping[State, Spans]
) -> dict[str, Figures]:
    shares = {state: spans.by_hour(states[state]) for state in State}
    found = {}
    first = max(span.start, span.end - _MOST_HOURS * HOUR)
    for start in range(first - first % HOUR, span.end, HOUR):
        name = format_hour(start)
        coverage = hours.get(name, _NO_HOUR)
        found[name] = Figures(
            tallies={kind: coverage.tallies.get(kind, Tally()) for kind in KINDS},
            hidden=coverage.hidden,
            overlaps=coverage.overlaps,
            raw=spans.total(spans.clip(coverage.raw, span.start, span.end)),
            states={state: shares[state].get(start, 0) for state in State},
        )
    return found


class _Journals:
    """Why something is missing, as the nodes' journals tell. Questions come in order of time, so
    that all of them together cost one walk along the journals.
    """

    def __init__(self, gaps: Mapping[str, Sequence[Gap]]) -> None:
        found: dict[tuple[GapReason, str], list[Span]] = {}
        for node, entries in gaps.items():
            for gap in entries:
                found.setdefault((gap.reason, node), []).append((gap.start, gap.end))
        self._gaps = {key: spans.union(parts) for key, parts in found.items()}
        self._at = dict.fromkeys(found, 0)

    def reasons(self, start: Micros, end: Micros) -> tuple[tuple[GapReason, str], ...]:
        shares = {}
        for key, parts in self._gaps.items():
            at = self._at[key]
            while at < len(parts) and parts[at][1] <= start - _SLACK:
                at += 1
            self._at[key] = at
            share, is_near = 0, False
            while at < len(parts) and parts[at][0] < end + _SLACK:
                share += max(min(parts[at][1], end) - max(parts[at][0], start), 0)
                is_near = True
                at += 1
            if is_near:
                shares[key] = share
        return tuple(sorted(shares, key=lambda key: (-shares[key], key[1], key[0].value)))


def _holes(missing: Spans, shares: Mapping[str, Spans], journals: _Journals) -> Iterator[Hole]:
    having = {
        name: spans.common(missing, share, tolerance=TOLERANCE) for name, share in shares.items()
    }
    at = dict.fromkeys(having, 0)
    for start, end in missing:
        nodes = []
        for name, parts in having.items():
            while at[name] < len(parts) and parts[at[name]][1] <= start:
                at[name] += 1
            if at[name] < len(parts) and parts[at[name]][0] < end:
                nodes.append(name)
        yield Hole(start=start, end=end, nodes=tuple(nodes), reasons=journals.reasons(start, end))
