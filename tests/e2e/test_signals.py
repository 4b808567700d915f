"""SIGTERM at any moment: every service ends with status 0, says no traceback, drops no request.

The moments begin when the kernel shows that the process handles SIGTERM (the first lines of each
`__main__`), most of them fall into the start, where imports, settings and the first tasks meet.
"""

import contextlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import psycopg2
import pytest
import requests

from common.times import SECOND, format_time, parse_time
from tests.support.media import fill_store, recorded_set
from tests.support.proc import session
from tests.support.processes import ROOT, ServiceProcess, clean_environment
from tests.support.seeds import seeded_random
from tests.support.waiting import wait_until

IN_CI = 34
IN_SOAK = 500
PARALLEL = 4
START_SECONDS = 1.5
RUNNING_SECONDS = 3.0
EXIT_SECONDS = 120

START = parse_time("2026-01-01T00:00:00")
CUT_SECONDS = 5
"""A busy machine too makes a cut of these within the time that a service has to stop."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """How to start a service in a folder of its own."""

    module: str
    port_flag: str
    arguments: Callable[[Path, str], list[str]]


def _downloader(folder: Path, dsn: str) -> list[str]:
    return ["demo!:url:http://127.0.0.1:9/master.m3u8", "--base-dir", str(folder)]


def _restreamer(folder: Path, dsn: str) -> list[str]:
    return ["--base-dir", str(folder)]


def _backfiller(folder: Path, dsn: str) -> list[str]:
    options = ["--base-dir", str(folder), "--database", dsn]
    return ["demo", *options, "--static-nodes", "http://127.0.0.1:9", "--interval-seconds", "0.2"]


def _segment_coverage(folder: Path, dsn: str) -> list[str]:
    return [*_backfiller(folder, dsn)[:-2], "--check-interval", "0.2"]


def _cutter(folder: Path, dsn: str) -> list[str]:
    locations = {"local": {"type": "local", "path": str(folder / "videos")}}
    options = ["--name", "signals", "--config", json.dumps(locations), "--database", dsn]
    return [*options, "--base-dir", str(folder)]


def _thrimshim(folder: Path, dsn: str) -> list[str]:
    return [
        *("--database", dsn, "--channel", "demo", "--host", "127.0.0.1", "--no-authentication"),
        *("--upload-locations", "local", "--default-location", "local"),
        *("--bustime-start", "2026-01-01T00:00:00"),
    ]


def _origin(folder: Path, dsn: str) -> list[str]:
    return ["--work-dir", str(folder / "origin")]


SERVICES = {
    service.module: service
    for service in (
        Service(module="downloader", port_flag="--metrics-port", arguments=_downloader),
        Service(module="restreamer", port_flag="--port", arguments=_restreamer),
        Service(module="backfiller", port_flag="--metrics-port", arguments=_backfiller),
        Service(module="segment_coverage", port_flag="--metrics-port", arguments=_segment_coverage),
        Service(module="cutter", port_flag="--metrics-port", arguments=_cutter),
        Service(module="thrimshim", port_flag="--port", arguments=_thrimshim),
        Service(module="demo.origin", port_flag="--port", arguments=_origin),
    )
}


@pytest.fixture(params=list(SERVICES))
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended that got its signal `after_seconds` after its handler stood."""

    after_seconds: float
    status: int
    output: str
    left_children: bool

    @property
    def is_clean(self) -> bool:
        talk = self.output.lower()
        return (
            self.status == 0
            and "traceback" not in talk
            and "exception ignored" not in talk
            and not self.left_children
        )


@pytest.mark.parametrize(
    "times", [IN_CI, pytest.param(IN_SOAK, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_a_signal_at_any_moment_ends_the_service_with_status_0(
    service: Service, times: int, tmp_path: Path, database_dsn: str
) -> None:
    rng = seeded_random(f"signals to {service.module}")
    moments = [_moment(rng) for _ in range(times)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        ended = list(
            pool.map(
                lambda item: _signal_once(service, tmp_path / str(item[0]), database_dsn, item[1]),
                enumerate(moments),
            )
        )
    assert len(ended) == times
    unclean = [one for one in ended if not one.is_clean]
    assert not unclean


def _moment(rng: random.Random) -> float:
    """Seconds after the handler stands: three of four while the service starts."""
    if rng.random() < 0.75:
        return rng.uniform(0, START_SECONDS)
    return rng.uniform(START_SECONDS, RUNNING_SECONDS)


def _signal_once(service: Service, folder: Path, dsn: str, after_seconds: float) -> Ended:
    folder.mkdir()
    arguments = [service.port_flag, "0", *service.arguments(folder, dsn)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", service.module, *arguments],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(lambda: _handles_sigterm(process), "SIGTERM is handled", interval=0.001)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after_seconds)
            process.send_signal(signal.SIGTERM)
            status = process.wait(EXIT_SECONDS)
            left_children = bool(session(process.pid))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Ended(
        after_seconds=after_seconds,
        status=status,
        output=(folder / "output").read_text(errors="replace"),
        left_children=left_children,
    )


def _handles_sigterm(process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the service ended by itself before any signal"
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)))


@contextlib.contextmanager
def running(service: Service, folder: Path, dsn: str) -> Iterator[ServiceProcess]:
    with ServiceProcess(service.module, *service.arguments(folder, dsn)) as process:
        yield process


def connect(process: ServiceProcess) -> socket.socket:
    host, _, port = process.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=EXIT_SECONDS)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    received = b""
    while chunk := connection.recv(1 << 20):
        received += chunk
    return received


def body_of(answer: bytes) -> bytes:
    """The body of an answer with a Content-Length. Raises AssertionError if it is not whole."""
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert len(body) == int(headers[b"content-length"])
    return body


def test_requests_sent_just_before_the_signal_are_answered_whole(
    service: Service, tmp_path: Path, database_dsn: str
) -> None:
    with running(service, tmp_path, database_dsn) as process, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(process)) for _ in range(20)]
        for connection in connections:
            connection.sendall(get("/metrics"))
        process.process.send_signal(signal.SIGTERM)
        bodies = [body_of(read_to_end(connection)) for connection in connections]
        assert all(b"wubloader_http_requests_total" in body for body in bodies)
        assert process.terminate() == 0
        assert "traceback" not in process.output.lower()


def test_thrimshim_answers_a_request_that_waits_for_the_database_when_the_signal_comes(
    tmp_path: Path, database_dsn: str
) -> None:
    locker = psycopg2.connect(database_dsn)
    with (
        contextlib.closing(locker),
        locker.cursor() as cursor,
        running(SERVICES["thrimshim"], tmp_path, database_dsn) as process,
    ):
        process.wait_ready()
        cursor.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        with connect(process) as connection:
            connection.sendall(get("/thrimshim"))
            wait_until(lambda: _somebody_waits_for_a_lock(database_dsn), "the query waits")
            process.process.send_signal(signal.SIGTERM)
            wait_until(lambda: _refuses_connections(process), "it stops listening")
            locker.rollback()
            answer = read_to_end(connection)
        assert answer.startswith(b"HTTP/1.1 200")
        assert json.loads(body_of(answer)) == []
        assert process.terminate() == 0


def _somebody_waits_for_a_lock(dsn: str) -> bool:
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        row = cursor.fetchone()
        return row is not None and row[0] > 0


def _refuses_connections(process: ServiceProcess) -> bool:
    try:
        connect(process).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it stopped listening just then
        return False
    return False


def test_restreamer_sends_a_body_to_its_end_to_a_client_that_reads_slowly(
    tmp_path: Path, database_dsn: str
) -> None:
    """The body is larger than all buffers between the two, so it is under way at the signal."""
    content = os.urandom(1 << 20) * 32
    name = "00:00.000000-2.0-full-" + "A" * 43 + ".ts"
    hour = tmp_path / "demo" / "source" / "2026-01-01T00"
    hour.mkdir(parents=True)
    (hour / name).write_bytes(content)
    with running(SERVICES["restreamer"], tmp_path, database_dsn) as process:
        process.wait_ready()
        with connect(process) as connection:
            connection.sendall(get(f"/segments/demo/source/2026-01-01T00/{name}"))
            first = connection.recv(1000)
            process.process.send_signal(signal.SIGTERM)
            wait_until(lambda: _refuses_connections(process), "it stops listening")
            body = body_of(first + read_to_end(connection))
        assert body == content
        assert process.terminate() == 0


def test_restreamer_finishes_a_cut_that_is_being_made_when_the_signal_comes(
    tmp_path: Path, database_dsn: str
) -> None:
    fill_store(tmp_path, "demo", "360p30", recorded_set("plain"), start=START)
    span = f"start={format_time(START)}&end={format_time(START + CUT_SECONDS * SECOND)}"
    with running(SERVICES["restreamer"], tmp_path, database_dsn) as process:
        process.wait_ready()
        address = f"{process.url}/cut/demo/360p30.ts?{span}&type=mpegts"
        with requests.get(address, stream=True, timeout=EXIT_SECONDS) as answer:
            chunks = answer.iter_content(1000)
            received = next(chunks)
            process.process.send_signal(signal.SIGTERM)
            wait_until(lambda: _refuses_connections(process), "it stops listening")
            received += b"".join(chunks)
        assert process.terminate() == 0
    with av.open(io.BytesIO(received), mode="r", format="mpegts") as video:
        assert len(list(video.decode(video=0))) == CUT_SECONDS * 30
