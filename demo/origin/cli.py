"""The origin's command line."""

from pathlib import Path
from typing import Any

import click

from common import cli
from common.errors import ConfigError
from common.times import Micros, parse_time
from demo.origin import service
from demo.origin.config import Config


def _time(context: click.Context, param: click.Parameter, value: str | None) -> Micros | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


@cli.service_command("demo.origin")
@cli.host_option
@cli.port_option(8100)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Encode a live stream, and keep its last minutes in this folder.",
)
@click.option(
    "--recorded",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Serve the encoded set in this folder again and again, instead of encoding.",
)
@click.option(
    "--start", metavar="TIME", callback=_time, help="When a recorded stream begins (UTC)."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    help="Seconds of a recorded stream per second; 0 stands still until told otherwise.",
)
@click.option(
    "--window",
    "window_segments",
    type=click.IntRange(min=1),
    default=15,
    help="Segments in a media playlist.",
)
@click.option(
    "--token-seconds",
    type=click.FloatRange(min=0.1),
    help="URLs that the master playlist gives expire after this time.",
)
@cli.log_level_option
def command(**options: Any) -> int:
    """Serve a synthetic live stream, which misbehaves on request."""
    config = Config(**options)
    if (config.work_dir is None) == (config.recorded is None):
        raise ConfigError("give either --work-dir (encode live) or --recorded (serve a set)")
    return service.run(config)
