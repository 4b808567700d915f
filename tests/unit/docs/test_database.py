"""docs/DATABASE.md has every table, column, constraint, state and step."""

import re

from common.db.database import MIGRATIONS
from common.events import (
    EDIT_COLUMNS,
    EVENTS_CHANNEL,
    GIVEN_COLUMNS,
    STATE_COLUMNS,
    TRANSITIONS,
    EventState,
)
from tests.support.documents import read_document, sections, table_rows

TEXT = read_document("docs/DATABASE.md")
DOCUMENT = sections(TEXT, level=2)
DETAILS = sections(TEXT, level=3)

SCHEMA = "\n".join(
    path.read_text("utf-8")
    for path in sorted(MIGRATIONS.glob("*.sql"))
    if not path.name.endswith(".rollback.sql")
)
_EVENTS = re.search(r"CREATE TABLE events \((.*?)\n\);", SCHEMA, re.DOTALL)


def first_cells(text: str) -> set[str]:
    return {name.strip(" `") for row in table_rows(text) for name in row[0].split(",")}


def test_each_table_is_described() -> None:
    # The text of a section begins with its own table, before the first heading below it.
    tables = DOCUMENT["Tables"].split("### ")[0]
    assert first_cells(tables) == set(re.findall(r"CREATE TABLE (\w+)", SCHEMA))


def test_each_column_of_an_event_is_described() -> None:
    assert _EVENTS
    columns = set(re.findall(r"^    ([a-z]\w*) [a-z]", _EVENTS.group(1), re.MULTILINE))
    assert columns >= {"id", *GIVEN_COLUMNS, *EDIT_COLUMNS, *STATE_COLUMNS}
    assert first_cells(DETAILS["Columns"]) == columns


def test_each_constraint_is_described() -> None:
    constraints = set(re.findall(r"CONSTRAINT (\w+)", SCHEMA))
    assert first_cells(DETAILS["What the schema refuses"]) == constraints


def test_each_state_and_each_step_is_described() -> None:
    names = {state.value for state in EventState}
    steps = {
        (row[0].strip("`"), row[1].strip("`"))
        for row in table_rows(DOCUMENT["States"])
        if row[1].strip("`") in names
    }
    assert steps == {(old.value, new.value) for old, new in TRANSITIONS}
    assert first_cells(DOCUMENT["States"]) >= names


def test_the_schema_has_the_same_states() -> None:
    found = re.search(r"CREATE TYPE event_state AS ENUM \((.*?)\)", SCHEMA, re.DOTALL)
    assert found
    assert re.findall(r"'(\w+)'", found.group(1)) == [state.value for state in EventState]


def test_the_channel_of_notifications_is_described() -> None:
    assert f"NOTIFY {EVENTS_CHANNEL}" in DOCUMENT["Notifications"]
    assert f"pg_notify('{EVENTS_CHANNEL}'" in SCHEMA
