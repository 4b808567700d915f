"""Workers come and go with the list of nodes, and the restreamer waits for their tombstones."""

import threading
from pathlib import Path

import requests

from tests.integration.backfiller.conftest import MakeReplica
from tests.support.event_rows import run_sql
from tests.support.hostile import HostilePeer, Reply, hostile_peer
from tests.support.metrics import metric
from tests.support.replicas import Replica, hour_name, hours_after
from tests.support.waiting import wait_until

NODES = "wubloader_backfiller_nodes"


def test_nodes_in_a_file_are_copied_from_while_they_stand_there(
    here: Replica, there: Replica, make_replica: MakeReplica, tmp_path: Path
) -> None:
    third = make_replica("third")
    first = there.put_many(1)[0]
    file = tmp_path / "nodes"
    file.write_text(f"there {there.url}\nme http://127.0.0.1:9/  # this one\n")
    options = ("--node-file", str(file), "--localhost", "me")
    with here.replicate(options=options) as backfiller:
        wait_until(here.path(first).exists, "the first is here")
        assert metric(backfiller.url, NODES) == 1
        second = third.put_many(1, start=hours_after(1))[0]
        file.write_text(f"third {third.url}\n")
        wait_until(here.path(second).exists, "the list is read again")
        third_only = there.put_many(1, start=hours_after(2))[0]
        assert metric(backfiller.url, NODES) == 1
        assert "no longer copying from there" in backfiller.output
        assert not here.path(third_only).exists()


def test_nodes_in_the_database_are_copied_from(
    here: Replica, there: Replica, database_dsn: str
) -> None:
    segment = there.put_many(1)[0]
    run_sql(
        database_dsn,
        "INSERT INTO nodes (name, url, backfill_from) VALUES"
        " ('there', %s, true), ('me', 'http://127.0.0.1:9', true), ('off', 'http://off', false)",
        there.url,
    )
    options = ("--database", database_dsn, "--localhost", "me", "--run-once")
    assert here.replicate(options=options).process.wait(200) == 0
    assert here.path(segment).exists()


def test_a_database_that_does_not_answer_keeps_nobody_from_the_other_nodes(
    here: Replica, there: Replica
) -> None:
    segment = there.put_many(1)[0]
    options = ("--database", "postgresql://127.0.0.1:9/none")
    with here.replicate(there.url, options=options):
        wait_until(here.path(segment).exists, "the segment is here")


def test_the_restreamer_is_ready_once_the_tombstones_are_here(here: Replica) -> None:
    answered = threading.Event()

    def late(reply: Reply) -> None:
        answered.wait(100)
        reply.value([tombstone])

    tombstone = "00:00.000000-2.0-full-" + "a" * 43 + ".tombstone"
    hour = hour_name(0)
    peer = HostilePeer(hours={hour: {tombstone: b""}}, tricks=[(f"/files/.*/{hour}", late)])
    # Started before the peer is asked: what it does not list in time is done without.
    restreamer = here.serve().wait_ready()
    options = ("--answer-seconds", "100")
    with hostile_peer(peer), here.replicate(peer.url, options=options):
        wait_until((here.base_dir / ".replication" / "state.json").exists, "the state is told")
        ready = requests.get(f"{restreamer.url}/readyz", timeout=60)
        assert (ready.status_code, "tombstones" in ready.text) == (503, True)
        assert requests.get(f"{restreamer.url}/files", timeout=60).ok, "it serves nevertheless"
        answered.set()
        restreamer.wait_ready()
        assert (here.base_dir / "demo" / "source" / hour / tombstone).exists()
