"""Digests of what is listed, for nodes that replicate from this one."""

from flask import Response, request
from flask_openapi3 import OpenAPI

from common.replication.digest import QualityDigest, digest_of, format_digest
from common.replication.index import DigestIndex
from common.segments.store import SegmentStore
from restreamer.routes.files import QualityPath


def add_routes(app: OpenAPI, store: SegmentStore) -> None:
    index = DigestIndex(store)

    @app.get("/digest/<channel>/<quality>", summary="A digest of each hour's names.")
    def digest(path: QualityPath) -> Response:
        return _reply(index.digest(path.channel, path.quality))


def _reply(digest: QualityDigest) -> Response:
    """The text is made only for those who do not have it yet."""
    etag = f"{digest_of(f'{hour} {value:x}' for hour, value in digest.hours.items()):064x}"
    response = Response(content_type="application/json")
    response.set_etag(etag)
    response.headers["Cache-Control"] = "public, no-cache"
    response.make_conditional(request)
    if response.status_code == 200:
        response.set_data(format_digest(digest))
    return response
