"""No segment before the tombstones of all nodes that answer."""

import json
from pathlib import Path

import gevent
import pytest
from prometheus_client import CollectorRegistry

from backfiller.first_pass import FirstPass, Look
from backfiller.metrics import BackfillerMetrics
from common.daemon import Stop
from common.replication.readiness import Tombstones
from tests.support.waiting import wait_until

ONE, OTHER = ("one", "demo", "source"), ("other", "demo", "source")


def first_pass(base_dir: Path, *expected: Look, alone_seconds: float = 60.0) -> FirstPass:
    metrics = BackfillerMetrics(CollectorRegistry())
    return FirstPass(base_dir, metrics, expected=lambda: expected, alone_seconds=alone_seconds)


def state_of(found: FirstPass) -> tuple[bool, str]:
    return found.is_over, found.state.value


def test_it_is_over_when_all_nodes_were_looked_at(tmp_path: Path) -> None:
    found = first_pass(tmp_path, ONE, OTHER)
    found.looked(ONE, successful=True)
    assert state_of(found) == (False, "pending")
    found.looked(OTHER, successful=True)
    assert state_of(found) == (True, "complete")


def test_a_node_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    found = first_pass(tmp_path, ONE, OTHER)
    found.looked(ONE, successful=False)
    found.looked(OTHER, successful=True)
    assert found.state is Tombstones.COMPLETE


def test_while_no_node_answers_it_is_not_over(tmp_path: Path) -> None:
    found = first_pass(tmp_path, ONE)
    found.looked(ONE, successful=False)
    assert not found.is_over


def test_without_any_node_it_is_over_after_a_while_and_complete_when_one_answers(
    tmp_path: Path,
) -> None:
    found = first_pass(tmp_path, ONE, alone_seconds=0.0)
    found.looked(ONE, successful=False)
    assert state_of(found) == (True, "alone")
    found.looked(ONE, successful=True)
    assert state_of(found) == (True, "complete")


def test_a_single_run_waits_for_no_node_to_come_up(tmp_path: Path) -> None:
    metrics = BackfillerMetrics(CollectorRegistry())
    found = FirstPass(tmp_path, metrics, expected=lambda: [ONE, OTHER], is_patient=False)
    found.looked(ONE, successful=False)
    assert state_of(found) == (False, "pending")
    found.looked(OTHER, successful=False)
    assert state_of(found) == (True, "alone")


@pytest.mark.parametrize("alone_seconds", [0.0, 60.0])
def test_the_restreamer_is_told(tmp_path: Path, alone_seconds: float) -> None:
    found = first_pass(tmp_path, alone_seconds=alone_seconds)
    stop = Stop()
    running = gevent.spawn(found.run, stop)
    state = tmp_path / ".replication" / "state.json"
    wait_until(lambda: gevent.sleep(0) or state.exists(), "the state is written")
    expected = Tombstones.PENDING if alone_seconds else Tombstones.ALONE
    assert json.loads(state.read_text()) == {"tombstones": expected.value}
    stop.set()
    running.get(timeout=60)
