"""All SQL of thrimshim. Each function runs in the caller's transaction.

Column names are never taken from a request: they come from the tuples in `common.events`.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg2.extras import RealDictCursor

from common.events import EDIT_COLUMNS, GIVEN_COLUMNS, STATE_COLUMNS, EventState

Row = Mapping[str, Any]

# Images are large; a list of all events does without them.
LISTED_COLUMNS = (
    "id",
    *GIVEN_COLUMNS,
    *(name for name in EDIT_COLUMNS if name != "thumbnail_image"),
    *STATE_COLUMNS,
)
ALL_COLUMNS = ("id", *GIVEN_COLUMNS, *EDIT_COLUMNS, *STATE_COLUMNS)

_CASTS = {
    "video_ranges": "::video_range[]",
    "video_transitions": "::video_transition[]",
    "thumbnail_mode": "::thumbnail_mode",
    "thumbnail_crop": "::integer[]",
    "thumbnail_location": "::integer[]",
}

# What an event loses when it goes back to the beginning; the audit keeps it.
_NO_WORK = """
    state = 'UNEDITED', uploader = NULL, error = NULL, video_id = NULL, video_link = NULL,
    upload_time = NULL, lease_token = NULL, lease_expires = NULL, retry_after = NULL,
    frames_done = 0, frames_total = 0, upload_session = NULL, thumbnail_last_written = NULL
"""


def list_events(
    cursor: RealDictCursor,
    *,
    state: EventState | None = None,
    category: str | None = None,
    modified_since: datetime | None = None,
) -> list[Row]:
    """All events that match, by start."""
    cursor.execute(
        f"""
        SELECT {", ".join(LISTED_COLUMNS)} FROM events
        WHERE (%(state)s IS NULL OR state = %(state)s::event_state)
          AND (%(category)s IS NULL OR category = %(category)s)
          AND (%(since)s::timestamptz IS NULL OR last_modified >= %(since)s)
        ORDER BY event_start NULLS LAST, id
        """,  # noqa: S608 - names of columns, from constants
        {"state": state.value if state else None, "category": category, "since": modified_since},
    )
    return list(cursor)


def count_events(cursor: RealDictCursor) -> list[Row]:
    """For each state, also those that no event is in: how many events there are, and the longest
    time since the edit of one that still waits for a cutter or an upload location.
    """
    cursor.execute(
        """
        SELECT state::text, count(id) AS events,
            coalesce(
                extract(
                    epoch FROM clock_timestamp() - min(edit_time)
                        FILTER (WHERE state NOT IN ('UNEDITED', 'DONE'))
                ),
                0
            )::float AS longest_wait_seconds
        FROM unnest(enum_range(NULL::event_state)) AS state LEFT JOIN events USING (state)
        GROUP BY state
        """
    )
    return list(cursor)


def how_safe(cursor: RealDictCursor) -> Row:
    """How many standbys follow and how many should and do not, whether commits wait for one, and
    whether archiving WAL fails now.

    Of standbys that connect as another user Postgres tells only its administrators.
    """
    cursor.execute(
        """
        SELECT (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming') AS standbys,
            (
                SELECT count(*) FROM pg_replication_slots
                WHERE slot_type = 'physical' AND NOT temporary AND NOT active
            ) AS standbys_away,
            current_setting('synchronous_standby_names') <> '' AS synchronous,
            coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
                AS archive_failing
        FROM pg_stat_archiver
        """
    )
    (row,) = cursor
    return dict(row)


def get_event(cursor: RealDictCursor, event_id: str, *, lock: bool = False) -> Row | None:
    """One event, or None. With `lock` nobody else changes it until the transaction ends."""
    cursor.execute(
        f"SELECT {', '.join(ALL_COLUMNS)} FROM events WHERE id = %s"  # noqa: S608
        + (" FOR UPDATE" if lock else ""),
        (event_id,),
    )
    row: Row | None = cursor.fetchone()
    return row


def create_event(cursor: RealDictCursor, event_id: str, given: Mapping[str, Any]) -> bool:
    """Returns False if there is an event of that id."""
    names = list(given)
    cursor.execute(
        f"""
        INSERT INTO events (id, {", ".join(names)})
        VALUES (%(id)s, {", ".join(f"%({name})s" for name in names)})
        ON CONFLICT (id) DO NOTHING
        """,  # noqa: S608
        {"id": event_id, **given},
    )
    return bool(cursor.rowcount)


def save_edit(
    cursor: RealDictCursor,
    event_id: str,
    *,
    expected: EventState,
    state: EventState,
    editor: str,
    values: Mapping[str, Any],
) -> bool:
    """Store an edit and move the event on; False if it is not in the `expected` state."""
    assignments = ", ".join(f"{name} = %({name})s{_CASTS.get(name, '')}" for name in values)
    cursor.execute(
        f"""
        UPDATE events SET {assignments}, state = %(_state)s::event_state, error = NULL,
            retry_after = NULL, editor = %(_editor)s, edit_time = now()
        WHERE id = %(_id)s AND state = %(_expected)s::event_state
        """,  # noqa: S608
        {
            **values,
            "_id": event_id,
            "_state": state.value,
            "_editor": editor,
            "_expected": expected.value,
        },
    )
    return bool(cursor.rowcount)


def link_manually(
    cursor: RealDictCursor, event_id: str, *, link: str, upload_location: str, editor: str
) -> bool:
    """UNEDITED to DONE with the link of a video that exists; False in any other state."""
    cursor.execute(
        """
        UPDATE events SET state = 'DONE', video_link = %s, upload_location = %s, editor = %s,
            edit_time = now(), upload_time = now(), error = NULL
        WHERE id = %s AND state = 'UNEDITED'
        """,
        (link, upload_location, editor, event_id),
    )
    return bool(cursor.rowcount)


def reset_event(cursor: RealDictCursor, event_id: str, *, force: bool) -> bool:
    """Back to UNEDITED; without `force` only what is not yet published. False otherwise."""
    cursor.execute(
        f"""
        UPDATE events SET {_NO_WORK}
        WHERE id = %s AND (%s OR state IN ('EDITED', 'CLAIMED'))
        """,  # noqa: S608
        (event_id, force),
    )
    return bool(cursor.rowcount)


def event_history(cursor: RealDictCursor, event_id: str) -> list[Row]:
    """Who changed what, oldest first."""
    cursor.execute(
        "SELECT at, actor, operation, changes FROM event_audit WHERE event_id = %s ORDER BY number",
        (event_id,),
    )
    return list(cursor)


def token_owner(cursor: RealDictCursor, token: str) -> str | None:
    """The name that an API token was made for, or None. Notes that it was used."""
    cursor.execute(
        "UPDATE api_tokens SET last_used = now() WHERE token_sha256 = %s RETURNING name",
        (hash_token(token),),
    )
    row = cursor.fetchone()
    return row["name"] if row else None


def create_token(cursor: RealDictCursor, name: str, token: str) -> bool:
    """Returns False if there is a token of that name."""
    cursor.execute(
        "INSERT INTO api_tokens (name, token_sha256) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
        (name, hash_token(token)),
    )
    return bool(cursor.rowcount)


def revoke_token(cursor: RealDictCursor, name: str) -> bool:
    """Returns False if there is no token of that name."""
    cursor.execute("DELETE FROM api_tokens WHERE name = %s", (name,))
    return bool(cursor.rowcount)


def list_tokens(cursor: RealDictCursor) -> list[Row]:
    cursor.execute("SELECT name, created, last_used FROM api_tokens ORDER BY name")
    return list(cursor)


def hash_token(token: str) -> bytes:
    """Tokens are long and random, so a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).digest()
