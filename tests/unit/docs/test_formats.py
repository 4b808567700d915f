"""docs/DATA_FORMATS.md has every type of segment and every reason for a gap."""

from enum import Enum

import pytest

from common.gaps import GapReason
from common.segments.path import Segment, SegmentType, parse_name
from tests.support.documents import read_document, table_rows

TEXT = read_document("docs/DATA_FORMATS.md")


@pytest.mark.parametrize("kinds", [SegmentType, GapReason])
def test_each_kind_has_a_row(kinds: type[Enum]) -> None:
    described = {row[0].strip("`") for row in table_rows(TEXT)}
    assert {kind.value for kind in kinds} <= described


def test_the_example_is_a_name_that_parses() -> None:
    example = next(
        line.strip() for line in TEXT.splitlines() if line.startswith("    demo/source/")
    )
    hour, name = example.split("/")[2:]
    segment = parse_name(hour, name)
    assert isinstance(segment, Segment)
    assert segment.duration == 2_000_000
