"""Settings of the cutter: what is understood, and what is refused in one clear line."""

import json
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.media.request import CutType
from cutter.config import LocalLocation, check_name, parse_locations

LOCAL = {"type": "local", "path": "/videos"}


def test_a_location_needs_only_its_type_and_path() -> None:
    assert parse_locations(json.dumps({"disk": LOCAL})) == {
        "disk": LocalLocation(
            path=Path("/videos"),
            cut_type=CutType.MP4,
            ffmpeg_args=(),
            suffix=".mp4",
            url_prefix=None,
            write_info=False,
        )
    }


def test_every_key_of_a_location_is_understood() -> None:
    fields = {**LOCAL, "cut_type": "fast", "url_prefix": "https://host/v/", "write_info": True}
    assert parse_locations(json.dumps({"disk": fields}))["disk"] == LocalLocation(
        path=Path("/videos"),
        cut_type=CutType.FAST,
        ffmpeg_args=(),
        suffix=".ts",
        url_prefix="https://host/v/",
        write_info=True,
    )


def test_a_full_cut_is_an_mp4() -> None:
    fields = {**LOCAL, "cut_type": "full"}
    assert parse_locations(json.dumps({"disk": fields}))["disk"].cut_type is CutType.MP4


def test_the_configuration_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "locations.json"
    path.write_text(json.dumps({"disk": LOCAL}))
    assert set(parse_locations(str(path))) == {"disk"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("{}", "must be an object such as"),
        ("/no/such/file", "cannot be read"),
        ('{"disk": 1}', "'disk': must be an object"),
        ('{"disk": {"type": "youtube"}}', "type 'youtube' is unknown; there is: local"),
        ('{"disk": {"type": "local"}}', "path must be a text"),
        ('{"disk": {"type": "local", "path": ""}}', "path must be a text"),
        ('{"disk": {"type": "local", "path": "/v", "pth": 1}}', "unknown keys ['pth']"),
        ('{"disk": {"type": "local", "path": "/v", "cut_type": "gif"}}', "cut_type 'gif'"),
        ('{"disk": {"type": "local", "path": "/v", "cut_type": []}}', "cut_type []"),
        ('{"disk": {"type": "local", "path": "/v", "write_info": 1}}', "must be true or false"),
        ('{"disk": {"type": "local", "path": "/v", "url_prefix": null}}', "url_prefix must be"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_locations(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["node-1", "a", "host.example_2"])
def test_a_host_name_can_be_a_cutters_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a~b", ".hidden", "x" * 65, "ä"])
def test_a_name_that_cannot_stand_in_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_name(name)


def test_a_full_cut_takes_arguments_for_ffmpeg() -> None:
    arguments = ["-c:v", "libx264"]
    fields = {**LOCAL, "cut_type": "full", "ffmpeg_args": arguments, "container": "mkv"}
    found = parse_locations(json.dumps({"disk": fields}))["disk"]
    assert found.cut_type is CutType.CUSTOM
    assert found.ffmpeg_args == tuple(arguments)
    assert found.suffix == ".mkv"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cut_type": "custom"}, "cut_type"),
        ({"cut_type": "fast", "ffmpeg_args": ["-an"]}, "cut_type full"),
        ({"cut_type": "full", "ffmpeg_args": "-an"}, "list of texts"),
        ({"cut_type": "full", "ffmpeg_args": [1]}, "list of texts"),
        ({"cut_type": "full", "ffmpeg_args": ["-an"], "container": "avi"}, "container 'avi'"),
        ({"cut_type": "full", "container": "mkv"}, "goes with ffmpeg_args"),
    ],
)
def test_arguments_for_ffmpeg_that_cannot_be_meant_are_refused(
    fields: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        parse_locations(json.dumps({"disk": {**LOCAL, **fields}}))
