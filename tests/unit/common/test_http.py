"""Requests of ours against a server that misbehaves in every way that a server can."""

import gzip
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import gevent
import pytest
import requests
import urllib3.exceptions
from prometheus_client import CollectorRegistry

from common.errors import (
    BadAnswer,
    BadStatus,
    BrokenTransfer,
    ConnectFailed,
    FetchError,
    TimedOut,
    Unreachable,
)
from common.http import HttpClient, HttpClientMetrics, _translated


@dataclass
class ScriptedServer:
    """Answers each request on each connection with the bytes that `answer(path)` returns.

    After an answer that ends with `HOLD` the connection stays open and silent; after `CLOSE` it is
    closed.
    """

    answer: Callable[[str], bytes]
    connections: int = 0
    heads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            try:
                chunk = connection.recv(65536)
            except OSError:  # closed by `close`
                return
            if not chunk:
                return
            received += chunk
            if b"\r\n\r\n" not in received:
                continue
            head, _, received = received.partition(b"\r\n\r\n")
            self.heads.append(head.decode())
            answer = self.answer(head.decode().split()[1])
            try:
                connection.sendall(answer.removesuffix(HOLD).removesuffix(CLOSE))
            except OSError:  # the client waits no longer
                return
            if answer.endswith(HOLD):
                return
            if answer.endswith(CLOSE):
                with suppress(OSError):  # closed by `close`
                    connection.shutdown(socket.SHUT_RDWR)
                return


HOLD = b"\0hold"
CLOSE = b"\0close"

ANSWERS = {
    "/good": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "/missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "/forbidden": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "/broken": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "/unchanged": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
    "/hangs-up": CLOSE,
    "/no-http": b"SSH-2.0-OpenSSH_9.9\r\n\r\n" + CLOSE,
    "/truncated": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello" + CLOSE,
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "/gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n"
    + gzip.compress(b"hello"),
    "/broken-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    + CLOSE,
    "/bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello" + CLOSE,
    "/bad-gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    "/silent": HOLD,
    "/stalls": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello" + HOLD,
    "/loop": b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
    "/moved": b"HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n",
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(ANSWERS.__getitem__)
    yield server
    server.close()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def client(registry: CollectorRegistry) -> Iterator[HttpClient]:
    client = HttpClient("test", HttpClientMetrics(registry), read_seconds=60)
    yield client
    client.close()


@pytest.fixture
def hasty_client() -> Iterator[HttpClient]:
    """Waits long enough for what comes at once, and not much longer."""
    client = HttpClient("hasty", HttpClientMetrics(CollectorRegistry()), read_seconds=5)
    yield client
    client.close()


def fetch(client: HttpClient, url: str) -> bytes:
    with client.get(url, deadline_seconds=120) as response:
        return response.read(limit_bytes=1000)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing", BadStatus),
        ("/forbidden", BadStatus),
        ("/broken", BadStatus),
        ("/hangs-up", ConnectFailed),
        ("/no-http", ConnectFailed),
        ("/loop", ConnectFailed),
        ("/truncated", BrokenTransfer),
        ("/bad-chunk", BrokenTransfer),
        ("/bad-gzip", BrokenTransfer),
    ],
)
def test_each_way_to_fail_is_one_of_our_errors(
    server: ScriptedServer, client: HttpClient, path: str, error: type[FetchError]
) -> None:
    with pytest.raises(error) as caught:
        fetch(client, server.url + path)
    assert type(caught.value) is error
    assert caught.value.url == server.url + path


@pytest.mark.parametrize("path", ["/truncated", "/broken-chunks"])
def test_what_came_before_a_body_broke_off_is_there(
    server: ScriptedServer, client: HttpClient, path: str
) -> None:
    assert came_before(client, server.url + path, FetchError) == b"hello"


def test_a_server_that_falls_silent_has_timed_out_and_what_came_before_is_there(
    server: ScriptedServer, hasty_client: HttpClient
) -> None:
    with pytest.raises(TimedOut) as caught:
        fetch(hasty_client, server.url + "/silent")
    assert type(caught.value) is TimedOut
    assert came_before(hasty_client, server.url + "/stalls", TimedOut) == b"hello"


def came_before(client: HttpClient, url: str, error: type[FetchError]) -> bytes:
    """What a body has until it breaks off with this error."""
    came = b""
    with (
        client.get(url, deadline_seconds=120) as response,
        pytest.raises(error) as caught,
    ):
        for chunk in response.chunks():
            came += chunk
    assert caught.value.url == url
    return came


@pytest.mark.parametrize("path", ["/chunks", "/gzip"])
def test_a_body_comes_as_it_was_before_it_was_encoded(
    server: ScriptedServer, client: HttpClient, path: str
) -> None:
    assert fetch(client, server.url + path) == b"hello"
    assert fetch(client, server.url + path) == b"hello"
    assert server.connections == 1


def test_a_bad_status_says_which(server: ScriptedServer, client: HttpClient) -> None:
    with pytest.raises(BadStatus) as caught:
        fetch(client, server.url + "/forbidden")
    assert caught.value.status == 403


@pytest.mark.parametrize("url", ["no-scheme", "http://[", "ftp://host/"])
def test_an_address_that_makes_no_sense_is_a_failed_connection(
    client: HttpClient, url: str
) -> None:
    with pytest.raises(ConnectFailed):
        fetch(client, url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://nowhere.invalid/"])
def test_an_address_where_nobody_answers_is_unreachable(client: HttpClient, url: str) -> None:
    with pytest.raises(Unreachable):
        fetch(client, url)


def all_subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from all_subclasses(subclass)


@pytest.mark.parametrize("base", [requests.RequestException, urllib3.exceptions.HTTPError])
def test_no_error_of_the_libraries_is_left_out(base: type[BaseException]) -> None:
    kinds: list[type[BaseException]] = [base, *all_subclasses(base)]
    assert len(kinds) > 10
    for kind in kinds:
        error: BaseException = kind.__new__(kind)
        vars(error).update(partial=0, expected=0, length=0)  # what some of them print
        with pytest.raises(FetchError), _translated("u", gevent.Timeout(), BrokenTransfer):
            raise error


def test_a_deadline_of_somebody_else_passes_through() -> None:
    foreign = gevent.Timeout(1)
    with (
        pytest.raises(gevent.Timeout) as caught,
        _translated("u", gevent.Timeout(2), BrokenTransfer),
    ):
        raise foreign
    assert caught.value is foreign


def test_a_body_above_the_limit_is_not_kept(server: ScriptedServer, client: HttpClient) -> None:
    with (
        client.get(server.url + "/good", deadline_seconds=120) as response,
        pytest.raises(BrokenTransfer, match="longer than 4 bytes"),
    ):
        response.read(limit_bytes=4)


def test_after_a_redirect_the_address_is_the_final_one(
    server: ScriptedServer, client: HttpClient
) -> None:
    with client.get(server.url + "/moved", deadline_seconds=120) as response:
        assert response.url == server.url + "/good"
        assert response.text() == "hello"


@pytest.fixture
def strict_client(registry: CollectorRegistry) -> Iterator[HttpClient]:
    client = HttpClient("strict", HttpClientMetrics(registry), read_seconds=60, strict=True)
    yield client
    client.close()


def test_a_strict_client_follows_no_redirect(
    server: ScriptedServer, strict_client: HttpClient
) -> None:
    with pytest.raises(BadStatus) as caught:
        fetch(strict_client, server.url + "/moved")
    assert caught.value.status == 302
    assert len(server.heads) == 1


def test_a_strict_client_asks_for_no_encoding_and_takes_none(
    server: ScriptedServer, strict_client: HttpClient
) -> None:
    with pytest.raises(BadAnswer):
        fetch(strict_client, server.url + "/gzip")
    assert "Accept-Encoding: identity" in server.heads[0]
    assert fetch(strict_client, server.url + "/good") == b"hello"


def test_who_asks_on_a_condition_is_told_that_nothing_has_changed(
    server: ScriptedServer, strict_client: HttpClient
) -> None:
    headers = {"If-None-Match": '"x"'}
    url = server.url + "/unchanged"
    with strict_client.get(url, deadline_seconds=120, headers=headers) as response:
        assert response.status == 304
        assert response.read(limit_bytes=10) == b""


def test_a_connection_is_used_again_until_a_reset(
    server: ScriptedServer, client: HttpClient
) -> None:
    for _ in range(3):
        fetch(client, server.url + "/good")
    assert server.connections == 1
    client.reset()
    fetch(client, server.url + "/good")
    assert server.connections == 2


def test_requests_say_who_asks_and_carry_the_callers_headers(
    server: ScriptedServer, client: HttpClient
) -> None:
    with client.get(
        server.url + "/good", deadline_seconds=120, headers={"X-Test": "yes"}
    ) as answer:
        answer.read(limit_bytes=10)
    assert "User-Agent: wubloader" in server.heads[0]
    assert "X-Test: yes" in server.heads[0]


def test_answers_and_failures_are_counted(
    server: ScriptedServer, client: HttpClient, registry: CollectorRegistry
) -> None:
    fetch(client, server.url + "/good")
    for path in ("/missing", "/hangs-up"):
        with pytest.raises(FetchError):
            fetch(client, server.url + path)
    name = "wubloader_http_client_requests_total"
    counts = [
        registry.get_sample_value(name, {"purpose": "test", "status": status})
        for status in ("200", "404", "error")
    ]
    assert counts == [1, 1, 1]
    received = "wubloader_http_client_received_bytes_total"
    assert registry.get_sample_value(received, {"purpose": "test"}) == 5


DEADLINE_PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys
from prometheus_client import CollectorRegistry
from common.errors import FetchError
from common.http import HttpClient, HttpClientMetrics

client = HttpClient("test", HttpClientMetrics(CollectorRegistry()), read_seconds=1000)
try:
    with client.get(sys.argv[1], deadline_seconds=0.2) as response:
        response.read(limit_bytes=1000)
except FetchError as exc:
    print(type(exc).__name__)
"""


@pytest.mark.parametrize("path", ["/silent", "/stalls"])
def test_the_deadline_covers_headers_and_body(server: ScriptedServer, path: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DEADLINE_PROGRAM, server.url + path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("TimedOut\n", "")
