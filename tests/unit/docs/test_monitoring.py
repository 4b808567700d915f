"""docs/MONITORING.md has every alert and every dashboard."""

import json
import re

from monitoring.dashboards import FOLDER
from tests.support.documents import read_document, sections, table_rows
from tests.support.prometheus import alerts

DOCUMENT = sections(read_document("docs/MONITORING.md"), level=2)


def test_each_alert_is_described_and_no_other() -> None:
    rows = list(table_rows(DOCUMENT["Alerts, and what to do"]))
    assert {(row[0].strip("`"), row[1]) for row in rows} == {
        (alert.name, alert.labels["severity"]) for alert in alerts()
    }
    assert all(len(row) == 4 and row[3] for row in rows)


def test_each_dashboard_is_described() -> None:
    titles = {json.loads(path.read_text("utf-8"))["title"] for path in FOLDER.glob("*.json")}
    assert set(re.findall(r"\*\*(\w+)\*\*", DOCUMENT["Dashboards"])) == titles
