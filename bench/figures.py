"""What benchmarks report, and the one table of it. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median


class Source(Enum):
    """Where a reference comes from; each value is its label and its meaning."""

    ORIGINAL = ("original", "the original Wubloader, measured on the same kind of machine; stated")
    LIMIT = ("limit", "a bare program with the same input and output, measured in the same run")
    SMARTCUT = (
        "smartcut",
        "the package smartcut of the package index, installed for it and measured in the same run",
    )
    GOAL = ("goal", "what we have set ourselves; nothing that was measured")
    POLL = ("poll", "the wait for the next look at the playlist, if all else took no time")

    @property
    def label(self) -> str:
        return self.value[0]

    @property
    def meaning(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. The reference is in the same unit."""

    benchmark: str
    name: str
    value: float
    unit: str
    reference: float | None = None
    source: Source | None = None

    @property
    def ratio(self) -> float | None:
        """The value divided by the reference."""
        return self.value / self.reference if self.reference else None


HEADINGS = ("benchmark", "figure", "value", "unit", "reference", "ratio")


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed.

    Raises ValueError if there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, no percentile")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median_and_most(
    benchmark: str, name: str, seconds: Sequence[float], goal: float
) -> Iterator[Figure]:
    """Two lines for times that are to stay below a goal. Raises ValueError if there are none."""
    for label, value in (("median", median(seconds)), ("most", max(seconds))):
        yield Figure(
            benchmark=benchmark,
            name=f"{name}: {label}",
            value=value,
            unit="s",
            reference=goal,
            source=Source.GOAL,
        )


def format_number(value: float) -> str:
    """Three significant digits without an exponent; whole numbers from 1000 on have commas.

    >>> format_number(0.012345), format_number(12.0), format_number(302400)
    ('0.0123', '12.0', '302,400')
    """
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, digits)}f}"


def text_table(figures: Sequence[Figure]) -> str:
    """Aligned columns; numbers to the right."""
    rows = [HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_aligned(row, widths) for row in rows)


def markdown_table(figures: Sequence[Figure]) -> str:
    rows = [HEADINGS, ("---", "---", "---:", "---", "---:", "---:")]
    rows += [_cells(figure) for figure in figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


_RIGHT = {2, 4, 5}


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _cells(figure: Figure) -> tuple[str, str, str, str, str, str]:
    reference = ""
    if figure.reference is not None:
        source = f" {figure.source.label}" if figure.source else ""
        reference = f"{format_number(figure.reference)}{source}"
    return (
        figure.benchmark,
        figure.name,
        format_number(figure.value),
        figure.unit,
        reference,
        "" if figure.ratio is None else format_number(figure.ratio),
    )
