"""The service as a whole: its own addresses, and whatever its description allows."""

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok

from tests.integration.restreamer.conftest import Node

BUSY = 503


def test_nothing_that_a_client_sends_is_an_error_of_ours(node: Node) -> None:
    schema = schemathesis.openapi.from_url(f"{node.url}/openapi.json")
    fuzzed = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        _fuzz(operation)
        fuzzed.add(operation.path)
    assert "/cut/{channel}/{quality}.ts" in fuzzed
    assert "/playlist/{channel}/{quality}.m3u8" in fuzzed


def _fuzz(operation: Any) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        status = case.call(timeout=30).status_code
        assert status < 500 or status == BUSY

    send()


@pytest.mark.parametrize("path", ["/metrics", "/metrics/restreamer", "/healthz", "/readyz"])
def test_the_service_answers_its_own_addresses(node: Node, path: str) -> None:
    assert requests.get(node.url + path, timeout=30).status_code == 200


def test_pages_of_other_origins_may_read(node: Node) -> None:
    answer = requests.options(f"{node.url}/files", headers={"Origin": "http://x"}, timeout=30)
    assert answer.ok
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
