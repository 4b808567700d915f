"""Rows of the events table, written and read directly: what a cutter finds and leaves."""

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg2
from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from common.times import TimeRange, to_datetime

EDIT_TIME = datetime(2026, 1, 2, tzinfo=UTC)
A_RANGE = TimeRange(1_767_225_600_000_000, 1_767_225_602_000_000)
"""Two seconds from 2026-01-01T00:00:00."""


def run_sql(dsn: str, statement: sql.Composable | LiteralString, *values: object) -> list[Any]:
    """Run one statement in a transaction of its own; the rows are dicts, none if it has none."""
    with (
        closing(psycopg2.connect(dsn)) as connection,
        connection,
        connection.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def add_edited(dsn: str, event_id: str, *ranges: TimeRange, **columns: object) -> None:
    """Insert a complete edit that waits for a cutter; `columns` replace or add to its columns."""
    ranges = ranges or (A_RANGE,)
    values: dict[str, object] = {
        "id": event_id,
        "state": "EDITED",
        "upload_location": "local",
        "video_channel": "demo",
        "video_quality": "source",
        "video_title": f"Title of {event_id}",
        "video_description": "What happened",
        "video_tags": ["tag one", "two"],
        "edit_time": EDIT_TIME,
        **columns,
    }
    bounds = [(to_datetime(r.start), to_datetime(r.end)) for r in ranges]
    statement = sql.SQL(
        "INSERT INTO events ({names}, video_ranges, video_transitions)"
        " VALUES ({values}, {ranges}, {transitions})"
    ).format(
        names=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(map(sql.Literal, values.values())),
        ranges=sql.SQL("ARRAY[{}]::video_range[]").format(
            sql.SQL(", ").join(sql.SQL("ROW({}, {})").format(*map(sql.Literal, b)) for b in bounds)
        ),
        transitions=sql.SQL("array_fill(NULL::video_transition, ARRAY[{}])").format(
            sql.Literal(len(ranges) - 1)
        ),
    )
    run_sql(dsn, statement)


def read_event(dsn: str, event_id: str) -> Mapping[str, Any]:
    """The row of one event."""
    rows = run_sql(dsn, "SELECT * FROM events WHERE id = %s", event_id)
    assert len(rows) == 1, f"{event_id}: {len(rows)} rows"
    return dict(rows[0])


def state_of(dsn: str, event_id: str) -> str:
    return str(read_event(dsn, event_id)["state"])


def states_gone_through(dsn: str, event_id: str) -> list[str]:
    """The states that the event has had, in order, from its audit."""
    rows = run_sql(
        dsn,
        "SELECT changes -> 'state' ->> 1 AS state FROM event_audit"
        " WHERE event_id = %s AND changes ? 'state' ORDER BY number",
        event_id,
    )
    return [row["state"] for row in rows]


def reset(dsn: str, event_id: str) -> None:
    """What an editor's reset does to the row."""
    run_sql(
        dsn,
        "UPDATE events SET state = 'UNEDITED', uploader = NULL, lease_token = NULL,"
        " lease_expires = NULL, upload_session = NULL, video_link = NULL WHERE id = %s",
        event_id,
    )


def expire_lease(dsn: str, event_id: str) -> None:
    """Let the lease be over, as if nobody had given a sign of life for long."""
    run_sql(
        dsn,
        "UPDATE events SET lease_expires = clock_timestamp() - interval '1 ms' WHERE id = %s",
        event_id,
    )
