"""The restreamer's HTTP application."""

import os
from collections.abc import Callable, Iterator

from flask import Response
from flask_openapi3 import OpenAPI
from prometheus_client import CollectorRegistry

from common.errors import HolesNotAllowed
from common.media.encoders import EncoderPool
from common.replication.readiness import Readiness
from common.segments.store import SegmentStore
from common.times import SECOND, Micros
from common.web import create_app as create_base_app
from common.web import text_response
from restreamer.config import Config
from restreamer.limits import Limit
from restreamer.metrics import RestreamerMetrics
from restreamer.recording import Recording
from restreamer.responses import add_to_every_response
from restreamer.routes import cuts, digests, files, pictures, playlists

# Fewer than the thread pool has threads, so that quick requests always find one.
_WIDE_AT_ONCE = 3
# A frame takes a fraction of a second of one core, a waveform of six hours a minute or two.
_FRAMES_AT_ONCE = 4
_WAVEFORMS_AT_ONCE = 2


def create_app(
    config: Config,
    *,
    store: SegmentStore,
    encoders: EncoderPool,
    clock: Callable[[], Micros],
    registry: CollectorRegistry,
) -> OpenAPI:
    """Everything that the restreamer answers. `clock` gives the time now."""
    metrics = RestreamerMetrics(registry)
    readiness = Readiness(store.base_dir)
    app = create_base_app("restreamer", registry=registry, ready=lambda: _missing(store, readiness))
    app.config["MAX_CONTENT_LENGTH"] = pictures.MAX_BODY_BYTES
    add_to_every_response(app)
    recording = Recording(store, window=round(config.live_window_seconds * SECOND), metrics=metrics)
    wide = Limit(_WIDE_AT_ONCE, patience_seconds=20, retry_seconds=2, refused=metrics.refused)
    encoding = Limit(config.max_cuts, patience_seconds=0, retry_seconds=10, refused=metrics.refused)
    quick = Limit(_FRAMES_AT_ONCE, patience_seconds=10, retry_seconds=2, refused=metrics.refused)
    slow = Limit(_WAVEFORMS_AT_ONCE, patience_seconds=5, retry_seconds=10, refused=metrics.refused)
    files.add_routes(app, store)
    digests.add_routes(app, store)
    playlists.add_routes(app, recording, clock=clock, wide=wide)
    cuts.add_routes(app, store, encoders=encoders, limit=encoding, metrics=metrics, clock=clock)
    pictures.add_routes(app, store, encoders=encoders, quick=quick, slow=slow, metrics=metrics)

    @app.errorhandler(HolesNotAllowed)
    def holes(error: HolesNotAllowed) -> Response:
        return text_response(str(error), 406)

    @app.errorhandler(ConnectionResetError)
    def client_gone(error: ConnectionResetError) -> Response:
        return text_response(str(error), 400)  # nobody reads it

    return app


def _missing(store: SegmentStore, readiness: Readiness) -> Iterator[str]:
    if not store.base_dir.is_dir():
        yield f"the segment store {store.base_dir} is not there"
    elif not os.access(store.base_dir, os.R_OK | os.X_OK):
        yield f"the segment store {store.base_dir} cannot be read"
    yield from readiness.missing()
