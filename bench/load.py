"""HTTP clients that ask for one address again and again."""

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.suite import check

_TIMEOUT_SECONDS = 120
_CHUNK_BYTES = 1 << 20
_VIDEO_BEGINS = b"\x00\x00\x01\xe0"  # of a PES packet (ISO/IEC 13818-1, 2.4.3.6)


@dataclass(frozen=True, slots=True)
class Load:
    """What clients got, all together."""

    requests: int
    body_bytes: int
    seconds: float

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def megabytes_per_second(self) -> float:
        return self.body_bytes / self.seconds / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a client got that discards all. `first_video_seconds` is when the first bytes were there
    that hold the beginning of a picture.
    """

    body_bytes: int
    first_video_seconds: float
    seconds: float


def ask(url: str, *, clients: int, seconds: float, size_bytes: int) -> Load:
    """Each client keeps one connection and asks again as soon as it has the whole body.

    Raises WorkNotDone if an answer is not 200 or its body does not have `size_bytes`.
    """
    until = time.monotonic() + seconds
    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        counts = list(pool.map(lambda _: _ask_until(url, until, size_bytes), range(clients)))
    elapsed = time.monotonic() - started
    return Load(sum(counts), sum(counts) * size_bytes, elapsed)


def fetch(url: str) -> bytes:
    """One body, over a connection of its own. Raises WorkNotDone unless the status is 200."""
    with answer(url) as response:
        return response.read()


def discard(url: str) -> Received:
    """A video, read and forgotten as it comes. Raises WorkNotDone unless the status is 200."""
    started = time.monotonic()
    with answer(url) as response:
        body_bytes = 0
        while chunk := response.read1(_CHUNK_BYTES):
            body_bytes += len(chunk)
            if _VIDEO_BEGINS in chunk:
                break
        first = time.monotonic() - started
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        while got := response.readinto(buffer):
            body_bytes += got
    seconds = time.monotonic() - started
    return Received(body_bytes=body_bytes, first_video_seconds=first, seconds=seconds)


@contextmanager
def answer(url: str) -> Iterator[http.client.HTTPResponse]:
    """The answer over a connection of its own, which is closed afterwards."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{address.path}?{address.query}")
        response = connection.getresponse()
        if response.status != 200:
            check(False, f"{url} answers 200, not {response.status}: {response.read()[:200]!r}")
        yield response
    finally:
        connection.close()


def _ask_until(url: str, until: float, size_bytes: int) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    count = 0
    try:
        while not count or time.monotonic() < until:
            connection.request("GET", address.path)
            response = connection.getresponse()
            received = 0
            while got := response.readinto(buffer):
                received += got
            check(response.status == 200, f"{url} answers 200, not {response.status}")
            check(received == size_bytes, f"{url} has {size_bytes} bytes, not {received}")
            count += 1
    finally:
        connection.close()
    return count
