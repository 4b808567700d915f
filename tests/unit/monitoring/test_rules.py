"""The rules: right for Prometheus, each with its test, each with what a person needs."""

import re
from pathlib import Path

import pytest

from tests.support.documents import read_document
from tests.support.prometheus import MONITORING, RULE_FILES, Alert, alerts, metrics_in, promtool

ALERTS = alerts()
RULE_TESTS = MONITORING / "rules" / "tests"
SETTINGS = read_document("docs/SETTINGS.md")


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    assert "SUCCESS: 0 rule files" not in promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_the_rules_fire_when_they_should_and_rest_when_they_should(path: Path) -> None:
    promtool("test", "rules", RULE_TESTS / path.name)


def test_each_alert_fires_in_a_test_of_its_file() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in RULE_TESTS.glob("*.yml"))
    assert [alert.name for alert in ALERTS if f'alertname="{alert.name}"' not in tests] == []


def test_no_two_alerts_have_the_same_name() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_says_how_bad_it_is_what_it_is_and_what_to_do(alert: Alert) -> None:
    assert alert.labels["severity"] in {"critical", "warning", "none"}
    assert len(alert.annotations["summary"]) > 10
    assert len(alert.annotations["description"]) > 60


def test_each_flag_that_a_description_names_exists() -> None:
    text = " ".join(alert.annotations["description"] for alert in ALERTS)
    flags = set(re.findall(r"--[a-z][a-z-]+", text))
    assert flags
    assert [flag for flag in flags if f"`{flag}`" not in SETTINGS] == []


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("time() - a > 30 and on (node, q) b == 1", {"a", "b"}),
        ('sum by (x) (increase(a_total{r!~"u|v", s="}"}[10m])) > 0', {"a_total"}),
        ("max(a) unless a offset 10m or vector(0)", {"a"}),
        ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) / 1e9", {"h_bucket"}),
    ],
)
def test_names_of_metrics_are_found_in_expressions(expression: str, names: set[str]) -> None:
    assert metrics_in(expression) == names
