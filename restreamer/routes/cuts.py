"""Cuts, sent while they are made."""

from collections.abc import Callable, Generator

from flask import Response, request
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, Field

from common.errors import MediaError
from common.media.cut import stream_pieces
from common.media.encoders import EncoderPool
from common.media.plan import CutPlan, plan_cut
from common.media.request import CUT_TYPES, CutRequest, CutType, Transition, parse_cut_type
from common.segments.store import SegmentStore
from common.threads import in_thread
from common.times import SECOND, Micros, format_time
from common.web import text_response
from restreamer.cutting import Chunk, CutStream, started
from restreamer.limits import Limit
from restreamer.metrics import RestreamerMetrics
from restreamer.params import bool_param, ranges_params, transitions_params
from restreamer.responses import json_reply
from restreamer.routes.files import QualityPath
from restreamer.running import RunningCut, RunningCuts


class CutQuery(BaseModel):
    start: str | None = Field(None, description="ISO 8601, UTC.")
    end: str | None = Field(None, description="ISO 8601, UTC.")
    range: list[str] = Field([], description="START,END; may be given several times.")
    transition: list[str] = Field(
        [], description="TYPE,SECONDS between a range and the next; empty for a hard cut."
    )
    type: str | None = Field(
        None, description=f"One of {', '.join(CUT_TYPES)}; smart if it is left out."
    )
    container: str | None = Field(None, description="mpegts or mp4, for the type smart.")
    allow_holes: str | None = Field(None, description="true: cut what there is.")


class _Cuts:
    def __init__(
        self,
        store: SegmentStore,
        encoders: EncoderPool,
        limit: Limit,
        metrics: RestreamerMetrics,
        running: RunningCuts,
    ) -> None:
        self._running = running
        self._store = store
        self._encoders = encoders
        self._limit = limit
        self._metrics = metrics

    def cut(self, channel: str, quality: str, query: CutQuery) -> Response:
        wanted = _cut_request(channel, quality, query)
        release = self._take_place(wanted.type)
        try:
            plan = in_thread(lambda: plan_cut(self._store, wanted))
            if request.method == "HEAD":
                release()
                return _reply(plan, None)
        except BaseException:
            release()
            raise
        return self._started(plan, release)

    def _started(self, plan: CutPlan, release: Callable[[], None]) -> Response:
        running = self._running.begin(plan)

        def end() -> None:
            self._running.end(running)
            release()

        try:
            stream = started(
                _chunks(plan, self._encoders, running),
                kind=plan.request.type.value,
                metrics=self._metrics,
                on_end=end,
            )
        except BaseException:
            end()
            raise
        response = _reply(plan, stream)
        response.headers["Wubloader-Cut"] = running.id
        return response

    def _take_place(self, kind: CutType) -> Callable[[], None]:
        """Returns what gives the place back; calling that twice does no harm."""
        if kind is CutType.ROUGH:
            return lambda: None  # sends files as they are: nothing to limit
        self._limit.acquire()
        return _Once(self._limit.release)


class _Once:
    """Calls `function` the first time that it is called itself."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()


def _chunks(
    plan: CutPlan, encoders: EncoderPool, running: RunningCut
) -> Generator[Chunk, None, None]:
    yield from stream_pieces(plan, encoders=encoders, on_progress=running.report)


def _cut_request(channel: str, quality: str, query: CutQuery) -> CutRequest:
    ranges = ranges_params(query.start, query.end, query.range)
    return CutRequest(
        channel=channel,
        quality=quality,
        ranges=ranges,
        transitions=tuple(
            None if given is None else Transition(type=given[0], seconds=given[1])
            for given in transitions_params(query.transition, len(ranges))
        ),
        type=parse_cut_type(query.type, query.container),
        allow_holes=bool_param("allow_holes", query.allow_holes),
    )


def _reply(plan: CutPlan, stream: CutStream | None) -> Response:
    # Nothing is sent for HEAD; of an empty tuple it would be said that nothing is all there is.
    body = iter(()) if stream is None else stream
    response = Response(
        body,  # type: ignore[arg-type]  # our server takes a chunk's pieces as they are
        content_type=plan.request.type.content_type,
        direct_passthrough=True,
    )
    response.headers.set("Content-Disposition", "attachment", filename=_filename(plan.request))
    # Made for this request only, and large: nobody should keep it.
    response.headers["Cache-Control"] = "no-store"
    return response


def _filename(wanted: CutRequest) -> str:
    # Colons are not allowed in file names everywhere.
    start = wanted.ranges[0].start
    moment = format_time(start - start % SECOND)[:19].replace(":", "-")
    return f"{wanted.channel}-{wanted.quality}-{moment}{wanted.type.suffix}"


def add_routes(
    app: OpenAPI,
    store: SegmentStore,
    *,
    encoders: EncoderPool,
    limit: Limit,
    metrics: RestreamerMetrics,
    clock: Callable[[], Micros],
) -> None:
    running = RunningCuts(clock)
    cuts = _Cuts(store, encoders, limit, metrics, running)

    @app.get("/cuts", summary="The cuts that are being sent now, and how far each is.")
    def list_cuts() -> Response:
        response = json_reply(running.as_json())
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/cut/<channel>/<quality>.ts", summary="A video of one or several ranges.")
    def cut(path: QualityPath, query: CutQuery) -> Response:
        return cuts.cut(path.channel, path.quality, query)

    @app.errorhandler(MediaError)
    def unreadable(error: MediaError) -> Response:
        # Recorded, but nothing can be made of it: for a client the same as a hole.
        return text_response(str(error), 406)
