"""docs/TRANSITIONS.md has every transition, as editors read of it."""

from common.media.transitions import DESCRIPTIONS
from tests.support.documents import read_document, table_rows


def test_each_transition_is_described_and_nothing_else() -> None:
    documented = [
        (row[0].strip("`"), row[1]) for row in table_rows(read_document("docs/TRANSITIONS.md"))
    ]
    assert documented == list(DESCRIPTIONS.items())
