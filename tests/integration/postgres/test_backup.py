"""Backup and restore, by the commands of docs/DATABASE.md."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.db.database import migrate
from common.errors import ConfigError
from tests.support.database_server import Server, commands
from tests.support.event_rows import run_sql
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

BACK_UP, MOVE, RESTORE, MOVE_MISTAKE, RESTORE_TO_A_TIME = commands("Backup and restore")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    opened = Server(tmp_path / "one")
    opened.start()
    migrate(opened.dsn)
    yield opened
    opened.stop()
    opened.remove()


def add(server: Server, event_id: str) -> None:
    run_sql(server.dsn, "INSERT INTO events (id) VALUES (%s)", event_id)


def switch_wal(server: Server) -> str:
    """Begin a new piece of WAL; returns the name of the one that is full now."""
    run_sql(server.dsn, "SELECT pg_logical_emit_message(true, '', 'so that there is something')")
    row = run_sql(server.dsn, "SELECT pg_walfile_name(pg_switch_wal()) AS name")[0]
    return str(row["name"])


def wait_until_archived(server: Server) -> None:
    """Postgres would wait for a minute, or for a full piece, before it hands over WAL."""
    path = server.backups / "wal" / f"{switch_wal(server)}.gz"
    wait_until(path.exists, "WAL is archived")


def wait_until_it_takes_writes(server: Server) -> None:
    wait_until(lambda: not server.in_recovery(), "it has replayed everything")


def newest_piece(server: Server) -> Path:
    return max(path for path in (server.backups / "wal").iterdir() if len(path.stem) == 24)


def fail_at_a_damaged_piece(server: Server, piece: Path) -> None:
    """Start, and see that the server ends rather than go on without what the piece holds."""
    content = piece.read_bytes()
    piece.write_bytes(content[:-100])
    with contextlib.suppress(ConfigError):  # it may answer before it comes to the piece
        server.start()
    wait_until(lambda: server.poll() is not None, "it ends")
    piece.write_bytes(content)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def test_what_was_written_is_restored_to_its_end_or_to_a_time_but_not_from_a_damaged_copy(
    server: Server,
) -> None:
    add(server, "before-the-copy")
    server.run(BACK_UP)
    add(server, "after-the-copy")
    time = run_sql(server.dsn, "SELECT clock_timestamp()::text AS now")[0]["now"]
    add(server, "mistake")
    wait_until_archived(server)
    add(server, "within-the-last-minute")
    server.kill()

    server.run(MOVE)
    server.run(RESTORE)
    fail_at_a_damaged_piece(server, newest_piece(server))
    server.start()
    wait_until_it_takes_writes(server)
    assert server.event_ids() == ["after-the-copy", "before-the-copy", "mistake"]
    add(server, "later")
    for _ in range(4):
        switch_wal(server)
    server.run(BACK_UP)
    server.stop()

    server.run(MOVE_MISTAKE)
    server.run(RESTORE_TO_A_TIME.replace("2026-07-01 12:00:00+00", time))
    server.start()
    wait_until_it_takes_writes(server)
    assert server.event_ids() == ["after-the-copy", "before-the-copy"]
    server.run(BACK_UP)
    wait_until_archived(server)
    behind_the_newest_copy = newest_piece(server)
    server.run(f"{BACK_UP} 3")
    assert behind_the_newest_copy.exists(), "it is older than what the oldest copy needs"

    with pytest.raises(AssertionError, match="no number of copies"):
        server.run(f"{BACK_UP} 0")
    server.run(f"{BACK_UP} 1")
    (copy,) = (server.backups / "base").iterdir()
    first = sorted((server.backups / "wal").glob("*00000001.gz"))
    assert first == [], "WAL that no copy needs is gone"
    assert not server.safety["archive_failing"]
    (server.backups / "wal").rename(server.backups / "away")
    add(server, "not-archived")
    run_sql(server.dsn, "SELECT pg_switch_wal()")
    wait_until(lambda: server.safety["archive_failing"], "the archive fails")
    server.stop()
    server.run("mv $PGDATA $PGDATA.once-more")
    damage(copy / "global" / "pg_control")
    with pytest.raises(AssertionError, match="is damaged"):
        server.run(RESTORE)
    assert not server.data.exists()


def archive(folder: Path, wal: Path, data: Path) -> int:
    command = [
        str(ROOT / "postgres" / "archive"),
        str(folder),
        str(wal),
        "000000010000000000000001",
    ]
    return subprocess.run(command, cwd=data, check=False, stderr=subprocess.DEVNULL).returncode


def test_wal_is_archived_once_there_is_a_backup_and_never_lost_or_overwritten(
    tmp_path: Path,
) -> None:
    folder, wal = tmp_path / "wal", tmp_path / "piece"
    wal.write_bytes(b"some wal")
    assert archive(folder, wal, tmp_path) == 0
    assert not folder.exists()
    (tmp_path / "archiving").touch()
    assert archive(folder, wal, tmp_path) == 1, "the folder is not mounted"
    folder.mkdir()
    (tmp_path / "archiving").unlink()
    assert archive(folder, wal, tmp_path) == 0, "a standby older than the first backup took over"
    assert len(list(folder.iterdir())) == 1
    assert archive(folder, wal, tmp_path) == 0, "Postgres was stopped before it had noted it"
    wal.write_bytes(b"of another database")
    assert archive(folder, wal, tmp_path) == 1
    assert [path.name for path in folder.iterdir()] == ["000000010000000000000001.gz"]
