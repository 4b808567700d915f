"""docs/CUTTING.md has every kind of cut, and names modules that exist."""

import re

from common.media.encode import TS_FIRST_PTS
from common.media.request import CutType
from common.media.smart.adts import SAMPLES
from common.media.smart.muxer import CLOCK_LEAD
from tests.support.documents import read_document, sections, table_rows
from tests.support.processes import ROOT

TEXT = read_document("docs/CUTTING.md")
DOCUMENT = sections(TEXT, level=2)
ARCHITECTURE = sections(read_document("docs/ARCHITECTURE.md"), level=2)
MEDIA = ROOT / "common" / "media"


def test_each_kind_of_cut_is_described() -> None:
    first_cells = " ".join(row[0] for row in table_rows(DOCUMENT["The kinds of cut"]))
    assert set(re.findall(r"`([\w-]+)`", first_cells)) == {kind.value for kind in CutType}


def test_each_module_that_is_named_exists() -> None:
    named = set(re.findall(r"`(\w+\.py)`", TEXT))
    assert named
    assert named <= {path.name for path in MEDIA.rglob("*.py")}


def test_each_module_of_cuts_has_its_place_in_the_architecture() -> None:
    rows = table_rows(ARCHITECTURE["Where things are"])
    named = {
        name
        for row in rows
        if row[0].startswith("`common/media/")
        for name in re.findall(r"`(\w+\.py)`", row[1])
    }
    modules = {path.name for path in MEDIA.rglob("*.py") if path.name != "__init__.py"}
    assert named == modules


def test_the_clocks_are_those_of_the_code() -> None:
    for number in (TS_FIRST_PTS, CLOCK_LEAD, SAMPLES):
        assert str(number) in TEXT
