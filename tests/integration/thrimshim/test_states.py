"""What editors may do to an event in each of its states."""

from collections.abc import Mapping
from typing import Any

import pytest

from common.events import EventState
from tests.support.event_rows import add_edited, read_event, run_sql, state_of
from tests.support.thrimshim import EDIT, RANGE, Api

LINK = "https://example.org/old"
UPLOADER = {"uploader": "cutter-1"}
LEASE = {
    "lease_token": "0a1b2c3d-0000-4000-8000-000000000000",
    "lease_expires": "2099-01-01T00:00:00Z",
}
SESSION = {"upload_session": '{"file": "x.mp4"}'}
PUBLISHED = {"video_link": LINK, "video_id": "old"}
ROWS: Mapping[str, Mapping[str, object]] = {
    "UNEDITED": {"error": "the second range has a hole"},
    "EDITED": {},
    "CLAIMED": {**UPLOADER, **LEASE, "frames_done": 5, "frames_total": 9},
    "FINALIZING": {**UPLOADER, **SESSION},
    "TRANSCODING": {**UPLOADER, **PUBLISHED},
    "DONE": {**UPLOADER, **PUBLISHED},
    "MODIFIED": {**UPLOADER, **PUBLISHED},
}
"""Columns that an event in that state has."""

WORK = (
    "uploader", "error", "video_id", "video_link", "upload_time", "lease_token", "lease_expires",
    "retry_after", "upload_session",
)  # fmt: skip

BODIES: Mapping[str, Mapping[str, Any]] = {
    "draft": {"state": "UNEDITED", "video_title": "A draft"},
    "edit": EDIT,
    "modification": {"state": "MODIFIED", "video_title": "Better"},
}
TAKEN = {
    ("UNEDITED", "draft"): "UNEDITED",
    ("UNEDITED", "edit"): "EDITED",
    ("DONE", "modification"): "MODIFIED",
    ("MODIFIED", "modification"): "MODIFIED",
}
"""What is taken in which state, and the state that it leads to; everything else is refused."""


def add(dsn: str, state: str) -> None:
    add_edited(dsn, state.lower(), state=state, **ROWS[state])


def test_each_kind_of_edit_is_taken_in_its_states_only(api: Api, database_dsn: str) -> None:
    for state in ROWS:
        for kind, body in BODIES.items():
            run_sql(database_dsn, "DELETE FROM events")
            add(database_dsn, state)
            before = read_event(database_dsn, state.lower())
            answer = api.post(f"/{state.lower()}", body)
            expected = TAKEN.get((state, kind))
            if expected:
                assert answer.status_code == 201, (state, kind, answer.text)
                assert state_of(database_dsn, state.lower()) == expected
            else:
                assert answer.status_code == 409, (state, kind)
                assert answer.text.startswith(f"the event is {state}: ")
                assert read_event(database_dsn, state.lower()) == before


def test_a_link_is_taken_while_unedited_only(api: Api, database_dsn: str) -> None:
    for state in ROWS:
        add(database_dsn, state)
        answer = api.post(f"/manual-link/{state.lower()}", {"link": "https://example.org/new"})
        assert answer.status_code == (201 if state == "UNEDITED" else 409), answer.text
    linked = read_event(database_dsn, "unedited")
    assert (linked["state"], linked["video_link"]) == ("DONE", "https://example.org/new")
    assert (linked["upload_location"], linked["error"]) == ("manual", None)
    assert read_event(database_dsn, "done")["video_link"] == LINK


@pytest.mark.parametrize("state", ROWS)
def test_a_reset_takes_all_work_away_and_what_is_published_needs_force(
    api: Api, database_dsn: str, state: str
) -> None:
    add(database_dsn, state)
    before = read_event(database_dsn, state.lower())
    plain = api.post(f"/reset/{state.lower()}")
    if state in {"EDITED", "CLAIMED"}:
        assert plain.status_code == 201
    else:
        assert plain.status_code == 409
        assert plain.text.startswith(f"the event is {state}; without force=true only CLAIMED,")
        assert read_event(database_dsn, state.lower()) == before
        assert api.post(f"/reset/{state.lower()}?force=true").status_code == 201
    after = read_event(database_dsn, state.lower())
    assert after["state"] == "UNEDITED"
    assert {name: after[name] for name in WORK} == dict.fromkeys(WORK)
    assert (after["frames_done"], after["frames_total"]) == (0, 0)
    assert (after["video_ranges"], after["video_title"]) == (
        before["video_ranges"],
        before["video_title"],
    )
    if before["video_link"]:
        assert LINK in api.get(f"/{state.lower()}/history").text


def test_the_rows_above_are_of_all_states() -> None:
    assert set(ROWS) == {state.value for state in EventState}


def test_all_columns_that_changed_meanwhile_are_told_with_what_was_and_is(api: Api) -> None:
    event_id = api.create(
        notes="now", tags=["a", "b"], event_start="2026-07-01T12:00:00Z", poster_moment=True
    )
    seen = {
        "notes": "before",
        "tags": ["a"],
        "event_start": "2026-07-01T11:00:00Z",
        "poster_moment": True,  # as it is
    }
    for body in BODIES["draft"], EDIT:
        answer = api.post(f"/{event_id}", {**body, **seen})
        assert answer.status_code == 409
        assert answer.text.splitlines() == [
            "the event was changed while you were editing it:",
            'event_start: was "2026-07-01T11:00:00.000000", is now "2026-07-01T12:00:00.000000"',
            'notes: was "before", is now "now"',
            'tags: was ["a"], is now ["a", "b"]',
            "look at the changes and submit again with override_changes",
        ]
    assert api.event(event_id)["video_title"] is None
    assert api.post(f"/{event_id}", {**EDIT, **seen, "override_changes": True}).status_code == 201
    event = api.event(event_id)
    assert (event["state"], event["notes"], event["tags"]) == ("EDITED", "now", ["a", "b"])


def test_what_an_editor_got_can_be_posted_as_it_is(api: Api) -> None:
    event_id = api.create(description="d", event_start="2026-07-01T12:00:00.5Z", tags=["x"])
    seen = api.event(event_id)
    assert api.post(f"/{event_id}", {**seen, **EDIT}).status_code == 201


@pytest.mark.parametrize(
    ("transitions", "reason"),
    [
        ([["fade", 59]], "the one after range 1 is longer than that range"),
        ([["no such transition", 1]], "there is none named 'no such transition'"),
        ([["fade", 0]], "video_transitions"),
        ([["fade"]], "video_transitions"),
        (["fade"], "video_transitions"),
        ([None, None], "there is one between each range and the next"),
        ([], "there is one between each range and the next"),
    ],
)
def test_transitions_that_cannot_be_cut_are_refused_with_the_reason(
    api: Api, transitions: list[object], reason: str
) -> None:
    event_id = api.create()
    ranges = [RANGE, RANGE]
    body = {**EDIT, "video_ranges": ranges, "video_transitions": transitions}
    answer = api.post(f"/{event_id}", body)
    assert answer.status_code == 400
    assert reason in answer.text
    assert api.event(event_id)["state"] == "UNEDITED"
