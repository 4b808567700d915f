"""A peer that speaks the nodes' protocol and misbehaves where a test tells it to."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from common.replication.digest import QualityDigest, digest_of, format_digest

Trick = Callable[["Reply"], None]
"""Answers a request instead of the peer."""


class Reply(BaseHTTPRequestHandler):
    """One request to the peer, and how to answer it."""

    protocol_version = "HTTP/1.1"
    peer: "HostilePeer"
    gone: threading.Event

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.peer.requests.append(path)
        with suppress(ConnectionError):
            self.peer.answer(path, self)

    def log_message(self, *args: Any) -> None:
        """Be silent."""

    def head(self, status: int = 200, **headers: str) -> None:
        """Send the status and headers; underscores in names stand for hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, data: bytes, status: int = 200, **headers: str) -> None:
        """A whole answer."""
        self.head(status, Content_Length=str(len(data)), **headers)
        self.wfile.write(data)

    def value(self, value: object) -> None:
        self.body(json.dumps(value).encode())

    def slowly(self, data: bytes) -> None:
        """A byte every 0.1 s, until the client or the test has gone."""
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.gone.wait(0.1):
                return

    def hang_up(self) -> None:
        self.close_connection = True


@dataclass
class HostilePeer:
    """`hours` maps each hour to the bytes of the files in it. Each of `tricks` is a pattern of the
    whole path, and what to answer there; the first that fits counts.
    """

    hours: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tricks: list[tuple[str, Trick]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def asked(self, pattern: str) -> int:
        """How many requests there were for such paths."""
        return sum(re.fullmatch(pattern, path) is not None for path in list(self.requests))

    def answer(self, path: str, reply: Reply) -> None:
        for pattern, trick in self.tricks:
            if re.fullmatch(pattern, path):
                trick(reply)
                return
        self._behave(path.strip("/").split("/"), reply)

    def _behave(self, parts: list[str], reply: Reply) -> None:
        match parts:
            case ["digest", _, "source"]:
                hours = {hour: digest_of(names) for hour, names in self.hours.items()}
                reply.body(format_digest(QualityDigest(hours=hours)).encode())
            case ["files", _, "source"]:
                reply.value(sorted(self.hours))
            case ["files", _, "source", hour]:
                reply.value(sorted(self.hours.get(hour, {})))
            case ["segments", _, "source", hour, name] if name in self.hours.get(hour, {}):
                reply.body(self.hours[hour][name])
            case ["extras", _]:
                reply.value([])
            case _:
                reply.body(b"", status=404)


@contextmanager
def hostile_peer(peer: HostilePeer) -> Iterator[HostilePeer]:
    """Serve it on loopback."""
    gone = threading.Event()
    handler = type("Handler", (Reply,), {"peer": peer, "gone": gone})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        peer.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield peer
        finally:
            gone.set()
            server.shutdown()
            thread.join()
