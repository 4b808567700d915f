"""Reports as JSON, and what is taken from another node's."""

import json

import pytest

from common.gaps import Gap, GapReason
from common.times import SECOND, TimeRange, format_hour
from segment_coverage.analyse import analyse
from segment_coverage.layout import Scale, lay_out
from segment_coverage.report import parse_gaps, report
from segment_coverage.summary import Others, summarise
from tests.support.segments import NOON, make_segment

GAP = Gap(start=NOON, end=NOON + SECOND, reason=GapReason.DISK)


def test_a_report_tells_another_node_the_gaps() -> None:
    span = TimeRange(NOON, NOON + 10 * SECOND)
    hours = {format_hour(NOON): analyse(NOON, [make_segment(NOON)])}
    others = (Others(name="b", runs={}, answers=False),)
    summary = summarise(span, hours, others=others, cutoff=span.end)
    found = report(
        channel="demo",
        quality="source",
        node="here",
        now=span.end,
        newest=NOON + 2 * SECOND,
        summary=summary,
        layout=lay_out(span, Scale(), 2),
        others=others,
        gaps=[GAP],
    )
    assert parse_gaps(json.dumps(found).encode()) == (GAP,)
    assert found["total"]["state_seconds"]["missing"] == 8
    assert found["hours"][0]["segments"]["full"] == {"count": 1, "seconds": 2}


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"gaps": {}}', b"[" * 100_000, b'{"gaps": 1e999}']
)
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_gaps(body)


def test_entries_that_make_no_sense_are_left_out() -> None:
    good = {"start": "2026-07-01T12:00:00", "end": "2026-07-01T12:00:01", "reason": "disk"}
    bad: list[object] = [
        None,
        [],
        "text",
        {},
        {**good, "reason": "<b>"},
        {**good, "reason": ["disk"]},
        {**good, "reason": {}},
        {**good, "end": "2026-07-01T12:00:00"},
        {**good, "start": "9999-12-31T23:59:59-23:00"},
        {**good, "start": 5},
    ]
    assert parse_gaps(json.dumps({"gaps": [*bad, good]}).encode()) == (GAP,)
