"""The cutter as a process on a real Postgres, with real segments, and everything going wrong."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest
import requests
from psycopg2.extras import Json

from common.times import SECOND, TimeRange, parse_time
from demo.postgres import Postgres
from tests.support.cutters import count_frames, start_cutter, unfinished, videos_of
from tests.support.event_rows import (
    add_edited,
    expire_lease,
    read_event,
    reset,
    run_sql,
    state_of,
    states_gone_through,
)
from tests.support.media import fill_store, recorded_set
from tests.support.metrics import metric
from tests.support.processes import ServiceProcess
from tests.support.small_disk import fill_up, small_disk
from tests.support.waiting import wait_until

START = parse_time("2026-01-01T00:00:00")
QUALITY = "360p30"
FRAMES_PER_SECOND = 30


def seconds(start: float, end: float) -> TimeRange:
    """A range of the recording, in seconds from its start."""
    return TimeRange(START + round(start * SECOND), START + round(end * SECOND))


@dataclass
class Bench:
    """A recorded store, a database, a folder for videos, and the cutters that a test starts."""

    dsn: str
    base_dir: Path
    videos: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def record(self, *, first: int = 0, count: int = 20, holes: tuple[int, ...] = ()) -> None:
        """Record `count` segments of 2 s, but for those with an index in `holes`."""
        recorded = recorded_set("plain")
        start = START + first * 2 * SECOND
        fill_store(
            self.base_dir,
            "demo",
            QUALITY,
            recorded,
            start=start,
            first=first,
            count=count,
            holes=holes,
        )

    def add(self, event_id: str, *ranges: TimeRange, **columns: object) -> None:
        add_edited(self.dsn, event_id, *ranges, **{"video_quality": QUALITY, **columns})

    def cutter(
        self,
        name: str = "one",
        *,
        lease_seconds: float = 60,
        write_info: bool = False,
        **settings: object,
    ) -> ServiceProcess:
        process = start_cutter(
            name,
            dsn=self.dsn,
            base_dir=self.base_dir,
            videos=self.videos,
            lease_seconds=lease_seconds,
            write_info=write_info,
            **settings,
        )
        self.stack.callback(process.close)
        return process

    def wait_for(self, event_id: str, state: str, seconds: float = 200) -> None:
        def reached() -> bool:
            return state_of(self.dsn, event_id) == state

        wait_until(reached, f"{event_id} is {state}", seconds=seconds)

    def wait_for_progress(self, event_id: str) -> None:
        """Until a cut is under way: some frames are done, not all."""

        def under_way() -> bool:
            row = read_event(self.dsn, event_id)
            assert row["state"] in {"EDITED", "CLAIMED"}, f"it ended early: {row}"
            return bool(0 < row["frames_done"] < row["frames_total"])

        wait_until(under_way, f"{event_id} is being cut")

    def shorten(self, event_id: str) -> None:
        """Leave the first range of the edit."""
        run_sql(
            self.dsn,
            "UPDATE events SET video_ranges = video_ranges[1:1], video_transitions = '{}'"
            " WHERE id = %s",
            event_id,
        )


@pytest.fixture
def bench(database_dsn: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(dsn=database_dsn, base_dir=tmp_path / "store", videos=tmp_path / "videos")
    with bench.stack:
        yield bench


LONG = (seconds(0, 1), *(seconds(0, 40),) * 100)
"""A cut that takes minutes, so that there is time to break it off."""


def test_an_edited_event_becomes_a_video_with_exactly_its_frames(bench: Bench) -> None:
    bench.record(count=4)
    bench.add("e", seconds(1, 3), seconds(4.5, 5))
    bench.cutter()
    bench.wait_for("e", "DONE")
    row = read_event(bench.dsn, "e")
    (video,) = videos_of(bench.videos, "e")
    assert (row["video_id"], row["video_link"]) == (video.name, video.as_uri())
    assert row["upload_time"] is not None
    assert row["uploader"] == "one"
    assert row["frames_done"] == row["frames_total"] > 0
    assert count_frames(video) == 2.5 * FRAMES_PER_SECOND
    assert states_gone_through(bench.dsn, "e") == ["EDITED", "CLAIMED", "FINALIZING", "DONE"]


def test_transitions_are_cut_as_edited(bench: Bench) -> None:
    bench.record(count=4)
    bench.add("e", seconds(1, 3), seconds(4.5, 6), seconds(6, 7))
    run_sql(
        bench.dsn,
        "UPDATE events SET video_transitions ="
        " ARRAY[ROW('clock', '0.5 s'), NULL]::video_transition[]",
    )
    bench.cutter()
    bench.wait_for("e", "DONE")
    (video,) = videos_of(bench.videos, "e")
    assert count_frames(video) == (4.5 - 0.5) * FRAMES_PER_SECOND


def test_an_event_is_taken_as_soon_as_it_is_notified(bench: Bench) -> None:
    bench.record(count=2)
    process = bench.cutter()
    process.wait_ready()
    bench.add("e", seconds(0, 1))
    bench.wait_for("e", "DONE")
    jobs = "wubloader_cutter_jobs_total"
    wait_until(lambda: metric(process.url, jobs, outcome="DONE") == 1, "it is counted")


def test_of_two_cutters_each_event_gets_exactly_one_video(bench: Bench) -> None:
    bench.record(count=2)
    events = [f"e{number}" for number in range(8)]
    for event_id in events:
        bench.add(event_id, seconds(0, 1))
    bench.cutter("one")
    bench.cutter("two")
    for event_id in events:
        bench.wait_for(event_id, "DONE")
    assert [len(videos_of(bench.videos, event_id)) for event_id in events] == [1] * 8
    for event_id in events:
        assert states_gone_through(bench.dsn, event_id).count("CLAIMED") == 1


def test_what_is_missing_is_waited_for_and_said_and_cut_when_it_comes(bench: Bench) -> None:
    bench.record(count=4, holes=(1,))
    bench.add("e", seconds(0, 6))
    process = bench.cutter()
    wait_until(lambda: read_event(bench.dsn, "e")["error"], "the editor is told")
    row = read_event(bench.dsn, "e")
    assert row["state"] == "EDITED"
    assert "2026-01-01T00:00:02.000000 to 2026-01-01T00:00:04.000000" in row["error"]
    assert metric(process.url, "wubloader_cutter_events_missing_segments") == 1
    bench.record(first=1, count=1)
    bench.wait_for("e", "DONE")
    assert read_event(bench.dsn, "e")["error"] is None
    (video,) = videos_of(bench.videos, "e")
    assert count_frames(video) == 6 * FRAMES_PER_SECOND


def test_where_holes_are_allowed_what_is_there_is_cut(bench: Bench) -> None:
    bench.record(count=4, holes=(1,))
    bench.add("e", seconds(0, 6), allow_holes=True)
    bench.cutter()
    bench.wait_for("e", "DONE")
    (video,) = videos_of(bench.videos, "e")
    assert count_frames(video) == 4 * FRAMES_PER_SECOND


def test_an_event_that_one_node_lacks_segments_of_is_cut_by_another(
    bench: Bench, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    lacking = start_cutter("lacking", dsn=bench.dsn, base_dir=empty, videos=bench.videos)
    with lacking:
        lacking.wait_ready()
        bench.record(count=2)
        bench.add("e", seconds(0, 2))
        wait_until(lambda: read_event(bench.dsn, "e")["error"], "the first says what it lacks")
        bench.cutter("two")
        bench.wait_for("e", "DONE")
    assert read_event(bench.dsn, "e")["uploader"] == "two"


def test_an_edit_that_cannot_be_cut_goes_back_to_its_editor(bench: Bench) -> None:
    bench.record(count=4)
    bench.add("bad", seconds(0, 1), seconds(2, 3))
    run_sql(
        bench.dsn,
        "UPDATE events SET video_transitions = ARRAY[ROW('wipe', '1 s')::video_transition]",
    )
    bench.add("good", seconds(0, 1))
    bench.cutter()
    bench.wait_for("bad", "UNEDITED")
    assert "transition" in read_event(bench.dsn, "bad")["error"]
    bench.wait_for("good", "DONE")


def test_a_reset_stops_the_cut(bench: Bench) -> None:
    bench.record()
    bench.add("e", *LONG)
    process = bench.cutter()
    bench.wait_for_progress("e")
    reset(bench.dsn, "e")
    # Long before it would have ended by itself.
    wait_until(lambda: not unfinished(bench.videos), "the work has ended", seconds=60)
    assert state_of(bench.dsn, "e") == "UNEDITED"
    bench.add("next", seconds(0, 1))
    bench.wait_for("next", "DONE")
    assert state_of(bench.dsn, "e") == "UNEDITED"
    assert videos_of(bench.videos, "e") == []
    assert process.terminate() == 0


def test_a_stop_hands_the_event_back_at_once(bench: Bench) -> None:
    bench.record()
    bench.add("e", *LONG)
    process = bench.cutter()
    bench.wait_for_progress("e")
    assert process.terminate() == 0
    row = read_event(bench.dsn, "e")
    assert (row["state"], row["uploader"], row["lease_token"]) == ("EDITED", None, None)
    assert unfinished(bench.videos) == []
    assert "Traceback" not in process.output


def test_the_event_of_a_cutter_that_was_killed_is_taken_over(bench: Bench) -> None:
    bench.record()
    bench.add("e", *LONG)
    first = bench.cutter("first")
    bench.wait_for_progress("e")
    first.kill()
    assert unfinished(bench.videos) != []
    bench.shorten("e")
    expire_lease(bench.dsn, "e")
    bench.cutter("second")
    bench.wait_for("e", "DONE")
    assert read_event(bench.dsn, "e")["uploader"] == "second"
    assert len(videos_of(bench.videos, "e")) == 1
    bench.cutter("first").wait_ready()
    wait_until(lambda: not unfinished(bench.videos), "what the crash left is swept")


def test_a_location_can_encode_with_arguments_of_its_own(bench: Bench) -> None:
    bench.record(count=2)
    bench.add("e", seconds(0.5, 2.5))
    arguments = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]
    bench.cutter(cut_type="full", ffmpeg_args=arguments, container="mkv")
    bench.wait_for("e", "DONE")
    (video,) = bench.videos.glob("e_*.mkv")
    assert count_frames(video) == 2 * FRAMES_PER_SECOND
    assert unfinished(bench.videos) == []


def test_a_location_can_archive(bench: Bench) -> None:
    bench.record(count=4, holes=(1,))
    bench.add("e", seconds(0.5, 7))
    bench.cutter(cut_type="archive")
    bench.wait_for("e", "DONE")
    (folder,) = bench.videos.glob("e_*")
    frames = [count_frames(path) for path in sorted(folder.iterdir())]
    assert frames == [2 * FRAMES_PER_SECOND, 4 * FRAMES_PER_SECOND]
    assert unfinished(bench.videos) == []


def test_arguments_that_ffmpeg_does_not_take_end_the_cutter_at_its_start(bench: Bench) -> None:
    cutter = bench.cutter(cut_type="full", ffmpeg_args=["-c:v", "nonsense"])
    assert cutter.process.wait(200) == 2
    assert "ffmpeg_args: ffmpeg says" in cutter.output


HOLD_PUBLISHING = """
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN new; END';
    CREATE TRIGGER hold BEFORE UPDATE ON events FOR EACH ROW
        WHEN (new.state = 'DONE') EXECUTE FUNCTION hold();
"""


def test_killed_between_publishing_and_saying_so_the_location_is_asked(bench: Bench) -> None:
    bench.record(count=2)
    bench.add("e", seconds(0, 1))
    run_sql(bench.dsn, HOLD_PUBLISHING)
    with closing(psycopg2.connect(bench.dsn)) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        first = bench.cutter("first")
        wait_until(lambda: videos_of(bench.videos, "e"), "the video is there")
        bench.wait_for("e", "FINALIZING")
        first.kill()
        published = videos_of(bench.videos, "e")
        holder.rollback()
        cursor.execute("SELECT pg_advisory_unlock(1)")
    expire_lease(bench.dsn, "e")
    bench.cutter("second")
    bench.wait_for("e", "DONE")
    assert videos_of(bench.videos, "e") == published
    assert read_event(bench.dsn, "e")["video_link"] == published[0].as_uri()
    assert states_gone_through(bench.dsn, "e").count("CLAIMED") == 1, "it was not cut again"


def test_killed_before_publishing_it_is_cut_again(bench: Bench) -> None:
    bench.record(count=2)
    process = bench.cutter()
    process.wait_ready()
    identity = (bench.videos / ".wubloader-folder").read_text().strip()
    session = {
        "backend": "local",
        "folder": identity,
        "temp": ".cutting-dead~e.mp4",
        "name": "e_0123456789ab.mp4",
        "size_bytes": 1,
        "sha256": "0" * 64,
    }
    bench.add(
        "e",
        seconds(0, 1),
        state="FINALIZING",
        uploader="dead",
        upload_session=Json(session),
    )
    bench.wait_for("e", "DONE")
    assert states_gone_through(bench.dsn, "e") == [
        *("FINALIZING", "EDITED", "CLAIMED", "FINALIZING", "DONE")
    ]
    assert len(videos_of(bench.videos, "e")) == 1


def test_a_session_of_a_folder_that_this_node_lacks_is_left_to_others(bench: Bench) -> None:
    bench.record(count=2)
    process = bench.cutter()
    process.wait_ready()
    session = Json({"backend": "local", "folder": "elsewhere"})
    bench.add("far", seconds(0, 1), state="FINALIZING", uploader="far", upload_session=session)
    bench.add("near", seconds(0, 1))
    bench.wait_for("near", "DONE")
    assert state_of(bench.dsn, "far") == "FINALIZING"


def test_a_change_after_publishing_reaches_the_location(bench: Bench) -> None:
    bench.record(count=2)
    bench.add("e", seconds(0, 1))
    bench.cutter(write_info=True)
    bench.wait_for("e", "DONE")
    (info,) = bench.videos.glob("e_*.json")
    assert "Title of e" in info.read_text()
    run_sql(bench.dsn, "UPDATE events SET state = 'MODIFIED', video_title = 'A better title'")
    bench.wait_for("e", "DONE")
    assert "A better title" in info.read_text()


@pytest.mark.timeout(600)
def test_postgres_may_restart_in_the_middle_of_a_cut(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    bench = Bench(dsn=own_postgres.dsn, base_dir=tmp_path / "store", videos=tmp_path / "videos")
    with bench.stack:
        bench.record()
        bench.add("e", *LONG[:3])
        process = bench.cutter(lease_seconds=200)
        bench.wait_for_progress("e")
        own_postgres.stop()
        own_postgres.start()
        bench.wait_for("e", "DONE", seconds=400)
        assert states_gone_through(bench.dsn, "e").count("CLAIMED") == 1, "the cut went on"
        assert len(videos_of(bench.videos, "e")) == 1
        assert process.terminate() == 0


def test_a_cut_is_given_up_when_the_database_is_away_for_longer_than_the_lease(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    bench = Bench(dsn=own_postgres.dsn, base_dir=tmp_path / "store", videos=tmp_path / "videos")
    with bench.stack:
        bench.record()
        bench.add("e", *LONG)
        bench.cutter(lease_seconds=10)
        bench.wait_for_progress("e")
        own_postgres.stop()
        # Long before it would have ended by itself.
        wait_until(lambda: not unfinished(bench.videos), "the work has ended", seconds=100)
        own_postgres.start()
        bench.shorten("e")
        bench.wait_for("e", "DONE")
        assert len(videos_of(bench.videos, "e")) == 1


def test_without_a_database_the_cutter_waits_and_is_not_ready(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    bench = Bench(dsn=own_postgres.dsn, base_dir=tmp_path, videos=tmp_path / "videos")
    own_postgres.stop()
    with bench.stack:
        process = bench.cutter()
        answer = requests.get(f"{process.url}/readyz", timeout=60)
        assert answer.status_code == 503
        assert "the database does not answer" in answer.text
        own_postgres.start()
        process.wait_ready()
        assert process.terminate() == 0


def test_a_full_disk_costs_nothing_but_time(bench: Bench, tmp_path: Path) -> None:
    bench.record(count=5)
    with small_disk(tmp_path / "small", 32 * 1024 * 1024) as bench.videos:
        ballast = bench.videos / "ballast"
        fill_up(ballast, leave_bytes=100_000)
        bench.add("e", seconds(0, 10))
        process = bench.cutter()
        full = "wubloader_cutter_disk_full"
        wait_until(lambda: metric(process.url, full) == 1, "the alert is up")
        wait_until(lambda: state_of(bench.dsn, "e") == "EDITED", "it is given back")
        assert videos_of(bench.videos, "e") == []
        ballast.unlink()
        # Each time that it failed meanwhile has doubled the wait.
        bench.wait_for("e", "DONE")
        wait_until(lambda: metric(process.url, full) == 0, "it is over")
        (video,) = videos_of(bench.videos, "e")
        assert count_frames(video) == 10 * FRAMES_PER_SECOND
        assert unfinished(bench.videos) == []
        assert process.terminate() == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--config", "{", "--database", "dbname=x"], "--config: not JSON"),
        (["--config", "{}", "--database", "dbname=x"], "--config: must be an object"),
        (["--database", "dbname=x"], "Missing option '--config'"),
        (["--config", '{"l": {"type": "local", "path": "v"}}'], "Missing option '--database'"),
        (
            [
                "--config",
                '{"l": {"type": "local", "path": "/dev/null/v"}}',
                "--database",
                "dbname=x",
            ],
            "cannot be used",
        ),
        (
            ["--name", "a/b", "--config", '{"l": {"type": "local"}}', "--database", "dbname=x"],
            "--name 'a/b'",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_status_2(arguments: list[str], complaint: str) -> None:
    with ServiceProcess("cutter", *arguments) as process:
        assert process.process.wait(200) == 2
        assert process.output.count("\n") == 1
        assert process.output.startswith("cutter: ")
        assert complaint in process.output
