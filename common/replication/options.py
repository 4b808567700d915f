"""Command line options that say which other nodes there are."""

import socket
from pathlib import Path

import click

from common.cli import F
from common.replication.nodes import Node, parse_node


def _static(context: click.Context, param: click.Parameter, value: str) -> tuple[Node, ...]:
    try:
        return tuple(parse_node(text) for text in value.split(",") if text.strip())
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def node_options(function: F) -> F:
    """--static-nodes, --node-file, --database and --localhost."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS = (
    click.option(
        "--static-nodes",
        default="",
        callback=_static,
        metavar="URL,URL",
        help="Other nodes: where their restreamers answer.",
    ),
    click.option(
        "--node-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="A file with other nodes, one a line: NAME URL, or only the URL. Read every 10 s.",
    ),
    click.option(
        "--database",
        metavar="DSN",
        help="Postgres, whose table 'nodes' has the nodes; as a libpq URI or a key=value string.",
    ),
    click.option(
        "--localhost",
        default=socket.gethostname,
        show_default="the host's name",
        metavar="NAME",
        help="This node's name among the nodes: it does not copy from itself.",
    ),
)
