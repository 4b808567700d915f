"""A standby, its promotion, and services that go on, by the commands of docs/DATABASE.md."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from psycopg2.extensions import make_dsn, parse_dsn

from common.db.database import COMMIT_SECONDS, migrate
from demo.postgres import Postgres
from tests.support.database_server import Server, commands
from tests.support.event_rows import run_sql
from tests.support.processes import ServiceProcess
from tests.support.thrimshim import Api, start_thrimshim
from tests.support.waiting import wait_until

(
    MAKE_TWO,
    SYNCHRONOUS_WITH_TWO,
    PROMOTE,
    MOVE_OLD,
    MAKE_ONE,
    SYNCHRONOUS_WITH_ONE,
    GO_ON_ALONE,
    DROP_SLOT,
) = commands("A standby")
BACK_UP, _, _, MOVE_MISTAKE, RESTORE_TO_A_TIME = commands("Backup and restore")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """A primary that runs, and another server that has no data yet."""
    pair = Server(tmp_path / "one"), Server(tmp_path / "two")
    pair[0].start()
    migrate(pair[0].dsn)
    pair[1].become_like(pair[0])
    yield pair
    for server in pair:
        server.stop()
        server.remove()


def of_both(servers: tuple[Server, Server]) -> str:
    """How services are told of both servers."""
    ports = ",".join(str(server.port) for server in servers)
    hosts = {"host": "127.0.0.1,127.0.0.1", "port": ports, "target_session_attrs": "read-write"}
    return str(make_dsn(**parse_dsn(servers[0].dsn) | hosts))


def make_standby(standby: Server, primary: Server, make: str, synchronous: str) -> None:
    """Follow the documented steps until commits of the primary wait for the standby."""
    place = f"host=127.0.0.1 port={primary.port}"
    standby.run(make.replace("host=one port=5432", place).replace("host=two port=5432", place))
    standby.start()
    wait_until(lambda: "streaming" in standby_states(primary), "the standby follows")
    primary.run(synchronous)
    wait_until(lambda: "sync" in standby_states(primary), "the standby is synchronous")
    assert primary.safety == {
        "standbys": 1,
        "standbys_away": 0,
        "synchronous": True,
        "archive_failing": False,
    }


def standby_states(primary: Server) -> set[str]:
    rows = run_sql(primary.dsn, "SELECT state, sync_state FROM pg_stat_replication")
    return {value for row in rows for value in row.values()}


class Editor:
    """Creates one event after another, and remembers those that thrimshim confirmed."""

    def __init__(self, process: ServiceProcess) -> None:
        self._api = Api(process.url)
        self.confirmed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        number = 0
        while not self._stop.wait(0.01):
            number += 1
            with contextlib.suppress(requests.Timeout):
                if self._api.post(body={"id": f"e{number}"}).status_code == 201:
                    self.confirmed.append(f"e{number}")


def test_when_the_primary_dies_the_standby_takes_over_and_nothing_confirmed_is_lost(
    servers: tuple[Server, Server],
) -> None:
    one, two = servers
    make_standby(two, one, MAKE_TWO, SYNCHRONOUS_WITH_TWO)
    with start_thrimshim(of_both(servers), "--no-authentication") as thrimshim:
        thrimshim.wait_ready()
        with contextlib.closing(Editor(thrimshim)) as editor:
            wait_until(lambda: len(editor.confirmed) > 20, "events are created")
            one.kill()
            two.run(PROMOTE)
            before = len(editor.confirmed)
            wait_until(lambda: len(editor.confirmed) > before + 5, "thrimshim goes on")
        assert set(editor.confirmed) - set(two.event_ids()) == set()
    one.run(MOVE_OLD)
    make_standby(one, two, MAKE_ONE, SYNCHRONOUS_WITH_ONE)


def test_without_its_synchronous_standby_nothing_is_confirmed_until_somebody_decides_so(
    servers: tuple[Server, Server],
) -> None:
    one, two = servers
    make_standby(two, one, MAKE_TWO, SYNCHRONOUS_WITH_TWO)
    with start_thrimshim(one.dsn, "--no-authentication") as thrimshim:
        api = Api(thrimshim.wait_ready().url)
        two.kill()
        answer = api.post(body={"id": "unsure"})
        assert answer.status_code == 503
        assert f"may have happened, took longer than {COMMIT_SECONDS} s" in answer.text
        wait_until(lambda: one.safety["standbys_away"] == 1, "its slot waits for it")
        one.run(GO_ON_ALONE)
        assert api.create(id="sure") == "sure"
        # The other commit waited no longer either, and may have ended a moment later.
        wait_until(lambda: set(one.event_ids()) == {"unsure", "sure"}, "both have happened")
        assert {event["id"] for event in api.get().json()} == {"unsure", "sure"}
    one.run(DROP_SLOT)
    assert one.safety["standbys_away"] == 0


def test_a_standby_follows_a_primary_that_was_taken_back_in_time(
    servers: tuple[Server, Server],
) -> None:
    one, two = servers
    one.run(BACK_UP)
    time = run_sql(one.dsn, "SELECT clock_timestamp()::text AS now")[0]["now"]
    run_sql(one.dsn, "INSERT INTO events (id) VALUES ('mistake')")
    one.stop()
    one.run(MOVE_MISTAKE)
    one.run(RESTORE_TO_A_TIME.replace("2026-07-01 12:00:00+00", time))
    one.start()
    wait_until(lambda: not one.in_recovery(), "it takes writes")
    make_standby(two, one, MAKE_TWO, SYNCHRONOUS_WITH_TWO)
    run_sql(one.dsn, "INSERT INTO events (id) VALUES ('later')")
    wait_until(lambda: two.event_ids() == ["later"], "the standby has it")
    assert two.in_recovery()


def test_a_host_that_accepts_and_says_nothing_does_not_keep_services_from_the_other(
    own_postgres: Postgres,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = parse_dsn(own_postgres.dsn) | {
            "host": "127.0.0.1,127.0.0.1",
            "port": f"{silent.getsockname()[1]},{parse_dsn(own_postgres.dsn)['port']}",
            "target_session_attrs": "read-write",
            "connect_timeout": "3",
        }
        with start_thrimshim(make_dsn(**settings), "--no-authentication") as thrimshim:
            assert Api(thrimshim.wait_ready().url).create(id="x") == "x"
