"""Logging: one format, in UTC, counted."""

import logging
import re
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from common import logs

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z (\w+) tester (\S+): (.*)")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging belongs to the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    for name in ("urllib3", "yoyo", "streamlink"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(registry: CollectorRegistry, level: str) -> float | None:
    return registry.get_sample_value("wubloader_log_lines_total", {"level": level})


def test_a_line_has_its_time_in_utc_its_level_and_who_says_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("tester", "INFO", CollectorRegistry())
    before = time.time()
    logging.getLogger("some.module").warning("%d of %s", 3, "them")
    out, err = capsys.readouterr()
    found = LINE.fullmatch(err.rstrip("\n"))
    assert out == ""
    assert found is not None
    moment, level, name, text = found.groups()
    assert (level, name, text) == ("WARNING", "some.module", "3 of them")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
    later = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    assert stamp <= moment[:19] <= later


def test_lines_below_the_level_are_neither_shown_nor_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = CollectorRegistry()
    logs.configure("tester", "WARNING", registry)
    logging.getLogger("a").info("quiet")
    logging.getLogger("a").error("loud")
    logging.getLogger("b").error("louder")
    assert [text.rsplit(": ")[-1] for text in capsys.readouterr().err.splitlines()] == [
        "loud",
        "louder",
    ]
    assert (lines(registry, "INFO"), lines(registry, "ERROR")) == (0, 2)


def test_every_level_is_there_before_anything_is_logged() -> None:
    registry = CollectorRegistry()
    logs.configure("tester", "INFO", registry)
    assert [lines(registry, level) for level in logs.LEVELS] == [0, 0, 0, 0]


@pytest.mark.parametrize("library", ["urllib3.connectionpool", "yoyo.migrations", "streamlink"])
def test_talkative_libraries_are_heard_from_warning_on(
    library: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("tester", "DEBUG", CollectorRegistry())
    logging.getLogger(library).info("GET / 200")
    logging.getLogger(library).warning("it is slow")
    assert capsys.readouterr().err.splitlines()[0].endswith("it is slow")


def test_an_error_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("tester", "INFO", CollectorRegistry())
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("a").exception("it failed")
    assert capsys.readouterr().err.rstrip().endswith("ValueError: why")


def test_configuring_twice_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        logs.configure("tester", "INFO", CollectorRegistry())
    logging.getLogger("a").info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
