"""What thrimshim tells of the events, and that it survives what it cannot see."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import gevent
import pytest
from prometheus_client import CollectorRegistry

from common.daemon import Stop
from common.db.database import Database
from common.events import EventState
from tests.support.event_rows import add_edited, run_sql
from thrimshim.metrics import WatchMetrics
from thrimshim.watch import Watch

EVENTS = "wubloader_thrimshim_events"
LONGEST = "wubloader_thrimshim_longest_wait_seconds"


def look_once(dsn: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    stop = Stop()
    with closing(Database(dsn, application="test", registry=registry)) as database:
        task = gevent.spawn(Watch(database, WatchMetrics(registry)).run, stop)
        gevent.sleep(0)  # its first look; then it waits
        stop.set()
        task.get(timeout=60)
    return registry


def test_events_are_counted_by_state_with_the_longest_wait_of_each(database_dsn: str) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    add_edited(database_dsn, "old", edit_time=hour_ago)
    add_edited(database_dsn, "new", edit_time=datetime.now(UTC))
    run_sql(database_dsn, "INSERT INTO events (id, edit_time) VALUES ('draft', %s)", hour_ago)
    registry = look_once(database_dsn)
    counts = {
        state: registry.get_sample_value(EVENTS, {"state": state.value}) for state in EventState
    }
    assert counts == {
        **dict.fromkeys(EventState, 0),
        EventState.EDITED: 2,
        EventState.UNEDITED: 1,
    }
    waited = registry.get_sample_value(LONGEST, {"state": "EDITED"})
    assert waited == pytest.approx(3600, abs=60)
    assert registry.get_sample_value("wubloader_thrimshim_database_standbys") == 0
    # A draft waits for its editor, who is in no hurry.
    assert registry.get_sample_value(LONGEST, {"state": "UNEDITED"}) == 0


def test_a_database_without_tables_or_without_server_ends_nothing(empty_database_dsn: str) -> None:
    for dsn in (empty_database_dsn, "host=127.0.0.1 port=9"):
        assert look_once(dsn).get_sample_value(EVENTS, {"state": "EDITED"}) is None
