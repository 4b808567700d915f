"""The journal of gaps: its lines, its playlists, and a disk that does not take them."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.gaps import FOLDER, GapReason
from common.times import SECOND, parse_time
from downloader.gaps import GapJournal
from tests.support.small_disk import fill_up, small_disk

NOON = parse_time("2026-07-01T12:00:00")
KEPT_PLAYLISTS = 200


def note(
    journal: GapJournal, number: int = 0, *, playlist: str | None = None, detail: str = ""
) -> None:
    """Note a gap of a second that begins and is noted `number` seconds after noon."""
    start = NOON + number * SECOND
    journal.note(
        start,
        start + SECOND,
        GapReason.NETWORK,
        now=start,
        detail=detail,
        sequence=number,
        playlist=playlist,
    )


def lines(base_dir: Path) -> list[dict[str, Any]]:
    path = base_dir / FOLDER / "demo" / "source.jsonl"
    return [json.loads(text) for text in path.read_text().splitlines()]


def playlists(base_dir: Path) -> dict[str, str]:
    folder = base_dir / FOLDER / "demo" / "source"
    return {path.name: path.read_text() for path in sorted(folder.glob("*"))}


def journal_of(base_dir: Path) -> GapJournal:
    return GapJournal(base_dir, "demo", "source")


@pytest.mark.parametrize("reason", GapReason)
def test_a_line_says_when_why_and_what(reason: GapReason, tmp_path: Path) -> None:
    journal_of(tmp_path).note(
        NOON,
        NOON + 2_500_000,
        reason,
        now=NOON + 60 * SECOND,
        detail="two\nlines, ünïcode",
        sequence=7,
    )
    assert lines(tmp_path) == [
        {
            "start": "2026-07-01T12:00:00.000000",
            "end": "2026-07-01T12:00:02.500000",
            "reason": reason.value,
            "detail": "two\nlines, ünïcode",
            "sequence": 7,
            "noted": "2026-07-01T12:01:00.000000",
        }
    ]
    assert playlists(tmp_path) == {}


def test_lines_are_appended_also_by_the_next_process(tmp_path: Path) -> None:
    note(journal_of(tmp_path), 1)
    later = journal_of(tmp_path)
    note(later, 2)
    note(later, 3)
    assert [line["sequence"] for line in lines(tmp_path)] == [1, 2, 3]


def test_the_playlist_is_kept_as_it_was_at_most_one_for_each_second(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for number, text in ((0, "first"), (0, "of the same second"), (1, "ünïcode")):
        note(journal, number, playlist=text)
    assert playlists(tmp_path) == {
        "2026-07-01T12:00:00.000000.m3u8": "first",
        "2026-07-01T12:00:01.000000.m3u8": "ünïcode",
    }


def test_only_the_newest_playlists_are_kept_also_by_the_next_process(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for number in range(KEPT_PLAYLISTS + 20):
        note(journal, number, playlist=str(number))
    newest = list(playlists(tmp_path).values())
    assert newest == [str(number) for number in range(20, KEPT_PLAYLISTS + 20)]
    later = journal_of(tmp_path)
    for number in range(KEPT_PLAYLISTS + 20, KEPT_PLAYLISTS + 25):
        note(later, number, playlist=str(number))
    assert list(playlists(tmp_path).values()) == [
        str(number) for number in range(25, KEPT_PLAYLISTS + 25)
    ]


def test_what_the_disk_refuses_is_written_when_it_takes_it_again(tmp_path: Path) -> None:
    obstacle = tmp_path / FOLDER
    obstacle.write_text("a file stands where the folder should be")
    journal = journal_of(tmp_path)
    for number in range(3):
        note(journal, number, playlist="text")
    obstacle.unlink()
    note(journal, 3, playlist="text")
    assert [line["sequence"] for line in lines(tmp_path)] == [0, 1, 2, 3]
    assert len(playlists(tmp_path)) == 1


def test_on_a_full_disk_no_line_is_torn_and_none_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256 * 1024) as disk:
        journal = journal_of(disk)
        note(journal, 0)
        ballast = disk / "ballast"
        fill_up(ballast, leave_bytes=4096)
        for number in range(1, 100):
            note(journal, number, detail="x" * 300, playlist="text")
            assert [line["sequence"] for line in lines(disk)] == list(range(len(lines(disk))))
        assert len(lines(disk)) < 100
        ballast.unlink()
        note(journal, 100)
        assert [line["sequence"] for line in lines(disk)] == list(range(101))


def test_a_playlist_that_does_not_fit_leaves_the_room_to_the_lines(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256 * 1024) as disk:
        journal = journal_of(disk)
        for number in range(300):
            note(journal, number, playlist="x" * 512 * 1024)
        assert [line["sequence"] for line in lines(disk)] == list(range(300))
        assert playlists(disk) == {}


def test_the_journal_lies_where_no_channel_can_be(tmp_path: Path) -> None:
    note(journal_of(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [".gaps"]
