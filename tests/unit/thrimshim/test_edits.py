"""Edits: what is taken, and what the editor is told of what is not."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from thrimshim.edits import (
    Edit,
    InvalidEdit,
    NewEvent,
    Rules,
    changed_given,
    check_link,
    column_values,
    modified_values,
)

RULES = Rules(
    channel="demo",
    quality="source",
    upload_locations=("local", "youtube"),
    default_location="local",
    title_prefix="DB: ",
    title_max_length=20,
)
RANGE = ["2026-07-01T12:00:00", "2026-07-01T12:00:10.5"]


def edit(**changes: Any) -> Edit:
    return Edit.model_validate(
        {"state": "EDITED", "video_ranges": [RANGE], "video_title": "A title", **changes}
    )


def test_a_complete_edit_gets_the_installations_defaults() -> None:
    values = column_values(edit(video_ranges=[RANGE, RANGE]), RULES)
    assert values["video_channel"] == "demo"
    assert values["video_quality"] == "source"
    assert values["upload_location"] == "local"
    assert values["video_transitions"] == [None]
    assert values["video_ranges"][0] == (
        datetime(2026, 7, 1, 12, tzinfo=UTC),
        datetime(2026, 7, 1, 12, 0, 10, 500_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"video_ranges": None}, "video_ranges: choose at least one"),
        ({"video_ranges": []}, "video_ranges: choose at least one"),
        ({"video_ranges": [RANGE, RANGE[::-1]]}, "range 2 ends before it starts"),
        ({"video_ranges": [[RANGE[0], RANGE[0]]]}, "range 1 ends before it starts, or is empty"),
        ({"video_title": " "}, "video_title: give"),
        ({"video_title": "x" * 17}, "it has 17 characters, at most 16 fit"),
        ({"upload_location": "moon"}, "'moon' is none of those there are: local, youtube"),
        (
            {"video_ranges": [RANGE, RANGE], "video_transitions": [["cut", 1]]},
            "video_transitions: transition 1: there is none named 'cut'",
        ),
        (
            {"video_ranges": [RANGE, RANGE], "video_transitions": [["fade", 10.6]]},
            "video_transitions: the one after range 1 is longer",
        ),
        (
            {"video_ranges": [RANGE] * 3, "video_transitions": [["fade", 5.5], ["clock", 5.5]]},
            "video_transitions: the ones before and after range 2 overlap",
        ),
        ({"video_transitions": [None]}, "one between each range and the next"),
        ({"thumbnail_mode": "BARE"}, "thumbnail_time: choose"),
        ({"thumbnail_mode": "TEMPLATE", "thumbnail_time": RANGE[0]}, "thumbnail_template: choose"),
        ({"thumbnail_mode": "CUSTOM"}, "thumbnail_image: give"),
    ],
)
def test_an_edit_that_cannot_be_cut_is_refused_with_the_reason(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidEdit) as caught:
        column_values(edit(**changes), RULES)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "transitions",
    [[None, None], [["fade", 1], None], [["clock", 5], ["wipeleft", 5.5]], [["fade", 10.52], None]],
)
def test_transitions_that_fit_are_taken(transitions: list[object]) -> None:
    # As far as times tell: a transition lasts whole frames, and a range may have one more of them.
    values = column_values(edit(video_ranges=[RANGE] * 3, video_transitions=transitions), RULES)
    assert len(values["video_transitions"]) == 2


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidEdit) as caught:
        column_values(edit(video_ranges=[], video_title="", upload_location="moon"), RULES)
    assert len(caught.value.problems) == 3


def test_a_draft_may_be_incomplete() -> None:
    values = column_values(Edit(state="UNEDITED"), RULES)
    assert values["video_title"] is None
    assert values["upload_location"] is None


def test_a_draft_keeps_its_transitions() -> None:
    draft = edit(state="UNEDITED", video_ranges=[RANGE, RANGE], video_transitions=[["fade", 0.5]])
    assert column_values(draft, RULES)["video_transitions"] == [("fade", timedelta(seconds=0.5))]


@pytest.mark.parametrize(
    "body",
    [
        {"state": "DONE"},
        {"state": "UNEDITED", "video_ranges": [["2026-07-01T12:00:00"]]},
        {"state": "UNEDITED", "video_ranges": [["yesterday", "today"]]},
        {"state": "UNEDITED", "video_ranges": [[0, 1]]},
        {"state": "UNEDITED", "video_transitions": [["fade", "NaN"]]},
        {"state": "UNEDITED", "video_transitions": [["fade", -1]]},
        {"state": "UNEDITED", "video_title": "nul\0"},
        {"state": "UNEDITED", "thumbnail_image": "no base64!"},
        {"state": "UNEDITED", "thumbnail_image": base64.b64encode(b"GIF89a").decode()},
        {"state": "UNEDITED", "thumbnail_crop": [1, 2, 3]},
        {"state": "UNEDITED", "thumbnail_crop": [0, 0, 10, -1]},
    ],
)
def test_values_of_the_wrong_kind_are_refused_even_in_a_draft(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Edit.model_validate(body)


def test_only_given_columns_that_the_editor_sent_are_compared() -> None:
    row = {"notes": "new", "category": "other", "tags": ["a"]}
    seen = edit(notes="old", tags=["a"])
    assert changed_given(seen, row) == {"notes": ("old", "new")}


def test_a_modification_keeps_ranges_out() -> None:
    values = modified_values(edit(state="MODIFIED", video_title="Better"), RULES)
    assert values["video_title"] == "Better"
    assert "video_ranges" not in values


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "ftp://x/y", "https://a b"])
def test_a_link_must_be_an_http_address(link: str) -> None:
    with pytest.raises(InvalidEdit):
        check_link(link)
    assert check_link("https://example.org/v") == "https://example.org/v"


@pytest.mark.parametrize("event_id", ["defaults", "reset", "a/b", "", ".hidden", "x" * 200])
def test_an_id_that_would_not_fit_the_api_is_refused(event_id: str) -> None:
    with pytest.raises(ValidationError):
        NewEvent.model_validate({"id": event_id})


@given(st.text())
def test_any_text_as_a_time_is_taken_or_refused_but_never_an_error_of_ours(text: str) -> None:
    try:
        taken = NewEvent.model_validate({"event_start": text})
    except ValidationError:
        return
    assert taken.event_start is not None
    assert taken.event_start.tzinfo is not None
