"""Logging: one format for all services, in UTC, on standard error."""

import logging
import sys
import time

from prometheus_client import CollectorRegistry, Counter

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

# Libraries that log each request or connection at INFO.
_TALKATIVE = ("urllib3", "yoyo", "streamlink")


class _CountLines(logging.Handler):
    """Counts log lines by level, so that a burst of errors can raise an alert."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._lines = Counter(
            "wubloader_log_lines_total", "Lines logged.", ["level"], registry=registry
        )
        for level in LEVELS:
            self._lines.labels(level)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.labels(record.levelname).inc()


def configure(service: str, level: str, registry: CollectorRegistry) -> None:
    """Send the root logger's lines to standard error, each beginning with time, level, service."""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)s {service} %(name)s: %(message)s",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = time.gmtime
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [stream, _CountLines(registry)]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
