"""Hosts on this machine whose network loses, delays and cuts packets, and whose clocks differ.

A host is a network namespace. Between each pair of hosts lies a wire: a TUN device at either end,
and a thread that carries the packets. So nothing is asked of the kernel but TUN devices (its own
emulation, netem, is often left out), and a cut is what a cut is in the field: silence. A clock that
is wrong is libfaketime's. All of it needs to be root, and is gone when the block ends.
"""

import fcntl
import heapq
import itertools
import os
import random
import selectors
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_MTU = 1500
_QUEUED_PACKETS = 2000
"""What a wire holds at most; more is dropped, as a router does."""

_serial = itertools.count()


@dataclass(frozen=True)
class Host:
    """A namespace. `clock_seconds` is how far its clock is ahead."""

    namespace: str
    address: str
    clock_seconds: float = 0

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs here."""
        return ("ip", "netns", "exec", self.namespace)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs so that it sees this host's clock."""
        if not self.clock_seconds:
            return {}
        return {
            "LD_PRELOAD": str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))),
            "FAKETIME": f"{self.clock_seconds:+g}s",
            "DONT_FAKE_MONOTONIC": "1",
        }


@dataclass
class Wire:
    """What happens to packets between two hosts. May be changed at any time."""

    ends: tuple[int, int]
    loss: float = 0.0
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    is_cut: bool = False
    queued: int = field(default=0, init=False)


class Network:
    """Hosts, and a wire for each pair of them."""

    def __init__(self, hosts: list[Host], wires: list[Wire]) -> None:
        self.hosts = hosts
        self.wires = wires


@contextmanager
def network(clocks_seconds: tuple[float, ...]) -> Iterator[Network]:
    """As many hosts as there are clocks, each connected with each other. Needs to be root."""
    if os.geteuid() != 0:
        raise RuntimeError("making hosts needs root: run the tests as root")
    with ExitStack() as stack:
        hosts = [_make_host(number, clock, stack) for number, clock in enumerate(clocks_seconds)]
        wires = [
            Wire((_lay(one, other, stack), _lay(other, one, stack)))
            for one, other in itertools.combinations(hosts, 2)
        ]
        carrier = _Carrier(wires)
        carrier.start()
        stack.callback(carrier.close)
        yield Network(hosts, wires)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _make_host(number: int, clock_seconds: float, stack: ExitStack) -> Host:
    namespace = f"wubloader-test-{os.getpid()}-{next(_serial)}"
    host = Host(namespace, f"10.77.0.{number + 1}", clock_seconds)
    _run("ip", "netns", "add", namespace)
    stack.callback(_run, "ip", "netns", "delete", namespace)
    _run("ip", "-n", namespace, "link", "set", "lo", "up")
    _run("ip", "-n", namespace, "address", "add", host.address, "dev", "lo")
    return host


def _lay(here: Host, there: Host, stack: ExitStack) -> int:
    """One end of a wire: a TUN device at `here` that leads to `there`. Returns its descriptor."""
    device = f"wb{os.getpid()}-{next(_serial)}"[:15]
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    stack.callback(os.close, end)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH14x", device.encode(), _IFF_TUN | _IFF_NO_PI))
    # The descriptor stays good when the device goes to another namespace.
    _run("ip", "link", "set", device, "netns", here.namespace)
    _run("ip", "-n", here.namespace, "link", "set", device, "mtu", str(_MTU), "up")
    route = (there.address, "dev", device, "src", here.address)
    _run("ip", "-n", here.namespace, "route", "add", *route)
    return end


class _Carrier(threading.Thread):
    """Carries the packets of all wires until it is closed."""

    def __init__(self, wires: list[Wire]) -> None:
        super().__init__(daemon=True)
        self._due: list[tuple[float, int, int, bytes, Wire]] = []
        self._order = itertools.count()
        self._is_closed = False
        self._selector = selectors.DefaultSelector()
        for wire in wires:
            for source, target in (wire.ends, wire.ends[::-1]):
                self._selector.register(source, selectors.EVENT_READ, (wire, target))

    def run(self) -> None:
        while not self._is_closed:
            wait = self._due[0][0] - time.monotonic() if self._due else 0.1
            for key, _ in self._selector.select(min(max(wait, 0), 0.1)):
                self._take(key.fd, *key.data)
            self._deliver()

    def close(self) -> None:
        self._is_closed = True
        self.join()
        self._selector.close()

    def _take(self, source: int, wire: Wire, target: int) -> None:
        while True:
            try:
                packet = os.read(source, _MTU)
            except BlockingIOError:
                return
            if wire.is_cut or wire.queued >= _QUEUED_PACKETS or random.random() < wire.loss:
                continue
            due = time.monotonic() + wire.delay_seconds + random.random() * wire.jitter_seconds
            wire.queued += 1
            heapq.heappush(self._due, (due, next(self._order), target, packet, wire))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, target, packet, wire = heapq.heappop(self._due)
            wire.queued -= 1
            try:
                os.write(target, packet)
            except BlockingIOError:
                continue  # the device's queue is full: one more lost packet
