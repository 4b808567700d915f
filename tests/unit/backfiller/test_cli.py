"""Settings of the backfiller: what they become, and what is refused in one clear line."""

import os
from pathlib import Path

import click
import pytest

from backfiller.cli import command, config_of
from backfiller.config import Config
from common.replication.nodes import Node
from common.times import parse_time
from tests.support.processes import clean_environment, run_command


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


def configured(*args: str) -> Config:
    """What the service is started with."""
    with command.make_context("backfiller", list(args)) as context:
        return config_of(**context.params)


def test_channels_are_all_that_must_be_given() -> None:
    config = configured("demo", "other")
    assert (config.channels, config.qualities) == (("demo", "other"), ("source",))
    assert config.extras == ("thumbnail_templates",)
    assert (config.static_nodes, config.node_file, config.database) == ((), None, None)
    assert (config.recent_cutoff, config.metrics_port) == (120, 8002)
    assert not config.run_once
    assert not config.delete_old


def test_nodes_come_from_flags() -> None:
    config = configured(
        *("demo", "--static-nodes", "http://a:1, http://b/", "--node-file", "nodes"),
        *("--database", "postgresql://x", "--localhost", "me"),
    )
    assert config.static_nodes == (
        Node(name="a:1", url="http://a:1"),
        Node(name="b", url="http://b"),
    )
    assert (config.node_file, config.database) == (Path("nodes"), "postgresql://x")
    assert config.localhost == "me"


@pytest.mark.parametrize(
    ("text", "seconds", "moment"),
    [("48", 48 * 3600.0, None), ("0.5", 1800.0, None), ("2024-07-01T12", None, "2024-07-01T12")],
)
def test_the_start_is_hours_ago_or_a_moment(
    text: str, seconds: float | None, moment: str | None
) -> None:
    config = configured("demo", "--start", text, "--delete-old")
    assert config.start_seconds == seconds
    assert config.start == (parse_time(moment) if moment else None)
    assert config.delete_old


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("../demo",),
        ("demo", "--qualities", "a/b"),
        ("demo", "--extras", "../x"),
        ("demo", "--extras", "demo"),
        ("demo", "--static-nodes", "node"),
        ("demo", "--start", "yesterday"),
        ("demo", "--start", "-1"),
        ("demo", "--start", "nan"),
        ("demo", "--delete-old"),
        ("demo", "--bandwidth", "1"),
    ],
)
def test_a_wrong_setting_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        configured(*args)


def test_a_wrong_setting_is_one_line_and_status_2() -> None:
    ended = run_command("backfiller", "demo", "--delete-old")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "--start" in ended.stderr
