"""alertmanager.yml: each message has a receiver, and names alerts that there are."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.prometheus import MONITORING, alerts

CONFIG = yaml.safe_load((MONITORING / "alertmanager.yml").read_text("utf-8"))
ALERTS = {alert.name: alert for alert in alerts()}
_MATCHER = re.compile(r'^(\w+) (=|=~) "?([\w|]+)"?$')


def routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from routes(child)


def matched(matchers: list[str]) -> Iterator[tuple[str, str]]:
    """Each (label, value) that matchers name."""
    for matcher in matchers:
        found = _MATCHER.match(matcher)
        assert found, matcher
        for value in found.group(3).split("|"):
            yield found.group(1), value


def test_each_route_leads_to_a_receiver_and_each_receiver_is_reached() -> None:
    reached = {route["receiver"] for route in routes(CONFIG["route"])}
    assert reached == {receiver["name"] for receiver in CONFIG["receivers"]}


def test_receivers_read_their_addresses_from_secrets() -> None:
    hooks = [hook for receiver in CONFIG["receivers"] for hook in receiver["webhook_configs"]]
    assert len({hook["url_file"] for hook in hooks}) == len(hooks) == 3
    assert all(hook["url_file"].startswith("/run/secrets/") for hook in hooks)


def test_what_routes_and_inhibitions_name_exists() -> None:
    matchers = [route.get("matchers", []) for route in routes(CONFIG["route"])]
    for rule in CONFIG["inhibit_rules"]:
        matchers += [rule["source_matchers"], rule["target_matchers"]]
    for label, value in (pair for entry in matchers for pair in matched(entry)):
        if label == "alertname":
            assert value in ALERTS
        else:
            assert value in {alert.labels[label] for alert in ALERTS.values()}
