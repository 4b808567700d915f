"""A disk that is soon full."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A tmpfs of `size_bytes` mounted at `folder`, which is made. Needs to be root."""
    if os.geteuid() != 0:
        raise RuntimeError("mounting a small disk needs root: run the tests as root")
    folder.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "wubloader-test", folder], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(ballast: Path, *, leave_bytes: int) -> None:
    """Write a file that leaves about `leave_bytes` of its disk free; deleting it makes room."""
    free_bytes = shutil.disk_usage(ballast.parent).free
    try:
        ballast.write_bytes(bytes(max(0, free_bytes - leave_bytes)))
    except OSError as exc:
        # Somebody else has written meanwhile: it is full all the same.
        if exc.errno != errno.ENOSPC:
            raise
