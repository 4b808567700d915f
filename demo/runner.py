"""The quick start's runner: Postgres first, then the services under honcho, Postgres last."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click

from common.children import end_with_parent
from common.db.database import migrate
from common.errors import ConfigError, WubloaderError
from common.extras import COVERAGE_MAPS
from common.times import format_time
from demo.layout import SERVICES, Layout, choose_ports
from demo.postgres import Postgres
from demo.story import CHANNEL, QUALITY, Story, StoryFailed, Video

ROOT = Path(__file__).parents[1]
_PROCFILE = Path(__file__).parent / "Procfile"
_COVERAGE_PAGE = f"segments/{COVERAGE_MAPS}/{CHANNEL}_coverage.html"
_SERVICES_OF_HONCHO = len(SERVICES) - 1  # all but Postgres
_STOP_SECONDS = 15
_LOOK_SECONDS = 0.3


class Stopped(WubloaderError):
    """Somebody asked the demo to stop."""


class Console:
    """Lines, and in a terminal one line of progress below them."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._last = ""

    def say(self, text: str) -> None:
        self._clear()
        click.echo(text)

    def progress(self, text: str) -> None:
        if not text or text == self._last:
            return
        if self._terminal:
            self._clear()
            click.echo(f"  {text}", nl=False)
        else:
            click.echo(f"  {text}")
        self._last = text

    def _clear(self) -> None:
        if self._terminal and self._last:
            click.echo("\r\033[K", nl=False)
        self._last = ""


class Runner:
    """Runs one node. SIGINT, SIGTERM and SIGHUP (the terminal is closed) stop it, at whatever point
    it is.
    """

    def __init__(self, layout: Layout, *, once: bool) -> None:
        self._layout = layout
        self._once = once
        self._console = Console()
        self._postgres: Postgres | None = None
        self._honcho: subprocess.Popen[bytes] | None = None
        self._honcho_log = layout.logs / "honcho.log"
        self._honcho_said = 0  # bytes of the log that are of earlier runs
        self._stop_requested = False

    def run(self) -> int:
        """Returns the exit status: 0, or 1 with the reason said."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request_stop)
        try:
            with self._only_one():
                return self._run()
        finally:
            self._stop_all()

    def _run(self) -> int:
        try:
            self._start_postgres()
            self._start_services()
            video = Story(
                self._layout, self._console.say, self._console.progress, self._check_alive
            ).tell()
            self._report(video)
            if not self._once:
                self._wait_for_stop()
        except Stopped:
            self._console.say("Stopping.")
            return 1 if self._once else 0
        except StoryFailed as exc:
            self._console.say(f"demo: {exc}")
            return 1
        return 0

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_requested = True

    def _check_alive(self) -> None:
        """Raises Stopped, or StoryFailed if Postgres or honcho has ended."""
        if self._stop_requested:
            raise Stopped("stopped")
        if self._honcho is not None and self._honcho.poll() is not None:
            raise StoryFailed(f"honcho ended with status {self._honcho.returncode}")
        if self._postgres is not None and self._postgres.poll() is not None:
            raise StoryFailed(f"Postgres has ended; see {self._postgres.log}")

    def _only_one(self) -> IO[str]:
        """Hold the folder's lock for as long as the returned file is open."""
        lock = (self._layout.home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            lock.close()
            raise ConfigError(f"a demo is already running in {self._layout.home}") from exc
        return lock

    def _start_postgres(self) -> None:
        self._console.say("Starting Postgres.")
        postgres = Postgres(self._layout.home / "postgres", port=self._layout.ports["postgres"])
        postgres.start()
        self._postgres = postgres
        migrate(postgres.dsn)

    def _start_services(self) -> None:
        if self._postgres is None:
            return
        self._console.say(f"Starting the services; their logs are in {self._layout.logs}")
        environment = self._layout.home / "environment"
        environment.touch(mode=0o600)  # it holds the database's password
        environment.write_text(_environment_file(self._layout, self._postgres.dsn))
        honcho = [sys.executable, "-m", "honcho", "-e", str(environment), "-f", str(_PROCFILE)]
        with self._honcho_log.open("ab") as log:
            self._honcho_said = log.tell()
            self._honcho = subprocess.Popen(
                [*honcho, "-d", str(ROOT), "start"],
                cwd=ROOT,
                env=_own_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches this process alone, which stops all in order.
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there are no threads
            )

    def _wait_for_stop(self) -> None:
        self._console.say("Press Ctrl-C to stop.")
        while True:
            self._check_alive()
            time.sleep(_LOOK_SECONDS)

    def _stop_all(self) -> None:
        """Services first, then what they need. Safe to call at any point."""
        if self._honcho is not None and self._honcho.poll() is None:
            self._wait_until_all_are_started(self._honcho)
            self._honcho.send_signal(signal.SIGTERM)
            try:
                self._honcho.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._honcho.kill()
                self._honcho.wait()
        if self._postgres is not None:
            self._postgres.stop()

    def _wait_until_all_are_started(self, honcho: "subprocess.Popen[bytes]") -> None:
        """A signal before that is fatal to honcho: it would leave running what it has started."""
        deadline = time.monotonic() + _STOP_SECONDS
        while honcho.poll() is None and time.monotonic() < deadline:
            said = self._honcho_log.read_bytes()[self._honcho_said :]
            if said.count(b" started (pid=") >= _SERVICES_OF_HONCHO:
                return
            time.sleep(0.05)

    def _report(self, video: Video) -> None:
        path = url2pathname(urlsplit(video.link).path)
        summary = {
            "video": path,
            "event_id": video.event_id,
            "start": format_time(video.span.start),
            "end": format_time(video.span.end),
            "store": str(self._layout.store),
        }
        (self._layout.home / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
        lines = [("The video", path), ("What is recorded", str(self._layout.store))]
        if not self._once:  # else nothing answers there any more
            lines += self._addresses(f"start={summary['start']}&end={summary['end']}")
        self._console.say("\nThe event is DONE.")
        for label, value in lines:
            self._console.say(f"  {label + ':':37} {value}")

    def _addresses(self, span: str) -> list[tuple[str, str]]:
        """What can be opened, and where; `span` is the moment as a query."""
        url = self._layout.url
        playlist = f"{url('restreamer')}/playlist/{CHANNEL}"
        cut = f"{url('restreamer')}/cut/{CHANNEL}"
        return [
            ("Page: player, events", f"{url('thrimshim')}/"),
            ("Live and all of the past, as HLS", f"{playlist}.m3u8"),
            ("The moment alone, as HLS", f"{playlist}/{QUALITY}.m3u8?{span}"),
            ("The moment, cut while you wait", f"{cut}/{QUALITY}.ts?{span}"),
            ("Coverage: what is recorded, and not", f"{url('restreamer')}/{_COVERAGE_PAGE}"),
            ("Events, as JSON", f"{url('thrimshim')}/thrimshim"),
            ("The synthetic stream", f"{url('origin')}/"),
            *((f"Metrics of {name}", f"{url(name)}/metrics") for name in SERVICES[:-1]),
        ]


def _own_environment() -> dict[str, str]:
    """The environment without settings that are meant for other nodes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WUBLOADER_")}


def _environment_file(layout: Layout, dsn: str) -> str:
    """The settings of all services, as honcho reads them."""
    values = {
        "PYTHON": sys.executable,
        "PYTHONUNBUFFERED": "1",
        "LOG_DIR": layout.logs,
        "ORIGIN_DIR": layout.home / "origin",
        "ORIGIN_URL": layout.url("origin"),
        "WUBLOADER_HOST": "127.0.0.1",
        "WUBLOADER_BASE_DIR": layout.store,
        "WUBLOADER_DATABASE": dsn,
        "WUBLOADER_DEMO_ORIGIN_PORT": layout.ports["origin"],
        "WUBLOADER_RESTREAMER_PORT": layout.ports["restreamer"],
        "WUBLOADER_DOWNLOADER_METRICS_PORT": layout.ports["downloader"],
        "WUBLOADER_DOWNLOADER_QUALITIES": "source,360p30",
        "WUBLOADER_SEGMENT_COVERAGE_METRICS_PORT": layout.ports["segment_coverage"],
        "WUBLOADER_SEGMENT_COVERAGE_QUALITIES": "source,360p30",
        "WUBLOADER_SEGMENT_COVERAGE_CHECK_INTERVAL": "4",
        "WUBLOADER_CUTTER_METRICS_PORT": layout.ports["cutter"],
        "WUBLOADER_CUTTER_NAME": "demo",
        "WUBLOADER_CUTTER_CONFIG": json.dumps(
            {"local": {"type": "local", "path": str(layout.videos)}}
        ),
        "WUBLOADER_THRIMSHIM_PORT": layout.ports["thrimshim"],
        "WUBLOADER_THRIMSHIM_CHANNEL": CHANNEL,
        "WUBLOADER_THRIMSHIM_BUSTIME_START": "2026-01-01T00:00:00",
        "WUBLOADER_THRIMSHIM_RESTREAMER_URL": layout.url("restreamer"),
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the first video.")
@click.option(
    "--port-base",
    type=click.IntRange(1024, 65000),
    help="Listen on this port and those after it, rather than on free ones.",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "var" / "demo",
    show_default="var/demo in the checkout",
    help="Keep everything in this folder.",
)
def command(once: bool, port_base: int | None, home: Path) -> int:
    """Run one whole node on a synthetic live stream, and make a video of one of its moments."""
    layout = Layout(home=home.resolve(), ports=choose_ports(port_base))
    layout.prepare()
    return Runner(layout, once=once).run()
