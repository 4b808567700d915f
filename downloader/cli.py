"""Command line of the downloader."""

import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from common import cli
from common.segments.path import is_component
from downloader.channels import Channel, parse_channel
from downloader.config import Config, Timing
from downloader.service import run


def _channels(
    context: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[Channel, ...]:
    try:
        channels = tuple(parse_channel(text) for text in value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc
    names = [channel.name for channel in channels]
    if len(set(names)) < len(names):
        raise click.BadParameter("each channel can be given once")
    return channels


def _qualities(context: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    qualities = cli.split_list(context, param, value)
    for quality in qualities:
        if not is_component(quality):
            raise click.BadParameter(f"{quality!r} cannot be the name of a folder")
    if len(set(qualities)) < len(qualities):
        raise click.BadParameter("each quality can be given once")
    return qualities


_REWRITE = re.compile(r"https?://[^=]+=https?://.+")


def _rewrites(
    context: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    for rewrite in value:
        if not _REWRITE.fullmatch(rewrite):
            raise click.BadParameter(f"{rewrite!r} is not FROM=TO such as https://a/=http://b/")
    return value


class _Seconds(click.FloatRange):
    """A number of seconds; `inf` and `nan` are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds", param, ctx)
        return seconds


_TIMING_HELP = {
    "renew": "An address is trusted for so long; then a fresh one is taken.",
    "poll_limit": "The longest time between two looks at a playlist.",
    "segment": "A segment is tried for so long after it was first listed.",
    "attempt": "One transfer may take so long.",
    "stall": "A transfer may stand still for so long.",
    "find": "Finding a stream may take so long.",
    "retry": "The least time between two tries to find a stream's address.",
    "patience": "A fresh worker may take so long to bring a segment.",
    "offline": "A stream that is off the air is looked for so often.",
    "offline_always_live": "The same for a channel marked with '!'.",
}


def _timing_options(function: cli.F) -> cli.F:
    for field in reversed(fields(Timing)):
        function = click.option(
            f"--{field.name.replace('_', '-')}-seconds",
            type=_Seconds(0.05),
            default=field.default,
            help=_TIMING_HELP[field.name],
        )(function)
    return function


@cli.service_command("downloader")
@click.argument(
    "channels", metavar="CHANNEL[!][:TYPE:URL]...", nargs=-1, required=True, callback=_channels
)
@cli.base_dir_option
@click.option(
    "--qualities",
    default="source",
    callback=_qualities,
    metavar="A,B",
    help="Record these. 'source' is the one with the highest bandwidth; others go by the name, the"
    " VIDEO group, or HEIGHTpFPS of the master playlist.",
)
@click.option(
    "--transfers",
    type=click.IntRange(1),
    default=16,
    help="Fetch at most so many segments of a quality at a time.",
)
@click.option(
    "--temp-age-seconds",
    type=_Seconds(1),
    default=120,
    help="Temp files that nobody has written to for so long are deleted.",
)
@click.option(
    "--rewrite",
    multiple=True,
    callback=_rewrites,
    metavar="FROM=TO",
    help="Where streamlink asks addresses that begin with FROM, ask TO: a mirror, or a test.",
)
@_timing_options
@cli.host_option
@cli.metrics_port_option(8001)
@cli.log_level_option
def command(**options: Any) -> int:
    """Record live streams into the segment store.

    CHANNEL alone is a channel on Twitch; '!' marks one that should always be live. TYPE is twitch,
    url (any HLS playlist), youtube, or streamlink (whatever that can open).
    """
    return run(config_of(**options))


def config_of(
    *,
    channels: tuple[Channel, ...],
    base_dir: Path,
    qualities: tuple[str, ...],
    transfers: int,
    temp_age_seconds: float,
    rewrite: tuple[str, ...],
    host: str,
    metrics_port: int,
    log_level: str,
    **timing: float,
) -> Config:
    """The settings that `command` was given."""
    return Config(
        channels=channels,
        qualities=qualities,
        base_dir=base_dir,
        timing=Timing(**{name.removesuffix("_seconds"): timing[name] for name in timing}),
        transfers=transfers,
        temp_age=temp_age_seconds,
        rewrites=rewrite,
        metrics_host=host,
        metrics_port=metrics_port,
        log_level=log_level,
    )
