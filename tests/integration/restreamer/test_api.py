"""The service as a whole: its own addresses, and whatever its description allows."""

from typing import Any

import pytest
import requests

from tests.integration.restreamer.conftest import Node
from tests.support.fuzz import fuzz, operations

BUSY = 503


def test_nothing_that_a_client_sends_is_an_error_of_ours(node: Node) -> None:
    def send(case: Any) -> None:
        status = case.call(timeout=100).status_code
        assert status < 500 or status == BUSY

    fuzzed = set()
    for operation in operations(node.url):
        fuzz(operation, send)
        fuzzed.add(operation.path)
    assert "/cut/{channel}/{quality}.ts" in fuzzed
    assert "/playlist/{channel}/{quality}.m3u8" in fuzzed
    assert "/thumbnail/{channel}/{quality}.png" in fuzzed


@pytest.mark.parametrize("path", ["/metrics", "/metrics/restreamer", "/healthz", "/readyz"])
def test_the_service_answers_its_own_addresses(node: Node, path: str) -> None:
    assert requests.get(node.url + path, timeout=100).status_code == 200


def test_pages_of_other_origins_may_read(node: Node) -> None:
    answer = requests.options(f"{node.url}/files", headers={"Origin": "http://x"}, timeout=100)
    assert answer.ok
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]


def test_what_is_refused_stands_in_no_log(node: Node) -> None:
    before = len(node.process.output)
    for path in (
        "/cut/demo/source.ts?start=2020-01-01&end=2020-01-02",
        "/frame/demo/source.png?timestamp=2020-01-01",
        "/segments/demo/source/2026-07-01T11/nothing.ts",
        "/playlist/demo/nothing.m3u8",
    ):
        assert requests.get(node.url + path, timeout=100).status_code in {404, 406}
    assert "Traceback" not in node.process.output[before:]
