"""Nodes that are cut off, killed and damaged at random become equal once all is well again."""

import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.segments.path import Segment, hash_bytes
from common.times import SECOND
from tests.integration.backfiller.conftest import MakeReplica
from tests.support.processes import ServiceProcess
from tests.support.replicas import Replica, hours_after, wait_until_equal
from tests.support.seeds import seeded_random
from tests.support.waiting import wait_until

NODES = 3
HOURS = 6
HEALED_SECONDS = 60
"""How long nodes may take to become equal once nothing is wrong any more."""

SCRUBBED_SECONDS = 150
"""How long until each file has been checked: a round, the pause after it, and another one."""

LONG_AGO = (1_700_000_000, 1_700_000_000)
OPTIONS = ("--scrub-rate", "50000000", "--localhost", "me")


@dataclass
class Member:
    """A node whose services can be killed and started again at their addresses."""

    replica: Replica
    node_file: Path
    restreamer: ServiceProcess = field(init=False)
    backfiller: ServiceProcess = field(init=False)
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.node_file.write_text("")
        self.restreamer = self.replica.serve()
        self.url = self.restreamer.url
        self.backfiller = self.start_backfiller()

    def start_backfiller(self) -> ServiceProcess:
        return self.replica.replicate(options=("--node-file", str(self.node_file), *OPTIONS))

    def restart(self, rng: random.Random) -> None:
        """Kill one of the two services and start it again."""
        if rng.random() < 0.5:
            self.backfiller.kill()
            self.backfiller = self.start_backfiller()
        else:
            self.restreamer.kill()
            self.restreamer = self.replica.serve(port=self.url.rpartition(":")[2])


class Cluster:
    """Nodes to which things happen at random, and what must be true of them in the end."""

    def __init__(self, members: list[Member], rng: random.Random) -> None:
        self.members = members
        self._rng = rng
        self._number = 0
        self._segments: list[tuple[Segment, bytes]] = []
        self.deleted: set[str] = set()

    def record(self) -> None:
        """Some nodes record a segment, some of them a millisecond later than others."""
        self._number += 1
        data = os.urandom(self._rng.randrange(1, 20_000))
        start = hours_after(self._rng.randrange(HOURS)) + self._number * 2 * SECOND
        for member in self._rng.sample(self.members, self._rng.randrange(1, NODES + 1)):
            segment, path = member.replica.put(start + self._rng.choice((0, 0, 1000)), data)
            os.utime(path, LONG_AGO)
            self._segments.append((segment, data))

    def delete(self) -> None:
        if self._segments:
            segment, _ = self._rng.choice(self._segments)
            self._rng.choice(self.members).replica.put_tombstone(segment)
            self.deleted.add(segment.hash)

    def rot(self) -> None:
        """One bit of a file flips on a node, while another node has it whole."""
        segment, data = self._rng.choice(self._segments)
        holders = [
            member.replica.path(segment)
            for member in self.members
            if member.replica.path(segment).exists()
        ]
        whole = [path for path in holders if path.read_bytes() == data]
        if len(whole) > 1:
            whole[0].write_bytes(bytes([data[0] ^ 1]) + data[1:])
            os.utime(whole[0], LONG_AGO)

    def partition(self) -> None:
        """Each node forgets some of the others, or finds them again."""
        for member in self.members:
            others = [other for other in self.members if other is not member]
            self._connect(member, self._rng.sample(others, self._rng.randrange(NODES)))

    def heal(self) -> None:
        for member in self.members:
            self._connect(member, [other for other in self.members if other is not member])

    def restart(self) -> None:
        self._rng.choice(self.members).restart(self._rng)

    def step(self) -> None:
        happenings = [self.record] * 12 + [self.delete, self.rot, self.partition, self.restart]
        if self._segments:
            self._rng.choice(happenings)()
        else:
            self.record()

    def _connect(self, member: Member, others: list[Member]) -> None:
        lines = (f"node{self.members.index(other)} {other.url}" for other in others)
        temp = member.node_file.with_suffix(".new")
        temp.write_text("\n".join(lines))
        temp.replace(member.node_file)


@pytest.mark.parametrize(
    ("steps", "step_seconds"),
    [(120, 0.1), pytest.param(3000, 0.5, marks=[pytest.mark.soak, pytest.mark.timeout(7200)])],
)
@pytest.mark.timeout(400)
def test_whatever_happens_to_nodes_they_become_equal_and_show_nothing_deleted(
    make_replica: MakeReplica, tmp_path: Path, steps: int, step_seconds: float
) -> None:
    rng = seeded_random("convergence")
    members = [
        Member(make_replica(f"node{number}"), tmp_path / f"nodes{number}")
        for number in range(NODES)
    ]
    cluster = Cluster(members, rng)
    for _ in range(steps):
        cluster.step()
        time.sleep(rng.uniform(0, 2 * step_seconds))
    cluster.heal()
    replicas = [member.replica for member in members]
    wait_until_equal(*replicas, seconds=HEALED_SECONDS)
    wait_until(
        lambda: all(is_whole(replica) for replica in replicas),
        "nothing is damaged",
        seconds=SCRUBBED_SECONDS,
    )
    wait_until_equal(*replicas, seconds=HEALED_SECONDS)
    shown = {Path(path).name for path in replicas[0].shown()}
    assert len(shown) > steps / 4
    assert not any(name.endswith(".ts") and name[-46:-3] in cluster.deleted for name in shown)


def is_whole(replica: Replica) -> bool:
    """Whether each file that is shown has the bytes that its name promises."""
    return all(
        path.endswith(".tombstone") or hash_bytes(data) == path[-46:-3]
        for path, data in replica.shown().items()
    )
