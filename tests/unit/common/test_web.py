"""The HTTP server of every service: what each answers, and that stopping drops nobody."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import gevent
import gevent.socket
import pytest
from flask import Response
from flask_openapi3 import OpenAPI
from gevent.event import Event
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import ServiceUnavailable

from common.daemon import Stop
from common.errors import BadParameter, ConfigError
from common.web import HttpServer, create_app, new_registry, text_response

PIECES: list[list[bytes | memoryview]] = [
    [b"%d," % number for number in range(3000)],
    [b"", memoryview(bytes(range(256)) * 40_000), b"last"],
]
"""More than one system call takes, and more than a socket takes at once."""


class Example:
    """An application with one view for each way to end."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.registry = CollectorRegistry()
        self.entered = Event()
        self.release = Event()
        self.app = create_app("example", registry=self.registry, ready=lambda: self.missing)
        self._add_views(self.app)
        self._add_streams(self.app)

    def _add_views(self, app: OpenAPI) -> None:
        @app.get("/bad-parameter")
        def bad_parameter() -> Response:
            raise BadParameter("start", "is not a time")

        @app.get("/busy")
        def busy() -> Response:
            raise ServiceUnavailable("two cuts are running", retry_after=7)

        @app.get("/bug")
        def bug() -> Response:
            raise RuntimeError("the secret of the house")

        @app.get("/slow")
        def slow() -> Response:
            self.entered.set()
            self.release.wait()
            return text_response("complete")

    def _add_streams(self, app: OpenAPI) -> None:
        @app.get("/stream")
        def stream() -> Response:
            def body() -> Iterator[bytes]:
                yield b"first,"
                self.entered.set()
                self.release.wait()
                yield b"last"

            return Response(body(), content_type="application/octet-stream")

        @app.get("/pieces")
        def pieces() -> Response:
            return Response(iter(PIECES), direct_passthrough=True)  # type: ignore[arg-type]

        @app.get("/endless")
        def endless() -> Response:
            def body() -> Iterator[bytes]:
                try:
                    while True:
                        yield bytes(100_000)
                finally:
                    self.release.set()

            return Response(body(), content_type="application/octet-stream")

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def example() -> Example:
    return Example()


def test_every_service_answers_metrics_under_both_addresses(example: Example) -> None:
    client = example.app.test_client()
    for path in ("/metrics", "/metrics/example"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "wubloader_http_requests_total" in answer.text


def test_the_registry_tells_of_the_process_itself() -> None:
    names = {metric.name for metric in new_registry().collect()}
    assert {"process_cpu_seconds", "python_info"} <= names


def test_health_needs_nothing_but_the_event_loop(example: Example) -> None:
    example.missing = ["no database"]
    answer = example.app.test_client().get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_readiness_names_what_is_missing(example: Example) -> None:
    client = example.app.test_client()
    assert client.get("/readyz").status_code == 200
    example.missing = ["no database", "the disk is full"]
    answer = client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "no database\nthe disk is full\n")
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/bad-parameter", 400, "start: is not a time\n"),
        ("/busy", 503, "two cuts are running\n"),
        ("/bug", 500, "an error of ours: see the service's log\n"),
    ],
)
def test_an_error_is_a_status_and_a_text_for_a_person(
    example: Example, path: str, status: int, text: str
) -> None:
    answer = example.app.test_client().get(path)
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.content_type == "text/plain; charset=utf-8"


def test_an_error_keeps_the_headers_that_tell_a_client_what_to_do(example: Example) -> None:
    client = example.app.test_client()
    assert client.get("/busy").headers["Retry-After"] == "7"
    assert "GET" in client.post("/busy").headers["Allow"]


def test_an_unexpected_error_is_logged_with_its_traceback_and_hidden_from_the_client(
    example: Example, caplog: pytest.LogCaptureFixture
) -> None:
    answer = example.app.test_client().get("/bug")
    assert "secret" not in answer.text
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


def test_requests_are_counted_by_view_and_never_by_what_a_client_made_up(
    example: Example,
) -> None:
    client = example.app.test_client()
    client.get("/healthz")
    client.open("/healthz", method="BREW")
    client.get("/no/such/address/12345")
    name = "wubloader_http_requests_total"
    assert example.sample(name, view="healthz", method="GET", status="200") == 1
    assert example.sample(name, view="none", method="GET", status="404") == 1
    methods = {
        sample.labels["method"]
        for metric in example.registry.collect()
        for sample in metric.samples
        if sample.name == name
    }
    assert methods == {"GET", "other"}


class Running:
    """An HttpServer in a greenlet of this process, and the stop that ends it."""

    def __init__(self, app: OpenAPI, patience_seconds: float) -> None:
        self._server = HttpServer(
            app,
            host="127.0.0.1",
            port=0,
            service="example",
            patience_seconds=patience_seconds,
        )
        self.port = self._server.port
        self._stop = Stop()
        self._task = gevent.spawn(self._server.run, self._stop)
        gevent.sleep(0)

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._stop.set()
        self._task.get(timeout=120)

    def connect(self) -> gevent.socket.socket:
        return gevent.socket.create_connection(("127.0.0.1", self.port), timeout=120)


@contextmanager
def running(app: OpenAPI, patience_seconds: float = 60) -> Iterator[Running]:
    server = Running(app, patience_seconds)
    try:
        yield server
    finally:
        server.join()


def request_line(path: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: example", *headers]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def read_all(connection: gevent.socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_a_body_in_pieces_arrives_as_if_it_were_put_together(example: Example) -> None:
    first, second = (b"".join(chunk) for chunk in PIECES)
    with running(example.app) as server, closing(server.connect()) as connection:
        connection.sendall(request_line("/pieces", "Connection: close"))
        _, _, body = read_all(connection).partition(b"\r\n\r\n")
    frames = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (first, second, b"")]
    assert body == b"".join(frames)


@pytest.mark.parametrize(("path", "length"), [("/stream", None), ("/healthz", b"3")])
def test_the_length_of_what_get_would_send_is_told_if_it_is_known(
    example: Example, path: str, length: bytes | None
) -> None:
    with running(example.app) as server, closing(server.connect()) as connection:
        connection.sendall(request_line(path, method="HEAD"))
        connection.sendall(request_line("/healthz", "Connection: close"))
        head, _, following = read_all(connection).partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert headers.get(b"Content-Length") == length
    assert following.startswith(b"HTTP/1.1 200 OK")
    assert following.endswith(b"ok\n")


def test_a_client_that_takes_nothing_any_more_is_given_up(
    example: Example, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(example.app, 0.1) as server, closing(server.connect()) as connection:
        connection.sendall(request_line("/endless"))
        assert example.release.wait(120)
    assert not caplog.records
    assert "Traceback" not in capfd.readouterr().err


def test_a_client_that_is_slow_is_not_given_up(example: Example) -> None:
    size = sum(len(piece) for chunk in PIECES for piece in chunk)
    # One that cannot run for so long takes nothing, and is given up rightly.
    assert any(received_slowly(example, patience_seconds=1) > size for _ in range(5))


def received_slowly(example: Example, *, patience_seconds: float) -> int:
    """How much of the pieces arrives at a client that takes longer than the patience for all."""
    received = 0
    with (
        running(example.app, patience_seconds) as server,
        closing(server.connect()) as connection,
    ):
        connection.sendall(request_line("/pieces", "Connection: close"))
        with suppress(ConnectionResetError):
            while chunk := connection.recv(400_000):
                received += len(chunk)
                gevent.sleep(patience_seconds * 0.06)
    return received


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(120):
        while not condition():
            gevent.sleep(0.001)


@pytest.mark.parametrize(
    ("path", "end"), [("/slow", b"complete\n"), ("/stream", b"4\r\nlast\r\n0\r\n\r\n")]
)
def test_a_request_under_way_is_answered_to_its_end_before_the_server_stops(
    example: Example, path: str, end: bytes
) -> None:
    with running(example.app) as server, closing(server.connect()) as connection:
        connection.sendall(request_line(path))
        until(example.entered.is_set)
        server.stop()
        gevent.sleep(0)
        example.release.set()
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(end)


def test_connections_that_wait_in_the_kernels_queue_at_the_stop_are_answered(
    example: Example,
) -> None:
    with running(example.app) as server:
        waiting = [server.connect() for _ in range(20)]
        for connection in waiting:
            connection.sendall(request_line("/healthz"))
        server.stop()
        answers = [read_all(connection) for connection in waiting]
        for connection in waiting:
            connection.close()
    assert [answer.endswith(b"ok\n") for answer in answers] == [True] * 20


def test_a_request_that_waits_while_the_server_cannot_run_is_answered_too(
    example: Example,
) -> None:
    def hold_up() -> None:
        for _ in range(4):
            time.sleep(0.25)
            gevent.sleep(0)
        gevent.sleep(0.5)
        example.release.set()

    with running(example.app) as server, closing(server.connect()) as connection:
        connection.sendall(request_line("/slow"))
        server.stop()
        held_up = gevent.spawn(hold_up)
        answer = read_all(connection)
        held_up.join()
    assert answer.endswith(b"complete\n")


def test_an_idle_connection_does_not_hold_up_the_stop(example: Example) -> None:
    with running(example.app) as server, closing(server.connect()) as connection:
        connection.sendall(request_line("/healthz"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        server.join()
        assert connection.recv(65536) == b""


def test_after_the_stop_nothing_listens(example: Example) -> None:
    with running(example.app) as server:
        server.join()
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_the_address_is_printed_with_the_port_that_was_free(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(example.app) as server:
        printed = capsys.readouterr().out
        assert printed == f"example listens on http://127.0.0.1:{server.port}/\n"


def test_a_port_that_is_taken_is_a_setting_to_change(example: Example) -> None:
    with (
        running(example.app) as server,
        pytest.raises(ConfigError, match=f"{server.port}.*choose another port"),
    ):
        HttpServer(example.app, host="127.0.0.1", port=server.port, service="example")
