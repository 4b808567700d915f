"""Parameters: good ones become values, bad ones are refused by name."""

from collections.abc import Callable
from functools import partial

import pytest

from common.errors import BadParameter
from common.times import HOUR, SECOND, TimeRange, parse_time
from restreamer.params import (
    bool_param,
    box_param,
    range_param,
    ranges_params,
    seconds_param,
    size_param,
    span_params,
    time_param,
    transition_param,
    transitions_params,
)

NOON = parse_time("2026-07-01T12:00:00")


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T12:00:00",
        "2026-07-01T12:00:00Z",
        "2026-07-01T12:00:00.000000",
        "2026-07-01T14:00:00+02:00",
        "2026-07-01T14:00:00 02:00",  # a + that came through a query unescaped
        " 2026-07-01 12:00 ",
    ],
)
def test_times_are_utc_with_or_without_z(text: str) -> None:
    assert time_param("start", text) == NOON


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (partial(time_param, "start", "NaN"), "start"),
        (partial(time_param, "start", ""), "start"),
        (partial(time_param, "start", "1969-12-31"), "start"),
        (partial(time_param, "start", "9999-12-31"), "start"),
        (partial(time_param, "start", "2026-07-01T25:00:00"), "start"),
        (partial(span_params, "2026-07-01", "2026-07-01"), "end"),
        (partial(span_params, "2026-07-02", "2026-07-01"), "end"),
        (partial(range_param, "range", "2026-07-01"), "range"),
        (partial(range_param, "range", "2026-07-02,2026-07-01"), "range"),
        (partial(range_param, "range", "a,b,c"), "range"),
        (partial(ranges_params, None, "2026-07-01", []), "start"),
        (partial(ranges_params, "2026-07-01", None, []), "end"),
        (partial(ranges_params, "2026-07-01", None, ["2026-07-01,2026-07-02"]), "range"),
        (partial(ranges_params, None, None, ["2026-07-01,2026-07-02"] * 1001), "range"),
        (partial(transition_param, "transition", "fade"), "transition"),
        (partial(transition_param, "transition", "fade,nan"), "transition"),
        (partial(transition_param, "transition", "fade,inf"), "transition"),
        (partial(transition_param, "transition", "fade,-1"), "transition"),
        (partial(transition_param, "transition", ",1"), "transition"),
        (partial(transitions_params, ["", ""], 2), "transition"),
        (partial(bool_param, "allow_holes", "yes"), "allow_holes"),
        (partial(seconds_param, "target", "0", 10), "target"),
        (partial(seconds_param, "target", "11", 10), "target"),
        (partial(seconds_param, "target", "2.0", 10), "target"),
        (partial(seconds_param, "target", "٣", 10), "target"),
        (partial(seconds_param, "target", "9" * 5000, 10), "target"),
    ],
)
def test_bad_parameters_are_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(BadParameter) as caught:
        call()
    assert caught.value.parameter == name


def test_ranges_come_as_start_and_end_or_as_several() -> None:
    one = TimeRange(NOON, NOON + HOUR)
    assert ranges_params("2026-07-01T12:00", "2026-07-01T13:00", []) == (one,)
    text = "2026-07-01T12:00,2026-07-01T13:00"
    assert ranges_params(None, None, [text, text]) == (one, one)


def test_transitions_are_hard_cuts_unless_given() -> None:
    assert transitions_params([], 3) == (None, None)
    assert transitions_params(["", "fade,1.5"], 3) == (None, ("fade", 1.5))


@pytest.mark.parametrize(
    ("text", "value"), [(None, False), ("true", True), ("False", False), (" TRUE ", True)]
)
def test_booleans_are_words(text: str | None, value: bool) -> None:
    assert bool_param("allow_holes", text) is value


def test_seconds_are_whole() -> None:
    assert seconds_param("target", "6", 10) == 6 * SECOND // SECOND


@pytest.mark.parametrize("text", ["", "x", "10", "10x", "0x1", "1x0", "4097x1", "-1x5", "1x1x1"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="WIDTHxHEIGHT"):
        size_param("size", text)


def test_a_size_is_a_width_and_a_height() -> None:
    assert size_param("size", "4096x1") == (4096, 1)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "3,0,3,4", "0,5,3,4", "a,b,c,d", "-1,0,3,4", "0,0,4097,4"]
)
def test_a_box_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="x1,y1,x2,y2"):
        box_param("crop", text)


def test_a_box_is_two_corners() -> None:
    assert box_param("crop", "0, 1,2,4096") == (0, 1, 2, 4096)
