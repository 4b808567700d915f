"""A summary as JSON, for pages, scripts and other nodes; and what another node's says. Pure.

docs/COVERAGE.md describes the format. Times are ISO 8601 in UTC without an offset, seconds have up
to six decimals. Lists that a bad recording makes long are cut off, the newest kept.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common.gaps import Gap, gap_of
from common.times import SECOND, Micros, format_time
from segment_coverage import spans
from segment_coverage.colours import COLOURS, LABELS
from segment_coverage.layout import LEFT, TOP, Layout
from segment_coverage.spans import Spans
from segment_coverage.states import State
from segment_coverage.summary import Figures, Hole, Others, Summary

VERSION = 1
LIMIT_BYTES = 8 * 1024 * 1024
"""The longest report of another node that we read."""
_MOST_HOLES = 2000
_MOST_GAPS = 5000


def report(
    *,
    channel: str,
    quality: str,
    node: str,
    now: Micros,
    newest: Micros | None,
    summary: Summary | None,
    layout: Layout | None,
    others: Iterable[Others],
    gaps: Sequence[Gap],
) -> dict[str, Any]:
    """Everything that is known of a quality. Without a summary nothing is recorded yet."""
    return {
        "version": VERSION,
        "channel": channel,
        "quality": quality,
        "node": node,
        "checked": format_time(now),
        "newest": None if newest is None else format_time(newest),
        "states": [
            {"name": state.value, "label": LABELS[state], "colour": COLOURS[state]}
            for state in State
        ],
        **_summary(summary),
        "nodes": [_node(other, summary) for other in others],
        "map": None if layout is None else _map(channel, quality, layout),
        "gaps": [
            {
                "start": format_time(gap.start),
                "end": format_time(gap.end),
                "reason": gap.reason.value,
            }
            for gap in gaps[-_MOST_GAPS:]
        ],
    }


def _summary(summary: Summary | None) -> dict[str, Any]:
    if summary is None:
        bounds = {"start": None, "end": None, "complete": False, "total": None}
        return bounds | {"hours": [], "holes": [], "lost": []}
    return {
        "start": format_time(summary.span.start),
        "end": format_time(summary.span.end),
        "complete": summary.is_complete,
        "total": {
            **_figures(summary.total),
            "holes": len(summary.holes),
            "lost_holes": len(summary.lost),
            "young_seconds": spans.total(summary.young) / SECOND,
        },
        "hours": [{"hour": name, **_figures(hour)} for name, hour in summary.hours.items()],
        "holes": [_hole(hole) for hole in summary.holes[-_MOST_HOLES:]],
        "lost": [_hole(hole) for hole in summary.lost[-_MOST_HOLES:]],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "segments": {
            kind.value: {"count": tally.count, "seconds": tally.duration / SECOND}
            for kind, tally in figures.tallies.items()
        },
        "hidden_segments": figures.hidden,
        "raw_seconds": figures.raw / SECOND,
        "editable_seconds": figures.editable / SECOND,
        "overlaps": {
            "count": figures.overlaps.count,
            "seconds": figures.overlaps.duration / SECOND,
        },
        "state_seconds": {state.value: figures.states[state] / SECOND for state in State},
    }


def _hole(hole: Hole) -> dict[str, Any]:
    return {
        "start": format_time(hole.start),
        "end": format_time(hole.end),
        "seconds": (hole.end - hole.start) / SECOND,
        "nodes": hole.nodes,
        "reasons": [{"reason": reason.value, "node": node} for reason, node in hole.reasons],
    }


def _node(other: Others, summary: Summary | None) -> dict[str, Any]:
    known: Mapping[State, Spans] = summary.nodes.get(other.name, {}) if summary else {}
    return {
        "name": other.name,
        "answers": other.answers,
        "asked": None if other.asked is None else format_time(other.asked),
        "unknown_hours": len(other.unknown),
        "state_seconds": {state.value: spans.total(known[state]) / SECOND for state in known},
    }


def _map(channel: str, quality: str, layout: Layout) -> dict[str, Any]:
    return {
        "image": f"{channel}_{quality}_coverage.png",
        "start": format_time(layout.start),
        "left": LEFT,
        "top": TOP,
        "columns": layout.columns,
        "rows": layout.rows,
        "column_pixels": layout.column_pixels,
        "column_seconds": layout.column // SECOND,
        "pixel_seconds": layout.pixel // SECOND,
    }


def parse_gaps(body: bytes) -> tuple[Gap, ...]:
    """The journal of gaps in another node's report; what makes no sense in it is left out.

    Raises ValueError if it is no report.
    """
    try:
        value = json.loads(body)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    found = value.get("gaps") if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ValueError("it has no list of gaps")  # noqa: TRY004 - a node's mistake
    return tuple(_sensible(found[-_MOST_GAPS:]))


def _sensible(entries: Iterable[Any]) -> Iterable[Gap]:
    for entry in entries:
        try:
            yield gap_of(entry)
        except ValueError:
            continue
