"""The operator's command line."""

from dataclasses import dataclass
from pathlib import Path

import click

from common import cli
from common.db.database import Database
from common.replication.nodes import Node, NodeSources
from common.replication.options import node_options
from common.segments.path import is_component
from common.times import Micros, TimeRange, parse_time
from common.web import new_registry
from wubctl.cluster import Cluster
from wubctl.purge import delete, plan_purges
from wubctl.tombstones import describe, hide, plan_hiding, report_silent, report_status


@dataclass(frozen=True, kw_only=True)
class _Options:
    base_dir: Path
    static_nodes: tuple[Node, ...]
    node_file: Path | None
    database: str | None
    localhost: str

    def cluster(self) -> Cluster:
        registry = new_registry()
        database = self.database and Database(
            self.database, application="wubctl", registry=registry, pool_size=1
        )
        sources = NodeSources(
            static=self.static_nodes,
            file=self.node_file,
            database=database or None,
            own=self.localhost,
        )
        return Cluster(self.base_dir, sources, registry)


@cli.service_group("wubctl")
@cli.base_dir_option
@node_options
@click.pass_context
def command(
    context: click.Context,
    *,
    base_dir: Path,
    static_nodes: tuple[Node, ...],
    node_file: Path | None,
    database: str | None,
    localhost: str,
) -> None:
    """Look after a cluster of nodes. Run it on one of them, with that node's store."""
    context.obj = _Options(
        base_dir=base_dir,
        static_nodes=static_nodes,
        node_file=node_file,
        database=database,
        localhost=localhost,
    )


def _component(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_component(value):
        raise click.BadParameter(f"{value!r} cannot be the name of a folder")
    return value


def _components(
    context: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    for name in value:
        _component(context, param, name)
    return value


def _moment(context: click.Context, param: click.Parameter, value: str | None) -> Micros | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


@command.command("tombstone")
@click.argument("channel", required=False, callback=_component)
@click.argument("start", required=False, callback=_moment)
@click.argument("end", required=False, callback=_moment)
@click.option(
    "--quality",
    "qualities",
    multiple=True,
    callback=_components,
    help="Hide this quality only; may be given several times. Without it: all that any node has.",
)
@click.option("--yes", is_flag=True, help="Do it, rather than only show what would be hidden.")
@click.option("--status", is_flag=True, help="Show which nodes have which tombstones.")
@click.pass_obj
def tombstone(
    options: _Options,
    *,
    channel: str | None,
    start: Micros | None,
    end: Micros | None,
    qualities: tuple[str, ...],
    yes: bool,
    status: bool,
) -> int:
    """Hide what starts from START to END (ISO 8601 in UTC) on all nodes, or show the --status.

    Tombstones are written into this node's store, for each segment that any node has, and for the
    range, which hides what arrives later. The other nodes' backfillers take them from here.
    """
    cluster = options.cluster()
    if status:
        complete = report_status(cluster, [channel] if channel else cluster.store.channels())
        return 0 if complete else 1
    if channel is None or start is None or end is None:
        raise click.UsageError("give CHANNEL START END, or --status")
    try:
        span = TimeRange(start, end)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    hidings, silent = plan_hiding(cluster, channel, qualities, span)
    report_silent(silent)
    if not hidings:
        raise click.ClickException(f"no node that answers has the channel {channel!r}")
    for hiding in hidings:
        click.echo(describe(channel, hiding))
    if not yes:
        click.echo("nothing was changed; with --yes this is hidden on all nodes")
        return 0
    written = sum(hide(cluster, channel, hiding) for hiding in hidings)
    click.echo(f"wrote {written} tombstones")
    return 0


@command.command()
@click.argument("channel", required=False, callback=_component)
@click.option("--yes", is_flag=True, help="Do it, rather than only show what would be deleted.")
@click.option("--no-other-nodes", is_flag=True, help="There are no other nodes to ask.")
@click.pass_obj
def purge(options: _Options, *, channel: str | None, yes: bool, no_other_nodes: bool) -> int:
    """Delete from this node's store the files that tombstones hide which every node has.

    The tombstones stay. What some node does not know of yet is left.
    """
    cluster = options.cluster()
    if not cluster.peers and not no_other_nodes:
        raise click.UsageError("no other nodes are known; name them, or give --no-other-nodes")
    left = 0
    for found in plan_purges(cluster, [channel] if channel else cluster.store.channels()):
        name = f"{found.channel}/{found.quality}"
        report_silent(list(found.silent))
        left += len(found.waiting)
        if found.waiting:
            click.echo(
                f"{name}: {len(found.waiting)} files wait: not every node has the tombstones"
            )
        if found.deletable and yes:
            click.echo(f"{name}: deleted {delete(cluster, found)} files")
        elif found.deletable:
            click.echo(f"{name}: with --yes {len(found.deletable)} files are deleted")
    return 1 if left else 0
