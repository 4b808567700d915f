"""Which other nodes there are: from the database, a file, or the command line.

    sources = NodeSources(static=[parse_node("http://other:8000")], file=Path("nodes"), own="me")
    nodes = sources.nodes()

A file has one node a line, `NAME URL` or only `URL`; `#` begins a comment. The database has the
table `nodes`; rows whose `backfill_from` is false are left out. A node without a name is called by
its URL's host and port. This node itself (by its name, or its name as the host of the URL) is left
out. A source that does not answer keeps the nodes that it gave last.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from common.db.database import Database
from common.errors import DatabaseUnavailable
from common.threads import in_thread

logger = logging.getLogger(__name__)

_NODES_SQL = "SELECT name, url FROM nodes WHERE backfill_from ORDER BY name"
MOST_NODES = 200
"""More in one source is a mistake, and each costs connections."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """Another node. `url` is where its restreamer answers, without a slash at its end."""

    name: str
    url: str


def parse_node(text: str) -> Node:
    """`NAME URL` or `URL`. Raises ValueError with a sentence for the operator."""
    words = text.split()
    if len(words) not in (1, 2):
        raise ValueError(f"{text!r} is no node: write NAME URL, or only the URL")
    return make_node(words[0] if len(words) == 2 else None, words[-1])


def make_node(name: str | None, url: str) -> Node:
    """Raises ValueError with a sentence for the operator."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError(f"{url!r} is no address of a node: {exc}") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no address of a node such as http://node:8000")
    host = f"{parts.hostname}:{port}" if port else parts.hostname
    return Node(name=name or host, url=url.rstrip("/"))


class NodeSources:
    """See the module's description. `own` is this node's name."""

    def __init__(
        self,
        *,
        static: Iterable[Node] = (),
        file: Path | None = None,
        database: Database | None = None,
        own: str = "",
    ) -> None:
        self._static = tuple(static)
        self._file = file
        self._database = database
        self._own = own
        self._from_file: tuple[Node, ...] = ()
        self._from_database: tuple[Node, ...] = ()
        self._complaints: set[str] = set()

    def nodes(self) -> list[Node]:
        """All nodes but this one, by name; of several with one name the first counts."""
        self._read_file()
        self._read_database()
        found: dict[str, Node] = {}
        for node in (*self._static, *self._from_file, *self._from_database):
            if not self._is_own(node):
                found.setdefault(node.name, node)
        return sorted(found.values(), key=lambda node: node.name)

    def _is_own(self, node: Node) -> bool:
        return self._own in (node.name, urlsplit(node.url).hostname)

    def _read_file(self) -> None:
        if self._file is None:
            return
        try:
            text = in_thread(self._file.read_text, "utf-8")
        except (OSError, ValueError) as exc:
            self._complain(f"cannot read the nodes in {self._file}: {exc}")
            return
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        self._from_file = tuple(self._parsed((None, line) for line in lines if line))

    def _read_database(self) -> None:
        if self._database is None:
            return
        try:
            with self._database.transaction() as cursor:
                cursor.execute(_NODES_SQL)
                rows = [(str(row["name"]), str(row["url"])) for row in cursor.fetchall()]
        except (DatabaseUnavailable, psycopg2.Error) as exc:
            self._complain(f"cannot read the nodes in the database: {' '.join(str(exc).split())}")
            return
        self._from_database = tuple(self._parsed(rows))

    def _parsed(self, entries: Iterable[tuple[str | None, str]]) -> Iterator[Node]:
        for number, (name, text) in enumerate(entries):
            if number == MOST_NODES:
                self._complain(f"there are more than {MOST_NODES} nodes; the rest is left out")
                return
            try:
                yield parse_node(text) if name is None else make_node(name, text)
            except ValueError as exc:
                self._complain(str(exc))

    def _complain(self, text: str) -> None:
        """Once for each thing that is wrong."""
        if text not in self._complaints and len(self._complaints) < MOST_NODES:
            self._complaints.add(text)
            logger.warning("%s", text)
