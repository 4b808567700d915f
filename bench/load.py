"""HTTP clients that ask for one address again and again."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.suite import check

_TIMEOUT_SECONDS = 120
_CHUNK_BYTES = 1 << 20


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
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{address.path}?{address.query}")
        response = connection.getresponse()
        body = response.read()
        check(response.status == 200, f"{url} answers 200, not {response.status}: {body[:200]!r}")
        return body
    finally:
        connection.close()


def _ask_until(url: str, until: float, size_bytes: int) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    count = 0
    try:
        while time.monotonic() < until:
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
