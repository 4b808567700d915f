"""Single pictures: a frame, a frame under a template, the waveform of a range."""

import base64
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from flask import Response, request
from flask_openapi3 import OpenAPI, RawModel
from pydantic import BaseModel, Field

from common.errors import BadParameter, MediaError
from common.extras import TEMPLATES
from common.media.encoders import EncoderPool
from common.media.job import Job
from common.media.pictures import Box, Template, plan_frame, plan_waveform
from common.segments.store import SegmentStore
from common.threads import in_thread
from common.times import HOUR, Micros
from restreamer.cutting import Chunk, started
from restreamer.limits import Limit
from restreamer.metrics import RestreamerMetrics
from restreamer.params import box_param, check_box, size_param, span_params, time_param
from restreamer.routes.files import QualityPath, template_names

MAX_BODY_BYTES = 8 * 1024 * 1024

_LONGEST_WAVEFORM: Micros = 6 * HOUR
# What is shown does not change, but a better copy of it may come from another node.
_CACHED = "public, max-age=60"


class FrameQuery(BaseModel):
    timestamp: str | None = Field(None, description="ISO 8601, UTC.")


class ThumbnailQuery(FrameQuery):
    crop: str | None = Field(None, description="x1,y1,x2,y2: the part of the frame, in pixels.")
    location: str | None = Field(None, description="x1,y1,x2,y2: where in the template it goes.")


class NamedThumbnailQuery(ThumbnailQuery):
    template: str | None = Field(None, description="A name out of /thumbnail-templates.")


class WaveformQuery(BaseModel):
    start: str | None = Field(None, description="ISO 8601, UTC.")
    end: str | None = Field(None, description="ISO 8601, UTC; at most six hours later.")
    size: str = Field("1024x64", description="WIDTHxHEIGHT in pixels.")


class PostedTemplate(RawModel):
    mimetypes = ["image/png"]  # noqa: RUF012 - flask-openapi3 wants it so


class _Pictures:
    def __init__(
        self, store: SegmentStore, encoders: EncoderPool, metrics: RestreamerMetrics
    ) -> None:
        self._store = store
        self._encoders = encoders
        self._metrics = metrics

    def frame(
        self, path: QualityPath, query: FrameQuery, template: Template | None, limit: Limit
    ) -> Response:
        moment = time_param("timestamp", _given("timestamp", query.timestamp))
        kind = "frame" if template is None else "thumbnail"
        return self._reply(
            kind,
            limit,
            lambda: plan_frame(self._store, path.channel, path.quality, moment, template),
        )

    def waveform(self, path: QualityPath, query: WaveformQuery, limit: Limit) -> Response:
        span = span_params(_given("start", query.start), _given("end", query.end))
        if span.end - span.start > _LONGEST_WAVEFORM:
            raise BadParameter("end", "it is more than six hours after the start")
        size = size_param("size", query.size)
        return self._reply(
            "waveform",
            limit,
            lambda: plan_waveform(self._store, path.channel, path.quality, span, size),
        )

    def named(self, query: NamedThumbnailQuery) -> Template:
        """The template of that name, with its description's boxes unless others are given."""
        name = _given("template", query.template)
        described = in_thread(lambda: _described(self._store.base_dir, name))
        return Template(
            path=str(self._store.base_dir / TEMPLATES / f"{name}.png"),
            crop=_box("crop", query.crop) or described.crop,
            location=_box("location", query.location) or described.location,
        )

    def _reply(self, kind: str, limit: Limit, plan: Callable[[], Job]) -> Response:
        with limit.place():
            job = in_thread(plan)
            if request.method == "HEAD":
                return _png(iter(()))  # of how many bytes is not known yet
            # The whole picture is ready before the place is free again.
            stream = started(_chunks(self._encoders, job), kind=kind, metrics=self._metrics)
            with closing(stream):
                return _png(b"".join(chain.from_iterable(stream)))


def _chunks(encoders: EncoderPool, job: Job) -> Generator[Chunk, None, None]:
    for data in encoders.run(job):
        yield (data,)


def _png(body: bytes | Iterator[bytes]) -> Response:
    response = Response(body, content_type="image/png")
    response.headers["Cache-Control"] = _CACHED
    return response


def _given(name: str, text: str | None) -> str:
    if text is None:
        raise BadParameter(name, "it is missing")
    return text


def _box(name: str, text: str | None) -> Box | None:
    return None if text is None else box_param(name, text)


def _described(base_dir: Path, name: str) -> Template:
    """What `NAME.json` says of a template. It may be missing, and so may each of its fields.

    Raises BadParameter if there is no such template, MediaError if the file is wrong.
    """
    if name not in template_names(base_dir):
        raise BadParameter("template", f"there is none with the name {name!r}")
    try:
        fields = json.loads((base_dir / TEMPLATES / f"{name}.json").read_bytes())
        return Template(
            crop=_described_box(fields, "crop"), location=_described_box(fields, "location")
        )
    except FileNotFoundError:
        return Template()
    except (OSError, ValueError, AttributeError, BadParameter) as exc:
        raise MediaError(f"the description of the template {name!r} is wrong: {exc}") from exc


def _described_box(fields: dict[str, object], name: str) -> Box | None:
    value = fields.get(name)
    return None if value is None else check_box(name, value)


def _posted(query: ThumbnailQuery, png: bytes) -> Template:
    if not png:
        raise BadParameter("body", "send a PNG, the template")
    return Template(
        png_base64=base64.b64encode(png).decode("ascii"),
        crop=_box("crop", query.crop),
        location=_box("location", query.location),
    )


def add_routes(
    app: OpenAPI,
    store: SegmentStore,
    *,
    encoders: EncoderPool,
    quick: Limit,
    slow: Limit,
    metrics: RestreamerMetrics,
) -> None:
    """`quick` limits frames, `slow` waveforms."""
    pictures = _Pictures(store, encoders, metrics)

    @app.get("/frame/<channel>/<quality>.png", summary="The frame of a moment.")
    def frame(path: QualityPath, query: FrameQuery) -> Response:
        return pictures.frame(path, query, None, quick)

    @app.get("/thumbnail/<channel>/<quality>.png", summary="A frame under a named template.")
    def thumbnail(path: QualityPath, query: NamedThumbnailQuery) -> Response:
        return pictures.frame(path, query, pictures.named(query), quick)

    @app.post("/thumbnail/<channel>/<quality>.png", summary="A frame under the posted template.")
    def posted(path: QualityPath, query: ThumbnailQuery, raw: PostedTemplate) -> Response:
        return pictures.frame(path, query, _posted(query, raw.get_data(cache=False)), quick)

    @app.get("/waveform/<channel>/<quality>.png", summary="The sound of a range, drawn.")
    def waveform(path: QualityPath, query: WaveformQuery) -> Response:
        return pictures.waveform(path, query, slow)
