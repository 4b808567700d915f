"""The embedded Postgres: where its files lie, and that they go."""

import subprocess
import sys
from pathlib import Path

from demo.postgres import Postgres, free_port
from tests.support.processes import ROOT


def test_its_files_are_found_in_its_home_and_removed_with_it(tmp_path: Path) -> None:
    home = tmp_path / "postgres"
    server = Postgres(home, options={"fsync": "off"})
    server.start()
    server.stop()
    lies_in = home.resolve()
    assert (lies_in / "data" / "PG_VERSION").exists()
    assert server.log == lies_in / "postgres.log"
    server.remove()
    assert not lies_in.exists()
    assert not home.is_symlink()


def test_a_second_start_finds_the_same_data(tmp_path: Path) -> None:
    home = tmp_path / "postgres"
    first = Postgres(home, options={"fsync": "off"})
    first.start()
    first.stop()
    password = (home.resolve() / "password").read_text()
    second = Postgres(home, options={"fsync": "off"})
    second.start()
    second.stop()
    assert (home.resolve() / "password").read_text() == password
    second.remove()


_ASK_FOR_ONE_PORT = """
import sys
from demo import postgres
port = int(sys.argv[1])
postgres._PORTS = range(port, port + 1)
print(postgres.free_port())
"""


def test_a_port_that_was_given_away_is_not_given_to_others() -> None:
    port = free_port()
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_FOR_ONE_PORT, str(port)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"ConfigError: no port from {port} to {port} is free" in asked.stderr
