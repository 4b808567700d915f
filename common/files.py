"""What a disk must have taken before we rely on it."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Flush a file or a folder to disk. Blocks."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
