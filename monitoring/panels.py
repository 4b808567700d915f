"""The parts of Grafana's dashboards: panels, and how they are laid out. Only what we use of it.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ has
the format.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

COLUMNS = 24
SOURCE_UID = "wubloader-prometheus"
"""As in grafana/provisioning/datasources."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Green, then orange from `warn` on, then red from `bad` on; `falling` where low is bad."""

    warn: float
    bad: float
    falling: bool = False

    def as_json(self) -> Json:
        if self.falling:
            steps: list[tuple[str, float | None]] = [
                ("red", None),
                ("orange", self.bad),
                ("green", self.warn),
            ]
        else:
            steps = [("green", None), ("orange", self.warn), ("red", self.bad)]
        return {
            "mode": "absolute",
            "steps": [{"color": color, "value": value} for color, value in steps],
        }


PLAIN = Thresholds(warn=1e9, bad=1e9)
"""For numbers that are neither good nor bad."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """`queries` maps each expression to the legend of its series."""

    kind: str
    title: str
    description: str
    queries: dict[str, str]
    unit: str = "short"
    width: int = 8
    height: int = 8
    thresholds: Thresholds | None = None
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    mappings: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What a value stands for: its text and its colour."""

    def as_json(self, number: int, x: int, y: int) -> Json:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": {"type": "prometheus", "uid": SOURCE_UID},
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                self._target(letter, expression, legend)
                for letter, (expression, legend) in zip(
                    "ABCDEF", self.queries.items(), strict=False
                )
            ],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self.options,
        }

    def _target(self, letter: str, expression: str, legend: str) -> Json:
        target: Json = {"refId": letter, "expr": expression, "legendFormat": legend}
        if self.kind in {"stat", "table"}:
            target |= {"instant": True, "range": False}
        if self.kind == "table":
            target["format"] = "table"
        return target

    def _defaults(self) -> Json:
        defaults: Json = {"unit": self.unit, "custom": self.custom}
        if self.kind == "stat":
            defaults |= {"noValue": "none", "color": {"mode": "thresholds"}}
        if self.thresholds is not None:
            defaults["thresholds"] = self.thresholds.as_json()
        if self.mappings:
            texts = {
                value: {"text": text, "color": color}
                for value, (text, color) in self.mappings.items()
            }
            defaults["mappings"] = [{"type": "value", "options": texts}]
        return defaults


def stat(
    title: str,
    expression: str,
    description: str,
    *,
    unit: str = "short",
    legend: str = "",
    width: int = 4,
    thresholds: Thresholds,
) -> Panel:
    """The newest value, large, in the colour of its threshold."""
    return Panel(
        kind="stat",
        title=title,
        description=description,
        queries={expression: legend},
        unit=unit,
        width=width,
        height=5,
        thresholds=thresholds,
        options={
            "colorMode": "background",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"]},
        },
    )


def series(
    title: str,
    queries: dict[str, str],
    description: str,
    *,
    unit: str = "short",
    width: int = 8,
    stacked: bool = False,
    thresholds: Thresholds | None = None,
) -> Panel:
    """Lines over time; `stacked` where their sum means something. Thresholds are drawn as lines."""
    custom: Json = {"lineWidth": 1, "fillOpacity": 30 if stacked else 5, "showPoints": "never"}
    if stacked:
        custom["stacking"] = {"mode": "normal"}
    if thresholds is not None:
        custom["thresholdsStyle"] = {"mode": "line"}
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        queries=queries,
        unit=unit,
        width=width,
        custom=custom,
        thresholds=thresholds,
        options={
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def states(
    title: str,
    queries: dict[str, str],
    description: str,
    mappings: dict[str, tuple[str, str]],
    *,
    width: int = 12,
) -> Panel:
    """A bar for each series, in the colour of its state at each time."""
    return Panel(
        kind="state-timeline",
        title=title,
        description=description,
        queries=queries,
        width=width,
        mappings=mappings,
        options={"showValue": "never", "mergeValues": True, "rowHeight": 0.9},
        custom={"fillOpacity": 80, "lineWidth": 0},
    )


def table(title: str, expression: str, description: str, *, width: int = 12) -> Panel:
    """The labels of what the expression finds now."""
    return Panel(
        kind="table",
        title=title,
        description=description,
        queries={expression: ""},
        width=width,
        options={"showHeader": True, "cellHeight": "sm"},
    )


def variable(name: str, metric: str, matching: str = "") -> Json:
    """A choice of one label's values, all of them at first."""
    query = f"label_values({metric}{{{matching}}}, {name})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": {"type": "prometheus", "uid": SOURCE_UID},
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def laid_out(panels: Iterable[Panel]) -> list[Json]:
    """The panels in reading order: side by side while there is room, then below the highest."""
    placed: list[Json] = []
    x = y = highest = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, highest = 0, y + highest, 0
        placed.append(panel.as_json(number, x, y))
        x += panel.width
        highest = max(highest, panel.height)
    return placed


def dashboard(
    name: str, title: str, description: str, panels: Iterable[Panel], variables: list[Json]
) -> Json:
    """A whole dashboard; `name` is its file's and, after a prefix, its uid."""
    return {
        "uid": f"wubloader-{name}",
        "title": title,
        "description": description,
        "tags": ["wubloader"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "graphTooltip": 1,
        "links": [
            {
                "type": "dashboards",
                "title": "Wubloader",
                "tags": ["wubloader"],
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": variables},
        "panels": laid_out(panels),
    }
