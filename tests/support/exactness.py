"""All that an exact cut promises, held against one output.

    compared = assert_exact(output, record(sources), spans, frame_rate=made.frame_rate)
    assert numbers_of(compared, copied=True) == [*range(120, 360)]

`assert_exact` raises AssertionError (NotTransport among them) with what is wrong and where.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from common.times import TimeRange
from tests.support.checker import assert_decodes_silently, assert_in_sync
from tests.support.decode import watch
from tests.support.quality import Compared, assert_faithful, assert_small, compare
from tests.support.reference import Expected, Recording, expected_frames
from tests.support.transport import (
    AAC_SAMPLES,
    CLOCK_HZ,
    FIRST_PTS,
    Transport,
    judge,
    read_transport,
    slots,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be looser for an output; the values here are the promise."""

    audio: bool = True
    sync_ticks: int = 0
    """How far the source's own sound is from its picture, by the stamps."""
    psnr: float = 42
    factor: float = 2
    """Bytes of what was encoded again, in those of the source."""
    silent: bool = True
    delimiters: bool = True
    """Every access unit begins with its delimiter."""


_PROMISE = Limits()


def assert_exact(
    output: bytes,
    recording: Recording,
    spans: Sequence[TimeRange],
    *,
    frame_rate: Fraction,
    limits: Limits = _PROMISE,
) -> list[Compared]:
    """What `output`, a cut of `spans` with hard cuts, is made of, if it is exact."""
    wanted = expected_frames(recording, spans, frame_rate)
    holes = any(after.slot != before.slot + 1 for before, after in pairwise(wanted))
    transport = judge(
        output,
        frame_rate=frame_rate,
        audio=limits.audio,
        holes=holes,
        delimiters=limits.delimiters,
    )
    _assert_wanted(transport, wanted, frame_rate)
    if limits.audio:
        _assert_heard(transport, frame_rate, limits)
    if limits.silent:
        assert_decodes_silently(output)
    source = read_transport(b"".join(one.data for one in recording.sources))
    compared = compare(transport, source)
    assert_faithful(compared, at_least=limits.psnr)
    assert_small(compared, source, frame_rate, factor=limits.factor)
    return compared


def _assert_wanted(transport: Transport, wanted: Sequence[Expected], frame_rate: Fraction) -> None:
    shown = watch(transport, frame_rate).numbers
    places = slots(transport, frame_rate)
    got = list(zip(shown, places, strict=True))
    due = [(frame.number, frame.slot) for frame in wanted]
    if got == due:
        return
    at = next((i for i, pair in enumerate(zip(got, due, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(got), len(due)) if at is None else at
    raise AssertionError(
        f"{len(got)} frames instead of {len(due)}; the first difference is at {at}: (number, slot) "
        f"{got[max(0, at - 2) : at + 3]} instead of {due[max(0, at - 2) : at + 3]}"
    )


def _assert_heard(transport: Transport, frame_rate: Fraction, limits: Limits) -> None:
    """The sound lasts as long as the picture, and each second's mark is with its picture, both to
    within half an AAC frame.
    """
    frame = Fraction(AAC_SAMPLES * CLOCK_HZ, transport.sound[0].rate)
    begin = transport.sound[0].pts - FIRST_PTS
    length = transport.shown[-1].pts - FIRST_PTS + CLOCK_HZ / frame_rate
    end = transport.sound[-1].pts + frame - FIRST_PTS - length
    if abs(begin) > frame or abs(end) > frame:
        raise AssertionError(
            f"the sound begins {float(begin) / 90:+.1f} ms and ends {float(end) / 90:+.1f} ms from "
            "the picture"
        )
    # The marks themselves are found to within a sample or two.
    tolerance = (frame / 2 + limits.sync_ticks) / CLOCK_HZ + Fraction(1, 2000)
    assert_in_sync(watch(transport, frame_rate), tolerance_seconds=float(tolerance), at_least=0)
