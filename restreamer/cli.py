"""The restreamer's command line."""

from typing import Any

import click

from common import cli
from restreamer import service
from restreamer.config import Config


@cli.service_command("restreamer")
@cli.base_dir_option
@cli.host_option
@cli.port_option(8000)
@click.option(
    "--live-window",
    "live_window_seconds",
    type=click.FloatRange(min=30, max=24 * 3600),
    default=300.0,
    help="Seconds of the recent past in a live playlist that was asked for without a start.",
)
@click.option(
    "--max-cuts",
    type=click.IntRange(min=1),
    default=4,
    help="Cuts that encode something, at the same time; more are asked to come back later.",
)
@cli.log_level_option
def command(**options: Any) -> int:
    """Serve files, playlists and cuts of everything that is recorded in the segment store."""
    return service.run(Config(**options))
