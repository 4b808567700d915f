"""The dashboards: in step with what writes them, right for Prometheus and for Grafana."""

import json
from itertools import combinations, count
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.dashboards import FOLDER, dashboards, text_of
from monitoring.panels import COLUMNS, SOURCE_UID
from tests.support.prometheus import MONITORING, promtool

FILES = sorted(FOLDER.glob("*.json"))
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
PROVISIONING = MONITORING / "grafana" / "provisioning"

each_dashboard = pytest.mark.parametrize("name", DOCUMENTS)


def test_the_files_are_what_the_module_writes() -> None:
    written = {path.stem: path.read_text("utf-8") for path in FILES}
    assert written == {name: text_of(document) for name, document in dashboards().items()}, (
        "run `python -m monitoring.dashboards`"
    )


def test_prometheus_can_read_each_expression(tmp_path: Path) -> None:
    numbers = count()
    rules = [
        {
            "record": f"panel:{next(numbers)}",
            # What Grafana fills in.
            "expr": target["expr"].replace("$__rate_interval", "1m"),
        }
        for document in DOCUMENTS.values()
        for panel in document["panels"]
        for target in panel["targets"]
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


@each_dashboard
def test_panels_have_names_of_their_own_and_say_what_they_show(name: str) -> None:
    panels = DOCUMENTS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["type"], panel["title"]) for panel in panels}) == len(panels)
    for panel in panels:
        assert len(panel["description"]) > 15, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert [target["refId"] for target in panel["targets"]] == list(
            "ABCDEF"[: len(panel["targets"])]
        )


@each_dashboard
def test_no_panel_lies_on_another_or_beside_the_grid(name: str) -> None:
    places = [panel["gridPos"] for panel in DOCUMENTS[name]["panels"]]
    assert all(0 <= place["x"] <= COLUMNS - place["w"] for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@each_dashboard
def test_each_variable_that_is_used_is_declared_and_asked_for_at_the_source(name: str) -> None:
    document = DOCUMENTS[name]
    declared = {entry["name"] for entry in document["templating"]["list"]}
    text = json.dumps(document["panels"]).replace("$__rate_interval", "")
    used = {word for word in ("node", "channel", "quality") if f"${word}" in text}
    assert used == declared
    sources = {
        entry["datasource"]["uid"]
        for entry in [*document["panels"], *document["templating"]["list"]]
    }
    assert sources == {SOURCE_UID}


def test_grafana_is_given_the_source_and_the_dashboards() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())
    assert [entry["uid"] for entry in source["datasources"]] == [SOURCE_UID]
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "wubloader.yml").read_text())
    assert [entry["type"] for entry in provider["providers"]] == ["file"]
    uids = [document["uid"] for document in DOCUMENTS.values()]
    assert len(set(uids)) == len(uids) == 4
