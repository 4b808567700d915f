"""The colours of maps and pages. Pure.

Every two of them differ clearly also for people who see no red, no green or no blue: at least 20
CIE Lab units (`tests/unit/segment_coverage/test_colours.py`).
"""

from segment_coverage.states import State

COLOURS = {
    State.FULL: "#1f77a4",
    State.SUSPECT: "#ffe45c",
    State.PARTIAL: "#e8871e",
    State.TOMBSTONED: "#9c9c9c",
    State.ELSEWHERE: "#8fd3f4",
    State.MISSING: "#3d0814",
}
NOTHING = "#f4f6f8"
LABELS = {
    State.FULL: "full",
    State.SUSPECT: "suspect",
    State.PARTIAL: "partial",
    State.TOMBSTONED: "tombstoned",
    State.ELSEWHERE: "another node has it",
    State.MISSING: "missing",
}


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
