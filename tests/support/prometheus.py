"""Prometheus' own tools, our rules as they are on disk, and a Prometheus that really runs."""

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from demo.postgres import free_port
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

MONITORING = ROOT / "monitoring"
RULE_FILES = sorted((MONITORING / "rules").glob("*.yml"))

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACES = re.compile(r"\{[^}]*\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_DURATION = re.compile(r"\boffset\s+\w+")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_:][\w:]*(?!\s*\(|[\w:])")
_WORDS = {"and", "or", "unless", "bool", "by", "on"}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alerting rule."""

    name: str
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def alerts() -> list[Alert]:
    """All of ours, in the order of the files."""
    return [
        Alert(
            name=rule["alert"],
            expression=rule["expr"],
            labels=rule["labels"],
            annotations=rule["annotations"],
        )
        for path in RULE_FILES
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


def promtool(*arguments: object) -> str:
    """Run promtool; returns what it says. Raises AssertionError with that if it complains."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        cwd=MONITORING,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def metrics_in(expression: str) -> set[str]:
    """The names of the metrics that an expression asks for.

    >>> sorted(metrics_in('sum by (node) (rate(a_total{x="y"}[5m])) > on () group_left () b'))
    ['a_total', 'b']
    """
    bare = _STRING.sub("", expression)
    for pattern in (_BRACES, _RANGE, _GROUPING, _DURATION):
        bare = pattern.sub(" ", bare)
    return {name for name in _NAME.findall(bare) if name not in _WORDS}


class Prometheus:
    """A Prometheus on a free port; see `running_prometheus`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The labels of what the expression finds now."""
        return [found["metric"] for found in self._get("query", query=expression)["result"]]

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {found["alertname"] for found in self.query('ALERTS{alertstate="firing"}')}

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing, with their annotations filled in."""
        return list(self._get("alerts")["alerts"])

    def unhealthy_rules(self) -> list[str]:
        """What goes wrong with rules that were evaluated."""
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in self._get("rules")["groups"]
            for rule in group["rules"]
            if rule["health"] == "err"
        ]

    def targets(self) -> dict[tuple[str, str], str]:
        """The health of each target, by its node and its job."""
        return {
            (target["labels"].get("node", ""), target["labels"]["job"]): target["health"]
            for target in self._get("targets")["activeTargets"]
        }

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/api/v1/{what}", params=parameters, timeout=60)
        answer.raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data

    def is_ready(self) -> bool:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(f"{self.url}/-/ready", timeout=5).ok
        return False


@contextlib.contextmanager
def running_prometheus(config: Path, port: int | None = None) -> Iterator[Prometheus]:
    """Debian's Prometheus with this configuration, and with data of its own that are deleted."""
    address = f"127.0.0.1:{port or free_port()}"
    with tempfile.TemporaryDirectory(prefix="prometheus-") as data:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={data}",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            stdin=subprocess.DEVNULL,
        )
        try:
            prometheus = Prometheus(f"http://{address}")
            wait_until(prometheus.is_ready, "Prometheus is ready")
            yield prometheus
        finally:
            process.terminate()
            process.wait(60)
