"""Digests over HTTP."""

import json
import shutil

import requests

from common.replication.digest import digest_of, parse_digest
from tests.integration.restreamer.conftest import QUALITIES, Node


def get(node: Node, path: str, **headers: str) -> requests.Response:
    return requests.get(node.url + path, headers=headers, timeout=100)


def test_each_hour_has_the_digest_of_the_names_that_are_listed(node: Node) -> None:
    for quality in QUALITIES:
        digest = parse_digest(get(node, f"/digest/demo/{quality}").content)
        hours = get(node, f"/files/demo/{quality}").json()
        assert set(digest.hours) == set(hours)
        for hour in hours:
            names = get(node, f"/files/demo/{quality}/{hour}?tombstones=true").json()
            assert digest.hours[hour] == digest_of(names)


def test_who_has_it_already_is_told_so_and_the_etag_is_strong(node: Node) -> None:
    first = get(node, "/digest/demo/source", **{"Accept-Encoding": "gzip"})
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    assert "Content-Encoding" not in first.headers, "a strong ETag names these very bytes"
    again = get(node, "/digest/demo/source", **{"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)


def test_another_segment_or_tombstone_is_another_digest(node: Node) -> None:
    folder = node.base_dir / "digest-test" / "source" / "2026-07-01T12"
    folder.mkdir(parents=True)
    try:
        seen = {get(node, "/digest/digest-test/source").headers["ETag"]}
        name = node.stored["source"][0].path.name
        for path in (folder / name, (folder / name).with_suffix(".tombstone")):
            path.touch()
            seen.add(get(node, "/digest/digest-test/source").headers["ETag"])
    finally:
        shutil.rmtree(node.base_dir / "digest-test")
    assert len(seen) == 3


def test_what_does_not_exist_has_no_hours(node: Node) -> None:
    for path in ("/digest/no/no", "/digest/demo/..%2f", "/digest/demo/.hidden"):
        answer = get(node, path)
        assert answer.status_code == 404 or json.loads(answer.text)["hours"] == {}
