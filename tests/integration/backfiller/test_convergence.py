"""Nodes that are cut off, killed and damaged at random become equal once all is well again."""

import contextlib
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.segments.path import Segment, hash_bytes, range_tombstones
from common.times import MINUTE, SECOND, Micros, TimeRange
from tests.support.hosts import Network, Wire, network
from tests.support.processes import ServiceProcess
from tests.support.replicas import Replica, hours_after, wait_until_equal
from tests.support.seeds import seeded_random
from tests.support.small_disk import fill_up, small_disk
from tests.support.waiting import wait_until

CLOCKS_SECONDS = (0, 180, -120)
"""How far the nodes' clocks are ahead; of other nodes', and of the times of the files on disk."""
PORT = "8000"
HOURS = 6
HEALED_SECONDS = 200
"""How long nodes may take to become equal once nothing is wrong any more. A node that did not
answer is left alone for up to half a minute, a file that could not be had for longer."""
LEFT_BYTES = 30_000
DISK_BYTES = 64 * 1024 * 1024

LONG_AGO = (1_700_000_000, 1_700_000_000)
OPTIONS = ("--scrub-rate", "50000000", "--scrub-pause", "1", "--recent-cutoff", "5")


@dataclass
class Member:
    """A node on a host of its own, whose services can be killed and started again."""

    replica: Replica
    node_file: Path
    restreamer: ServiceProcess = field(init=False)
    backfiller: ServiceProcess = field(init=False)

    def start(self) -> None:
        self.restreamer = self.replica.serve(PORT)
        self.backfiller = self._replicate()

    def restart(self, rng: random.Random) -> None:
        """Kill one of the two services and start it again."""
        if rng.random() < 0.5:
            self.backfiller.kill()
            self.backfiller = self._replicate()
        else:
            self.restreamer.kill()
            self.restreamer = self.replica.serve(PORT)

    def _replicate(self) -> ServiceProcess:
        return self.replica.replicate(options=("--node-file", str(self.node_file), *OPTIONS))


class Cluster:
    """Nodes to which things happen at random, and what must be true of them in the end."""

    def __init__(self, members: list[Member], wires: list[Wire], rng: random.Random) -> None:
        self.members = members
        self._wires = wires
        self._rng = rng
        self._number = 0
        self._segments: list[tuple[Segment, bytes]] = []
        self._ballast = members[-1].replica.base_dir / ".ballast"
        self.deleted: set[str] = set()
        self.deleted_ranges: list[TimeRange] = []

    def record(self) -> None:
        """Some nodes record a segment, some of them a millisecond later than others."""
        self._number += 1
        data = os.urandom(self._rng.randrange(1, 20_000))
        start = self._some_time()
        for member in self._rng.sample(self.members, self._rng.randrange(1, len(self.members) + 1)):
            with contextlib.suppress(OSError):  # its disk is full
                segment, _ = member.replica.put(start + self._rng.choice((0, 0, 1000)), data)
                self._segments.append((segment, data))

    def _some_time(self) -> Micros:
        if self._rng.random() < 0.5:
            return time.time_ns() // 1000 - self._rng.randrange(3 * MINUTE, 10 * MINUTE)
        return hours_after(self._rng.randrange(HOURS)) + self._number * 2 * SECOND

    def delete(self) -> None:
        segment, _ = self._rng.choice(self._segments)
        self._rng.choice(self.members).replica.put_tombstone(segment)
        self.deleted.add(segment.hash)

    def delete_range(self) -> None:
        segment, _ = self._rng.choice(self._segments)
        span = TimeRange(segment.start, segment.start + 3 * SECOND)
        for tombstone in range_tombstones(span):
            path = self._rng.choice(self.members).replica.path(segment).with_name(tombstone.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self.deleted_ranges.append(span)

    def rot(self) -> None:
        """One bit of a file flips on a node, while another node has it whole."""
        segment, data = self._rng.choice(self._segments)
        paths = [member.replica.path(segment) for member in self.members]
        whole = [path for path in paths if holds(path, data)]
        if len(whole) > 1:
            with whole[0].open("r+b") as file:
                file.write(bytes([data[0] ^ 1]))
                file.flush()
                os.utime(file.fileno(), LONG_AGO)  # it may lie elsewhere by now, set aside

    def cut(self) -> None:
        """Each wire is cut, or whole again."""
        for wire in self._wires:
            wire.is_cut = self._rng.random() < 0.5

    def fill_disk(self) -> None:
        """One node's disk is full, or has room again."""
        if self._ballast.exists():
            self._ballast.unlink()
        else:
            with contextlib.suppress(OSError):  # somebody else has filled it meanwhile
                fill_up(self._ballast, leave_bytes=LEFT_BYTES)

    def restart(self) -> None:
        self._rng.choice(self.members).restart(self._rng)

    def heal(self) -> None:
        for wire in self._wires:
            wire.is_cut = False
        self._ballast.unlink(missing_ok=True)

    def step(self) -> None:
        rare = [self.delete, self.delete_range, self.rot, self.cut, self.fill_disk, self.restart]
        self._rng.choice([self.record] * 12 + rare * bool(self._segments))()

    def wait(self, mean_seconds: float) -> None:
        time.sleep(self._rng.uniform(0, 2 * mean_seconds))

    def is_deleted(self, segment: Segment) -> bool:
        return segment.hash in self.deleted or any(
            span.start <= segment.start < span.end for span in self.deleted_ranges
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    rng = seeded_random("convergence")
    with ExitStack() as stack:
        made = stack.enter_context(network(CLOCKS_SECONDS))
        small = stack.enter_context(small_disk(tmp_path / "small", DISK_BYTES))
        folders = [tmp_path / f"node{number}" for number in range(len(CLOCKS_SECONDS) - 1)]
        for folder in folders:
            folder.mkdir()
        members = [
            make_member(made, number, folder) for number, folder in enumerate([*folders, small])
        ]
        for wire in made.wires:
            wire.loss = rng.uniform(0, 0.05)
            wire.delay_seconds, wire.jitter_seconds = rng.uniform(0, 0.05), rng.uniform(0, 0.02)
        for member in members:
            stack.callback(member.replica.close)
            member.start()
        yield Cluster(members, made.wires, rng)


def make_member(made: Network, number: int, base_dir: Path) -> Member:
    node_file = base_dir.with_name(f"nodes{number}")
    others = [host for host in made.hosts if host is not made.hosts[number]]
    node_file.write_text("".join(f"http://{host.address}:{PORT}\n" for host in others))
    return Member(Replica(base_dir=base_dir, host=made.hosts[number]), node_file)


@pytest.mark.parametrize(
    ("steps", "step_seconds"),
    [
        pytest.param(120, 0.1, marks=pytest.mark.timeout(600)),
        pytest.param(3000, 0.5, marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
)
def test_whatever_happens_to_nodes_they_become_equal_and_show_nothing_deleted(
    cluster: Cluster, steps: int, step_seconds: float
) -> None:
    for _ in range(steps):
        cluster.step()
        cluster.wait(step_seconds)
    cluster.heal()
    replicas = [member.replica for member in cluster.members]
    wait_until(
        lambda: all(is_whole(replica) for replica in replicas),
        "nothing is damaged",
        seconds=HEALED_SECONDS,
    )
    wait_until_equal(*replicas, seconds=HEALED_SECONDS)
    shown = replicas[0].visible()
    assert len(shown) > steps / 8
    assert not [segment.name for segment in shown if cluster.is_deleted(segment)]


def holds(path: Path, data: bytes) -> bool:
    """Whether the file is there, and has these bytes."""
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def is_whole(replica: Replica) -> bool:
    """Whether each file that is shown has the bytes that its name promises."""
    return all(
        path.endswith(".tombstone") or hash_bytes(data) == path[-46:-3]
        for path, data in replica.shown().items()
    )
