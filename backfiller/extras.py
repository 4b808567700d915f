"""Copying extras: files that another node has in a listed folder and this one lacks.

They have no hash, so a file that is here is never replaced, and one that comes is only as good as
the node it comes from. It appears whole or not at all.
"""

import os
import uuid
from pathlib import Path

from backfiller.limits import Allowance
from common.errors import BadAnswer
from common.files import make_durable_folder, sync
from common.replication.peer import Peer
from common.threads import in_thread

LIMIT_BYTES = 64 * 1024 * 1024


class ExtrasCopier:
    """Copies extras from one node."""

    def __init__(self, *, base_dir: Path, peer: Peer, allowance: Allowance) -> None:
        self._base_dir = base_dir
        self._peer = peer
        self._allowance = allowance

    def missing(self, folder: str) -> list[str]:
        """Paths below `folder` that the node has and we lack. Raises FetchError."""
        paths = self._peer.extras(folder)
        return in_thread(lambda: [path for path in paths if not self._path(folder, path).exists()])

    def copy(self, folder: str, path: str) -> int:
        """Fetch one file; returns its bytes. Raises FetchError, or OSError where the disk does."""
        deadline_seconds = self._allowance.deadline_seconds(LIMIT_BYTES)
        with self._peer.open(folder, path, deadline_seconds=deadline_seconds) as response:
            body = bytearray()
            for chunk in response.chunks():
                body += chunk
                if len(body) > LIMIT_BYTES:
                    raise BadAnswer(response.url, f"it is longer than {LIMIT_BYTES} bytes")
                self._allowance.spend(len(chunk))
        in_thread(_write, self._path(folder, path), bytes(body))
        return len(body)

    def _path(self, folder: str, path: str) -> Path:
        return self._base_dir / folder / path


def _write(path: Path, body: bytes) -> None:
    make_durable_folder(path.parent)
    temp = path.with_name(f".{uuid.uuid4()}.part")
    try:
        with temp.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temp.rename(path)
    finally:
        temp.unlink(missing_ok=True)
    sync(path.parent)
