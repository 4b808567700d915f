"""The list of transitions against the filter that both builds of ffmpeg have."""

import re
import subprocess

import av
import av.filter
import pytest
from av.error import FFmpegError

from common.errors import BadParameter
from common.media.commands import ffmpeg_binary
from common.media.transitions import DESCRIPTIONS, OWN, XFADE, check_transition

_CHOICE = re.compile(r"^ {5}(\w+) +(-?\d+) +\.\.FV")


def names_of_the_program() -> set[str]:
    shown = subprocess.run(
        [ffmpeg_binary(), "-hide_banner", "-h", "filter=xfade"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {match[1] for line in shown.stdout.splitlines() if (match := _CHOICE.match(line))}
    assert "custom" in found, shown.stdout
    return found - {"custom"}


def library_knows(name: str) -> bool:
    try:
        av.filter.Graph().add("xfade", f"transition={name}")
    except FFmpegError:
        return False
    return True


def test_every_transition_of_the_program_is_there() -> None:
    assert names_of_the_program() == set(XFADE)


def test_the_library_has_every_transition_too() -> None:
    assert [name for name in XFADE if not library_knows(name)] == []
    assert not library_knows("clock")


def test_names_of_our_own_do_not_collide() -> None:
    assert {"clock", "diamond"} <= set(OWN)
    assert not set(OWN) & (names_of_the_program() | {"custom", "cut"})


def test_each_has_a_description_of_one_line_of_its_own() -> None:
    assert all(0 < len(text) <= 80 and text.isprintable() for text in DESCRIPTIONS.values())
    assert len(set(DESCRIPTIONS.values())) == len(DESCRIPTIONS)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_transition_has_a_length(seconds: float) -> None:
    with pytest.raises(BadParameter, match=r"transition: .* seconds"):
        check_transition("fade", seconds)


@pytest.mark.parametrize("name", ["custom", "Fade", "", "fade:expr=A"])
def test_an_unknown_transition_is_refused_and_the_known_are_named(name: str) -> None:
    with pytest.raises(BadParameter, match=r"transition: .*wipeleft.*diamond"):
        check_transition(name, 1)
