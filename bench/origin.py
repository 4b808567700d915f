"""`python -m bench.origin`: a server that costs so little that it is not what is measured.

GET /streams/N.m3u8       the media playlist of stream N (see `bench.stream`)
GET /segments/N/I.ts      segment I of stream N, whether it is listed yet or not
GET /shown                JSON: for each stream, when each of its segments was first listed to
                          somebody, in seconds since 1970
GET /file                 the file that --file names, by sendfile
"""

import json
import socket
import socketserver
import time
from pathlib import Path
from typing import BinaryIO

import click

from bench.stream import SEGMENT_BYTES, Schedule, head, rest
from common.times import SECOND, Micros

_LONGEST_HEADER_BYTES = 16 * 1024


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, port: int, schedule: Schedule, file: Path | None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.schedule = schedule
        self.file = file
        self.shown: dict[int, dict[int, float]] = {}


class _Handler(socketserver.BaseRequestHandler):
    """One connection: requests one after the other until the client closes it."""

    request: socket.socket
    server: _Server

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = self.request.makefile("rb")
        try:
            while path := _read_request(reader):
                self._answer(path)
        except ConnectionError:
            return
        finally:
            reader.close()

    def _answer(self, path: str) -> None:
        match path.removeprefix("/").split("/"):
            case ["streams", name]:
                self._send(self._playlist(int(name.removesuffix(".m3u8"))))
            case ["segments", stream, name]:
                self._send_segment(int(stream), int(name.removesuffix(".ts")))
            case ["shown"]:
                self._send(json.dumps(self.server.shown).encode())
            case ["file"] if self.server.file:
                self._send_file(self.server.file)
            case _:
                self.request.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def _playlist(self, stream: int) -> bytes:
        now = time.time_ns() // 1000
        shown = self.server.shown.setdefault(stream, {})
        for index in self.server.schedule.window(stream, now):
            shown.setdefault(index, now / SECOND)
        return self.server.schedule.playlist(stream, now).encode()

    def _send(self, body: bytes) -> None:
        self.request.sendall(_headers(len(body)) + body)

    def _send_segment(self, stream: int, index: int) -> None:
        self.request.sendall(_headers(SEGMENT_BYTES) + head(stream, index))
        self.request.sendall(rest())

    def _send_file(self, path: Path) -> None:
        with path.open("rb") as file:
            self.request.sendall(_headers(path.stat().st_size))
            self.request.sendfile(file)


def _headers(length: int) -> bytes:
    return (
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def _read_request(reader: BinaryIO) -> str | None:
    """The path of the next request; None at the end of the connection."""
    line = reader.readline(_LONGEST_HEADER_BYTES)
    while reader.readline(_LONGEST_HEADER_BYTES).strip():
        pass
    return line.split()[1].decode("ascii") if line else None


@click.command()
@click.option("--port", type=int, default=0)
@click.option("--epoch", type=int, default=0, help="When the streams begin: microseconds.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(port: int, epoch: Micros, file: Path | None) -> None:
    """Serve streams and a file, at next to no cost."""
    with _Server(port, Schedule(epoch), file) as server:
        click.echo(f"bench.origin listens on http://127.0.0.1:{server.server_address[1]}/")
        server.serve_forever()


if __name__ == "__main__":
    command()
