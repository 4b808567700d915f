"""Which other nodes there are."""

import logging
from pathlib import Path

import pytest

from common.replication.nodes import Node, NodeSources, parse_node


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("http://node:8000", "node:8000", "http://node:8000"),
        ("https://node.example/", "node.example", "https://node.example"),
        ("west http://10.0.0.1:80/base/", "west", "http://10.0.0.1:80/base"),
        ("http://[::1]:8000", "::1:8000", "http://[::1]:8000"),
    ],
)
def test_a_node_is_a_url_with_or_without_a_name(text: str, name: str, url: str) -> None:
    assert parse_node(text) == Node(name=name, url=url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "node",
        "ftp://node",
        "http://",
        "http://node:x",
        "a b http://node",
        "http://n/?q",
        "http://[",
    ],
)
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="node"):
        parse_node(text)


def names(sources: NodeSources) -> list[str]:
    return [node.name for node in sources.nodes()]


def test_the_node_itself_is_left_out_by_its_name_and_by_its_host(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("me http://10.0.0.1\nhttp://me:8000/\nother http://10.0.0.2\n")
    assert names(NodeSources(file=file, own="me")) == ["other"]


def test_a_file_is_read_again_and_its_mistakes_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "nodes"
    file.write_text("# a comment\n\none http://1\nnonsense\nftp://2\n")
    sources = NodeSources(static=[parse_node("http://static")], file=file)
    with caplog.at_level(logging.WARNING):
        assert names(sources) == ["one", "static"]
        assert names(sources) == ["one", "static"]
    assert len(caplog.records) == 2
    file.write_text("two http://2\n")
    assert names(sources) == ["static", "two"]


def test_a_file_that_cannot_be_read_keeps_the_nodes_that_it_had(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("one http://1\n")
    sources = NodeSources(file=file)
    assert names(sources) == ["one"]
    file.unlink()
    assert names(sources) == ["one"]


def test_of_two_nodes_with_one_name_the_first_counts(tmp_path: Path) -> None:
    file = tmp_path / "nodes"
    file.write_text("one http://1\none http://2\n")
    assert NodeSources(file=file).nodes() == [Node(name="one", url="http://1")]
