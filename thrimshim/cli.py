"""Command line of thrimshim."""

from pathlib import Path

import click

from common import cli
from common.times import format_time, parse_time
from thrimshim.config import Config
from thrimshim.edits import Rules
from thrimshim.service import run

_PLAYER = Path(__file__).parents[1] / "node_modules" / "hls.js" / "dist"


def _bustime(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return format_time(parse_time(value))
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


@cli.service_command("thrimshim")
@cli.database_option
@click.option("--channel", required=True, help="Videos are cut from this channel by default.")
@click.option("--quality", default="source", help="Videos are cut from this quality by default.")
@click.option(
    "--upload-locations",
    default="local",
    callback=cli.split_list,
    metavar="A,B",
    help="Where videos may go: the names that the cutters' configuration gives.",
)
@click.option(
    "--default-location",
    default=None,
    show_default="the first of them",
    help="Where videos go by default.",
)
@click.option(
    "--bustime-start",
    callback=_bustime,
    metavar="TIME",
    help="The moment that editors count the stream's time from, ISO 8601 in UTC.",
)
@click.option("--title-prefix", default="", help="Stands before each video's title.")
@click.option(
    "--title-max-length",
    type=click.IntRange(1),
    default=100,
    help="Characters of a title, prefix included.",
)
@click.option(
    "--restreamer-url",
    default="http://127.0.0.1:8000",
    metavar="URL",
    help="Where browsers reach this node's restreamer.",
)
@click.option(
    "--no-authentication",
    is_flag=True,
    help="Let everybody who reaches the port edit. For a port on loopback, or behind a proxy that"
    " asks who it is.",
)
@cli.host_option
@cli.port_option(8004)
@cli.log_level_option
def command(
    *,
    database: str,
    channel: str,
    quality: str,
    upload_locations: tuple[str, ...],
    default_location: str | None,
    bustime_start: str | None,
    title_prefix: str,
    title_max_length: int,
    restreamer_url: str,
    no_authentication: bool,
    host: str,
    port: int,
    log_level: str,
) -> int:
    """Serve the HTTP API that editors use, and a page that shows it at work.

    Writing needs an API token, made with `python -m thrimshim.tokens create NAME`.
    """
    location = default_location or upload_locations[0]
    if location not in upload_locations:
        raise click.BadParameter(
            f"{location!r} is not among --upload-locations {','.join(upload_locations)}",
            param_hint="--default-location",
        )
    if len(title_prefix) >= title_max_length:
        raise click.BadParameter(
            "it leaves no room for a title (--title-max-length)", param_hint="--title-prefix"
        )
    return run(
        Config(
            database=database,
            host=host,
            port=port,
            authentication=not no_authentication,
            bustime_start=bustime_start,
            rules=Rules(
                channel=channel,
                quality=quality,
                upload_locations=upload_locations,
                default_location=location,
                title_prefix=title_prefix,
                title_max_length=title_max_length,
            ),
            restreamer_url=restreamer_url.rstrip("/"),
            player_folder=_PLAYER,
            log_level=log_level,
        )
    )
