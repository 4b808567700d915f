"""Small files are replaced as a whole."""

from pathlib import Path

import pytest

from common.files import write_whole
from tests.support.small_disk import fill_up, small_disk


def test_a_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256 * 1024) as disk:
        path = disk / "status.json"
        write_whole(path, "old, ünïcode")
        fill_up(disk / "ballast", leave_bytes=4096)
        with pytest.raises(OSError, match="No space left"):
            write_whole(path, b"x" * 64 * 1024)
        assert path.read_text("utf-8") == "old, ünïcode"
        assert {file.name for file in disk.iterdir()} == {"status.json", "ballast"}
