"""docs/DEPENDENCIES.md has every library that we ask for."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.documents import read_document, sections, table_rows

DOCUMENT = {
    title.split(":")[0]: text
    for title, text in sections(read_document("docs/DEPENDENCIES.md"), level=2).items()
}
_NAME = re.compile(r"[a-z][a-z0-9-]*")


def required(name: str) -> set[str]:
    """What `requirements/NAME.in` asks for, without its versions."""
    lines = read_document(f"requirements/{name}.in").splitlines()
    return {found.group() for line in lines if (found := _NAME.match(line))}


def documented(title: str) -> Iterator[str]:
    for row in table_rows(DOCUMENT[title]):
        yield from (name.strip(" `") for name in row[0].split(","))


@pytest.mark.parametrize("name", ["runtime", "demo", "test"])
def test_each_python_library_is_described_and_no_other(name: str) -> None:
    assert set(documented(name)) == required(name)


def test_each_library_of_the_pages_is_described_and_no_other() -> None:
    assert set(documented("Pages")) == set(
        json.loads(read_document("package.json"))["dependencies"]
    )


def test_each_program_of_debian_is_described_and_no_other() -> None:
    installed = re.findall(r"missing\+=\((\S+)\)", read_document("scripts/setup"))
    assert set(documented("Programs of Debian")) == set(installed)
