"""The long version: anything happens to the nodes again and again, and nothing is lost."""

import random
import time

import pytest

from tests.compose.conftest import Cluster
from tests.compose.test_cluster import all_have, assert_no_holes
from tests.support.cluster import Node
from tests.support.seeds import seeded_random

pytestmark = [pytest.mark.compose, pytest.mark.soak]

SECONDS = 15 * 60


def crash(node: Node, rng: random.Random) -> None:
    node.kill(rng.choice(sorted(node.containers())))


def replace(node: Node, rng: random.Random) -> None:
    node.compose("up", "--detach", "--force-recreate")


def restart(node: Node, rng: random.Random) -> None:
    node.compose("restart", rng.choice(sorted(node.containers())))


def test_nothing_is_lost_whatever_happens_to_one_node_at_a_time(cluster: Cluster) -> None:
    rng = seeded_random("what happens to nodes")
    cluster.introduce(*cluster.nodes)
    for node in cluster.nodes:
        node.up()
    for node in cluster.nodes:
        node.wait_healthy()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        node = rng.choice(cluster.nodes)
        rng.choice((crash, replace, restart))(node, rng)
        node.wait_healthy()
        all_have(cluster)
    assert_no_holes(cluster)
