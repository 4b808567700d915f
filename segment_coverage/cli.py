"""Command line of segment_coverage."""

from collections import Counter
from pathlib import Path
from typing import Any

import click

from common import cli
from common.replication.nodes import Node
from common.replication.options import node_options
from segment_coverage.config import Config
from segment_coverage.layout import Scale
from segment_coverage.publish import stem_of
from segment_coverage.service import run
from segment_coverage.window import Window

_PLAYER = Path(__file__).parents[1] / "node_modules" / "hls.js" / "dist" / "hls.min.js"


@cli.service_command("segment_coverage")
@click.argument("channels", metavar="CHANNEL...", nargs=-1, required=True, callback=cli.components)
@cli.base_dir_option
@click.option(
    "--qualities",
    default="source",
    callback=cli.components,
    metavar="A,B",
    help="Check these qualities of each channel.",
)
@click.option(
    "--check-interval",
    type=click.FloatRange(min=0.1),
    default=60.0,
    help="Check every so many seconds.",
)
@click.option(
    "--run-once",
    is_flag=True,
    help="Check once and end, with status 1 if something of the window is not there in full.",
)
@click.option(
    "--start",
    type=cli.Moment(),
    metavar="HOURS",
    help="Look back only so many hours, or exactly from this moment on (ISO 8601 in UTC). Without"
    " it: from the first segment, ten days at most.",
)
@click.option(
    "--end",
    type=cli.Moment(),
    metavar="HOURS",
    help="Look only at what is so many hours old, or exactly up to this moment. Without it: up to"
    " the newest segment.",
)
@click.option(
    "--recent-cutoff",
    type=click.FloatRange(min=0),
    default=120.0,
    help="What is missing of the last so many seconds may still come and does not count yet.",
)
@click.option(
    "--pixel-seconds",
    type=click.IntRange(1, 600),
    default=2,
    help="A pixel of the maps is so many seconds high.",
)
@click.option(
    "--column-minutes",
    type=click.IntRange(1, 60),
    default=10,
    help="A column of the maps is so many minutes.",
)
@click.option(
    "--column-pixels",
    type=click.IntRange(0, 64),
    default=0,
    help="A column is so many pixels wide; 0 takes as many as fit onto a screen.",
)
@node_options
@click.option(
    "--answer-seconds",
    type=click.FloatRange(min=0.5),
    default=20.0,
    help="A node may take so long to answer what it has.",
)
@cli.host_option
@cli.metrics_port_option(8006)
@cli.log_level_option
def command(**options: Any) -> int:
    """Measure and draw how complete the recording is, here and on the other nodes."""
    return run(config_of(**options))


def config_of(
    *,
    channels: tuple[str, ...],
    base_dir: Path,
    qualities: tuple[str, ...],
    check_interval: float,
    run_once: bool,
    start: float | int | None,
    end: float | int | None,
    recent_cutoff: float,
    pixel_seconds: int,
    column_minutes: int,
    column_pixels: int,
    static_nodes: tuple[Node, ...],
    node_file: Path | None,
    database: str | None,
    localhost: str,
    answer_seconds: float,
    host: str,
    metrics_port: int,
    log_level: str,
) -> Config:
    """The settings that `command` was given."""
    try:
        window = Window(start=start, end=end)
        scale = Scale(
            pixel_seconds=pixel_seconds,
            column_minutes=column_minutes,
            column_pixels=column_pixels,
        )
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    config = Config(
        channels=channels,
        qualities=qualities,
        base_dir=base_dir,
        window=window,
        scale=scale,
        check_interval=check_interval,
        recent_cutoff=recent_cutoff,
        run_once=run_once,
        static_nodes=static_nodes,
        node_file=node_file,
        database=database,
        localhost=localhost,
        answer_seconds=answer_seconds,
        player_file=_PLAYER,
        metrics_host=host,
        metrics_port=metrics_port,
        log_level=log_level,
    )
    _check_names(config)
    return config


def _check_names(config: Config) -> None:
    """`a_b` with `c` and `a` with `b_c` would write the same files."""
    stems = Counter(stem_of(channel, quality) for channel, quality in config.pairs)
    stems.update(config.channels)
    twice = sorted(stem for stem, count in stems.items() if count > 1)
    if twice:
        raise click.UsageError(f"--qualities: two maps would be called {twice[0]}; run two of us")
