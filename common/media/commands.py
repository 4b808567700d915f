"""The ffmpeg program that runs our graphs."""

import importlib
import importlib.util
import shutil
import sys
from functools import lru_cache
from pathlib import Path

from common.errors import ConfigError


@lru_cache(maxsize=1)
def ffmpeg_binary() -> str:
    """The path of ffmpeg: next to the Python that runs (a virtual environment), on PATH, or the one
    that the package imageio-ffmpeg carries.

    Raises ConfigError if there is none.
    """
    beside = Path(sys.executable).with_name("ffmpeg")
    if beside.exists():
        return str(beside)
    found = shutil.which("ffmpeg")
    if found:
        return found
    # A package of the quick start and the tests; images bring an ffmpeg on PATH instead.
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ConfigError("there is no ffmpeg on PATH; install it, or run `make setup`")
    return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
