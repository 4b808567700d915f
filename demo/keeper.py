"""`python -m demo.keeper NAME -- COMMAND...`: keeps one service running.

honcho ends everything when one of its processes ends; so it runs a keeper for each service, which
starts the service again when it dies. What the service says goes to LOG_DIR/NAME.log.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from common.retry import backoff

_HEALTHY_SECONDS = 20


class Keeper:
    """Runs one command again and again until it is told to stop."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self._name = name
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False  # set by the signal's handler

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The handler for SIGTERM: pass it on, and start nothing more."""
        self._stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def run(self) -> None:
        waits = backoff(0.5, 10, rng=random.Random(0))
        while not self._stopping:
            started = time.monotonic()
            status = self._run_once()
            if self._is_stopping():
                return
            self._say(f"ended with status {status}, is started again; see {self._log}")
            if time.monotonic() - started > _HEALTHY_SECONDS:
                waits = backoff(0.5, 10)
            self._pause(next(waits))

    def _run_once(self) -> int:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        if self._stopping:  # the signal came before there was anything to pass it on to
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait()

    def _is_stopping(self) -> bool:
        return self._stopping

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.05)

    def _say(self, text: str) -> None:
        sys.stdout.write(f"{self._name} {text}\n")
        sys.stdout.flush()


def main() -> int:
    name, separator, *command = sys.argv[1:]
    if separator != "--" or not command:
        sys.stderr.write("usage: python -m demo.keeper NAME -- COMMAND...\n")
        return 2
    keeper = Keeper(name, command, Path(os.environ["LOG_DIR"]) / f"{name}.log")
    signal.signal(signal.SIGTERM, keeper.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keeper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
