"""A summary in words. Pure."""

from common.times import MINUTE, SECOND, Micros, format_time
from segment_coverage import spans
from segment_coverage.colours import LABELS
from segment_coverage.states import State
from segment_coverage.summary import Summary


def share(summary: Summary) -> str:
    """How much is full; rounded down, so that what is not complete never shows as 100 %."""
    whole = summary.total.editable / summary.span.duration
    return f"{int(whole * 1e5) / 1e3:g} %"


def describe(summary: Summary | None) -> str:
    """One line for an operator: `complete from ... to ...`, or what of it is in other states."""
    if summary is None:
        return "nothing is recorded"
    span = f"{format_time(summary.span.start)} to {format_time(summary.span.end)}"
    if summary.is_complete:
        return f"{span}: complete"
    parts = [
        f"{LABELS[state]} {duration(amount)}"
        for state, amount in summary.total.states.items()
        if amount and state is not State.FULL
    ]
    if young := spans.total(summary.young):
        parts.append(f"may still come {duration(young)}")
    return f"{span}: {share(summary)} full; {', '.join(parts)}"


def duration(micros: Micros) -> str:
    """In the two largest units that say something: `3 d 4 h`, `12 min 5 s`, `2.5 s`, `0`."""
    if micros < MINUTE:
        return f"{micros / SECOND:.3g} s" if micros else "0"
    seconds = micros // SECOND
    for (large, size), (small, part) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("min", 60)),
        (("min", 60), ("s", 1)),
    ):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {large}" + (f" {rest} {small}" if rest else "")
    raise AssertionError("a minute or more")
