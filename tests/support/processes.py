"""Services as real processes: start, wait, stop, kill, and read what they said."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]

_LISTENS = re.compile(r"^\S+ listens on (http://\S+?)/?\n", re.MULTILINE)
_PORT_FLAG = {
    "restreamer": "--port",
    "thrimshim": "--port",
    "demo.origin": "--port",
    "bench.origin": "--port",
}


def clean_environment() -> dict[str, str]:
    """The environment without settings for our services."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WUBLOADER_")}


class ServiceProcess:
    """`python -m MODULE ARGS` on a free port. Use it as a context manager, or call `close`.

    With `prefix` another command runs it, which must become it (exec).
    """

    def __init__(
        self,
        module: str,
        *args: str,
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.module = module
        self._output = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by close()
            prefix=f"{module}-", suffix=".log"
        )
        self.process = subprocess.Popen(
            [
                *prefix,
                *(sys.executable, "-m", module),
                *(_PORT_FLAG.get(module, "--metrics-port"), "0"),
                *args,
            ],
            cwd=ROOT,
            env={**clean_environment(), "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        """Everything that it has written so far."""
        return Path(self._output.name).read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end; waits until it does."""
        return wait_until(self._url, f"{self.module} listens")

    def wait_ready(self, seconds: float = 120) -> Self:
        """Wait until /readyz answers 200."""
        url = f"{self.url}/readyz"

        def ready() -> bool:
            self._must_run()
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                return requests.get(url, timeout=5).ok
            return False

        wait_until(ready, f"{self.module} is ready", seconds=seconds)
        return self

    def terminate(self, seconds: float = 90) -> int:
        """SIGTERM; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self._output.close()

    def _url(self) -> str | None:
        self._must_run()
        found = _LISTENS.search(self.output)
        return found.group(1) if found else None

    def _must_run(self) -> None:
        status = self.process.poll()
        if status is not None:
            raise AssertionError(f"{self.module} ended with {status}:\n{self.output}")


def run_command(
    module: str, *args: str, seconds: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m MODULE ARGS` to its end, with its output as text."""
    return subprocess.run(
        [sys.executable, "-m", module, *args],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
