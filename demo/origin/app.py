"""The origin's HTTP application: playlists, segments, faults, control, and a page for people."""

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Response, render_template, request
from flask_openapi3 import OpenAPI
from jinja2 import FileSystemLoader
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from common.daemon import Stop
from common.times import format_time
from common.web import create_app, text_response
from demo.origin.control import Request, add_control_routes
from demo.origin.encoder import RENDITIONS
from demo.origin.faults import Fault, Faults, Kind
from demo.origin.playlist import CONTENT_TYPE, master_playlist, media_playlist
from demo.origin.station import Station
from demo.origin.ts import PACKET_BYTES

# Requests that the log keeps: about half a day of one downloader.
_LOG_REQUESTS = 50_000
_VIDEO_TYPE = "video/mp2t"
_REFRESH_SECONDS = 2


class MediaPath(BaseModel):
    quality: str


class SegmentPath(BaseModel):
    quality: str
    name: str


def create_origin(station: Station, *, registry: CollectorRegistry, stop: Stop) -> OpenAPI:
    """Everything that the origin answers. Stalls end when `stop` is set."""
    app = create_app("origin", registry=registry, ready=station.material.missing)
    app.jinja_loader = FileSystemLoader(Path(__file__).with_name("templates"))
    faults = Faults()
    log: deque[Request] = deque(maxlen=_LOG_REQUESTS)
    add_control_routes(app, station=station, faults=faults, requests=log)
    _add_stream_routes(app, station, Answerer(station, faults, log, stop))

    @app.get("/", doc_ui=False)
    def page() -> str:
        entries = station.window()
        return render_template(
            "origin.html",
            refresh_seconds=_REFRESH_SECONDS,
            now=format_time(station.clock.now()),
            epoch=format_time(station.material.epoch),
            entries=entries[::-1],
            format_time=format_time,
            state=station.broadcast.state,
            faults=faults.pending(),
            qualities=[rendition.name for rendition in RENDITIONS],
            requests=len(log),
        )

    return app


def _add_stream_routes(app: OpenAPI, station: Station, answerer: "Answerer") -> None:
    @app.get("/master.m3u8")
    def master() -> Response:
        return answerer.answer(
            lambda: (master_playlist(station.new_query()).encode(), CONTENT_TYPE)
        )

    @app.get("/media/<quality>.m3u8")
    def media(path: MediaPath) -> Response:
        def content() -> tuple[bytes, str]:
            if path.quality not in {rendition.name for rendition in RENDITIONS}:
                raise FileNotFoundError(path.quality)
            token = request.args.get("token")
            query = f"?token={token}" if token else ""
            entries = station.window()
            broadcast = station.broadcast
            text = media_playlist(
                path.quality, entries, broadcast.state, query, ended=broadcast.says_end
            )
            return text.encode(), CONTENT_TYPE

        return answerer.answer(content, expires=True)

    @app.get("/segments/<quality>/<name>")
    def segment(path: SegmentPath) -> Response:
        return answerer.answer(
            lambda: (station.content(path.quality, path.name), _VIDEO_TYPE), expires=True
        )


class Answerer:
    """Answers requests for the stream, goes wrong where it was told to, and notes each one."""

    def __init__(self, station: Station, faults: Faults, log: "deque[Request]", stop: Stop) -> None:
        self._station = station
        self._stop = stop
        self._faults = faults
        self._log = log

    def answer(
        self, content: Callable[[], tuple[bytes, str]], *, expires: bool = False
    ) -> Response:
        """The response to the current request: 403 for an expired URL (if it `expires`), 404 where
        `content` raises FileNotFoundError, else what it returns, spoilt if a fault says so.
        """
        fault = self._faults.take(request.path)
        response = self._response(content, expires, fault)
        note = Request(
            at=self._station.clock.now(),
            path=request.path,
            status=response.status_code,
            fault=fault.kind.value if fault else None,
        )
        self._log.append(note)
        if fault and fault.kind is Kind.STALL and fault.sent_bytes == 0:
            self._stop.wait(fault.seconds)
        return response

    def _response(
        self, content: Callable[[], tuple[bytes, str]], expires: bool, fault: Fault | None
    ) -> Response:
        if fault and fault.kind is Kind.STATUS:
            return text_response("as requested", fault.status)
        if expires and not self._station.may_use(request.args.get("token")):
            return text_response("this URL has expired", 403)
        try:
            body, content_type = content()
        except FileNotFoundError:
            return text_response("there is no such thing here", 404)
        response = _spoilt(body, fault, self._stop) if fault else Response(body)
        response.content_type = content_type
        response.headers["Cache-Control"] = "no-store"
        return response


def _spoilt(body: bytes, fault: Fault, stop: Stop) -> Response:
    if fault.kind is Kind.EMPTY:
        return Response(b"")
    half = len(body) // 2 // PACKET_BYTES * PACKET_BYTES
    sent = half if fault.sent_bytes is None else min(fault.sent_bytes, len(body))
    if fault.kind is Kind.STALL:
        if sent == 0:  # who answers waits, not even the headers are sent
            return Response(body)
        return _with_length(_paused(body, sent, fault.seconds, stop), len(body))
    if fault.kind is Kind.SHORTEN:
        return Response(body[:sent])
    if fault.kind is Kind.TRUNCATE:
        return _with_length(iter([body[:sent]]), len(body))
    return _with_length(iter([body]), len(body) + fault.excess_bytes)


def _paused(body: bytes, sent: int, seconds: float, stop: Stop) -> Iterator[bytes]:
    yield body[:sent]
    stop.wait(seconds)
    yield body[sent:]


def _with_length(body: Iterator[bytes], length: int) -> Response:
    response = Response(body)
    response.headers["Content-Length"] = str(length)
    # The body does not fit: only the end of the connection shows where it ends.
    response.headers["Connection"] = "close"
    return response
