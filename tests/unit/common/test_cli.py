"""Command lines: where settings come from, and what a wrong one says."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from common import cli
from tests.support.processes import ROOT, clean_environment, run_command

OPTION = "--base-dir"
OWN, SHARED = "WUBLOADER_EXAMPLE_BASE_DIR", "WUBLOADER_BASE_DIR"


@cli.service_command("example")
@click.argument("channels", nargs=-1)
@cli.base_dir_option
@click.option("--names", default="a", callback=cli.split_list)
@cli.port_option(8000)
@cli.metrics_port_option(8001)
@cli.log_level_option
def example(**settings: object) -> int:
    """Say what was set."""
    Settings.last = settings
    return 0


class Settings:
    last: dict[str, object]


def settings(*args: str) -> dict[str, object]:
    example.main(list(args), prog_name="example", standalone_mode=False)
    return Settings.last


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (OWN, SHARED):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("args", "environment", "expected"),
    [
        ([], {}, "."),
        ([], {SHARED: "shared"}, "shared"),
        ([], {OWN: "own"}, "own"),
        ([], {SHARED: "shared", OWN: "own"}, "own"),
        ([OPTION, "flag"], {SHARED: "shared", OWN: "own"}, "flag"),
        ([], {"WUBLOADER_OTHER_BASE_DIR": "other", "BASE_DIR": "bare"}, "."),
    ],
)
def test_a_flag_wins_over_the_service_s_variable_and_that_over_the_shared_one(
    monkeypatch: pytest.MonkeyPatch, args: list[str], environment: dict[str, str], expected: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert settings(*args)["base_dir"] == Path(expected)


def test_arguments_are_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUBLOADER_EXAMPLE_CHANNELS", "one two")
    assert settings()["channels"] == ("one", "two")


@pytest.mark.parametrize(("option", "default"), [("port", 8000), ("metrics_port", 8001)])
def test_ports_cannot_be_shared_between_services(
    monkeypatch: pytest.MonkeyPatch, option: str, default: int
) -> None:
    monkeypatch.setenv(f"WUBLOADER_{option.upper()}", "9000")
    assert settings()[option] == default
    monkeypatch.setenv(f"WUBLOADER_EXAMPLE_{option.upper()}", "9001")
    assert settings()[option] == 9001


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings("--names", " b, c,,d ")["names"] == ("b", "c", "d")
    with pytest.raises(click.BadParameter, match="separated by commas"):
        settings("--names", " , ")


def test_help_shows_every_default_and_variable() -> None:
    text = " ".join(example.get_help(click.Context(example)).split())
    for part in ("8000", "8001", OWN, SHARED, "WUBLOADER_EXAMPLE_PORT", "INFO"):
        assert part in text
    assert "WUBLOADER_PORT" not in text


SERVICES = {
    "restreamer": ["--port", "70000"],
    "downloader": ["a", "--metrics-port", "many"],
    "thrimshim": ["--channel", "demo"],
    "cutter": ["--no-such-option"],
    "thrimshim.tokens": ["--database", "certainly not", "list"],
}


@pytest.mark.parametrize("module", SERVICES)
def test_a_wrong_setting_is_one_clear_line_and_status_2(module: str) -> None:
    ended = run_command(module, *SERVICES[module])
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"{module}: ")
    assert "--" in line


def test_help_is_complete_without_any_setting() -> None:
    ended = run_command("thrimshim", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--no-authentication" in ended.stdout


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_process_ends_with_the_status_of_the_service(status: int) -> None:
    program = (
        "from common import cli\n"
        f"cli.main(cli.service_command('x')(lambda: print('said') or {status}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, "said\n", "")
