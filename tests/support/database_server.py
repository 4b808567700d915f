"""Postgres with the project's own configuration, and the commands of docs/DATABASE.md run on it."""

import os
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn
from psycopg2.extras import RealDictCursor

from demo.postgres import Postgres
from tests.support.documents import read_document, sections
from tests.support.event_rows import run_sql
from tests.support.processes import ROOT
from thrimshim.queries import Row, how_safe

_SECTIONS = sections(read_document("docs/DATABASE.md"), level=2)


def commands(section: str) -> list[str]:
    """The commands of a section, in its order."""
    return [
        line.strip()
        for line in _SECTIONS[section].splitlines()
        if line.startswith(("    /postgres/", "    mv ", "    psql "))
    ]


class Server(Postgres):
    """A server as `postgres/postgresql.conf` configures it. `/postgres` and `/backup`, where the
    documents expect them, are folders of its home.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home, options={"fsync": "off"})
        self.backups = self._home / "backup"
        self._scripts = self._home / "postgres"
        shutil.copytree(ROOT / "postgres", self._scripts)
        config = self._scripts / "postgresql.conf"
        config.write_text(self._at_home(config.read_text()))
        self._options |= {"config_file": str(config)}
        self.backups.mkdir()
        for path in (self.backups, self._scripts, *self._scripts.iterdir()):
            self._own(path)

    @property
    def data(self) -> Path:
        return self._data

    @property
    def port(self) -> int:
        return self._port

    @property
    def safety(self) -> Row:
        """As thrimshim sees it."""
        with (
            closing(psycopg2.connect(self.dsn)) as connection,
            connection.cursor(cursor_factory=RealDictCursor) as cursor,
        ):
            return how_safe(cursor)

    def event_ids(self) -> list[str]:
        return [row["id"] for row in run_sql(self.dsn, "SELECT id FROM events ORDER BY id")]

    def in_recovery(self) -> bool:
        """Whether it replays what another server wrote, and takes no writes."""
        return bool(run_sql(self.dsn, "SELECT pg_is_in_recovery() AS found")[0]["found"])

    def become_like(self, other: "Server") -> None:
        """Take the other's password: this server's data will be a copy of that one's."""
        shutil.copy2(other._home / "password", self._home / "password")
        self._own(self._home / "password")

    def run(self, command: str) -> str:
        """Run a command of the documents where this server runs; returns what it says.

        Raises AssertionError with that if it fails.
        """
        done = subprocess.run(
            ["bash", "-c", self._at_home(command)],
            cwd=self._home,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            user=self._account.uid if self._account.name else None,
            group=self._account.gid if self._account.name else None,
            extra_groups=[] if self._account.name else None,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        settings = parse_dsn(self.dsn)
        return {
            "PATH": f"{self.binaries}:{os.defpath}",
            "LC_ALL": "C",
            "PGDATA": str(self.data),
            "PGHOST": settings["host"],
            "PGPORT": settings["port"],
            "PGUSER": settings["user"],
            "PGPASSWORD": settings["password"],
            "PGDATABASE": settings["dbname"],
        }

    def _at_home(self, text: str) -> str:
        text = re.sub(r"(?<=['\"\s])/backup", str(self.backups), f" {text}")[1:]
        return re.sub(r"(?<!\S)(['\"]?)/postgres/", rf"\1{self._scripts}/", text)
