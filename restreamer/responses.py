"""Responses that all routes share: caching, compression, files, other origins' pages."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from flask import Response, request
from flask_openapi3 import OpenAPI

from common.threads import in_thread
from restreamer.playlist import CONTENT_TYPE

CHUNK_BYTES = 512 * 1024
_COMPRESSIBLE = {CONTENT_TYPE, "application/json"}
_LEAST_COMPRESSED_BYTES = 500
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Expose-Headers": "*",
    "Access-Control-Max-Age": "86400",
}


def add_to_every_response(app: OpenAPI) -> None:
    """Editors' pages come from another port than ours, so every response may be read by any page;
    and what is text is compressed if the client can take it.
    """

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.extend(_CORS)
        if response.mimetype in _COMPRESSIBLE:
            response.vary.add("Accept-Encoding")
            _compress(response)
        return response


def _compress(response: Response) -> None:
    wanted = request.accept_encodings["gzip"] > 0
    if not wanted or response.status_code != 200 or response.direct_passthrough:
        return
    if response.get_etag() != (None, None) and not response.get_etag()[1]:
        return  # a strong ETag names these very bytes (RFC 9110, 8.8.1)
    body = response.get_data()
    if len(body) < _LEAST_COMPRESSED_BYTES:
        return
    # Level 1 halves a playlist (hashes do not compress) at a third of the usual level's cost.
    response.set_data(in_thread(lambda: gzip.compress(body, compresslevel=1, mtime=0)))
    response.headers["Content-Encoding"] = "gzip"


def text_reply(text: str, content_type: str, cache_control: str) -> Response:
    """A text with an ETag; 304 if the client has it already."""
    body = text.encode()
    response = Response(body, content_type=content_type)
    # Weak, since the same text may travel compressed or not (RFC 9110, 8.8.1).
    response.set_etag(hashlib.sha256(body).hexdigest()[:32], weak=True)
    response.headers["Cache-Control"] = cache_control
    response.make_conditional(request)
    return response


def json_reply(value: object, cache_control: str = "public, max-age=1") -> Response:
    return text_reply(json.dumps(value), "application/json", cache_control)


class _FileBody:
    """The bytes of a file in big chunks, read in threads. Opened with the first read, so that a
    reply that sends none leaves nothing open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._file: BinaryIO | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = in_thread(self._read)
        if not chunk:
            raise StopIteration
        return chunk

    def _read(self) -> bytes:
        if self._file is None:
            self._file = self._path.open("rb")
            self._file.seek(self._position)
        return self._file.read(CHUNK_BYTES)

    # What werkzeug asks of a body to answer a Range without reading what lies before it.

    def seekable(self) -> bool:
        return True

    def seek(self, position: int) -> None:
        self._position = position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


_SENDFILE = "Wubloader-Sendfile"
"""With `accel` in this header of a request nginx says that it can send the store's files itself."""

_ACCEL_LOCATION = "/stored/"
"""Where nginx has the store (docker/nginx.conf), for itself only."""


def file_reply(
    base_dir: Path, name: str, *, etag: str, content_type: str, cache_control: str
) -> Response:
    """The file `name` below `base_dir`, or the part of it that the request's Range names; to an
    nginx that can send it itself, where it is. Raises FileNotFoundError.
    """
    path = base_dir / name
    size_bytes = in_thread(path.stat).st_size
    if request.headers.get(_SENDFILE) == "accel":
        return _located_file(name, etag, content_type, cache_control)
    # HEAD has no body, and must not open the file either.
    body = _FileBody(path) if request.method == "GET" else ()
    response = Response(body, content_type=content_type, direct_passthrough=True)
    response.content_length = size_bytes
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache_control
    environ = dict(request.environ)
    # A server may ignore a Range (RFC 9110, 14.2): one we can't parse, or of several parts.
    if request.range is None or len(request.range.ranges) != 1 or request.method != "GET":
        environ.pop("HTTP_RANGE", None)
    response.make_conditional(environ, accept_ranges=True, complete_length=size_bytes)
    return response


def _located_file(name: str, etag: str, content_type: str, cache_control: str) -> Response:
    """304, or an answer without a body that tells nginx which file to send. Ranges are its work."""
    response = Response((), content_type=content_type)
    response.set_etag(etag)
    response.headers["Cache-Control"] = cache_control
    response.make_conditional(request)
    if response.status_code == 200:
        response.content_length = 0
        response.headers["X-Accel-Redirect"] = _ACCEL_LOCATION + quote(name)
    return response
