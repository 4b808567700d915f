"""Wires the origin's objects together and runs it."""

from pathlib import Path

from common import logs
from common.daemon import Daemon
from common.times import SECOND
from common.web import HttpServer, new_registry
from demo.origin.app import create_origin
from demo.origin.broadcast import Broadcast, State
from demo.origin.clock import SteppedClock, WallClock
from demo.origin.config import Config
from demo.origin.live import LiveMaterial
from demo.origin.material import RecordedMaterial
from demo.origin.recorded import load_set
from demo.origin.station import Station


def run(config: Config) -> int:
    """Serve until a signal. Returns the exit status."""
    registry = new_registry()
    logs.configure("origin", config.log_level, registry)
    daemon = Daemon(grace_seconds=10)
    state = State(window_segments=config.window_segments, token_seconds=config.token_seconds)
    broadcast = Broadcast(state)
    if config.recorded:
        station = _recorded_station(config.recorded, config, broadcast)
    else:
        material = LiveMaterial(config.work_dir or Path(), WallClock())
        station = Station(material, WallClock(), broadcast)
        daemon.spawn("encoder", material.run)
    app = create_origin(station, registry=registry, stop=daemon.stop)
    server = HttpServer(app, host=config.host, port=config.port, service="origin")
    daemon.spawn("http", server.run)
    return daemon.run()


def _recorded_station(folder: Path, config: Config, broadcast: Broadcast) -> Station:
    start = config.start
    if start is None:
        # The marks in the sound are at whole seconds.
        start = WallClock().now() // SECOND * SECOND
    material = RecordedMaterial(load_set(folder), start)
    return Station(material, SteppedClock(start, config.speed), broadcast)
