"""Command line of the cutter."""

import socket
from pathlib import Path

import click

from common import cli, logs
from common.web import new_registry
from cutter.config import CutterConfig, check_name, parse_locations
from cutter.service import run


@cli.service_command("cutter")
@click.option(
    "--name",
    default=socket.gethostname,
    show_default="the host's name",
    help="This cutter's name: in `uploader`, in whitelists. No two may share one.",
)
@click.option(
    "--config",
    required=True,
    metavar="JSON|FILE",
    help='The upload locations, such as {"local": {"type": "local", "path": "/videos"}}.',
)
@click.option(
    "--creds",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="A JSON file with what upload locations need to log in.",
)
@cli.database_option
@cli.base_dir_option
@cli.host_option
@cli.metrics_port_option(8003)
@click.option(
    "--lease-seconds",
    type=click.FloatRange(min=2),
    default=30.0,
    help="How long after its last sign of life another cutter may take over this one's event.",
)
@click.option(
    "--poll-seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    help="How often to look for work when nothing is notified.",
)
@cli.log_level_option
def command(
    *,
    name: str,
    config: str,
    creds: Path | None,
    database: str,
    base_dir: Path,
    host: str,
    metrics_port: int,
    lease_seconds: float,
    poll_seconds: float,
    log_level: str,
) -> int:
    """Cut edited events and publish the videos."""
    registry = new_registry()
    logs.configure("cutter", log_level, registry)
    settings = CutterConfig(
        name=check_name(name),
        locations=parse_locations(config),
        creds=creds,
        database=database,
        base_dir=base_dir,
        metrics_host=host,
        metrics_port=metrics_port,
        lease_seconds=lease_seconds,
        poll_seconds=poll_seconds,
    )
    return run(settings, registry)
