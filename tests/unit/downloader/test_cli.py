"""Settings of the downloader: where they come from, and what is refused in one clear line."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from socket import create_server

import pytest

from downloader.channels import ProviderType
from downloader.cli import command, config_of
from downloader.config import Config, Timing
from tests.support.processes import clean_environment, run_command


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


def configured(*args: str) -> Config:
    """What the service is started with."""
    with command.make_context("downloader", list(args)) as context:
        return config_of(**context.params)


def test_a_channel_is_all_that_must_be_given() -> None:
    config = configured("demo")
    assert [channel.name for channel in config.channels] == ["demo"]
    assert config == Config(
        channels=config.channels,
        qualities=("source",),
        base_dir=Path(),
        timing=Timing(),
        transfers=16,
        temp_age=120,
        rewrites=(),
        metrics_host="0.0.0.0",  # noqa: S104 - what it is by default
        metrics_port=8001,
        log_level="INFO",
    )


def test_every_setting_reaches_the_service() -> None:
    config = configured(
        *("a!", "b:url:https://h/x.m3u8", "--base-dir", "/store", "--qualities", "source, 480p30,"),
        *("--transfers", "3", "--temp-age-seconds", "60", "--host", "::1", "--metrics-port", "0"),
        *("--rewrite", "https://a/=http://b/", "--rewrite", "https://c=http://d?e=f"),
        *("--log-level", "debug"),
    )
    first, second = config.channels
    assert (first.name, first.always_live, first.provider) == ("a", True, ProviderType.TWITCH)
    assert (second.name, second.always_live, second.provider) == ("b", False, ProviderType.URL)
    assert config.base_dir == Path("/store")
    assert config.qualities == ("source", "480p30")
    assert (config.transfers, config.temp_age) == (3, 60)
    assert (config.metrics_host, config.metrics_port) == ("::1", 0)
    assert config.rewrites == ("https://a/=http://b/", "https://c=http://d?e=f")
    assert config.log_level == "DEBUG"


@pytest.mark.parametrize("field", [field.name for field in fields(Timing)])
def test_each_time_can_be_set(field: str) -> None:
    flag = f"--{field.replace('_', '-')}-seconds"
    assert configured("demo", flag, "1.25").timing == Timing(**{field: 1.25})


ENVIRONMENT = {
    "BASE_DIR": ("/store", "base_dir", Path("/store")),
    "QUALITIES": ("a,b", "qualities", ("a", "b")),
    "TRANSFERS": ("5", "transfers", 5),
    "TEMP_AGE_SECONDS": ("7", "temp_age", 7),
    "REWRITE": (
        "http://a=http://b http://c=http://d",
        "rewrites",
        ("http://a=http://b", "http://c=http://d"),
    ),
    "RENEW_SECONDS": ("9", "timing.renew", 9),
    "OFFLINE_ALWAYS_LIVE_SECONDS": ("9", "timing.offline_always_live", 9),
    "HOST": ("127.0.0.1", "metrics_host", "127.0.0.1"),
    "LOG_LEVEL": ("warning", "log_level", "WARNING"),
}
"""The end of each variable's name, a value, and what that sets to what."""


def set_environment(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("prefix", ["WUBLOADER_", "WUBLOADER_DOWNLOADER_"])
@pytest.mark.parametrize("name", ENVIRONMENT)
def test_each_setting_can_come_from_the_environment(
    prefix: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, attribute, expected = ENVIRONMENT[name]
    monkeypatch.setenv(prefix + name, text)
    assert attrgetter(attribute)(configured("demo")) == expected


def test_the_long_form_wins_and_a_flag_wins_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUBLOADER_QUALITIES", "short")
    monkeypatch.setenv("WUBLOADER_DOWNLOADER_QUALITIES", "long")
    assert configured("demo").qualities == ("long",)
    assert configured("demo", "--qualities", "flag").qualities == ("flag",)


def test_a_port_is_taken_from_the_long_form_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUBLOADER_METRICS_PORT", "1")
    assert configured("demo").metrics_port == 8001
    monkeypatch.setenv("WUBLOADER_DOWNLOADER_METRICS_PORT", "2")
    assert configured("demo").metrics_port == 2


def test_channels_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUBLOADER_CHANNELS", "a! b:url:http://h/x")
    assert [channel.name for channel in configured().channels] == ["a", "b"]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ((), "Missing argument"),
        (("a", "a!"), "each channel can be given once"),
        (("a/b",), "'a/b' cannot be the name of a channel"),
        (("a:rtmp:x",), "'rtmp' is no type of channel; there are twitch, url,"),
        (("a", "--qualities", " ,"), "give at least one, separated by commas"),
        (("a", "--qualities", "../b"), "'../b' cannot be the name of a folder"),
        (("a", "--qualities", "b,c,b"), "each quality can be given once"),
        (("a", "--transfers", "0"), "--transfers"),
        (("a", "--retry-seconds", "0"), "--retry-seconds"),
        (("a", "--retry-seconds", "nan"), "--retry-seconds"),
        (("a", "--find-seconds", "soon"), "--find-seconds"),
        (("a", "--find-seconds", "inf"), "--find-seconds"),
        (("a", "--metrics-port", "65536"), "--metrics-port"),
        (("a", "--log-level", "loud"), "--log-level"),
        (("a", "--rewrite", "https://gql.twitch.tv/"), "is not FROM=TO such as"),
        (("a", "--rewrite", "gql.twitch.tv=http://h"), "is not FROM=TO such as"),
        (("a", "--bitrate", "1"), "--bitrate"),
        (("a", "--base-dir", "/proc/nowhere/store"), "cannot make the folder /proc/nowhere/store"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(args: tuple[str, ...], complaint: str) -> None:
    done = run_command("downloader", *args)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("downloader: ")
    assert complaint in line


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with closing(create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = run_command(
            *("downloader", "demo", "--base-dir", str(tmp_path)),
            *("--host", "127.0.0.1", "--metrics-port", port),
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("downloader: cannot listen on 127.0.0.1:")


def test_help_shows_every_flag_with_its_variables_and_its_default() -> None:
    done = run_command("downloader", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    shown = " ".join(done.stdout.split())
    assert "CHANNEL[!][:TYPE:URL]..." in shown
    for kind in ProviderType:
        assert kind.value in shown.lower()
    names = {f"{field.name}_seconds" for field in fields(Timing)} | {
        *("base_dir", "qualities", "transfers", "temp_age_seconds", "rewrite", "host"),
        *("metrics_port", "log_level"),
    }
    for name in names:
        flag, variable = f"--{name.replace('_', '-')}", f"WUBLOADER_DOWNLOADER_{name.upper()}"
        _, found, text = shown.partition(f" {flag} ")
        assert found, flag
        assert variable in text.replace(" ", "").partition("--")[0], flag
    for default in ("source", "16", "21600", "8001", "INFO"):
        assert f"default: {default}" in shown
