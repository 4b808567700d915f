"""What the documents point to exists."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.documents import read_document
from tests.support.processes import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TARGET = re.compile(r"\bmake ([a-z-]+)")

DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)


def anchor_of(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_relative_link_leads_somewhere(name: str) -> None:
    broken = []
    for link in _LINK.findall(read_document(name)):
        if "://" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def anchors(path: Path) -> set[str]:
    return {anchor_of(heading) for heading in _HEADING.findall(path.read_text("utf-8"))}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_make_target_that_is_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read_document("Makefile"), re.MULTILINE))
    code = re.findall(r"`[^`]*`|^    .*$", read_document(name), re.MULTILINE)
    assert {target for text in code for target in _TARGET.findall(text)} <= targets
