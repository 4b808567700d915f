"""HTTP servers: the application every service starts from, and the server that runs it.

Every service answers `/metrics`, `/healthz` (the event loop turns) and `/readyz` (what the service
needs is there; else 503 and the reasons, one per line). HTTP services add their routes, declared
with pydantic models, which give `/openapi.json`. Errors are plain text for a person.

`HttpServer` stops without dropping anyone: it goes on accepting until the kernel's queue is empty,
answers every request that has begun, and only then closes.
"""

import errno
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import click
import gevent
import gevent.socket
from flask import Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import Info, OpenAPI
from gevent import pywsgi
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from common.daemon import Stop
from common.errors import BadParameter, ConfigError

logger = logging.getLogger(__name__)

ReadyCheck = Callable[[], Iterable[str]]
"""Returns what is missing, as sentences; nothing when the service is ready."""


def new_registry() -> CollectorRegistry:
    """A registry with the process's own metrics (memory, CPU, garbage collection)."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def text_response(text: str, status: int = 200) -> Response:
    return Response(text + "\n" if text else "", status, content_type="text/plain; charset=utf-8")


def text_answer(description: str) -> dict[str, Any]:
    """How `/openapi.json` describes an answer in plain text."""
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


class _Json(DefaultJSONProvider):
    """Takes what is nested too deeply for anything that is no JSON: it is the client's error."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return super().loads(s, **kwargs)
        except RecursionError as exc:
            raise ValueError("the JSON is nested too deeply") from exc


def create_app(service: str, *, registry: CollectorRegistry, ready: ReadyCheck) -> OpenAPI:
    """The application that every service starts from. See the module's description."""
    app = OpenAPI(
        service,
        info=Info(title=f"Wubloader {service}", version="1"),
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=_bad_request,
        responses={
            400: text_answer("The request is wrong; each line names a parameter and why."),
            503: text_answer("Not now; Retry-After says when to try again."),
        },
        security_schemes={},  # without it the document holds a null, which is not valid
        static_folder=None,
    )
    app.json = _Json(app)
    _add_metrics(app, registry)
    _add_errors(app)

    @app.get("/openapi.json", doc_ui=False)
    def openapi() -> Response:
        return jsonify(app.api_doc)

    @app.get("/metrics", doc_ui=False)
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule(f"/metrics/{service}", "metrics_of_service", metrics)

    @app.get("/healthz", doc_ui=False)
    def healthz() -> Response:
        return text_response("ok")

    @app.get("/readyz", doc_ui=False)
    def readyz() -> Response:
        missing = list(ready())
        return text_response("\n".join(missing), 503) if missing else text_response("ok")

    return app


def _add_metrics(app: OpenAPI, registry: CollectorRegistry) -> None:
    requests = Counter(
        "wubloader_http_requests_total",
        "Requests answered, by view and status.",
        ["view", "method", "status"],
        registry=registry,
    )
    seconds = Histogram(
        "wubloader_http_request_seconds",
        "Time until the response's headers were ready, by view.",
        ["view"],
        registry=registry,
    )
    Gauge(
        "wubloader_clock_timestamp_seconds",
        "This machine's clock, as a Unix time.",
        registry=registry,
    ).set_function(time.time)

    @app.before_request
    def start() -> None:
        g.started = time.monotonic()

    @app.after_request
    def observe(response: Response) -> Response:
        view = request.endpoint or "none"
        # Anything may be sent as a method; only the known ones become labels.
        method = request.method if request.method in _METHODS else "other"
        requests.labels(view, method, str(response.status_code)).inc()
        seconds.labels(view).observe(time.monotonic() - g.started)
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _bad_request(error: ValidationError) -> Response:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if not problems[0]["loc"]:
        return text_response("send a JSON object, with 'Content-Type: application/json'", 400)
    lines = (
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in problems
    )
    return text_response("\n".join(lines), 400)


_ERROR_HEADERS = {"allow", "location", "retry-after", "content-range", "www-authenticate"}


def _add_errors(app: OpenAPI) -> None:
    @app.errorhandler(BadParameter)
    def bad_parameter(error: BadParameter) -> Response:
        return text_response(str(error), 400)

    @app.errorhandler(HTTPException)
    def http_exception(error: HTTPException) -> Response:
        response = text_response(error.description or error.name, error.code or 500)
        response.headers.extend(
            (name, value) for name, value in error.get_headers() if name.lower() in _ERROR_HEADERS
        )
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return text_response("an error of ours: see the service's log", 500)


CONNECTION = "wubloader.connection"
"""In a request's WSGI environment: the client's socket, for views that notice when it closes."""


LONGEST_REQUEST_LINE_BYTES = 256 * 1024
"""A thousand ranges with their transitions fit into one address."""

_TOO_LONG = f"the address is longer than {LONGEST_REQUEST_LINE_BYTES} bytes; ask for less\n"
_TOO_LONG_RESPONSE = (
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
    f"Content-Length: {len(_TOO_LONG)}\r\n\r\n{_TOO_LONG}"
).encode()

# How much of a refused request is read, and how long.
_SKIPPED_BYTES = 128 * 1024 * 1024
_SKIPPING_SECONDS = 30


class _Handler(WSGIHandler):
    """Tells the server when a request begins and ends."""

    server: "_Server"
    code: int
    response_headers: list[tuple[bytes, bytes]]

    def handle_one_request(self) -> object:
        if self.server.draining and not self._data_waits():
            return None  # closes the connection: between two requests there is nothing to lose
        result: object = super().handle_one_request()
        if isinstance(result, tuple) and result[0] == "414":
            self._skip_request()
            return "400", _TOO_LONG_RESPONSE
        return result

    def _skip_request(self) -> None:
        """Read to the end of a request without keeping it: who is still sending misses the answer
        if the connection closes meanwhile.
        """
        skipped = 0
        line = None
        with gevent.Timeout(_SKIPPING_SECONDS, False):
            while skipped < _SKIPPED_BYTES and line not in {b"", b"\n", b"\r\n"}:
                line = self.rfile.readline(LONGEST_REQUEST_LINE_BYTES)
                skipped += len(line)

    def handle_one_response(self) -> None:
        self.server.active += 1
        try:
            if self.server.draining:
                self.close_connection = True
            super().handle_one_response()
        finally:
            self.server.active -= 1

    def get_environ(self) -> dict[str, object]:
        environ: dict[str, object] = super().get_environ()
        environ[CONNECTION] = self.socket
        return environ

    def finalize_headers(self) -> None:
        super().finalize_headers()
        if self.command != "HEAD":
            return
        # What follows would be taken for the next answer, and the end of a chunked body too.
        self.response_use_chunked = False
        # gevent counts what is sent, which is nothing. What GET would send it does not know, and
        # must not say then (RFC 9110, 8.6).
        if self.provided_content_length is None:
            self.response_headers = [
                header for header in self.response_headers if header[0] != b"Content-Length"
            ]

    def _write(self, data: bytes | Sequence[bytes | memoryview]) -> None:
        """Send a part of the body. It may be in pieces, and is not copied: gevent's own way puts it
        together with its frame first, which for large parts costs as much as sending them.
        """
        pieces: list[bytes | memoryview] = [data] if isinstance(data, bytes) else list(data)
        size = sum(map(len, pieces))
        if not size:
            return
        if self.response_use_chunked:
            pieces = [b"%x\r\n" % size, *pieces, b"\r\n"]
        self.socket.settimeout(self.server.patience_seconds)
        try:
            _send_all(self.socket, pieces)
        except OSError as exc:
            self.status = f"socket error: {exc}"
            self.code = -abs(self.code)
            raise
        finally:
            self.socket.settimeout(None)
        self.response_length += size

    def _data_waits(self) -> bool:
        try:
            gevent.socket.wait_read(self.socket.fileno(), timeout=_DRAIN_SECONDS)
        except (TimeoutError, OSError):
            return False
        return True


def _send_all(connection: gevent.socket.socket, pieces: list[bytes | memoryview]) -> None:
    """Send all pieces, many with each call; after each, others have their turn. Raises OSError;
    ConnectionResetError, which is logged nowhere, if the client takes none of it until the
    connection's timeout.
    """
    waiting = deque(pieces)
    while waiting:
        try:
            sent = connection.sendmsg(_turn(waiting))
            while waiting and sent >= len(waiting[0]):
                sent -= len(waiting.popleft())
            if waiting:
                waiting[0] = memoryview(waiting[0])[sent:]
                # A client that is as quick as we are would have the event loop for itself.
                gevent.socket.wait_write(connection.fileno(), timeout=connection.gettimeout())
        except TimeoutError as exc:
            raise ConnectionResetError(errno.ECONNRESET, "the client takes nothing") from exc


def _turn(waiting: Iterable[bytes | memoryview]) -> list[bytes | memoryview]:
    """The first pieces, as many as may be sent at once."""
    turn: list[bytes | memoryview] = []
    room = _TURN_BYTES
    for piece in islice(waiting, _MOST_PIECES):
        turn.append(piece if len(piece) <= room else memoryview(piece)[:room])
        room -= len(turn[-1])
        if not room:
            break
    return turn


# As many buffers as Linux takes in one call (sendmsg(2), IOV_MAX).
_MOST_PIECES = 1024

# To send so much over loopback takes about half a millisecond.
_TURN_BYTES = 1 << 20

# A client that takes nothing for so long is gone, or does not want the rest: what is made for it
# must not be held for ever. The slowest connections take some seconds for what is sent at once.
_PATIENCE_SECONDS = 300.0

# How long a connection that is open at the stop may take to begin its request.
_DRAIN_SECONDS = 0.2
_DRAIN_TURNS = 20

# Connections that the kernel keeps for us until we accept them.
_BACKLOG = 256


class _Server(WSGIServer):
    handler_class = _Handler
    draining = False
    active = 0
    patience_seconds = _PATIENCE_SECONDS


def _listen(host: str, port: int) -> gevent.socket.socket:
    """A listening socket. Raises OSError, and leaves no socket open then."""
    family = gevent.socket.AF_INET6 if ":" in host else gevent.socket.AF_INET
    listener = gevent.socket.socket(family, gevent.socket.SOCK_STREAM)
    try:
        listener.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class HttpServer:
    """Serves `app` on host:port. `port` 0 takes a free one; `.port` says which. A client that takes
    nothing of a body for `patience_seconds` is given up.

    Raises ConfigError if the address cannot be listened on.
    """

    def __init__(
        self,
        app: OpenAPI,
        *,
        host: str,
        port: int,
        service: str,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        try:
            listener = _listen(host, port)
        except OSError as exc:
            raise ConfigError(
                f"cannot listen on {host}:{port} ({exc.strerror}); choose another port"
            ) from exc
        # gevent's own limit would not take the addresses of cuts of many ranges.
        pywsgi.MAX_REQUEST_LINE = LONGEST_REQUEST_LINE_BYTES
        # A pool, so that connections that are idle at the end of a stop are closed too.
        self._server = _Server(listener, app, spawn=Pool(), log=None, error_log=logger)
        self._server.patience_seconds = patience_seconds
        self._server.start()
        self.port: int = self._server.server_port
        shown = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104
        click.echo(f"{service} listens on http://{shown}:{self.port}/")

    def run(self, stop: Stop) -> None:
        """A daemon's task: serve until stop, then until every request begun is answered."""
        stop.wait()
        self._server.draining = True
        # Clients that the kernel has already connected are answered, so accept until none waits.
        gevent.sleep(0)
        self._server.stop_accepting()
        self._accept_the_queue()
        self._server.close()
        # Not by the clock: while this process cannot run, it does not see who has begun.
        turns = _DRAIN_TURNS
        while self._server.active or turns > 0:
            turns -= 1
            gevent.sleep(_DRAIN_SECONDS / _DRAIN_TURNS)
        self._server.stop(timeout=_DRAIN_SECONDS)

    def _accept_the_queue(self) -> None:
        while True:
            try:
                accepted = self._server.do_read()
            except OSError:
                return
            if accepted is None:
                return
            self._server.do_handle(*accepted)
