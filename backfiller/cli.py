"""Command line of the backfiller."""

from pathlib import Path
from typing import Any

import click

from backfiller.config import Config
from backfiller.service import run
from common import cli
from common.extras import is_visible
from common.replication.nodes import Node
from common.replication.options import node_options


def _extras(context: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    folders = tuple(name.strip() for name in value.split(",") if name.strip())
    for folder in folders:
        if not is_visible(folder):
            raise click.BadParameter(f"{folder!r} cannot be the name of a folder of extras")
    return folders


_RATE = click.FloatRange(min=1000)


@cli.service_command("backfiller")
@click.argument("channels", metavar="CHANNEL...", nargs=-1, required=True, callback=cli.components)
@cli.base_dir_option
@click.option(
    "--qualities",
    default="source",
    callback=cli.components,
    metavar="A,B",
    help="Copy these qualities of each channel.",
)
@click.option(
    "--extras",
    default="thumbnail_templates",
    callback=_extras,
    metavar="DIR,DIR",
    help="Folders of the store whose files are copied as well.",
)
@node_options
@click.option("--run-once", is_flag=True, help="End once all that the nodes have now is here.")
@click.option(
    "--start",
    type=cli.Moment(),
    metavar="HOURS",
    help="Go back only so many hours, or to this moment (ISO 8601 in UTC).",
)
@click.option(
    "--delete-old", is_flag=True, help="Delete what is older than --start from this node's store."
)
@click.option(
    "--recent-cutoff",
    type=click.FloatRange(min=0),
    default=120.0,
    help="Leave segments of the last so many seconds to the downloader.",
)
@click.option(
    "--interval-seconds",
    type=click.FloatRange(min=0.1),
    default=15.0,
    help="Ask each node what is new every so many seconds.",
)
@click.option(
    "--answer-seconds",
    type=click.FloatRange(min=0.5),
    default=20.0,
    help="A node may take so long to answer what it has.",
)
@click.option(
    "--transfer-seconds",
    type=click.FloatRange(min=0.5),
    default=120.0,
    help="The transfer of one file may take so long (longer with a limit of bandwidth).",
)
@click.option(
    "--download-concurrency",
    type=click.IntRange(min=1, max=100),
    default=4,
    help="Fetch at most so many files from a node at a time.",
)
@click.option(
    "--bandwidth", type=_RATE, help="Fetch at most so many bytes per second from all nodes."
)
@click.option(
    "--node-bandwidth", type=_RATE, help="Fetch at most so many bytes per second from each node."
)
@click.option(
    "--scrub-rate",
    type=click.FloatRange(min=0),
    default=4_000_000.0,
    help="Check old files against their hashes at so many bytes per second; 0 checks none.",
)
@click.option(
    "--scrub-pause",
    type=click.FloatRange(min=0),
    default=60.0,
    help="Seconds between two rounds of checking.",
)
@cli.host_option
@cli.metrics_port_option(8002)
@cli.log_level_option
def command(**options: Any) -> int:
    """Copy from the other nodes what this one lacks, tombstones first."""
    return run(config_of(**options))


def config_of(
    *,
    channels: tuple[str, ...],
    base_dir: Path,
    qualities: tuple[str, ...],
    extras: tuple[str, ...],
    static_nodes: tuple[Node, ...],
    node_file: Path | None,
    database: str | None,
    localhost: str,
    run_once: bool,
    start: float | int | None,
    delete_old: bool,
    recent_cutoff: float,
    interval_seconds: float,
    answer_seconds: float,
    transfer_seconds: float,
    download_concurrency: int,
    bandwidth: float | None,
    node_bandwidth: float | None,
    scrub_rate: float,
    scrub_pause: float,
    host: str,
    metrics_port: int,
    log_level: str,
) -> Config:
    """The settings that `command` was given."""
    if delete_old and start is None:
        raise click.UsageError("--delete-old needs --start, which says what is old")
    if both := set(extras) & set(channels):
        raise click.UsageError(f"--extras: {', '.join(both)} is a channel")
    return Config(
        channels=channels,
        qualities=qualities,
        extras=extras,
        base_dir=base_dir,
        static_nodes=static_nodes,
        node_file=node_file,
        database=database,
        localhost=localhost,
        run_once=run_once,
        start_seconds=start if isinstance(start, float) else None,
        start=start if isinstance(start, int) else None,
        delete_old=delete_old,
        recent_cutoff=recent_cutoff,
        interval=interval_seconds,
        answer_seconds=answer_seconds,
        transfer_seconds=transfer_seconds,
        download_concurrency=download_concurrency,
        bandwidth=bandwidth,
        node_bandwidth=node_bandwidth,
        scrub_rate=scrub_rate,
        scrub_pause=scrub_pause,
        metrics_host=host,
        metrics_port=metrics_port,
        log_level=log_level,
    )
