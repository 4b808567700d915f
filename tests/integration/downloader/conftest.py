"""A real downloader that records from a real origin, whose clock stands still between steps."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.downloader.recording import CHANNEL, QUICK, Recording
from tests.support.origin import Origin, stepped_origin
from tests.support.processes import ServiceProcess

Record = Callable[..., Recording]
"""Starts a downloader with further flags. `url` is recorded as the channel `demo`; None leaves the
channels to the flags.
"""


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Its playlist may stand still for as long as a test takes from one step to the next."""
    with stepped_origin() as started:
        started.change(target_seconds=600)
        yield started


@pytest.fixture
def record(origin: Origin, tmp_path: Path) -> Iterator[Record]:
    with ExitStack() as stack:

        def start(
            *flags: str,
            url: str | None = origin.master_url,
            base_dir: Path = tmp_path / "store",
            env: dict[str, str] | None = None,
        ) -> Recording:
            channels = [] if url is None else [f"{CHANNEL}:url:{url}"]
            arguments = ("--base-dir", str(base_dir), *QUICK, *flags, *channels)
            process = stack.enter_context(ServiceProcess("downloader", *arguments, env=env))
            stack.callback(_check_output, process)
            return Recording(process.wait_ready(), base_dir)

        yield start


def _check_output(process: ServiceProcess) -> None:
    """However the origin misbehaves, nothing of ours fails, and the downloader stops in order."""
    assert process.terminate() == 0
    assert "Traceback" not in process.output, process.output
