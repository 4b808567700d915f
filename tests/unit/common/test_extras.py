"""Which paths of extras are shown, and which another machine may name."""

import pytest

from common.extras import is_safe_path, is_visible


@pytest.mark.parametrize("name", ["a.png", "A b.json", "naïve.png", "a-b"])
def test_plain_names_are_visible_and_safe(name: str) -> None:
    assert is_visible(name)
    assert is_safe_path(name)
    assert is_safe_path(f"folder/{name}")


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a.temp", "a.part", "a\0", "x-temp-y"])
def test_hidden_and_unfinished_names_are_neither(name: str) -> None:
    assert not is_visible(name)
    assert not is_safe_path(f"a/{name}/b")


@pytest.mark.parametrize(
    "path", ["/a", "a/", "a//b", "../a", "a/../b", "a\nb", "\ud800", "x" * 201, "a/" * 20 + "a"]
)
def test_paths_that_lead_elsewhere_or_cannot_be_written_are_not_safe(path: str) -> None:
    assert not is_safe_path(path)
