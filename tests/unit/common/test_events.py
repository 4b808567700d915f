"""The table of transitions."""

import pytest

from common.events import (
    EDIT_COLUMNS,
    GIVEN_COLUMNS,
    MODIFIABLE_COLUMNS,
    RESETTABLE,
    STATE_COLUMNS,
    TRANSITIONS,
    EventState,
    may_become,
)

STEPS = {
    "UNEDITED": "EDITED DONE",
    "EDITED": "UNEDITED CLAIMED",
    "CLAIMED": "EDITED UNEDITED FINALIZING",
    "FINALIZING": "EDITED UNEDITED TRANSCODING DONE",
    "TRANSCODING": "DONE UNEDITED",
    "DONE": "MODIFIED",
    "MODIFIED": "DONE",
}


@pytest.mark.parametrize("old", EventState)
@pytest.mark.parametrize("new", EventState)
def test_exactly_these_steps_are_allowed_and_with_force_also_every_reset(
    old: EventState, new: EventState
) -> None:
    allowed = new.value in STEPS[old.value].split()
    assert may_become(old, new) == allowed
    assert may_become(old, new, force=True) == (allowed or new is EventState.UNEDITED)


def reachable(start: EventState) -> set[EventState]:
    found, frontier = {start}, {start}
    while frontier:
        frontier = {new for old, new in TRANSITIONS if old in frontier} - found
        found |= frontier
    return found


def test_every_state_can_be_reached_and_leads_to_a_published_video() -> None:
    assert reachable(EventState.UNEDITED) == set(EventState)
    assert all(EventState.DONE in reachable(state) for state in EventState)


def test_what_is_published_is_never_reset_without_force() -> None:
    assert all(may_become(state, EventState.UNEDITED) for state in RESETTABLE)
    published = {EventState.DONE, EventState.MODIFIED}
    assert not any(may_become(state, EventState.UNEDITED) for state in published)


def test_each_column_is_of_one_kind() -> None:
    columns = [*GIVEN_COLUMNS, *EDIT_COLUMNS, *STATE_COLUMNS]
    assert len(columns) == len(set(columns))
    assert set(MODIFIABLE_COLUMNS) < set(EDIT_COLUMNS)
