"""The cutter's SQL on a real Postgres: who may take what, and that a lost lease changes nothing."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import NamedTuple

import psycopg2
import pytest
from prometheus_client import CollectorRegistry

from common.db.database import Database
from common.errors import DatabaseUnavailable, LeaseLost
from common.events import EventState
from common.times import TimeRange
from cutter.event import Event, Lease
from cutter.queue import EventQueue
from tests.support.event_rows import (
    A_RANGE,
    EDIT_TIME,
    add_edited,
    expire_lease,
    read_event,
    reset,
    run_sql,
    state_of,
    states_gone_through,
)

SESSION = {"backend": "local", "name": "video.mp4"}


class Cutters(NamedTuple):
    """Two cutters of one cluster, and the address of their database."""

    first: EventQueue
    second: EventQueue
    dsn: str


@pytest.fixture
def cutters(database_dsn: str) -> Iterator[Cutters]:
    databases = [
        Database(database_dsn, application="test", registry=CollectorRegistry()) for _ in range(2)
    ]
    first, second = (
        EventQueue(database, name=name, locations=["local"], lease_seconds=30)
        for name, database in zip(("first", "second"), databases, strict=True)
    )
    yield Cutters(first, second, database_dsn)
    for database in databases:
        database.close()


def only(events: list[Event]) -> Event:
    assert len(events) == 1
    return events[0]


def claimed(cutters: Cutters, event_id: str = "e") -> tuple[Event, Lease]:
    """An event in the hands of the first cutter."""
    add_edited(cutters.dsn, event_id)
    event = only(cutters.first.waiting())
    lease = cutters.first.claim(event)
    assert lease is not None
    return event, lease


def finalizing(cutters: Cutters) -> tuple[Event, Lease]:
    event, lease = claimed(cutters)
    cutters.first.finalize(lease, SESSION, frames=120)
    return event, lease


def done(cutters: Cutters) -> None:
    _, lease = finalizing(cutters)
    cutters.first.publish(lease, EventState.DONE, video_id="v", video_link="https://v/")


def modified(cutters: Cutters) -> Event:
    done(cutters)
    run_sql(cutters.dsn, "UPDATE events SET state = 'MODIFIED', video_title = 'Better'")
    return only(cutters.second.unsettled())


def test_a_waiting_event_says_all_that_its_cut_needs(cutters: Cutters) -> None:
    later = TimeRange(A_RANGE.end + 10, A_RANGE.end + 20)
    add_edited(cutters.dsn, "e", A_RANGE, later, allow_holes=True)
    event = only(cutters.first.waiting())
    assert (event.id, event.state, event.location) == ("e", EventState.EDITED, "local")
    assert (event.channel, event.quality, event.allow_holes) == ("demo", "source", True)
    assert (event.title, event.tags) == ("Title of e", ("tag one", "two"))
    assert event.edit_time == EDIT_TIME
    assert event.transitions == (None,)
    assert [(r.end - r.start) for r in event.ranges] == [
        timedelta(seconds=2),
        timedelta(microseconds=10),
    ]


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "UNEDITED"},
        {"upload_location": "youtube"},
        {"uploader_whitelist": ["second", "third"]},
        {"retry_after": "2999-01-01T00:00:00Z"},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_what_is_not_for_this_cutter_is_not_offered(
    cutters: Cutters, columns: dict[str, object]
) -> None:
    add_edited(cutters.dsn, "e", **columns)
    assert cutters.first.waiting() == []


@pytest.mark.parametrize("whitelist", [None, [], ["second", "first"]])
def test_a_whitelist_binds_only_where_it_names_cutters(
    cutters: Cutters, whitelist: list[str] | None
) -> None:
    add_edited(cutters.dsn, "e", uploader_whitelist=whitelist)
    assert only(cutters.first.waiting()).id == "e"


def test_the_longest_waiting_comes_first(cutters: Cutters) -> None:
    for event_id, seconds in (("b", 20), ("a", 30), ("c", 10)):
        add_edited(cutters.dsn, event_id, edit_time=EDIT_TIME + timedelta(seconds=seconds))
    assert [event.id for event in cutters.first.waiting()] == ["c", "b", "a"]


def test_of_two_cutters_one_gets_the_event(cutters: Cutters) -> None:
    add_edited(cutters.dsn, "e", error="what was wrong before")
    event = only(cutters.first.waiting())
    leases = [cutters.first.claim(event), cutters.second.claim(event)]
    assert leases[0] is not None
    assert leases[1] is None
    row = read_event(cutters.dsn, "e")
    assert (row["state"], row["uploader"], row["error"]) == ("CLAIMED", "first", None)
    assert row["lease_token"] == leases[0].token


def test_a_row_that_another_transaction_holds_is_skipped_and_not_waited_for(
    cutters: Cutters,
) -> None:
    add_edited(cutters.dsn, "e")
    event = only(cutters.first.waiting())
    with closing(psycopg2.connect(cutters.dsn)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT 1 FROM events FOR UPDATE")
        assert cutters.first.claim(event) is None
        holder.rollback()
    assert cutters.first.claim(event) is not None


def test_an_event_that_was_edited_anew_is_not_claimed_for_the_old_edit(cutters: Cutters) -> None:
    add_edited(cutters.dsn, "e")
    event = only(cutters.first.waiting())
    run_sql(cutters.dsn, "UPDATE events SET edit_time = edit_time + interval '1 s'")
    assert cutters.first.claim(event) is None


def test_a_claim_whose_lease_ran_out_is_anyones(cutters: Cutters) -> None:
    _, lease = claimed(cutters)
    assert cutters.second.expire_claims() == 0
    expire_lease(cutters.dsn, "e")
    assert cutters.second.expire_claims() == 1
    taken = cutters.second.claim(only(cutters.second.waiting()))
    assert taken is not None
    assert taken.token != lease.token
    assert states_gone_through(cutters.dsn, "e") == ["EDITED", "CLAIMED", "EDITED", "CLAIMED"]


def test_a_heartbeat_holds_the_lease_and_tells_the_progress(cutters: Cutters) -> None:
    _, lease = claimed(cutters)
    before = read_event(cutters.dsn, "e")
    cutters.first.heartbeat(lease, frames_done=30, frames_total=120)
    after = read_event(cutters.dsn, "e")
    assert after["lease_expires"] > before["lease_expires"]
    assert (after["frames_done"], after["frames_total"]) == (30, 120)
    assert after["last_modified"] == before["last_modified"], "progress is no modification"


def test_a_heartbeat_after_the_expiry_is_too_late(cutters: Cutters) -> None:
    _, lease = claimed(cutters)
    expire_lease(cutters.dsn, "e")
    with pytest.raises(LeaseLost):
        cutters.first.heartbeat(lease, frames_done=0, frames_total=0)


def test_finalizing_stores_what_is_needed_to_ask_and_may_be_said_twice(cutters: Cutters) -> None:
    _, lease = finalizing(cutters)
    cutters.first.finalize(lease, SESSION, frames=120)
    row = read_event(cutters.dsn, "e")
    assert (row["state"], row["upload_session"]) == ("FINALIZING", SESSION)


def test_publishing_ends_the_lease_and_says_where_the_video_is(cutters: Cutters) -> None:
    done(cutters)
    row = read_event(cutters.dsn, "e")
    assert (row["state"], row["video_id"], row["video_link"]) == ("DONE", "v", "https://v/")
    assert row["lease_token"] is None
    assert row["upload_time"] is not None
    assert row["uploader"] == "first"


@pytest.mark.parametrize("state", [EventState.EDITED, EventState.UNEDITED])
def test_giving_back_leaves_nothing_of_the_attempt(cutters: Cutters, state: EventState) -> None:
    _, lease = finalizing(cutters)
    cutters.first.give_back(lease, state, error="because")
    row = read_event(cutters.dsn, "e")
    assert (row["state"], row["error"]) == (state.value, "because")
    assert [row[name] for name in ("uploader", "lease_token", "upload_session", "video_link")] == [
        None
    ] * 4


def test_what_is_under_a_lease_is_nobody_elses_to_settle(cutters: Cutters) -> None:
    finalizing(cutters)
    assert cutters.second.unsettled() == []
    expire_lease(cutters.dsn, "e")
    event = only(cutters.second.unsettled())
    assert event.session == SESSION
    assert cutters.second.adopt(event) is not None
    assert cutters.first.adopt(event) is None
    assert state_of(cutters.dsn, "e") == "FINALIZING"


def test_a_postponed_event_waits_without_a_lease(cutters: Cutters) -> None:
    event, lease = finalizing(cutters)
    cutters.first.postpone(lease, retry_seconds=3600)
    assert cutters.second.unsettled() == []
    run_sql(cutters.dsn, "UPDATE events SET retry_after = now()")
    assert only(cutters.second.unsettled()).id == event.id


def test_a_change_is_applied_once(cutters: Cutters) -> None:
    event = modified(cutters)
    lease = cutters.second.adopt(event)
    assert lease is not None
    assert cutters.first.adopt(event) is None
    cutters.second.applied(lease, event)
    row = read_event(cutters.dsn, "e")
    assert (row["state"], row["video_link"]) == ("DONE", "https://v/")


def test_a_change_that_was_changed_once_more_is_not_called_applied(cutters: Cutters) -> None:
    event = modified(cutters)
    lease = cutters.second.adopt(event)
    assert lease is not None
    run_sql(cutters.dsn, "UPDATE events SET edit_time = edit_time + interval '1 s'")
    with pytest.raises(LeaseLost):
        cutters.second.applied(lease, event)
    assert state_of(cutters.dsn, "e") == "MODIFIED"


def test_a_change_to_a_video_that_was_published_by_other_means_is_offered_to_all(
    cutters: Cutters,
) -> None:
    add_edited(
        cutters.dsn, "e", state="MODIFIED", upload_location="manual", video_link="https://v/"
    )
    assert only(cutters.first.unsettled()).session is None


def test_the_reason_for_waiting_is_told_once_and_only_while_it_waits(cutters: Cutters) -> None:
    add_edited(cutters.dsn, "e")
    event = only(cutters.first.waiting())
    cutters.first.explain_waiting(event, "2 s are missing")
    cutters.second.explain_waiting(event, "3 s are missing")
    assert read_event(cutters.dsn, "e")["error"] == "2 s are missing"
    assert cutters.first.claim(event) is not None
    cutters.second.explain_waiting(event, "3 s are missing")
    assert read_event(cutters.dsn, "e")["error"] is None


LEASED_STATEMENTS: dict[str, Callable[[EventQueue, Lease, Event], None]] = {
    "heartbeat": lambda queue, lease, _: queue.heartbeat(lease, frames_done=1, frames_total=2),
    "finalize": lambda queue, lease, _: queue.finalize(lease, SESSION, frames=120),
    "publish": lambda queue, lease, _: queue.publish(
        lease, EventState.DONE, video_id="v", video_link="https://v/"
    ),
    "applied": lambda queue, lease, event: queue.applied(lease, event),
    "give_back": lambda queue, lease, _: queue.give_back(lease, EventState.EDITED, error=None),
    "postpone": lambda queue, lease, _: queue.postpone(lease, retry_seconds=1),
}


@pytest.mark.parametrize("name", LEASED_STATEMENTS)
@pytest.mark.parametrize("how", ["reset", "taken over"])
def test_without_the_lease_no_statement_changes_anything(
    cutters: Cutters, name: str, how: str
) -> None:
    event, lease = claimed(cutters)
    if how == "reset":
        reset(cutters.dsn, "e")
    else:
        expire_lease(cutters.dsn, "e")
        cutters.second.expire_claims()
        assert cutters.second.claim(only(cutters.second.waiting())) is not None
    before = read_event(cutters.dsn, "e")
    with pytest.raises(LeaseLost):
        LEASED_STATEMENTS[name](cutters.first, lease, event)
    assert read_event(cutters.dsn, "e") == before


def test_every_change_names_its_cutter_in_the_audit(cutters: Cutters) -> None:
    done(cutters)
    rows = run_sql(cutters.dsn, "SELECT DISTINCT actor FROM event_audit WHERE operation = 'UPDATE'")
    assert [row["actor"] for row in rows] == ["cutter first"]


def test_a_database_that_is_away_is_one_of_our_errors() -> None:
    database = Database(
        "postgresql://nobody@127.0.0.1:1/nothing", application="test", registry=CollectorRegistry()
    )
    queue = EventQueue(database, name="first", locations=["local"], lease_seconds=30)
    with pytest.raises(DatabaseUnavailable):
        queue.waiting()
