"""Where the demo keeps its things, and on which ports it listens."""

import errno
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError
from demo.postgres import free_port

SERVICES = (
    "thrimshim",
    "restreamer",
    "origin",
    "downloader",
    "cutter",
    "segment_coverage",
    "postgres",
)
"""In the order of their ports."""

_NEEDED_BYTES = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`ports` is keyed by service."""

    home: Path
    ports: dict[str, int]

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def videos(self) -> Path:
        return self.home / "videos"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def prepare(self) -> None:
        """Make the folders. Raises ConfigError if they cannot be used, or the disk is full."""
        folders = (self.home, self.store, self.videos, self.logs)
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.home).free
        except OSError as exc:
            raise ConfigError(f"cannot use {self.home}: {exc.strerror}") from exc
        for folder in folders:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigError(f"{folder} belongs to somebody else; remove it and start again")
        if free < _NEEDED_BYTES:
            raise ConfigError(
                f"only {free // 1_000_000} MB are free for {self.home};"
                f" {_NEEDED_BYTES // 1_000_000} MB are needed"
            )


def choose_ports(base: int | None) -> dict[str, int]:
    """`base` and those after it, or free ones. Raises ConfigError if one of them is taken."""
    if base is None:
        ports: set[int] = set()
        while len(ports) < len(SERVICES):
            ports.add(free_port())
        return dict(zip(SERVICES, sorted(ports), strict=True))
    chosen = {service: base + number for number, service in enumerate(SERVICES)}
    for service, port in chosen.items():
        _check_free(service, port)
    return chosen


def _check_free(service: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as exc:
            why = "is taken" if getattr(exc, "errno", None) == errno.EADDRINUSE else "can't be used"
            raise ConfigError(
                f"port {port} (for {service}) {why}; choose another PORT_BASE, or none"
            ) from exc
