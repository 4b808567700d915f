"""The embedded Postgres: where its files lie, and that they go."""

from pathlib import Path

from demo.postgres import Postgres


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
