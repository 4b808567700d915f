"""HTTP requests that we make: pooled sessions, a deadline for everything, our own errors, metrics.

    http = HttpClient("downloader", metrics)
    with http.get(url, deadline_seconds=10) as response:
        for chunk in response.chunks():
            ...

Connections are kept in the client's pool and used again; `HttpClient.reset()` drops them after an
error that may be the connection's fault.

A client with `strict=True` is for servers that may be hostile: it follows no redirect, and takes no
encoded body, so that what comes is never more than what travels. Whoever reads a body bounds it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import gevent
import requests
from prometheus_client import CollectorRegistry, Counter, Histogram
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from common.errors import (
    BadAnswer,
    BadStatus,
    BrokenTransfer,
    ConnectFailed,
    FetchError,
    TimedOut,
    Unreachable,
)

USER_AGENT = "wubloader"
CHUNK_BYTES = 128 * 1024
NOT_MODIFIED = 304


class HttpClientMetrics:
    """What a service asks of other servers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "wubloader_http_client_requests_total",
            "Requests made, by purpose and by the answer's status ('error' where there was none).",
            ["purpose", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "wubloader_http_client_response_seconds",
            "Time until the answer's headers were in.",
            ["purpose"],
            registry=registry,
        )
        self.received = Counter(
            "wubloader_http_client_received_bytes_total",
            "Bytes of bodies received.",
            ["purpose"],
            registry=registry,
        )


class Response:
    """An open response with status 2xx, or 304 where the request had a condition.

    Bodies are read in chunks, within the deadline.
    """

    def __init__(
        self,
        raw: requests.Response,
        url: str,
        deadline: gevent.Timeout,
        metrics: HttpClientMetrics,
        purpose: str,
    ) -> None:
        self._raw = raw
        self._url = url
        self._deadline = deadline
        self._received = metrics.received.labels(purpose)
        self.status: int = raw.status_code
        self.headers: Mapping[str, str] = raw.headers
        self.url: str = raw.url
        """Where the body came from after redirects: relative URLs in it refer to this."""

    def chunks(self, size_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the body as it comes in. Raises BrokenTransfer or TimedOut when it does not come in
        whole, after all that did.
        """
        # Not `iter_content`, which drops a last chunk that is not full when the transfer breaks.
        with _translated(self._url, self._deadline, BrokenTransfer):
            while chunk := self._raw.raw.read1(size_bytes, decode_content=True):
                self._received.inc(len(chunk))
                yield chunk

    def read(self, limit_bytes: int) -> bytes:
        """The whole body. Raises BrokenTransfer if it is longer than `limit_bytes`."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > limit_bytes:
                raise BrokenTransfer(self._url, f"the body is longer than {limit_bytes} bytes")
        return bytes(body)

    def text(self, limit_bytes: int = 16 * 1024 * 1024) -> str:
        """The whole body as UTF-8 text; bytes that are none become U+FFFD."""
        return self.read(limit_bytes).decode("utf-8", errors="replace")


class HttpClient:
    """A pool of connections for one purpose. Safe to share between greenlets."""

    def __init__(
        self,
        purpose: str,
        metrics: HttpClientMetrics,
        *,
        connections: int = 16,
        connect_seconds: float = 5.0,
        read_seconds: float = 15.0,
        headers: Mapping[str, str] | None = None,
        strict: bool = False,
    ) -> None:
        self._purpose = purpose
        self._metrics = metrics
        self._connections = connections
        self._timeout = (connect_seconds, read_seconds)
        self._strict = strict
        plain = {"Accept-Encoding": "identity"} if strict else {}
        self._headers = {"User-Agent": USER_AGENT, **plain, **(headers or {})}
        self._session = self._new_session()

    def reset(self) -> None:
        """Drop all idle connections. Requests under way go on with theirs."""
        self._session, old = self._new_session(), self._session
        old.close()

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def get(
        self, url: str, *, deadline_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Iterator[Response]:
        """GET `url` and yield the open response.

        The deadline covers everything from the connection to the last byte of the body. Raises
        ConnectFailed, TimedOut, BadStatus, BrokenTransfer or BadAnswer.
        """
        deadline = gevent.Timeout(deadline_seconds)
        deadline.start()
        try:
            raw = self._send(url, deadline, headers)
            try:
                yield Response(raw, url, deadline, self._metrics, self._purpose)
            finally:
                raw.close()
        except gevent.Timeout as exc:
            if exc is not deadline:
                raise
            raise TimedOut(url, f"not complete after {deadline_seconds:g} s") from exc
        finally:
            deadline.close()

    def _send(
        self, url: str, deadline: gevent.Timeout, headers: Mapping[str, str] | None
    ) -> requests.Response:
        status = "error"
        started = time.monotonic()
        try:
            with _translated(url, deadline, ConnectFailed):
                raw = self._session.get(
                    url,
                    headers=headers,
                    timeout=self._timeout,
                    stream=True,
                    allow_redirects=not self._strict,
                )
            status = str(raw.status_code)
            self._metrics.seconds.labels(self._purpose).observe(time.monotonic() - started)
        finally:
            self._metrics.requests.labels(self._purpose, status).inc()
        if not (raw.ok and (raw.status_code < 300 or raw.status_code == NOT_MODIFIED)):
            raw.close()
            raise BadStatus(url, raw.status_code)
        if self._strict and raw.headers.get("Content-Encoding", "identity") != "identity":
            raw.close()
            raise BadAnswer(url, "the body is encoded, though we asked for it as it is")
        return raw

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(self._headers)
        adapter = HTTPAdapter(
            pool_connections=self._connections, pool_maxsize=self._connections, max_retries=0
        )
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session


@contextmanager
def _translated(url: str, deadline: gevent.Timeout, otherwise: type[FetchError]) -> Iterator[None]:
    """Turn what requests, urllib3 and the deadline raise into our errors, in one place."""
    try:
        yield
    except gevent.Timeout as exc:
        if exc is not deadline:
            raise
        raise TimedOut(url, f"not complete after {deadline.seconds:g} s") from exc
    except requests.ConnectTimeout as exc:
        raise Unreachable(url, "no connection within the time allowed") from exc
    except (requests.Timeout, ReadTimeoutError) as exc:
        raise TimedOut(url, "the server stopped answering") from exc
    except (requests.RequestException, HTTPError) as exc:
        raise (Unreachable if _is_unreachable(exc) else otherwise)(url, str(exc)) from exc


def _is_unreachable(error: Exception) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)
