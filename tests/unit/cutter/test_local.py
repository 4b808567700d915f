"""The upload location `local`: one rename publishes, and whether it happened can be asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError
from common.events import EventState
from common.media.request import CutType
from cutter.backends.base import Upload
from cutter.backends.local import LocalBackend
from cutter.event import Event
from cutter.job import Answer

VIDEO = b"a video" * 1000


def event(**columns: Any) -> Event:
    fields: dict[str, Any] = {
        "id": "e",
        "state": EventState.CLAIMED,
        "location": "local",
        "edit_time": None,
        "channel": "demo",
        "quality": "source",
        "ranges": (),
        "transitions": (),
        "allow_holes": False,
        "title": "Title",
        "description": "What happened",
        "tags": ("a", "b"),
        "error": None,
        "video_id": None,
        "session": None,
    }
    return Event(**{**fields, **columns})


def names(folder: Path) -> list[str]:
    """The visible files: what a person finds in the folder."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def temps(folder: Path) -> list[Path]:
    return list(folder.glob(".cutting-*"))


def upload(backend: LocalBackend, content: bytes = VIDEO) -> dict[str, Any]:
    """Cut, begin and commit; returns the session."""
    with backend.scratch(event()) as file:
        file.write_bytes(content)
        session = backend.begin(event(), file)
        backend.commit(session)
    return session


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(folder=tmp_path, owner="me")


def test_a_published_video_lies_whole_under_a_name_that_holds_the_events_id(
    backend: LocalBackend, tmp_path: Path
) -> None:
    session = upload(backend)
    name = session["name"]
    assert name.startswith("e_")
    assert name.endswith(".mp4")
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == VIDEO
    assert backend.ask(session) == Upload(
        answer=Answer.PUBLISHED, video_id=name, video_link=(tmp_path / name).as_uri()
    )


def test_nothing_is_visible_before_the_commit(backend: LocalBackend, tmp_path: Path) -> None:
    with backend.scratch(event()) as file:
        file.write_bytes(VIDEO)
        backend.begin(event(), file)
        assert names(tmp_path) == []


def test_the_scratch_file_goes_whatever_happens(backend: LocalBackend, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), backend.scratch(event()) as file:
        file.write_bytes(VIDEO)
        raise RuntimeError("the cut broke")
    assert temps(tmp_path) == []


def test_the_session_can_be_stored_as_json_and_asked_by_another_cutter(
    backend: LocalBackend, tmp_path: Path
) -> None:
    session = json.loads(json.dumps(upload(backend)))
    other = LocalBackend(folder=tmp_path, owner="other")
    assert other.can_ask(session)
    assert other.ask(session).answer is Answer.PUBLISHED


def test_an_upload_that_did_not_happen_is_absent_and_cannot_happen_any_more(
    backend: LocalBackend, tmp_path: Path
) -> None:
    with backend.scratch(event()) as file:
        file.write_bytes(VIDEO)
        session = backend.begin(event(), file)
        assert LocalBackend(folder=tmp_path, owner="other").ask(session).answer is Answer.ABSENT
        with pytest.raises(FileNotFoundError):
            backend.commit(session)
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [VIDEO[:-1], b"x" * len(VIDEO)])
def test_a_file_with_other_content_is_not_the_video(
    backend: LocalBackend, tmp_path: Path, content: bytes
) -> None:
    session = upload(backend)
    (tmp_path / session["name"]).write_bytes(content)
    assert backend.ask(session).answer is Answer.ABSENT


def test_nobody_answers_for_a_folder_that_he_does_not_have(
    backend: LocalBackend, tmp_path: Path
) -> None:
    session = upload(backend)
    elsewhere = LocalBackend(folder=tmp_path / "elsewhere", owner="me")
    assert backend.can_ask(session)
    assert not elsewhere.can_ask(session)


def test_a_folder_keeps_its_identity(tmp_path: Path) -> None:
    session = upload(LocalBackend(folder=tmp_path, owner="me"))
    assert LocalBackend(folder=tmp_path, owner="me").can_ask(session)


def test_another_edit_of_the_same_event_does_not_replace_the_first_video(
    backend: LocalBackend, tmp_path: Path
) -> None:
    first, second = upload(backend), upload(backend, b"another cut")
    assert names(tmp_path) == sorted([first["name"], second["name"]])


def test_the_link_begins_with_the_prefix_that_was_configured(tmp_path: Path) -> None:
    backend = LocalBackend(folder=tmp_path, owner="me", url_prefix="https://host/videos/")
    session = upload(backend)
    assert backend.ask(session).video_link == f"https://host/videos/{session['name']}"


def test_a_sweep_removes_what_this_cutters_crash_left_and_nothing_else(tmp_path: Path) -> None:
    videos = LocalBackend(folder=tmp_path, owner="me")
    upload(videos)
    (tmp_path / "holiday.mp4").write_bytes(b"not ours")
    with (
        LocalBackend(folder=tmp_path, owner="me-too").scratch(event()) as others,
        videos.scratch(event()) as mine,
    ):
        others.write_bytes(b"in the hands of another cutter")
        mine.write_bytes(b"left by a crash")
        before = names(tmp_path)
        assert videos.sweep() == 1
        assert not mine.exists()
        assert others.exists()
        assert names(tmp_path) == before


def test_info_beside_the_video_follows_the_event(tmp_path: Path) -> None:
    backend = LocalBackend(folder=tmp_path, owner="me", write_info=True)
    session = upload(backend)
    info = (tmp_path / session["name"]).with_suffix(".json")
    for title in ("Title", "Better title"):
        backend.describe(event(title=title), session["name"])
        assert json.loads(info.read_text()) == {
            "title": title,
            "description": "What happened",
            "tags": ["a", "b"],
        }
    assert temps(tmp_path) == []


def test_without_the_setting_no_info_is_written(backend: LocalBackend, tmp_path: Path) -> None:
    session = upload(backend)
    backend.describe(event(), session["name"])
    assert names(tmp_path) == [session["name"]]


def test_a_folder_that_cannot_be_made_is_a_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        LocalBackend(folder=tmp_path / "file" / "videos", owner="me")


@pytest.fixture
def archives(tmp_path: Path) -> LocalBackend:
    return LocalBackend(folder=tmp_path, owner="me", cut_type=CutType.ARCHIVE, write_info=True)


def fill(folder: Path) -> None:
    folder.mkdir()
    for name in ("001.mkv", "002.mkv"):
        (folder / name).write_bytes(VIDEO)


def test_an_archive_is_published_as_a_folder(archives: LocalBackend, tmp_path: Path) -> None:
    with archives.scratch(event()) as folder:
        fill(folder)
        session = archives.begin(event(), folder)
        assert session["size_bytes"] == 2 * len(VIDEO)
        archives.commit(session)
    assert archives.ask(session).answer is Answer.PUBLISHED
    assert sorted(path.name for path in (tmp_path / session["name"]).iterdir()) == [
        "001.mkv",
        "002.mkv",
    ]
    archives.describe(event(), session["name"])
    assert (tmp_path / f"{session['name']}.json").exists()
    (tmp_path / session["name"] / "002.mkv").write_bytes(b"x" * len(VIDEO))
    assert archives.ask(session).answer is Answer.ABSENT


def test_an_archive_that_is_not_published_goes(archives: LocalBackend, tmp_path: Path) -> None:
    with archives.scratch(event()) as folder:
        fill(folder)
        session = archives.begin(event(), folder)
        assert archives.ask(session).answer is Answer.ABSENT
        with pytest.raises(FileNotFoundError):
            archives.commit(session)
    with archives.scratch(event()) as folder:
        fill(folder)
        assert archives.sweep() == 1
    assert names(tmp_path) == []
    assert temps(tmp_path) == []
