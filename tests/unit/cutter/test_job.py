"""Where an event goes after each failure and each answer."""

import itertools

import pytest

from common.errors import (
    BadParameter,
    DatabaseUnavailable,
    HolesNotAllowed,
    LeaseLost,
    MediaError,
)
from common.events import EventState, may_become
from cutter.job import (
    MEDIA_ATTEMPTS,
    Answer,
    Failure,
    Stopping,
    after_answer,
    after_failure,
    classify,
)

UNDER_A_LEASE = (
    EventState.CLAIMED,
    EventState.FINALIZING,
    EventState.TRANSCODING,
    EventState.MODIFIED,
)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (BadParameter("video_ranges", "ends before it starts"), Failure.NOT_AS_EDITED),
        (HolesNotAllowed("2 s are missing"), Failure.MISSING_HERE),
        (MediaError("no keyframe"), Failure.MEDIA),
        (MediaError("[Errno 28] No space left on device: 'v.mp4'"), Failure.NODE),
        (OSError(28, "No space left on device"), Failure.NODE),
        (DatabaseUnavailable("connection refused"), Failure.NODE),
        (RuntimeError("a defect of ours"), Failure.NODE),
        (Stopping("the service stops"), Failure.STOPPING),
        (LeaseLost("reset"), Failure.LEASE_LOST),
    ],
)
def test_each_error_is_one_kind_of_failure(error: Exception, failure: Failure) -> None:
    assert classify(error) is failure


@pytest.mark.parametrize(
    ("failure", "attempts", "state"),
    [
        (Failure.NOT_AS_EDITED, 1, EventState.UNEDITED),
        (Failure.MISSING_HERE, 1, EventState.EDITED),
        (Failure.MISSING_HERE, 99, EventState.EDITED),
        (Failure.MEDIA, 1, EventState.EDITED),
        (Failure.MEDIA, MEDIA_ATTEMPTS - 1, EventState.EDITED),
        (Failure.MEDIA, MEDIA_ATTEMPTS, EventState.UNEDITED),
        (Failure.NODE, 1, EventState.EDITED),
        (Failure.NODE, 99, EventState.EDITED),
        (Failure.STOPPING, 0, EventState.EDITED),
        (Failure.LEASE_LOST, 0, None),
    ],
)
def test_a_failed_cut_goes_back_to_cutters_or_to_an_editor(
    failure: Failure, attempts: int, state: EventState | None
) -> None:
    decision = after_failure(EventState.CLAIMED, failure, reason="because", attempts=attempts)
    assert decision.state is state


def test_an_editor_always_reads_why() -> None:
    for failure in Failure:
        decision = after_failure(
            EventState.CLAIMED, failure, reason="the tape tore", attempts=MEDIA_ATTEMPTS
        )
        if decision.state is EventState.UNEDITED:
            assert decision.error is not None
            assert "the tape tore" in decision.error


def test_an_event_that_waits_for_segments_tells_what_an_editor_can_do() -> None:
    decision = after_failure(EventState.CLAIMED, Failure.MISSING_HERE, reason="2 s are missing")
    assert decision.error is not None
    assert "2 s are missing" in decision.error
    assert "allow holes" in decision.error


@pytest.mark.parametrize("failure", [f for f in Failure if f is not Failure.LEASE_LOST])
@pytest.mark.parametrize("state", UNDER_A_LEASE[1:])
def test_past_the_cut_no_failure_decides_anything(state: EventState, failure: Failure) -> None:
    assert after_failure(state, failure, attempts=99).state is state


@pytest.mark.parametrize("state", UNDER_A_LEASE)
def test_who_has_lost_the_lease_changes_nothing(state: EventState) -> None:
    assert after_failure(state, Failure.LEASE_LOST).state is None


@pytest.mark.parametrize(
    ("state", "answer", "following"),
    [
        (EventState.FINALIZING, Answer.PUBLISHED, EventState.DONE),
        (EventState.FINALIZING, Answer.PROCESSING, EventState.TRANSCODING),
        (EventState.FINALIZING, Answer.ABSENT, EventState.EDITED),
        (EventState.FINALIZING, Answer.REFUSED, EventState.UNEDITED),
        (EventState.TRANSCODING, Answer.PUBLISHED, EventState.DONE),
        (EventState.TRANSCODING, Answer.PROCESSING, EventState.TRANSCODING),
        (EventState.TRANSCODING, Answer.ABSENT, EventState.UNEDITED),
        (EventState.TRANSCODING, Answer.REFUSED, EventState.UNEDITED),
    ],
)
def test_the_upload_locations_answer_decides(
    state: EventState, answer: Answer, following: EventState
) -> None:
    decision = after_answer(state, answer, reason="copyright")
    assert decision.state is following
    assert ("copyright" in (decision.error or "")) is (following is EventState.UNEDITED)


@pytest.mark.parametrize(
    "state", [s for s in EventState if s not in {EventState.FINALIZING, EventState.TRANSCODING}]
)
def test_nothing_is_asked_where_nothing_was_uploaded(state: EventState) -> None:
    with pytest.raises(ValueError, match=state.value):
        after_answer(state, Answer.PUBLISHED)


def test_every_decision_is_a_step_of_the_table_of_transitions() -> None:
    failures = itertools.product(UNDER_A_LEASE, Failure, (1, MEDIA_ATTEMPTS))
    steps = [(state, after_failure(state, f, attempts=n).state) for state, f, n in failures]
    asked = itertools.product((EventState.FINALIZING, EventState.TRANSCODING), Answer)
    steps += [(state, after_answer(state, answer).state) for state, answer in asked]
    for old, new in steps:
        assert new is None or new is old or may_become(old, new), (old, new)
