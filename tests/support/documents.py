"""Reading the project's documents, in order to hold them against the code."""

import re
from collections.abc import Iterator

from tests.support.processes import ROOT

_HEADING = re.compile(r"^(#+) (.+)$")


def read_document(name: str) -> str:
    """The text of a document; `name` is its path from the root of the project."""
    return (ROOT / name).read_text("utf-8")


def sections(text: str, level: int) -> dict[str, str]:
    """What stands below each heading of this level, by the heading without its backquotes."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading and len(heading.group(1)) <= level:
            current = []
            if len(heading.group(1)) == level:
                found[heading.group(2).replace("`", "")] = current
        else:
            current.append(line)
    return {title: "\n".join(lines) for title, lines in found.items()}


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in a text, heads and rules left out."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        is_rule = set(line) <= set("|- :")
        is_head = number + 1 < len(lines) and lines[number + 1].startswith("| ---")
        if line.startswith("|") and not is_rule and not is_head:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield [cell.strip().replace("\\|", "|") for cell in cells]
