"""A Docker engine for tests: the machine's own, or where there is none one that is started here.

An engine of ours has all its files in one folder, changes no rule of the machine's network, and
leaves nothing behind. Containers reach each other and the machine; a cluster needs no more.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.waiting import wait_until

_BASE_IMAGE = "debian:trixie-slim"
_OWN_BASE_IMAGE = "wubloader-debian:trixie"


class NoEngine(Exception):
    """No engine can be started on this machine; the text says why."""


def run(
    *command: str, seconds: float = 300, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> str:
    """Run a command to its end; returns what it printed. Raises AssertionError if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}\n{done.stderr}"
    return done.stdout


class Engine:
    """`start` before use, `stop` at the end; stopping twice is safe. Raises NoEngine."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.env: dict[str, str] = {}

    def start(self) -> None:
        if self._answers():
            return
        _install()
        self._folder = Path(tempfile.mkdtemp(prefix="wubloader-engine-", dir="/var/tmp"))
        socket = f"unix://{self._folder}/socket"
        self.env = {"DOCKER_HOST": socket}
        command = ["dockerd", "--host", socket, "--pidfile", f"{self._folder}/pid"]
        command += ["--data-root", f"{self._folder}/data", "--exec-root", f"{self._folder}/exec"]
        command += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        command += ["--default-address-pool", "base=10.213.0.0/16,size=24"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(self._started, "the engine answers", seconds=180, interval=0.2)
        except AssertionError as exc:
            text = self._log.read_text(errors="replace")
            self.stop()
            raise NoEngine(text[-2000:]) from exc

    def stop(self) -> None:
        """End an engine of ours and remove everything of it."""
        if self._folder is None:
            return
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(180)
        folder = self._folder
        wait_until(lambda: not processes_of(folder), "what the engine has started has ended")
        for mount in reversed(mounts_below(self._folder)):
            run("umount", "--lazy", mount)
        shutil.rmtree(self._folder)
        self._folder = None

    @property
    def folder(self) -> Path | None:
        """Where an engine of ours has everything; None if the machine's own is used, or none."""
        return self._folder

    def docker(self, *args: str, seconds: float = 300) -> str:
        return run("docker", *args, seconds=seconds, env=self.env)

    def base_image(self) -> str:
        """The name of an image of Debian to build on: pulled, or made of Debian's packages."""
        try:
            self.docker("image", "inspect", _BASE_IMAGE)
        except AssertionError:
            try:
                self.docker("pull", "--quiet", _BASE_IMAGE, seconds=120)
            except (AssertionError, subprocess.TimeoutExpired):
                run("scripts/debian-image", _OWN_BASE_IMAGE, seconds=600, env=self.env)
                return _OWN_BASE_IMAGE
        return _BASE_IMAGE

    @property
    def _log(self) -> Path:
        assert self._folder is not None
        return self._folder / "log"

    def _started(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"dockerd ended with {self._process.returncode}")
        return self._answers()

    def _answers(self) -> bool:
        try:
            self.docker("version", seconds=60)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            return False
        return True


def compose_command() -> list[str]:
    """Compose as a program of its own, as Debian has it, or as a part of Docker."""
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


def mounts_below(folder: Path) -> list[str]:
    """Mount points below a folder, in the order in which they were mounted."""
    lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    points = [line.split()[1] for line in lines]
    return [point for point in points if point.startswith(f"{folder}/")]


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(folder) in line:
            found.append(line)
    return found


def _install() -> None:
    """Install what is missing. Raises NoEngine."""
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root can start one")
    try:
        run("scripts/setup", "engine")
    except AssertionError as exc:
        raise NoEngine(str(exc)) from exc
