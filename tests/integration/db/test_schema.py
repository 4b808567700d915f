"""What the migrations say and what the code says are the same."""

from common.events import (
    EDIT_COLUMNS,
    GIVEN_COLUMNS,
    STATE_COLUMNS,
    THUMBNAIL_MODES,
    EventState,
)
from tests.support.event_rows import run_sql

INTERNAL = {"lease_token", "lease_expires", "retry_after", "upload_session"}
"""Columns that no editor sees."""


def enum_values(dsn: str, name: str) -> list[str]:
    rows = run_sql(
        dsn,
        "SELECT enumlabel AS value FROM pg_enum WHERE enumtypid = %s::regtype"
        " ORDER BY enumsortorder",
        name,
    )
    return [row["value"] for row in rows]


def test_the_states_and_modes_of_the_schema_are_those_of_the_code(database_dsn: str) -> None:
    assert enum_values(database_dsn, "event_state") == [state.value for state in EventState]
    assert enum_values(database_dsn, "thumbnail_mode") == list(THUMBNAIL_MODES)


def test_every_column_of_an_event_is_known_to_the_code(database_dsn: str) -> None:
    rows = run_sql(
        database_dsn,
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'events'",
    )
    known = {"id", *GIVEN_COLUMNS, *EDIT_COLUMNS, *STATE_COLUMNS}
    assert {row["name"] for row in rows} == known | INTERNAL
