"""Wires the restreamer's objects together and runs it."""

import sys
import time

from common import logs
from common.daemon import Daemon
from common.media.encoders import EncoderPool
from common.segments.store import SegmentStore
from common.times import Micros
from common.web import HttpServer, new_registry
from restreamer.app import create_app
from restreamer.config import Config

_SWITCH_SECONDS = 0.0002
"""How long a thread waits for the interpreter before it asks for it. A list of files takes a dozen
system calls in a thread, which must get the interpreter back after each; with Python's own 5 ms it
takes 50 ms beside cuts that compute.
"""


def run(config: Config) -> int:
    """Serve until a signal. Returns the exit status."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    registry = new_registry()
    logs.configure("restreamer", config.log_level, registry)
    store = SegmentStore(config.base_dir, registry=registry)
    encoders = EncoderPool(registry=registry)
    daemon = Daemon()
    app = create_app(config, store=store, encoders=encoders, clock=_now, registry=registry)
    server = HttpServer(app, host=config.host, port=config.port, service="restreamer")
    daemon.spawn("http", server.run)
    daemon.spawn("encoders", encoders.stay_warm)
    status = daemon.run()
    encoders.close()
    return status


def _now() -> Micros:
    return time.time_ns() // 1000
