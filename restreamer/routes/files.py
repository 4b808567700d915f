"""Names of what is stored, and the files themselves."""

import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path

from flask import Response
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, Field
from werkzeug.exceptions import NotFound

from common.extras import TEMPLATES, is_visible
from common.segments.store import SegmentStore
from common.threads import in_thread
from common.times import parse_hour
from restreamer.params import bool_param
from restreamer.responses import file_reply, json_reply

_FOREVER = "public, max-age=31536000, immutable"
_REVALIDATE = "public, no-cache"
_HOUR_DEPTH = 4  # CHANNEL/QUALITY/HOUR/NAME


class ChannelPath(BaseModel):
    channel: str


class QualityPath(ChannelPath):
    quality: str


class HourPath(QualityPath):
    hour: str = Field(description="As in 2026-07-01T12, UTC.")


class HourQuery(BaseModel):
    tombstones: str | None = Field(None, description="true: list tombstones as well.")


class FilePath(BaseModel):
    path: str


def add_routes(app: OpenAPI, store: SegmentStore) -> None:
    @app.get("/files", summary="Names of all channels.")
    def channels() -> Response:
        return json_reply(in_thread(store.channels))

    @app.get("/files/<channel>", summary="Names of a channel's qualities.")
    def qualities(path: ChannelPath) -> Response:
        return json_reply(in_thread(lambda: store.qualities(path.channel)))

    @app.get("/files/<channel>/<quality>", summary="Names of the hours of a quality.")
    def hours(path: QualityPath) -> Response:
        return json_reply(in_thread(lambda: store.hours(path.channel, path.quality)))

    @app.get("/files/<channel>/<quality>/<hour>", summary="Names of the segments of an hour.")
    def hour(path: HourPath, query: HourQuery) -> Response:
        everything = bool_param("tombstones", query.tombstones)
        found = in_thread(lambda: store.hour(path.channel, path.quality, path.hour))
        names = found.names if everything else sorted(entry.name for entry in found.segments)
        return json_reply(names)

    @app.get("/segments/<path:path>", summary="A segment, or any other file of the store.")
    def file(path: FilePath) -> Response:
        return _file(store, path.path)

    @app.get("/extras/<path:path>", summary="Paths of all files below a folder of the store.")
    def extras(path: FilePath) -> Response:
        return json_reply(in_thread(lambda: _below(store.base_dir, path.path)))

    @app.get("/thumbnail-templates", summary="Names of the thumbnail templates.")
    def templates() -> Response:
        return json_reply(in_thread(lambda: template_names(store.base_dir)))


def _file(store: SegmentStore, path: str) -> Response:
    parts = path.split("/")
    if not all(map(is_visible, parts)):
        raise NotFound
    if len(parts) == _HOUR_DEPTH and _is_hour(parts[2]):
        return _segment(store, parts)
    try:
        return _extra(store.base_dir, path)
    except OSError as exc:
        raise NotFound from exc


def _segment(store: SegmentStore, parts: list[str]) -> Response:
    channel, quality, hour, name = parts
    found = in_thread(lambda: store.hour(channel, quality, hour))
    segment = next((entry for entry in found.segments if entry.name == name), None)
    if segment is None:
        raise NotFound
    try:
        return file_reply(
            store.base_dir,
            "/".join(parts),
            etag=segment.hash,
            content_type="video/mp2t",
            cache_control=_FOREVER,
        )
    except FileNotFoundError as exc:
        raise NotFound from exc


def _extra(base_dir: Path, name: str) -> Response:
    path = base_dir / name
    if not in_thread(path.is_file):
        raise NotFound
    stat = in_thread(path.stat)
    return file_reply(
        base_dir,
        name,
        etag=f"{stat.st_mtime_ns:x}-{stat.st_size:x}",
        content_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        cache_control=_REVALIDATE,
    )


def _is_hour(name: str) -> bool:
    try:
        parse_hour(name)
    except ValueError:
        return False
    return True


def _below(base_dir: Path, folder: str) -> list[str]:
    """Paths, relative to `folder`, of the files below it; none if there is no such folder."""
    parts = folder.split("/")
    if not all(map(is_visible, parts)):
        return []
    return sorted(_walk(base_dir.joinpath(*parts)))


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if is_visible(name)]
        for name in names:
            if is_visible(name):
                yield (Path(folder) / name).relative_to(root).as_posix()


def template_names(base_dir: Path) -> list[str]:
    """A template has a picture and a description; the picture names it."""
    return [
        name.removesuffix(".png")
        for name in _below(base_dir, TEMPLATES)
        if name.endswith(".png") and "/" not in name
    ]
