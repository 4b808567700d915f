"""Reading the journal of gaps while it is written."""

import os
from pathlib import Path

import pytest

from common.gaps import Gap, GapReason, format_gap, journal_file
from common.times import SECOND
from segment_coverage.journal import Journal
from tests.support.segments import NOON


def gap(number: int) -> Gap:
    start = NOON + number * SECOND
    return Gap(start=start, end=start + SECOND, reason=GapReason.MISSED)


def line(number: int) -> str:
    return format_gap(gap(number), detail="", sequence=number, noted=NOON) + "\n"


def test_it_is_read_on_from_where_it_ended(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "demo", "source")
    assert journal.gaps() == ()
    path = journal_file(tmp_path, "demo", "source")
    path.parent.mkdir(parents=True)
    path.write_text(line(0) + line(1)[:30])
    assert journal.gaps() == (gap(0),)
    path.write_text(line(0) + line(1) + "no line\n" + line(2))
    found = journal.gaps()
    assert found == (gap(0), gap(1), gap(2))
    assert journal.gaps() is found
    path.write_text(line(5))
    assert journal.gaps() == (gap(5),)
    path.unlink()
    assert journal.gaps() == ()


def test_a_line_that_comes_while_it_is_read_is_taken_over_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = journal_file(tmp_path, "demo", "source")
    path.parent.mkdir(parents=True)
    path.write_text(line(0))
    look = Path.stat

    def look_and_append(self: Path) -> os.stat_result:
        found = look(self)
        with self.open("a") as file:
            file.write(line(1))
        return found

    journal = Journal(tmp_path, "demo", "source")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Path, "stat", look_and_append)
        assert journal.gaps() == (gap(0),)
    assert journal.gaps() == (gap(0), gap(1))
